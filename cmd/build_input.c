/* cmd/build_input.c - what a build reads. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "core/buf.h"
#include "core/cancel.h"
#include "core/cleanup.h"
#include "core/err.h"
#include "core/limits.h"
#include "core/mem.h"
#include "core/source.h"
#include "core/stream.h"

#include "parser/ast.h"
#include "parser/parse.h"
#include "registry/http.h"

#include "cmd/dockerfile.h"
#include "cmd/files.h"

#include "cmd/build_input.h"

bool
cmd_input_needs_store(const char *context)
{
	return bld_place_of(context) != BLD_PLACE_DIR;
}

static int
fetch(struct build_input *in, const struct bld_remote_opts *o,
      struct stv_err **err)
{
	int rc;

	stv_cancel_catch(true);
	rc = bld_remote_open(o, &in->remote, err);
	in->is_remote = rc == 0;
	return stv_cancel_end(rc, err);
}

int
cmd_input_fetch(struct build_input *in, struct cas_store *store,
		const char *context, bool keep_git_dir, struct stv_err **err)
{
	struct bld_remote_opts o = {
		.store = store,
		.text = context,
		.stdin_fd = -1,
		.keep_git_dir = keep_git_dir,
	};
	stv_auto_fd fd = -1;

	in->context = context;
	if (!cmd_input_needs_store(context))
		return 0;
	if (strcmp(context, "-") == 0) {
		if (cmd_input_open("-", "a Dockerfile or an archive", &fd,
				   err) < 0)
			return -1;
		o.stdin_fd = fd;
	}
	if (fetch(in, &o, err) < 0)
		return -1;
	in->context = in->remote.shown;
	return 0;
}

/* --file with a context that has its own Dockerfile on standard input. */
static int
check_stdin(const struct build_input *in, const char *file,
	    struct stv_err **err)
{
	if (file == NULL || !in->is_remote ||
	    in->remote.place != BLD_PLACE_STDIN)
		return 0;
	if (strcmp(file, "-") == 0)
		return stv_fail(err, STV_E_USAGE,
				"standard input cannot be both the build "
				"context and the Dockerfile");
	if (!in->remote.is_text)
		return 0;
	stv_fail(err, STV_E_USAGE,
		 "both standard input and --file are a Dockerfile");
	stv_err_hint(*err, "Give a directory as the context, or an archive on "
			   "standard input.");
	return -1;
}

/* A Dockerfile from a URL. */
static int
load_url(struct build_input *in, const char *url, struct stv_sources *sources,
	 struct stv_diags *diags, struct stv_err **err)
{
	stv_auto_buf text = STV_BUF_INIT(STV_MAX_SOURCE);
	stv_auto(stv_sink) *sink = stv_sink_buf(&text, "the Dockerfile");
	stv_auto(reg_http) *http = NULL;
	reg_auto_response res = {0};
	const struct reg_http_request req = {
		.url = url, .sink = sink, .max_size = STV_MAX_SOURCE};

	in->dockerfile = reg_http_redact(url);
	if (reg_http_open(NULL, &http, err) < 0 ||
	    reg_http_do(http, &req, &res, err) < 0)
		return stv_wrap(err, "fetching the Dockerfile");
	return cmd_dockerfile_parse(sources, in->dockerfile, stv_buf_str(&text),
				    text.len, diags, &in->file, err);
}

/* Is the Dockerfile a file of the context that was fetched? */
static bool
is_inside(const struct build_input *in, const char *file)
{
	if (!in->is_remote)
		return false;
	if (file == NULL)
		return true;
	if (strcmp(file, "-") == 0 || reg_http_is_url(file))
		return false;
	/* Of an archive that is here every name is one in it. */
	return *file != '/' || in->remote.place == BLD_PLACE_STDIN ||
	       in->remote.place == BLD_PLACE_FILE;
}

static int
load_inside(struct build_input *in, const char *file,
	    struct stv_sources *sources, struct stv_diags *diags,
	    struct stv_err **err)
{
	const struct bld_remote *r = &in->remote;
	const char *name = file != NULL ? file : r->dockerfile;

	if (cmd_dockerfile_load_in(sources, r->fd, name, file == NULL,
				   &in->dockerfile, diags, &in->file, err) < 0)
		return -1;
	return cmd_ignore_load_in(sources, r->fd, in->dockerfile,
				  &in->ignore_file, &in->ignore_name, err);
}

/* The Dockerfile is here; the ignore file beside it, or in the context. */
static int
load_outside(struct build_input *in, const char *file,
	     struct stv_sources *sources, struct stv_diags *diags,
	     struct stv_err **err)
{
	const char *beside;

	in->dockerfile = file != NULL ? stv_xstrdup(file)
				      : cmd_dockerfile_find(in->context, err);
	if (in->dockerfile == NULL ||
	    cmd_dockerfile_load(sources, in->dockerfile, diags, &in->file,
				err) < 0)
		return -1;
	beside = strcmp(in->dockerfile, "-") == 0 ? NULL : in->dockerfile;
	if (!in->is_remote)
		return cmd_ignore_load(sources, in->context, beside,
				       &in->ignore_file, &in->ignore_name, err);
	return cmd_ignore_load_in(sources, in->remote.fd, NULL,
				  &in->ignore_file, &in->ignore_name, err);
}

int
cmd_input_load(struct build_input *in, const char *file,
	       struct stv_sources *sources, struct stv_diags *diags,
	       struct stv_err **err)
{
	const struct bld_remote *r = &in->remote;

	if (check_stdin(in, file, err) < 0)
		return -1;
	if (in->is_remote && r->is_text) {
		in->dockerfile = stv_xstrdup("-");
		return cmd_dockerfile_parse(sources, "<stdin>", r->text,
					    r->text_len, diags, &in->file, err);
	}
	in->is_file_remote =
		is_inside(in, file) || (file != NULL && reg_http_is_url(file));
	if (is_inside(in, file))
		return load_inside(in, file, sources, diags, err);
	if (file == NULL || !reg_http_is_url(file))
		return load_outside(in, file, sources, diags, err);
	if (load_url(in, file, sources, diags, err) < 0)
		return -1;
	if (!in->is_remote)
		return cmd_ignore_load(sources, in->context, NULL,
				       &in->ignore_file, &in->ignore_name, err);
	return cmd_ignore_load_in(sources, r->fd, NULL, &in->ignore_file,
				  &in->ignore_name, err);
}

int
cmd_input_time(const struct build_input *in, int64_t *ret, struct stv_err **err)
{
	if (in->is_remote && in->remote.has_time && in->remote.time_s >= 0) {
		*ret = in->remote.time_s;
		return 0;
	}
	stv_fail(err, STV_E_USAGE,
		 "SOURCE_DATE_EPOCH=context: the context '%s' has no time of "
		 "its own",
		 in->context);
	stv_err_hint(*err, "A repository has that of its commit, a URL that of "
			   "'Last-Modified'; give seconds since 1970 here.");
	return -1;
}

void
cmd_input_fini(struct build_input *in)
{
	df_file_free(in->file);
	free(in->dockerfile);
	free(in->ignore_name);
	if (in->is_remote)
		bld_remote_close(&in->remote);
	*in = (struct build_input){.context = NULL};
}
