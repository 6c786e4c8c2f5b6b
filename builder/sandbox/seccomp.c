/*
 * builder/sandbox/seccomp.c - compile the profile to a BPF program.
 *
 * libseccomp knows the numbers of the calls for each architecture; the program
 * we make ourselves.  libseccomp's own takes 15 to 30 ms to make for the three
 * architectures of x86 and has 1 250 instructions, and it cannot allow a call
 * that it does not know on any but the native architecture; this one takes 0.3
 * ms, has 650, and the tests hold it against libseccomp's.
 *
 * Allowed numbers lie close together, so the program is, for an architecture,
 * a binary search among ranges of numbers with the same answer.  A number
 * above all that the profile knows is ENOSYS instead of EPERM, so that a libc
 * newer than the profile falls back as on an older kernel (runc's rule).
 */
#include <assert.h>
#include <errno.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <stdlib.h>
#include <string.h>

#include <seccomp.h>

#include "core/cleanup.h"
#include "core/err.h"
#include "core/mem.h"
#include "core/vec.h"

#include "builder/sandbox/internal.h"
#include "builder/sandbox/seccomp_profile.h"

/* The kernel's bound on a filter's length (BPF_MAXINSNS). */
#define MAX_INSNS 4096
/* A conditional jump's offset has eight bits. */
#define MAX_JUMP 255
/* Calls of the x32 ABI have this bit (__X32_SYSCALL_BIT). */
#define X32_BIT 0x40000000U

/* The answer for a number: one of these, or RULES + index of its first rule. */
enum answer {
	REFUSE,	 /* EPERM */
	UNKNOWN, /* ENOSYS */
	ALLOW,
	RULES
};

struct entry {
	uint32_t nr;
	uint32_t answer;
};

/* Numbers that share an audit architecture, by ABI. */
struct arch {
	uint32_t audit;
	uint32_t tokens[2]; /* libseccomp's; 0 ends */
};

static const struct arch archs[] = {
#if defined(__x86_64__)
	{AUDIT_ARCH_X86_64, {SCMP_ARCH_X86_64, SCMP_ARCH_X32}},
	{AUDIT_ARCH_I386, {SCMP_ARCH_X86, 0}},
#elif defined(__aarch64__)
	{AUDIT_ARCH_AARCH64, {SCMP_ARCH_AARCH64, 0}},
	{AUDIT_ARCH_ARM, {SCMP_ARCH_ARM, 0}},
#else
#error "the sandbox knows x86-64 and arm64; add the calls of this architecture"
#endif
};

/* Answers by number, or the ranges made of them; ascending. */
struct table {
	STV_VEC(struct entry) list;
};

struct program {
	struct sock_filter v[MAX_INSNS];
	size_t n; /* may count beyond what v holds */
};

/* ---- numbers ------------------------------------------------------------- */

/*
 * The number of ${name} for ${token}, or -1 where it has none.  What libseccomp
 * does not know is in the table; so is what it knows only as a part of a
 * multiplexer (it says -1xx: socket on i386 is socketcall), though the kernel
 * has had the call itself for long.
 */
static int64_t
find_number(uint32_t token, const char *name)
{
	int nr = seccomp_syscall_resolve_name_arch(token, name);

	if (nr >= 0)
		return nr;
	for (size_t i = 0; i < sbx_seccomp_n_numbers; i++) {
		const struct sbx_seccomp_number *n = &sbx_seccomp_numbers[i];

		if (strcmp(n->name, name) != 0)
			continue;
		if (n->only == token)
			return n->nr;
		if (n->only == 0 && nr == __NR_SCMP_ERROR)
			return n->nr | (token == SCMP_ARCH_X32 ? X32_BIT : 0);
	}
	return -1;
}

static void
add_entry(struct table *t, uint32_t token, const char *name, uint32_t answer)
{
	int64_t nr = find_number(token, name);

	if (nr >= 0)
		*stv_vec_push(&t->list) =
			(struct entry){.nr = (uint32_t)nr, .answer = answer};
}

static int
compare_entries(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	if (x->nr != y->nr)
		return x->nr < y->nr ? -1 : 1;
	return x->answer < y->answer ? -1 : x->answer > y->answer;
}

