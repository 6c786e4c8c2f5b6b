/*
 * cmd/check_image.c - what the layers of an image store more than once.
 *
 * A file is stored again where a layer has it with the content that it has
 * below: only its owner, mode or time differ.  The tables of contents say so;
 * no layer is opened.
 */
#include <stdlib.h>
#include <string.h>

#include "core/cleanup.h"
#include "core/diag.h"
#include "core/err.h"
#include "core/oci.h"

#include "cache/meta.h"
#include "cache/toc.h"
#include "parser/ast.h"
#include "parser/lint.h"

#include "cmd/figures.h"
#include "cmd/image.h"

#include "cmd/check.h"

/* What a layer repeats. */
struct repeated {
	uint64_t bytes;
	size_t n_files;
};

/* Compare layer ${i} with all below it. */
static int
measure(struct cas_store *s, const struct oci_config *c, size_t i,
	struct repeated *ret, struct stv_err **err)
{
	stv_auto(lay_view) *below = NULL;
	stv_auto(lay_toc) *toc = NULL;
	struct lay_entry e, old;

	if (lay_view_open(s, c->diff_ids, i, &below, err) < 0 ||
	    lay_toc_open(s, &c->diff_ids[i], &toc, err) < 0)
		return -1;
	for (size_t k = 0; k < lay_toc_len(toc); k++) {
		lay_toc_get(toc, k, &e);
		if (e.type != LAY_FILE || e.size == 0 ||
		    lay_view_lookup(below, e.path, &old) != 1 ||
		    old.type != LAY_FILE || old.size != e.size ||
		    !stv_digest_equal(&old.digest, &e.digest))
			continue;
		ret->bytes += e.size;
		ret->n_files++;
	}
	return 0;
}

/* Does the line of the history come from that RUN? */
static bool
is_from(const struct df_node *n, const char *created_by)
{
	const char *text = n->n_args > 0 ? n->args[0].text : "";

	return n->kind == DF_RUN && *text != '\0' &&
	       strstr(created_by, text) != NULL;
}

/* The last RUN before ${*at} that made this line; where it is not found, the
 * beginning of the file. */
static struct stv_span
find_place(const struct df_file *f, const char *created_by, size_t *at)
{
	for (size_t i = *at; i-- > 0;)
		if (is_from(&f->nodes[i], created_by)) {
			*at = i;
			return f->nodes[i].span;
		}
	return (struct stv_span){0, 0, f->source_no};
}

static void
report(struct df_lint *l, const struct check_input *in, const char *created_by,
       size_t *at, const struct repeated *r)
{
	struct stv_span span = find_place(in->file, created_by, at);
	char size[CMD_SIZE_MAX];
	struct stv_diag *f;

	f = df_lint_add(l, DF_R_REPEATED_FILES, span,
			"this layer stores %s in %zu file%s once more",
			cmd_size_str(r->bytes, 3, size), r->n_files,
			r->n_files == 1 ? "" : "s");
	if (span.end == 0)
		stv_diag_hint(f, "The layer was made by: %s", created_by);
	else
		stv_diag_hint(f, "Set owner and mode where the files are made: "
				 "COPY --chown --chmod, or in the same RUN.");
}

int
cmd_check_image(struct df_lint *l, const struct check_input *in,
		const char *name, struct stv_err **err)
{
	stv_auto(oci_config) *c = NULL;
	struct cas_image img;
	size_t layer, at = in->file->n_nodes;

	if (cmd_image_find(in->store, name, &img, NULL, err) < 0 ||
	    cmd_image_config(in->store, &img, &c, err) < 0)
		return -1;
	layer = c->n_diff_ids;
	for (size_t i = c->n_history; i-- > 0 && layer > 0;) {
		struct repeated r = {0};
		const char *by = c->history[i].created_by;

		if (c->history[i].is_empty_layer)
			continue;
		layer--;
		if (measure(in->store, c, layer, &r, err) < 0)
			return -1;
		if (r.bytes > 0)
			report(l, in, by != NULL ? by : "", &at, &r);
	}
	return 0;
}
