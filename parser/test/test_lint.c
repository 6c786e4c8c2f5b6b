/*
 * parser/test/test_lint.c - tests of parser/lint.h.
 *
 * What each rule finds and what not is in testdata/lint, which
 * cmd/test/e2e-check.sh walks; here are the corners, the "# check=" line and
 * the corrections.
 */
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>
#include <criterion/parameterized.h>

#include "core/buf.h"
#include "core/cleanup.h"
#include "core/diag.h"
#include "core/err.h"
#include "core/limits.h"
#include "core/mem.h"
#include "core/source.h"
#include "core/strs.h"

#include "parser/ast.h"
#include "parser/ignore.h"
#include "parser/lint_internal.h"
#include "parser/lint_same.h"
#include "parser/parse.h"

/* One check of a text. */
struct run {
	struct stv_sources *sources;
	struct stv_diags diags;
	struct df_file *file;
	struct df_lint *l;
	struct stv_err *err;
	int rc;
};

static bool
is_image(void *arg, const char *name)
{
	(void)arg;
	return *name != '\0' && name[strlen(name) - 1] != ':';
}

static int n_asked; /* for a base */

/*
 * "known" is a base with a variable, "user" one that is not root's; "pwsh" and
 * "bash" have that SHELL.
 */
static bool
base(void *arg, const char *name, struct df_lint_base *ret)
{
	(void)arg;
	n_asked++;
	if (strcmp(name, "known") != 0 && strcmp(name, "user") != 0 &&
	    strcmp(name, "trigger") != 0 && strcmp(name, "pwsh") != 0 &&
	    strcmp(name, "bash") != 0)
		return false;
	stv_strs_add(&ret->env, "BASE=1");
	ret->workdir = stv_xstrdup("/srv");
	if (*name == 'u')
		ret->user = stv_xstrdup("7");
	if (*name == 'p' || *name == 'b')
		ret->shell = stv_xasprintf("/bin/%s", name);
	if (*name == 't')
		stv_strs_add(&ret->on_build, "ENV FROM_TRIGGER=1");
	return true;
}

static void
parse(struct run *r, const char *text)
{
	uint32_t no;

	*r = (struct run){.sources = stv_sources_new()};
	r->diags.max = STV_MAX_FINDINGS;
	cr_assert_eq(stv_sources_add(r->sources, "Dockerfile", text,
				     strlen(text), &no, &r->err),
		     0);
	cr_assert_eq(df_parse(r->sources, no, &r->file, &r->diags, &r->err), 0,
		     "%s", text);
}

static void
run_opts(struct run *r, const char *text, struct df_lint_opts o)
{
	parse(r, text);
	o.file = r->file;
	o.sources = r->sources;
	o.is_image = is_image;
	o.base = base;
	r->rc = df_lint_new(&o, &r->diags, &r->l, &r->err);
	if (r->rc < 0)
		return;
	df_lint_run(r->l);
	r->rc = df_lint_end(r->l, &r->err);
}

static void
run_fini(struct run *r)
{
	df_lint_free(r->l);
	df_file_free(r->file);
	stv_diags_fini(&r->diags);
	stv_err_free(r->err);
	stv_sources_free(r->sources);
}

/* The names and lines of all findings: "Rule:2 Other:3". */
static char *
findings(const struct run *r)
{
	stv_auto_buf b = STV_BUF_INIT(65536);

	for (size_t i = 0; i < r->diags.len; i++)
		stv_buf_addf(&b, "%s%s:%u", i > 0 ? " " : "",
			     r->diags.v[i].rule,
			     (unsigned)stv_source_place(
				     r->file->source, r->diags.v[i].span.begin)
				     .line);
	return stv_buf_take(&b);
}

/* ---- rules ---------------------------------------------------------------*/

struct row {
	char text[240];
	char want[160];
};

