/* core/paxcheck.c - the records of pax headers, strictly. */
#include <stdlib.h>
#include <string.h>

#include "core/err.h"
#include "core/limits.h"
#include "core/vec.h"

#include "core/tarcheck.h"

/* More records than any file has attributes. */
#define MAX_RECORDS 4096

struct record {
	const char *key;
	size_t key_len;
	const char *value;
	size_t value_len;
};

static int
bad(struct stv_err **err, const char *why)
{
	return stv_fail(err, STV_E_INPUT, "a pax header of the tar %s", why);
}

/* "LEN KEY=VALUE\n" at ${p}; its length is returned, or -1. */
static int64_t
parse_record(const char *p, size_t n, struct record *ret, struct stv_err **err)
{
	size_t len = 0, i = 0;
	const char *eq;

	while (i < n && i < 8 && p[i] >= '0' && p[i] <= '9')
		len = len * 10 + (size_t)(p[i++] - '0');
	if (i == 0 || p[0] == '0' || i == n || p[i] != ' ')
		return bad(err, "has a record without a length");
	i++;
	if (len > n || len <= i || p[len - 1] != '\n')
		return bad(err, "has a record of a wrong length");
	eq = memchr(p + i, '=', len - i);
	if (eq == NULL || eq == p + i)
		return bad(err, "has a record without a key");
	ret->key = p + i;
	ret->key_len = (size_t)(eq - ret->key);
	ret->value = eq + 1;
	ret->value_len = len - 1 - (size_t)(ret->value - p);
	if (memchr(ret->key, '\0', ret->key_len) != NULL)
		return bad(err, "has a zero byte in a key");
	return (int64_t)len;
}

static bool
key_is(const struct record *r, const char *key)
{
	return r->key_len == strlen(key) &&
	       memcmp(r->key, key, r->key_len) == 0;
}

static bool
key_begins(const struct record *r, const char *prefix)
{
	size_t n = strlen(prefix);

	return r->key_len >= n && memcmp(r->key, prefix, n) == 0;
}

/* An unsigned decimal number that fits in 63 bits: 0, or -1. */
static int
parse_number(const struct record *r, uint64_t *ret)
{
	uint64_t v = 0;

	if (r->value_len == 0 || r->value_len > 19)
		return -1;
	for (size_t i = 0; i < r->value_len; i++) {
		if (r->value[i] < '0' || r->value[i] > '9')
			return -1;
		v = v * 10 + (uint64_t)(r->value[i] - '0');
	}
	if (v > INT64_MAX)
		return -1;
	*ret = v;
	return 0;
}

static int
check_value(const struct record *r, uint64_t *size, bool *has_size,
	    struct stv_err **err)
{
	uint64_t n;
	bool is_xattr = key_begins(r, "SCHILY.xattr.") ||
			key_begins(r, "LIBARCHIVE.xattr.");

	if (is_xattr && r->value_len > STV_MAX_XATTR)
		return stv_fail(err, STV_E_LIMIT,
				"an extended attribute in the tar is larger "
				"than %zu bytes",
				STV_MAX_XATTR);
	if (!is_xattr && memchr(r->value, '\0', r->value_len) != NULL)
		return bad(err, "has a zero byte in a value");
	if ((key_is(r, "path") || key_is(r, "linkpath")) &&
	    r->value_len > STV_MAX_PATH)
		return stv_fail(err, STV_E_LIMIT,
				"a path in the tar is longer than %zu bytes",
				STV_MAX_PATH);
	/* An empty value deletes the key for some readers, not for all. */
	if ((key_is(r, "path") || key_is(r, "linkpath")) && r->value_len == 0)
		return bad(err, "has an empty path");
	if (key_is(r, "size")) {
		if (parse_number(r, size) < 0)
			return bad(err, "has a wrong size");
		*has_size = true;
	}
	if (key_is(r, "GNU.sparse.realsize") || key_is(r, "GNU.sparse.size")) {
		if (parse_number(r, &n) < 0)
			return bad(err, "has a wrong size");
		if (n > STV_MAX_LAYER)
			return stv_fail(err, STV_E_LIMIT,
					"a sparse file in the tar is larger "
					"than %llu bytes",
					(unsigned long long)STV_MAX_LAYER);
	}
	return 0;
}

static int
cmp_records(const void *a, const void *b)
{
	const struct record *x = a, *y = b;
	size_t n = x->key_len < y->key_len ? x->key_len : y->key_len;
	int c = memcmp(x->key, y->key, n);

	if (c != 0)
		return c;
	return x->key_len < y->key_len ? -1 : x->key_len > y->key_len;
}

/* GNU's sparse format 0.0 repeats these on purpose. */
static bool
may_repeat(const struct record *r)
{
	return key_is(r, "GNU.sparse.offset") ||
	       key_is(r, "GNU.sparse.numbytes");
}

int
stv_paxcheck(const char *p, size_t n, uint64_t *ret_size, bool *ret_has_size,
	     struct stv_err **err)
{
	STV_VEC(struct record) records = {0};
	int result = 0;

	*ret_has_size = false;
	while (n > 0 && result == 0) {
		struct record r;
		int64_t len = parse_record(p, n, &r, err);

		if (len < 0 ||
		    check_value(&r, ret_size, ret_has_size, err) < 0) {
			result = -1;
			break;
		}
		p += len;
		n -= (size_t)len;
		if (may_repeat(&r))
			continue;
		if (records.len == MAX_RECORDS)
			result = stv_fail(err, STV_E_LIMIT,
					  "a pax header of the tar has more "
					  "than %d records",
					  MAX_RECORDS);
		*stv_vec_push(&records) = r;
	}
	if (records.len > 1)
		qsort(records.v, records.len, sizeof(records.v[0]),
		      cmp_records);
	for (size_t i = 1; result == 0 && i < records.len; i++)
		if (cmp_records(&records.v[i - 1], &records.v[i]) == 0)
			result = bad(err, "has a key twice");
	stv_vec_fini(&records);
	return result;
}

int
stv_paxcheck_global(const char *p, size_t n, struct stv_err **err)
{
	while (n > 0) {
		struct record r;
		int64_t len = parse_record(p, n, &r, err);

		if (len < 0)
			return -1;
		if (!key_is(&r, "comment"))
			return stv_fail(err, STV_E_INPUT,
					"the tar has a global pax header with "
					"'%.*s', which programs read "
					"differently",
					(int)(r.key_len > 64 ? 64 : r.key_len),
					r.key);
		p += len;
		n -= (size_t)len;
	}
	return 0;
}
