/* cache/toc.c - reading a layer's table of contents. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <isa-l/crc64.h>

#include "core/err.h"
#include "core/mem.h"

#include "cache/store.h"
#include "cache/toc_format.h"

#include "cache/toc.h"

struct lay_toc {
	void *map; /* mmapped, or from malloc where ${is_heap} */
	size_t map_size;
	bool is_heap;
	const struct toc_head *head;
	const struct toc_rec *recs;
	const char *strings;
	struct lay_xattr *xattrs; /* of all entries, as toc_rec.xattr counts */
};

void
lay_boot_id(char buf[LAY_BOOT_ID_LEN])
{
	int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	ssize_t n = -1;

	memset(buf, 0, LAY_BOOT_ID_LEN);
	if (fd < 0)
		return;
	n = read(fd, buf, LAY_BOOT_ID_LEN - 1);
	if (n <= 0)
		buf[0] = '\0';
	(void)close(fd);
}

/* Is the head whole, and does the size fit to it? */
static bool
head_is_sound(const struct toc_head *h, size_t size)
{
	uint64_t left;

	if (size < sizeof(*h) || h->magic != TOC_MAGIC ||
	    h->head_crc != crc64_ecma_refl(0, (const unsigned char *)h,
					   offsetof(struct toc_head, head_crc)))
		return false;
	left = size - sizeof(*h);
	if (h->n_entries > left / sizeof(struct toc_rec))
		return false;
	left -= h->n_entries * sizeof(struct toc_rec);
	if (h->n_xattrs > left / sizeof(struct toc_xattr))
		return false;
	left -= h->n_xattrs * sizeof(struct toc_xattr);
	return left == h->n_strings &&
	       (left == 0 ||
		((const char *)h)[size - 1] == '\0'); /* strings end */
}

/*
 * Was it written (or checked) since the machine started?  Then no crash can
 * have torn it.  Otherwise the checksum of all of it decides, and the boot is
 * noted, so that this is paid once.
 */
static bool
body_is_sound(const struct toc_head *h, size_t size, int fd)
{
	char boot[LAY_BOOT_ID_LEN];
	ssize_t put = 0;

	lay_boot_id(boot);
	if (boot[0] != '\0' && memcmp(boot, h->boot_id, sizeof(boot)) == 0)
		return true;
	if (h->body_crc != crc64_ecma_refl(0, (const unsigned char *)(h + 1),
					   size - sizeof(*h)))
		return false;
	/* Where this fails (a read-only store) it is checked each time. */
	if (fd >= 0)
		put = pwrite(fd, boot, sizeof(boot),
			     offsetof(struct toc_head, boot_id));
	(void)put;
	return true;
}

static void
bind_parts(struct lay_toc *t)
{
	const struct toc_head *h = t->map;
	const struct toc_xattr *x;

	t->head = h;
	t->recs = (const struct toc_rec *)(h + 1);
	x = (const struct toc_xattr *)(t->recs + h->n_entries);
	t->strings = (const char *)(x + h->n_xattrs);
	if (h->n_xattrs == 0)
		return;
	t->xattrs = stv_xcalloc(h->n_xattrs, sizeof(*t->xattrs));
	for (uint64_t i = 0; i < h->n_xattrs; i++)
		t->xattrs[i] = (struct lay_xattr){t->strings + x[i].name,
						  t->strings + x[i].value,
						  (size_t)x[i].len};
}

int
lay_toc_load(void *data, size_t n, struct lay_toc **ret, struct stv_err **err)
{
	struct lay_toc *t;

	if (!head_is_sound(data, n) || !body_is_sound(data, n, -1)) {
		free(data);
		return stv_fail(err, STV_E_IO,
				"a layer's table of contents is damaged");
	}
	t = stv_xcalloc(1, sizeof(*t));
	t->map = data;
	t->map_size = n;
	t->is_heap = true;
	bind_parts(t);
	*ret = t;
	return 0;
}