ParameterizedTestParameters(lint, rules_find)
{
	static struct row rows[] = {
		{"FROM scratch\nLABEL a=b\n", ""},
		/* equally many: upper case is right */
		{"FROM scratch\nlabel a=b\n", "ConsistentInstructionCasing:2"},
		/* what stands before FROM does not count */
		{"arg A\narg B\nFROM scratch\nLABEL a=b\n", ""},
		{"FROM scratch\nONBUILD copy a b\n", ""},
		{"From scratch as a\n", "ConsistentInstructionCasing:1"},
		/* a build argument in place of the default */
		{"ARG X=$Y\nFROM scratch\nARG A=$NONE\n", "UndefinedVar:3"},
		{"FROM scratch\nARG A\nARG B=$A C=$B D=$C\n", ""},
		{"FROM scratch\nENV A=1 B=$A\n", "UndefinedVar:2"},
		{"FROM scratch AS a\nENV A=1\nFROM a\nLABEL x=$A\n", ""},
		{"FROM scratch AS a\nENV A=1\nFROM scratch\nLABEL x=$A\n",
		 "UndefinedVar:4"},
		{"FROM scratch\nCOPY $A $A $B$B /\n",
		 "UndefinedVar:2 UndefinedVar:2 UndefinedVar:2"},
		{"FROM scratch\nRUN --mount=type=cache,id=$I,target=/x$T true\n",
		 "UndefinedVar:2 UndefinedVar:2"},
		{"FROM scratch\nRUN echo $A\nCMD [\"$A\"]\nEXPOSE $A\n", ""},
		{"FROM scratch\nCOPY <<'E' /x\n$A\nE\nCOPY <<E /x\n$A\nE\n",
		 "UndefinedVar:6"},
		/* a base that is not here may set anything */
		{"FROM else:1\nLABEL a=$A\n", ""},
		{"FROM known@sha256:x\nLABEL a=$A\n", ""},
		/* triggers too */
		{"# check=skip=UnpinnedBase\nFROM trigger\nLABEL a=$A\n", ""},
		{"# check=skip=UnpinnedBase\nFROM known\nLABEL a=$BASE$A\n",
		 "UndefinedVar:3"},
		{"FROM scratch\nWORKDIR ${NONE:-x}\n",
		 "UndefinedVar:2 WorkdirRelativePath:2"},
		{"FROM scratch\nENV D=/d\nWORKDIR $D\n", ""},
		{"FROM scratch AS a\nWORKDIR /a\nFROM a\nWORKDIR b\n", ""},
		{"FROM scratch\nENV MY_auth_X=1 AUTHOR=1 PUBLIC_KEY=1\n",
		 "SecretsUsedInArgOrEnv:2"},
		{"ARG TOKEN\nFROM scratch\n", ""},
		{"FROM scratch AS a\nFROM scratch AS b\nFROM scratch AS A\n",
		 "DuplicateStageName:3 StageNameCasing:3"},
		{"FROM --platform=$TARGETPLATFORM$NONE scratch\n",
		 "UndefinedArgInFrom:1"},
		{"FROM --platform=linux/amd64 scratch AS linux-x\n", ""},
		{"FROM scratch\nHEALTHCHECK NONE\nHEALTHCHECK NONE\n",
		 "MultipleInstructionsDisallowed:2"},
		{"FROM scratch AS a\nCMD [\"a\"]\nFROM a\nCMD [\"a\"]\n", ""},
		{"FROM scratch\nLABEL a b\nENV c=d\n",
		 "LegacyKeyValueFormat:2"},
		/* ours */
		{"FROM a:1\nRUN [\"cd\", \"/x\"]\n", ""},
		{"FROM a:1\nSHELL [\"pwsh\", \"-c\"]\nRUN cd x\n", ""},
		{"# check=skip=UnpinnedBase\nFROM pwsh\nRUN cd x\nCMD x\n", ""},
		{"# check=skip=UnpinnedBase\nFROM bash\nRUN cd x\nCMD x\n",
		 "CdInOwnRun:3"},
		{"FROM a:1\nRUN <<E\n#!/usr/bin/env python3\ncd x\nE\n", ""},
		{"FROM a:1\nRUN <<E\n#!/bin/bash -e\ncd x\nE\n",
		 "CdInOwnRun:4"},
		{"FROM a:1\nRUN FOO=1 cd x >y\n", "CdInOwnRun:2"},
		{"FROM scratch\nRUN sudo a\n", "SudoInRun:2"},
		{"FROM a:1\nRUN sudo a\n", ""},
		{"# check=skip=UnpinnedBase\nFROM user\nRUN sudo a\n", ""},
		{"FROM scratch\nUSER a\nRUN sudo a\n", ""},
		{"FROM scratch\nUSER root:x\nRUN sudo a\n", "SudoInRun:3"},
		{"FROM scratch\nRUN if a; then sudo -u b c; fi\n", ""},
		{"FROM scratch\nRUN A=1 \\\n sudo b\n", "SudoInRun:3"},
		/* a later RUN cannot clean, an && in the same one can */
		{"FROM a:1\nRUN apk add x\nRUN rm -rf /var/cache/apk/*\n",
		 "PackageCacheLeft:2"},
		{"FROM a:1\nRUN apk add x && rm -rf /var/cache/apk/*\n", ""},
		{"FROM a:1 AS b\nRUN apk add x\nFROM scratch\n", ""},
		{"FROM a:1 AS b\nRUN apk add x\nFROM b\n",
		 "PackageCacheLeft:2"},
		{"FROM a:1\nRUN apk add $FLAGS x\n", ""},
		{"FROM a:1\nRUN pip install -r r.txt && rm -rf ~/.cache\n", ""},
		{"FROM a:1\nRUN PIP_NO_CACHE_DIR=1 pip install x\n", ""},
		/* the home of whoever USER is */
		{"FROM a:1\nRUN --mount=type=cache,target=/home/b/.cache/pip "
		 "pip install x\n",
		 ""},
		{"FROM a:1\nRUN --mount=type=cache,dst=/home/node/.npm npm ci\n",
		 ""},
		{"FROM a:1\nRUN --mount=type=cache,target=/home/b/.npm "
		 "pip install x\n",
		 "PackageCacheLeft:2"},
		{"FROM a:1\nRUN --mount=target=/home/b/.npm npm ci\n",
		 "PackageCacheLeft:2"},
		{"FROM a:1\nRUN npm run install\n", ""},
		{"FROM a:1\nRUN npx npm ci\n", ""},
		{"FROM a:1\nRUN apt-get install -y x\n", ""},
		{"FROM a:1\nRUN printf y | apt-get install x\n", ""},
		{"FROM a:1\nRUN apt-get install -o APT::Get::Assume-Yes=1 x\n",
		 ""},
		{"FROM a:1\nRUN apt-get -s install x\n", ""},
		{"FROM a:1\nRUN apt-get install x\n", "AptInstallAsks:2"},
		/* the working directory is not known */
		{"FROM a:1\nCOPY x y\nRUN chown -R a y\n", ""},
		{"FROM a:1\nWORKDIR /w\nCOPY x y/\nRUN chown -R a .\n",
		 "RepeatedFiles:4"},
		{"FROM a:1\nCOPY x /y\nRUN chown -R a /yy\n", ""},
		{"FROM a:1\nCOPY x /y\nRUN chmod 1 /y && chmod -R 1 $D /*\n",
		 "RepeatedFiles:3"},
		{"FROM a:1\nCOPY x y /d/\nRUN chmod +x /d/x\n", ""},
		{"FROM a:1\nCOPY x /d/\nRUN chmod +x /d/x\n",
		 "RepeatedFiles:3"},
		{"FROM scratch\nADD https://a/b.git#v1 /x\nADD git@a:b /y\n",
		 ""},
		{"FROM scratch\nADD https://a/b.tgz /x\n",
		 "AddWithoutChecksum:2"},
		{"FROM a:1\nLABEL a=\"x \"y\" z\" b=\"p\"q\"r\"\n",
		 "QuoteEndsEarly:2"},
		{"FROM a:1\nRUN [ \"$a\" ]\nRUN [ \"a\" = b ]\n", ""},
		{"FROM localhost:5000/a\n", "UnpinnedBase:1"},
		{"FROM localhost:5000/a:1\n", ""},
	};

	return cr_make_param_array(struct row, rows, STV_ARRAY_LEN(rows));
}

