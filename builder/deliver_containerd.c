/*
 * builder/deliver_containerd.c - into containerd, by its own client ctr.
 *
 * An OCI archive goes to "ctr images import -".  Blobs that containerd has in
 * this namespace are left out of it: the import only writes what comes, and
 * looks into its store for all the manifest names.
 */
#include <stdlib.h>
#include <string.h>

#include "core/cleanup.h"
#include "core/err.h"
#include "core/mem.h"
#include "core/proc.h"

#include "builder/archive_pipe.h"
#include "builder/deliver_internal.h"

#define DEFAULT_SOCKET "/run/containerd/containerd.sock"

/* ctr reads CONTAINERD_ADDRESS and CONTAINERD_NAMESPACE itself. */
static void
add_ctr(const struct bld_delivery *d, struct stv_strs *argv)
{
	stv_strs_add(argv, "ctr");
	if (d->o->name_space != NULL)
		stv_strs_take(argv, stv_xasprintf("--namespace=%s",
						  d->o->name_space));
}

static int
containerd_open(struct bld_delivery *d, struct stv_err **err)
{
	const char *address = getenv("CONTAINERD_ADDRESS");

	(void)d;
	if (address == NULL || *address == '\0')
		address = DEFAULT_SOCKET;
	if (strncmp(address, "unix://", 7) == 0)
		address += 7;
	return bld_socket_check(address, "containerd", err);
}

static void
containerd_close(struct bld_delivery *d)
{
	(void)d;
}

/*
 * A line of "ctr images check": REF TYPE DIGEST STATUS SIZE UNPACKED, where
 * STATUS begins with "complete" and UNPACKED ends the line.
 */
static bool
is_complete(const struct bld_delivery *d, const char *out, const char *name)
{
	char digest[STV_DIGEST_STR_MAX];
	size_t n = strlen(name);

	stv_digest_str(&d->digest, digest);
	for (; *out != '\0'; out += strcspn(out, "\n"), out += *out == '\n') {
		stv_auto_free char *line =
			stv_xstrndup(out, strcspn(out, "\n"));
		size_t len = strlen(line);

		while (len > 0 && strchr(" \t\r", line[len - 1]) != NULL)
			line[--len] = '\0';
		if (strncmp(line, name, n) == 0 && line[n] == ' ' &&
		    strstr(line + n, digest) != NULL &&
		    strstr(line + n, " complete ") != NULL && len > 5 &&
		    strcmp(line + len - 5, " true") == 0)
			return true;
	}
	return false;
}

/* 1: containerd has the image under ${name}, with all its blobs, unpacked. */
static int
has_name(struct bld_delivery *d, const char *name, struct stv_err **err)
{
	STV_CLEANUP(stv_strs_clear) struct stv_strs argv = {0};
	struct stv_proc_result r = {0};
	int rc;

	add_ctr(d, &argv);
	stv_strs_add(&argv, "images");
	stv_strs_add(&argv, "check");
	stv_strs_take(&argv, stv_xasprintf("name==\"%s\"", name));
	if (bld_deliver_run(&argv, -1, 0, &r, err) < 0)
		return -1;
	rc = r.status != 0 ? bld_deliver_failed(&argv, &r, err)
			   : is_complete(d, stv_buf_str(&r.output), name);
	stv_proc_result_fini(&r);
	return rc;
}

static int
containerd_has_image(struct bld_delivery *d, struct stv_err **err)
{
	int rc = 1;

	if (d->names->len == 0) {
		stv_fail(err, STV_E_USAGE,
			 "containerd has no images without a name");
		stv_err_hint(*err, "Give it one: stave tag IMAGE NAME.");
		return -1;
	}
	for (size_t i = 0; rc == 1 && i < d->names->len; i++)
		rc = has_name(d, d->names->v[i], err);
	return rc;
}

/* "ctr content ls -q" prints a digest a line. */
static int
containerd_find_layers(struct bld_delivery *d, struct stv_err **err)
{
	STV_CLEANUP(stv_strs_clear) struct stv_strs argv = {0};
	struct stv_proc_result r = {0};
	int rc = 0;

	add_ctr(d, &argv);
	stv_strs_add(&argv, "content");
	stv_strs_add(&argv, "ls");
	stv_strs_add(&argv, "-q");
	if (bld_deliver_run(&argv, -1, 0, &r, err) < 0)
		return -1;
	if (r.status != 0)
		rc = bld_deliver_failed(&argv, &r, err);
	for (size_t i = 0; rc == 0 && i < d->manifest->n_layers; i++) {
		char digest[STV_DIGEST_STR_MAX];

		stv_digest_str(&d->manifest->layers[i].digest, digest);
		d->has[i] = strstr(stv_buf_str(&r.output), digest) != NULL;
	}
	stv_proc_result_fini(&r);
	return rc;
}

/* An image for another machine is unpacked as well. */
static void
add_platform(const struct bld_delivery *d, struct stv_strs *argv)
{
	const struct stv_platform *p = &d->config->platform;
	stv_auto_free char *text = NULL;

	if (p->os == NULL || p->arch == NULL)
		return;
	text = stv_platform_str(p);
	stv_strs_take(argv, stv_xasprintf("--platform=%s", text));
}

static int
containerd_send(struct bld_delivery *d, struct stv_err **err)
{
	STV_CLEANUP(stv_strs_clear) struct stv_strs argv = {0};
	struct cas_save_image image = bld_deliver_archive(d);
	struct bld_archive_pipe *pipe = NULL;
	struct stv_proc_result r = {0};
	uint64_t sent = 0;
	int rc;

	add_ctr(d, &argv);
	stv_strs_add(&argv, "images");
	stv_strs_add(&argv, "import");
	add_platform(d, &argv);
	stv_strs_add(&argv, "-");
	if (bld_archive_pipe_open(d->o->store, &image, CAS_ARCHIVE_OCI, &pipe,
				  err) < 0)
		return -1;
	rc = bld_deliver_run(&argv, -1, bld_archive_pipe_fd(pipe), &r, err);
	if (rc == 0 && r.status != 0)
		rc = bld_deliver_failed(&argv, &r, err);
	rc = bld_archive_pipe_end(pipe, rc, &sent, err);
	stv_proc_result_fini(&r);
	d->ret->sent += sent;
	return rc;
}

const struct bld_engine_way bld_containerd_way = {
	.name = "containerd",
	.open = containerd_open,
	.has_image = containerd_has_image,
	.find_layers = containerd_find_layers,
	.send = containerd_send,
	.close = containerd_close,
};
