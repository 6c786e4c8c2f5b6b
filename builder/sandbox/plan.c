/*
 * builder/sandbox/plan.c - turn a spec into what the child only has to do.
 *
 * Strings are joined, descriptors opened and bind sources turned into detached
 * mounts here, since the child must not allocate, and since what is named by a
 * descriptor of our mount namespace cannot be mounted from within the child's.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/buf.h"
#include "core/cleanup.h"
#include "core/err.h"
#include "core/limits.h"
#include "core/mem.h"
#include "core/vec.h"

#include "builder/sandbox/internal.h"
#include "builder/sandbox/sys_mount.h"

/* mount(2) takes one page of options. */
#define LEGACY_DATA_SIZE 4095
/* Room for our own files, and what a file takes more than its bytes. */
#define SCRATCH_SIZE ((uint64_t)1 << 20)
#define PAGE 4096

/* The value of PATH in ${envp}, or NULL. */
static const char *
find_path(char *const *envp)
{
	for (; envp != NULL && *envp != NULL; envp++) {
		if (strncmp(*envp, "PATH=", 5) == 0)
			return *envp + 5;
	}
	return NULL;
}

/* All that execve() is to try, in order. */
static char **
list_exec_paths(const struct sbx_spec *spec)
{
	const char *name = spec->argv[0], *path = find_path(spec->envp);
	struct stv_strs list = {0};

	if (strchr(name, '/') != NULL) {
		stv_strs_add(&list, name);
		return list.v;
	}
	if (path == NULL)
		path = SBX_DEFAULT_PATH;
	for (;;) {
		size_t n = strcspn(path, ":");

		if (*name == '\0')
			break;
		/* An empty element is the current directory. */
		stv_strs_take(&list, n == 0 ? stv_xasprintf("./%s", name)
					    : stv_xasprintf("%.*s/%s", (int)n,
							    path, name));
		path += n;
		if (*path++ == '\0')
			break;
	}
	if (list.len == 0)
		stv_strs_add(&list, "");
	return list.v;
}

/* For kernels before 6.7; our own names need no escaping. */
static char *
make_legacy_data(const struct sbx_overlay *o)
{
	struct stv_buf b = STV_BUF_INIT(LEGACY_DATA_SIZE);

	for (size_t i = 0; i < o->n_lowers; i++)
		stv_buf_addf(&b, "%s%s", i == 0 ? "lowerdir=" : ":",
			     o->lower_dirs[i]);
	if (o->is_root)
		stv_buf_adds(&b, ":" SBX_MOUNTPOINTS);
	if (o->upper != NULL)
		stv_buf_addf(&b, ",upperdir=%s,workdir=%s,volatile", o->upper,
			     o->work);
	stv_buf_adds(&b, ",index=off,metacopy=off,redirect_dir=off");
	if (!b.is_over)
		return stv_buf_take(&b);
	stv_buf_fini(&b);
	return NULL;
}

static int
check_layers(size_t n, struct stv_err **err)
{
	if (n <= STV_MAX_OVERLAY_LOWERS)
		return 0;
	return stv_fail(err, STV_E_LIMIT,
			"the image has %zu layers, more than the %d that "
			"overlay takes",
			n, STV_MAX_OVERLAY_LOWERS);
}

static int
check_spec(const struct sbx_spec *spec, struct stv_err **err)
{
	if (spec->n_lowers == 0 || spec->argv == NULL ||
	    spec->argv[0] == NULL ||
	    (spec->upper != NULL) != (spec->work != NULL))
		STV_BUG("incomplete sandbox spec");
	if (check_layers(spec->n_lowers, err) < 0)
		return -1;
	if (spec->hostname != NULL && strlen(spec->hostname) > 64)
		return stv_fail(err, STV_E_USAGE,
				"the host name is longer than 64 bytes");
	return 0;
}

/* ---- mounts -------------------------------------------------------------- */

static int
plan_bind(const struct sbx_mount *m, struct sbx_plan_mount *ret,
	  struct stv_err **err)
{
	uint64_t attrs = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV |
			 (m->is_readonly ? MOUNT_ATTR_RDONLY : 0);
	struct stat st;

