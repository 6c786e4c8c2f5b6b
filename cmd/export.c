/* cmd/export.c - what --output writes besides the image in the store. */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "core/cleanup.h"
#include "core/err.h"
#include "core/fsat.h"
#include "core/stream.h"
#include "core/strs.h"

#include "builder/build.h"
#include "cache/archive_save.h"
#include "cache/layer.h"
#include "cache/store.h"
#include "cache/toc.h"

#include "cmd/ctx.h"
#include "cmd/files.h"

#include "cmd/export.h"

bool
cmd_export_needs_image(const struct cmd_output *o)
{
	return o->type != CMD_OUTPUT_TAR && o->type != CMD_OUTPUT_LOCAL;
}

static int
write_archive(struct cas_store *s, const struct bld_result *r,
	      const struct stv_strs *tags, enum cas_archive_format format,
	      struct stv_sink *out, struct stv_err **err)
{
	struct cas_save_image img = {.manifest = r->image.manifest,
				     .names = *tags};

	return cas_save(s, &img, 1, format, out, err);
}

/*
 * All files as one layer: the merged tree is unpacked and packed again, which
 * keeps hard links; the blob is nobody's and goes with the next collection.
 */
static int
pack_tree(struct cas_store *s, const struct bld_result *r, int dirfd,
	  struct lay_result *ret, struct stv_err **err)
{
	stv_auto(lay_changes) *changes = NULL;
	stv_auto(lay_view) *nothing = NULL;

	if (lay_unpack(s, r->diff_ids, r->n_diff_ids, dirfd, err) < 0 ||
	    lay_view_open(s, NULL, 0, &nothing, err) < 0 ||
	    lay_changes_scan(s, dirfd, nothing, &(struct lay_writer_opts){0},
			     &changes, err) < 0)
		return -1;
	return lay_changes_pack(changes, ret, err);
}

static int
write_tree(struct cas_store *s, const struct bld_result *r,
	   struct stv_sink *out, struct stv_err **err)
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
	rc = pack_tree(s, r, dirfd, &layer, err);
	/* what cannot be removed here goes with the process's own directory */
	(void)stv_fsat_remove_tree(cas_store_rootfd(s), name, &ignored);
	stv_err_free(ignored);
	if (rc < 0 || lay_open_tar(s, &layer.diff_id, &in, &size, err) < 0)
		return -1;
	return stv_copy(in, out, NULL, err);
}

static int
write_file(const struct cmd_ctx *cx, struct cas_store *s,
	   const struct cmd_output *o, const struct bld_result *r,
	   const struct stv_strs *tags, struct stv_err **err)
{
	struct cmd_outfile f = CMD_OUTFILE_INIT;
	stv_auto(stv_sink) *out = NULL;
	int rc = cmd_outfile_open(cx, o->dest, &f, err);

	if (rc == 0)
		out = stv_sink_fd(f.fd);
	if (rc == 0 && o->type == CMD_OUTPUT_TAR)
		rc = write_tree(s, r, out, err);
	else if (rc == 0)
		rc = write_archive(s, r, tags,
				   o->type == CMD_OUTPUT_OCI ? CAS_ARCHIVE_OCI
							     : CAS_ARCHIVE_BOTH,
				   out, err);
	if (rc == 0)
		rc = cmd_outfile_commit(&f, err);
	cmd_outfile_close(&f);
	return rc;
}

static int
write_dir(struct cas_store *s, const struct cmd_output *o,
	  const struct bld_result *r, struct stv_err **err)
{
	stv_auto_fd dirfd = -1;

	if (stv_fsat_mkdirs(AT_FDCWD, o->dest, 0755, err) < 0)
		return -1;
	dirfd = openat(AT_FDCWD, o->dest, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dirfd < 0)
		return stv_fail_errno_as(err, STV_E_INPUT, errno,
					 "cannot open %s", o->dest);
	return lay_unpack(s, r->diff_ids, r->n_diff_ids, dirfd, err);
}

int
cmd_export(const struct cmd_ctx *cx, struct cas_store *s,
	   const struct cmd_output *o, const struct bld_result *r,
	   const struct stv_strs *tags, struct stv_err **err)
{
	int rc = 0;

	if (o->type == CMD_OUTPUT_LOCAL)
		rc = write_dir(s, o, r, err);
	else if (o->type != CMD_OUTPUT_IMAGE)
		rc = write_file(cx, s, o, r, tags, err);
	if (rc < 0)
		return stv_wrap(err, "writing the output to %s", o->dest);
	return 0;
}
