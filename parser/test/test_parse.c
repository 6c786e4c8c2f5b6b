/*
 * parser/test/test_parse.c - tests of parser/parse.h.
 *
 * testdata/dockerfiles/{ok,bad}/NAME holds a Dockerfile and what is expected:
 * the tree, or the messages.  STAVE_ACCEPT=1 rewrites the expectations.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>
#include <criterion/parameterized.h>

#include "core/buf.h"
#include "core/cleanup.h"
#include "core/diag.h"
#include "core/err.h"
#include "core/fsat.h"
#include "core/json.h"
#include "core/limits.h"
#include "core/mem.h"
#include "core/source.h"
#include "core/strs.h"

#include "parser/parse.h"
#include "parser/words.h"

#define CASES "testdata/dockerfiles"

/* One parse of a text, with all that must be freed. */
struct run {
	struct stv_sources *sources;
	struct stv_diags diags;
	struct df_file *file;
	struct stv_err *err;
	int rc;
};

static void
run_init(struct run *r, const char *text, size_t len)
{
	uint32_t no;

	*r = (struct run){.sources = stv_sources_new()};
	cr_assert_eq(stv_sources_add(r->sources, "Dockerfile", text, len, &no,
				     &r->err),
		     0);
	r->rc = df_parse(r->sources, no, &r->file, &r->diags, &r->err);
}

static void
run_fini(struct run *r)
{
	df_file_free(r->file);
	stv_diags_fini(&r->diags);
	stv_err_free(r->err);
	stv_sources_free(r->sources);
}

static struct run
run_text(const char *text)
{
	struct run r;

	run_init(&r, text, strlen(text));
	return r;
}

static void
read_file(const char *path, struct stv_buf *ret)
{
	struct stv_err *err = NULL;

	if (stv_fsat_read_file(AT_FDCWD, path, STV_MAX_SOURCE, ret, &err) < 0) {
		cr_expect(false, "%s: %s", path, stv_err_msg(err));
		stv_err_free(err);
	}
}

/* The tree, an instruction a line, and what JSON does not show of it. */
static void
print_tree(const struct df_file *f, struct stv_buf *out)
{
	json_t *tree = df_to_json(f), *v;
	size_t i;

	stv_json_dump(json_object_get(tree, "directives"), out);
	stv_buf_addc(out, '\n');
	json_array_foreach (json_object_get(tree, "instructions"), i, v) {
		stv_json_dump(v, out);
		stv_buf_adds(out, "\n  ");
		stv_buf_add_escaped(out, f->nodes[i].original,
				    strlen(f->nodes[i].original));
		stv_buf_addc(out, '\n');
		if (f->nodes[i].trigger == NULL)
			continue;
		stv_buf_adds(out, "  trigger ");
		stv_buf_add_escaped(out, f->nodes[i].trigger,
				    strlen(f->nodes[i].trigger));
		stv_buf_addc(out, '\n');
	}
	json_decref(tree);
}

/* All that a parse has to say, as text. */
static void
print_run(const struct run *r, struct stv_buf *out)
{
	for (size_t i = 0; i < r->diags.len; i++)
		stv_diag_render(&r->diags.v[i], r->sources, false, out);
	if (r->rc == 0)
		print_tree(r->file, out);
	else
		stv_err_render(r->err, NULL, false, out);
}

/* Every byte belongs to exactly one piece, and only blanks are space. */
static void
check_pieces(const struct df_file *f, const char *name)
{
	const struct stv_source *src = f->source;
	uint32_t at = 0;

	for (size_t i = 0; i < f->n_pieces; i++) {
		struct stv_span s = f->pieces[i].span;
		size_t len = s.end - s.begin;

		cr_expect_eq(s.begin, at, "%s: a gap or overlap at %u", name,
			     at);
		at = s.end;
		if (f->pieces[i].kind != DF_P_SPACE)
			continue;
		(void)df_trim(src->text + s.begin, &len);
		cr_expect_eq(len, 0, "%s: text at %u is no space", name,
			     s.begin);
	}
	cr_expect_eq(at, src->len, "%s: the end is missing", name);
}

