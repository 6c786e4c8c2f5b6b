/* cmd/fetch.c - an image that is not in the store, from a registry. */
#include <stdio.h>

#include "core/cancel.h"
#include "core/cleanup.h"
#include "core/err.h"
#include "core/oci.h"
#include "core/strs.h"

#include "registry/ref.h"

#include "cmd/build_request.h"
#include "cmd/ctx.h"
#include "cmd/fetch.h"
#include "cmd/registry.h"
#include "cmd/transfer.h"

void
cmd_fetch_on_layer(void *arg, enum bld_pull_moment m,
		   const struct stv_digest *blob, uint64_t now, uint64_t size)
{
	struct cmd_transfer *t = arg;

	switch (m) {
	case BLD_PULL_LAYER_HERE:
		cmd_transfer_done(t, blob, "Already exists");
		break;
	case BLD_PULL_LAYER_STARTED:
	case BLD_PULL_LAYER_MOVED:
		cmd_transfer_move(t, blob, "Downloading", now, size);
		break;
	case BLD_PULL_LAYER_DONE:
		cmd_transfer_done(t, blob, "Pull complete");
		break;
	}
}

int
cmd_fetch_first(struct cas_store *s, const char *name,
		int (*fn)(void *arg, const char *whole, struct stv_err **err),
		void *arg, struct stv_err **err)
{
	struct stv_strs names = {0};
	int rc = cmd_registry_list(s, name, &names, err);

	for (size_t i = 0; rc == 0 && i < names.len; i++) {
		struct stv_err *why = NULL;

		if (fn(arg, names.v[i], &why) == 0)
			break;
		if (i + 1 < names.len && !stv_is_cancelled()) {
			cmd_warn("%s: %s", names.v[i],
				 stv_err_msg(stv_err_root(why)));
			stv_err_free(why);
			continue;
		}
		*err = why;
		rc = -1;
	}
	stv_strs_clear(&names);
	return rc;
}

/* What cmd_fetch() hands on. */
struct fetch {
	struct bld_pull_opts o;
	struct cas_image *ret;
};

static int
fetch_name(void *arg, const char *name, struct stv_err **err)
{
	struct fetch *f = arg;
	stv_auto(cmd_transfer) *shown = cmd_transfer_new(stderr);
	struct bld_pulled pulled;
	reg_auto_ref ref = {0};

	f->o.arg = shown;
	if (reg_ref_parse(name, &ref, err) < 0)
		return -1;
	if (bld_pull(&f->o, &ref, &pulled, err) < 0)
		return stv_wrap(err, "pulling %s", name);
	*f->ret = pulled.image;
	return 0;
}

int
cmd_fetch(struct cas_store *s, const char *name, const char *platform,
	  struct cas_image *ret, struct stv_err **err)
{
	cmd_auto_registry registry = {0};
	struct stv_platform p = {0};
	struct fetch f = {.ret = ret};
	int rc = cmd_request_platform(platform, &p, err);

	if (rc == 0)
		stv_platform_host(&p);
	if (rc >= 0)
		rc = cmd_registry_open(NULL, &registry, err);
	if (rc == 0) {
		f.o = (struct bld_pull_opts){.store = s,
					     .client = registry.client,
					     .platform = &p,
					     .on_layer = cmd_fetch_on_layer};
		stv_cancel_catch(true);
		rc = cmd_fetch_first(s, name, fetch_name, &f, err);
		rc = stv_cancel_end(rc, err);
	}
	stv_platform_fini(&p);
	return rc;
}
