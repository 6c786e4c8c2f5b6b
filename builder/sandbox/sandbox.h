/*
 * builder/sandbox/sandbox.h - run commands of an image, away from the host.
 *
 *	sbx_open(&config, &sbx, err);              once per process
 *	sbx_start(sbx, &spec, &proc, err);         returns at once
 *	... poll sbx_proc_pidfd(), _stdout_fd(), _stderr_fd() of all running
 *	    ones; read the output until EOF on both ...
 *	sbx_finish(proc, &status, err);            when the pidfd is readable
 *	sbx_proc_free(proc);
 *	sbx_close(sbx);
 *
 * What is done in the sandbox, in which order and why: rung R1 of
 * SANDBOX.md.  Linux 5.15 and later; root with CAP_SYS_ADMIN.
 *
 * Threads: one only, and it must live as long as the process: the command is
 * killed when the thread that started it ends (PR_SET_PDEATHSIG).
 */
#ifndef STAVE_BUILDER_SANDBOX_SANDBOX_H
#define STAVE_BUILDER_SANDBOX_SANDBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>

#include "builder/sandbox/spec.h"
#include "core/cleanup.h"
#include "core/strs.h"

struct stv_err; /* core/err.h */

/* Which guard stands before device nodes (THREATS A19). */
enum sbx_devices {
	SBX_DEVICES_AUTO,    /* the first of the following that works here */
	SBX_DEVICES_BPF,     /* a program on a cgroup v2 directory */
	SBX_DEVICES_CGROUP1, /* the devices controller of cgroup v1 */
	SBX_DEVICES_NONE     /* no guard: no CAP_MKNOD, root mounted nodev */
};

/* How this process runs commands. */
struct sbx_config {
	int store_fd; /* the store's directory; borrowed by struct sbx */
	/*
	 * RLIMIT_NOFILE as the caller of the program had it, where the program
	 * has raised its own since; NULL: what it is now.
	 */
	const struct rlimit *caller_nofile;
	enum sbx_devices devices; /* forced only by tests */
	bool force_mount2;	  /* overlay by mount(2), as before Linux 6.7 */
};

/* Everything that is prepared once: filters, masks, the cgroup's place. */
struct sbx;

/* One command that was started. */
struct sbx_proc;

/* How a command ended.  Zeroed before use; fini frees what it holds. */
struct sbx_status {
	/*
	 * As a shell gives it: the command's own, 128 + signal, 127 not found,
	 * 126 not executable.
	 */
	int exit_code;
	int signal; /* that killed it, or 0 */
	/* It was killed while memory was out: surely, or by all appearance. */
	bool is_oom, is_oom_certain;
	/*
	 * Why the command could not be executed (exit code 126, 127): one line
	 * without a full stop, quoted for a terminal.  NULL where it was.
	 */
	char *exec_error;
	/* What could not be done but did not matter enough to stop. */
	struct stv_strs warnings;
};

/* sbx_status_fini(s): free what ${s} holds. */
void sbx_status_fini(struct sbx_status *s);

/*
 * sbx_open(cfg, ret, err): prepare to run commands: compile the system call
 * filter, load the device filter, find the cgroup and what must be masked.
 *
 * Owns:    *ret; end it with sbx_close().
 * Borrows: ${cfg}->store_fd, until sbx_close().
 * Errors:  STV_E_PRIVILEGE with what is missing, STV_E_SANDBOX.
 */
int sbx_open(const struct sbx_config *cfg, struct sbx **ret,
	     struct stv_err **err);

/* sbx_close(sbx): release it; no command may be running.  NULL is ok. */
void sbx_close(struct sbx *sbx);

STV_DEFINE_CLEANUP(sbx, sbx_close);

/* sbx_devices_in_use(sbx): the guard that was chosen; never AUTO. */
enum sbx_devices sbx_devices_in_use(const struct sbx *sbx);

/*
 * sbx_start(sbx, spec, ret, err): start the command.  Returns when the process
 * exists; its set-up goes on beside the caller, and what fails in it is told
 * by sbx_finish().  (With SBX_STDIO_PTY it waits until the terminal is there.)
 *
 * Owns:    *ret; end it with sbx_proc_free().
 * Borrows: ${sbx} until then; ${spec} only during the call.
 * Errors:  STV_E_SANDBOX, STV_E_PRIVILEGE, STV_E_LIMIT, STV_E_IO.
 */
int sbx_start(struct sbx *sbx, const struct sbx_spec *spec,
	      struct sbx_proc **ret, struct stv_err **err);

