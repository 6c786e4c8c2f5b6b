/* builder/add_unpack.c - ADD of an archive. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/archive.h"
#include "core/digest.h"
#include "core/err.h"
#include "core/limits.h"
#include "core/mem.h"
#include "core/stream.h"

#include "builder/add.h"
#include "builder/add_internal.h"
#include "builder/copy.h"
#include "builder/delta.h"
#include "builder/source.h"

/* An archive that is being unpacked. */
struct unpack {
	const struct bld_copy_spec *spec;
	struct stv_archive *a;
	struct bld_delta *d;
	char *dest; /* without links */
	int spool;
	uint64_t end; /* of what the spool holds */
};

int
bld_add_is_archive(int fd, uint64_t offset, uint64_t size, struct stv_err **err)
{
	stv_auto(stv_in) *in = stv_in_fd_range(fd, offset, size);

	return stv_archive_sniff(in, err);
}

static int
pwrite_all(int fd, const char *p, size_t n, uint64_t offset)
{
	while (n > 0) {
		ssize_t did = pwrite(fd, p, n, (off_t)offset);

		if (did < 0 && errno == EINTR)
			continue;
		if (did < 0)
			return -1;
		p += did;
		n -= (size_t)did;
		offset += (uint64_t)did;
	}
	return 0;
}

static void
hash_zeros(struct stv_hash *h, uint64_t n)
{
	static const char zeros[4096];

	while (n > 0) {
		size_t part = n < sizeof(zeros) ? (size_t)n : sizeof(zeros);

		stv_hash_add(h, zeros, part);
		n -= part;
	}
}

/* The content of the entry goes behind what is in the spool. */
static int
spool_file(struct unpack *u, struct lay_entry *e, struct bld_body *ret,
	   struct stv_err **err)
{
	stv_auto(stv_hash) *h = stv_hash_new();
	struct stv_archive_block block;
	uint64_t at = 0;
	int rc;

	*ret = (struct bld_body){.fd = u->spool, .offset = u->end};
	if (e->size > STV_MAX_LAYER - u->end)
		return stv_fail(err, STV_E_LIMIT,
				"the archive unpacks to more than %ju bytes",
				(uintmax_t)STV_MAX_LAYER);
	while ((rc = stv_archive_read(u->a, &block, err)) == 1) {
		hash_zeros(h, block.offset - at);
		stv_hash_add(h, block.p, block.n);
		if (pwrite_all(u->spool, block.p, block.n,
			       u->end + block.offset) < 0)
			return stv_fail_errno(err, errno,
					      "cannot write a temporary file");
		at = block.offset + block.n;
	}
	if (rc < 0)
		return -1;
	hash_zeros(h, e->size - at);
	e->digest = stv_hash_end(h);
	u->end += e->size;
	/* A hole at the end has to be there to be read. */
	if (ftruncate(u->spool, (off_t)u->end) < 0)
		return stv_fail_errno(err, errno,
				      "cannot write a temporary file");
	return 0;
}

static int
hostile(const char *path, const char *why, struct stv_err **err)
{
	return stv_fail(err, STV_E_INPUT, "the entry '%s' %s", path, why);
}

/* The attributes of the entry; the pointers are borrowed. */
static int
fill_entry(const struct unpack *u, const struct stv_archive_entry *in,
	   struct lay_entry *ret, struct stv_err **err)
{
	const struct bld_copy_spec *s = u->spec;

	if (in->uid < 0 || in->uid > UINT32_MAX || in->gid < 0 ||
	    in->gid > UINT32_MAX)
		return hostile(in->path,
			       "has an owner that is no number of a "
			       "user",
			       err);
	*ret = (struct lay_entry){
		.mode = in->mode & 07777,
		.uid = s->has_chown ? s->uid : (uint32_t)in->uid,
		.gid = s->has_chown ? s->gid : (uint32_t)in->gid,
		.mtime_s = in->mtime_s,
		.mtime_ns = in->mtime_ns,
	};
	switch (in->type) {
	case S_IFREG:
		ret->type = LAY_FILE;
		ret->size = in->size;
		return 0;
	case S_IFDIR:
		ret->type = LAY_DIR;
		return 0;
	case S_IFLNK:
		ret->type = LAY_SYMLINK;
		ret->mode = 0777;
		ret->link = in->link;
		return 0;
	case S_IFIFO:
		ret->type = LAY_FIFO;
		return 0;
	case S_IFCHR:
	case S_IFBLK:
		ret->type = in->type == S_IFCHR ? LAY_CHAR : LAY_BLOCK;
		ret->rdev_major = in->rdev_major;
		ret->rdev_minor = in->rdev_minor;
		/* That would delete a file of a layer below (B09). */
		if (in->type == S_IFCHR && in->rdev_major == 0 &&
		    in->rdev_minor == 0)
			return hostile(in->path, "is the device 0:0", err);
		return 0;
	default:
		return hostile(in->path, "is of a type that no image can hold",
			       err);
	}
}

static int
cmp_xattr(const void *a, const void *b)
{
	const struct lay_xattr *x = a, *y = b;

	return strcmp(x->name, y->name);
}