ParameterizedTest(struct row *r, lint, rules_find)
{
	stv_auto_free char *got = NULL;
	struct run run;

	run_opts(&run, r->text, (struct df_lint_opts){0});
	cr_expect_eq(run.rc, 0);
	got = findings(&run);
	cr_expect_str_eq(got, r->want, "%s", r->text);
	run_fini(&run);
}

Test(lint, build_arguments_count)
{
	struct stv_strs args = {0};
	struct run r;

	stv_strs_add(&args, "A=1");
	run_opts(&r, "FROM scratch\nARG A=$NONE\nLABEL x=$A\n",
		 (struct df_lint_opts){.build_args = &args});
	cr_expect_eq(r.diags.len, 0);
	run_fini(&r);
	stv_strs_clear(&args);
}

Test(lint, the_target_says_what_is_shipped)
{
	static const char text[] =
		"FROM a:1 AS x\nRUN apk add x\nFROM scratch\nFROM x AS y\n";
	struct run r;

	run_opts(&r, text, (struct df_lint_opts){.target = "X"});
	cr_expect_eq(r.diags.len, 1);
	cr_expect(df_lint_is_shipped(r.l, &r.file->nodes[1]));
	cr_expect_not(df_lint_is_shipped(r.l, &r.file->nodes[2]));
	run_fini(&r);
}

