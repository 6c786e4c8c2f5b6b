/* builder/test/test_container.c - bld_run(): a command in an image. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <pty.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/mem.h"

#include "builder/test/build_rig.h"

/* An image whose command is a shell's. */
static void
open_image(struct works *w)
{
	works_open_shell(w);
	works_file(w, "passwd", "u:x:7:8::/h:/bin/sh\n");
	works_ok(w, SYS "COPY passwd /etc/passwd\nENV A=1\nWORKDIR /w\n"
			"ENTRYPOINT [\"/bin/sh\", \"-c\"]\n"
			"CMD [\"echo $A $PWD\"]\n");
}

/* "sh -c script" with options that a test has set. */
static void
run_script(struct works *w, struct bld_run_opts *o, const char *script,
	   const char *input)
{
	stv_strs_clear(&o->cmd);
	stv_strs_add(&o->cmd, script);
	works_run(w, o, input);
	stv_strs_clear(&o->cmd);
	cr_assert_eq(w->rc, 0, "%s: %s", script,
		     w->err == NULL ? "" : stv_err_msg(stv_err_root(w->err)));
}

Test(container, the_image_says_what_runs)
{
	struct bld_run_opts o = {.net = SBX_NET_NONE};
	struct works w;

	open_image(&w);
	works_run(&w, &o, NULL);
	cr_expect_eq(w.rc, 0);
	cr_expect_eq(w.status, 0);
	cr_expect_str_eq(w.output, "1 /w\n");
	run_script(&w, &o, "echo out; echo err >&2; exit 5", NULL);
	cr_expect_eq(w.status, 5);
	cr_expect_not_null(strstr(w.output, "out\n"));
	cr_expect_not_null(strstr(w.output, "err\n"));
	works_close(&w);
}

Test(container, options_come_before_the_image)
{
	struct bld_run_opts o = {.net = SBX_NET_HOST,
				 .workdir = "/bin",
				 .user = "u",
				 .hostname = "box",
				 .shm_size = 1 << 20};
	struct works w;

	open_image(&w);
	stv_strs_add(&o.env, "A=2");
	stv_strs_add(&o.add_hosts, "far:10.1.2.3");
	run_script(&w, &o,
		   "echo $A $PWD $(id -u) $HOME $(hostname) "
		   "$(grep -c 10.1.2.3 /etc/hosts)",
		   NULL);
	cr_expect_str_eq(w.output, "2 /bin 7 /h box 1\n");
	stv_strs_clear(&o.env);
	stv_strs_clear(&o.add_hosts);
	o = (struct bld_run_opts){.entrypoint = "/bin/echo"};
	stv_strs_add(&o.cmd, "said");
	works_run(&w, &o, NULL);
	cr_expect_str_eq(w.output, "said\n");
	stv_strs_clear(&o.cmd);
	o.entrypoint = "";
	works_run(&w, &o, NULL);
	cr_expect_eq(w.rc, -1);
	cr_expect_eq(stv_err_code(w.err), STV_E_USAGE);
	works_close(&w);
}

Test(container, what_it_writes_is_gone_with_it)
{
	struct bld_run_opts o = {.net = SBX_NET_NONE};
	struct works w;

	open_image(&w);
	run_script(&w, &o, "echo x > /new && cat /new", NULL);
	cr_expect_str_eq(w.output, "x\n");
	run_script(&w, &o, "ls /new 2>/dev/null; echo end", NULL);
	cr_expect_str_eq(w.output, "end\n");
	o.is_readonly = true;
	run_script(&w, &o, "touch /new 2>/dev/null || echo no", NULL);
	cr_expect_str_eq(w.output, "no\n");
	works_close(&w);
}

Test(container, volumes_are_the_host_s)
{
	struct bld_volume v = {.target = "/v"};
	struct bld_run_opts o = {
		.net = SBX_NET_NONE, .volumes = &v, .n_volumes = 1};
	struct works w;

	open_image(&w);
	works_file(&w, "f", "host");
	v.source = w.context;
	run_script(&w, &o, "cat /v/f; echo new > /v/g", NULL);
	cr_expect_str_eq(w.output, "host");
	run_script(&w, &o, "cat /v/g", NULL);
	cr_expect_str_eq(w.output, "new\n");
	v.is_readonly = true;
	run_script(&w, &o, "echo x 2>/dev/null > /v/g || echo no", NULL);
	cr_expect_not_null(strstr(w.output, "no\n"));
	v.source = "/no/such/dir";
	works_run(&w, &o, NULL);
	cr_expect_eq(w.rc, -1);
	cr_expect_eq(stv_err_code(w.err), STV_E_INPUT);
	works_close(&w);
}

Test(container, interactive_input_reaches_it)
{
	struct bld_run_opts o = {.net = SBX_NET_NONE, .is_interactive = true};
	struct works w;
	char *big;

	open_image(&w);
	run_script(&w, &o, "wc -c", "twelve bytes");
	cr_expect_eq(atoi(w.output), 12, "%s", w.output);
	big = stv_xcalloc(3000001, 1);
	memset(big, 'x', 3000000);
	run_script(&w, &o, "sleep 0.1; wc -c", big);
	cr_expect_eq(atoi(w.output), 3000000, "%s", w.output);
	free(big);
	o.is_interactive = false;
	run_script(&w, &o, "wc -c", "nobody reads this");
	cr_expect_eq(atoi(w.output), 0);
	works_close(&w);
}

Test(container, a_terminal_is_one_inside)
{
	struct bld_run_opts o = {.net = SBX_NET_NONE, .is_tty = true};
	struct works w;

	open_image(&w);
	run_script(&w, &o, "test -t 0 && test -t 1 && echo $TERM", NULL);
	cr_expect_str_eq(w.output, "xterm\r\n");
	works_close(&w);
}

Test(container, what_cannot_start_says_so)
{
	struct bld_run_opts o = {.entrypoint = "/no/such"};
	struct works w;

	open_image(&w);
	works_run(&w, &o, NULL);
	cr_expect_eq(w.rc, -1);
	cr_expect_eq(stv_err_code(w.err), STV_E_STEP_FAILED);
	cr_expect_eq(stv_err_status(w.err), 127);
	o.entrypoint = "/etc";
	works_run(&w, &o, NULL);
	cr_expect_eq(stv_err_status(w.err), 126);
	o = (struct bld_run_opts){.user = "ghost"};
	works_run(&w, &o, NULL);
	cr_expect_eq(w.rc, -1);
	works_close(&w);
}