static void
collect(struct table *t, const struct arch *a)
{
	for (size_t k = 0; k < STV_ARRAY_LEN(a->tokens); k++) {
		const char *last = "";

		if (a->tokens[k] == 0)
			break;
		for (size_t i = 0; i < sbx_seccomp_n_allowed; i++)
			add_entry(t, a->tokens[k], sbx_seccomp_allowed[i],
				  ALLOW);
		/* Rules of one call stand together; the first names them. */
		for (size_t i = 0; i < sbx_seccomp_n_rules; i++) {
			const char *name = sbx_seccomp_rules[i].name;

			if (strcmp(name, last) != 0)
				add_entry(t, a->tokens[k], name,
					  RULES + (uint32_t)i);
			last = name;
		}
	}
	if (t->list.len > 0)
		qsort(t->list.v, t->list.len, sizeof(struct entry),
		      compare_entries);
}

/* The answer for a number that the profile does not name. */
static uint32_t
default_answer(uint32_t nr)
{
	uint32_t highest = sbx_seccomp_numbers[sbx_seccomp_n_numbers - 1].nr;

#if defined(__x86_64__)
	nr &= ~X32_BIT;
#endif
	return nr > highest ? UNKNOWN : REFUSE;
}

/* Where a range may begin: at each named number, behind it, at the bounds. */
static void
add_points(struct table *points, const struct table *named)
{
	uint32_t highest = sbx_seccomp_numbers[sbx_seccomp_n_numbers - 1].nr;
	const uint32_t bounds[] = {0, highest + 1, X32_BIT,
				   X32_BIT + highest + 1, 0x80000000U};

	for (size_t i = 0; i < STV_ARRAY_LEN(bounds); i++)
		*stv_vec_push(&points->list) = (struct entry){
			.nr = bounds[i], .answer = default_answer(bounds[i])};
	for (size_t i = 0; i < named->list.len; i++) {
		uint32_t behind = named->list.v[i].nr + 1;

		*stv_vec_push(&points->list) = (struct entry){
			.nr = behind, .answer = default_answer(behind)};
		/* Sorted behind the default for the same number. */
		*stv_vec_push(&points->list) = named->list.v[i];
	}
	qsort(points->list.v, points->list.len, sizeof(struct entry),
	      compare_entries);
}

/* One entry where a run of numbers with the same answer begins. */
static void
make_ranges(struct table *ranges, const struct table *named)
{
	struct table points = {0};

	add_points(&points, named);
	for (size_t i = 0; i < points.list.len; i++) {
		const struct entry *e = &points.list.v[i];

		if (i + 1 < points.list.len && e[1].nr == e->nr)
			continue;
		if (ranges->list.len > 0 &&
		    ranges->list.v[ranges->list.len - 1].answer == e->answer)
			continue;
		*stv_vec_push(&ranges->list) = *e;
	}
	stv_vec_fini(&points.list);
}

/* ---- instructions -------------------------------------------------------- */

static size_t
emit(struct program *p, unsigned int code, uint32_t k, unsigned int jt,
     unsigned int jf)
{
	if (p->n < MAX_INSNS)
		p->v[p->n] = (struct sock_filter){.code = (uint16_t)code,
						  .jt = (uint8_t)jt,
						  .jf = (uint8_t)jf,
						  .k = k};
	return p->n++;
}

static void
emit_load(struct program *p, size_t offset)
{
	emit(p, BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset, 0, 0);
}

static void
emit_return(struct program *p, uint32_t action)
{
	emit(p, BPF_RET | BPF_K, action, 0, 0);
}

/* Let the jump at ${at} lead to the next instruction. */
static void
land(struct program *p, size_t at)
{
	if (at < MAX_INSNS)
		p->v[at].k = (uint32_t)(p->n - at - 1);
}

/* The test of one rule: go on behind it, or past one instruction more. */
static void
emit_test(struct program *p, const struct sbx_seccomp_rule *r)
{
	uint32_t value = (uint32_t)r->value;

	if (r->op == SBX_SECCOMP_ALWAYS)
		return;
	/*
	 * The lower half only: the kernel takes an int, or casts to one, so
	 * that bits above it must not choose the answer.
	 */
	emit_load(p, offsetof(struct seccomp_data, args));
	switch (r->op) {
	case SBX_SECCOMP_LT:
		emit(p, BPF_JMP | BPF_JGE | BPF_K, value, 1, 0);
		break;
	case SBX_SECCOMP_GT:
		emit(p, BPF_JMP | BPF_JGT | BPF_K, value, 0, 1);
		break;
	case SBX_SECCOMP_MASKED_EQ:
		emit(p, BPF_ALU | BPF_AND | BPF_K, (uint32_t)r->mask, 0, 0);
		emit(p, BPF_JMP | BPF_JEQ | BPF_K, value, 0, 1);
		break;
	case SBX_SECCOMP_EQ:
		emit(p, BPF_JMP | BPF_JEQ | BPF_K, value, 0, 1);
		break;
	case SBX_SECCOMP_ALWAYS:
		break;
	}
}

