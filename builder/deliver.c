/* builder/deliver.c - an image of the store into a running engine's own. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "core/buf.h"
#include "core/cleanup.h"
#include "core/err.h"
#include "core/limits.h"
#include "core/mem.h"

#include "cache/blob.h"
#include "cache/meta.h"

#include "builder/base.h"
#include "builder/deliver_internal.h"

static const struct bld_engine_way *const ways[] = {
	[BLD_ENGINE_DOCKER] = &bld_docker_way,
	[BLD_ENGINE_PODMAN] = &bld_podman_way,
	[BLD_ENGINE_CONTAINERD] = &bld_containerd_way,
};

int
bld_engine_parse(const char *s, enum bld_engine *ret, struct stv_err **err)
{
	for (size_t i = 0; i < STV_ARRAY_LEN(ways); i++)
		if (strcmp(ways[i]->name, s) == 0) {
			*ret = (enum bld_engine)i;
			return 0;
		}
	stv_fail(err, STV_E_USAGE, "there is no engine '%s'", s);
	stv_err_hint(*err, "Choose docker, podman or containerd.");
	return -1;
}

const char *
bld_engine_name(enum bld_engine e)
{
	return ways[e]->name;
}

/* ---- what the three share --------------------------------------------- */

static int
fail_connect(const char *path, const char *engine, int errnum,
	     struct stv_err **err)
{
	stv_fail_errno_as(err, STV_E_PRIVILEGE, errnum,
			  "cannot speak to %s at '%s'", engine, path);
	if (errnum == EACCES || errnum == EPERM)
		stv_err_hint(*err,
			     "Only root and the group of that socket may: run "
			     "this as root, or as a member of the group.");
	else
		stv_err_hint(
			*err, "Start %s, or say in %s where its socket is.",
			engine,
			strcmp(engine, "docker") == 0 ? "DOCKER_HOST"
						      : "CONTAINERD_ADDRESS");
	return -1;
}

int
bld_socket_check(const char *path, const char *engine, struct stv_err **err)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	stv_auto_fd fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	size_t n = strlen(path);

	if (fd < 0)
		return stv_fail_errno(err, errno, "cannot make a socket");
	if (n >= sizeof(un.sun_path))
		return fail_connect(path, engine, ENAMETOOLONG, err);
	memcpy(un.sun_path, path, n);
	if (connect(fd, (const struct sockaddr *)&un, sizeof(un)) < 0)
		return fail_connect(path, engine, errno, err);
	return 0;
}

struct cas_save_image
bld_deliver_archive(const struct bld_delivery *d)
{
	return (struct cas_save_image){
		.manifest = d->digest,
		.names = *d->names,
		.left_out = d->has,
	};
}

int
bld_deliver_run(const struct stv_strs *argv, int dirfd, int input,
		struct stv_proc_result *ret, struct stv_err **err)
{
	struct stv_proc_opts o = {
		.argv = (const char *const *)argv->v,
		.env = environ,
		.dirfd = dirfd,
		.input = input,
	};

	if (stv_proc_run(&o, ret, err) == 0)
		return 0;
	if (stv_err_code(*err) == STV_E_NOT_FOUND) {
		stv_err_set_code(*err, STV_E_PRIVILEGE);
		stv_err_hint(*err, "Install it: the engine is reached through "
				   "this program.");
	}
	return -1;
}

int
bld_deliver_failed(const struct stv_strs *argv, const struct stv_proc_result *r,
		   struct stv_err **err)
{
	stv_auto_buf why = STV_BUF_INIT((size_t)16 << 10);
	stv_auto_buf words = STV_BUF_INIT(STV_MAX_PATH);

	/* Its verb, and what comes before it: "ctr images import". */
	for (size_t i = 0; i < argv->len && argv->v[i][0] != '-'; i++)
		stv_buf_addf(&words, "%s%s", i > 0 ? " " : "", argv->v[i]);
	stv_proc_last_words(r, &why);
	return stv_fail(err, STV_E_PROTOCOL, "'%s' failed with status %d%s%s",
			stv_buf_str(&words), r->status, why.len > 0 ? ": " : "",
			stv_buf_str(&why));
}

