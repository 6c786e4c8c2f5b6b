/*
 * cache/snapshot.c - layers unpacked for an overlay mount.
 *
 * snapshots/<id> is complete if and only if snapshots/<id>.ok names the boot
 * that the machine is in: neither is synced, so a crash may have torn it, and
 * it is derived data that can be made again (RELIABILITY 2.3 rules 5 and 6).
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "core/buf.h"
#include "core/cleanup.h"
#include "core/err.h"
#include "core/fsat.h"
#include "core/mem.h"

#include "cache/layer_apply.h"
#include "cache/layer_arrival.h"
#include "cache/layer_internal.h"
#include "cache/meta.h"
#include "cache/snapshot_id.h"
#include "cache/store.h"
#include "cache/toc.h"

#include "cache/layer.h"

/* How often a snapshot that another process makes is looked for. */
#define POLL_NS 50000000L

/* A snapshot that is wanted, with what is needed to make it. */
struct snap {
	struct cas_store *store;
	const struct stv_digest *diff_id; /* of the topmost layer */
	struct lay_toc *toc;
	struct lay_view *below; /* NULL: what lies below does not matter */
	char hex[STV_DIGEST_STR_MAX];
	char name[STV_DIGEST_STR_MAX + 16]; /* snapshots/<id> */
	char mark[STV_DIGEST_STR_MAX + 16]; /* snapshots/<id>.ok */
	int lock;
};

static void
snap_fini(struct snap *s)
{
	lay_view_close(s->below);
	lay_toc_close(s->toc);
	stv_close_p(&s->lock);
}

static int
snap_init(struct snap *s, struct cas_store *store,
	  const struct stv_digest *diff_ids, size_t n, struct stv_err **err)
{
	struct stv_digest id;

	*s = (struct snap){
		.store = store, .diff_id = &diff_ids[n - 1], .lock = -1};
	if (lay_toc_open(store, s->diff_id, &s->toc, err) < 0)
		return -1;
	if (lay_snapshot_needs_below(s->toc) && n > 1 &&
	    lay_view_open(store, diff_ids, n - 1, &s->below, err) < 0)
		return -1;
	id = lay_snapshot_id(s->diff_id, s->toc, s->below);
	(void)stv_digest_hex(&id, s->hex);
	(void)snprintf(s->name, sizeof(s->name), "snapshots/%s", s->hex);
	(void)snprintf(s->mark, sizeof(s->mark), "snapshots/%s.ok", s->hex);
	return 0;
}

