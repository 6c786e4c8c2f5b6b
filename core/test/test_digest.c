/* core/test/test_digest.c - digests: known answers and strict names. */
#include <string.h>

#include <criterion/criterion.h>
#include <criterion/parameterized.h>

#include "core/err.h"

#include "core/digest.h"

#define EMPTY "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define ABC "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"

Test(digest, known_answers)
{
	struct stv_digest d = stv_digest_of("", 0);
	char buf[STV_DIGEST_STR_MAX];

	cr_expect_str_eq(stv_digest_hex(&d, buf), EMPTY);
	d = stv_digest_of("abc", 3);
	cr_expect_str_eq(stv_digest_str(&d, buf), "sha256:" ABC);
}

Test(digest, in_pieces_as_in_one)
{
	stv_auto(stv_hash) *h = stv_hash_new();
	struct stv_digest d, whole = stv_digest_of("abc", 3);

	stv_hash_add(h, "a", 1);
	stv_hash_add(h, NULL, 0);
	stv_hash_add(h, "bc", 2);
	d = stv_hash_end(h);
	cr_expect(stv_digest_equal(&d, &whole));
	stv_hash_add(h, "abc", 3);
	d = stv_hash_end(h);
	cr_expect(stv_digest_equal(&d, &whole), "it starts anew");
}

Test(digest, fields_do_not_run_into_each_other)
{
	stv_auto(stv_hash) *h = stv_hash_new();
	struct stv_digest a, b;

	stv_hash_add_field(h, "ab", 2);
	stv_hash_add_field(h, "c", 1);
	a = stv_hash_end(h);
	stv_hash_add_field(h, "a", 1);
	stv_hash_add_field(h, "bc", 2);
	b = stv_hash_end(h);
	cr_expect_not(stv_digest_equal(&a, &b));
	cr_expect_neq(stv_digest_cmp(&a, &b), 0);
	cr_expect_eq(stv_digest_cmp(&a, &b) > 0, stv_digest_cmp(&b, &a) < 0);
}

Test(digest, a_length_is_eight_bytes_little_endian)
{
	stv_auto(stv_hash) *h = stv_hash_new();
	struct stv_digest a, b = stv_digest_of("\x02\0\0\0\0\0\0\0hi", 10);

	stv_hash_add_field(h, "hi", 2);
	a = stv_hash_end(h);
	cr_expect(stv_digest_equal(&a, &b), "it is part of every cache key");
}

Test(digest, print_and_parse)
{
	struct stv_digest d = stv_digest_of("abc", 3), back;
	char buf[STV_DIGEST_STR_MAX];
	struct stv_err *err = NULL;

	cr_assert_eq(stv_digest_parse(stv_digest_str(&d, buf), &back, &err), 0);
	cr_expect(stv_digest_equal(&d, &back));
}

struct bad_digest {
	char text[160];
};

ParameterizedTestParameters(digest, only_the_strict_form_is_accepted)
{
	static struct bad_digest cases[] = {
		{""},
		{"sha256:"},
		{"sha256:"
		 "ba7816bf"},
		{ABC},
		{"SHA256:" ABC},
		{"sha256:" ABC "0"},
		{"sha256:" ABC "\n"},
		{" sha256:" ABC},
		{"sha256:BA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410"
		 "FF61F20015AD"},
		{"sha256:../../../../../../../../../../../../../../../../etc/"
		 "passwdd"},
		{"sha512:" ABC ABC},
		{"sha512:" ABC},
		{"md5:d41d8cd98f00b204e9800998ecf8427e"},
		{"sha256:ga7816bf8f01cfea414140de5dae2223b00361a396177a9cb410"
		 "ff61f20015ad"},
		{"sha256:/a7816bf8f01cfea414140de5dae2223b00361a396177a9cb410"
		 "ff61f20015ad"},
		{"sha256:a:7816bf8f01cfea414140de5dae2223b00361a396177a9cb410"
		 "ff61f20015a"},
	};

	return cr_make_param_array(struct bad_digest, cases,
				   STV_ARRAY_LEN(cases));
}

ParameterizedTest(struct bad_digest *c, digest,
		  only_the_strict_form_is_accepted)
{
	struct stv_digest d = stv_digest_of("x", 1), before = d;
	struct stv_err *err = NULL;

	cr_assert_eq(stv_digest_parse(c->text, &d, &err), -1);
	cr_expect_eq(stv_err_code(err), STV_E_DIGEST);
	cr_expect(stv_digest_equal(&d, &before), "nothing is written");
	stv_err_free(err);
}
