/* builder/emulation.c - can programs of another platform run here? */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/cleanup.h"
#include "core/err.h"
#include "core/mem.h"
#include "core/oci.h"

#include "builder/build_internal.h"
#include "builder/emulation.h"

#define NOWHERE "/nonexistent/stave-probe"

/* How programs of an architecture begin (elf(5)). */
static const struct machine {
	const char *arch;
	unsigned char class;
	unsigned char data;
	unsigned char machine[2]; /* in its own order of bytes */
} machines[] = {
	{"386", ELFCLASS32, ELFDATA2LSB, {EM_386, 0}},
	{"amd64", ELFCLASS64, ELFDATA2LSB, {EM_X86_64, 0}},
	{"arm", ELFCLASS32, ELFDATA2LSB, {EM_ARM, 0}},
	{"arm64", ELFCLASS64, ELFDATA2LSB, {EM_AARCH64, 0}},
	{"loong64", ELFCLASS64, ELFDATA2LSB, {2, 1}},
	{"mips64", ELFCLASS64, ELFDATA2MSB, {0, EM_MIPS}},
	{"mips64le", ELFCLASS64, ELFDATA2LSB, {EM_MIPS, 0}},
	{"ppc64le", ELFCLASS64, ELFDATA2LSB, {EM_PPC64, 0}},
	{"riscv64", ELFCLASS64, ELFDATA2LSB, {EM_RISCV, 0}},
	{"s390x", ELFCLASS64, ELFDATA2MSB, {0, EM_S390}},
};

/*
 * A program whose interpreter is not there, with fields of one byte in either
 * order: to a kernel of its kind that is ENOENT, to another one ENOEXEC.
 */
struct probe {
	unsigned char bytes[256];
	size_t len;
	bool is_msb;
};

/* ${n} bytes of a number at ${at}. */
static void
put(struct probe *p, size_t at, size_t n, unsigned char v)
{
	p->bytes[p->is_msb ? at + n - 1 : at] = v;
}

/* An ELF header, one program header (PT_INTERP), the interpreter's name. */
static void
make_probe(const struct machine *m, struct probe *p)
{
	bool is_64 = m->class == ELFCLASS64;
	size_t head = is_64 ? sizeof(Elf64_Ehdr) : sizeof(Elf32_Ehdr);
	size_t entry = is_64 ? sizeof(Elf64_Phdr) : sizeof(Elf32_Phdr);
	size_t word = is_64 ? 8 : 4, name = head + entry;

	*p = (struct probe){.is_msb = m->data == ELFDATA2MSB,
			    .len = name + sizeof(NOWHERE)};
	memcpy(p->bytes, ELFMAG, SELFMAG);
	p->bytes[EI_CLASS] = m->class;
	p->bytes[EI_DATA] = m->data;
	p->bytes[EI_VERSION] = EV_CURRENT;
	put(p, 16, 2, ET_EXEC);
	memcpy(p->bytes + 18, m->machine, 2);
	put(p, 20, 4, EV_CURRENT);
	put(p, 24 + word, word, (unsigned char)head);	    /* e_phoff */
	put(p, 24 + 3 * word + 4, 2, (unsigned char)head);  /* e_ehsize */
	put(p, 24 + 3 * word + 6, 2, (unsigned char)entry); /* e_phentsize */
	put(p, 24 + 3 * word + 8, 2, 1);		    /* e_phnum */
	put(p, head, 4, PT_INTERP);
	put(p, head + word, word, (unsigned char)name); /* p_offset */
	put(p, head + 4 * word, word, sizeof(NOWHERE)); /* p_filesz */
	memcpy(p->bytes + name, NOWHERE, sizeof(NOWHERE));
}

/* Start it, with nothing to read or write; the error, or 0 where it started. */
static int
start(const char *path)
{
	posix_spawn_file_actions_t actions;
	char *argv[] = {NULL, NULL}, *envp[] = {NULL};
	stv_auto_free char *name = stv_xstrdup("probe");
	pid_t pid;
	int rc;

	argv[0] = name;
	rc = posix_spawn_file_actions_init(&actions);
	if (rc != 0)
		return rc;
	for (int fd = 0; fd < 3 && rc == 0; fd++)
		rc = posix_spawn_file_actions_addopen(&actions, fd, "/dev/null",
						      O_RDWR, 0);
	if (rc == 0)
		rc = posix_spawn(&pid, path, &actions, NULL, argv, envp);
	(void)posix_spawn_file_actions_destroy(&actions);
	if (rc != 0)
		return rc;
	(void)kill(pid, SIGKILL);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	return 0;
}

static bool
asks_kernel(const struct machine *m)
{
	struct probe p;
	char path[64];
	/* an interpreter of binfmt_misc opens it by its name */
	stv_auto_fd fd = memfd_create("stave-probe", 0);

	make_probe(m, &p);
	if (fd < 0 || write(fd, p.bytes, p.len) != (ssize_t)p.len)
		return true;
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return start(path) != ENOEXEC;
}

bool
bld_can_run(const struct stv_platform *p)
{
	struct stv_platform host = {0};
	bool is_host;

	if (p->os == NULL || p->arch == NULL)
		return true;
	if (strcmp(p->os, "linux") != 0)
		return false;
	stv_platform_host(&host);
	is_host = strcmp(host.arch, p->arch) == 0;
	stv_platform_fini(&host);
	if (is_host)
		return true;
	for (size_t i = 0; i < STV_ARRAY_LEN(machines); i++)
		if (strcmp(machines[i].arch, p->arch) == 0)
			return asks_kernel(&machines[i]);
	return false;
}

static int
fail(const struct bld_step *step, const struct stv_platform *p,
     struct stv_err **err)
{
	stv_auto_free char *name = stv_platform_str(p);

	stv_fail(err, STV_E_PRIVILEGE,
		 "this machine cannot run programs for %s, which this RUN "
		 "needs",
		 name);
	stv_err_hint(*err, "Register an emulator (binfmt_misc): install "
			   "qemu-user-static, or build this stage with FROM "
			   "--platform=$BUILDPLATFORM.");
	return stv_err_at(*err, step->node->span);
}

int
bld_emulation_check(const struct bld_stage *st, const struct bld_step *step,
		    struct stv_err **err)
{
	const struct stv_platform *p = &st->config->platform;

	return bld_can_run(p) ? 0 : fail(step, p, err);
}

const struct stv_platform *
bld_stage_platform(const struct bld_stage *st)
{
	while (!st->has_platform && st->base.kind == BLD_BASE_STAGE)
		st = st->b->stages.v[st->base.stage];
	if (st->has_platform)
		return &st->platform;
	return st->b->o->platform.os != NULL ? &st->b->o->platform : NULL;
}

int
bld_emulation_plan(const struct bld_build *b, struct stv_err **err)
{
	for (size_t i = 0; i < b->stages.len; i++) {
		const struct bld_stage *st = b->stages.v[i];
		const struct stv_platform *p = bld_stage_platform(st);
		const struct bld_step *run = NULL;

		for (size_t k = 0; k < st->steps.len && run == NULL; k++)
			if (st->steps.v[k].node->kind == DF_RUN)
				run = &st->steps.v[k];
		if (st->is_needed && run != NULL && p != NULL &&
		    !bld_can_run(p))
			return fail(run, p, err);
	}
	return 0;
}