/* What overlay keeps for itself must not come from outside (B08). */
static bool
is_overlay_xattr(const char *name)
{
	return strncmp(name, "trusted.overlay.", 16) == 0 ||
	       strncmp(name, "user.overlay.", 13) == 0;
}

/* The xattrs of the entry, sorted; *ret is the caller's to free. */
static void
take_xattrs(const struct stv_archive_entry *in, struct lay_entry *e,
	    struct lay_xattr **ret)
{
	struct lay_xattr *x;
	size_t n = 0;

	if (in->n_xattrs == 0)
		return;
	x = stv_xcalloc(in->n_xattrs, sizeof(*x));
	for (size_t i = 0; i < in->n_xattrs; i++) {
		if (is_overlay_xattr(in->xattrs[i].name))
			continue;
		x[n++] = (struct lay_xattr){in->xattrs[i].name,
					    in->xattrs[i].value,
					    in->xattrs[i].len};
	}
	qsort(x, n, sizeof(*x), cmp_xattr);
	e->xattrs = x;
	e->n_xattrs = n;
	*ret = x;
}

/* Directories that the archive does not name are root's, whatever --chown. */
static struct lay_entry
implied_dir(const struct bld_copy_spec *s)
{
	return (struct lay_entry){
		.type = LAY_DIR,
		.mode = 0755,
		.mtime_s = s->now_s,
		.mtime_ns = s->now_ns,
	};
}

/*
 * Where the archive's name ${name} is in the image: links in its parents are
 * followed inside the root, and parents that are missing are made if
 * ${is_made}.  *ret is NULL for the archive's own root.
 */
static int
locate(struct unpack *u, const char *name, bool is_made, char **ret,
       struct stv_err **err)
{
	stv_auto_free char *clean = bld_path_clean(name);
	const char *base = bld_path_base(clean);
	stv_auto_free char *parent = NULL;
	stv_auto_free char *whole = NULL;
	stv_auto_free char *real = NULL;
	struct lay_entry like = implied_dir(u->spec), e;

	*ret = NULL;
	if (*clean == '\0')
		return 0;
	parent = stv_xstrndup(clean, (size_t)(base - clean));
	whole = stv_xasprintf("%s/%s", u->dest, parent);
	if (bld_delta_resolve(u->d, whole, true, &real, &e, err) < 0)
		return -1;
	if (is_made && bld_delta_mkdirs(u->d, real, &like, err) < 0)
		return -1;
	*ret = bld_path_join(real, base);
	return 0;
}

static int
unpack_link(struct unpack *u, const struct stv_archive_entry *in,
	    const char *path, struct stv_err **err)
{
	stv_auto_free char *target = NULL;

	if (locate(u, in->link, false, &target, err) < 0)
		return -1;
	if (target == NULL)
		return hostile(in->path, "is a hard link to the root", err);
	return bld_delta_link(u->d, path, target, err);
}

static int
unpack_entry(struct unpack *u, const struct stv_archive_entry *in,
	     struct stv_err **err)
{
	stv_auto_free char *path = NULL;
	stv_auto_free struct lay_xattr *xattrs = NULL;
	struct bld_body body = {.fd = -1};
	struct lay_entry e = {0};

	if (locate(u, in->path, true, &path, err) < 0)
		return -1;
	if (path == NULL)
		return 0;
	if (in->type == 0)
		return unpack_link(u, in, path, err);
	if (fill_entry(u, in, &e, err) < 0)
		return -1;
	take_xattrs(in, &e, &xattrs);
	if (e.type == LAY_FILE && spool_file(u, &e, &body, err) < 0)
		return -1;
	return bld_delta_put(u->d, path, &e, body, 0, err);
}

/* The destination: made where it is missing, with --chown. */
static int
open_dest(struct unpack *u, const char *dest, struct stv_err **err)
{
	struct lay_entry like = implied_dir(u->spec), e;

	like.uid = u->spec->has_chown ? u->spec->uid : 0;
	like.gid = u->spec->has_chown ? u->spec->gid : 0;
	if (bld_delta_resolve(u->d, dest, true, &u->dest, &e, err) < 0)
		return -1;
	return bld_delta_mkdirs(u->d, u->dest, &like, err);
}

static int
unpack_all(struct unpack *u, struct stv_err **err)
{
	struct stv_archive_entry in;
	int rc;

	while ((rc = stv_archive_next(u->a, &in, err)) == 1)
		if (unpack_entry(u, &in, err) < 0)
			return -1;
	return rc < 0 ? -1 : stv_archive_drain(u->a, err);
}

int
bld_add_unpack(const struct bld_copy_spec *spec, struct stv_in *in,
	       const char *dest, struct bld_delta *delta, int *ret_fd,
	       struct stv_err **err)
{
	struct unpack u = {.spec = spec, .d = delta, .spool = -1};
	int rc = -1;

	if (bld_spool_open(spec->store, &u.spool, err) == 0 &&
	    open_dest(&u, dest, err) == 0 &&
	    stv_archive_open(in, &u.a, err) == 0)
		rc = unpack_all(&u, err);
	stv_archive_close(u.a);
	free(u.dest);
	if (rc < 0)
		stv_close_p(&u.spool);
	else
		*ret_fd = u.spool;
	return rc;
}
