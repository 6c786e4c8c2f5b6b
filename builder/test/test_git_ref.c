/* builder/test/test_git_ref.c - what names a repository.  The rows up to the
 * mark are what BuildKit's parser is known to answer. */
#include <criterion/criterion.h>
#include <string.h>

#include "core/err.h"

#include "builder/git_ref.h"

#define A40 "0123456789abcdef0123456789abcdef01234567"

struct row {
	const char *text;
	const char *remote; /* NULL: no repository */
	const char *ref;
	const char *subdir;
	const char *checksum;
	const char *flags; /* k K: keep; s: no submodules; m, c, b */
};

static const struct row rows[] = {
	{"https://example.com/", NULL, NULL, NULL, NULL, ""},
	{"https://example.com/foo", NULL, NULL, NULL, NULL, ""},
	{"https://example.com/foo.git", "https://example.com/foo.git", NULL,
	 NULL, NULL, ""},
	{"https://example.com/foo.git#deadbeef", "https://example.com/foo.git",
	 "deadbeef", NULL, NULL, ""},
	{"https://example.com/foo.git#release/1.2",
	 "https://example.com/foo.git", "release/1.2", NULL, NULL, ""},
	{"https://example.com/foo.git/", NULL, NULL, NULL, NULL, ""},
	{"https://example.com/foo.git.bar", NULL, NULL, NULL, NULL, ""},
	{"git://example.com/foo", "git://example.com/foo", NULL, NULL, NULL,
	 ""},
	{"github.com/moby/buildkit", "https://github.com/moby/buildkit", NULL,
	 NULL, NULL, "b"},
	{"github.com/moby/buildkit#master", "https://github.com/moby/buildkit",
	 "master", NULL, NULL, "b"},
	{"custom.xyz/moby/buildkit.git", NULL, NULL, NULL, NULL, ""},
	{"https://github.com/moby/buildkit", NULL, NULL, NULL, NULL, ""},
	{"https://foo:bar@github.com/moby/buildkit.git",
	 "https://github.com/moby/buildkit.git", NULL, NULL, NULL, ""},
	{"git@github.com:moby/buildkit", "git@github.com:moby/buildkit", NULL,
	 NULL, NULL, ""},
	{"git@github.com:moby/buildkit.git", "git@github.com:moby/buildkit.git",
	 NULL, NULL, NULL, ""},
	{"https://github.com/foo/bar.git#baz/qux:quux/quuz",
	 "https://github.com/foo/bar.git", "baz/qux", "quux/quuz", NULL, ""},
	{"http://github.com/docker/docker.git:#branch", NULL, NULL, NULL, NULL,
	 ""},
	{"https://github.com/docker/docker.git#:myfolder",
	 "https://github.com/docker/docker.git", NULL, "myfolder", NULL, ""},
	{"./.git", NULL, NULL, NULL, NULL, ""},
	{"../x.git", NULL, NULL, NULL, NULL, ""},
	{".git", NULL, NULL, NULL, NULL, ""},
	{"https://github.com/docker/docker.git?ref=v1.0.0&subdir=/subdir",
	 "https://github.com/docker/docker.git", "v1.0.0", "/subdir", NULL, ""},
	{"https://github.com/moby/buildkit.git?subdir=/subdir#v1.0.0",
	 "https://github.com/moby/buildkit.git", "v1.0.0", "/subdir", NULL, ""},
	{"https://github.com/moby/buildkit.git?tag=v1.0.0",
	 "https://github.com/moby/buildkit.git", "refs/tags/v1.0.0", NULL, NULL,
	 ""},
	{"github.com/moby/buildkit?tag=v1.0.0",
	 "https://github.com/moby/buildkit", "refs/tags/v1.0.0", NULL, NULL,
	 "b"},
	{"https://github.com/moby/buildkit.git?branch=v1.0",
	 "https://github.com/moby/buildkit.git", "refs/heads/v1.0", NULL, NULL,
	 ""},
	{"https://github.com/moby/buildkit.git?branch=refs/heads/v1.0",
	 "https://github.com/moby/buildkit.git", "refs/heads/v1.0", NULL, NULL,
	 ""},
	{"git@github.com:moby/buildkit.git?subdir=/subdir#v1.0.0",
	 "git@github.com:moby/buildkit.git", "v1.0.0", "/subdir", NULL, ""},
	{"ssh://git@github.com:22/moby/buildkit.git",
	 "ssh://git@github.com:22/moby/buildkit.git", NULL, NULL, NULL, ""},
	{"nonstandarduser@example.com:/srv/repos/weird/project.git",
	 "nonstandarduser@example.com:/srv/repos/weird/project.git", NULL, NULL,
	 NULL, ""},
	{"ssh://root@subdomain.example.hostname:2222/root/my/foo.git",
	 "ssh://root@subdomain.example.hostname:2222/root/my/foo.git", NULL,
	 NULL, NULL, ""},
	{"git://host.xz:1234/path/to/repo.git",
	 "git://host.xz:1234/path/to/repo.git", NULL, NULL, NULL, ""},
	{"ssh://someuser@192.168.0.123:456/~/repo-in-my-home-dir.git",
	 "ssh://someuser@192.168.0.123:456/~/repo-in-my-home-dir.git", NULL,
	 NULL, NULL, ""},
	{"httpx://github.com/moby/buildkit", NULL, NULL, NULL, NULL, ""},
	{"file:///srv/x.git", NULL, NULL, NULL, NULL, ""},
	{"HTTPS://github.com/moby/buildkit.git",
	 "https://github.com/moby/buildkit.git", NULL, NULL, NULL, ""},
	{"https://h/x.git?checksum=deadbeef", "https://h/x.git", "deadbeef",
	 NULL, "deadbeef", ""},
	{"https://h/x.git?commit=deadbeef&branch=b", "https://h/x.git",
	 "refs/heads/b", NULL, "deadbeef", ""},
	{"https://h/x.git?keep-git-dir&submodules=false", "https://h/x.git",
	 NULL, NULL, NULL, "ks"},
	{"https://h/x.git?keep-git-dir=0", "https://h/x.git", NULL, NULL, NULL,
	 "K"},
	{"https://h/x.git?mtime=commit&fetch-by-commit=1&commit=" A40,
	 "https://h/x.git", A40, NULL, A40, "mc"},
	{"https://h/x.git?mtime=checkout", "https://h/x.git", NULL, NULL, NULL,
	 ""},
	/* What a path may be as well (tried with docker 28). */
	{"a:b", NULL, NULL, NULL, NULL, ""},
	{"example.com:x", NULL, NULL, NULL, NULL, ""},
	{"127.0.0.1:x", "127.0.0.1:x", NULL, NULL, NULL, ""},
	{"-", NULL, NULL, NULL, NULL, ""},
	{"", NULL, NULL, NULL, NULL, ""},
	{".", NULL, NULL, NULL, NULL, ""},
	{"/a/b@c:d", NULL, NULL, NULL, NULL, ""},
	/* Our own: what could mean another thing to git or ssh. */
	{"git@-oProxyCommand=x:y", NULL, NULL, NULL, NULL, ""},
	{"-x@host:y", NULL, NULL, NULL, NULL, ""},
	{"ssh://-oProxyCommand=x/y", NULL, NULL, NULL, NULL, ""},
	{"ssh://-oProxyCommand=x@h/y", NULL, NULL, NULL, NULL, ""},
	{"x@ext::sh -c true", NULL, NULL, NULL, NULL, ""},
	{"x@helper://y", NULL, NULL, NULL, NULL, ""},
	{"https://h:no/x.git", NULL, NULL, NULL, NULL, ""},
	{"https:///x.git", NULL, NULL, NULL, NULL, ""},
	{"https://h/%zz.git", NULL, NULL, NULL, NULL, ""},
	{"https://h/x%2egit", "https://h/x%2egit", NULL, NULL, NULL, ""},
	{"https://h/x.git#a%20b", "https://h/x.git", "", NULL, NULL, "!"},
};