Test(lint, a_word_over_a_line_join_has_its_place)
{
	struct run r;

	run_opts(
		&r,
		"FROM a:1\nRUN true && \\\n # why\n  apt\\\n-get \\\n in\\\nstall x\n",
		(struct df_lint_opts){0});
	cr_assert_eq(r.diags.len, 1);
	cr_expect_eq(
		stv_source_place(r.file->source, r.diags.v[0].span.begin).line,
		6);
	run_fini(&r);
}

/* It is looked up in a database, also by a build. */
Test(lint, a_base_is_asked_for_once)
{
	struct run r;

	n_asked = 0;
	run_opts(&r, "FROM known AS a\nLABEL a=$BASE\nFROM a\nFROM scratch\n",
		 (struct df_lint_opts){.only_buildkit = true});
	cr_expect_eq(r.diags.len, 0);
	cr_expect_eq(n_asked, 1);
	run_fini(&r);
}

/* ---- the check line ------------------------------------------------------*/

ParameterizedTestParameters(lint, the_check_line)
{
	static struct row rows[] = {
		{"skip=StageNameCasing", "LegacyKeyValueFormat:4"},
		{" skip = StageNameCasing , LegacyKeyValueFormat ", ""},
		{"skip=all", ""},
		{"skip=stagenamecasing",
		 "UnknownRule:1 StageNameCasing:3 LegacyKeyValueFormat:4"},
		{"error=false", "StageNameCasing:3 LegacyKeyValueFormat:4"},
		{"error=true", "!lint violation found for rules: "
			       "LegacyKeyValueFormat, StageNameCasing"},
		{"skip=StageNameCasing,LegacyKeyValueFormat;error=true", ""},
		{"experimental=all;skip=all", "InvalidDefinitionDescription:3"},
		{"experimental=InvalidDefinitionDescription;skip=all",
		 "InvalidDefinitionDescription:3"},
		{"error=yes", "!invalid check option 'error=yes': true or "
			      "false is meant"},
		{"skip", "!invalid check option 'skip': there is no '='"},
		{"skipp=x", "!invalid check option 'skipp'"},
		{"skip=a;skip=b;skip=c;error=true",
		 "UnknownRule:1 "
		 "UnknownRule:1 UnknownRule:1 StageNameCasing:3 "
		 "LegacyKeyValueFormat:4"},
	};

	return cr_make_param_array(struct row, rows, STV_ARRAY_LEN(rows));
}