/* Map the file: 1, or 0 where it is not there or damaged. */
static int
map_file(struct cas_store *store, const char *path, struct lay_toc **ret)
{
	struct lay_toc *t;
	struct stat st;
	void *map;
	stv_auto_fd fd = openat(cas_store_rootfd(store), path,
				O_RDWR | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0 && (errno == EACCES || errno == EROFS))
		fd = openat(cas_store_rootfd(store), path,
			    O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0 || fstat(fd, &st) < 0 ||
	    st.st_size < (off_t)sizeof(struct toc_head))
		return 0;
	map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED)
		return 0;
	if (!head_is_sound(map, (size_t)st.st_size) ||
	    !body_is_sound(map, (size_t)st.st_size, fd)) {
		(void)munmap(map, (size_t)st.st_size);
		return 0;
	}
	t = stv_xcalloc(1, sizeof(*t));
	t->map = map;
	t->map_size = (size_t)st.st_size;
	bind_parts(t);
	*ret = t;
	return 1;
}

int
lay_toc_open(struct cas_store *store, const struct stv_digest *diff_id,
	     struct lay_toc **ret, struct stv_err **err)
{
	char hex[STV_DIGEST_STR_MAX], path[STV_DIGEST_STR_MAX + 8];

	(void)snprintf(path, sizeof(path), "toc/%s",
		       stv_digest_hex(diff_id, hex));
	if (map_file(store, path, ret) == 1)
		return 0;
	if (lay_toc_rebuild(store, diff_id, err) < 0)
		return -1;
	if (map_file(store, path, ret) == 1)
		return 0;
	return stv_fail(err, STV_E_IO,
			"the table of contents '%s' in the store cannot be "
			"read",
			path);
}

size_t
lay_toc_len(const struct lay_toc *t)
{
	return (size_t)t->head->n_entries;
}

void
lay_toc_get(const struct lay_toc *t, size_t i, struct lay_entry *ret)
{
	const struct toc_rec *r = &t->recs[i];

	if (i >= t->head->n_entries || r->path >= t->head->n_strings)
		STV_BUG("entry %zu of a table of contents is out of range", i);
	*ret = (struct lay_entry){
		.path = t->strings + r->path,
		.type = (enum lay_type)r->type,
		.mode = r->mode,
		.uid = r->uid,
		.gid = r->gid,
		.rdev_major = r->rdev_major,
		.rdev_minor = r->rdev_minor,
		.size = r->size,
		.mtime_s = r->mtime_s,
		.mtime_ns = r->mtime_ns,
		.offset = r->offset,
		.is_sparse = r->is_sparse != 0,
		.n_xattrs = r->n_xattrs,
	};
	if (r->n_xattrs > 0)
		ret->xattrs = t->xattrs + r->xattr;
	if (ret->type == LAY_SYMLINK || ret->type == LAY_HARDLINK)
		ret->link = t->strings + r->link;
	memcpy(ret->digest.bytes, r->digest, sizeof(r->digest));
}

const char *
lay_toc_path(const struct lay_toc *t, size_t i)
{
	return t->strings + t->recs[i].path;
}

size_t
lay_toc_lower_bound(const struct lay_toc *t, const char *path, size_t lo)
{
	size_t hi = (size_t)t->head->n_entries;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (lay_path_cmp(lay_toc_path(t, mid), path) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

bool
lay_path_is_below(const char *path, const char *dir)
{
	size_t n = strlen(dir);

	if (n == 0)
		return path[0] != '\0';
	return strncmp(path, dir, n) == 0 && path[n] == '/';
}

size_t
lay_toc_subtree_end(const struct lay_toc *t, const char *path, size_t lo)
{
	size_t n = (size_t)t->head->n_entries, step = 1, hi;

	/* Most subtrees are small: double the step before halving it. */
	for (hi = lo; hi < n; hi += step, step *= 2) {
		const char *p = lay_toc_path(t, hi);

		if (strcmp(p, path) != 0 && !lay_path_is_below(p, path))
			break;
		lo = hi + 1;
	}
	if (hi > n)
		hi = n;
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		const char *p = lay_toc_path(t, mid);

		if (strcmp(p, path) == 0 || lay_path_is_below(p, path))
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

int
lay_toc_find(const struct lay_toc *t, const char *path, struct lay_entry *ret)
{
	size_t i = lay_toc_lower_bound(t, path, 0);

	if (i == lay_toc_len(t) || strcmp(lay_toc_path(t, i), path) != 0)
		return 0;
	lay_toc_get(t, i, ret);
	return 1;
}

void
lay_toc_close(struct lay_toc *t)
{
	if (t == NULL)
		return;
	if (t->is_heap)
		free(t->map);
	else
		(void)munmap(t->map, t->map_size);
	free(t->xattrs);
	free(t);
}
