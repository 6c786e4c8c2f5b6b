/* cmd/export.c - what --output writes besides the image in the store. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/buf.h"
#include "core/cancel.h"
#include "core/cleanup.h"
#include "core/err.h"
#include "core/fsat.h"
#include "core/limits.h"
#include "core/mem.h"
#include "core/stream.h"
#include "core/strs.h"

#include "builder/build.h"
#include "builder/deliver.h"
#include "builder/platforms.h"
#include "cache/archive_save.h"
#include "cache/blob.h"
#include "cache/layer.h"
#include "cache/repack.h"
#include "cache/store.h"
#include "cache/toc.h"

#include "cmd/ctx.h"
#include "cmd/files.h"
#include "cmd/outdir.h"

#include "cmd/export.h"

/* Is number ${i} what the output is of? */
static bool
is_wanted(const struct cmd_output *o, const struct cmd_made *made, size_t i)
{
	const char *stage = made->targets[i].stage;

	return o->target == NULL ||
	       (stage != NULL && strcasecmp(stage, o->target) == 0);
}

const struct stv_digest *
cmd_made_id(const struct cmd_made *made, size_t i)
{
	return made->n_platforms > 0 ? &made->indexes[i].image.manifest
				     : &made->results[i].image.config;
}

/* Results of one target. */
static size_t
per_target(const struct cmd_made *made)
{
	return made->n_platforms > 0 ? made->n_platforms : 1;
}

size_t
cmd_made_results(const struct cmd_made *made)
{
	return made->n * per_target(made);
}

static void
add_pairs(struct stv_pairs *dst, const struct stv_pairs *src)
{
	for (size_t i = 0; i < src->len; i++)
		stv_pairs_set(dst, src->v[i].name, src->v[i].value);
}

/* One image in the form that the output wants. */
static int
repack_one(struct cas_store *s, const struct cmd_output *o,
	   const struct cmd_made *made, const struct bld_result *r,
	   struct oci_descriptor *d, struct stv_err **err)
{
	bool is_annotated = made->annotations->manifest.len > 0;
	struct cas_repack_opts opts = {
		.how = o->compression,
		.is_forced = o->is_forced,
		.has_docker_types =
			cmd_output_has_docker_types(o) && !is_annotated,
		.annotations = o->annotations.manifest,
	};

	opts.how.is_stable = made->is_stable;
	if (cas_repack(s, &r->image.manifest, &opts, d, err) < 0)
		return -1;
	if (r->config->created != NULL)
		stv_pairs_set(&d->annotations,
			      "org.opencontainers.image.created",
			      r->config->created);
	add_pairs(&d->annotations, &made->annotations->descriptor);
	add_pairs(&d->annotations, &o->annotations.descriptor);
	return 0;
}

/* The images of all platforms, and the index of them. */
static int
repack_all(struct cas_store *s, const struct cmd_output *o,
	   const struct cmd_made *made, size_t i, struct oci_descriptor *d,
	   struct stv_err **err)
{
	stv_auto_buf text = STV_BUF_INIT(STV_MAX_MANIFEST);
	stv_auto_free struct oci_descriptor *lines =
		stv_xcalloc(made->n_platforms, sizeof(*lines));
	struct stv_pairs annotations = {0};
	const char *type = NULL;
	int rc = 0;

	for (size_t k = 0; rc == 0 && k < made->n_platforms; k++) {
		rc = repack_one(s, o, made,
				&made->results[i * made->n_platforms + k],
				&lines[k], err);
		stv_platform_copy(&lines[k].platform, &made->platforms[k]);
		lines[k].has_platform = true;
	}
	add_pairs(&annotations, &made->annotations->index);
	add_pairs(&annotations, &o->annotations.index);
	if (rc == 0)
		type = bld_index_write(lines, made->n_platforms, &annotations,
				       &text);
	stv_pairs_clear(&annotations);
	for (size_t k = 0; k < made->n_platforms; k++)
		oci_descriptor_fini(&lines[k]);
	if (rc < 0 ||
	    cas_blob_put(s, stv_buf_str(&text), text.len, &d->digest, err) < 0)
		return -1;
	d->media_type = stv_xstrdup(type);
	d->size = text.len;
	add_pairs(&d->annotations, &made->annotations->index_descriptor);
	add_pairs(&d->annotations, &o->annotations.index_descriptor);
	return 0;
}

