/*
 * cmd/test/test_verbs.c - commands, and that the manual pages and the
 * completion say what the tables say.
 */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "core/buf.h"
#include "core/cleanup.h"
#include "core/err.h"
#include "core/fsat.h"
#include "core/mem.h"

#include "cmd/build_opts.h"
#include "cmd/opts.h"
#include "cmd/verbs.h"

#define PAGE_MAX ((size_t)1 << 20)

/* A file of the source tree; tests run in it, or below the build folder. */
static void
load(const char *path, struct stv_buf *ret)
{
	struct stv_err *err = NULL;
	stv_auto_free char *top = NULL;
	const char *dir = getenv("STAVE_SOURCE");

	top = stv_xasprintf("%s/%s", dir != NULL ? dir : ".", path);
	cr_assert_eq(stv_fsat_read_file(AT_FDCWD, top, PAGE_MAX, ret, &err), 0,
		     "%s: %s", path, stv_err_msg(err));
}

static bool
is_offered(const struct cmd_opt *o)
{
	return o->kind < CMD_KIND_MOOT;
}

/* The section of a command in stave(1): from its .Ss to the next one. */
static char *
section(const char *page, const char *name)
{
	stv_auto_free char *head = stv_xasprintf("\n.Ss stave %s\n", name);
	const char *at = strstr(page, head), *end;

	cr_assert_not_null(at, "stave(1) has no section on '%s'", name);
	at += strlen(head) - 1;
	end = at;
	do {
		end = strstr(end + 1, "\n.S");
	} while (end != NULL && end[3] != 's' && end[3] != 'h');
	return stv_xstrndup(at,
			    end != NULL ? (size_t)(end - at) + 1 : strlen(at));
}

/* Is "Fl Fl name" there as an item of a list, with its letter? */
static bool
has_item(const char *text, const struct cmd_opt *o)
{
	stv_auto_free char *item =
		o->letter != 0 ? stv_xasprintf("\n.It Fl %c , Fl Fl %s",
					       o->letter, o->name)
			       : stv_xasprintf("\n.It Fl Fl %s", o->name);
	const char *at = strstr(text, item);

	return at != NULL &&
	       (at[strlen(item)] == '\n' || at[strlen(item)] == ' ');
}

static bool
knows(const struct cmd_opt *o, const char *name, size_t n)
{
	for (; o->kind != CMD_KIND_END; o++)
		if (strncmp(o->name, name, n) == 0 && o->name[n] == '\0')
			return true;
	return false;
}

/* Every option has its item, and every item its option. */
static void
compare(const char *text, const struct cmd_verb *v)
{
	for (const struct cmd_opt *o = v->opts; o->kind != CMD_KIND_END; o++)
		if (is_offered(o))
			cr_expect(has_item(text, o), "%s: --%s has no item",
				  v->name, o->name);
	for (const char *at = text; (at = strstr(at, "\n.It Fl ")) != NULL;) {
		const char *name = strstr(at, "Fl Fl "), *line = at + 1;
		size_t n;

		at = line;
		if (name == NULL || name > line + strcspn(line, "\n"))
			continue;
		name += strlen("Fl Fl ");
		n = strcspn(name, " \n");
		cr_expect(knows(v->opts, name, n),
			  "%s: --%.*s is in the page only", v->name, (int)n,
			  name);
	}
}

/* Is it described in man/stave-NAME.1 and not in stave(1)? */
static bool
has_own_page(const struct cmd_verb *v)
{
	const char *dir = getenv("STAVE_SOURCE");
	stv_auto_free char *path = stv_xasprintf(
		"%s/man/stave-%s.1", dir != NULL ? dir : ".", v->name);
	struct stat st;

	return fstatat(AT_FDCWD, path, &st, 0) == 0;
}

Test(verbs, the_manual_has_every_command_and_option)
{
	stv_auto_buf page = STV_BUF_INIT(PAGE_MAX);

	load("man/stave.1", &page);
	for (size_t i = 0; cmd_verbs[i] != NULL; i++) {
		stv_auto_free char *text =
			section(stv_buf_str(&page), cmd_verbs[i]->name);

		if (!has_own_page(cmd_verbs[i]))
			compare(text, cmd_verbs[i]);
	}
}

