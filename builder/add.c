/* builder/add.c - ADD of a URL. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/err.h"
#include "core/limits.h"
#include "core/mem.h"
#include "core/stream.h"

#include "cache/store.h"
#include "registry/http.h"

#include "builder/add.h"
#include "builder/add_internal.h"

int
bld_spool_open(struct cas_store *store, int *ret, struct stv_err **err)
{
	stv_auto_free char *dir = NULL;
	stv_auto_fd dirfd = -1;
	int fd;

	if (cas_store_tmpdir(store, &dir, &dirfd, err) < 0)
		return -1;
	fd = openat(dirfd, "spool", O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC,
		    0600);
	if (fd < 0)
		return stv_fail_errno(err, errno,
				      "cannot make a temporary file in '%s'",
				      cas_store_root(store));
	/* Without a name it goes away by itself, whatever happens to us. */
	(void)unlinkat(dirfd, "spool", 0);
	(void)unlinkat(cas_store_rootfd(store), dir, AT_REMOVEDIR);
	*ret = fd;
	return 0;
}

/* A download into a file. */
struct fetch {
	struct reg_http_request req;
	int fd;
	struct stv_sink *file;
	struct stv_sink *hash; /* stands on ${file} */
};

/* Begin again with an empty file. */
static int
rewind_file(void *arg, struct stv_err **err)
{
	struct fetch *f = arg;

	if (ftruncate(f->fd, 0) < 0 || lseek(f->fd, 0, SEEK_SET) < 0)
		return stv_fail_errno(err, errno,
				      "cannot empty a temporary file");
	stv_sink_close(f->hash);
	f->req.sink = f->hash = stv_sink_hash(f->file);
	return 0;
}

static int
fetch_into(struct reg_http *http, const char *url, struct bld_fetched *ret,
	   struct stv_err **err)
{
	reg_auto_response res = {0};
	struct fetch f = {.fd = ret->fd, .file = stv_sink_fd(ret->fd)};
	int rc;

	f.hash = stv_sink_hash(f.file);
	f.req = (struct reg_http_request){
		.url = url,
		.sink = f.hash,
		.rewind_sink = rewind_file,
		.max_size = STV_MAX_LAYER,
		.arg = &f,
	};
	rc = reg_http_do(http, &f.req, &res, err);
	ret->digest = stv_sink_hash_end(f.hash, &ret->size);
	ret->has_mtime = res.has_last_modified;
	ret->mtime_s = res.last_modified;
	stv_sink_close(f.hash);
	stv_sink_close(f.file);
	return rc;
}

int
bld_add_fetch(struct cas_store *store, struct reg_http *http, const char *url,
	      struct bld_fetched *ret, struct stv_err **err)
{
	stv_auto(reg_http) *own = NULL;
	struct bld_fetched f = {.fd = -1};
	stv_auto_fd fd = -1;

	if (http == NULL && reg_http_open(NULL, &own, err) < 0)
		return -1;
	if (bld_spool_open(store, &fd, err) < 0)
		return -1;
	f.fd = fd;
	if (fetch_into(http != NULL ? http : own, url, &f, err) < 0)
		return -1;
	f.fd = stv_steal_fd(&fd);
	f.name = reg_http_url_name(url);
	*ret = f;
	return 0;
}
