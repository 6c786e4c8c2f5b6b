/*
 * builder/sandbox/internal.h - shared by the files of the sandbox only.
 *
 * sbx_start() turns a spec into a struct sbx_plan, in which everything is
 * resolved: strings joined, descriptors open.  The child reads the plan and
 * makes system calls; what goes wrong it writes into the report, a page that
 * parent and child share (execve takes it away from the command, so that no
 * descriptor is needed for it).
 */
#ifndef STAVE_BUILDER_SANDBOX_INTERNAL_H
#define STAVE_BUILDER_SANDBOX_INTERNAL_H

#include <linux/filter.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "builder/sandbox/sandbox.h"
#include "builder/sandbox/spec.h"
#include "core/buf.h"
#include "core/strs.h"

struct stv_err; /* core/err.h */

/* Docker's 14 capabilities (SANDBOX.md 4.1 step 18), and one of them. */
#define SBX_CAPS 0xa80425fbULL
#define SBX_CAP_MKNOD_BIT (1ULL << 27)

/* Exit code of a child that could not be set up, as docker's. */
#define SBX_EXIT_SETUP 125

/* Empty files and directories made for mounts; more are refused. */
#define SBX_MAX_STUBS 256
/*
 * A directory of the store that is the lowest layer of every sandbox: what is
 * mounted on, so that it need not be made in (and removed from) the upper.
 */
#define SBX_MOUNTPOINTS "mountpoints"

/* Room for their paths. */
#define SBX_STUB_PATHS (size_t)(48 << 10)
#define SBX_MAX_WARNINGS 16

/* What the child is doing.  Texts: stage_texts in report.c. */
enum sbx_stage {
	SBX_ST_BEGIN,
	SBX_ST_CGROUP1,
	SBX_ST_CLOSE,
	SBX_ST_PARENT,
	SBX_ST_CGROUP_NS,
	SBX_ST_PRIVATE,
	SBX_ST_STORE,
	SBX_ST_LOWER, /* index: which */
	SBX_ST_OVERLAY,
	SBX_ST_ATTACH,
	SBX_ST_SCRATCH,
	SBX_ST_PROC,
	SBX_ST_DEV,
	SBX_ST_DEV_NODE, /* index: which */
	SBX_ST_DEVPTS,
	SBX_ST_SYS,
	SBX_ST_CGROUP2,
	SBX_ST_MQUEUE,
	SBX_ST_SHM,
	SBX_ST_READONLY, /* index: which */
	SBX_ST_MASK,	 /* index: which */
	SBX_ST_RESOLV_CONF,
	SBX_ST_HOSTS,
	SBX_ST_MOUNT_SOURCE, /* index: which of spec->mounts */
	SBX_ST_MOUNT,	     /* likewise */
	SBX_ST_LOOPBACK,
	SBX_ST_HOSTNAME,
	SBX_ST_PIVOT,
	SBX_ST_CWD,
	SBX_ST_PTY,
	SBX_ST_STDIO,
	SBX_ST_KEYRING,
	SBX_ST_RLIMIT, /* index: which of plan->rlimits */
	SBX_ST_SECCOMP,
	SBX_ST_CAPS,
	SBX_ST_IDS,
	SBX_ST_EXEC, /* index: 1 where only the interpreter is missing */
	SBX_N_STAGES
};

/* One thing made in the upper directory only to mount on it (THREATS A10). */
struct sbx_stub {
	uint32_t path; /* offset in report->paths; relative to the upper */
	uint32_t is_dir;
	uint64_t dev, ino; /* in the upper's own file system */
};

struct sbx_warning {
	uint32_t stage, index;
	int32_t errnum;
};

/* Written by the child, read by the parent after its death. */
struct sbx_report {
	uint32_t stage, index;
	int32_t errnum; /* 0 while nothing has failed */
	uint32_t n_warnings;
	struct sbx_warning warnings[SBX_MAX_WARNINGS];
	uint32_t n_stubs;
	uint32_t paths_len;
	struct sbx_stub stubs[SBX_MAX_STUBS];
	char paths[SBX_STUB_PATHS];
};

/* Layers to be mounted: the root, or a mount of the user. */
struct sbx_overlay {
	bool is_root; /* has SBX_MOUNTPOINTS below all others */
	const char *const *lower_dirs;
	size_t n_lowers;
	const char *upper, *work;
	char *legacy_data; /* for mount(2), or NULL where it is too long */
};

/* A mount of the user, resolved. */
struct sbx_plan_mount {
	const struct sbx_mount *m;
	uint32_t index;	   /* in spec->mounts */
	int tree_fd;	   /* BIND: a detached mount; else -1 */
	bool is_dir;	   /* what to make where the target is missing */
	char *size, *mode; /* TMPFS options */
	char *name;	   /* OVERLAY, FILE: in the scratch tmpfs */
	struct sbx_overlay overlay;
};

/* Everything that the child needs; only read there. */
struct sbx_plan {
	const struct sbx *sbx;
	const struct sbx_spec *spec;
	struct sbx_report *report;

	int upper_fd;	/* -1 without upper */
	int cgroup1_fd; /* cgroup.procs of the v1 directory, or -1 */
	int stdio[3];	/* what goes to 0, 1, 2; -1: inner null or pty */
	int pty_sock;	/* the master goes back through it; or -1 */
	int *keep_fds;	/* ascending; all others are closed first */
	size_t n_keep;

	struct sbx_overlay root;
	char *shm_size;
	char *scratch_size; /* of the tmpfs with our own files */
	const char *hostname;
	char **exec_paths; /* candidates for execve(), NULL-terminated */
	struct sbx_plan_mount *mounts;
	size_t n_mounts;
	struct sbx_rlimit *rlimits;
	size_t n_rlimits;
	size_t n_base_rlimits; /* ours; a failure of the rest is a warning */
	uint64_t caps;
};

