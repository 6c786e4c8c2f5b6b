/* builder/redact.c - what a command prints, without the secrets of the build.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include "core/buf.h"
#include "core/mem.h"
#include "core/vec.h"

#include "builder/build.h"
#include "builder/redact.h"

/* Shorter ones would hide what is none. */
#define MIN_SECRET 6
#define STARS "****"

struct pattern {
	char *text;
	size_t len;
	bool is_base64; /* in lines of any length */
};

struct bld_redact {
	STV_VEC(struct pattern) list;
	bool may_begin[256]; /* some pattern begins with that byte */
	size_t max;
};

/* Takes: what ${p} holds. */
static void
add(struct bld_redact *r, struct pattern p)
{
	*stv_vec_push(&r->list) = p;
	r->may_begin[(unsigned char)p.text[0]] = true;
	/* With each character on a line of its own. */
	if (p.len * (p.is_base64 ? 2 : 1) > r->max)
		r->max = p.len * (p.is_base64 ? 2 : 1);
}

/* Whole groups only: what the last one becomes depends on what follows. */
static void
add_base64(struct bld_redact *r, const char *data, size_t len)
{
	size_t whole = len - len % 3;
	char *text = stv_xmalloc(whole / 3 * 4 + 1);

	(void)EVP_EncodeBlock((unsigned char *)text,
			      (const unsigned char *)data, (int)whole);
	add(r, (struct pattern){text, whole / 3 * 4, true});
}

struct bld_redact *
bld_redact_new(const struct bld_secret *secrets, size_t n)
{
	struct bld_redact *r = stv_xcalloc(1, sizeof(*r));

	for (size_t i = 0; i < n; i++) {
		const char *data = secrets[i].data;
		size_t len = secrets[i].len;

		/* The line's end is no part of what a file tells. */
		while (len > 0 &&
		       (data[len - 1] == '\n' || data[len - 1] == '\r'))
			len--;
		if (len < MIN_SECRET)
			continue;
		add(r, (struct pattern){stv_xmemdup(data, len), len, false});
		add_base64(r, data, len);
	}
	if (r->list.len > 0)
		return r;
	bld_redact_free(r);
	return NULL;
}

size_t
bld_redact_max(const struct bld_redact *r)
{
	return r->max;
}

/* How many bytes at ${p} are ${s}; 0: none; SIZE_MAX: all, and more are
 * missing.
 */
static size_t
match(const struct pattern *s, const char *p, size_t n)
{
	size_t at = 0;

	if (!s->is_base64) {
		if (memcmp(s->text, p, s->len < n ? s->len : n) != 0)
			return 0;
		return s->len <= n ? s->len : SIZE_MAX;
	}
	for (size_t i = 0; i < s->len; i++, at++) {
		if (i > 0 && at < n && p[at] == '\n')
			at++;
		if (at == n)
			return SIZE_MAX;
		if (p[at] != s->text[i])
			return 0;
	}
	return at;
}

/*
 * The length of the longest secret at ${p}; 0: none; SIZE_MAX: more must be
 * seen, where more may come.
 */
static size_t
find(const struct bld_redact *r, const char *p, size_t n, bool is_end)
{
	size_t found = 0;

	if (!r->may_begin[(unsigned char)*p])
		return 0;
	for (size_t i = 0; i < r->list.len; i++) {
		size_t len = match(&r->list.v[i], p, n);

		if (len == SIZE_MAX && !is_end)
			return SIZE_MAX;
		if (len != SIZE_MAX && len > found)
			found = len;
	}
	return found;
}

void
bld_redact_feed(const struct bld_redact *r, struct stv_buf *held, const char *p,
		size_t n, bool is_end, struct stv_buf *out)
{
	struct stv_buf all = STV_BUF_INIT(held->len + n + 1);
	size_t at = 0;

	stv_buf_add(&all, stv_buf_str(held), held->len);
	stv_buf_add(&all, p, n);
	stv_buf_truncate(held, 0);
	while (at < all.len) {
		size_t len = find(r, all.data + at, all.len - at, is_end);

		if (len == SIZE_MAX) {
			stv_buf_add(held, all.data + at, all.len - at);
			break;
		}
		if (len == 0) {
			stv_buf_addc(out, all.data[at++]);
			continue;
		}
		stv_buf_adds(out, STARS);
		at += len;
	}
	stv_buf_fini(&all);
}

void
bld_redact_free(struct bld_redact *r)
{
	if (r == NULL)
		return;
	for (size_t i = 0; i < r->list.len; i++) {
		explicit_bzero(r->list.v[i].text, r->list.v[i].len);
		free(r->list.v[i].text);
	}
	stv_vec_fini(&r->list);
	free(r);
}
