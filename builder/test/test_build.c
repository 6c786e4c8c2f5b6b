/* builder/test/test_build.c - whole builds: steps, cache, failures, signals. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/mem.h"

#include "builder/test/build_rig.h"

/* Is there a line that begins so? */
static bool
log_has(const struct works *w, const char *line)
{
	stv_auto_free char *text = stv_xasprintf("\n%s", stv_buf_str(&w->log));
	stv_auto_free char *want = stv_xasprintf("\n%s", line);

	return strstr(text, want) != NULL;
}

Test(build, a_run_changes_what_the_next_step_sees)
{
	struct works w;

	works_open_shell(&w);
	works_file(&w, "a", "text");
	works_ok(&w, SYS "ENV X=1\nWORKDIR /w\nCOPY a .\n"
			 "RUN cat a && echo $X > b && rm a\n"
			 "RUN test ! -e a && pwd > c\n"
			 "RUN [\"cp\", \"b\", \"d\"]\n"
			 "RUN true\n");
	works_expect(&w, "w/b", "1\n");
	works_expect(&w, "w/c", "/w\n");
	works_expect(&w, "w/d", "1\n");
	cr_expect_null(works_content(&w, "w/a"));
	cr_expect(log_has(&w, "output RUN cat a && echo $X > b && rm a: text"));
	cr_expect_eq(w.result.n_executed, 8);
	works_ok(&w, SYS "ENV X=1\nWORKDIR /w\nCOPY a .\n"
			 "RUN cat a && echo $X > b && rm a\n"
			 "RUN test ! -e a && pwd > c\n"
			 "RUN [\"cp\", \"b\", \"d\"]\n"
			 "RUN true\n");
	cr_expect_eq(w.result.n_executed, 0, "%s", stv_buf_str(&w.log));
	works_close(&w);
}

Test(build, heredocs_run_as_commands_and_as_scripts)
{
	struct works w;

	works_open_shell(&w);
	works_ok(&w, SYS "RUN <<EOF\necho 1 > /a\necho 2 >> /a\nEOF\n"
			 "RUN <<EOF\n#!/bin/sh\necho $0 > /b\nEOF\n"
			 "RUN cat <<one - <<two > /c\n1\none\n2\ntwo\n"
			 "SHELL [\"/bin/sh\", \"-ec\"]\n"
			 "RUN echo 3 > /d\n");
	works_expect(&w, "a", "1\n2\n");
	works_expect(&w, "b", "/dev/pipes/EOF\n");
	works_expect(&w, "d", "3\n");
	works_close(&w);
}

Test(build, options_reach_the_command)
{
	static const struct sbx_rlimit limits[] = {{RLIMIT_NOFILE, 321, 321}};
	struct works w;

	works_open_shell(&w);
	w.o.rlimits = limits;
	w.o.n_rlimits = 1;
	w.o.shm_size = 1 << 20;
	stv_strs_add(&w.o.add_hosts, "far:10.1.2.3");
	works_ok(&w, SYS "RUN test $(ulimit -n) = 321\n"
			 "RUN grep -q '^10.1.2.3' /etc/hosts\n"
			 "RUN df -k /dev/shm | grep -q ' 1024 '\n"
			 "RUN --network=none test $(ls /sys/class/net | wc -l) "
			 "= 1\n"
			 "RUN --network=host true\n"
			 "RUN --network=default true\n"
			 "USER 5:6\nRUN test $(id -u):$(id -g) = 5:6\n"
			 "WORKDIR /own\nRUN test $(stat -c %u:%g .) = 5:6\n");
	works_close(&w);
}

struct failure {
	char text[96];
	int status;
	char part[64];
};

static const struct failure failures[] = {
	{"RUN exit 7\n", 7, "exit code 7"},
	{"RUN [\"/no/such\"]\n", 127, "exit code 127"},
	{"RUN [\"/etc\"]\n", 126, "exit code 126"},
	{"RUN sh -c 'kill -ABRT $$'; exit $?\n", 134, "exit code 134"},
	{"SHELL [\"/no/shell\"]\nRUN true\n", 127, "exit code 127"},
};

Test(build, a_command_that_fails_gives_its_status)
{
	struct works w;

	works_open_shell(&w);
	for (size_t i = 0; i < sizeof(failures) / sizeof(failures[0]); i++) {
		stv_auto_free char *text =
			stv_xasprintf(SYS "%s", failures[i].text);

		works_fails(&w, text, STV_E_STEP_FAILED, failures[i].part);
		cr_expect_eq(stv_err_status(w.err), failures[i].status, "%s",
			     failures[i].text);
		cr_expect_not_null(
			strstr(stv_err_get_hint(w.err), "stave logs"));
	}
	works_close(&w);
}