Test(verbs, a_page_of_its_own_has_every_option)
{
	for (size_t i = 0; cmd_verbs[i] != NULL; i++) {
		stv_auto_buf page = STV_BUF_INIT(PAGE_MAX);
		stv_auto_free char *path =
			stv_xasprintf("man/stave-%s.1", cmd_verbs[i]->name);

		if (!has_own_page(cmd_verbs[i]) ||
		    cmd_verbs[i]->opts == cmd_build_opts)
			continue;
		load(path, &page);
		compare(stv_buf_str(&page), cmd_verbs[i]);
	}
}

Test(verbs, the_manual_of_build_has_every_option)
{
	stv_auto_buf page = STV_BUF_INIT(PAGE_MAX);
	static const struct cmd_verb build = {.name = "build",
					      .opts = cmd_build_opts};

	load("man/stave-build.1", &page);
	compare(stv_buf_str(&page), &build);
}

Test(verbs, the_manual_has_dockers_names)
{
	stv_auto_buf page = STV_BUF_INIT(PAGE_MAX);

	load("man/stave.1", &page);
	for (const struct cmd_alias *a = cmd_aliases; a->group != NULL; a++) {
		stv_auto_free char *name =
			stv_xasprintf("\n.It %s %s\n", a->group, a->word);

		cr_expect_not_null(strstr(stv_buf_str(&page), name),
				   "stave(1) lacks '%s %s'", a->group, a->word);
	}
}

/* The words of a variable in the completion: name='a b c'. */
static char *
words_of(const char *text, const char *name)
{
	stv_auto_free char *head = stv_xasprintf("\n\t[%s]='", name);
	const char *at = strstr(text, head);

	cr_assert_not_null(at, "the completion lacks '%s'", name);
	at += strlen(head);
	return stv_xasprintf(" %.*s ", (int)strcspn(at, "'"), at);
}

Test(verbs, the_completion_has_every_command_and_option)
{
	stv_auto_buf text = STV_BUF_INIT(PAGE_MAX);

	load("completion/stave.bash", &text);
	for (size_t i = 0; cmd_verbs[i] != NULL; i++) {
		const struct cmd_verb *v = cmd_verbs[i];
		stv_auto_free char *words =
			words_of(stv_buf_str(&text), v->name);

		for (const struct cmd_opt *o = v->opts; o->kind != CMD_KIND_END;
		     o++) {
			stv_auto_free char *word =
				stv_xasprintf(" --%s ", o->name);

			cr_expect_eq(strstr(words, word) != NULL, is_offered(o),
				     "%s: --%s", v->name, o->name);
		}
	}
}

/* Letters and names must not mean two things in one command. */
Test(verbs, no_option_is_defined_twice)
{
	for (size_t i = 0; cmd_verbs[i] != NULL; i++) {
		const struct cmd_opt *o = cmd_verbs[i]->opts;

		for (; o->kind != CMD_KIND_END; o++) {
			for (const struct cmd_opt *p = o + 1;
			     p->kind != CMD_KIND_END; p++) {
				cr_expect_str_neq(o->name, p->name);
				cr_expect(o->letter == 0 ||
						  o->letter != p->letter,
					  "%s: -%c", cmd_verbs[i]->name,
					  o->letter);
			}
		}
	}
}

struct find_row {
	char words[2][16];
	char want[24]; /* the command, or "!" and the error */
};

ParameterizedTestParameters(verbs, commands_are_found)
{
	static struct find_row rows[] = {
		{{"images", "-a"}, "images"},
		{{"image", "ls"}, "images"},
		{{"image", "rm"}, "rmi"},
		{{"image", "prune"}, "image prune"},
		{{"system", "df"}, "df"},
		{{"image", "frob"}, "!unknown command 'image"},
		{{"imagse", ""}, "!unknown command 'imags"},
	};

	return cr_make_param_array(struct find_row, rows, STV_ARRAY_LEN(rows));
}

ParameterizedTest(struct find_row *r, verbs, commands_are_found)
{
	char *argv[] = {r->words[0], r->words[1], NULL};
	const struct cmd_verb *v = NULL;
	struct stv_err *err = NULL;

	if (cmd_verb_find(argv, 2, &v, &err) > 0)
		cr_expect_str_eq(v->name, r->want);
	else
		cr_expect_eq(strncmp(stv_err_msg(err), r->want + 1,
				     strlen(r->want) - 1),
			     0, "%s", stv_err_msg(err));
	stv_err_free(err);
}
