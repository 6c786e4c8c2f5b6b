/*
 * builder/test/test_sandbox_seccomp.c - the system call filter, by running its
 * program in an interpreter; and the files of /etc.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <seccomp.h>

#include "builder/sandbox/internal.h"
#include "builder/sandbox/seccomp_profile.h"
#include "core/cleanup.h"
#include "core/err.h"
#include "core/fsat.h"

#define REFUSE (SECCOMP_RET_ERRNO | EPERM)
#define UNKNOWN (SECCOMP_RET_ERRNO | ENOSYS)
#define X32_BIT 0x40000000U
#define GOLDEN "testdata/seccomp/x86_64.answers"

/* Classic BPF, as far as seccomp programs use it. */
static uint32_t
interpret(const struct sock_fprog *prog, const struct seccomp_data *data)
{
	uint32_t a = 0;

	for (size_t pc = 0; pc < prog->len; pc++) {
		const struct sock_filter *f = &prog->filter[pc];
		bool is_true = false;

		switch (f->code) {
		case BPF_LD | BPF_W | BPF_ABS:
			memcpy(&a, (const char *)data + f->k, sizeof(a));
			continue;
		case BPF_ALU | BPF_AND | BPF_K:
			a &= f->k;
			continue;
		case BPF_RET | BPF_K:
			return f->k;
		case BPF_JMP | BPF_JA:
			pc += f->k;
			continue;
		case BPF_JMP | BPF_JEQ | BPF_K:
			is_true = a == f->k;
			break;
		case BPF_JMP | BPF_JGE | BPF_K:
			is_true = a >= f->k;
			break;
		case BPF_JMP | BPF_JGT | BPF_K:
			is_true = a > f->k;
			break;
		case BPF_JMP | BPF_JSET | BPF_K:
			is_true = (a & f->k) != 0;
			break;
		default:
			cr_assert_fail("instruction %#x", f->code);
		}
		pc += is_true ? f->jt : f->jf;
	}
	cr_assert_fail("the program ends without an answer");
	return 0;
}

static uint32_t
ask(const struct sock_fprog *prog, uint32_t arch, uint32_t nr, uint64_t arg)
{
	struct seccomp_data data = {.nr = (int)nr, .arch = arch, .args = {arg}};

	return interpret(prog, &data);
}

static struct sock_fprog
build(void)
{
	struct sock_fprog prog = {0};
	struct stv_err *err = NULL;

	cr_assert_eq(sbx_seccomp_build(&prog, &err), 0);
	return prog;
}

static uint32_t
number(const char *name)
{
	return (uint32_t)seccomp_syscall_resolve_name(name);
}

#if defined(__x86_64__)
#define NATIVE AUDIT_ARCH_X86_64
static const uint32_t tokens[] = {SCMP_ARCH_X86, SCMP_ARCH_X32};
static const uint32_t audits[] = {AUDIT_ARCH_X86_64, AUDIT_ARCH_I386};
static const uint32_t bases[] = {0, X32_BIT};
#else
#define NATIVE AUDIT_ARCH_AARCH64
static const uint32_t tokens[] = {SCMP_ARCH_ARM};
static const uint32_t audits[] = {AUDIT_ARCH_AARCH64, AUDIT_ARCH_ARM};
static const uint32_t bases[] = {0};
#endif

