/* core/archive.c - reading tar archives through libarchive. */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/archive_lib.h"
#include "core/codec.h"
#include "core/err.h"
#include "core/limits.h"
#include "core/mem.h"
#include "core/stream.h"
#include "core/tarcheck.h"
#include "core/vec.h"

#include "core/archive.h"

#define FEED_SIZE ((size_t)256 << 10)

struct stv_archive {
	const struct stv_archive_lib *lib;
	struct archive *a;
	struct stv_in *decoded; /* NULL: the caller's stream is plain */
	struct stv_in *checked;
	struct stv_err *read_err; /* of the streams below */
	char *feed;
	STV_VEC(struct stv_archive_xattr) xattrs;
	uint64_t size; /* of the entry */
	uint64_t done; /* end of the last piece */
};

static la_ssize_t
feed(struct archive *la, void *arg, const void **ret)
{
	struct stv_archive *a = arg;
	int64_t got =
		a->checked->read(a->checked, a->feed, FEED_SIZE, &a->read_err);

	if (got < 0) {
		a->lib->archive_set_error(la, EIO, "cannot read");
		return ARCHIVE_FATAL;
	}
	*ret = a->feed;
	return (la_ssize_t)got;
}

/* libarchive's failure, or the one below that made it fail. */
static int
fail(struct stv_archive *a, struct stv_err **err)
{
	const char *why = a->lib->archive_error_string(a->a);

	if (a->read_err != NULL) {
		*err = stv_steal(&a->read_err);
		return -1;
	}
	return stv_fail(err, STV_E_INPUT, "the tar is damaged: %s",
			why != NULL ? why : "unknown");
}

int
stv_archive_open_tar(struct stv_in *in, struct stv_archive **ret,
		     struct stv_err **err)
{
	stv_auto(stv_archive) *a = stv_xcalloc(1, sizeof(*a));

	a->lib = stv_archive_lib(err);
	if (a->lib == NULL)
		return -1;
	a->feed = stv_xmalloc(FEED_SIZE);
	a->checked = stv_in_tarcheck(in);
	a->a = a->lib->archive_read_new();
	if (a->a == NULL)
		return stv_fail(err, STV_E_INTERNAL,
				"no memory for libarchive");
	/* An archive without entries is "empty" or tar to libarchive. */
	if (a->lib->archive_read_append_filter(a->a, ARCHIVE_FILTER_NONE) !=
		    ARCHIVE_OK ||
	    a->lib->archive_read_support_format_tar(a->a) != ARCHIVE_OK ||
	    a->lib->archive_read_open2(a->a, a, NULL, feed, NULL, NULL) !=
		    ARCHIVE_OK)
		return fail(a, err);
	*ret = stv_steal(&a);
	return 0;
}

int
stv_archive_open(struct stv_in *in, struct stv_archive **ret,
		 struct stv_err **err)
{
	stv_auto(stv_in) *decoded = stv_in_decode(in, NULL, err);

	if (decoded == NULL || stv_archive_open_tar(decoded, ret, err) < 0)
		return -1;
	(*ret)->decoded = stv_steal(&decoded);
	return 0;
}

void
stv_archive_close(struct stv_archive *a)
{
	if (a == NULL)
		return;
	if (a->a != NULL)
		(void)a->lib->archive_read_free(a->a);
	stv_in_close(a->checked);
	stv_in_close(a->decoded);
	stv_err_free(a->read_err);
	stv_vec_fini(&a->xattrs);
	free(a->feed);
	free(a);
}

static int
get_xattrs(struct stv_archive *a, struct archive_entry *e,
	   struct stv_archive_entry *ret, struct stv_err **err)
{
	size_t total = 0;

	a->xattrs.len = 0;
	(void)a->lib->archive_entry_xattr_reset(e);
	for (;;) {
		struct stv_archive_xattr x;

		if (a->lib->archive_entry_xattr_next(e, &x.name, &x.value,
						     &x.len) != ARCHIVE_OK)
			break;
		total += x.len;
		if (x.len > STV_MAX_XATTR || total > STV_MAX_XATTR_TOTAL)
			return stv_fail(err, STV_E_LIMIT,
					"the extended attributes of an entry "
					"in the tar are too large");
		*stv_vec_push(&a->xattrs) = x;
	}
	ret->xattrs = a->xattrs.v;
	ret->n_xattrs = a->xattrs.len;
	return 0;
}

/*
 * libarchive (3.6) reads "-4.75" as -4 seconds and 0.75 more: the fraction
 * must go the other way.
 */
static void
fix_time(struct stv_archive_entry *e)
{
	if (e->mtime_ns > 999999999)
		e->mtime_ns = 0;
	if (e->mtime_s >= 0 || e->mtime_ns == 0)
		return;
	e->mtime_s--;
	e->mtime_ns = 1000000000U - e->mtime_ns;
}

static int
get_entry(struct stv_archive *a, struct archive_entry *e,
	  struct stv_archive_entry *ret, struct stv_err **err)
{
	const struct stv_archive_lib *lib = a->lib;
	const char *hard = lib->archive_entry_hardlink(e);
	int64_t size = lib->archive_entry_size(e);