/* What target ${i} became, in the form that the output wants. */
static int
repack(struct cas_store *s, const struct cmd_output *o, struct cmd_made *made,
       size_t i, struct cas_save_image *ret, struct stv_err **err)
{
	struct oci_descriptor *d = &made->written[i];

	oci_descriptor_fini(d);
	*d = (struct oci_descriptor){0};
	if (made->n_platforms > 0
		    ? repack_all(s, o, made, i, d, err) < 0
		    : repack_one(s, o, made, &made->results[i], d, err) < 0)
		return -1;
	*ret = (struct cas_save_image){
		.manifest = d->digest,
		.names = o->names.len > 0 ? o->names : made->targets[i].tags,
		.annotations = d->annotations,
	};
	return 0;
}

/* The images as an archive to ${out}, or as a layout in ${dirfd}. */
static int
write_images(struct cas_store *s, const struct cmd_output *o,
	     struct cmd_made *made, struct stv_sink *out, int dirfd,
	     struct stv_err **err)
{
	stv_auto_free struct cas_save_image *images =
		stv_xcalloc(made->n, sizeof(*images));
	size_t n = 0;

	for (size_t i = 0; i < made->n; i++)
		if (is_wanted(o, made, i) &&
		    repack(s, o, made, i, &images[n++], err) < 0)
			return -1;
	if (out == NULL)
		return cas_save_dir(s, images, n, dirfd, err);
	return cas_save(s, images, n,
			o->type == CMD_OUTPUT_OCI ? CAS_ARCHIVE_OCI
						  : CAS_ARCHIVE_BOTH,
			out, err);
}

/* The only target of an output of files; its results. */
static const struct bld_result *
results_of(const struct cmd_output *o, const struct cmd_made *made)
{
	size_t i = 0;

	while (i + 1 < made->n && !is_wanted(o, made, i))
		i++;
	return &made->results[i * per_target(made)];
}

/* "linux_arm_v7", as BuildKit calls the directory of a platform. */
static char *
split_name(const struct bld_result *r)
{
	char *name = stv_platform_str(&r->config->platform);

	for (char *p = name; *p != '\0'; p++)
		if (*p == '/')
			*p = '_';
	return name;
}

static int
unpack_split(struct cas_store *s, const struct bld_result *r, int dirfd,
	     struct stv_err **err)
{
	stv_auto_free char *name = split_name(r);
	stv_auto_fd fd = -1;

	if (mkdirat(dirfd, name, 0755) == 0 || errno == EEXIST)
		fd = openat(dirfd, name,
			    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return stv_fail_errno_as(err, STV_E_INPUT, errno,
					 "cannot make the directory '%s'",
					 name);
	return lay_unpack(s, r->diff_ids, r->n_diff_ids, fd, err);
}

/* The files of all platforms, each in a directory of its own where wanted. */
static int
unpack(struct cas_store *s, const struct cmd_output *o,
       const struct cmd_made *made, int dirfd, struct stv_err **err)
{
	const struct bld_result *r = results_of(o, made);
	bool is_split = o->split == CMD_UNSET ? made->n_platforms > 0
					      : o->split == CMD_ON;
	int rc = 0;

	for (size_t k = 0; rc == 0 && k < per_target(made); k++)
		rc = is_split ? unpack_split(s, &r[k], dirfd, err)
			      : lay_unpack(s, r[k].diff_ids, r[k].n_diff_ids,
					   dirfd, err);
	return rc;
}

/*
 * All files as one layer: the merged tree is unpacked and packed again, which
 * keeps hard links; the blob is nobody's and goes with the next collection.
 */
static int
pack_tree(struct cas_store *s, const struct cmd_output *o,
	  const struct cmd_made *made, int dirfd, struct lay_result *ret,
	  struct stv_err **err)
{
	stv_auto(lay_changes) *changes = NULL;
	stv_auto(lay_view) *nothing = NULL;

	if (unpack(s, o, made, dirfd, err) < 0 ||
	    lay_view_open(s, NULL, 0, &nothing, err) < 0 ||
	    lay_changes_scan(s, dirfd, nothing, &(struct lay_writer_opts){0},
			     &changes, err) < 0)
		return -1;
	return lay_changes_pack(changes, ret, err);
}

static int
write_tree(struct cas_store *s, const struct cmd_output *o,
	   const struct cmd_made *made, struct stv_sink *out,
	   struct stv_err **err)
{
	struct stv_err *ignored = NULL;
	stv_auto(stv_in) *in = NULL;
	stv_auto_free char *name = NULL;
	stv_auto_fd dirfd = -1;
	struct lay_result layer;
	uint64_t size;
	int rc;

