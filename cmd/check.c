/* cmd/check.c - the linter with the store behind its hooks. */
#include <string.h>

#include "core/cleanup.h"
#include "core/err.h"
#include "core/mem.h"
#include "core/oci.h"

#include "cache/meta.h"
#include "parser/lint.h"
#include "registry/ref.h"

#include "cmd/image.h"

#include "cmd/check.h"

static bool
is_image(void *arg, const char *name)
{
	reg_auto_ref ref = {0};
	struct stv_err *err = NULL;
	bool ret = reg_ref_parse(name, &ref, &err) == 0;

	(void)arg;
	stv_err_free(err);
	return ret;
}

/* What the store has of a base image; it need not have it. */
static bool
find_base(void *arg, const char *name, struct df_lint_base *ret)
{
	struct cas_store *store = arg;
	stv_auto(oci_config) *c = NULL;
	struct stv_err *err = NULL;
	struct cas_image img;

	if (store == NULL || !is_image(NULL, name) ||
	    cmd_image_find(store, name, &img, NULL, &err) < 0 ||
	    cmd_image_config(store, &img, &c, &err) < 0) {
		stv_err_free(err);
		return false;
	}
	stv_strs_copy(&ret->env, &c->config.env);
	stv_strs_copy(&ret->on_build, &c->config.on_build);
	stv_platform_copy(&ret->platform, &c->platform);
	if (c->config.shell.len > 0)
		ret->shell = stv_xstrdup(c->config.shell.v[0]);
	if (c->config.user != NULL)
		ret->user = stv_xstrdup(c->config.user);
	if (c->config.working_dir != NULL)
		ret->workdir = stv_xstrdup(c->config.working_dir);
	return true;
}

int
cmd_check_begin(const struct check_input *in, struct stv_diags *diags,
		struct df_lint **ret, struct stv_err **err)
{
	const struct df_lint_opts o = {
		.file = in->file,
		.sources = in->sources,
		.build_args = in->build_args,
		.target = in->target,
		.platform = in->platform,
		.ignore = in->ignore,
		.only_buildkit = in->only_buildkit,
		.arg = in->store,
		.is_image = is_image,
		.base = find_base,
	};

	if (df_lint_new(&o, diags, ret, err) < 0)
		return -1;
	df_lint_run(*ret);
	return 0;
}
