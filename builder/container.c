/* builder/container.c - a command in an image, over a throw-away upper. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include "cache/blob.h"
#include "cache/store.h"
#include "core/buf.h"
#include "core/err.h"
#include "core/fsat.h"
#include "core/limits.h"
#include "core/mem.h"
#include "core/stream.h"

#include "builder/build_internal.h"
#include "builder/overlay.h"
#include "builder/user.h"

#define IO_SIZE ((size_t)64 << 10)
/* How much input waits while the command does not read. */
#define MAX_INPUT ((size_t)1 << 20)

/* Everything of one run. */
struct container {
	const struct bld_run_opts *o;
	struct oci_config *config;
	struct lay_view *view;
	struct bld_user user;
	struct stv_strs argv, env;
	struct bld_overlay overlay;
	struct sbx_mount *mounts;
	size_t n_mounts;
	char *resolv, *hosts, *cwd;
	struct sbx *sbx;
	struct sbx_proc *proc;
	struct termios saved;
	bool is_raw;
};

static void
container_fini(struct container *c)
{
	if (c->is_raw)
		(void)tcsetattr(STDIN_FILENO, TCSADRAIN, &c->saved);
	sbx_proc_free(c->proc);
	sbx_close(c->sbx);
	for (size_t i = 0; i < c->n_mounts; i++)
		stv_close_p(&c->mounts[i].source_fd);
	free(c->mounts);
	bld_overlay_fini(&c->overlay);
	lay_view_close(c->view);
	oci_config_free(c->config);
	bld_user_fini(&c->user);
	stv_strs_clear(&c->argv);
	stv_strs_clear(&c->env);
	free(c->resolv);
	free(c->hosts);
	free(c->cwd);
}

static int
load_image(struct container *c, struct stv_err **err)
{
	stv_auto_buf text = STV_BUF_INIT(STV_MAX_CONFIG);

	if (cas_blob_read(c->o->store, &c->o->image.config, STV_MAX_CONFIG,
			  &text, err) < 0 ||
	    oci_config_parse(stv_buf_str(&text), text.len, &c->config, err) < 0)
		return stv_wrap(err, "reading the image's config");
	return lay_view_open(c->o->store, c->config->diff_ids,
			     c->config->n_diff_ids, &c->view, err);
}

/* What is executed: docker's rules for --entrypoint and the arguments. */
static int
make_argv(struct container *c, struct stv_err **err)
{
	const struct oci_runconfig *rc = &c->config->config;
	const struct bld_run_opts *o = c->o;

	if (o->entrypoint == NULL)
		stv_strs_copy(&c->argv, &rc->entrypoint);
	else if (*o->entrypoint != '\0')
		stv_strs_add(&c->argv, o->entrypoint);
	if (o->cmd.len > 0)
		stv_strs_copy(&c->argv, &o->cmd);
	else if (o->entrypoint == NULL)
		stv_strs_copy(&c->argv, &rc->cmd);
	if (c->argv.len > 0)
		return 0;
	stv_fail(err, STV_E_USAGE, "the image names no command");
	stv_err_hint(*err, "Give one behind the image's name: 'stave run IMAGE "
			   "COMMAND'.");
	return -1;
}

static int
make_env(struct container *c, struct stv_err **err)
{
	const struct bld_run_opts *o = c->o;
	const char *user = o->user != NULL ? o->user : c->config->config.user;

	if (bld_user_resolve(c->view, user, &c->user, err) < 0)
		return -1;
	stv_strs_copy(&c->env, &c->config->config.env);
	for (size_t i = 0; i < o->env.len; i++) {
		const char *eq = strchr(o->env.v[i], '=');
		stv_auto_free char *name =
			stv_xstrndup(o->env.v[i], (size_t)(eq - o->env.v[i]));

		stv_env_set(&c->env, name, eq + 1);
	}
	if (stv_env_get(&c->env, "PATH") == NULL)
		stv_env_set(&c->env, "PATH", SBX_DEFAULT_PATH);
	if (stv_env_get(&c->env, "HOME") == NULL)
		stv_env_set(&c->env, "HOME", c->user.home);
	if (o->is_tty && stv_env_get(&c->env, "TERM") == NULL)
		stv_env_set(&c->env, "TERM", "xterm");
	return 0;
}

static int
make_mounts(struct container *c, struct stv_err **err)
{
	const struct bld_run_opts *o = c->o;

	c->mounts = stv_xcalloc(o->n_volumes, sizeof(c->mounts[0]));
	for (size_t i = 0; i < o->n_volumes; i++) {
		const struct bld_volume *v = &o->volumes[i];
		int fd = open(v->source, O_PATH | O_CLOEXEC);

		if (fd < 0)
			return stv_fail_errno_as(err, STV_E_INPUT, errno,
						 "cannot mount '%s'",
						 v->source);
		c->mounts[c->n_mounts++] = (struct sbx_mount){
			.kind = SBX_MOUNT_BIND,
			.target = v->target,
			.source_fd = fd,
			.is_readonly = v->is_readonly,
		};
	}
	return 0;
}