	if (cas_store_tmpdir(s, &name, &dirfd, err) < 0)
		return -1;
	rc = pack_tree(s, o, made, dirfd, &layer, err);
	/* what cannot be removed here goes with the process's own directory */
	(void)stv_fsat_remove_tree(cas_store_rootfd(s), name, &ignored);
	stv_err_free(ignored);
	if (rc < 0 || lay_open_tar(s, &layer.diff_id, &in, &size, err) < 0)
		return -1;
	return stv_copy(in, out, NULL, err);
}

static int
write_file(const struct cmd_ctx *cx, struct cas_store *s,
	   const struct cmd_output *o, struct cmd_made *made,
	   struct stv_err **err)
{
	struct cmd_outfile f = CMD_OUTFILE_INIT;
	stv_auto(stv_sink) *out = NULL;
	bool is_caught;
	int rc = cmd_outfile_open(cx, o->dest, &f, err);

	/* not while a reader may keep us waiting for ever */
	is_caught = rc == 0 && !f.is_direct;
	if (is_caught)
		stv_cancel_catch(true);
	if (rc == 0)
		out = stv_sink_fd(f.fd);
	if (rc == 0 && o->type == CMD_OUTPUT_TAR)
		rc = write_tree(s, o, made, out, err);
	else if (rc == 0)
		rc = write_images(s, o, made, out, -1, err);
	if (rc == 0)
		rc = cmd_outfile_commit(&f, err);
	cmd_outfile_close(&f);
	return is_caught ? stv_cancel_end(rc, err) : rc;
}

static int
write_dir(const struct cmd_ctx *cx, struct cas_store *s,
	  const struct cmd_output *o, struct cmd_made *made,
	  struct stv_err **err)
{
	struct cmd_outdir d = CMD_OUTDIR_INIT;
	int rc;

	stv_cancel_catch(true);
	rc = cmd_outdir_open(cx, o->dest, o->is_dir, &d, err);
	if (rc == 0 && o->is_dir)
		rc = write_images(s, o, made, NULL, d.fd, err);
	else if (rc == 0)
		rc = unpack(s, o, made, d.fd, err);
	if (rc == 0)
		rc = cmd_outdir_commit(&d, err);
	cmd_outdir_close(&d);
	return stv_cancel_end(rc, err);
}

static int
deliver_one(struct cas_store *s, const struct cmd_output *o,
	    struct cmd_made *made, size_t i, struct stv_err **err)
{
	const struct stv_strs *names =
		o->names.len > 0 ? &o->names : &made->targets[i].tags;
	struct bld_deliver_opts opts = {.store = s,
					.engine = BLD_ENGINE_DOCKER};
	struct bld_delivered d;

	if (bld_deliver(&opts, &made->results[i].image, names, &d, err) < 0)
		return stv_wrap(err, "the image is built, and in stave's store "
				     "only");
	made->is_delivered = true;
	made->delivered.sent += d.sent;
	made->delivered.n_layers += d.n_layers;
	made->delivered.n_sent += d.n_sent;
	return 0;
}

static int
deliver(struct cas_store *s, const struct cmd_output *o, struct cmd_made *made,
	struct stv_err **err)
{
	int rc = 0;

	stv_cancel_catch(true);
	for (size_t i = 0; rc == 0 && i < made->n; i++)
		if (is_wanted(o, made, i))
			rc = deliver_one(s, o, made, i, err);
	return stv_cancel_end(rc, err);
}

int
cmd_export(const struct cmd_ctx *cx, struct cas_store *s,
	   const struct cmd_output *o, struct cmd_made *made,
	   struct stv_err **err)
{
	int rc;

	if (o->type == CMD_OUTPUT_IMAGE || o->type == CMD_OUTPUT_CACHE ||
	    o->type == CMD_OUTPUT_REGISTRY)
		return 0;
	if (o->type == CMD_OUTPUT_ENGINE)
		return deliver(s, o, made, err);
	if (o->type == CMD_OUTPUT_LOCAL || o->is_dir)
		rc = write_dir(cx, s, o, made, err);
	else
		rc = write_file(cx, s, o, made, err);
	if (rc < 0)
		return stv_wrap(err, "writing the output to %s", o->dest);
	return 0;
}