/*
 * sbx_proc_pidfd(p): readable once the command and everything that it left
 * behind is dead.  Borrows: do not close.
 */
int sbx_proc_pidfd(const struct sbx_proc *p);

/*
 * sbx_proc_stdout_fd(p), sbx_proc_stderr_fd(p): the reading ends, O_NONBLOCK;
 * EOF when the last process is gone.  -1 with SBX_STDIO_PTY.  Borrows.
 */
int sbx_proc_stdout_fd(const struct sbx_proc *p);
int sbx_proc_stderr_fd(const struct sbx_proc *p);

/*
 * sbx_proc_stdin_fd(p): SBX_STDIO_PIPES: the writing end, O_NONBLOCK (a write
 * after the command closed its stdin is EPIPE and SIGPIPE); otherwise -1.
 * Borrows; close it with sbx_proc_close_stdin().
 */
int sbx_proc_stdin_fd(const struct sbx_proc *p);

/* sbx_proc_close_stdin(p): give the command EOF on its standard input. */
void sbx_proc_close_stdin(struct sbx_proc *p);

/*
 * sbx_proc_pty_fd(p): SBX_STDIO_PTY: the master side, O_NONBLOCK, for input,
 * output and TIOCSWINSZ; a read gives EIO when the last process is gone.
 * -1 otherwise.  Borrows.
 */
int sbx_proc_pty_fd(const struct sbx_proc *p);

/*
 * sbx_kill(p, sig): send ${sig} to the command (PID 1 inside: it ignores what
 * it has no handler for, except SIGKILL, which ends everything in it).
 * No-op where it is dead.
 */
void sbx_kill(struct sbx_proc *p, int sig);

/*
 * sbx_finish(p, ret, err): wait for the command, remove its cgroup and what
 * was made in the upper directory only to mount something there.
 *
 * Owns:    *ret; sbx_status_fini().
 * Errors:  STV_E_SANDBOX, STV_E_PRIVILEGE, STV_E_INPUT (the image is such that
 *          nothing can be mounted, or its working directory is no directory):
 *          the set-up failed and the command was never executed.  STV_E_IO.
 */
int sbx_finish(struct sbx_proc *p, struct sbx_status *ret,
	       struct stv_err **err);

/*
 * sbx_proc_free(p): free ${p}; kills and waits for the command unless it was
 * finished, and cleans up as sbx_finish() does.  NULL is ok.
 */
void sbx_proc_free(struct sbx_proc *p);

STV_DEFINE_CLEANUP(sbx_proc, sbx_proc_free);

/*
 * sbx_probe_root(store_fd, why_not): can rung R1 run here?  Tries it in a
 * child: namespaces, an overlay with a whiteout and an xattr on the store's
 * file system (in a directory below its tmp/, removed again), proc.
 *
 * Returns: true; or false and a line in *why_not that says what is missing.
 * Owns:    *why_not (untouched where true is returned).
 */
bool sbx_probe_root(int store_fd, char **why_not);

/*
 * sbx_idmapped(source_fd, uid, gid): a detached mount of ${source_fd} and what
 * is mounted below it, in which the files of ${uid} and ${gid} are root's; for
 * a struct sbx_mount with is_tree.
 * Owns:    the descriptor returned.
 * Returns: -1 with errno where kernel or file system cannot do it.
 * Threads: any.
 */
int sbx_idmapped(int source_fd, uint32_t uid, uint32_t gid);

/*
 * sbx_make_resolv_conf(net, ret, err): the content for /etc/resolv.conf: the
 * host's as it is; without a network loopback servers are left out.  No server
 * is invented.  A host without the file gives an empty one.
 *
 * Owns:   *ret.
 * Errors: STV_E_IO, STV_E_LIMIT.
 */
int sbx_make_resolv_conf(enum sbx_net net, char **ret, struct stv_err **err);

/*
 * sbx_make_hosts(hostname, add_hosts, ret, err): the content for /etc/hosts:
 * localhost and ${hostname} (NULL: SBX_HOSTNAME), then each --add-host, which
 * is NAME:ADDRESS or NAME=ADDRESS (IPv6 with or without brackets).
 *
 * Owns:   *ret.
 * Errors: STV_E_USAGE for an entry of another form.
 */
int sbx_make_hosts(const char *hostname, const struct stv_strs *add_hosts,
		   char **ret, struct stv_err **err);

#endif /* STAVE_BUILDER_SANDBOX_SANDBOX_H */
