/* builder/loop.c - the main thread of a build: commands, output, signals. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "cache/store.h"
#include "core/buf.h"
#include "core/cancel.h"
#include "core/err.h"
#include "core/mem.h"
#include "core/stream.h"

#include "builder/build_internal.h"
#include "builder/redact.h"
#include "builder/ship.h"

/* How long a command may take to end after SIGTERM: 2 s to a clean end
 * (RELIABILITY 3.2) with room for the rest. */
#define GRACE_NS 1500000000LL
#define READ_SIZE ((size_t)64 << 10)
/* Of a stage's thread: no recursion anywhere; many stages cost little. */
#define STACK_SIZE ((size_t)1 << 20)

void
bld_wake(struct bld_build *b)
{
	uint64_t one = 1;

	if (write(b->wake_fd, &one, sizeof(one)) < 0)
		return; /* it is readable already */
}

int
bld_execute(struct bld_stage *st, const struct bld_step *step,
	    const struct sbx_spec *spec, int log_fd, struct sbx_status *ret,
	    struct stv_err **err)
{
	struct bld_build *b = st->b;
	struct bld_command c = {
		.spec = spec,
		.stage = st,
		.step = step,
		.log_fd = log_fd,
		.next = b->commands,
	};

	if (bld_is_over(b))
		return stv_fail(err, STV_E_CANCELLED, "cancelled");
	b->commands = &c;
	bld_wake(b);
	while (!c.is_done)
		(void)pthread_cond_wait(&b->changed, &b->lock);
	for (struct bld_command **p = &b->commands; *p != NULL; p = &(*p)->next)
		if (*p == &c) {
			*p = c.next;
			break;
		}
	*ret = c.status;
	if (c.err == NULL)
		return 0;
	*err = c.err;
	return -1;
}

static void
command_end(struct bld_build *b, struct bld_command *c)
{
	c->is_done = true;
	(void)pthread_cond_broadcast(&b->changed);
}

static void
command_start(struct bld_build *b, struct bld_command *c)
{
	c->is_started = true;
	if (bld_is_over(b)) {
		stv_fail(&c->err, STV_E_CANCELLED, "cancelled");
		command_end(b, c);
		return;
	}
	if (b->sbx == NULL) {
		struct sbx_config config = {
			.store_fd = cas_store_rootfd(b->o->store),
			.caller_nofile = b->o->caller_nofile,
		};

		if (sbx_open(&config, &b->sbx, &c->err) < 0) {
			command_end(b, c);
			return;
		}
	}
	if (sbx_start(b->sbx, c->spec, &c->proc, &c->err) < 0) {
		command_end(b, c);
		return;
	}
	c->out_open = c->err_open = true;
}

/* What a command printed goes to its log and to the listener. */
static void
tell_output(struct bld_build *b, struct bld_command *c, const char *text,
	    size_t n, int stream)
{
	if (n == 0)
		return;
	/* A log that cannot be written must not end the build. */
	if (c->log_fd >= 0 && stv_write_all(c->log_fd, text, n) < 0)
		c->log_fd = -1;
	stv_emit(b->o->listener, (struct stv_event){
					 .kind = STV_EV_STEP_OUTPUT,
					 .step = c->step->id,
					 .n_steps = c->stage->n_shown,
					 .position = c->step->position,
					 .stage = c->stage->name,
					 .name = c->step->node->original,
					 .text = text,
					 .text_len = n,
					 .stream = stream,
				 });
}

/* The same without secrets; at the end nothing is kept back any more. */
static void
pass_output(struct bld_build *b, struct bld_command *c, const char *text,
	    size_t n, int stream, bool is_end)
{
	struct stv_buf *held = &c->held[stream - 1];
	stv_auto_buf out = STV_BUF_INIT(held->len + n + 1);

	if (b->redact == NULL) {
		tell_output(b, c, text, n, stream);
		return;
	}
	held->max = bld_redact_max(b->redact);
	bld_redact_feed(b->redact, held, text, n, is_end, &out);
	tell_output(b, c, stv_buf_str(&out), out.len, stream);
}

/* Read what a pipe has; false at its end. */
static bool
take_output(struct bld_build *b, struct bld_command *c, int fd, int stream)
{
	static char buf[READ_SIZE];
	ssize_t n = read(fd, buf, sizeof(buf));

	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	if (n > 0)
		pass_output(b, c, buf, (size_t)n, stream, false);
	return n > 0;
}