static void
emit_rules(struct program *p, size_t first)
{
	const struct sbx_seccomp_rule *r = &sbx_seccomp_rules[first];
	const char *name = r->name;

	for (size_t i = first; i < sbx_seccomp_n_rules; i++, r++) {
		if (strcmp(r->name, name) != 0)
			break;
		emit_test(p, r);
		emit_return(p, r->errnum == 0 ? SECCOMP_RET_ALLOW
					      : SECCOMP_RET_ERRNO |
							(uint32_t)r->errnum);
	}
	emit_return(p, SECCOMP_RET_ERRNO | EPERM);
}

static void
emit_answer(struct program *p, uint32_t answer)
{
	if (answer == ALLOW)
		emit_return(p, SECCOMP_RET_ALLOW);
	else if (answer == REFUSE)
		emit_return(p, SECCOMP_RET_ERRNO | EPERM);
	else if (answer == UNKNOWN)
		emit_return(p, SECCOMP_RET_ERRNO | ENOSYS);
	else
		emit_rules(p, answer - RULES);
}

static void emit_search(struct program *p, const struct entry *ranges,
			size_t n);

/* As below, where the test's own eight bits do not reach the upper half. */
static void
emit_far_search(struct program *p, const struct entry *ranges, size_t n)
{
	size_t half = n / 2, jump;

	emit(p, BPF_JMP | BPF_JGE | BPF_K, ranges[half].nr, 0, 1);
	jump = emit(p, BPF_JMP | BPF_JA, 0, 0, 0);
	emit_search(p, ranges, half);
	land(p, jump);
	emit_search(p, ranges + half, n - half);
}

/* Search among ${n} ranges; recursive, as deep as the logarithm of ${n}. */
static void
emit_search(struct program *p, const struct entry *ranges, size_t n)
{
	size_t half = n / 2, test, distance;

	if (n == 1) {
		emit_answer(p, ranges[0].answer);
		return;
	}
	test = emit(p, BPF_JMP | BPF_JGE | BPF_K, ranges[half].nr, 0, 0);
	emit_search(p, ranges, half);
	distance = p->n - test - 1;
	if (distance > MAX_JUMP) {
		p->n = test;
		emit_far_search(p, ranges, n);
		return;
	}
	if (test < MAX_INSNS)
		p->v[test].jt = (uint8_t)distance;
	emit_search(p, ranges + half, n - half);
}

static void
emit_arch(struct program *p, const struct arch *a)
{
	struct table named = {0}, ranges = {0};
	size_t jump;

	collect(&named, a);
	make_ranges(&ranges, &named);
	assert(ranges.list.len > 0); /* there are the bounds at least */
	emit_load(p, offsetof(struct seccomp_data, arch));
	emit(p, BPF_JMP | BPF_JEQ | BPF_K, a->audit, 1, 0);
	jump = emit(p, BPF_JMP | BPF_JA, 0, 0, 0);
	emit_load(p, offsetof(struct seccomp_data, nr));
	emit_search(p, ranges.list.v, ranges.list.len);
	land(p, jump);
	stv_vec_fini(&named.list);
	stv_vec_fini(&ranges.list);
}

int
sbx_seccomp_build(struct sock_fprog *ret, struct stv_err **err)
{
	struct program *p = stv_xcalloc(1, sizeof(*p));

	for (size_t i = 0; i < STV_ARRAY_LEN(archs); i++)
		emit_arch(p, &archs[i]);
	/* An architecture that this kernel should not have. */
	emit_return(p, SECCOMP_RET_KILL_PROCESS);
	if (p->n > MAX_INSNS) {
		stv_fail(err, STV_E_SANDBOX,
			 "the system call filter has %zu instructions, more "
			 "than the kernel's %d",
			 p->n, MAX_INSNS);
		free(p);
		return -1;
	}
	ret->len = (unsigned short)p->n;
	ret->filter = stv_xmemdup(p->v, p->n * sizeof(p->v[0]));
	free(p);
	return 0;
}
