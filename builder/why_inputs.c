/* builder/why_inputs.c - lists of what a COPY took, and how two of them differ.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/digest.h"
#include "core/limits.h"
#include "core/mem.h"

#include "builder/copy_internal.h"
#include "builder/why.h"

/* Digits of a digest in a list: enough to tell two files apart. */
#define DIGITS 32

/* One line of a list; its strings are borrowed. */
struct line {
	const char *head;
	const char *path;
};

struct lines {
	STV_VEC(struct line) list;
};

static char
letter_of(const struct bld_item *it)
{
	switch (it->e.type) {
	case LAY_FILE:
		return it->is_socket ? 's' : 'f';
	case LAY_DIR:
		return 'd';
	case LAY_SYMLINK:
		return 'l';
	case LAY_FIFO:
		return 'p';
	case LAY_CHAR:
		return 'c';
	case LAY_BLOCK:
		return 'b';
	case LAY_HARDLINK:
	case LAY_WHITEOUT:
	case LAY_OPAQUE:
		break;
	}
	return '?';
}

static const char *
type_word(char letter)
{
	switch (letter) {
	case 'f':
		return "file";
	case 'd':
		return "directory";
	case 'l':
		return "symbolic link";
	case 's':
		return "socket";
	case 'p':
		return "FIFO";
	default:
		return "device";
	}
}

/* A digest of what else counts: extended attributes and device numbers. */
static void
rest_of(const struct lay_entry *e, char ret[9])
{
	stv_auto(stv_hash) *h = NULL;
	char hex[STV_DIGEST_STR_MAX];
	struct stv_digest d;

	(void)snprintf(ret, 9, "-");
	if (e->n_xattrs == 0 && e->rdev_major == 0 && e->rdev_minor == 0)
		return;
	h = stv_hash_new();
	stv_hash_add(h, &e->rdev_major, sizeof(e->rdev_major));
	stv_hash_add(h, &e->rdev_minor, sizeof(e->rdev_minor));
	for (size_t i = 0; i < e->n_xattrs; i++) {
		stv_hash_add_field(h, e->xattrs[i].name,
				   strlen(e->xattrs[i].name));
		stv_hash_add_field(h, e->xattrs[i].value, e->xattrs[i].len);
	}
	d = stv_hash_end(h);
	(void)snprintf(ret, 9, "%.8s", stv_digest_hex(&d, hex));
}

/* "f 644 0 0 - <digest>"; links have their target in place of the digest. */
static void
add_head(const struct bld_copy_plan *p, const struct bld_item *it,
	 struct stv_buf *b)
{
	const struct lay_entry *e = &it->e;
	/* The directory that a source names is only a place. */
	bool is_place = *it->rel == '\0' && e->type == LAY_DIR;
	bool has_owner = !is_place && !p->spec->has_chown;
	char rest[9], hex[STV_DIGEST_STR_MAX];

	rest_of(e, rest);
	stv_buf_addf(b, "%c %04o %" PRIu32 " %" PRIu32 " %s ", letter_of(it),
		     is_place ? 0 : (unsigned int)e->mode,
		     has_owner ? e->uid : 0, has_owner ? e->gid : 0,
		     is_place ? "-" : rest);
	if (e->type == LAY_FILE)
		stv_buf_addf(b, "%.*s", DIGITS,
			     stv_digest_hex(&e->digest, hex));
	else if (e->type == LAY_SYMLINK)
		stv_buf_adds(b, e->link == NULL ? "" : e->link);
}

/* The path as the user knows it. */
static char *
path_of(const struct bld_copy_plan *p, size_t i)
{
	const struct bld_pick *pick = &p->picks.v[p->items.v[i].pick];
	stv_auto_free char *path = NULL;

	if (pick->kind == BLD_PICK_FILE)
		return stv_xstrdup(pick->base);
	path = bld_plan_item_path(p, i);
	if (p->spec->view != NULL)
		return stv_xasprintf("/%s", path);
	return stv_xstrdup(*path == '\0' ? "." : path);
}

static int
by_path(const void *a, const void *b)
{
	const struct line *x = a, *y = b;

	return strcmp(x->path, y->path);
}

/* What is sorted already, as most trees and all stored lists, stays so. */
static void
lines_sort(struct lines *l)
{
	size_t i = 1;

	while (i < l->list.len &&
	       by_path(&l->list.v[i - 1], &l->list.v[i]) <= 0)
		i++;
	if (i < l->list.len)
		qsort(l->list.v, l->list.len, sizeof(l->list.v[0]), by_path);
}

/* The lines of a list; false where it is damaged. */
static bool
lines_read(const struct stv_buf *b, struct lines *ret)
{
	const char *at = stv_buf_str(b), *end = at + b->len;

	if (b->len > 0 && end[-1] != '\0')
		return false;
	while (at < end) {
		struct line l = {.head = at};

		at += strlen(at) + 1;
		/* A head without its path. */
		if (at >= end || strlen(l.head) < 2)
			return false;
		l.path = at;
		at += strlen(at) + 1;
		*stv_vec_push(&ret->list) = l;
	}
	return true;
}

void
bld_inputs_text(const struct bld_copy_plan *plan, struct stv_buf *ret)
{
	stv_auto_buf text = STV_BUF_INIT(STV_MAX_INPUTS);
	struct lines lines = {0};

	for (size_t i = 0; i < plan->items.len && !text.is_over; i++) {
		stv_auto_free char *path = path_of(plan, i);

		add_head(plan, &plan->items.v[i], &text);
		stv_buf_addc(&text, '\0');
		stv_buf_add(&text, path, strlen(path) + 1);
	}
	if (text.is_over || !lines_read(&text, &lines)) {
		stv_vec_fini(&lines.list);
		return;
	}
	lines_sort(&lines);
	for (size_t i = 0; i < lines.list.len; i++) {
		const struct line *l = &lines.list.v[i];

		stv_buf_add(ret, l->head, strlen(l->head) + 1);
		stv_buf_add(ret, l->path, strlen(l->path) + 1);
	}
	stv_vec_fini(&lines.list);
}

