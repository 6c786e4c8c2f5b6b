/* builder/test/test_plan.c - which stages are built, and what is refused. */
#include <criterion/criterion.h>
#include <string.h>

#include "builder/test/build_rig.h"

struct refusal {
	char text[160];
	enum stv_code code;
	char part[64];
};

static const struct refusal refusals[] = {
	{"FROM scratch\nRUN --mount=type=cache,target=/ true\n", STV_E_CHECK,
	 "the target of a mount cannot be '/'"},
	{"FROM scratch AS one\nRUN --mount=from=one,target=/x true\n",
	 STV_E_CHECK, "stage 'one' cannot be its own source"},
	{"FROM scratch\nRUN --mount=from=two,target=/x true\n"
	 "FROM scratch AS two\n",
	 STV_E_CHECK, "no stage 'two' before this one"},
	{"FROM scratch\nRUN --mount=from=:bad:,target=/x true\n", STV_E_CHECK,
	 "neither a stage nor an image"},
	{"FROM scratch\nRUN --device=x true\n", STV_E_CHECK,
	 "RUN --device is not supported"},
	{"FROM scratch\nRUN --security=insecure true\n", STV_E_CHECK,
	 "RUN --security=insecure is not allowed"},
	{"FROM scratch\nCOPY --link --chown=bob a /\n", STV_E_CHECK,
	 "--chown=bob: --link"},
	{"FROM scratch\nCOPY --exclude=x --exclude=[ a /\n", STV_E_SYNTAX,
	 "malformed pattern: '['"},
	{"FROM scratch\nCOPY --exclude=! a /\n", STV_E_SYNTAX,
	 "nothing stands behind the '!'"},
	{"FROM scratch\nADD --checksum=sha256:00 http://x.test/y /\n",
	 STV_E_CHECK, "invalid value 'sha256:00' of --checksum"},
	{"FROM scratch\nADD --checksum=md5:0 http://x.test/y /\n", STV_E_CHECK,
	 "invalid value 'md5:0' of --checksum"},
	{"FROM scratch\nADD --checksum=sha256:00 a /\n", STV_E_CHECK,
	 "--checksum cannot be checked for 'a'"},
	{"FROM scratch\nADD --checksum=sha256:0 <<a /x\na\n", STV_E_CHECK,
	 "--checksum is for one source"},
	{"FROM scratch\nADD --checksum=sha256:0 http://x.test/ "
	 "http://y.test/ /\n",
	 STV_E_CHECK, "--checksum is for one source"},
	{"FROM scratch AS one\nCOPY --from=one /a /b\n", STV_E_CHECK,
	 "cannot be its own source"},
	{"FROM scratch AS one\nCOPY --from=two /a /b\nFROM scratch AS two\n",
	 STV_E_CHECK, "no stage 'two' before this one"},
	{"FROM scratch\nCOPY --from=7 /a /b\n", STV_E_CHECK, "no stage '7'"},
	{"FROM scratch\nCOPY --from=?! /a /b\n", STV_E_CHECK,
	 "neither a stage nor an image"},
	{"FROM ?!\n", STV_E_CHECK, "neither a stage nor an image"},
	{"ARG base\nFROM $base\n", STV_E_CHECK, "empty after expansion"},
	{"ARG p\nFROM --platform=$p scratch\n", STV_E_CHECK,
	 "--platform is empty"},
	{"FROM --platform=a/b/c/d scratch\n", STV_E_CHECK, "a/b/c/d"},
	{"FROM nobody/has-this:1\n", STV_E_NOT_FOUND, "no image"},
	{"FROM scratch\nCOPY --from=nobody/has-this:1 /a /\n", STV_E_NOT_FOUND,
	 "no image"},
	{"FROM ${x:?baseless}\n", STV_E_CHECK, "baseless"},
	{"ARG a=${x:?bare}\nFROM scratch\n", STV_E_CHECK, "bare"},
};

Test(plan, what_makes_no_sense_is_refused_at_its_place)
{
	struct works w;

	works_open(&w);
	for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
		works_fails(&w, refusals[i].text, refusals[i].code,
			    refusals[i].part);
		cr_expect_neq(stv_err_span(w.err).file, 0, "%s has no place",
			      refusals[i].text);
	}
	works_close(&w);
}

Test(plan, only_what_the_target_needs_is_built)
{
	static const char text[] = "FROM scratch AS one\n"
				   "COPY a /one\n"
				   "FROM scratch AS Two\n"
				   "COPY missing /two\n"
				   "FROM scratch\n"
				   "COPY --from=0 /one /three\n";
	struct works w;

	works_open(&w);
	works_file(&w, "a", "text");
	works_ok(&w, text);
	works_expect(&w, "three", "text");
	cr_expect_null(strstr(stv_buf_str(&w.log), "missing"));
	w.target.stage = "ONE";
	works_ok(&w, text);
	works_expect(&w, "one", "text");
	cr_expect_null(strstr(stv_buf_str(&w.log), "three"));
	w.target.stage = "two";
	works_fails(&w, text, STV_E_INPUT, "missing");
	works_close(&w);
}

Test(plan, a_target_that_is_not_there_gets_the_nearest_name)
{
	struct works w;

	works_open(&w);
	w.target.stage = "biuld";
	works_fails(&w, "FROM scratch AS build\n", STV_E_CHECK,
		    "no stage 'biuld'");
	cr_expect_str_eq(stv_err_get_hint(w.err),
			 "Did you mean '--target build'?");
	w.target.stage = "zzzzzzzz";
	works_fails(&w, "FROM scratch AS build\n", STV_E_CHECK,
		    "no stage 'zzzzzzzz'");
	cr_expect_not_null(strstr(stv_err_get_hint(w.err), "AS NAME"));
	works_close(&w);
}

Test(plan, stages_are_found_by_name_in_any_case_and_by_number)
{
	struct works w;

	works_open(&w);
	works_file(&w, "a", "text");
	works_ok(&w, "FROM scratch AS First\nCOPY a /a\n"
		     "FROM first AS second\nCOPY a /b\n"
		     "FROM scratch\nCOPY --from=FIRST /a /c\n"
		     "COPY --from=1 /a /b /d/\n");
	works_expect(&w, "c", "text");
	works_expect(&w, "d/a", "text");
	works_expect(&w, "d/b", "text");
	works_close(&w);
}

Test(plan, a_global_argument_names_the_base)
{
	struct works w;

	works_open(&w);
	works_file(&w, "a", "text");
	stv_strs_add(&w.o.build_args, "WHICH=one");
	works_ok(&w, "ARG WHICH=none\nARG BASE=${WHICH}\nFROM scratch AS one\n"
		     "COPY a /a\nFROM $BASE\n");
	works_expect(&w, "a", "text");
	works_close(&w);
}