/* Compare with the file of expectations, or rewrite it. */
static void
compare(const char *dir, const char *name, const struct stv_buf *got)
{
	stv_auto_free char *path =
		stv_xasprintf(CASES "/%s/%s/expected", dir, name);
	stv_auto_buf want = STV_BUF_INIT(STV_MAX_SOURCE);
	struct stv_err *err = NULL;

	if (getenv("STAVE_ACCEPT") != NULL) {
		cr_assert_eq(stv_fsat_replace(AT_FDCWD, path, got->data,
					      got->len, 0644, false, &err),
			     0);
		return;
	}
	read_file(path, &want);
	cr_expect_str_eq(stv_buf_str(got), stv_buf_str(&want), "%s/%s", dir,
			 name);
}

/* Parse one case. */
static void
check_case(const char *dir, const char *name, bool is_ok)
{
	stv_auto_free char *path =
		stv_xasprintf(CASES "/%s/%s/Dockerfile", dir, name);
	stv_auto_buf text = STV_BUF_INIT(STV_MAX_SOURCE);
	stv_auto_buf got = STV_BUF_INIT(STV_MAX_SOURCE);
	struct run r;

	read_file(path, &text);
	run_init(&r, stv_buf_str(&text), text.len);
	cr_expect_eq(r.rc, is_ok ? 0 : -1, "%s/%s", dir, name);
	print_run(&r, &got);
	compare(dir, name, &got);
	if (r.file != NULL)
		check_pieces(r.file, name);
	else
		cr_expect_eq(stv_err_code(r.err), STV_E_SYNTAX);
	run_fini(&r);
}

static void
check_all(const char *dir, bool is_ok)
{
	stv_auto_free char *path = stv_xasprintf(CASES "/%s", dir);
	struct dirent **names;
	int n = scandir(path, &names, NULL, alphasort);

	cr_assert_gt(n, 10, "no cases in %s", path);
	for (int i = 0; i < n; i++) {
		if (names[i]->d_name[0] != '.')
			check_case(dir, names[i]->d_name, is_ok);
		free(names[i]);
	}
	free(names);
}

Test(parse, good_files_give_their_trees)
{
	check_all("ok", true);
}

Test(parse, bad_files_give_their_messages)
{
	check_all("bad", false);
}

Test(parse, the_tree_in_json_has_the_documented_members)
{
	struct run r = run_text("FROM a\nCOPY --from=build a \\\n /b\n");
	stv_auto_buf out = STV_BUF_INIT(STV_MAX_SOURCE);
	json_t *tree = df_to_json(r.file);

	stv_json_dump(tree, &out);
	json_decref(tree);
	cr_expect_str_eq(
		stv_buf_str(&out),
		"{\"directives\":{},\"instructions\":["
		"{\"name\":\"from\",\"flags\":[],\"args\":[\"a\"],"
		"\"json\":false,\"heredocs\":[],\"onbuild\":null,"
		"\"span\":{\"begin\":0,\"end\":6,\"line\":1,\"column\":1,"
		"\"end_line\":1,\"end_column\":7}},"
		"{\"name\":\"copy\",\"flags\":[\"--from=build\"],"
		"\"args\":[\"a\",\"/b\"],\"json\":false,\"heredocs\":[],"
		"\"onbuild\":null,"
		"\"span\":{\"begin\":7,\"end\":32,\"line\":2,\"column\":1,"
		"\"end_line\":3,\"end_column\":4}}]}");
	run_fini(&r);
}

/* The text that a span covers. */
static char *
covered(const struct df_file *f, struct stv_span s)
{
	return stv_xstrndup(f->source->text + s.begin, s.end - s.begin);
}

#define EXPECT_COVERS(f, span, want)                                           \
	do {                                                                   \
		stv_auto_free char *got_ = covered(f, span);                   \
		cr_expect_str_eq(got_, want);                                  \
	} while (0)

