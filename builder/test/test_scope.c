/* builder/test/test_scope.c - which ARG and ENV is seen where. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "core/buf.h"
#include "core/cleanup.h"
#include "core/oci.h"

#include "builder/test/build_rig.h"

/* The label k of the image that ${text} makes. */
static void
expect_label(struct works *w, const char *text, const char *want)
{
	const char *have;

	works_ok(w, text);
	have = stv_pairs_get(&w->result.config->config.labels, "k");
	cr_expect(have != NULL && strcmp(have, want) == 0,
		  "'%s' gives '%s', not '%s'", text, have == NULL ? "-" : have,
		  want);
}

Test(scope, the_last_declaration_wins_and_stages_begin_anew)
{
	struct works w;

	works_open(&w);
	expect_label(&w, "ARG A=g\nFROM scratch\nLABEL k=[$A]\n", "[]");
	expect_label(&w, "ARG A=g\nFROM scratch\nARG A\nLABEL k=[$A]\n", "[g]");
	expect_label(&w, "ARG A=g\nFROM scratch\nARG A=s\nLABEL k=[$A]\n",
		     "[s]");
	expect_label(&w, "FROM scratch\nARG A=s\nFROM scratch\nLABEL k=[$A]\n",
		     "[]");
	expect_label(&w, "FROM scratch AS a\nARG A=s\nFROM a\nLABEL k=[$A]\n",
		     "[s]");
	expect_label(&w, "FROM scratch\nENV A=e\nARG A=s\nLABEL k=[$A]\n",
		     "[s]");
	expect_label(&w, "FROM scratch\nARG A=s\nENV A=e\nLABEL k=[$A]\n",
		     "[e]");
	expect_label(&w, "FROM scratch\nARG A=1 B=${A}2\nLABEL k=$B\n", "12");
	expect_label(&w, "FROM scratch\nENV A=1\nENV A=2 B=$A\nLABEL k=$B\n",
		     "1");
	works_close(&w);
}

Test(scope, build_arguments_reach_declared_names_only)
{
	struct works w;

	works_open(&w);
	stv_strs_add(&w.o.build_args, "A=given");
	stv_strs_add(&w.o.build_args, "NOBODY=x");
	stv_strs_add(&w.o.build_args, "http_proxy=x");
	expect_label(&w, "FROM scratch\nLABEL k=[$A]\n", "[]");
	expect_label(&w, "FROM scratch\nARG A=own\nLABEL k=[$A]\n", "[given]");
	cr_expect_not_null(strstr(stv_buf_str(&w.log),
				  "build argument 'NOBODY' is used by no"));
	cr_expect_null(strstr(stv_buf_str(&w.log), "http_proxy"));
	works_close(&w);
}

Test(scope, the_platform_has_arguments)
{
	struct works w;

	works_open(&w);
	expect_label(&w,
		     "FROM scratch\nARG TARGETOS TARGETSTAGE\n"
		     "LABEL k=$TARGETOS-$TARGETSTAGE\n",
		     "linux-default");
	expect_label(&w, "FROM scratch\nLABEL k=[$TARGETOS]\n", "[]");
	cr_assert_eq(stv_platform_parse("linux/arm/v7", &w.o.platform, &w.err),
		     0);
	w.o.has_epoch = true;
	w.o.epoch = 42;
	expect_label(&w,
		     "FROM scratch\nARG TARGETPLATFORM TARGETVARIANT\n"
		     "ARG SOURCE_DATE_EPOCH\n"
		     "LABEL k=$TARGETPLATFORM,$TARGETVARIANT,"
		     "$SOURCE_DATE_EPOCH\n",
		     "linux/arm/v7,v7,42");
	cr_expect_str_eq(w.result.config->platform.arch, "arm");
	cr_expect_str_eq(w.result.config->created, "1970-01-01T00:00:42Z");
	works_close(&w);
}

Test(scope, a_heredoc_is_expanded_unless_its_word_is_quoted)
{
	struct works w;

	works_open(&w);
	works_ok(&w, "FROM scratch\nARG A=1\nCOPY <<one <<\"two\" /d/\n"
		     "a$A\none\nb$A\ntwo\n");
	works_expect(&w, "d/one", "a1\n");
	works_expect(&w, "d/two", "b$A\n");
	works_close(&w);
}

Test(scope, a_run_sees_arguments_and_proxies)
{
	struct works w;

	works_open_shell(&w);
	stv_strs_add(&w.o.build_args, "HTTPS_PROXY=http://p:1");
	stv_strs_add(&w.o.build_args, "A=given");
	works_ok(&w, SYS "ARG A=own\nENV B=2\n"
			 "RUN test $A$B = given2\n"
			 "RUN test $https_proxy = http://p:1\n"
			 "RUN test $HTTPS_PROXY = http://p:1\n"
			 "RUN test $HOME = /\n");
	cr_expect_null(stv_env_get(&w.result.config->config.env, "A"));
	/* Another proxy is no other step. */
	stv_strs_clear(&w.o.build_args);
	stv_strs_add(&w.o.build_args, "A=given");
	works_ok(&w, SYS "ARG A=own\nENV B=2\nRUN test $A$B = given2\n");
	cr_expect_eq(w.result.n_executed, 0, "%s", stv_buf_str(&w.log));
	works_close(&w);
}

/* THREATS D09: a little text that becomes much. */
Test(scope, all_expanded_text_together_is_bounded)
{
	stv_auto_buf text = STV_BUF_INIT((size_t)1 << 20);
	struct works w;

	works_open(&w);
	stv_buf_adds(&text, "FROM scratch\nARG A=0123456789abcdef\n");
	for (int i = 0; i < 15; i++)
		stv_buf_adds(&text, "ARG A=$A$A\n");
	/* Half a MiB each, and none of it gets into the config. */
	for (int i = 0; i < 40; i++)
		stv_buf_addf(&text, "ARG B%d=$A\n", i);
	works_fails(&w, stv_buf_str(&text), STV_E_LIMIT,
		    "all expanded text together");
	works_close(&w);
}