struct sbx {
	int store_fd;
	char *store_path; /* to open it again in another mount namespace */
	uint64_t store_dev, store_ino;
	int self_pidfd; /* readable once we are dead */

	struct sock_fprog filter;
	struct stv_strs masks_proc, masks_sys; /* relative to their mounts */
	bool has_cgroup2_root;		       /* /sys/fs/cgroup is a cgroup2 */
	struct sbx_rlimit nofile;
	uint64_t caps;	   /* SBX_CAPS as far as we have them */
	uint64_t all_caps; /* all that we have */
	unsigned int cap_last;
	bool force_mount2;

	enum sbx_devices devices;
	int cgroup2_base, cgroup1_base; /* own directories, or -1 */
	int devices_prog;		/* BPF, or -1 */
	uint64_t pid_ns;		/* number of our pid namespace */
	_Atomic unsigned long next_cgroup;
	int vmstat_fd;
};

struct sbx_proc {
	struct sbx *sbx;
	int pidfd;
	int out, err, in, pty;
	int upper_fd;
	struct sbx_report *report;
	struct sbx_cgroup {
		char name[80]; /* "" where there is none */
		int base_fd;   /* borrowed */
		int dir_fd;
		bool is_v2;
	} cgroup;
	uint64_t oom_kills_before;
	char *argv0;
	struct stv_strs mount_targets; /* as in spec->mounts */
	char *cwd;
	bool is_reaped;
	bool was_killed_by_us;
	int wait_code, wait_status; /* si_code and si_status */
};

/* Paths that are read-only or masked in a sandbox. */
extern const char *const sbx_readonly_paths[];
extern const size_t sbx_n_readonly_paths;

/* sbx_find_masks(sbx): fill masks_proc and masks_sys. */
void sbx_find_masks(struct sbx *sbx);

/*
 * sbx_mountpoints_make(store_fd, err): make SBX_MOUNTPOINTS, complete or not
 * at all, unless it is there.  Errors: STV_E_IO.
 */
int sbx_mountpoints_make(int store_fd, struct stv_err **err);

/*
 * sbx_seccomp_build(ret, err): compile Docker's default profile for the 14
 * capabilities.  Owns: ret->filter, free().  Errors: STV_E_SANDBOX.
 */
int sbx_seccomp_build(struct sock_fprog *ret, struct stv_err **err);

/*
 * sbx_cgroup_open(sbx, want): find the own cgroup directories and choose the
 * guard before devices; sets sbx->devices.  What cannot work is skipped,
 * unless ${want} forces it: then -1 with STV_E_PRIVILEGE.
 */
int sbx_cgroup_open(struct sbx *sbx, enum sbx_devices want,
		    struct stv_err **err);

/* sbx_cgroup_close(sbx): release what sbx_cgroup_open() took. */
void sbx_cgroup_close(struct sbx *sbx);

/*
 * sbx_cgroup_make(sbx, is_open, ret, err): a fresh directory with the device
 * filter, or without it where ${is_open}.  Nothing is made with
 * SBX_DEVICES_NONE.
 * Owns: *ret, sbx_cgroup_remove().  Errors: STV_E_SANDBOX.
 */
int sbx_cgroup_make(struct sbx *sbx, bool is_open, struct sbx_cgroup *ret,
		    struct stv_err **err);

/*
 * sbx_cgroup_remove(cg): remove it once it is empty; waits shortly for the
 * kernel to let go of the dead.
 */
void sbx_cgroup_remove(struct sbx_cgroup *cg);

/* sbx_cgroup_oom_kills(sbx, cg, ret_certain): how many so far. */
uint64_t sbx_cgroup_oom_kills(const struct sbx *sbx,
			      const struct sbx_cgroup *cg, bool *ret_certain);

/*
 * sbx_plan_make(sbx, spec, ret, err): resolve ${spec}.
 * Owns:    *ret, sbx_plan_fini(), also on failure.
 * Borrows: ${sbx} and ${spec}.
 */
int sbx_plan_make(const struct sbx *sbx, const struct sbx_spec *spec,
		  struct sbx_plan *ret, struct stv_err **err);

/* sbx_plan_keep(plan): list the descriptors that the child needs. */
void sbx_plan_keep(struct sbx_plan *plan);

/* sbx_plan_fini(plan): free it and close its descriptors. */
void sbx_plan_fini(struct sbx_plan *plan);

/*
 * sbx_child_main(plan): all between clone3 and execve.  Never returns.  Only
 * system calls: no allocation, no locks, no stdio.
 */
void sbx_child_main(const struct sbx_plan *plan) __attribute__((__noreturn__));

/*
 * sbx_report_setup_error(p, err): the error that the report tells, for a
 * child that never executed the command.  Returns -1.
 */
int sbx_report_setup_error(const struct sbx_proc *p, struct stv_err **err);

/* sbx_report_exec_error(p): the line for sbx_status.exec_error.  Owns. */
char *sbx_report_exec_error(const struct sbx_proc *p);

/* sbx_report_warnings(p, ret): one line for each. */
void sbx_report_warnings(const struct sbx_proc *p, struct stv_strs *ret);

/*
 * sbx_stubs_remove(upper_fd, report): take away again what was made for
 * mounts, if it is still that and empty, and put back its parents' mtimes.
 */
void sbx_stubs_remove(int upper_fd, const struct sbx_report *report);

#endif /* STAVE_BUILDER_SANDBOX_INTERNAL_H */