/* -w, else WORKDIR, else the root. */
static char *
working_dir(const struct container *c)
{
	const char *dir = c->o->workdir;

	if (dir == NULL || *dir == '\0')
		dir = c->config->config.working_dir;
	if (dir == NULL || *dir == '\0')
		dir = "/";
	return stv_xstrdup(dir);
}

static int
start(struct container *c, struct stv_err **err)
{
	const struct bld_run_opts *o = c->o;
	struct sbx_config config = {
		.store_fd = cas_store_rootfd(o->store),
		.caller_nofile = o->caller_nofile,
	};
	struct sbx_spec spec;
	struct winsize ws = {0};
	char name[STV_DIGEST_STR_MAX];
	const char *hostname = o->hostname;

	if (hostname == NULL) {
		(void)stv_digest_hex(&o->image.config, name);
		name[12] = '\0';
		hostname = name;
	}
	c->cwd = working_dir(c);
	if (sbx_make_resolv_conf(o->net, &c->resolv, err) < 0 ||
	    sbx_make_hosts(hostname, &o->add_hosts, &c->hosts, err) < 0)
		return -1;
	(void)ioctl(STDIN_FILENO, TIOCGWINSZ, &ws);
	spec = (struct sbx_spec){
		.lower_dirs = (const char *const *)c->overlay.lowers.v,
		.n_lowers = c->overlay.lowers.len,
		.upper = c->overlay.upper,
		.work = c->overlay.work,
		.argv = c->argv.v,
		.envp = c->env.v,
		.cwd = c->cwd,
		.uid = c->user.uid,
		.gid = c->user.gid,
		.groups = c->user.groups,
		.n_groups = c->user.n_groups,
		.net = o->net,
		.hostname = hostname,
		.resolv_conf = c->resolv,
		.hosts = c->hosts,
		.shm_size = o->shm_size,
		.rlimits = o->rlimits,
		.n_rlimits = o->n_rlimits,
		.mounts = c->mounts,
		.n_mounts = c->n_mounts,
		.stdio = o->is_tty ? SBX_STDIO_PTY
				   : (o->is_interactive ? SBX_STDIO_PIPES
							: SBX_STDIO_OUTPUT),
		.rows = ws.ws_row,
		.cols = ws.ws_col,
	};
	if (sbx_open(&config, &c->sbx, err) < 0)
		return -1;
	return sbx_start(c->sbx, &spec, &c->proc, err);
}

/* The user's terminal passes every key on; the inner one interprets it. */
static void
raw_terminal(struct container *c)
{
	struct termios raw;

	if (!c->o->is_tty || !c->o->is_interactive ||
	    tcgetattr(STDIN_FILENO, &c->saved) < 0)
		return;
	raw = c->saved;
	cfmakeraw(&raw);
	c->is_raw = tcsetattr(STDIN_FILENO, TCSADRAIN, &raw) == 0;
}

/* What is open of the command's streams, and the input that waits. */
struct streams {
	int in, out, err; /* -1: closed; with a terminal in == out */
	bool stdin_open;
	struct stv_buf input;
	size_t input_off;
};

/* Copy what can be read from ${fd} to ${to}; false at the end. */
static bool
copy_out(int fd, int to)
{
	static char buf[IO_SIZE];
	ssize_t n = read(fd, buf, sizeof(buf));

	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	if (n == 0)
		return false;
	/* Nobody listens any more: the command goes on, as with docker. */
	(void)!stv_write_all(to, buf, (size_t)n);
	return true;
}

static void
take_input(struct streams *s)
{
	static char buf[IO_SIZE];
	ssize_t n = read(STDIN_FILENO, buf, sizeof(buf));

	if (n > 0)
		stv_buf_add(&s->input, buf, (size_t)n);
	else if (n == 0 || (errno != EAGAIN && errno != EINTR))
		s->stdin_open = false;
}

static void
give_input(struct container *c, struct streams *s)
{
	size_t left = s->input.len - s->input_off;

	if (s->in >= 0 && left > 0) {
		ssize_t n = write(s->in, s->input.data + s->input_off, left);

		if (n > 0)
			s->input_off += (size_t)n;
		else if (n < 0 && errno != EAGAIN && errno != EINTR)
			s->in = -1;
	}
	if (s->input_off == s->input.len) {
		stv_buf_truncate(&s->input, 0);
		s->input_off = 0;
		if (!s->stdin_open && s->in >= 0 && !c->o->is_tty) {
			sbx_proc_close_stdin(c->proc);
			s->in = -1;
		}
	}
}