/* The command is dead: its last output, then its status. */
static void
command_finish(struct bld_build *b, struct bld_command *c)
{
	struct pollfd p;

	while (c->out_open) {
		p = (struct pollfd){sbx_proc_stdout_fd(c->proc), POLLIN, 0};
		if (poll(&p, 1, 0) <= 0)
			break;
		c->out_open = take_output(b, c, p.fd, 1);
	}
	while (c->err_open) {
		p = (struct pollfd){sbx_proc_stderr_fd(c->proc), POLLIN, 0};
		if (poll(&p, 1, 0) <= 0)
			break;
		c->err_open = take_output(b, c, p.fd, 2);
	}
	for (int stream = 1; stream <= 2; stream++) {
		pass_output(b, c, NULL, 0, stream, true);
		stv_buf_fini(&c->held[stream - 1]);
	}
	if (sbx_finish(c->proc, &c->status, &c->err) == 0 && bld_is_over(b) &&
	    c->status.exit_code != 0)
		stv_fail(&c->err, STV_E_CANCELLED, "cancelled");
	sbx_proc_free(c->proc);
	c->proc = NULL;
	command_end(b, c);
}

static void
kill_all(struct bld_build *b, int sig)
{
	for (struct bld_command *c = b->commands; c != NULL; c = c->next)
		if (c->proc != NULL && !c->is_done)
			sbx_kill(c->proc, sig);
}

/* What the main thread waits for. */
struct wait {
	STV_VEC(struct pollfd) fds;
	STV_VEC(struct bld_command *) owners;
};

static void
wait_add(struct wait *w, int fd, struct bld_command *owner)
{
	*stv_vec_push(&w->fds) = (struct pollfd){.fd = fd, .events = POLLIN};
	*stv_vec_push(&w->owners) = owner;
}

static void
wait_collect(struct bld_build *b, struct wait *w, int signal_fd)
{
	w->fds.len = w->owners.len = 0;
	wait_add(w, b->wake_fd, NULL);
	wait_add(w, signal_fd, NULL);
	for (struct bld_command *c = b->commands; c != NULL; c = c->next) {
		if (!c->is_started)
			command_start(b, c);
		if (c->is_done || c->proc == NULL)
			continue;
		wait_add(w, sbx_proc_pidfd(c->proc), c);
		if (c->out_open)
			wait_add(w, sbx_proc_stdout_fd(c->proc), c);
		if (c->err_open)
			wait_add(w, sbx_proc_stderr_fd(c->proc), c);
	}
}

static void
wait_handle(struct bld_build *b, struct wait *w)
{
	for (size_t i = 2; i < w->fds.len; i++) {
		struct bld_command *c = w->owners.v[i];
		int fd = w->fds.v[i].fd;

		if (w->fds.v[i].revents == 0 || c->is_done)
			continue;
		if (c->proc == NULL)
			continue;
		if (fd == sbx_proc_pidfd(c->proc))
			command_finish(b, c);
		else if (fd == sbx_proc_stdout_fd(c->proc))
			c->out_open = take_output(b, c, fd, 1);
		else
			c->err_open = take_output(b, c, fd, 2);
	}
}

/* The deadline after which what still runs is killed. */
struct ending {
	int64_t deadline_ns;
	bool is_begun;
	bool is_killed;
};

static void
end_commands(struct bld_build *b, struct ending *e)
{
	if (!bld_is_over(b))
		return;
	if (!e->is_begun) {
		e->is_begun = true;
		stv_cancel_set(true);
		e->deadline_ns = stv_now_ns() + GRACE_NS;
		kill_all(b, SIGTERM);
	}
	if (stv_now_ns() >= e->deadline_ns) {
		e->is_killed = true;
		kill_all(b, SIGKILL);
	}
}

static void
take_signal(struct bld_build *b, int signal_fd, struct ending *e)
{
	struct signalfd_siginfo si;

	while (read(signal_fd, &si, sizeof(si)) == (ssize_t)sizeof(si)) {
		if (b->cancel_signal != 0)
			e->deadline_ns = 0; /* a second one: at once */
		else
			b->cancel_signal = (int)si.ssi_signo;
		(void)pthread_cond_broadcast(&b->changed);
	}
}

