/*
 * cache/ctxindex.c - the context index.
 *
 * File: struct header, ${n} struct item sorted by path, the paths with their
 * NULs.  Written as it lies in memory: it never leaves the machine.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "core/buf.h"
#include "core/cleanup.h"
#include "core/digest.h"
#include "core/err.h"
#include "core/mem.h"
#include "core/vec.h"

#include "cache/store_internal.h"

#include "cache/ctxindex.h"

/* Bytes 0-7; the last digit is the format's version. */
#define MAGIC "stavctx1"
/*
 * A file changed this short before it was hashed may change again without a
 * trace: kernels stamp with the tick, 10 ms at most; where the nanoseconds are
 * zero the file system may know seconds only (FAT: two).
 */
#define RACY_NS ((int64_t)100 * 1000000)
#define RACY_COARSE_NS ((int64_t)2100 * 1000000)
/* An entry that so many saves in a row did not look at is forgotten. */
#define MAX_AGE 16
/* A 1 GiB index would hold some 8 million files. */
#define MAX_FILE ((size_t)1 << 30)

struct header {
	char magic[8];
	uint64_t n;
	uint64_t paths_len;
	struct stv_digest check; /* of all that follows */
};

struct item {
	uint64_t path; /* offset in the paths */
	uint64_t size;
	uint64_t ino;
	uint64_t dev;
	int64_t mtime_ns;
	int64_t ctime_ns;
	uint32_t mode;
	uint32_t age; /* saves since it was looked at */
	struct stv_digest digest;
};

/* Something recorded by this process. */
struct fresh {
	char *path;
	struct item item;
};

struct cas_ctxindex {
	struct cas_store *store;
	char name[sizeof(CAS_CONTEXT) + 1 + STV_DIGEST_STR_MAX];
	void *map;
	size_t map_len;
	const struct item *items;
	size_t n;
	const char *paths;
	uint8_t *is_used; /* for each item: looked at by this process */
	pthread_mutex_t lock;
	STV_VEC(struct fresh) fresh;
};

static int64_t
to_ns(const struct timespec *ts)
{
	return (int64_t)ts->tv_sec * 1000000000 + ts->tv_nsec;
}

/* Is the mapped file one of ours, whole and sane? */
static bool
is_sound(const uint8_t *map, size_t len)
{
	struct header h;
	const struct item *items;
	const char *paths;
	struct stv_digest got;

	if (len < sizeof(h))
		return false;
	memcpy(&h, map, sizeof(h));
	if (memcmp(h.magic, MAGIC, sizeof(h.magic)) != 0 ||
	    h.n > MAX_FILE / sizeof(struct item) || h.paths_len > MAX_FILE ||
	    len != sizeof(h) + h.n * sizeof(struct item) + h.paths_len)
		return false;
	/* It is not synced: after a power cut anything may be in it. */
	got = stv_digest_of(map + sizeof(h), len - sizeof(h));
	if (!stv_digest_equal(&got, &h.check))
		return false;
	items = (const struct item *)(const void *)(map + sizeof(h));
	paths = (const char *)(items + h.n);
	if (h.paths_len > 0 && paths[h.paths_len - 1] != '\0')
		return false;
	for (size_t i = 0; i < h.n; i++)
		if (items[i].path >= h.paths_len)
			return false;
	return true;
}

/* Map the file; without one, or with a damaged one, the index is empty. */
static void
load(struct cas_ctxindex *x)
{
	struct header h;
	struct stat st;
	stv_auto_fd fd = openat(x->store->root_fd, x->name,
				O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	void *map;

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) ||
	    st.st_size < (off_t)sizeof(h) ||
	    (uint64_t)st.st_size > (uint64_t)MAX_FILE)
		return;
	map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (map == MAP_FAILED)
		return;
	if (!is_sound(map, (size_t)st.st_size)) {
		(void)munmap(map, (size_t)st.st_size);
		return;
	}
	memcpy(&h, map, sizeof(h));
	x->map = map;
	x->map_len = (size_t)st.st_size;
	x->items = (const struct item *)(const void *)((const uint8_t *)map +
						       sizeof(h));
	x->n = (size_t)h.n;
	x->paths = (const char *)(x->items + x->n);
	x->is_used = stv_xcalloc(x->n + 1, 1);
}

int
cas_ctxindex_open(struct cas_store *s, const char *abs_path,
		  struct cas_ctxindex **ret, struct stv_err **err)
{
	struct cas_ctxindex *x = stv_xcalloc(1, sizeof(*x));
	struct stv_digest d = stv_digest_of(abs_path, strlen(abs_path));

	(void)err; /* what cannot be read is made again */
	x->store = s;
	memcpy(x->name, CAS_CONTEXT "/", sizeof(CAS_CONTEXT));
	(void)stv_digest_hex(&d, x->name + sizeof(CAS_CONTEXT));
	(void)pthread_mutex_init(&x->lock, NULL);
	load(x);
	*ret = x;
	return 0;
}

