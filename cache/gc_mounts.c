/* cache/gc_mounts.c - garbage collection: which cache mounts go. */
#include <stdlib.h>

#include "core/err.h"

#include "cache/gc_internal.h"

static int
cmp_mount_used(const void *a, const void *b)
{
	const struct cas_cachemount_info *x = a, *y = b;

	return (x->used_s > y->used_s) - (x->used_s < y->used_s);
}

int
cas_gc_read_mounts(struct cas_store *s, struct gc *g, struct stv_err **err)
{
	cas_cachemounts_fini(&g->mounts);
	if (cas_cachemounts_read(s, &g->mounts, err) < 0)
		return -1;
	if (g->mounts.list.len > 0)
		qsort(g->mounts.list.v, g->mounts.list.len,
		      sizeof(g->mounts.list.v[0]), cmp_mount_used);
	return 0;
}

int
cas_gc_choose_mounts(struct cas_store *s, struct gc *g, struct stv_err **err)
{
	if (!g->opts->cache && !g->opts->all_cache)
		return 0;
	if (cas_gc_read_mounts(s, g, err) < 0)
		return -1;
	for (size_t i = 0; i < g->mounts.list.len; i++) {
		struct cas_cachemount_info *m = &g->mounts.list.v[i];

		m->is_doomed =
			g->opts->until_s == 0 || m->used_s < g->opts->until_s;
	}
	return 0;
}

void
cas_gc_doom_mounts(struct gc *g, int64_t until_s)
{
	for (size_t i = 0; i < g->mounts.list.len && g->freed < g->need; i++) {
		struct cas_cachemount_info *m = &g->mounts.list.v[i];

		if (m->used_s > until_s)
			break;
		if (!m->is_doomed)
			g->freed += m->size;
		m->is_doomed = true;
	}
}

int
cas_gc_sweep_mounts(struct cas_store *s, struct gc *g, struct stv_err **err)
{
	for (size_t i = 0; i < g->mounts.list.len; i++) {
		struct cas_cachemount_info *m = &g->mounts.list.v[i];

		if (!m->is_doomed)
			continue;
		if (cas_cachemount_remove(s, m->name, err) < 0)
			return -1;
		m->is_doomed = false;
		cas_gc_note(g, CAS_GC_CACHEMOUNT, m->label, m->size);
		g->result->n_cachemounts++;
		g->result->bytes += m->size;
	}
	return 0;
}
