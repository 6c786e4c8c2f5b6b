/*
 * builder/sandbox/spec.h - what one command in the sandbox is to look like.
 *
 * A plain description: no descriptors of the sandbox itself, nothing that must
 * be undone.  Everything in it is borrowed until sbx_start() returns.
 */
#ifndef STAVE_BUILDER_SANDBOX_SPEC_H
#define STAVE_BUILDER_SANDBOX_SPEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>

/* The name that BuildKit gives to a RUN's machine (SANDBOX.md 4.1 step 12). */
#define SBX_HOSTNAME "buildkitsandbox"
/* --shm-size where the user gives none; Docker's. */
#define SBX_SHM_SIZE ((uint64_t)64 << 20)
/* PATH where the image has none (SANDBOX.md 4.6). */
#define SBX_DEFAULT_PATH                                                       \
	"/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

enum sbx_net {
	SBX_NET_HOST, /* the caller's network namespace; also `default` */
	SBX_NET_NONE  /* a new one with a loopback device only */
};

/* What stands behind descriptors 0, 1 and 2. */
enum sbx_stdio {
	SBX_STDIO_OUTPUT, /* stdin is the inner /dev/null; two output pipes */
	SBX_STDIO_PIPES,  /* as above, but stdin is a pipe (`run -i`) */
	SBX_STDIO_PTY /* all three are an inner pseudo terminal (`run -t`) */
};

enum sbx_mount_kind {
	SBX_MOUNT_BIND,	   /* source_fd, with what is mounted below it */
	SBX_MOUNT_TMPFS,   /* a fresh tmpfs */
	SBX_MOUNT_OVERLAY, /* a place inside of layers */
	SBX_MOUNT_FILE	   /* bytes that are nowhere on a disk (a secret) */
};

/*
 * One more mount (`run -v`, RUN --mount).  The target is resolved inside
 * the root, links followed there; what is missing of it is made and, where it
 * fell into the upper directory, removed again after the command.
 * nosuid and nodev always.
 */
struct sbx_mount {
	enum sbx_mount_kind kind;
	const char *target;  /* absolute path inside */
	int source_fd;	     /* BIND: O_PATH or better, directory or file */
	bool is_tree;	     /* BIND: it is a detached mount already */
	bool is_readonly;    /* recursively; FILE: always */
	uint64_t size_bytes; /* TMPFS: 0 is the kernel's default */
	uint32_t mode;	     /* TMPFS: 0 is 1777; FILE: as it is */

	/*
	 * OVERLAY: as the root of struct sbx_spec; without upper it is
	 * read-only.  Of it ${source} is mounted, links followed inside.
	 */
	const char *const *lower_dirs;
	size_t n_lowers;
	const char *upper, *work;
	const char *source;

	/* FILE */
	const void *data;
	size_t data_len;
	uint32_t uid, gid;
};

/* One --ulimit. */
struct sbx_rlimit {
	int resource; /* RLIMIT_... */
	rlim_t soft, hard;
};

/*
 * One command.  A zeroed one with lower_dirs, argv, envp set is root in "/"
 * with the caller's network and a read-only root.
 */
struct sbx_spec {
	/*
	 * Directories of the root, topmost first, at least one (an empty
	 * directory for `FROM scratch`), at most STV_MAX_OVERLAY_LOWERS.  Paths
	 * relative to the store (sbx_config.store_fd), without ".." or links.
	 */
	const char *const *lower_dirs;
	size_t n_lowers;
	/*
	 * Where changes go; both relative to the store, empty, on one file
	 * system, used for one command only (`volatile` forbids a second
	 * mount).  NULL upper: a read-only root without a trace.
	 */
	const char *upper, *work;

	char *const *argv; /* argv[0] without a slash is looked up in PATH */
	char *const *envp; /* the whole environment, NULL-terminated */
	const char *cwd;   /* absolute, inside; NULL is "/"; made if missing */

	uint32_t uid, gid;
	/* Supplementary groups, exactly these (THREATS A17: with ${gid}). */
	const uint32_t *groups;
	size_t n_groups;

	enum sbx_net net;
	const char *hostname;	 /* NULL is SBX_HOSTNAME */
	const char *resolv_conf; /* content of /etc/resolv.conf; NULL: none */
	const char *hosts;	 /* content of /etc/hosts; NULL: none */
	uint64_t shm_size;	 /* bytes; 0 is SBX_SHM_SIZE */

	const struct sbx_rlimit *rlimits; /* over the caller's own */
	size_t n_rlimits;
	const struct sbx_mount *mounts;
	size_t n_mounts;

	enum sbx_stdio stdio;
	uint16_t rows, cols; /* PTY: window size; 0 leaves the kernel's */
	bool no_new_privs;   /* --security-opt no-new-privileges */
	/*
	 * RUN --security=insecure: all capabilities that we have, no filter of
	 * system calls or devices, nothing masked or read-only.
	 */
	bool is_insecure;
};

#endif /* STAVE_BUILDER_SANDBOX_SPEC_H */