ParameterizedTest(struct row *row, lint, the_check_line)
{
	stv_auto_free char *text = stv_xasprintf(
		"# check=%s\n#x\nFROM scratch AS Aa\nENV a b\n", row->text);
	stv_auto_free char *got = NULL;
	struct run r;

	run_opts(&r, text, (struct df_lint_opts){0});
	got = r.rc < 0 ? stv_xasprintf("!%s", stv_err_msg(r.err))
		       : findings(&r);
	cr_expect_str_eq(got, row->want, "%s", row->text);
	run_fini(&r);
}

Test(lint, a_build_argument_replaces_the_line)
{
	struct stv_strs args = {0};
	struct run r;

	stv_strs_add(&args, "BUILDKIT_DOCKERFILE_CHECK=skip=ENV");
	run_opts(&r, "# check=skip=all\nFROM scratch AS A\n",
		 (struct df_lint_opts){.build_args = &args,
				       .only_buildkit = true});
	cr_expect_eq(r.diags.len, 1);
	cr_expect_str_eq(r.diags.v[0].rule, "StageNameCasing");
	run_fini(&r);
	stv_strs_clear(&args);
}

Test(lint, only_buildkits_rules_in_a_build)
{
	struct run r;

	run_opts(&r, "FROM a\nRUN cd x\nENV a b\n",
		 (struct df_lint_opts){.only_buildkit = true});
	cr_assert_eq(r.diags.len, 1);
	cr_expect_str_eq(r.diags.v[0].rule, "LegacyKeyValueFormat");
	run_fini(&r);
}

Test(lint, warnings_of_the_parser_are_told_once_or_skipped)
{
	static const char text[] = "FROM scratch\nLABEL a=b \\\n\n c=d\n";
	stv_auto_free char *skip =
		stv_xasprintf("# check=skip=NoEmptyContinuation\n%s", text);
	struct run r;

	run_opts(&r, text, (struct df_lint_opts){0});
	cr_expect_eq(r.diags.len, 1);
	cr_expect_eq(r.diags.n_warnings, 1);
	run_fini(&r);
	run_opts(&r, skip, (struct df_lint_opts){0});
	cr_expect_eq(r.diags.len, 0);
	cr_expect_eq(r.diags.n_warnings, 0);
	run_fini(&r);
}

/* What is skipped is not counted either, and leaves nothing (make asan). */
Test(lint, skipped_warnings_of_the_parser_do_not_count)
{
	stv_auto_buf text = STV_BUF_INIT((size_t)1 << 20);
	struct run r;

	stv_buf_adds(&text, "# check=skip=NoEmptyContinuation\n"
			    "FROM scratch\n");
	for (int i = 0; i < STV_MAX_FINDINGS + 10; i++)
		stv_buf_adds(&text, "LABEL a=b \\\n\n c=d\n");
	stv_buf_adds(&text, "LABEL a b\n");
	run_opts(&r, stv_buf_str(&text), (struct df_lint_opts){0});
	cr_expect_eq(r.diags.len, 1);
	cr_expect_eq(r.diags.n_warnings, 1);
	run_fini(&r);
}

Test(lint, more_findings_than_the_bound_are_counted)
{
	stv_auto_buf text = STV_BUF_INIT((size_t)1 << 20);
	struct run r;

	stv_buf_adds(&text, "FROM scratch\n");
	for (int i = 0; i < STV_MAX_FINDINGS + 10; i++)
		stv_buf_adds(&text, "ENV a b\n");
	run_opts(&r, stv_buf_str(&text), (struct df_lint_opts){0});
	cr_expect_eq(r.diags.len, STV_MAX_FINDINGS);
	cr_expect_eq(r.diags.n_warnings, STV_MAX_FINDINGS + 10);
	run_fini(&r);
}