/* The item of ${path}, or NULL. */
static const struct item *
find(const struct cas_ctxindex *x, const char *path)
{
	size_t lo = 0, hi = x->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		int c = strcmp(x->paths + x->items[mid].path, path);

		if (c == 0)
			return &x->items[mid];
		if (c < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return NULL;
}

int
cas_ctxindex_lookup(struct cas_ctxindex *x, const char *path,
		    const struct stat *st, struct stv_digest *ret)
{
	const struct item *it = find(x, path);

	if (it == NULL || it->size != (uint64_t)st->st_size ||
	    it->mode != st->st_mode || it->ino != st->st_ino ||
	    it->dev != st->st_dev || it->mtime_ns != to_ns(&st->st_mtim) ||
	    it->ctime_ns != to_ns(&st->st_ctim))
		return 0;
	__atomic_store_n(&x->is_used[it - x->items], 1, __ATOMIC_RELAXED);
	*ret = it->digest;
	return 1;
}

static bool
is_racy(const struct stat *st)
{
	bool is_coarse = st->st_mtim.tv_nsec == 0 || st->st_ctim.tv_nsec == 0;
	int64_t limit = is_coarse ? RACY_COARSE_NS : RACY_NS;
	struct timespec now = {0};

	(void)clock_gettime(CLOCK_REALTIME, &now);
	limit = to_ns(&now) - limit;
	return to_ns(&st->st_mtim) >= limit || to_ns(&st->st_ctim) >= limit;
}

void
cas_ctxindex_record(struct cas_ctxindex *x, const char *path,
		    const struct stat *st, const struct stv_digest *d)
{
	struct fresh *f;

	if (!S_ISREG(st->st_mode) || is_racy(st))
		return;
	(void)pthread_mutex_lock(&x->lock);
	f = stv_vec_push(&x->fresh);
	f->path = stv_xstrdup(path);
	f->item = (struct item){
		.path = x->fresh.len,
		.size = (uint64_t)st->st_size,
		.ino = st->st_ino,
		.dev = st->st_dev,
		.mtime_ns = to_ns(&st->st_mtim),
		.ctime_ns = to_ns(&st->st_ctim),
		.mode = st->st_mode,
		.digest = *d,
	};
	(void)pthread_mutex_unlock(&x->lock);
}

static int
cmp_fresh(const void *a, const void *b)
{
	const struct fresh *x = a, *y = b;
	int c = strcmp(x->path, y->path);

	/* Of one path the order of recording, which item.path holds so far. */
	return c != 0 ? c
		      : (x->item.path > y->item.path) -
				(x->item.path < y->item.path);
}

/* The new file's parts while the old and the fresh entries are merged. */
struct merge {
	struct stv_buf items;
	struct stv_buf paths;
	uint64_t n;
};

static void
merge_add(struct merge *m, const char *path, struct item it)
{
	it.path = m->paths.len;
	stv_buf_add(&m->items, &it, sizeof(it));
	stv_buf_add(&m->paths, path, strlen(path) + 1);
	m->n++;
}

static void
merge_old(struct cas_ctxindex *x, struct merge *m, size_t i)
{
	struct item it = x->items[i];

	it.age = x->is_used[i] != 0 ? 0 : it.age + 1;
	if (it.age <= MAX_AGE)
		merge_add(m, x->paths + x->items[i].path, it);
}

/* Both lists are sorted; a fresh entry replaces the old one of its path. */
static void
merge_all(struct cas_ctxindex *x, struct merge *m)
{
	size_t i = 0, j = 0;

	qsort(x->fresh.v, x->fresh.len, sizeof(x->fresh.v[0]), cmp_fresh);
	while (i < x->n || j < x->fresh.len) {
		const struct fresh *f =
			j < x->fresh.len ? &x->fresh.v[j] : NULL;
		int c = f == NULL ? -1
			: i == x->n
				? 1
				: strcmp(x->paths + x->items[i].path, f->path);

		if (c < 0) {
			merge_old(x, m, i++);
			continue;
		}
		if (c == 0)
			i++;
		/* Of one path recorded twice the last one stands. */
		if (j + 1 == x->fresh.len ||
		    strcmp(f->path, x->fresh.v[j + 1].path) != 0)
			merge_add(m, f->path, f->item);
		j++;
	}
}

static int
write_merged(struct cas_ctxindex *x, struct merge *m, struct stv_err **err)
{
	struct header h = {.n = m->n, .paths_len = m->paths.len};
	struct stv_buf all = STV_BUF_INIT(MAX_FILE);
	int r;

	memcpy(h.magic, MAGIC, sizeof(h.magic));
	stv_buf_add(&all, &h, sizeof(h));
	stv_buf_add(&all, stv_buf_str(&m->items), m->items.len);
	stv_buf_add(&all, stv_buf_str(&m->paths), m->paths.len);
	r = stv_buf_check(&all, "context index", err);
	if (r == 0) {
		h.check = stv_digest_of(all.data + sizeof(h),
					all.len - sizeof(h));
		memcpy(all.data, &h, sizeof(h));
		r = cas_replace(x->store, x->name, all.data, all.len, false,
				err);
	}
	stv_buf_fini(&all);
	return r;
}

int
cas_ctxindex_save(struct cas_ctxindex *x, struct stv_err **err)
{
	struct merge m = {
		.items = STV_BUF_INIT(MAX_FILE),
		.paths = STV_BUF_INIT(MAX_FILE),
	};
	int r = 0;

	(void)pthread_mutex_lock(&x->lock);
	if (x->fresh.len > 0) {
		merge_all(x, &m);
		r = write_merged(x, &m, err);
	}
	(void)pthread_mutex_unlock(&x->lock);
	stv_buf_fini(&m.items);
	stv_buf_fini(&m.paths);
	return r;
}

void
cas_ctxindex_close(struct cas_ctxindex *x)
{
	if (x == NULL)
		return;
	if (x->map != NULL)
		(void)munmap(x->map, x->map_len);
	for (size_t i = 0; i < x->fresh.len; i++)
		free(x->fresh.v[i].path);
	stv_vec_fini(&x->fresh);
	free(x->is_used);
	(void)pthread_mutex_destroy(&x->lock);
	free(x);
}
