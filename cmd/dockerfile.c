/* cmd/dockerfile.c - loading a Dockerfile and showing what is wrong with it. */
#include <string.h>
#include <unistd.h>

#include "core/buf.h"
#include "core/cleanup.h"
#include "core/err.h"
#include "core/fsat.h"
#include "core/limits.h"
#include "core/source.h"
#include "core/stream.h"

#include "parser/parse.h"

#include "cmd/ctx.h"
#include "cmd/files.h"

#include "cmd/dockerfile.h"

void
cmd_print_diags(const struct stv_diags *d, const struct stv_sources *src)
{
	stv_auto_buf b = STV_BUF_INIT((size_t)16 << 20);

	for (size_t i = 0; i < d->len; i++)
		stv_diag_render(&d->v[i], src, cmd_use_color(STDERR_FILENO),
				&b);
	if (d->n_errors + d->n_warnings > d->len)
		stv_buf_addf(&b, "... and %zu more\n",
			     d->n_errors + d->n_warnings - d->len);
	(void)stv_write_all(STDERR_FILENO, stv_buf_str(&b), b.len);
}

/* A named pipe is fine here: "parse <(generate)" is one. */
static int
read_whole(const char *path, struct stv_buf *ret, struct stv_err **err)
{
	stv_auto_fd fd = -1;

	if (cmd_input_open(path, "a Dockerfile", &fd, err) < 0)
		return -1;
	if (stv_fsat_read_fd(fd, STV_MAX_SOURCE, path, ret, err) < 0)
		return stv_wrap(err, "reading %s", path);
	return 0;
}

int
cmd_dockerfile_load(struct stv_sources *sources, const char *path,
		    struct df_file **ret, struct stv_err **err)
{
	stv_auto_buf text = STV_BUF_INIT(STV_MAX_SOURCE);
	struct stv_diags diags = {0};
	const char *name = strcmp(path, "-") == 0 ? "<stdin>" : path;
	uint32_t no;
	int rc;

	if (read_whole(path, &text, err) < 0 ||
	    stv_sources_add(sources, name, stv_buf_str(&text), text.len, &no,
			    err) < 0)
		return -1;
	rc = df_parse(sources, no, ret, &diags, err);
	cmd_print_diags(&diags, sources);
	if (rc < 0 && diags.n_errors > 0) {
		stv_err_clear(err);
		rc = CMD_INPUT;
	}
	stv_diags_fini(&diags);
	return rc;
}