/* Beyond the bound nobody knows what is set. */
Test(lint, a_stage_with_too_many_variables_is_not_known)
{
	for (int n = 100; n <= 10000; n *= 100) {
		stv_auto_buf text = STV_BUF_INIT((size_t)1 << 20);
		struct run r;

		stv_buf_adds(&text, "FROM scratch\n");
		for (int i = 0; i < n; i++)
			stv_buf_addf(&text, "ENV V%d=1\n", i);
		stv_buf_adds(&text, "LABEL a=$NONE\n");
		run_opts(&r, stv_buf_str(&text), (struct df_lint_opts){0});
		cr_expect_eq(r.diags.len, n == 100 ? 1 : 0);
		run_fini(&r);
	}
}

/* A small file can make large values, each of them allowed. */
Test(lint, a_stage_with_too_long_variables_is_not_known)
{
	stv_auto_buf text = STV_BUF_INIT((size_t)1 << 20);
	struct run r;

	stv_buf_adds(&text, "FROM scratch\nENV A=0123456789abcdef\n");
	for (int i = 0; i < 15; i++)
		stv_buf_adds(&text, "ENV A=$A$A\n");
	stv_buf_adds(&text, "LABEL a=$NONE\n");
	for (int i = 0; i < 60; i++)
		stv_buf_addf(&text, "ENV V%d=$A\n", i);
	stv_buf_adds(&text, "LABEL a=$NONE\n");
	run_opts(&r, stv_buf_str(&text), (struct df_lint_opts){0});
	cr_expect_eq(r.diags.len, 1);
	cr_expect_lt(r.l->n_bytes, 2 * STV_MAX_EXPANDED_TOTAL);
	run_fini(&r);
}

Test(lint, the_table_is_whole)
{
	enum df_rule_no no;

	for (size_t i = 0; i < DF_N_RULES; i++) {
		cr_assert_not_null(df_rules[i].id);
		cr_assert_not_null(df_rules[i].summary);
		cr_expect(df_rule_find(df_rules[i].id, &no) && no == i);
		/* ours are in the order of their names, for people */
		if (i > 0 && i != DF_N_BUILDKIT_RULES)
			cr_expect_lt(strcmp(df_rules[i - 1].id, df_rules[i].id),
				     0, "%s", df_rules[i].id);
	}
	cr_expect_not(df_rule_find("stagenamecasing", &no));
}

Test(lint, addresses_of_buildkits_documentation)
{
	stv_auto_free char *a = df_rule_url(DF_R_JSON_ARGS);
	stv_auto_free char *b = df_rule_url(DF_R_SECRETS);
	stv_auto_free char *ours = df_rule_url(DF_R_UNPINNED_BASE);

	cr_expect_str_eq(a, "https://docs.docker.com/go/dockerfile/rule/"
			    "json-args-recommended/");
	cr_expect_str_eq(b, "https://docs.docker.com/go/dockerfile/rule/"
			    "secrets-used-in-arg-or-env/");
	cr_expect_str_eq(ours, "");
}

/* ---- corrections ---------------------------------------------------------*/

struct fix_row {
	char text[200];
	char want[200]; /* "": nothing to correct */
};

