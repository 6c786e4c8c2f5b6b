/*
 * cache/layer_read.c - the entries of a layer tar from outside, checked.
 *
 * Names are cleaned and judged here (THREATS B01, B06, B08, B09, B15); where
 * they lead to is the table's business (cache/toc_build.c).  What is in the
 * table afterwards is all that is ever unpacked.
 */
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#include "core/archive.h"
#include "core/buf.h"
#include "core/err.h"
#include "core/limits.h"
#include "core/mem.h"
#include "core/vec.h"

#include "cache/layer_arrival.h"
#include "cache/layer_internal.h"
#include "cache/toc.h"

/* A tar being read into a table. */
struct reader {
	struct stv_archive *archive;
	struct lay_toc_builder *toc;
	struct lay_arrival *files;
	struct stv_hash *hash;
	STV_VEC(struct lay_xattr) xattrs;
};

static int
refuse(struct stv_err **err, const char *path, const char *why)
{
	stv_auto_buf shown = STV_BUF_INIT((size_t)4 * STV_MAX_PATH);

	stv_buf_add_escaped(&shown, path, strnlen(path, STV_MAX_NAME));
	return stv_fail(err, STV_E_INPUT, "layer entry '%s' %s",
			stv_buf_str(&shown), why);
}

/*
 * "./a//b/" -> "a/b" in ${ret}.  "..", and what is longer than any file system
 * takes, is refused.
 */
static int
clean_path(const char *path, char ret[STV_MAX_PATH + 1], struct stv_err **err)
{
	size_t len = 0;

	for (const char *p = path;;) {
		size_t n;

		p += strspn(p, "/");
		n = strcspn(p, "/");
		if (n == 0)
			break;
		if (n == 1 && p[0] == '.') {
			p += n;
			continue;
		}
		if (n == 2 && p[0] == '.' && p[1] == '.')
			return refuse(err, path, "has '..' in its path");
		if (n > STV_MAX_NAME || len + n + 1 > STV_MAX_PATH)
			return stv_fail(err, STV_E_LIMIT,
					"a layer entry's path is longer than "
					"%zu bytes, or a name in it than %zu",
					STV_MAX_PATH, STV_MAX_NAME);
		if (len > 0)
			ret[len++] = '/';
		memcpy(ret + len, p, n);
		len += n;
		p += n;
	}
	ret[len] = '\0';
	return 0;
}

/* What a name in a layer tar means. */
enum meaning {
	MEANS_ENTRY,
	MEANS_WHITEOUT, /* of the name without ".wh." */
	MEANS_OPAQUE,	/* of the directory that it stands in */
	MEANS_NOTHING,	/* aufs's own, which nobody needs any more */
	MEANS_REFUSED
};

static enum meaning
meaning_of(const char *path)
{
	for (const char *p = path; *p != '\0';) {
		size_t n = strcspn(p, "/");
		bool is_last = p[n] == '\0';

		if (n >= 8 && memcmp(p, ".wh..wh.", 8) == 0)
			return is_last && strcmp(p, ".wh..wh..opq") == 0
				       ? MEANS_OPAQUE
				       : MEANS_NOTHING;
		if (n >= 4 && memcmp(p, ".wh.", 4) == 0) {
			if (!is_last || n == 4 || strcmp(p + 4, ".") == 0 ||
			    strcmp(p + 4, "..") == 0)
				return MEANS_REFUSED;
			return MEANS_WHITEOUT;
		}
		p += n + (is_last ? 0 : 1);
	}
	return MEANS_ENTRY;
}

/* Cut the marker off: "a/.wh.b" -> "a/b", "a/.wh..wh..opq" -> "a". */
static void
strip_marker(char *path, enum meaning meaning)
{
	char *slash = strrchr(path, '/');
	char *base = slash == NULL ? path : slash + 1;

	if (meaning == MEANS_WHITEOUT)
		memmove(base, base + 4, strlen(base + 4) + 1);
	else
		*(slash == NULL ? path : slash) = '\0';
}

static int
set_type(const struct stv_archive_entry *a, struct lay_entry *e,
	 struct stv_err **err)
{
	switch (a->type) {
	case 0:
		e->type = LAY_HARDLINK;
		return 0;
	case S_IFREG:
		e->type = LAY_FILE;
		return 0;
	case S_IFDIR:
		e->type = LAY_DIR;
		return 0;
	case S_IFLNK:
		e->type = LAY_SYMLINK;
		return 0;
	case S_IFIFO:
		e->type = LAY_FIFO;
		return 0;
	case S_IFBLK:
		e->type = LAY_BLOCK;
		return 0;
	case S_IFCHR:
		e->type = LAY_CHAR;
		/* To overlayfs this is a whiteout (B09). */
		if (a->rdev_major == 0 && a->rdev_minor == 0)
			return refuse(err, a->path, "is a device 0:0");
		return 0;
	default:
		return refuse(err, a->path, "is of a type that no image has");
	}
}

static int
cmp_xattrs(const void *a, const void *b)
{
	const struct lay_xattr *x = a, *y = b;

	return strcmp(x->name, y->name);
}

