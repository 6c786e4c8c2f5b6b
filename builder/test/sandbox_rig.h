/*
 * builder/test/sandbox_rig.h - a store with a busybox image, for the tests of
 * the sandbox.  All of it lies in one temporary directory.
 */
#ifndef STAVE_BUILDER_TEST_SANDBOX_RIG_H
#define STAVE_BUILDER_TEST_SANDBOX_RIG_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "builder/sandbox/sandbox.h"
#include "core/buf.h"
#include "core/err.h"

struct rig {
	char dir[64]; /* the temporary directory: store/ and canary/ */
	int store;    /* of store/, with rootfs/, upper/, work/ */
	int rootfs;   /* of the image's one layer */
	struct sbx *sbx;
	struct sbx_config config;
	struct sbx_spec spec; /* what rig_run() runs; tests change it */
	char *argv[8];
	/* of the last run */
	struct sbx_status status;
	struct stv_buf out, err_out;
	struct stv_err *err;
	int result; /* of sbx_start and sbx_finish together */
};

/* rig_open(r): build it; skips the test, with a reason, where it cannot run. */
void rig_open(struct rig *r);

/* rig_reopen(r): make r->sbx again, after r->config was changed. */
void rig_reopen(struct rig *r);

/* rig_close(r): remove everything. */
void rig_close(struct rig *r);

/* rig_fresh(r): an empty upper and work. */
void rig_fresh(struct rig *r);

/* rig_collect(r, p): read the output of ${p} until EOF, then finish it. */
void rig_collect(struct rig *r, struct sbx_proc *p);

/* rig_run(r): run r->spec in a fresh upper. */
void rig_run(struct rig *r);

/* rig_sh(r, script): run "sh -c script" with r->spec. */
void rig_sh(struct rig *r, const char *script);

/* rig_expect(r, script, out): it exits 0 and prints exactly ${out}. */
void rig_expect(struct rig *r, const char *script, const char *out);

/* rig_is_gone(pid): wait, at most five seconds, until ${pid} is no more. */
bool rig_is_gone(pid_t pid);

/* rig_pid(p): the process id of a running command, as we see it. */
pid_t rig_pid(const struct sbx_proc *p);

/*
 * rig_list(dir, path): what lies below ${path}, one path a line, sorted.
 * Owns: the result.
 */
char *rig_list(int dir, const char *path);

#endif /* STAVE_BUILDER_TEST_SANDBOX_RIG_H */