	if (fstat(m->source_fd, &st) < 0)
		return stv_fail_errno(err, errno,
				      "looking at the source of mount '%s'",
				      m->target);
	ret->is_dir = S_ISDIR(st.st_mode);
	ret->tree_fd = m->is_tree ? fcntl(m->source_fd, F_DUPFD_CLOEXEC, 3)
				  : sbx_clone_tree(m->source_fd, "", 1);
	if (ret->tree_fd < 0 || sbx_set_attrs(ret->tree_fd, attrs, 1) < 0)
		return stv_fail_errno_as(err, STV_E_SANDBOX, errno,
					 "preparing mount '%s'", m->target);
	return 0;
}

static int
plan_layers(const struct sbx_mount *m, struct sbx_plan_mount *ret,
	    struct stv_err **err)
{
	if (m->n_lowers == 0 || (m->upper != NULL) != (m->work != NULL))
		STV_BUG("incomplete overlay mount");
	if (check_layers(m->n_lowers, err) < 0)
		return -1;
	ret->overlay = (struct sbx_overlay){
		.lower_dirs = m->lower_dirs,
		.n_lowers = m->n_lowers,
		.upper = m->upper,
		.work = m->work,
	};
	ret->overlay.legacy_data = make_legacy_data(&ret->overlay);
	return 0;
}

static int
plan_mount(const struct sbx_mount *m, struct sbx_plan_mount *ret,
	   struct stv_err **err)
{
	ret->m = m;
	ret->tree_fd = -1;
	if (m->target[0] != '/')
		return stv_fail(err, STV_E_USAGE,
				"mount target '%s' is not absolute", m->target);
	switch (m->kind) {
	case SBX_MOUNT_BIND:
		return plan_bind(m, ret, err);
	case SBX_MOUNT_OVERLAY:
		return plan_layers(m, ret, err);
	case SBX_MOUNT_FILE:
		ret->name = stv_xasprintf("file-%u", ret->index);
		return 0;
	case SBX_MOUNT_TMPFS:
		break;
	}
	ret->is_dir = true;
	ret->mode = stv_xasprintf("%o", m->mode != 0 ? m->mode : 01777);
	if (m->size_bytes > 0)
		ret->size = stv_xasprintf("%llu",
					  (unsigned long long)m->size_bytes);
	return 0;
}

static size_t
depth_of(const char *path)
{
	size_t n = 0;

	for (const char *p = path + strspn(path, "/"); *p != '\0'; n++) {
		p += strcspn(p, "/");
		p += strspn(p, "/");
	}
	return n;
}

/* What lies deeper comes later; else the user's order. */
static int
compare_mounts(const void *a, const void *b)
{
	const struct sbx_plan_mount *x = a, *y = b;
	size_t dx = depth_of(x->m->target), dy = depth_of(y->m->target);

	if (dx != dy)
		return dx < dy ? -1 : 1;
	return x->index < y->index ? -1 : x->index > y->index;
}

static int
plan_mounts(struct sbx_plan *plan, struct stv_err **err)
{
	const struct sbx_spec *spec = plan->spec;

	uint64_t scratch = SCRATCH_SIZE;

	plan->mounts = stv_xcalloc(spec->n_mounts + 1, sizeof(*plan->mounts));
	for (size_t i = 0; i < spec->n_mounts; i++) {
		struct sbx_plan_mount *m = &plan->mounts[plan->n_mounts++];

		m->index = (uint32_t)i;
		if (plan_mount(&spec->mounts[i], m, err) < 0)
			return -1;
		if (m->m->kind == SBX_MOUNT_FILE)
			scratch += m->m->data_len + PAGE;
	}
	plan->scratch_size = stv_xasprintf("%llu", (unsigned long long)scratch);
	qsort(plan->mounts, plan->n_mounts, sizeof(*plan->mounts),
	      compare_mounts);
	return 0;
}

/* ---- the rest ------------------------------------------------------------ */