ParameterizedTestParameters(lint, corrections)
{
	static struct fix_row rows[] = {
		{"FROM scratch\n", ""},
		{"from scratch as a\nLABEL a=b\nUSER a\n",
		 "FROM scratch AS a\nLABEL a=b\nUSER a\n"},
		{"from scratch AS a\nlabel a=b\n",
		 "from scratch as a\nlabel a=b\n"},
		{"FROM scratch AS A\nFROM A1\nCOPY --from=A x --from=A\n",
		 "FROM scratch AS a\nFROM A1\nCOPY --from=a x --from=A\n"},
		{"FROM scratch\nENV a b\n", "FROM scratch\nENV a=b\n"},
		{"FROM scratch\nENV a  b $c  \n",
		 "FROM scratch\nENV a=\"b $c\"  \n"},
		{"FROM scratch\nENV a \"b\" c\n",
		 "FROM scratch\nENV a=\"b\"\\ c\n"},
		{"# escape=`\nFROM scratch\nENV a \"b\" c\n",
		 "# escape=`\nFROM scratch\nENV a=\"b\"` c\n"},
		{"FROM scratch\nENV a 'b' c\n", ""},
		{"FROM scratch\nENV a b \\\n c\n", ""},
		{"FROM scratch\nENV a b\\ c d\n", ""},
		{"FROM scratch\nENV a ${b:-c d}\n",
		 "FROM scratch\nENV a=\"${b:-c d}\"\n"},
		/* an escaped blank is two characters in a replacement */
		{"FROM scratch\nENV a ${b/\"x y\"/p p} \"o o\"\n", ""},
		{"FROM scratch\nENV a ${b:-\"}\" c} \"d\"\n", ""},
		{"FROM scratch\nENV a ${b#\"x \"} \"d\" ${c}\n", ""},
		{"FROM scratch\nENV a ${b#\"x \"}y \"d\"\n",
		 "FROM scratch\nENV a=${b#\"x \"}y\\ \"d\"\n"},
		{"FROM scratch\nMAINTAINER a $b \"c\" \\d\n",
		 "FROM scratch\nLABEL org.opencontainers.image.authors="
		 "\"a \\$b \\\"c\\\" \\\\d\"\n"},
		{"FROM scratch\nLABEL a=b \\\n\n \t\n# c\n\n c=d\n",
		 "FROM scratch\nLABEL a=b \\\n# c\n c=d\n"},
		{"FROM scratch\nEXPOSE 1/TCP 2/Udp $A/TCP\n",
		 "FROM scratch\nEXPOSE 1/tcp 2/udp $A/TCP\n"},
		/* the label that wins now would be another one */
		{"FROM scratch\nLABEL org.opencontainers.image.authors=b\n"
		 "MAINTAINER a\n",
		 ""},
		{"FROM scratch\nMAINTAINER a\n"
		 "LABEL x=y \"org.opencontainers.image.authors\"=b\n",
		 ""},
		{"FROM scratch\nARG N\nMAINTAINER a\nLABEL $N=b\n", ""},
		/* what would take a comment away is left to people */
		{"FROM scratch\nENV a \\\n# c\n b c\n", ""},
		{"FROM scratch\nENV a \\\n b c\n",
		 "FROM scratch\nENV a=\"b c\"\n"},
		{"FROM scratch\nMAINTAINER \\\n # c\n me\n", ""},
		{"FROM scratch\nla\\\n# c\nbel a=b\n", ""},
		{"FROM scratch\nla\\\nbel a=b\n", "FROM scratch\nLABEL a=b\n"},
		{"FROM scratch\nRUN <<E\nfrom a as b\nE\nonbuild env a b\n",
		 "FROM scratch\nRUN <<E\nfrom a as b\nE\nONBUILD env a b\n"},
	};

	return cr_make_param_array(struct fix_row, rows, STV_ARRAY_LEN(rows));
}

ParameterizedTest(struct fix_row *row, lint, corrections)
{
	stv_auto_free char *got = NULL;
	size_t len = 0;
	struct run r;
	int n;

	run_opts(&r, row->text, (struct df_lint_opts){0});
	n = df_lint_fix(r.l, &got, &len, &r.err);
	cr_assert_geq(n, 0, "%s: %s", row->text, stv_err_msg(r.err));
	if (*row->want == '\0')
		cr_expect_eq(n, 0, "%s", row->text);
	else
		cr_expect_str_eq(got != NULL ? got : "", row->want, "%s",
				 row->text);
	run_fini(&r);
}

/* Of a name that many stages have, a COPY is still changed once. */
Test(lint, a_user_of_a_stage_is_changed_once)
{
	stv_auto_buf text = STV_BUF_INIT(65536);
	stv_auto_free char *got = NULL;
	size_t len = 0;
	struct run r;

	for (int i = 0; i < 100; i++)
		stv_buf_adds(&text, "FROM scratch AS Aa\nCOPY --from=AA x y\n");
	run_opts(&r, stv_buf_str(&text), (struct df_lint_opts){0});
	cr_expect_eq(r.l->edits.len, 200);
	cr_expect_eq(df_lint_fix(r.l, &got, &len, &r.err), 200);
	cr_expect_null(strstr(got, "A "));
	run_fini(&r);
}