Test(parse, spans_cover_what_they_name)
{
	struct run r = run_text("FROM a\n"
				"  COPY --from=\"b c\" d\\\ne <<X /f\n"
				"body\nX\n"
				"ENV A=\"x y\" B=2\n"
				"CMD [ \"a\", \"b\\\"\" ]\n");
	const struct df_node *copy = &r.file->nodes[1];
	const struct df_node *env = &r.file->nodes[2];
	const struct df_node *cmd = &r.file->nodes[3];

	EXPECT_COVERS(r.file, copy->span, "COPY --from=\"b c\" d\\\ne <<X /f");
	EXPECT_COVERS(r.file, copy->keyword_span, "COPY");
	EXPECT_COVERS(r.file, copy->flags[0].span, "--from=\"b c\"");
	EXPECT_COVERS(r.file, copy->flags[0].name_span, "--from");
	EXPECT_COVERS(r.file, copy->flags[0].value_span, "\"b c\"");
	EXPECT_COVERS(r.file, copy->args[0].span, "d\\\ne");
	EXPECT_COVERS(r.file, copy->args[1].span, "<<X");
	EXPECT_COVERS(r.file, copy->heredocs[0].tag_span, "<<X");
	EXPECT_COVERS(r.file, copy->heredocs[0].body_span, "body\n");
	EXPECT_COVERS(r.file, copy->heredocs[0].end_span, "X");
	EXPECT_COVERS(r.file, env->args[1].span, "\"x y\"");
	EXPECT_COVERS(r.file, env->args[2].span, "=");
	EXPECT_COVERS(r.file, cmd->args[1].span, "\"b\\\"\"");
	cr_expect_str_eq(cmd->args[1].text, "b\"");
	cr_expect_str_eq(copy->flags[0].value, "b c");
	run_fini(&r);
}

Test(parse, heredocs_are_found_by_their_word)
{
	struct run r = run_text("FROM a\n"
				"COPY <<A <<-\"B\" f /d\na\nA\n\tb\n\t\tb\nB\n"
				"RUN <<A\na\nA\n"
				"RUN cat <<A\na\nA\n");
	const struct df_node *copy = &r.file->nodes[1];
	const struct df_heredoc *a, *b;
	stv_auto_free char *text = NULL;

	a = df_node_heredoc(copy, copy->args[0].text);
	b = df_node_heredoc(copy, copy->args[1].text);
	cr_assert_not_null(a);
	cr_assert_not_null(b);
	cr_expect_str_eq(a->content, "a\n");
	cr_expect(a->expand);
	cr_expect_not(b->expand);
	text = df_heredoc_text(b);
	cr_expect_str_eq(text, "b\nb\n", "'<<-' strips tabs when used");
	cr_expect_str_eq(b->content, "\tb\n\t\tb\n", "and not before");
	cr_expect_null(df_node_heredoc(copy, copy->args[2].text));
	cr_expect_not_null(df_node_heredoc(&r.file->nodes[2],
					   r.file->nodes[2].args[0].text));
	cr_expect_null(df_node_heredoc(&r.file->nodes[3],
				       r.file->nodes[3].args[0].text));
	run_fini(&r);
}

/* Parse a trigger; its only node, or NULL. */
static const struct df_node *
trigger(struct run *r, const char *text)
{
	*r = (struct run){.sources = stv_sources_new()};
	r->rc = df_parse_onbuild(r->sources, text, &r->file, &r->diags,
				 &r->err);
	return r->rc == 0 ? &r->file->nodes[0] : NULL;
}

Test(parse, a_trigger_is_one_instruction)
{
	const struct df_node *n;
	struct run r;

	n = trigger(&r, "COPY --chown=1 . /app");
	cr_assert_not_null(n);
	cr_expect_eq(n->kind, DF_COPY);
	cr_expect_eq(n->n_args, 2);
	run_fini(&r);
	n = trigger(&r, "RUN cat <<A\nbody\nA");
	cr_assert_not_null(n);
	cr_expect_str_eq(n->heredocs[0].content, "body\n");
	run_fini(&r);
}

struct trigger_case {
	char text[32];
};

ParameterizedTestParameters(parse, bad_triggers_are_refused)
{
	static struct trigger_case cases[] = {
		{""},
		{"# comment"},
		{"FROM x"},
		{"MAINTAINER x"},
		{"ONBUILD RUN x"},
		{"RUN x\nRUN y"},
		{"COPY x"},
		{"NOTHING x"},
	};

	return cr_make_param_array(struct trigger_case, cases,
				   STV_ARRAY_LEN(cases));
}

ParameterizedTest(struct trigger_case *c, parse, bad_triggers_are_refused)
{
	struct run r;

	cr_expect_null(trigger(&r, c->text));
	cr_expect_gt(r.diags.n_errors, 0);
	run_fini(&r);
}