/* The parts of a head, in order; the last one may hold blanks. */
enum part { TYPE, MODE, UID, GID, REST, LAST, N_PARTS };

/* Cut a head; false where it is damaged.  Owned: every part. */
static bool
head_cut(const char *s, char *ret[N_PARTS])
{
	for (int i = TYPE; i < LAST; i++) {
		size_t n = strcspn(s, " ");

		if (n == 0 || s[n] == '\0')
			return false;
		ret[i] = stv_xstrndup(s, n);
		s += n + 1;
	}
	ret[LAST] = stv_xstrdup(s);
	return true;
}

static bool
is_part_same(char *const a[N_PARTS], char *const b[N_PARTS], enum part i)
{
	return strcmp(a[i], b[i]) == 0;
}

/* How two entries of one path differ; both heads are whole. */
static void
compare_parts(char *const a[N_PARTS], char *const b[N_PARTS],
	      struct bld_input_change *ret)
{
	if (!is_part_same(a, b, TYPE)) {
		ret->kind = "type";
		ret->old_value = stv_xstrdup(type_word(a[TYPE][0]));
		ret->new_value = stv_xstrdup(type_word(b[TYPE][0]));
	} else if (!is_part_same(a, b, LAST) && a[TYPE][0] == 'l') {
		ret->kind = "link";
		ret->old_value = stv_xstrdup(a[LAST]);
		ret->new_value = stv_xstrdup(b[LAST]);
	} else if (!is_part_same(a, b, LAST)) {
		ret->kind = "content";
	} else if (!is_part_same(a, b, MODE)) {
		ret->kind = "mode";
		ret->old_value = stv_xstrdup(a[MODE]);
		ret->new_value = stv_xstrdup(b[MODE]);
	} else if (!is_part_same(a, b, UID) || !is_part_same(a, b, GID)) {
		ret->kind = "owner";
		ret->old_value = stv_xasprintf("%s:%s", a[UID], a[GID]);
		ret->new_value = stv_xasprintf("%s:%s", b[UID], b[GID]);
	} else {
		ret->kind = "attributes";
	}
}

static void
describe(const struct line *old, const struct line *now,
	 struct bld_input_change *ret)
{
	char *a[N_PARTS] = {0}, *b[N_PARTS] = {0};

	ret->kind = "content";
	if (head_cut(old->head, a) && head_cut(now->head, b))
		compare_parts(a, b, ret);
	for (int i = TYPE; i < N_PARTS; i++) {
		free(a[i]);
		free(b[i]);
	}
}

/*
 * What says more: a file before a directory, and before the files that are
 * about the build.
 */
static int
rank_of(const struct line *l)
{
	static const char *const names[] = {".dockerignore", "Dockerfile",
					    "Containerfile"};
	size_t n = strlen(l->path);

	if (l->head[0] == 'd')
		return 1;
	for (size_t i = 0; i < STV_ARRAY_LEN(names); i++) {
		size_t len = strlen(names[i]);

		if (n >= len && strcmp(l->path + n - len, names[i]) == 0)
			return 2;
	}
	return 3;
}

void
bld_input_change_fini(struct bld_input_change *c)
{
	free(c->path);
	free(c->old_value);
	free(c->new_value);
	*c = (struct bld_input_change){0};
}

/* The difference that says most: NULL where there is no such entry. */
struct pair {
	const struct line *old;
	const struct line *now;
};

/* The walk over two sorted lists; the number of differences. */
static size_t
merge(const struct lines *old, const struct lines *now, struct pair *ret)
{
	size_t i = 0, k = 0, n = 0;
	int best = 0;

	while (i < old->list.len || k < now->list.len) {
		struct pair at = {
			i < old->list.len ? &old->list.v[i] : NULL,
			k < now->list.len ? &now->list.v[k] : NULL,
		};
		int cmp = at.old == NULL   ? 1
			  : at.now == NULL ? -1
					   : strcmp(at.old->path, at.now->path);
		const struct line *l;

		i += cmp <= 0;
		k += cmp >= 0;
		if (cmp < 0)
			at.now = NULL;
		else if (cmp > 0)
			at.old = NULL;
		else if (at.old != NULL && at.now != NULL &&
			 strcmp(at.old->head, at.now->head) == 0)
			continue;
		n++;
		l = at.now != NULL ? at.now : at.old;
		if (l == NULL || rank_of(l) <= best)
			continue;
		best = rank_of(l);
		*ret = at;
	}
	return n;
}

int
bld_inputs_differ(const struct stv_buf *old, const struct stv_buf *now,
		  struct bld_input_change *ret)
{
	struct lines a = {0}, b = {0};
	struct pair first = {0};
	const struct line *last;
	size_t n = 0;

	*ret = (struct bld_input_change){0};
	if (lines_read(old, &a) && lines_read(now, &b)) {
		lines_sort(&a);
		n = merge(&a, &b, &first);
	}
	last = first.now != NULL ? first.now : first.old;
	if (last != NULL) {
		ret->kind = first.old == NULL ? "new-file" : "gone-file";
		if (first.old != NULL && first.now != NULL)
			describe(first.old, first.now, ret);
		ret->path = stv_xstrdup(last->path);
		ret->n_more = n - 1;
	}
	stv_vec_fini(&a.list);
	stv_vec_fini(&b.list);
	return last != NULL;
}