Test(build, a_failed_stage_stops_the_others)
{
	struct works w;

	works_open_shell(&w);
	works_fails(&w,
		    SYS "FROM sys AS slow\nRUN sleep 60\n"
			"FROM sys AS bad\nRUN echo no >&2; exit 3\n"
			"FROM sys\nCOPY --from=slow /bin/sh /a\n"
			"COPY --from=bad /bin/sh /b\n",
		    STV_E_STEP_FAILED, "stage 'bad' failed");
	cr_expect_eq(stv_err_status(w.err), 3);
	works_close(&w);
}

Test(build, ctrl_c_ends_commands_and_the_build)
{
	int64_t begun = stv_now_ns();
	struct works w;

	works_open_shell(&w);
	w.kill_on = "ready";
	works_fails(&w, SYS "RUN echo ready; sleep 60\n", STV_E_CANCELLED,
		    "interrupted");
	cr_expect_eq(stv_err_status(w.err), 130);
	cr_expect(stv_now_ns() - begun < 20000000000LL);
	/* The store is as good as before. */
	w.kill_on = NULL;
	works_ok(&w, SYS "RUN true\n");
	works_close(&w);
}

Test(build, a_byte_that_changes_reruns_from_there_on)
{
	static const char text[] = "FROM scratch\nCOPY a /a\nWORKDIR /d\n"
				   "COPY b /b\nCOPY c /c\n";
	struct works w;

	works_open(&w);
	works_file(&w, "a", "1");
	works_file(&w, "b", "1");
	works_file(&w, "c", "1");
	works_ok(&w, text);
	cr_expect_eq(w.result.n_executed, 4);
	works_file(&w, "b", "2");
	works_ok(&w, text);
	cr_expect(log_has(&w, "cached COPY a /a"));
	cr_expect(log_has(&w, "cached WORKDIR /d"));
	cr_expect(log_has(&w, "started COPY b /b: b changed (content)"));
	cr_expect_eq(w.result.n_executed, 2);
	works_expect(&w, "b", "2");
	works_close(&w);
}

Test(build, the_cache_can_be_turned_off_for_all_or_for_a_stage)
{
	static const char text[] = "FROM scratch AS one\nCOPY a /a\n"
				   "FROM scratch AS two\nCOPY a /b\n"
				   "FROM one\nCOPY --from=two /b /c\n";
	struct works w;

	works_open(&w);
	works_file(&w, "a", "1");
	works_ok(&w, text);
	stv_strs_add(&w.o.no_cache_filters, "TWO");
	works_ok(&w, text);
	cr_expect(log_has(&w, "cached COPY a /a"));
	cr_expect(log_has(&w, "started COPY a /b: --no-cache-filter"));
	/* The same bytes came out: nothing behind it is rebuilt. */
	cr_expect(log_has(&w, "cached COPY --from=two /b /c"));
	stv_strs_clear(&w.o.no_cache_filters);
	w.o.no_cache = true;
	works_ok(&w, text);
	cr_expect_eq(w.result.n_executed, 3);
	works_close(&w);
}

Test(build, triggers_of_a_base_image_come_first)
{
	struct works w;

	works_open(&w);
	works_file(&w, "a", "text");
	works_ok(&w, "FROM scratch AS other\nCOPY a /o\n"
		     "FROM scratch AS base\n"
		     "ONBUILD COPY a /t/\nONBUILD ENV T=1\n"
		     "ONBUILD COPY --from=other /o /p\nONBUILD WORKDIR /x\n"
		     "FROM base\nLABEL k=$T\n");
	works_expect(&w, "t/a", "text");
	works_expect(&w, "p", "text");
	cr_expect_str_eq(stv_pairs_get(&w.result.config->config.labels, "k"),
			 "1");
	cr_expect_str_eq(w.result.config->config.working_dir, "/x");
	cr_expect_eq(w.result.config->config.on_build.len, 0);
	works_fails(&w,
		    "FROM scratch AS base\n"
		    "ONBUILD RUN --security=insecure true\n"
		    "FROM base\n",
		    STV_E_CHECK, "RUN --security=insecure is not allowed");
	works_fails(&w,
		    "FROM scratch AS base\nONBUILD COPY nothing /\nFROM base\n",
		    STV_E_INPUT, "nothing");
	works_close(&w);
}

Test(build, a_config_that_is_too_large_is_told_at_the_step_upon_it)
{
	struct stv_buf b = STV_BUF_INIT(100000);
	struct works w;

	works_open(&w);
	stv_buf_addf(&b, "FROM scratch\nARG V0=%0*d", 1024, 0);
	for (int i = 1; i < 10; i++)
		stv_buf_addf(&b, "\nARG V%d=$V%d$V%d", i, i - 1, i - 1);
	for (int i = 0; i < 20; i++)
		stv_buf_addf(&b, "\nLABEL l%d=$V9", i);
	stv_buf_adds(&b, "\nRUN [\"true\"]\n");
	works_fails(&w, stv_buf_str(&b), STV_E_LIMIT, "config is larger");
	cr_expect_neq(stv_err_span(w.err).file, 0);
	stv_buf_fini(&b);
	works_close(&w);
}