static int
set_xattrs(struct reader *r, const struct stv_archive_entry *a,
	   struct lay_entry *e, struct stv_err **err)
{
	r->xattrs.len = 0;
	for (size_t i = 0; i < a->n_xattrs; i++) {
		const struct stv_archive_xattr *x = &a->xattrs[i];

		if (strlen(x->name) > STV_MAX_NAME)
			return refuse(err, a->path,
				      "has an extended attribute with too long "
				      "a name");
		if (lay_xattr_is_kept(x->name, e->type))
			*stv_vec_push(&r->xattrs) =
				(struct lay_xattr){x->name, x->value, x->len};
	}
	if (r->xattrs.len > 1)
		qsort(r->xattrs.v, r->xattrs.len, sizeof(r->xattrs.v[0]),
		      cmp_xattrs);
	for (size_t i = 1; i < r->xattrs.len; i++)
		if (cmp_xattrs(&r->xattrs.v[i - 1], &r->xattrs.v[i]) == 0)
			return refuse(err, a->path,
				      "has an extended attribute twice");
	e->xattrs = r->xattrs.v;
	e->n_xattrs = r->xattrs.len;
	return 0;
}

/*
 * The content's digest, in which holes count as the zeros that they are; and
 * the file itself, where it is wanted.
 */
static int
read_content(struct reader *r, struct lay_entry *e, struct stv_err **err)
{
	static const char zeros[(size_t)64 << 10];
	struct stv_archive_block b = {0};
	uint64_t at = 0;
	int more;

	lay_arrival_begin(r->files, e);
	for (;;) {
		uint64_t until;

		more = stv_archive_read(r->archive, &b, err);
		if (more < 0)
			return -1;
		until = more == 1 ? b.offset : e->size;
		while (at < until) {
			size_t n = until - at < sizeof(zeros)
					   ? (size_t)(until - at)
					   : sizeof(zeros);

			if (!e->is_sparse)
				return refuse(err, e->path, "is cut off");
			stv_hash_add(r->hash, zeros, n);
			at += n;
		}
		if (more == 0)
			break;
		stv_hash_add(r->hash, b.p, b.n);
		lay_arrival_write(r->files, b.p, b.n, b.offset);
		at += b.n;
	}
	e->digest = stv_hash_end(r->hash);
	lay_arrival_end(r->files, e);
	return 0;
}

static int
set_attributes(const struct stv_archive_entry *a, struct lay_entry *e,
	       struct stv_err **err)
{
	if (a->uid < 0 || a->uid > UINT_MAX - 1 || a->gid < 0 ||
	    a->gid > UINT_MAX - 1)
		return refuse(err, a->path, "has an owner out of range");
	e->mode = a->mode;
	e->uid = (uint32_t)a->uid;
	e->gid = (uint32_t)a->gid;
	e->mtime_s = a->mtime_s;
	e->mtime_ns = a->mtime_ns;
	if (e->type == LAY_CHAR || e->type == LAY_BLOCK) {
		e->rdev_major = a->rdev_major;
		e->rdev_minor = a->rdev_minor;
	}
	return 0;
}

/* An entry that is one: no whiteout.  ${link} is room for a cleaned target. */
static int
read_entry(struct reader *r, const struct stv_archive_entry *a,
	   struct lay_entry *e, char link[STV_MAX_PATH + 1],
	   struct stv_err **err)
{
	if (set_type(a, e, err) < 0 || set_attributes(a, e, err) < 0 ||
	    set_xattrs(r, a, e, err) < 0)
		return -1;
	if (e->type == LAY_SYMLINK || e->type == LAY_HARDLINK) {
		if (a->link == NULL || a->link[0] == '\0')
			return refuse(err, a->path, "is a link to nothing");
		if (strlen(a->link) > STV_MAX_PATH)
			return refuse(err, a->path,
				      "is a link to a path that "
				      "is too long");
		e->link = a->link;
	}
	if (e->type == LAY_HARDLINK) {
		if (clean_path(a->link, link, err) < 0)
			return stv_wrap(err, "hard link '%s'", e->path);
		e->link = link;
	}
	if (e->type == LAY_FILE) {
		e->size = a->size;
		e->offset = a->offset;
		e->is_sparse = a->is_sparse;
		if (read_content(r, e, err) < 0)
			return -1;
	}
	return lay_toc_builder_add(r->toc, e, err);
}

static int
read_any(struct reader *r, const struct stv_archive_entry *a,
	 struct stv_err **err)
{
	char path[STV_MAX_PATH + 1], link[STV_MAX_PATH + 1];
	struct lay_entry e = {.path = path};
	enum meaning meaning;

	if (clean_path(a->path, path, err) < 0)
		return -1;
	meaning = meaning_of(path);
	switch (meaning) {
	case MEANS_ENTRY:
		return read_entry(r, a, &e, link, err);
	case MEANS_NOTHING:
		return 0;
	case MEANS_REFUSED:
		return refuse(err, a->path, "is no valid whiteout");
	case MEANS_WHITEOUT:
	case MEANS_OPAQUE:
		break;
	}
	strip_marker(path, meaning);
	e.type = meaning == MEANS_OPAQUE ? LAY_OPAQUE : LAY_WHITEOUT;
	return lay_toc_builder_add(r->toc, &e, err);
}

int
lay_read_tar(struct stv_in *tar, struct lay_toc_builder *b,
	     struct lay_arrival *files, struct stv_err **err)
{
	struct reader r = {.toc = b, .files = files};
	struct stv_archive_entry a;
	int more;

	if (stv_archive_open_tar(tar, &r.archive, err) < 0)
		return -1;
	r.hash = stv_hash_new();
	while ((more = stv_archive_next(r.archive, &a, err)) == 1)
		if (read_any(&r, &a, err) < 0) {
			more = -1;
			break;
		}
	if (more == 0)
		more = stv_archive_drain(r.archive, err);
	stv_vec_fini(&r.xattrs);
	stv_hash_free(r.hash);
	stv_archive_close(r.archive);
	return more;
}