/* The same profile by libseccomp, which does not know the newest calls. */
static struct sock_fprog
build_by_libseccomp(void)
{
	static struct sock_filter insns[4096];
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	int fd = memfd_create("filter", 0);
	ssize_t n;

	for (size_t i = 0; i < STV_ARRAY_LEN(tokens); i++)
		cr_assert_eq(seccomp_arch_add(ctx, tokens[i]), 0);
	(void)seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	for (size_t i = 0; i < sbx_seccomp_n_allowed; i++) {
		int nr = seccomp_syscall_resolve_name(sbx_seccomp_allowed[i]);

		if (nr != __NR_SCMP_ERROR)
			cr_assert_eq(
				seccomp_rule_add(ctx, SCMP_ACT_ALLOW, nr, 0),
				0);
	}
	for (size_t i = 0; i < sbx_seccomp_n_rules; i++) {
		static const enum scmp_compare ops[] = {
			[SBX_SECCOMP_LT] = SCMP_CMP_LT,
			[SBX_SECCOMP_EQ] = SCMP_CMP_EQ,
			[SBX_SECCOMP_GT] = SCMP_CMP_GT,
			[SBX_SECCOMP_MASKED_EQ] = SCMP_CMP_MASKED_EQ};
		const struct sbx_seccomp_rule *rule = &sbx_seccomp_rules[i];
		struct scmp_arg_cmp cmp = {.op = ops[rule->op],
					   .datum_a = rule->value};

		if (rule->op == SBX_SECCOMP_MASKED_EQ) {
			cmp.datum_a = rule->mask;
			cmp.datum_b = rule->value;
		}
		cr_assert_eq(seccomp_rule_add_array(
				     ctx,
				     rule->errnum == 0
					     ? SCMP_ACT_ALLOW
					     : SCMP_ACT_ERRNO(
						       (uint16_t)rule->errnum),
				     (int)number(rule->name),
				     rule->op == SBX_SECCOMP_ALWAYS ? 0 : 1,
				     &cmp),
			     0);
	}
	cr_assert_eq(seccomp_export_bpf(ctx, fd), 0);
	n = pread(fd, insns, sizeof(insns), 0);
	cr_assert(n > 0 && (size_t)n < sizeof(insns));
	(void)close(fd);
	seccomp_release(ctx);
	return (struct sock_fprog){
		.len = (unsigned short)((size_t)n / sizeof(insns[0])),
		.filter = insns};
}

/* Is ${nr} one that only our own table of numbers knows? */
static bool
is_newer(uint32_t nr)
{
	nr &= ~X32_BIT;
	for (size_t i = 0; i < sbx_seccomp_n_numbers; i++) {
		if (sbx_seccomp_numbers[i].nr == nr &&
		    seccomp_syscall_resolve_name(sbx_seccomp_numbers[i].name) ==
			    __NR_SCMP_ERROR)
			return true;
	}
	return false;
}

Test(seccomp, it_answers_as_libseccomps_program)
{
	static const uint64_t args[] = {
		0,	    1,		2,	    8,		16,
		37,	    38,		39,	    40,		41,
		0x20000,    0x20008,	0xffffffff, 0x00010f00, 0x10000000,
		0x7E020000, 0x02000000, 0x01200011, 1000};
	struct sock_fprog ours = build(), theirs = build_by_libseccomp();
	size_t n_compared = 0;

	for (size_t a = 0; a < STV_ARRAY_LEN(audits); a++) {
		for (size_t b = 0; b < STV_ARRAY_LEN(bases); b++) {
			for (uint32_t n = 0; n <= 466; n++) {
				uint32_t nr = bases[b] + n;

				if (is_newer(nr))
					continue;
				for (size_t i = 0; i < STV_ARRAY_LEN(args);
				     i++) {
					cr_expect_eq(
						ask(&ours, audits[a], nr,
						    args[i]),
						ask(&theirs, audits[a], nr,
						    args[i]),
						"%#x %#x(%#llx)", audits[a], nr,
						(unsigned long long)args[i]);
					n_compared++;
				}
			}
		}
	}
	cr_expect_gt(n_compared, 15000);
	free(ours.filter);
}