static void
same(const char *text, const char *what, const char *got, const char *want)
{
	if (want == NULL)
		cr_expect_null(got, "%s: %s is '%s'", text, what, got);
	else if (got == NULL)
		cr_expect(false, "%s: no %s", text, what);
	else
		cr_expect_str_eq(got, want, "%s: %s", text, what);
}

static void
check(const struct row *row)
{
	bld_auto_git_ref r = {0};
	struct stv_err *err = NULL;
	int rc = bld_git_ref_parse(row->text, &r, &err);
	const char *f = row->flags;

	if (strchr(f, '!') != NULL) {
		cr_expect_eq(rc, -1, "%s: %d", row->text, rc);
		stv_err_free(err);
		return;
	}
	cr_expect_eq(rc, row->remote != NULL, "%s: %d %s", row->text, rc,
		     rc < 0 ? stv_err_msg(err) : "");
	stv_err_free(err);
	if (rc != 1)
		return;
	same(row->text, "remote", r.remote, row->remote);
	same(row->text, "ref", r.ref, row->ref);
	same(row->text, "subdir", r.subdir, row->subdir);
	same(row->text, "checksum", r.checksum, row->checksum);
	cr_expect_eq(r.has_keep_git_dir, strpbrk(f, "kK") != NULL, "%s",
		     row->text);
	cr_expect_eq(r.keep_git_dir, strchr(f, 'k') != NULL, "%s", row->text);
	cr_expect_eq(r.skip_submodules, strchr(f, 's') != NULL, "%s",
		     row->text);
	cr_expect_eq(r.is_mtime_commit, strchr(f, 'm') != NULL, "%s",
		     row->text);
	cr_expect_eq(r.fetch_by_commit, strchr(f, 'c') != NULL, "%s",
		     row->text);
	cr_expect_eq(r.is_bare, strchr(f, 'b') != NULL, "%s", row->text);
}