/* ---- one delivery ----------------------------------------------------- */

static int
read_image(struct bld_delivery *d, const struct cas_image *image,
	   struct stv_err **err)
{
	stv_auto_buf text = STV_BUF_INIT(STV_MAX_CONFIG);
	struct cas_store *store = d->o->store;

	if (bld_image_manifest(store, image, &d->digest, &d->manifest, err) <
		    0 ||
	    cas_blob_read(store, &image->config, STV_MAX_CONFIG, &text, err) <
		    0 ||
	    oci_config_parse(stv_buf_str(&text), text.len, &d->config, err) < 0)
		return -1;
	if (d->config->n_diff_ids != d->manifest->n_layers)
		return stv_fail(err, STV_E_PROTOCOL,
				"the image has %zu layers and %zu diff IDs",
				d->manifest->n_layers, d->config->n_diff_ids);
	d->ret->n_layers = d->manifest->n_layers;
	d->has = stv_xcalloc(d->manifest->n_layers + 1, sizeof(*d->has));
	return 0;
}

static bool
has_any(const struct bld_delivery *d)
{
	for (size_t i = 0; i < d->manifest->n_layers; i++)
		if (d->has[i])
			return true;
	return false;
}

/*
 * Send it.  An engine may have dropped meanwhile what it had: if it refuses an
 * image of which layers were left out, it gets the whole one.
 */
static int
send_image(const struct bld_engine_way *way, struct bld_delivery *d,
	   struct stv_err **err)
{
	int r = way->find_layers(d, err);

	if (r == 0)
		r = way->send(d, err);
	if (r < 0 && stv_err_code(*err) == STV_E_PROTOCOL && has_any(d)) {
		stv_err_clear(err);
		memset(d->has, 0, d->manifest->n_layers * sizeof(*d->has));
		r = way->send(d, err);
	}
	if (r == 0)
		r = way->has_image(d, err);
	if (r != 0)
		return r < 0 ? -1 : 0;
	return stv_fail(err, STV_E_PROTOCOL,
			"%s took the image and does not have it", way->name);
}

static int
deliver(const struct bld_engine_way *way, struct bld_delivery *d,
	struct stv_err **err)
{
	size_t n = d->manifest->n_layers;
	int r = way->open(d, err);

	if (r == 0)
		r = way->has_image(d, err);
	if (r == 1)
		memset(d->has, 1, n * sizeof(*d->has));
	else if (r == 0)
		r = send_image(way, d, err);
	way->close(d);
	if (r < 0)
		return -1;
	for (size_t i = 0; i < n; i++) {
		d->ret->n_sent += !d->has[i];
		if (d->o->on_layer != NULL)
			d->o->on_layer(d->o->arg, &d->config->diff_ids[i],
				       !d->has[i]);
	}
	return 0;
}

int
bld_engine_check(enum bld_engine e, struct stv_err **err)
{
	struct bld_deliver_opts o = {.engine = e};
	struct bld_delivery d = {.o = &o};
	int rc = ways[e]->open(&d, err);

	ways[e]->close(&d);
	return rc;
}

int
bld_deliver(const struct bld_deliver_opts *o, const struct cas_image *image,
	    const struct stv_strs *names, struct bld_delivered *ret,
	    struct stv_err **err)
{
	struct bld_delivery d = {.o = o, .names = names, .ret = ret};
	const struct bld_engine_way *way = ways[o->engine];
	int rc;

	*ret = (struct bld_delivered){.sent = 0};
	rc = read_image(&d, image, err);
	if (rc == 0)
		rc = deliver(way, &d, err);
	oci_manifest_free(d.manifest);
	oci_config_free(d.config);
	free(d.has);
	return rc < 0 ? stv_wrap(err, "delivering the image to %s", way->name)
		      : 0;
}
