/* cache/test/test_key.c - keys: every difference of the input is one. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include "core/buf.h"
#include "core/digest.h"

#include "cache/key.h"

/* Fields of random names and values of a tiny alphabet, so that framing
 * mistakes meet. */
struct fields {
	size_t n;
	char name[6][8];
	char value[6][8];
	size_t len[6];
};

static unsigned int seed;

static unsigned int
draw(unsigned int n)
{
	seed = seed * 1103515245U + 12345U;
	return seed >> 16 & 0x7fff ? (seed >> 16) % n : 0;
}

static void
random_fields(struct fields *f)
{
	memset(f, 0, sizeof(*f));
	f->n = draw(5);
	for (size_t i = 0; i < f->n; i++) {
		size_t len = draw(3);

		for (size_t j = 0; j < len; j++)
			f->name[i][j] = (char)('a' + draw(2));
		f->len[i] = draw(4);
		for (size_t j = 0; j < f->len[i]; j++)
			f->value[i][j] = (char)(draw(2) ? 'a' : draw(3));
	}
}

static struct stv_digest
key_of(const struct fields *f, struct stv_buf *preimage)
{
	struct key *k = key_new("test/1");
	struct stv_digest d;

	for (size_t i = 0; i < f->n; i++)
		key_add(k, f->name[i], f->value[i], f->len[i]);
	key_end(k, &d, preimage);
	key_free(k);
	return d;
}

/* THREATS D14: equal keys if and only if equal fields. */
Test(key, differs_exactly_where_the_fields_do)
{
	size_t n_equal = 0;

	seed = 1;
	for (int i = 0; i < 20000; i++) {
		struct stv_buf pa = STV_BUF_INIT(1000), pb = STV_BUF_INIT(1000);
		struct key_diff diff;
		struct stv_digest ka, kb;
		struct fields a, b;
		bool is_same;
		int r;

		random_fields(&a);
		random_fields(&b);
		is_same = memcmp(&a, &b, sizeof(a)) == 0;
		n_equal += is_same;
		ka = key_of(&a, &pa);
		kb = key_of(&b, &pb);
		cr_assert_eq(stv_digest_equal(&ka, &kb), is_same);
		r = key_explain(pa.data, pa.len, pb.data, pb.len, &diff);
		cr_assert_eq(r, !is_same);
		key_diff_fini(&diff);
		stv_buf_fini(&pa);
		stv_buf_fini(&pb);
	}
	cr_expect_gt(n_equal, 100, "the draw must hit equal ones too");
}

Test(key, is_the_digest_of_its_preimage)
{
	struct stv_buf p = STV_BUF_INIT(1000);
	struct key *k = key_new("v");
	struct stv_digest d, want, other;

	key_add_str(k, "a", "b");
	key_end(k, &d, &p);
	want = stv_digest_of(p.data, p.len);
	cr_expect(stv_digest_equal(&d, &want));
	key_add_u64(k, "n", 7);
	key_end(k, &other, NULL);
	cr_expect_not(stv_digest_equal(&d, &other));
	key_free(k);
	stv_buf_fini(&p);
}

Test(key, the_version_and_absent_values_count)
{
	struct key *a = key_new("1"), *b = key_new("2"), *c = key_new("1");
	struct stv_digest da, db, dc;

	key_add_str(a, "x", NULL);
	key_add_str(b, "x", NULL);
	key_add_str(c, "x", "");
	key_end(a, &da, NULL);
	key_end(b, &db, NULL);
	key_end(c, &dc, NULL);
	cr_expect_not(stv_digest_equal(&da, &db));
	cr_expect_not(stv_digest_equal(&da, &dc));
	key_free(a);
	key_free(b);
	key_free(c);
}

/* The explanation of two keys made from name=value strings. */
static struct key_diff
explain(const char *const *old, const char *const *now)
{
	struct stv_buf pa = STV_BUF_INIT(10000), pb = STV_BUF_INIT(10000);
	struct key *a = key_new("1"), *b = key_new("1");
	struct key_diff diff;
	struct stv_digest d;

	for (; *old != NULL; old += 2)
		key_add_str(a, old[0], old[1]);
	for (; *now != NULL; now += 2)
		key_add_str(b, now[0], now[1]);
	key_end(a, &d, &pa);
	key_end(b, &d, &pb);
	(void)key_explain(pa.data, pa.len, pb.data, pb.len, &diff);
	stv_buf_fini(&pa);
	stv_buf_fini(&pb);
	key_free(a);
	key_free(b);
	return diff;
}

Test(key, a_changed_value_is_named)
{
	const char *const old[] = {"cmd", "make", "arg", "A=1", NULL};
	const char *const now[] = {"cmd", "make", "arg", "A=2", NULL};
	struct key_diff diff = explain(old, now);

	cr_expect_str_eq(diff.field, "arg");
	cr_expect_str_eq(diff.old_value, "A=1");
	cr_expect_str_eq(diff.new_value, "A=2");
	key_diff_fini(&diff);
}

Test(key, an_added_field_is_named)
{
	const char *const old[] = {"cmd", "make", "user", "0", NULL};
	const char *const now[] = {"cmd",  "make", "arg", "A=2",
				   "user", "0",	   NULL};
	struct key_diff diff = explain(old, now);

	cr_expect_str_eq(diff.field, "arg");
	cr_expect_null(diff.old_value);
	cr_expect_str_eq(diff.new_value, "A=2");
	key_diff_fini(&diff);
}

Test(key, a_removed_field_is_named)
{
	const char *const old[] = {"cmd",  "make", "arg", "A=2",
				   "user", "0",	   NULL};
	const char *const now[] = {"cmd", "make", "user", "0", NULL};
	struct key_diff diff = explain(old, now);

	cr_expect_str_eq(diff.field, "arg");
	cr_expect_str_eq(diff.old_value, "A=2");
	cr_expect_null(diff.new_value);
	key_diff_fini(&diff);
}

Test(key, what_is_shown_is_escaped_and_short)
{
	char long_value[1001];
	const char *const old[] = {"a", "\033]0;x\a", NULL};
	const char *const now[] = {"a", long_value, NULL};
	struct key_diff diff;

	memset(long_value, 'x', 1000);
	long_value[1000] = '\0';
	diff = explain(old, now);
	cr_expect(strchr(diff.old_value, '\033') == NULL);
	cr_expect_lt(strlen(diff.new_value), 200);
	key_diff_fini(&diff);
}

/* Every truncation and every flipped byte is read without harm. */
Test(key, a_damaged_preimage_is_a_difference)
{
	struct stv_buf p = STV_BUF_INIT(1000);
	struct key *k = key_new("v");
	struct key_diff diff;
	struct stv_digest d;

	key_add_str(k, "field", "value");
	key_add_str(k, "other", "value");
	key_end(k, &d, &p);
	key_free(k);
	for (size_t n = 0; n < p.len; n++) {
		char *copy = malloc(p.len);

		memcpy(copy, p.data, p.len);
		cr_expect_eq(key_explain(copy, n, p.data, p.len, &diff), 1);
		key_diff_fini(&diff);
		copy[n] = (char)(copy[n] ^ 0x80);
		cr_expect_eq(key_explain(copy, p.len, p.data, p.len, &diff), 1);
		key_diff_fini(&diff);
		free(copy);
	}
	stv_buf_fini(&p);
}
