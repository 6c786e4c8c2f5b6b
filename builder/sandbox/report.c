/*
 * builder/sandbox/report.c - say in words what the child wrote down.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "core/buf.h"
#include "core/cleanup.h"
#include "core/err.h"
#include "core/mem.h"

#include "builder/sandbox/internal.h"

#define MAX_LINE ((size_t)8192)

/* What was being done. */
static const char *const stage_texts[SBX_N_STAGES] = {
	[SBX_ST_BEGIN] = "starting the process",
	[SBX_ST_CGROUP1] = "entering the cgroup",
	[SBX_ST_CLOSE] = "closing descriptors",
	[SBX_ST_PARENT] = "following the parent process",
	[SBX_ST_CGROUP_NS] = "making the cgroup namespace",
	[SBX_ST_PRIVATE] = "making the mounts private",
	[SBX_ST_STORE] = "opening the store",
	[SBX_ST_LOWER] = "opening a layer",
	[SBX_ST_OVERLAY] = "mounting the root",
	[SBX_ST_ATTACH] = "attaching the root",
	[SBX_ST_SCRATCH] = "mounting a tmpfs",
	[SBX_ST_PROC] = "mounting 'proc'",
	[SBX_ST_DEV] = "mounting '/dev'",
	[SBX_ST_DEV_NODE] = "making device nodes",
	[SBX_ST_DEVPTS] = "mounting 'devpts'",
	[SBX_ST_SYS] = "mounting 'sysfs'",
	[SBX_ST_CGROUP2] = "mounting 'cgroup2'",
	[SBX_ST_MQUEUE] = "mounting 'mqueue'",
	[SBX_ST_SHM] = "mounting '/dev/shm'",
	[SBX_ST_READONLY] = "making paths of /proc read-only",
	[SBX_ST_MASK] = "masking paths of /proc and /sys",
	[SBX_ST_RESOLV_CONF] = "mounting '/etc/resolv.conf'",
	[SBX_ST_HOSTS] = "mounting '/etc/hosts'",
	[SBX_ST_MOUNT_SOURCE] = "preparing the mount",
	[SBX_ST_MOUNT] = "mounting",
	[SBX_ST_LOOPBACK] = "raising the loopback device",
	[SBX_ST_HOSTNAME] = "setting the host name",
	[SBX_ST_PIVOT] = "changing the root",
	[SBX_ST_CWD] = "entering the working directory",
	[SBX_ST_PTY] = "making the terminal",
	[SBX_ST_STDIO] = "setting up standard input and output",
	[SBX_ST_KEYRING] = "making a session keyring",
	[SBX_ST_RLIMIT] = "setting resource limits",
	[SBX_ST_SECCOMP] = "installing the system call filter",
	[SBX_ST_CAPS] = "dropping capabilities",
	[SBX_ST_IDS] = "setting user and groups",
	[SBX_ST_EXEC] = "executing the command",
};

/* The text for a stage, with the path that it was about where there is one. */
static void
add_stage(struct stv_buf *b, const struct sbx_proc *p, uint32_t stage,
	  uint32_t index)
{
	const char *path = NULL;

	stv_buf_adds(b,
		     stage < SBX_N_STAGES ? stage_texts[stage] : "setting up");
	if ((stage == SBX_ST_MOUNT || stage == SBX_ST_MOUNT_SOURCE) &&
	    index < p->mount_targets.len)
		path = p->mount_targets.v[index];
	if (stage == SBX_ST_CWD)
		path = p->cwd;
	if (path != NULL) {
		stv_buf_adds(b, " '");
		stv_buf_add_escaped(b, path, strlen(path));
		stv_buf_addc(b, '\'');
	}
}

static bool
is_no_space(int errnum)
{
	return errnum == ENOSPC || errnum == EDQUOT;
}

/* Is it the image's (or the user's) fault rather than this machine's? */
static bool
is_image_fault(const struct sbx_report *r)
{
	if (is_no_space(r->errnum))
		return false;
	switch (r->stage) {
	case SBX_ST_PROC:
	case SBX_ST_DEV:
	case SBX_ST_SYS:
	case SBX_ST_RESOLV_CONF:
	case SBX_ST_HOSTS:
		/* index 1: at the place in the image, not at the mount */
		return r->index == 1;
	case SBX_ST_CWD:
	case SBX_ST_MOUNT_SOURCE:
	case SBX_ST_MOUNT:
		return r->errnum != EPERM && r->errnum != ENOMEM;
	default:
		return false;
	}
}

