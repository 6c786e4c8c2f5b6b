/* cmd/test/test_opts.c - command lines by table. */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <criterion/redirect.h>
#include <stdio.h>
#include <string.h>

#include "core/buf.h"
#include "core/cleanup.h"
#include "core/err.h"
#include "core/strs.h"

#include "cmd/ctx.h"
#include "cmd/opts.h"

struct values {
	struct stv_strs names;
	const char *text;
	bool is_a;
	bool is_b;
};

static const struct cmd_opt table[] = {
	CMD_FLAG("all", 'a', struct values, is_a, "a flag"),
	CMD_FLAG("bold", 'b', struct values, is_b, "another"),
	CMD_LIST("name", 'n', "NAME", struct values, names, "a list"),
	CMD_STR("text", 't', "TEXT", struct values, text, "a text"),
	CMD_MOOT("rm"),
	CMD_MOOT_STR("builder"),
	CMD_LATER_STR("secret", 0),
	CMD_LATER("push", 0),
	CMD_OPT_END,
};

static const struct cmd_verb verb = {
	.name = "try",
	.args = "[WORD...]",
	.summary = "Try things",
	.opts = table,
	.max_args = 3,
};

static const struct cmd_verb prefix_verb = {
	.name = "try",
	.args = "[WORD...]",
	.summary = "Try things",
	.opts = table,
	.max_args = CMD_ANY_NUMBER,
	.is_prefix = true,
};

/* A row: words between blanks, and what they give as text. */
struct row {
	char words[96];
	char want[96];
};

/* "all bold text names... | args..." or "status: message" */
static void
parse(const struct cmd_verb *v, const char *words, struct stv_buf *ret)
{
	char copy[128], *argv[16], *save = NULL;
	struct values o = {0};
	struct stv_err *err = NULL;
	struct cmd_ctx cx = {0};
	int argc = 0, n = 0;

	(void)snprintf(copy, sizeof(copy), "try %s", words);
	for (char *w = strtok_r(copy, " ", &save); w != NULL;
	     w = strtok_r(NULL, " ", &save))
		argv[argc++] = w;
	argv[argc] = NULL;
	if (cmd_opts_parse(&cx, v, argc, argv, &o, &n, &err) < 0) {
		stv_buf_addf(ret, "%d: %s", cmd_exit_status(err),
			     stv_err_msg(err));
		stv_err_free(err);
	} else {
		stv_buf_addf(ret, "%d%d %s", o.is_a, o.is_b,
			     o.text != NULL ? o.text : "-");
		for (size_t i = 0; i < o.names.len; i++)
			stv_buf_addf(ret, " %s", o.names.v[i]);
		stv_buf_adds(ret, " |");
		for (int i = 1; i <= n; i++)
			stv_buf_addf(ret, " %s", argv[i]);
		if (cx.root != NULL)
			stv_buf_addf(ret, " root=%s", cx.root);
	}
	cmd_opts_fini(table, &o);
}

ParameterizedTestParameters(opts, words_become_values)
{
	static struct row rows[] = {
		{"", "00 - |"},
		{"-a", "10 - |"},
		{"--all --bold", "11 - |"},
		{"-ab", "11 - |"},
		{"-abtx", "11 x |"},
		{"-t=x", "00 x |"},
		{"-t x", "00 x |"},
		{"--text=a=b", "00 a=b |"},
		{"--text --all", "00 --all |"},
		{"--text=", "00  |"},
		{"-n1 -n 2 --name=3 --name 4", "00 - 1 2 3 4 |"},
		{"x --all y -t z", "10 z | x y"},
		{"-- --all", "00 - | --all"},
		{"-", "00 - | -"},
		{"--all=false", "00 - |"},
		{"--all --all=0", "00 - |"},
		{"-a=false", "00 - |"},
		{"--root d x", "00 - | x root=d"},
		{"--all=maybe",
		 "2: stave try: --all takes true or false, not 'maybe'"},
		{"--frob", "2: stave try: unknown option '--frob'"},
		{"-x", "2: stave try: unknown option '-x'"},
		{"--text", "2: stave try: --text needs a value: --text=TEXT"},
		{"--secret id=x",
		 "2: stave try: --secret is not supported yet by this version"},
		{"--push=false", "00 - |"},
		{"--push=mode",
		 "2: stave try: --push is not supported yet by this version"},
		{"1 2 3 4", "2: stave try: '4' is one argument too many"},
	};

	return cr_make_param_array(struct row, rows, STV_ARRAY_LEN(rows));
}

ParameterizedTest(struct row *r, opts, words_become_values)
{
	stv_auto_buf got = STV_BUF_INIT(4096);

	parse(&verb, r->words, &got);
	cr_expect_str_eq(stv_buf_str(&got), r->want, "%s: %s", r->words,
			 stv_buf_str(&got));
}

Test(opts, a_prefix_command_leaves_the_rest_alone)
{
	stv_auto_buf got = STV_BUF_INIT(4096);

	parse(&prefix_verb, "-a image ls -b --text", &got);
	cr_expect_str_eq(stv_buf_str(&got), "10 - | image ls -b --text");
}

Test(opts, flags_without_meaning_give_one_warning, .init = cr_redirect_stderr)
{
	stv_auto_buf got = STV_BUF_INIT(4096);

	parse(&verb, "--rm --builder x y", &got);
	cr_expect_str_eq(stv_buf_str(&got), "00 - | y");
	cr_expect_stderr_eq_str(
		"warning: without effect here, ignored: --rm --builder\n");
}

Test(opts, help_names_every_option)
{
	stv_auto_buf got = STV_BUF_INIT(4096);

	cmd_opts_usage(&verb, &got);
	cr_expect_not_null(strstr(stv_buf_str(&got), "  -t, --text TEXT"));
	cr_expect_not_null(strstr(stv_buf_str(&got), "      --root DIR"));
	cr_expect_null(strstr(stv_buf_str(&got), "--rm"),
		       "what means nothing is not offered");
}

/* ${word} and what it was meant to be ("" for nothing). */
struct near_row {
	char word[32];
	char want[32];
};

ParameterizedTestParameters(opts, the_nearest_word_is_named)
{
	static struct near_row rows[] = {
		{"imgaes", "images"},	{"image", "images"}, {"biuld", "build"},
		{"taag", "tag"},	{"xyzzy", ""},	     {"t", ""},
		{"history", "history"},
	};

	return cr_make_param_array(struct near_row, rows, STV_ARRAY_LEN(rows));
}

ParameterizedTest(struct near_row *r, opts, the_nearest_word_is_named)
{
	static const char *const names[] = {"build", "history", "images",
					    "tag"};
	const char *got = cmd_nearest(r->word, names, STV_ARRAY_LEN(names));

	cr_expect_str_eq(got != NULL ? got : "", r->want, "%s", r->word);
}