Test(seccomp, calls_that_libseccomp_does_not_know_are_right)
{
	struct sock_fprog prog = build();

	for (size_t i = 0; i < sbx_seccomp_n_numbers; i++) {
		const struct sbx_seccomp_number *n = &sbx_seccomp_numbers[i];

		if (n->only != 0)
			continue;
		cr_expect_eq(ask(&prog, NATIVE, n->nr, 0), SECCOMP_RET_ALLOW,
			     "%s", n->name);
	}
#if defined(__x86_64__)
	cr_expect_eq(ask(&prog, AUDIT_ARCH_X86_64, X32_BIT + 463, 0),
		     SECCOMP_RET_ALLOW);
	cr_expect_eq(ask(&prog, AUDIT_ARCH_I386, 463, 0), SECCOMP_RET_ALLOW);
	cr_expect_eq(ask(&prog, AUDIT_ARCH_X86_64, X32_BIT + 335, 0), REFUSE,
		     "uretprobe is on x86-64 alone");
#endif
	free(prog.filter);
}

Test(seccomp, what_is_newer_than_the_profile_is_enosys)
{
	static const uint32_t newer[] = {
		467, 468, 500, 1000, 0x3fffffff, X32_BIT + 467, 0x7fffffff};
	struct sock_fprog prog = build();

	for (size_t i = 0; i < STV_ARRAY_LEN(newer); i++)
		cr_expect_eq(ask(&prog, NATIVE, newer[i], 0), UNKNOWN, "%u",
			     newer[i]);
	cr_expect_eq(ask(&prog, NATIVE, (uint32_t)-1, 0), UNKNOWN);
	cr_expect_eq(ask(&prog, AUDIT_ARCH_S390X, 0, 0),
		     SECCOMP_RET_KILL_PROCESS);
	free(prog.filter);
}

Test(seccomp, kernel_surface_is_closed)
{
	static const char *const closed[] = {
		"add_key",
		"bpf",
		"delete_module",
		"finit_module",
		"fsconfig",
		"fsmount",
		"fsopen",
		"init_module",
		"io_uring_enter",
		"io_uring_register",
		"io_uring_setup",
		"kexec_load",
		"keyctl",
		"mount",
		"mount_setattr",
		"move_mount",
		"open_by_handle_at",
		"open_tree",
		"perf_event_open",
		"pidfd_getfd",
		"pivot_root",
		"quotactl",
		"reboot",
		"request_key",
		"setdomainname",
		"sethostname",
		"setns",
		"settimeofday",
		"swapon",
		"syslog",
		"umount2",
		"unshare",
		"userfaultfd",
	};
	struct sock_fprog prog = build();

	for (size_t i = 0; i < STV_ARRAY_LEN(closed); i++)
		cr_expect_eq(ask(&prog, NATIVE, number(closed[i]), 0), REFUSE,
			     "%s", closed[i]);
	free(prog.filter);
}

Test(seccomp, arguments_choose_where_they_must)
{
	struct sock_fprog p = build();

	cr_expect_eq(ask(&p, NATIVE, number("socket"), 2), SECCOMP_RET_ALLOW);
	cr_expect_eq(ask(&p, NATIVE, number("socket"), 38), REFUSE);
	cr_expect_eq(ask(&p, NATIVE, number("socket"), 40), REFUSE);
	/* the kernel looks at 32 bits only */
	cr_expect_eq(ask(&p, NATIVE, number("socket"), 38ULL | 1ULL << 32),
		     REFUSE);
	cr_expect_eq(ask(&p, NATIVE, number("clone"), 0x11), SECCOMP_RET_ALLOW);
	cr_expect_eq(ask(&p, NATIVE, number("clone"), 0x10000000 /* NEWUSER */),
		     REFUSE);
	cr_expect_eq(ask(&p, NATIVE, number("clone3"), 0), UNKNOWN);
	cr_expect_eq(ask(&p, NATIVE, number("personality"), 0x40000), REFUSE);
	free(p.filter);
}

#if defined(__x86_64__)
static const char *
answer_name(uint32_t answer)
{
	switch (answer) {
	case SECCOMP_RET_ALLOW:
		return "allow";
	case REFUSE:
		return "EPERM";
	case UNKNOWN:
		return "ENOSYS";
	default:
		return "other";
	}
}

