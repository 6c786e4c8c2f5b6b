/* builder/test/test_meta.c - instructions that change the config only. */
#include <criterion/criterion.h>
#include <string.h>

#include "core/oci.h"

#include "builder/test/build_rig.h"

/* expect_list(have, ...): the strings of a list, "|" between them. */
static void
expect_list(const struct stv_strs *have, const char *want)
{
	struct stv_buf b = STV_BUF_INIT(4096);

	for (size_t i = 0; i < have->len; i++)
		stv_buf_addf(&b, "%s%s", i > 0 ? "|" : "", have->v[i]);
	cr_expect_str_eq(stv_buf_str(&b), want);
	stv_buf_fini(&b);
}

Test(meta, every_instruction_reaches_the_config)
{
	const struct oci_runconfig *c;
	struct works w;

	works_open(&w);
	works_ok(&w, "FROM scratch\n"
		     "MAINTAINER A B <a@b>\n"
		     "ENV A=1 B=\"x y\"\nENV C $A and $B\n"
		     "LABEL k=v k2=\"$A\"\n"
		     "EXPOSE 80 53/udp 7000-7002\n"
		     "VOLUME [\"/v1\", \"/v2\"]\nVOLUME /v1 /v0\n"
		     "USER 12:34\n"
		     "STOPSIGNAL SIGINT\n"
		     "SHELL [\"/bin/ash\", \"-ec\"]\n"
		     "ENTRYPOINT [\"/e\", \"1\"]\n"
		     "CMD do it\n"
		     "HEALTHCHECK --interval=1s --timeout=2s --retries=3 "
		     "--start-period=4s CMD true\n"
		     "ONBUILD COPY x /x\n"
		     "WORKDIR /srv\nWORKDIR a/../b\n");
	c = &w.result.config->config;
	cr_expect_str_eq(w.result.config->author, "A B <a@b>");
	cr_expect_str_eq(stv_env_get(&c->env, "C"), "1 and x y");
	cr_expect_str_eq(stv_pairs_get(&c->labels, "k2"), "1");
	expect_list(&c->exposed_ports,
		    "53/udp|7000/tcp|7001/tcp|7002/tcp|80/tcp");
	expect_list(&c->volumes, "/v0|/v1|/v2");
	cr_expect_str_eq(c->user, "12:34");
	cr_expect_str_eq(c->stop_signal, "SIGINT");
	expect_list(&c->shell, "/bin/ash|-ec");
	expect_list(&c->entrypoint, "/e|1");
	expect_list(&c->cmd, "/bin/ash|-ec|do it");
	expect_list(&c->healthcheck.test, "CMD-SHELL|true");
	cr_expect_eq(c->healthcheck.interval_ns, 1000000000);
	cr_expect_eq(c->healthcheck.timeout_ns, 2000000000);
	cr_expect_eq(c->healthcheck.start_period_ns, 4000000000);
	cr_expect_eq(c->healthcheck.retries, 3);
	expect_list(&c->on_build, "COPY x /x");
	cr_expect_str_eq(c->working_dir, "/srv/b");
	works_close(&w);
}

Test(meta, an_entrypoint_clears_the_command_of_the_base_only)
{
	struct works w;

	works_open(&w);
	works_ok(&w, "FROM scratch AS one\nCMD [\"/c\"]\n"
		     "FROM one\nENTRYPOINT [\"/e\"]\n");
	expect_list(&w.result.config->config.cmd, "");
	works_ok(&w, "FROM scratch\nCMD [\"/c\"]\nENTRYPOINT [\"/e\"]\n");
	expect_list(&w.result.config->config.cmd, "/c");
	works_close(&w);
}

Test(meta, a_healthcheck_can_be_taken_away)
{
	struct works w;

	works_open(&w);
	works_ok(&w, "FROM scratch AS one\nHEALTHCHECK CMD [\"/h\", \"x\"]\n"
		     "FROM one AS two\nFROM two\nHEALTHCHECK NONE\n");
	expect_list(&w.result.config->config.healthcheck.test, "NONE");
	w.target.stage = "two";
	works_ok(&w, "FROM scratch AS one\nHEALTHCHECK CMD [\"/h\", \"x\"]\n"
		     "FROM one AS two\nFROM two\nHEALTHCHECK NONE\n");
	expect_list(&w.result.config->config.healthcheck.test, "CMD|/h|x");
	works_close(&w);
}

struct bad {
	char text[96];
	char part[48];
};

static const struct bad bad[] = {
	{"FROM scratch\nENV $none=1\n", "ENV with an empty name"},
	{"FROM scratch\nARG p=99999\nEXPOSE $p\n", "99999"},
	{"FROM scratch\nVOLUME \"\"\n", "VOLUME with an empty path"},
	{"FROM scratch\nARG s=SIGNO\nSTOPSIGNAL $s\n", "SIGNO"},
	{"FROM scratch\nUSER ${u:?who}\n", "who"},
	{"FROM scratch\nLABEL a=${u:?which}\n", "which"},
	{"FROM scratch\nWORKDIR ${u:?where}\n", "where"},
	{"FROM scratch\nVOLUME ${u:?what}\n", "what"},
	{"FROM scratch\nARG a=${u:?unset}\n", "unset"},
};

Test(meta, what_expands_to_nonsense_is_refused)
{
	struct works w;

	works_open(&w);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		works_fails(&w, bad[i].text, STV_E_CHECK, bad[i].part);
	works_close(&w);
}

Test(meta, history_has_a_line_for_each_instruction)
{
	const struct oci_config *c;
	struct works w;

	works_open(&w);
	works_file(&w, "a", "text");
	works_ok(&w, "FROM scratch\nENV A=1\nCOPY a /\nWORKDIR /w\n");
	c = w.result.config;
	cr_assert_eq(c->n_history, 3);
	cr_expect_str_eq(c->history[0].created_by, "ENV A=1");
	cr_expect(c->history[0].is_empty_layer);
	cr_expect_str_eq(c->history[1].created_by, "COPY a / # buildkit");
	cr_expect(!c->history[1].is_empty_layer);
	cr_expect_str_eq(c->history[2].created_by, "WORKDIR /w");
	cr_expect_eq(w.result.n_diff_ids, 2);
	works_close(&w);
}