/* Is something made on the store's disk at that stage? */
static bool
is_on_disk(uint32_t stage)
{
	switch (stage) {
	case SBX_ST_OVERLAY:
	case SBX_ST_PROC:
	case SBX_ST_DEV:
	case SBX_ST_SYS:
	case SBX_ST_RESOLV_CONF:
	case SBX_ST_HOSTS:
	case SBX_ST_MOUNT:
	case SBX_ST_CWD:
		return true;
	default:
		return false;
	}
}

static enum stv_code
code_for(const struct sbx_report *r)
{
	if (is_image_fault(r))
		return STV_E_INPUT;
	if (r->errnum == EPERM || r->errnum == EACCES)
		return STV_E_PRIVILEGE;
	if (is_no_space(r->errnum) && is_on_disk(r->stage))
		return STV_E_IO;
	return STV_E_SANDBOX;
}

static void
add_hint(const struct sbx_report *r, struct stv_err *e)
{
	if (!is_image_fault(r))
		return;
	if (r->errnum == ELOOP)
		stv_err_hint(e, "this is a symbolic link in the image that "
				"cannot be followed here; make it a real file "
				"or directory in an earlier step");
	else if (r->errnum == ENOTDIR)
		stv_err_hint(e, "something in the image is in the place of a "
				"directory; remove it in an earlier step");
	else if ((r->errnum == EXDEV || r->errnum == ENOENT) &&
		 r->stage == SBX_ST_MOUNT)
		stv_err_hint(e, "nothing can be mounted in /proc or /sys; name "
				"another target");
	else if (r->errnum == EXDEV)
		stv_err_hint(e,
			     "a symbolic link in the image leads into /proc, "
			     "/sys or /dev; replace it in an earlier step");
	else if (r->errnum == EROFS)
		stv_err_hint(e, "what it lies in is read-only and lacks this "
				"path; make it there before");
}

int
sbx_report_setup_error(const struct sbx_proc *p, struct stv_err **err)
{
	const struct sbx_report *r = p->report;
	stv_auto_buf what = STV_BUF_INIT(MAX_LINE);

	if (r->errnum == 0) {
		stv_fail(err, STV_E_SANDBOX,
			 p->wait_code == CLD_EXITED
				 ? "the sandbox ended with status %d while it "
				   "was set up"
				 : "the sandbox was killed by signal %d while "
				   "it was set up",
			 p->wait_status);
		return -1;
	}
	add_stage(&what, p, r->stage, r->index);
	stv_fail_errno_as(err, code_for(r), r->errnum, "%s in the sandbox",
			  stv_buf_str(&what));
	add_hint(r, *err);
	return -1;
}

static const char *
exec_text(const struct sbx_proc *p)
{
	const struct sbx_report *r = p->report;

	if (r->errnum == ENOENT && r->index == 1)
		return "it exists, but the interpreter or dynamic loader that "
		       "it names does not";
	if (r->errnum == ENOENT && strchr(p->argv0, '/') == NULL)
		return "executable file not found in $PATH";
	/* strerror is not thread-safe by the letter; this is the same text. */
	return strerrordesc_np(r->errnum);
}

char *
sbx_report_exec_error(const struct sbx_proc *p)
{
	struct stv_buf b = STV_BUF_INIT(MAX_LINE);
	const char *text = exec_text(p);

	stv_buf_adds(&b, "cannot execute '");
	stv_buf_add_escaped(&b, p->argv0, strlen(p->argv0));
	stv_buf_addf(&b, "': %s", text != NULL ? text : "unknown error");
	return stv_buf_take(&b);
}

void
sbx_report_warnings(const struct sbx_proc *p, struct stv_strs *ret)
{
	const struct sbx_report *r = p->report;

	for (uint32_t i = 0; i < r->n_warnings && i < SBX_MAX_WARNINGS; i++) {
		const struct sbx_warning *w = &r->warnings[i];
		struct stv_buf b = STV_BUF_INIT(MAX_LINE);
		const char *text = strerrordesc_np(w->errnum);

		add_stage(&b, p, w->stage, w->index);
		stv_buf_addf(&b, " in the sandbox: %s",
			     text != NULL ? text : "unknown error");
		stv_strs_take(ret, stv_buf_take(&b));
	}
}
