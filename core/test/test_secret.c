/* core/test/test_secret.c - what in texts of the user may be secret. */
#include <string.h>

#include <criterion/criterion.h>

#include "core/cleanup.h"
#include "core/mem.h"

#include "core/secret.h"

struct row {
	const char *text;
	const char *want;
};

/* THREATS C19. */
Test(secret, urls_show_neither_user_nor_signature)
{
	static const struct row rows[] = {
		{"", ""},
		{"://", "://"},
		{"ADD https://h/a /b", "ADD https://h/a /b"},
		{"ADD https://u:p@h/a /b", "ADD https://***@h/a /b"},
		{"ADD https://u:p@", "ADD https://***@"},
		{"ADD [\"https://u:p@h/a\",\"/b\"]",
		 "ADD [\"https://***@h/a\",\"/b\"]"},
		{"https://u:p@q@h:1/x@y", "https://*****@h:1/x@y"},
		{"https://token@h.git#main", "https://*****@h.git#main"},
		{"ssh://git@h/r ssh://u:p@h/r", "ssh://git@h/r ssh://***@h/r"},
		{"https://u:p@a https://v:q@b", "https://***@a https://***@b"},
		{"https://h/x?a=1&X-Amz-Signature=abc&b=2#c",
		 "https://h/x?a=1&X-Amz-Signature=***&b=2#c"},
		{"https://h?sig=a&sig=b /x", "https://h?sig=*&sig=* /x"},
		{"https://h?access_token=", "https://h?access_token="},
		{"https://h?version=1&tokens", "https://h?version=1&tokens"},
		{"https://h/a?u=http://u:p@i", "https://h/a?u=http://***@i"},
		{"mail@host.x a@b://c", "mail@host.x a@b://c"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		stv_auto_free char *s = stv_xstrdup(rows[i].text);

		stv_secret_mask_urls(s, strlen(s));
		cr_expect_str_eq(s, rows[i].want);
	}
}

Test(secret, only_so_many_bytes_are_looked_at)
{
	char s[] = "https://u:p@h";

	stv_secret_mask_urls(s, 10);
	cr_expect_str_eq(s, "https://u:p@h");
	stv_secret_mask_urls(s, 12);
	cr_expect_str_eq(s, "https://***@h");
}

Test(secret, names_tell)
{
	cr_expect(stv_secret_is_name("API_TOKEN"));
	cr_expect(stv_secret_is_name("ssh.key"));
	cr_expect(stv_secret_is_name("X-Goog-Credential"));
	cr_expect_not(stv_secret_is_name("KEYBOARD"));
	cr_expect_not(stv_secret_is_name("VERSION"));
	cr_expect_not(stv_secret_is_name(""));
}
