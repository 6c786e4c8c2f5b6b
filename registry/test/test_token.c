/* registry/test/test_token.c - who gets to see a registry's password. */
#include <criterion/criterion.h>

#include "registry/token.h"

struct pair {
	const char *registry;
	const char *realm;
	bool want;
};

Test(token, a_login_goes_to_the_same_domain_only)
{
	static const struct pair cases[] = {
		{"registry.test", "registry.test", true},
		{"Registry.Test", "registry.test", true},
		{"registry-1.docker.io", "auth.docker.io", true},
		{"registry.example.com", "example.com", true},
		{"example.com", "auth.example.com", true},
		{"registry.example.com", "auth.example.com", true},
		{"registry.example.co.uk", "auth.example.co.uk", true},
		{"registry.example.co.uk", "evil.co.uk", false},
		{"registry.example.com", "evil.com", false},
		{"registry.example.com", "example.com.evil.test", false},
		{"registry.example.com", "evilexample.com", false},
		{"a.github.io", "b.github.io", false},
		{"localhost", "auth.localhost", false},
		{"127.0.0.1", "127.0.0.1", true},
		{"127.0.0.1", "127.0.0.2", false},
		{"10.0.0.1", "1.10.0.0.1", false},
		{"[::1]", "[::1]", true},
		{"[::1]", "[::2]", false},
		{"registry-1.docker.io", "auth.docker.io.evil.test", false},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		cr_assert_eq(
			reg_token_may_login(cases[i].registry, cases[i].realm),
			cases[i].want, "%s -> %s", cases[i].registry,
			cases[i].realm);
}