/* What a call gets: the same for all arguments, or "by argument". */
static const char *
answer_for(const struct sock_fprog *prog, uint32_t nr)
{
	uint32_t first = ask(prog, NATIVE, nr, 0);

	for (uint64_t arg = 1; arg < 64; arg++) {
		if (ask(prog, NATIVE, nr, arg) != first ||
		    ask(prog, NATIVE, nr, arg << 25) != first)
			return "by argument";
	}
	return answer_name(first);
}

/* A change of what a RUN may do is seen as a change of this file. */
Test(seccomp, each_number_has_its_recorded_answer)
{
	struct sock_fprog prog = build();
	struct stv_buf got = STV_BUF_INIT(65536), want = STV_BUF_INIT(65536);
	struct stv_err *err = NULL;

	for (uint32_t nr = 0; nr <= 470; nr++) {
		stv_buf_addf(&got, "%u %s\n", nr, answer_for(&prog, nr));
	}
	cr_assert_eq(stv_fsat_read_file(AT_FDCWD, GOLDEN, 65536, &want, &err),
		     0, "run from the top of the repository: %s",
		     err != NULL ? stv_err_msg(err) : "");
	cr_expect(strcmp(stv_buf_str(&got), stv_buf_str(&want)) == 0,
		  "the answers differ from " GOLDEN ":\n%s", stv_buf_str(&got));
	stv_buf_fini(&got);
	stv_buf_fini(&want);
	free(prog.filter);
}
#endif

/* ---- files of /etc ------------------------------------------------------- */

Test(hostfiles, hosts_has_the_machine_and_what_was_added)
{
	struct stv_strs add = {0};
	struct stv_err *err = NULL;
	char *text = NULL;

	stv_strs_add(&add, "db:10.0.0.5");
	stv_strs_add(&add, "six:[2001:db8::1]");
	stv_strs_add(&add, "seven=2001:db8::7");
	cr_assert_eq(sbx_make_hosts(NULL, &add, &text, &err), 0);
	cr_expect_str_eq(text, "127.0.0.1\tlocalhost buildkitsandbox\n"
			       "::1\tlocalhost ip6-localhost ip6-loopback\n"
			       "10.0.0.5\tdb\n"
			       "2001:db8::1\tsix\n"
			       "2001:db8::7\tseven\n");
	free(text);
	stv_strs_clear(&add);
}

Test(hostfiles, a_bad_host_is_refused)
{
	static const char *const bad[] = {
		"",
		"db",
		":1.2.3.4",
		"db:",
		"db:x",
		"db:1.2.3",
		"a b:1.2.3.4",
		"a\nb:1.2.3.4",
		"db:1.2.3.4\n5.6.7.8 x",
		"db:[1::1",
	};

	for (size_t i = 0; i < STV_ARRAY_LEN(bad); i++) {
		struct stv_strs add = {0};
		struct stv_err *err = NULL;
		char *text = NULL;

		stv_strs_add(&add, bad[i]);
		cr_expect_eq(sbx_make_hosts(NULL, &add, &text, &err), -1, "%s",
			     bad[i]);
		cr_expect_eq(stv_err_code(err), STV_E_USAGE);
		stv_err_free(err);
		stv_strs_clear(&add);
	}
}

Test(hostfiles, resolv_conf_is_the_hosts)
{
	struct stv_err *err = NULL;
	char *text = NULL, *isolated = NULL;

	cr_assert_eq(sbx_make_resolv_conf(SBX_NET_HOST, &text, &err), 0);
	cr_assert_eq(sbx_make_resolv_conf(SBX_NET_NONE, &isolated, &err), 0);
	cr_expect_leq(strlen(isolated), strlen(text));
	cr_expect_null(strstr(isolated, "nameserver 127."));
	free(text);
	free(isolated);
}