static void
run_loop(struct bld_build *b, int signal_fd)
{
	struct wait w = {0};
	struct ending ending = {0};

	bld_lock(b);
	for (;;) {
		uint64_t count;
		int timeout = -1;

		end_commands(b, &ending);
		wait_collect(b, &w, signal_fd);
		if (b->n_running == 0)
			break;
		if (ending.is_begun)
			timeout = ending.is_killed ? 1000 : 50;
		bld_unlock(b);
		(void)poll(w.fds.v, w.fds.len, timeout);
		bld_lock(b);
		if (read(b->wake_fd, &count, sizeof(count)) < 0)
			count = 0; /* nothing new */
		take_signal(b, signal_fd, &ending);
		wait_handle(b, &w);
	}
	bld_unlock(b);
	stv_vec_fini(&w.fds);
	stv_vec_fini(&w.owners);
}

/* Tell of the steps of a stage that begins after all. */
static void
emit_stage(struct bld_stage *st)
{
	st->is_needed = true;
	st->from_id = ++st->b->n_ids;
	if (st->b->o->part > 0 && st->shown_platform == NULL)
		st->shown_platform = stv_platform_str(bld_stage_platform(st));
	st->n_shown = 1;
	bld_emit(st, NULL, STV_EV_STEP_ADDED, NULL);
	for (size_t i = 0; i < st->steps.len; i++) {
		struct bld_step *s = &st->steps.v[i];

		if (!s->is_shown)
			continue;
		s->id = ++st->b->n_ids;
		s->position = ++st->n_shown;
		bld_emit(st, s, STV_EV_STEP_ADDED, NULL);
	}
}

int
bld_start_stage(struct bld_stage *st, struct stv_err **err)
{
	pthread_attr_t attr;
	int r;

	if (st->has_thread || st->state != BLD_WAITING)
		return 0;
	if (!st->is_needed)
		emit_stage(st);
	(void)pthread_attr_init(&attr);
	(void)pthread_attr_setstacksize(&attr, STACK_SIZE);
	r = pthread_create(&st->thread, &attr, bld_stage_main, st);
	(void)pthread_attr_destroy(&attr);
	if (r != 0) {
		st->state = BLD_FAILED;
		return stv_fail_errno(err, r, "cannot start a thread");
	}
	st->state = BLD_RUNNING;
	st->has_thread = true;
	st->b->n_running++;
	return 0;
}

/* Start the threads of all stages that are needed. */
static int
start_stages(struct bld_build *b, struct stv_err **err)
{
	int r = 0;

	bld_lock(b);
	for (size_t i = 0; i < b->stages.len && r == 0; i++)
		if (b->stages.v[i]->is_needed)
			r = bld_start_stage(b->stages.v[i], err);
	bld_unlock(b);
	return r;
}

static int
cancelled(const struct bld_build *b, struct stv_err **err)
{
	stv_fail(err, STV_E_CANCELLED, "interrupted");
	stv_err_set_status(*err, b->cancel_signal == SIGTERM ? 143 : 130);
	return -1;
}

int
bld_loop(struct bld_build *b, struct stv_err **err)
{
	struct stv_err *start_err = NULL;
	sigset_t set, old;
	int signal_fd;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGINT);
	(void)sigaddset(&set, SIGTERM);
	(void)sigaddset(&set, SIGHUP);
	(void)pthread_sigmask(SIG_BLOCK, &set, &old);
	signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (signal_fd < 0) {
		(void)pthread_sigmask(SIG_SETMASK, &old, NULL);
		return stv_fail_errno(err, errno, "cannot watch for signals");
	}
	if (start_stages(b, &start_err) < 0) {
		bld_lock(b);
		bld_fail(b, start_err);
		bld_unlock(b);
	}
	run_loop(b, signal_fd);
	for (size_t i = 0; i < b->stages.len; i++)
		if (b->stages.v[i]->has_thread)
			(void)pthread_join(b->stages.v[i]->thread, NULL);
	/* While stv_is_cancelled() ends a request that is under way. */
	if (bld_is_over(b))
		bld_ship_stop(b->ship);
	stv_cancel_set(false);
	(void)close(signal_fd);
	(void)pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (b->cancel_signal != 0)
		return cancelled(b, err);
	if (b->err != NULL) {
		*err = stv_steal(&b->err);
		return -1;
	}
	return 0;
}
