/* cmd/cmd_save.c - stave save: images as one tar for other tools. */
#include <string.h>

#include "core/cleanup.h"
#include "core/err.h"
#include "core/mem.h"
#include "core/oci.h"
#include "core/stream.h"
#include "core/strs.h"

#include "builder/base.h"
#include "cache/archive_save.h"
#include "cache/meta.h"
#include "cache/store.h"

#include "cmd/ctx.h"
#include "cmd/files.h"
#include "cmd/image.h"
#include "cmd/opts.h"
#include "cmd/verbs.h"

struct save_values {
	const char *format;
	const char *output;
	const char *platform;
};

static const struct cmd_opt opts[] = {
	CMD_STR("format", 0, "FORMAT", struct save_values, format,
		"oci (default; docker reads it too) or docker"),
	CMD_STR("output", 'o', "FILE", struct save_values, output,
		"write to a file instead of stdout"),
	CMD_STR("platform", 0, "OS/ARCH", struct save_values, platform,
		"only the image for this platform (default: all)"),
	CMD_LATER("compress", 0),
	CMD_OPT_END,
};

static int
parse_format(const char *s, enum cas_archive_format *ret, struct stv_err **err)
{
	if (s == NULL || strcmp(s, "oci") == 0 ||
	    strcmp(s, "oci-archive") == 0) {
		*ret = CAS_ARCHIVE_BOTH;
		return 0;
	}
	if (strcmp(s, "docker") == 0 || strcmp(s, "docker-archive") == 0) {
		*ret = CAS_ARCHIVE_DOCKER;
		return 0;
	}
	stv_fail(err, STV_E_USAGE, "there is no archive format '%s'", s);
	stv_err_hint(*err, "Choose oci or docker.");
	return -1;
}

/* The manifest that is saved: an index with all that is here, or one of it. */
static int
choose_manifest(struct cas_store *s, const char *name, const char *platform,
		struct cas_image *img, struct stv_digest *ret,
		struct stv_err **err)
{
	stv_auto(oci_manifest) *m = NULL;

	*ret = img->manifest;
	if (platform == NULL)
		return 0;
	if (cmd_image_for(s, name, platform, img, err) < 0)
		return -1;
	return bld_image_manifest(s, img, ret, &m, err);
}

/* Put ${name} among the images; one that is there already gets a name more. */
static int
add_image(struct cas_store *s, const char *name, const char *platform,
	  struct cas_save_image *images, size_t *n, struct stv_err **err)
{
	stv_auto_free char *tag = NULL;
	struct stv_digest manifest;
	struct cas_image img;
	size_t i;

	if (cmd_image_find(s, name, &img, &tag, err) < 0 ||
	    choose_manifest(s, name, platform, &img, &manifest, err) < 0)
		return -1;
	for (i = 0; i < *n; i++)
		if (stv_digest_equal(&images[i].manifest, &manifest))
			break;
	if (i == *n)
		(*n)++;
	images[i].manifest = manifest;
	if (tag != NULL && !stv_strs_has(&images[i].names, tag))
		stv_strs_add(&images[i].names, tag);
	return 0;
}

static int
write_archive(struct cmd_ctx *cx, struct cas_store *s, const char *path,
	      const struct cas_save_image *images, size_t n,
	      enum cas_archive_format format, struct stv_err **err)
{
	struct cmd_outfile f = CMD_OUTFILE_INIT;
	stv_auto(stv_sink) *out = NULL;
	int rc = cmd_outfile_open(cx, path, &f, err);

	if (rc == 0) {
		out = stv_sink_fd(f.fd);
		rc = cas_save(s, images, n, format, out, err);
	}
	if (rc == 0)
		rc = cmd_outfile_commit(&f, err);
	cmd_outfile_close(&f);
	return rc;
}

static int
save(struct cmd_ctx *cx, const struct save_values *o, char **names, int n_names,
     struct stv_err **err)
{
	stv_auto(cas_store) *store = NULL;
	stv_auto(cas_lease) *lease = NULL;
	stv_auto_free struct cas_save_image *images =
		stv_xcalloc((size_t)n_names, sizeof(*images));
	enum cas_archive_format format;
	size_t n = 0;
	int rc;

	if (parse_format(o->format, &format, err) < 0 ||
	    cmd_store_look(cx, &store, err) < 0)
		return -1;
	rc = store != NULL ? cas_lease_take(store, &lease, err) : 0;
	for (int i = 0; i < n_names && rc == 0; i++)
		rc = add_image(store, names[i], o->platform, images, &n, err);
	if (rc == 0)
		rc = write_archive(cx, store,
				   o->output != NULL ? o->output : "-", images,
				   n, format, err);
	for (size_t i = 0; i < n; i++)
		stv_strs_clear(&images[i].names);
	return rc;
}

static int
save_run(struct cmd_ctx *cx, int argc, char **argv, struct stv_err **err)
{
	struct save_values o = {0};
	int n, rc;

	rc = cmd_opts_parse(cx, &cmd_verb_save, argc, argv, &o, &n, err);
	if (rc != CMD_PARSED)
		return rc == CMD_PARSED_HELP ? CMD_DONE : -1;
	return save(cx, &o, argv + 1, n, err) < 0 ? -1 : CMD_DONE;
}

const struct cmd_verb cmd_verb_save = {
	.name = "save",
	.args = "IMAGE [IMAGE...]",
	.summary = "Write images into a tar",
	.opts = opts,
	.min_args = 1,
	.max_args = CMD_ANY_NUMBER,
	.run = save_run,
};