static void
take_signal(struct container *c, int fd, int *count)
{
	struct signalfd_siginfo si;

	while (read(fd, &si, sizeof(si)) == (ssize_t)sizeof(si)) {
		struct winsize ws;

		if (si.ssi_signo == SIGWINCH) {
			if (c->o->is_tty &&
			    ioctl(STDIN_FILENO, TIOCGWINSZ, &ws) == 0)
				(void)ioctl(sbx_proc_pty_fd(c->proc),
					    TIOCSWINSZ, &ws);
			continue;
		}
		/* PID 1 may ignore it; the third one is not asked for. */
		sbx_kill(c->proc, ++*count >= 3 ? SIGKILL : (int)si.ssi_signo);
	}
}

/* Pass bytes and signals until the command is dead. */
static void
pump(struct container *c, int signal_fd)
{
	struct streams s = {
		.in = c->o->is_tty ? sbx_proc_pty_fd(c->proc)
				   : sbx_proc_stdin_fd(c->proc),
		.out = c->o->is_tty ? sbx_proc_pty_fd(c->proc)
				    : sbx_proc_stdout_fd(c->proc),
		.err = sbx_proc_stderr_fd(c->proc),
		.stdin_open = c->o->is_interactive,
		.input = STV_BUF_INIT(MAX_INPUT + IO_SIZE),
	};
	bool is_dead = false;
	int n_signals = 0;

	if (!c->o->is_interactive)
		s.in = -1;
	while (!is_dead || s.out >= 0 || s.err >= 0) {
		bool wants_in = s.in >= 0 && s.input.len > s.input_off;
		struct pollfd p[6] = {
			{is_dead ? -1 : sbx_proc_pidfd(c->proc), POLLIN, 0},
			{signal_fd, POLLIN, 0},
			{s.out, POLLIN, 0},
			{s.err, POLLIN, 0},
			{s.stdin_open && s.input.len < MAX_INPUT ? STDIN_FILENO
								 : -1,
			 POLLIN, 0},
			{wants_in ? s.in : -1, POLLOUT, 0},
		};

		if (poll(p, 6, is_dead ? 0 : -1) == 0)
			break;
		if (p[1].revents != 0)
			take_signal(c, signal_fd, &n_signals);
		if (p[2].revents != 0 && !copy_out(s.out, STDOUT_FILENO))
			s.out = -1;
		if (p[3].revents != 0 && !copy_out(s.err, STDERR_FILENO))
			s.err = -1;
		if (p[4].revents != 0)
			take_input(&s);
		if (c->o->is_interactive)
			give_input(c, &s);
		if (p[0].revents != 0)
			is_dead = true;
	}
	stv_buf_fini(&s.input);
}

static int
run_started(struct container *c, int *ret_status, struct stv_err **err)
{
	struct sbx_status status = {0};
	sigset_t set, old;
	int fd, r;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGINT);
	(void)sigaddset(&set, SIGTERM);
	(void)sigaddset(&set, SIGHUP);
	(void)sigaddset(&set, SIGQUIT);
	(void)sigaddset(&set, SIGWINCH);
	(void)pthread_sigmask(SIG_BLOCK, &set, &old);
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	r = fd < 0 ? stv_fail_errno(err, errno, "cannot watch for signals")
		   : start(c, err);
	if (r == 0) {
		raw_terminal(c);
		pump(c, fd);
		r = sbx_finish(c->proc, &status, err);
	}
	stv_close_p(&fd);
	(void)pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (r < 0)
		return -1;
	*ret_status = status.exit_code;
	if (status.exec_error != NULL) {
		stv_fail(err, STV_E_STEP_FAILED, "%s", status.exec_error);
		stv_err_set_status(*err, status.exit_code);
		r = -1;
	}
	sbx_status_fini(&status);
	return r;
}

int
bld_run(const struct bld_run_opts *o, int *ret_status, struct stv_err **err)
{
	struct container c = {.o = o, .overlay = BLD_OVERLAY_INIT};
	int r = load_image(&c, err);

	if (r == 0)
		r = make_argv(&c, err);
	if (r == 0)
		r = make_env(&c, err);
	if (r == 0)
		r = make_mounts(&c, err);
	if (r == 0)
		r = bld_overlay_init(&c.overlay, o->store, c.config->diff_ids,
				     c.config->n_diff_ids, c.view,
				     o->is_readonly, err);
	if (r == 0)
		r = run_started(&c, ret_status, err);
	container_fini(&c);
	return r;
}