Test(parse, what_onbuild_records_can_be_parsed_again)
{
	struct run r = run_text("FROM a\nONBUILD COPY <<A <<-'B' /d/\n"
				"$a\nA\n\tb\n\tB\n");
	struct run again;
	const struct df_node *n = trigger(&again, r.file->nodes[1].trigger);

	cr_assert_not_null(n);
	cr_expect_eq(n->n_heredocs, 2);
	cr_expect_str_eq(n->heredocs[0].content, "$a\n");
	cr_expect_not(n->heredocs[1].expand);
	run_fini(&again);
	run_fini(&r);
}

/* "FROM a\nLABEL " and ${n} bytes in lines of ${width}. */
static char *
long_text(size_t n, size_t width)
{
	struct stv_buf b = STV_BUF_INIT(STV_MAX_SOURCE);

	stv_buf_adds(&b, "FROM a\nRUN ");
	for (size_t i = 0; i < n; i++) {
		if (i % width == width - 1)
			stv_buf_adds(&b, "\\\n");
		stv_buf_addc(&b, 'x');
	}
	return stv_buf_take(&b);
}

Test(parse, a_line_just_below_64_kib_is_fine)
{
	stv_auto_free char *good = long_text(65535 - 4, 100000);
	stv_auto_free char *bad = long_text(65536 - 4, 100000);
	struct run r = run_text(good);

	cr_expect_eq(r.rc, 0);
	run_fini(&r);
	r = run_text(bad);
	cr_expect_eq(r.rc, -1);
	run_fini(&r);
}

Test(parse, a_logical_line_has_a_limit_too)
{
	stv_auto_free char *good = long_text(STV_MAX_LINE - 10, 60000);
	stv_auto_free char *bad = long_text(STV_MAX_LINE + 10, 60000);
	struct run r = run_text(good);

	cr_expect_eq(r.rc, 0);
	run_fini(&r);
	r = run_text(bad);
	cr_expect_eq(r.rc, -1);
	run_fini(&r);
}

Test(parse, names_near_a_mistake_are_found)
{
	static const char *const names[] = {"from", "chown", "chmod", NULL};

	cr_expect_str_eq(df_nearest("form", names), "from");
	cr_expect_str_eq(df_nearest("FRM", names), "from");
	cr_expect_str_eq(df_nearest("chwon", names), "chown");
	cr_expect_null(df_nearest("x", names));
	cr_expect_null(df_nearest("", names));
	cr_expect_null(df_nearest("exclude", names));
}

Test(parse, flags_can_be_asked_for)
{
	struct run r = run_text("FROM a\nCOPY --link --parents=false "
				"--exclude=x --exclude=y a b\n");
	const struct df_node *n = &r.file->nodes[1];

	cr_expect(df_flag_is_true(df_node_flag(n, "link")));
	cr_expect_not(df_flag_is_true(df_node_flag(n, "parents")));
	cr_expect_not(df_flag_is_true(df_node_flag(n, "none")));
	cr_expect_str_eq(df_node_flag(n, "exclude")->value, "x");
	run_fini(&r);
}

struct syntax_case {
	char image[48];
	bool is_warned_of;
};

ParameterizedTestParameters(parse, another_frontend_is_told)
{
	static struct syntax_case cases[] = {
		{"docker/dockerfile", false},
		{"docker/dockerfile:1", false},
		{"docker/dockerfile:1 # stable", false},
		{"docker.io/docker/dockerfile:1.20", false},
		{"mirror.test:5000/docker/dockerfile:1@sha256:00", false},
		{"docker/dockerfile-upstream:master-labs", false},
		{"dockerfile.v0", false},
		{"mydocker/dockerfile:1", true},
		{"xdockerfile.v0", true},
		{"tonistiigi/xx", true},
		{"docker/dockerfilex", true},
	};

	return cr_make_param_array(struct syntax_case, cases,
				   STV_ARRAY_LEN(cases));
}

ParameterizedTest(struct syntax_case *c, parse, another_frontend_is_told)
{
	char text[96];
	struct run r;

	(void)snprintf(text, sizeof(text), "# syntax=%s\nFROM scratch\n",
		       c->image);
	r = run_text(text);
	cr_expect_eq(r.rc, 0);
	cr_expect_eq(r.diags.n_warnings, (size_t)c->is_warned_of, "%s",
		     c->image);
	run_fini(&r);
}
