/* cmd/cmd_import.c - stave import: an image of the files in a tar. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "core/buf.h"
#include "core/cleanup.h"
#include "core/digest.h"
#include "core/err.h"
#include "core/limits.h"
#include "core/mem.h"
#include "core/oci.h"
#include "core/stream.h"
#include "core/strs.h"

#include "cache/blob.h"
#include "cache/layer.h"
#include "cache/meta.h"
#include "cache/store.h"

#include "cmd/changes.h"
#include "cmd/ctx.h"
#include "cmd/image.h"
#include "cmd/opts.h"
#include "cmd/verbs.h"

struct import_values {
	struct stv_strs changes;
	const char *message;
	const char *platform;
};

static const struct cmd_opt opts[] = {
	CMD_LIST("change", 'c', "INSTRUCTION", struct import_values, changes,
		 "apply an instruction of a Dockerfile to the config"),
	CMD_STR("message", 'm', "TEXT", struct import_values, message,
		"the comment in the history"),
	CMD_STR("platform", 0, "OS/ARCH", struct import_values, platform,
		"the platform of the image (default: this one)"),
	CMD_OPT_END,
};

/* What is being imported. */
struct import {
	struct cas_store *store;
	const struct import_values *o;
	const char *file;
	struct oci_config *config;
	struct cas_layer layer;
	struct stv_strs tags;
};

static int
open_input(const char *path, int *ret, struct stv_err **err)
{
	if (strcmp(path, "-") == 0) {
		if (isatty(STDIN_FILENO))
			return stv_fail(err, STV_E_USAGE,
					"refusing to read a tar from a "
					"terminal");
		*ret = dup(STDIN_FILENO);
		return 0;
	}
	if (strstr(path, "://") != NULL)
		return stv_fail(err, STV_E_USAGE,
				"importing from a URL is not supported yet by "
				"this version");
	*ret = open(path, O_RDONLY | O_CLOEXEC);
	if (*ret < 0)
		return stv_fail_errno_as(err, STV_E_INPUT, errno,
					 "cannot open %s", path);
	return 0;
}

/* The config before its layer is known: platform, history, changes. */
static int
make_config(struct import *im, struct stv_err **err)
{
	struct oci_config *c = im->config = stv_xcalloc(1, sizeof(*c));
	struct oci_history *h;
	int64_t now;

	if (im->o->platform == NULL)
		stv_platform_host(&c->platform);
	else if (stv_platform_parse(im->o->platform, &c->platform, err) < 0)
		return -1;
	for (size_t i = 0; i < im->o->changes.len; i++)
		if (cmd_change_apply(&c->config, im->o->changes.v[i], err) < 0)
			return -1;
	if (cmd_now(&now, err) < 0)
		return -1;
	c->created = oci_time(now, 0);
	h = oci_config_add_history(c);
	h->created = stv_xstrdup(c->created);
	h->comment = im->o->message != NULL
			     ? stv_xstrdup(im->o->message)
			     : stv_xasprintf("Imported from %s", im->file);
	return 0;
}

static int
receive_layer(struct import *im, struct stv_err **err)
{
	stv_auto(stv_in) *in = NULL;
	stv_auto_fd fd = -1;
	struct lay_result res;
	struct stv_digest blob;
	uint64_t size;
	int found;

	if (open_input(im->file, &fd, err) < 0)
		return -1;
	in = stv_in_fd(fd);
	if (lay_receive(im->store, in, NULL, &res, &blob, &size, err) < 0)
		return stv_wrap(err, "importing %s", im->file);
	found = cas_layer_get(im->store, &res.diff_id, &im->layer, err);
	if (found < 0)
		return -1;
	if (found == 0)
		STV_BUG("the layer that was just received is not there");
	oci_config_add_diff_id(im->config, &res.diff_id);
	return 0;
}

static int
put_config(struct import *im, struct oci_descriptor *ret, struct stv_err **err)
{
	stv_auto_buf b = STV_BUF_INIT(STV_MAX_CONFIG);

	oci_config_write(im->config, &b);
	if (stv_buf_check(&b, "the image config", err) < 0)
		return -1;
	ret->media_type = stv_xstrdup(OCI_MT_CONFIG);
	ret->size = b.len;
	return cas_blob_put(im->store, stv_buf_str(&b), b.len, &ret->digest,
			    err);
}

static int
put_image(struct import *im, struct cas_image *ret, struct stv_err **err)
{
	stv_auto(oci_manifest) *m = stv_xcalloc(1, sizeof(*m));
	stv_auto_buf b = STV_BUF_INIT(STV_MAX_MANIFEST);
	struct stv_digest blobs[3];

	m->media_type = stv_xstrdup(OCI_MT_MANIFEST);
	if (put_config(im, &m->config, err) < 0)
		return -1;
	m->n_layers = 1;
	m->layers = stv_xcalloc(1, sizeof(m->layers[0]));
	m->layers[0].media_type = stv_xstrdup(im->layer.media_type);
	m->layers[0].digest = im->layer.blob;
	m->layers[0].size = im->layer.blob_size;
	oci_manifest_write(m, &b);
	if (cas_blob_put(im->store, stv_buf_str(&b), b.len, &ret->manifest,
			 err) < 0)
		return -1;
	ret->config = m->config.digest;
	ret->created_s = (int64_t)time(NULL);
	ret->size = im->layer.tar_size;
	blobs[0] = ret->manifest;
	blobs[1] = ret->config;
	blobs[2] = im->layer.blob;
	return cas_image_put(im->store, ret, blobs, STV_ARRAY_LEN(blobs),
			     &im->tags, err);
}

/* Everything that can be wrong is found before the tar is read. */
static int
import(struct cmd_ctx *cx, struct import *im, const char *name,
       struct stv_err **err)
{
	stv_auto(cas_lease) *lease = NULL;
	char id[STV_DIGEST_STR_MAX], *tag = NULL;
	struct cas_image img;

	if (name != NULL) {
		if (cmd_tag_normal(name, &tag, err) < 0)
			return -1;
		stv_strs_take(&im->tags, tag);
	}
	if (make_config(im, err) < 0 ||
	    cmd_store_open(cx, &im->store, err) < 0 ||
	    cas_lease_take(im->store, &lease, err) < 0 ||
	    receive_layer(im, err) < 0 || put_image(im, &img, err) < 0)
		return -1;
	printf("%s\n", stv_digest_str(&img.config, id));
	return CMD_DONE;
}

static int
import_run(struct cmd_ctx *cx, int argc, char **argv, struct stv_err **err)
{
	struct import_values o = {0};
	struct import im = {.o = &o};
	int n, rc;

	rc = cmd_opts_parse(cx, &cmd_verb_import, argc, argv, &o, &n, err);
	if (rc == CMD_PARSED) {
		im.file = argv[1];
		rc = import(cx, &im, n > 1 ? argv[2] : NULL, err);
	}
	oci_config_free(im.config);
	stv_strs_clear(&im.tags);
	cas_store_close(im.store);
	cmd_opts_fini(opts, &o);
	return rc < 0 ? -1 : CMD_DONE;
}

const struct cmd_verb cmd_verb_import = {
	.name = "import",
	.args = "FILE | - [NAME[:TAG]]",
	.summary = "Make an image of the files in a tar",
	.opts = opts,
	.min_args = 1,
	.max_args = 2,
	.run = import_run,
};