	*ret = (struct stv_archive_entry){
		.path = lib->archive_entry_pathname(e),
		.type = hard != NULL ? 0 : lib->archive_entry_filetype(e),
		.mode = lib->archive_entry_mode(e) & 07777,
		.uid = lib->archive_entry_uid(e),
		.gid = lib->archive_entry_gid(e),
		.mtime_s = lib->archive_entry_mtime(e),
		.mtime_ns = (uint32_t)lib->archive_entry_mtime_nsec(e),
		.link = hard != NULL ? hard : lib->archive_entry_symlink(e),
		.rdev_major = (uint32_t)lib->archive_entry_rdevmajor(e),
		.rdev_minor = (uint32_t)lib->archive_entry_rdevminor(e),
		.offset = (uint64_t)lib->archive_filter_bytes(a->a, 0),
		.is_sparse = lib->archive_entry_sparse_count(e) > 0,
	};
	if (ret->path == NULL)
		return stv_fail(err, STV_E_INPUT,
				"an entry of the tar has no name");
	/* What libarchive makes of a time that an int64_t cannot hold. */
	if (ret->mtime_s == INT64_MIN || ret->mtime_s == INT64_MAX)
		return stv_fail(err, STV_E_INPUT,
				"'%.200s' in the tar has a time out of range",
				ret->path);
	fix_time(ret);
	if (size < 0 || (uint64_t)size > STV_MAX_LAYER)
		return stv_fail(err, STV_E_LIMIT,
				"a file in the tar is larger than %llu bytes",
				(unsigned long long)STV_MAX_LAYER);
	ret->size = a->size = ret->type == S_IFREG ? (uint64_t)size : 0;
	/* The checker looked at the header's type; a name that ends in a slash
	 * makes a directory of a file, and its content ambiguous. */
	if (ret->type == S_IFDIR && size > 0)
		return stv_fail(err, STV_E_INPUT,
				"directory '%.200s' in the tar has content",
				ret->path);
	return get_xattrs(a, e, ret, err);
}

int
stv_archive_next(struct stv_archive *a, struct stv_archive_entry *ret,
		 struct stv_err **err)
{
	struct archive_entry *e = NULL;
	int r = a->lib->archive_read_next_header(a->a, &e);

	a->done = 0;
	if (a->read_err != NULL)
		return fail(a, err);
	if (r == ARCHIVE_EOF)
		return 0;
	/* A warning is about a name that is not in the locale's charset; its
	 * bytes are right (THREATS D22). */
	if (r != ARCHIVE_OK && r != ARCHIVE_WARN)
		return fail(a, err);
	return get_entry(a, e, ret, err) < 0 ? -1 : 1;
}

int
stv_archive_read(struct stv_archive *a, struct stv_archive_block *ret,
		 struct stv_err **err)
{
	for (;;) {
		la_int64_t offset = 0;
		const void *p = NULL;
		size_t n = 0;
		int r = a->lib->archive_read_data_block(a->a, &p, &n, &offset);

		if (a->read_err != NULL)
			return fail(a, err);
		if (r == ARCHIVE_EOF)
			return 0;
		if (r != ARCHIVE_OK)
			return fail(a, err);
		if (n == 0)
			continue;
		if (offset < 0 || (uint64_t)offset < a->done ||
		    (uint64_t)offset > a->size ||
		    n > a->size - (uint64_t)offset)
			return stv_fail(err, STV_E_INPUT,
					"the tar is damaged: the pieces of a "
					"sparse file overlap");
		a->done = (uint64_t)offset + n;
		*ret = (struct stv_archive_block){p, n, (uint64_t)offset};
		return 1;
	}
}

int
stv_archive_read_to(struct stv_archive *a, int fd, struct stv_err **err)
{
	struct stv_archive_block b;
	int r;

	while ((r = stv_archive_read(a, &b, err)) == 1) {
		if (lseek(fd, (off_t)b.offset, SEEK_SET) < 0 ||
		    stv_write_all(fd, b.p, b.n) < 0)
			return stv_fail_errno(err, errno, "cannot write");
	}
	if (r == 0 && ftruncate(fd, (off_t)a->size) < 0)
		return stv_fail_errno(err, errno, "cannot write");
	return r;
}

int
stv_archive_drain(struct stv_archive *a, struct stv_err **err)
{
	int64_t got;

	do
		got = a->checked->read(a->checked, a->feed, FEED_SIZE, err);
	while (got > 0);
	return got < 0 ? -1 : 0;
}

/* Passes through, and remembers whether a failure came from below. */
struct watch {
	struct stv_in in;
	struct stv_in *under;
	bool has_failed;
};

static int64_t
watch_read(struct stv_in *in, void *buf, size_t n, struct stv_err **err)
{
	struct watch *w = (struct watch *)in;
	int64_t got = w->under->read(w->under, buf, n, err);

	w->has_failed = got < 0;
	return got;
}

int
stv_archive_sniff(struct stv_in *in, struct stv_err **err)
{
	struct watch w = {.in = {watch_read, NULL}, .under = in};
	struct stv_err *decode_err = NULL;
	char block[512];
	int64_t got = -1;
	stv_auto(stv_in) *decoded = stv_in_decode(&w.in, NULL, &decode_err);

	if (decoded != NULL)
		got = stv_in_read_full(decoded, block, sizeof(block),
				       &decode_err);
	if (got < 0 && w.has_failed) {
		*err = decode_err;
		return -1;
	}
	stv_err_free(decode_err);
	return got == (int64_t)sizeof(block) && stv_tar_is_header(block);
}