static void
plan_rlimits(struct sbx_plan *plan)
{
	const struct sbx_spec *spec = plan->spec;
	struct sbx_rlimit *r =
		stv_xcalloc(spec->n_rlimits + 2, sizeof(*plan->rlimits));

	r[0] = plan->sbx->nofile;
	r[1] = (struct sbx_rlimit){.resource = RLIMIT_CORE};
	if (spec->n_rlimits > 0)
		memcpy(r + 2, spec->rlimits,
		       spec->n_rlimits * sizeof(*spec->rlimits));
	plan->rlimits = r;
	plan->n_base_rlimits = 2;
	plan->n_rlimits = spec->n_rlimits + 2;
}

static int
open_upper(struct sbx_plan *plan, struct stv_err **err)
{
	if (plan->spec->upper == NULL)
		return 0;
	plan->upper_fd =
		openat(plan->sbx->store_fd, plan->spec->upper,
		       O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (plan->upper_fd < 0)
		return stv_fail_errno(err, errno, "opening snapshot '%s'",
				      plan->spec->upper);
	return 0;
}

int
sbx_plan_make(const struct sbx *sbx, const struct sbx_spec *spec,
	      struct sbx_plan *ret, struct stv_err **err)
{
	*ret = (struct sbx_plan){.sbx = sbx,
				 .spec = spec,
				 .upper_fd = -1,
				 .cgroup1_fd = -1,
				 .stdio = {-1, -1, -1},
				 .pty_sock = -1,
				 .caps = sbx->caps};

	if (check_spec(spec, err) < 0)
		return -1;
	if (spec->is_insecure)
		ret->caps = sbx->all_caps;
	else if (sbx->devices == SBX_DEVICES_NONE)
		ret->caps &= ~SBX_CAP_MKNOD_BIT;
	ret->hostname = spec->hostname != NULL ? spec->hostname : SBX_HOSTNAME;
	ret->shm_size = stv_xasprintf(
		"%llu",
		(unsigned long long)(spec->shm_size > 0 ? spec->shm_size
							: SBX_SHM_SIZE));
	ret->root = (struct sbx_overlay){
		.is_root = true,
		.lower_dirs = spec->lower_dirs,
		.n_lowers = spec->n_lowers,
		.upper = spec->upper,
		.work = spec->work,
	};
	ret->root.legacy_data = make_legacy_data(&ret->root);
	ret->exec_paths = list_exec_paths(spec);
	plan_rlimits(ret);
	if (open_upper(ret, err) < 0)
		return -1;
	return plan_mounts(ret, err);
}

static int
compare_ints(const void *a, const void *b)
{
	int x = *(const int *)a, y = *(const int *)b;

	return x < y ? -1 : x > y;
}

static void
keep(struct sbx_plan *plan, int fd)
{
	if (fd > 2)
		plan->keep_fds[plan->n_keep++] = fd;
}

void
sbx_plan_keep(struct sbx_plan *plan)
{
	plan->n_keep = 0;
	plan->keep_fds = stv_xcalloc(plan->n_mounts + 6, sizeof(int));
	keep(plan, plan->sbx->self_pidfd);
	keep(plan, plan->upper_fd);
	keep(plan, plan->pty_sock);
	for (size_t i = 0; i < 3; i++)
		keep(plan, plan->stdio[i]);
	for (size_t i = 0; i < plan->n_mounts; i++)
		keep(plan, plan->mounts[i].tree_fd);
	qsort(plan->keep_fds, plan->n_keep, sizeof(int), compare_ints);
}

static void
close_fd(int fd)
{
	if (fd >= 0)
		(void)close(fd);
}

void
sbx_plan_fini(struct sbx_plan *plan)
{
	for (size_t i = 0; i < plan->n_mounts; i++) {
		close_fd(plan->mounts[i].tree_fd);
		free(plan->mounts[i].size);
		free(plan->mounts[i].mode);
		free(plan->mounts[i].name);
		free(plan->mounts[i].overlay.legacy_data);
	}
	for (char **p = plan->exec_paths; p != NULL && *p != NULL; p++)
		free(*p);
	for (size_t i = 0; i < 3; i++)
		close_fd(plan->stdio[i]);
	close_fd(plan->pty_sock);
	close_fd(plan->cgroup1_fd);
	close_fd(plan->upper_fd);
	free(plan->mounts);
	free(plan->exec_paths);
	free(plan->rlimits);
	free(plan->keep_fds);
	free(plan->shm_size);
	free(plan->scratch_size);
	free(plan->root.legacy_data);
}
