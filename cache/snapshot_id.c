/* cache/snapshot_id.c - what a snapshot is, besides its layer. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/mem.h"

#include "cache/layer_internal.h"
#include "cache/toc.h"

#include "cache/snapshot_id.h"

/* Names the form of the hashed record, and rung R1's way to store owners. */
#define FORM "stave snapshot 1, owners as they are"

int
lay_toc_each_implied(const struct lay_toc *toc,
		     int (*fn)(void *arg, const char *path), void *arg)
{
	const char *last = ""; /* its directories are known already */
	bool last_is_dir = true;

	for (size_t i = 0; i < lay_toc_len(toc); i++) {
		struct lay_entry e;
		size_t n = 0;

		lay_toc_get(toc, i, &e);
		/* A mark alone implies the directory that it stands on. */
		for (;;) {
			stv_auto_free char *dir = NULL;
			int r;

			n += strspn(e.path + n, "/");
			n += strcspn(e.path + n, "/");
			if (e.path[n] == '\0' &&
			    (e.type != LAY_OPAQUE || n == 0))
				break;
			dir = stv_xstrndup(e.path, n);
			if (!lay_path_is_below(last, dir) &&
			    !(last_is_dir && strcmp(last, dir) == 0)) {
				r = fn(arg, dir);
				if (r != 0)
					return r;
			}
			if (e.path[n] == '\0')
				break;
		}
		last = e.path;
		last_is_dir = e.type == LAY_DIR || e.type == LAY_OPAQUE;
	}
	return 0;
}

static int
stop_at_any(void *arg, const char *path)
{
	(void)arg;
	(void)path;
	return 1;
}

bool
lay_snapshot_needs_below(const struct lay_toc *toc)
{
	for (size_t i = 0; i < lay_toc_len(toc); i++) {
		struct lay_entry e;

		lay_toc_get(toc, i, &e);
		if (e.type == LAY_WHITEOUT)
			return true;
	}
	return lay_toc_each_implied(toc, stop_at_any, NULL) != 0;
}

struct hashing {
	struct stv_hash *hash;
	struct lay_view *below;
};

static void
add_number(struct stv_hash *hash, uint64_t v)
{
	uint8_t bytes[8];

	for (size_t i = 0; i < sizeof(bytes); i++, v >>= 8)
		bytes[i] = (uint8_t)(v & 0xff);
	stv_hash_add(hash, bytes, sizeof(bytes));
}

static int
add_implied(void *arg, const char *path)
{
	struct hashing *h = arg;
	struct lay_entry e;

	if (h->below == NULL || lay_view_lookup(h->below, path, &e) == 0 ||
	    e.type != LAY_DIR)
		e = (struct lay_entry){.type = LAY_DIR, .mode = 0755};
	stv_hash_add_field(h->hash, path, strlen(path));
	add_number(h->hash, e.mode);
	add_number(h->hash, e.uid);
	add_number(h->hash, e.gid);
	add_number(h->hash, (uint64_t)e.mtime_s);
	add_number(h->hash, e.mtime_ns);
	add_number(h->hash, e.n_xattrs);
	for (size_t i = 0; i < e.n_xattrs; i++) {
		stv_hash_add_field(h->hash, e.xattrs[i].name,
				   strlen(e.xattrs[i].name));
		stv_hash_add_field(h->hash, e.xattrs[i].value, e.xattrs[i].len);
	}
	return 0;
}

struct stv_digest
lay_snapshot_id(const struct stv_digest *diff_id, const struct lay_toc *toc,
		struct lay_view *below)
{
	stv_auto(stv_hash) *hash = stv_hash_new();
	struct hashing h = {hash, below};

	stv_hash_add_field(hash, FORM, strlen(FORM));
	stv_hash_add_field(hash, diff_id->bytes, sizeof(diff_id->bytes));
	(void)lay_toc_each_implied(toc, add_implied, &h);
	for (size_t i = 0; i < lay_toc_len(toc); i++) {
		struct lay_entry e, old;

		lay_toc_get(toc, i, &e);
		if (e.type == LAY_WHITEOUT)
			stv_hash_add(hash,
				     below != NULL && lay_view_lookup(below,
								      e.path,
								      &old) == 1
					     ? "1"
					     : "0",
				     1);
	}
	return stv_hash_end(hash);
}
