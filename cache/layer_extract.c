/* cache/layer_extract.c - a tar from outside as plain files. */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "core/buf.h"
#include "core/cleanup.h"
#include "core/codec.h"
#include "core/err.h"
#include "core/limits.h"
#include "core/stream.h"

#include "cache/layer_internal.h"
#include "cache/store_internal.h"
#include "cache/toc.h"

#include "cache/layer.h"

/* A file without a name. */
static int
open_spool(struct cas_store *s, int *ret, struct stv_err **err)
{
	char name[64];
	int own = -1;

	if (cas_own_tmp(s, &own, err) < 0)
		return -1;
	cas_own_unique(s, "spool", name, sizeof(name));
	*ret = openat(own, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (*ret < 0)
		return stv_fail_errno(err, errno,
				      "cannot make a temporary file in '%s'",
				      s->root);
	(void)unlinkat(own, name, 0);
	return 0;
}

/* The tar as it is uncompressed; its content is read in another order. */
static int
spool_tar(struct stv_in *in, int fd, uint64_t *ret_size, struct stv_err **err)
{
	stv_auto(stv_in) *plain = stv_in_decode(in, NULL, err);
	stv_auto(stv_in) *limited = NULL;
	stv_auto(stv_sink) *sink = NULL;

	if (plain == NULL)
		return -1;
	limited = stv_in_limit(plain, STV_MAX_LAYER, "the archive");
	sink = stv_sink_fd(fd);
	return stv_copy(limited, sink, ret_size, err);
}

static int
read_toc(struct stv_in *tar, struct lay_toc **ret, struct stv_err **err)
{
	stv_auto(lay_toc_builder) *b = lay_toc_builder_new();
	stv_auto_buf text = STV_BUF_INIT(SIZE_MAX / 2);
	size_t n;

	if (lay_read_tar(tar, b, NULL, err) < 0 ||
	    lay_toc_builder_render(b, &text, err) < 0)
		return -1;
	n = text.len;
	return lay_toc_load(stv_buf_take(&text), n, ret, err);
}

int
lay_extract(struct cas_store *store, struct stv_in *in, int dirfd,
	    struct stv_err **err)
{
	stv_auto(stv_in) *tar = NULL;
	stv_auto(lay_toc) *toc = NULL;
	stv_auto_fd fd = -1;
	uint64_t size = 0;

	if (open_spool(store, &fd, err) < 0 ||
	    spool_tar(in, fd, &size, err) < 0)
		return -1;
	tar = stv_in_fd_range(fd, 0, size);
	if (read_toc(tar, &toc, err) < 0)
		return -1;
	return lay_apply_tar(fd, size, toc, dirfd, err);
}