/* Is it complete, and of this boot? */
static bool
snap_is_valid(const struct snap *s)
{
	char boot[LAY_BOOT_ID_LEN], mark[LAY_BOOT_ID_LEN] = {0};
	int root = cas_store_rootfd(s->store);
	stv_auto_fd fd =
		openat(root, s->mark, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0 || read(fd, mark, sizeof(mark)) != (ssize_t)sizeof(mark))
		return false;
	lay_boot_id(boot);
	return boot[0] != '\0' && memcmp(boot, mark, sizeof(boot)) == 0 &&
	       faccessat(root, s->name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static int
snap_mark(const struct snap *s, struct stv_err **err)
{
	char boot[LAY_BOOT_ID_LEN];

	lay_boot_id(boot);
	return stv_fsat_replace(cas_store_rootfd(s->store), s->mark, boot,
				sizeof(boot), 0600, false, err);
}

/*
 * Wait for the right to make it: 1, or 0 where another process made it
 * meanwhile.
 */
static int
snap_lock(struct snap *s, struct stv_err **err)
{
	static const struct timespec pause = {.tv_nsec = POLL_NS};

	for (;;) {
		int r = cas_key_trylock(s->store, s->hex, &s->lock, err);

		if (r < 0)
			return -1;
		if (snap_is_valid(s))
			return 0;
		if (r == 0)
			return 1;
		(void)nanosleep(&pause, NULL);
	}
}

/* What it takes on disk, as the garbage collection counts. */
static uint64_t
snap_size(const struct snap *s)
{
	uint64_t size = 0;

	for (size_t i = 0; i < lay_toc_len(s->toc); i++) {
		struct lay_entry e;

		lay_toc_get(s->toc, i, &e);
		if (e.type == LAY_FILE)
			size += (e.size + 4095) / 4096 * 4096;
		else if (e.type == LAY_DIR)
			size += 4096;
	}
	return size;
}

/* The finished directory ${from} becomes the snapshot. */
static int
snap_place(const struct snap *s, const char *from, struct stv_err **err)
{
	int root = cas_store_rootfd(s->store);

	if (stv_fsat_mkdirs(root, "snapshots", 0700, err) < 0)
		return -1;
	/* What lies there is of another boot or was never finished. */
	if (unlinkat(root, s->mark, 0) < 0 && errno != ENOENT)
		return stv_fail_errno(err, errno, "cannot remove '%s'",
				      s->mark);
	if (stv_fsat_remove_tree(root, s->name, err) < 0)
		return -1;
	if (renameat(root, from, root, s->name) < 0)
		return stv_fail_errno(err, errno, "cannot move '%s' to '%s'",
				      from, s->name);
	if (cas_snapshot_put(s->store, s->hex, s->diff_id, snap_size(s), err) <
	    0)
		return -1;
	return snap_mark(s, err);
}

/* The root of a snapshot is what the layer says of it, or like any root. */
static int
set_root(const struct snap *s, int fd, struct stv_err **err)
{
	struct lay_entry e;

	if (lay_toc_find(s->toc, "", &e) == 0 || e.type != LAY_DIR)
		e = (struct lay_entry){
			.path = "", .type = LAY_DIR, .mode = 0755};
	return lay_apply_set_dir(fd, "", &e, err);
}

/* Fill the directory ${name}, and it becomes the snapshot. */
static int
snap_fill(const struct snap *s, const char *name, int fd, bool has_files,
	  struct stv_err **err)
{
	if (lay_apply(s->store, s->diff_id, s->toc, s->below, has_files, fd,
		      err) < 0 ||
	    set_root(s, fd, err) < 0 || snap_place(s, name, err) < 0)
		return stv_wrap(err, "unpacking a layer");
	return 0;
}

/* ${files}: these are there already; NULL: they are in the blob. */
static int
snap_make(const struct snap *s, const struct lay_arrival *files,
	  struct stv_err **err)
{
	stv_auto_free char *tmp = NULL;
	struct stv_err *ignored = NULL;
	stv_auto_fd fd = -1;

	if (files != NULL)
		return snap_fill(s, lay_arrival_name(files),
				 lay_arrival_fd(files), true, err);
	if (cas_store_tmpdir(s->store, &tmp, &fd, err) < 0)
		return -1;
	if (snap_fill(s, tmp, fd, false, err) == 0)
		return 0;
	(void)stv_fsat_remove_tree(cas_store_rootfd(s->store), tmp, &ignored);
	stv_err_free(ignored);
	return -1;
}

/* Make it, unless it is there or another process makes it. */
static int
snap_ensure(struct snap *s, const struct lay_arrival *files,
	    struct stv_err **err)
{
	int r = snap_is_valid(s) ? 0 : snap_lock(s, err);

	return r == 1 ? snap_make(s, files, err) : r;
}

int
lay_snapshot(struct cas_store *store, const struct stv_digest *diff_ids,
	     size_t n, char **ret_name, struct stv_err **err)
{
	STV_CLEANUP(snap_fini) struct snap s = {.lock = -1};

	if (snap_init(&s, store, diff_ids, n, err) < 0 ||
	    snap_ensure(&s, NULL, err) < 0)
		return -1;
	*ret_name = stv_xstrdup(s.name);
	return 0;
}

int
lay_snapshot_find(struct cas_store *store, const struct stv_digest *diff_ids,
		  size_t n, char **ret_name, struct stv_err **err)
{
	STV_CLEANUP(snap_fini) struct snap s = {.lock = -1};

	if (snap_init(&s, store, diff_ids, n, err) < 0)
		return -1;
	if (!snap_is_valid(&s))
		return 0;
	*ret_name = stv_xstrdup(s.name);
	return 1;
}

int
lay_snapshot_arrived(struct cas_store *store, const struct stv_digest *diff_ids,
		     size_t n, const struct lay_arrival *files,
		     struct stv_err **err)
{
	STV_CLEANUP(snap_fini) struct snap s = {.lock = -1};

	if (snap_init(&s, store, diff_ids, n, err) < 0)
		return -1;
	return snap_ensure(&s, files, err);
}

int
lay_snapshot_adopt(struct cas_store *store, const struct stv_digest *diff_ids,
		   size_t n, const char *upper_name, struct stv_err **err)
{
	STV_CLEANUP(snap_fini) struct snap s = {.lock = -1};
	stv_auto_fd fd = -1;
	int root = cas_store_rootfd(store), r = 0;

	if (snap_init(&s, store, diff_ids, n, err) < 0)
		return -1;
	if (!snap_is_valid(&s))
		r = snap_lock(&s, err);
	if (r < 0)
		return -1;
	if (r == 0)
		return stv_fsat_remove_tree(root, upper_name, err);
	fd = stv_fsat_open_nolinks(root, upper_name, O_RDONLY | O_DIRECTORY, 0);
	if (fd < 0)
		return stv_fail_errno(err, errno, "cannot open '%s'",
				      upper_name);
	if (set_root(&s, fd, err) < 0)
		return -1;
	return snap_place(&s, upper_name, err);
}