Test(build, copies_that_cannot_be_made_say_why)
{
	struct works w;

	works_open(&w);
	works_file(&w, "a", "text");
	works_fails(&w, "FROM scratch\nCOPY missing /\n", STV_E_INPUT,
		    "missing");
	works_fails(&w, "FROM scratch\nCOPY --chmod=999 a /\n", STV_E_CHECK,
		    "999");
	works_fails(&w, "FROM scratch\nCOPY --chown=nobody a /\n", STV_E_INPUT,
		    "nobody");
	works_fails(&w, "FROM scratch AS o\nFROM scratch\nCOPY --from=o a /\n",
		    STV_E_INPUT, "a");
	works_fails(&w, "FROM scratch\nCOPY ${x:?what} /\n", STV_E_CHECK,
		    "what");
	works_fails(&w, "FROM scratch\nCOPY a ${x:?where}\n", STV_E_CHECK,
		    "where");
	works_fails(&w, "FROM scratch\nCOPY --chown=${x:?who} a /\n",
		    STV_E_CHECK, "who");
	works_fails(&w, "FROM scratch\nCOPY --chmod=${x:?how} a /\n",
		    STV_E_CHECK, "how");
	w.o.ignore_name = "a";
	works_fails(&w, "FROM scratch\nCOPY a /\n", STV_E_INPUT, "a");
	w.o.ignore_name = NULL;
	w.o.ignore_file = 0;
	w.o.context_path = NULL;
	works_fails(&w, "FROM scratch\nCOPY a /\n", STV_E_INPUT,
		    "no build context");
	works_ok(&w, "FROM scratch\nCOPY <<f /\ntext\nf\n");
	works_expect(&w, "f", "text\n");
	w.o.context_path = "/no/such/context";
	works_fails(&w, "FROM scratch\n", STV_E_INPUT, "/no/such/context");
	works_close(&w);
}

Test(build, rights_are_those_that_the_flags_say)
{
	struct works w;

	works_open_shell(&w);
	works_file(&w, "passwd", "u:x:7:8::/h:/bin/sh\n");
	works_ok(&w, SYS "COPY passwd /etc/passwd\n"
			 "COPY --chown=u --chmod=0600 passwd /a\n"
			 "ADD --chown=3:4 --chmod=u=rw,go= passwd /b\n"
			 "RUN test $(stat -c %u:%g:%a /a) = 7:8:600\n"
			 "RUN test $(stat -c %u:%g:%a /b) = 3:4:600\n"
			 "USER u\nRUN test $HOME = /h && test $(id -u) = 7\n");
	works_fails(&w, SYS "USER ghost\nRUN true\n", STV_E_INPUT, "ghost");
	works_close(&w);
}

Test(build, a_platform_that_is_not_the_base_s_is_noticed)
{
	struct works w;

	works_open(&w);
	stv_strs_add(&w.target.tags, "docker.io/library/base:latest");
	works_ok(&w, "FROM --platform=linux/s390x scratch\n");
	stv_strs_clear(&w.target.tags);
	works_build(&w, "FROM --platform=linux/riscv64 base\n");
	cr_expect(w.rc < 0 || log_has(&w, "warning"));
	works_close(&w);
}

/* Another thread-less process takes the same keys at the same time. */
Test(build, two_processes_execute_a_step_once)
{
	static const char text[] = SYS "RUN sleep 1; date +%N > /n\n";
	stv_auto_free char *mine = NULL;
	struct works w;
	pid_t pid;
	int status = -1;

	works_open_shell(&w);
	(void)fflush(NULL);
	pid = fork();
	if (pid == 0) {
		struct stv_err *err = NULL;
		struct cas_store *own = NULL;
		stv_auto_free char *root = stv_xasprintf("%s/store", w.dir);
		struct cas_store_opts opts = {.is_sync = false};

		if (cas_store_open(root, &opts, &own, &err) < 0)
			_exit(9);
		w.o.store = own;
		works_build(&w, text);
		cas_store_close(own);
		_exit(w.rc == 0 ? (int)w.result.n_executed : 9);
	}
	works_ok(&w, text);
	mine = works_content(&w, "n");
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_assert(WIFEXITED(status));
	cr_expect_eq(w.result.n_executed + (uint32_t)WEXITSTATUS(status), 3);
	works_ok(&w, text);
	works_expect(&w, "n", mine);
	works_close(&w);
}
