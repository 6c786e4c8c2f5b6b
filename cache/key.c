/*
 * cache/key.c - cache keys.  Preimage: for each field the length of its name
 * (4 bytes, little-endian), the name, the length of its value (8 bytes), the
 * value.  The first field has the empty name and holds the version.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/buf.h"
#include "core/digest.h"
#include "core/mem.h"

#include "cache/key.h"

/* As much of a value as a message shows. */
#define MAX_SHOWN ((size_t)160)
#define NAME_LEN 4
#define VALUE_LEN 8

struct key {
	struct stv_buf preimage;
};

static void
add_number(struct stv_buf *b, uint64_t v, size_t n_bytes)
{
	for (size_t i = 0; i < n_bytes; i++, v >>= 8)
		stv_buf_addc(b, (char)(v & 0xff));
}

struct key *
key_new(const char *version)
{
	struct key *k = stv_xcalloc(1, sizeof(*k));

	/* What goes into a key was bounded where it was read. */
	k->preimage = STV_BUF_INIT(SIZE_MAX / 2);
	key_add(k, "", version, strlen(version));
	return k;
}

void
key_add(struct key *k, const char *field, const void *p, size_t n)
{
	size_t len = strlen(field);

	add_number(&k->preimage, len, NAME_LEN);
	stv_buf_add(&k->preimage, field, len);
	add_number(&k->preimage, n, VALUE_LEN);
	stv_buf_add(&k->preimage, p, n);
}

void
key_add_str(struct key *k, const char *field, const char *s)
{
	char name[128];

	if (s != NULL) {
		key_add(k, field, s, strlen(s));
		return;
	}
	/* "Absent" is a field of its own, which no value can imitate. */
	(void)snprintf(name, sizeof(name), "no %s", field);
	key_add(k, name, "", 0);
}

void
key_add_u64(struct key *k, const char *field, uint64_t v)
{
	char digits[24];

	(void)snprintf(digits, sizeof(digits), "%" PRIu64, v);
	key_add(k, field, digits, strlen(digits));
}

void
key_add_bool(struct key *k, const char *field, bool v)
{
	key_add_str(k, field, v ? "true" : "false");
}

void
key_add_digest(struct key *k, const char *field, const struct stv_digest *d)
{
	char str[STV_DIGEST_STR_MAX];

	key_add_str(k, field, stv_digest_str(d, str));
}

void
key_end(const struct key *k, struct stv_digest *ret,
	struct stv_buf *ret_preimage)
{
	*ret = stv_digest_of(stv_buf_str(&k->preimage), k->preimage.len);
	if (ret_preimage != NULL)
		stv_buf_add(ret_preimage, stv_buf_str(&k->preimage),
			    k->preimage.len);
}

void
key_free(struct key *k)
{
	if (k == NULL)
		return;
	stv_buf_fini(&k->preimage);
	free(k);
}

static uint64_t
read_number(struct key_reader *r, size_t n_bytes)
{
	uint64_t v = 0;

	if (r->n < n_bytes) {
		r->is_bad = true;
		return 0;
	}
	for (size_t i = n_bytes; i-- > 0;)
		v = v << 8 | r->p[i];
	r->p += n_bytes;
	r->n -= n_bytes;
	return v;
}

static const char *
read_bytes(struct key_reader *r, uint64_t n)
{
	const uint8_t *p = r->p;

	if (n > r->n) {
		r->is_bad = true;
		return NULL;
	}
	r->p += n;
	r->n -= (size_t)n;
	return (const char *)p;
}

struct key_reader
key_reader(const void *p, size_t n)
{
	return (struct key_reader){.p = p, .n = n};
}

bool
key_next(struct key_reader *r, struct key_field *f)
{
	*f = (struct key_field){0};
	if (r->n == 0 || r->is_bad)
		return false;
	f->name_len = (size_t)read_number(r, NAME_LEN);
	f->name = read_bytes(r, f->name_len);
	if (!r->is_bad)
		f->len = (size_t)read_number(r, VALUE_LEN);
	if (!r->is_bad)
		f->value = read_bytes(r, f->len);
	return !r->is_bad;
}

bool
key_is_named(const struct key_field *f, const char *name)
{
	return f->name_len == strlen(name) &&
	       memcmp(f->name, name, f->name_len) == 0;
}

static bool
is_same_name(const struct key_field *a, const struct key_field *b)
{
	return a->name_len == b->name_len &&
	       memcmp(a->name, b->name, a->name_len) == 0;
}

static bool
is_same(const struct key_field *a, const struct key_field *b)
{
	return is_same_name(a, b) && a->len == b->len &&
	       memcmp(a->value, b->value, a->len) == 0;
}

static char *
shown(const char *p, size_t n)
{
	struct stv_buf b = STV_BUF_INIT(MAX_SHOWN * 8);

	stv_buf_add_escaped(&b, p, n > MAX_SHOWN ? MAX_SHOWN : n);
	if (n > MAX_SHOWN)
		stv_buf_adds(&b, "...");
	return stv_buf_take(&b);
}

/* Does a field of ${f}'s name come later? */
static bool
comes_later(struct key_reader r, const struct key_field *f)
{
	struct key_field next;

	while (key_next(&r, &next))
		if (is_same_name(&next, f))
			return true;
	return false;
}

static int
report(const struct key_field *name, const struct key_field *a,
       const struct key_field *b, struct key_diff *ret)
{
	/* The first field, which has no name, is the version. */
	ret->field = name->name_len == 0 ? stv_xstrdup("version")
					 : shown(name->name, name->name_len);
	ret->old_value = a == NULL ? NULL : shown(a->value, a->len);
	ret->new_value = b == NULL ? NULL : shown(b->value, b->len);
	return 1;
}

int
key_explain(const void *old, size_t n_old, const void *now, size_t n_now,
	    struct key_diff *ret)
{
	struct key_reader ra = key_reader(old, n_old);
	struct key_reader rb = key_reader(now, n_now);
	struct key_field a, b;

	*ret = (struct key_diff){0};
	for (;;) {
		bool has_a = key_next(&ra, &a), has_b = key_next(&rb, &b);

		if (ra.is_bad || rb.is_bad) {
			ret->field = stv_xstrdup("format");
			return 1;
		}
		if (!has_a && !has_b)
			return 0;
		if (!has_b)
			return report(&a, &a, NULL, ret);
		if (!has_a)
			return report(&b, NULL, &b, ret);
		if (is_same(&a, &b))
			continue;
		if (is_same_name(&a, &b))
			return report(&a, &a, &b, ret);
		/* The new one was put in, unless the old one was taken out. */
		if (comes_later(ra, &b))
			return report(&a, &a, NULL, ret);
		return report(&b, NULL, &b, ret);
	}
}

void
key_diff_fini(struct key_diff *d)
{
	free(d->field);
	free(d->old_value);
	free(d->new_value);
	*d = (struct key_diff){0};
}