/* However many stand there, and whatever between them. */
Test(lint, all_empty_lines_of_an_instruction_go)
{
	stv_auto_buf text = STV_BUF_INIT(65536), want = STV_BUF_INIT(65536);
	stv_auto_free char *got = NULL;
	size_t len = 0;
	struct run r;

	stv_buf_adds(&text, "FROM scratch\nLABEL \\\n");
	stv_buf_adds(&want, "FROM scratch\nLABEL \\\n");
	for (int i = 0; i < 100; i++) {
		stv_buf_addf(&text, "\n \n# c\n\na%d=b \\\n", i);
		stv_buf_addf(&want, "# c\na%d=b \\\n", i);
	}
	stv_buf_adds(&text, "\n  z=z\n\n\nRUN <<E\n\n\nE\n\n\nRUN a \\\n\n ");
	stv_buf_adds(&want, "  z=z\n\n\nRUN <<E\n\n\nE\n\n\nRUN a \\\n");
	run_opts(&r, stv_buf_str(&text), (struct df_lint_opts){0});
	cr_assert_gt(df_lint_fix(r.l, &got, &len, &r.err), 0);
	cr_expect_str_eq(got, stv_buf_str(&want));
	run_fini(&r);
}

/* ---- what counts as the same ---------------------------------------------*/

struct same_row {
	char a[80];
	char b[80];
	bool is_same;
};

ParameterizedTestParameters(lint, trees_are_compared)
{
	static struct same_row rows[] = {
		{"ENV a b c", "env a=\"b c\"", true},
		{"ENV a b c", "ENV a=b\\ c", true},
		{"ENV a b c", "ENV a=bc", false},
		{"ENV a $b", "ENV a='$b'", false},
		{"ENV a $b c", "ENV a=\"$c c\"", false},
		{"ENV a ${b:-c d}", "ENV a=\"${b:-c d}\"", true},
		{"ENV a ${b/x/p p}\"q\"", "ENV a=${b/x/p\\ p}\"q\"", false},
		{"ENV a b", "LABEL a=b", false},
		{"RUN a", "RUN A", false},
		{"RUN a", "RUN [\"a\"]", false},
		{"EXPOSE 1/TCP", "EXPOSE 1/tcp", true},
		{"EXPOSE 1/tcp", "EXPOSE 2/tcp", false},
		{"COPY --from=A a b", "COPY --from=a a b", true},
		{"COPY --chown=A a b", "COPY --chown=a a b", false},
		{"COPY a b", "COPY --link a b", false},
		{"COPY <<E b\nx\nE", "COPY <<E b\ny\nE", false},
		{"COPY <<E b\nx\nE", "COPY <<'E' b\nx\nE", false},
		{"ONBUILD run a", "ONBUILD RUN a", false},
		{"MAINTAINER a", "LABEL org.opencontainers.image.authors=a",
		 true},
		{"MAINTAINER $a", "LABEL org.opencontainers.image.authors=$a",
		 false},
		{"USER a", "USER a\nUSER a", false},
		{"USER a", "USER A", false},
		{"# x\nUSER a", "USER a", false},
		{"# x\nUSER a", "USER a\n# x", true},
		{"USER \\\n# x\na", "USER \\\n# y\na", false},
	};

	return cr_make_param_array(struct same_row, rows, STV_ARRAY_LEN(rows));
}

ParameterizedTest(struct same_row *row, lint, trees_are_compared)
{
	stv_auto_free char *a = stv_xasprintf("FROM scratch\n%s\n", row->a);
	stv_auto_free char *b = stv_xasprintf("FROM scratch\n%s\n", row->b);
	struct run ra, rb;

	parse(&ra, a);
	parse(&rb, b);
	cr_expect_eq(df_lint_same(ra.file, rb.file), row->is_same, "%s / %s",
		     row->a, row->b);
	run_fini(&ra);
	run_fini(&rb);
}