Test(git_ref, what_names_a_repository)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		check(&rows[i]);
}

static const struct {
	const char *text;
	const char *part; /* of the message */
} refused[] = {
	{"https://h/x.git?ref=v1.0.0#v1.2.3", "ref conflicts"},
	{"https://h/x.git?ref=v1.0.0&tag=v1.2.3", "ref conflicts"},
	{"https://h/x.git?tag=v1.0.0&branch=v1.0", "branch conflicts with tag"},
	{"https://h/x.git?subdir=a#b:c", "subdir conflicts"},
	{"https://h/x.git?invalid=123", "unexpected query \"invalid\""},
	{"https://h/x.git?ref=a&ref=a", "multiple values"},
	{"https://h/x.git?ref=", "has no value"},
	{"https://h/x.git?ref", "has no value"},
	{"https://h/x.git?submodules=maybe", "invalid submodules value"},
	{"https://h/x.git?keep-git-dir=2", "invalid keep-git-dir value"},
	{"https://h/x.git?mtime=now", "invalid mtime value"},
	{"https://h/x.git?commit=xyz", "expected hex commit hash"},
	{"https://h/x.git?fetch-by-commit", "needs a commit"},
	{"https://h/x.git?ref=%zz", "malformed"},
	{"https://h/x.git#-x", "invalid git ref"},
	{"https://h/x.git#--upload-pack=touch%20x", "invalid git ref"},
	{"https://h/x.git#a..b", "invalid git ref"},
	{"https://h/x.git?ref=a:b", "invalid git ref"},
	{"https://h/x.git?ref=a%0ab", "invalid git ref"},
	{"https://h/x.git?ref=a*", "invalid git ref"},
	{"https://h/x.git?ref=HEAD@%7b1%7d", "invalid git ref"},
	{"git@h:x\ny", "control characters"},
	{"https://h/a\tb.git", "control characters"},
	{"https://me:a%0Ab@h/x.git", "user or password"},
	{"https://me:%zz@h/x.git", "user or password"},
};

Test(git_ref, what_is_wrong_is_said)
{
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		bld_auto_git_ref r = {0};
		struct stv_err *err = NULL;

		cr_expect_eq(bld_git_ref_parse(refused[i].text, &r, &err), -1,
			     "%s", refused[i].text);
		cr_expect_null(r.remote);
		if (err != NULL)
			cr_expect(strstr(stv_err_msg(err), refused[i].part) !=
					  NULL,
				  "%s: %s", refused[i].text, stv_err_msg(err));
		stv_err_free(err);
	}
}

Test(git_ref, credentials_are_apart)
{
	bld_auto_git_ref r = {0};
	struct stv_err *err = NULL;

	cr_assert_eq(
		bld_git_ref_parse("https://me:p%40ss@h/x.git?ref=a", &r, &err),
		1);
	cr_expect_str_eq(r.userinfo, "me:p%40ss");
	cr_expect_str_eq(r.shown, "https://h/x.git");
	cr_expect_str_eq(r.remote, "https://h/x.git");
	bld_git_ref_fini(&r);
	cr_assert_eq(
		bld_git_ref_parse("https://me:pass@h/x.git?no=1", &r, &err),
		-1);
	cr_expect(strstr(stv_err_msg(err), "pass") == NULL);
	stv_err_free(err);
}

Test(git_ref, commits_are_whole_and_lower_case)
{
	cr_expect(bld_git_is_commit(A40));
	cr_expect(bld_git_is_commit(A40 "0123456789abcdef01234567"));
	cr_expect(!bld_git_is_commit(A40 "0"));
	cr_expect(!bld_git_is_commit("deadbeef"));
	cr_expect(
		!bld_git_is_commit("0123456789ABCDEF0123456789abcdef01234567"));
	cr_expect(!bld_git_is_commit(""));
}
