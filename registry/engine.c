/* registry/engine.c - the thread of a session, and its transfers' rings. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/err.h"
#include "core/mem.h"

#include "registry/engine.h"

/* Nothing is polled for: this only bounds a wake-up that got lost. */
#define POLL_MS 1000
#define WAIT_NS 100000000L
/* A pause ends when this much can move, so that threads change hands less. */
#define RING_STEP (REG_RING_SIZE / 4)
#define MAX_PER_HOST 8L

struct reg_engine {
	const struct reg_curl *curl;
	CURLM *multi;
	pthread_t thread;
	pthread_mutex_t lock;
	struct reg_transfer *asked; /* who wants something, by ->next */
	bool is_ending;
};

static void
lock(struct reg_engine *e)
{
	(void)pthread_mutex_lock(&e->lock);
}

static void
unlock(struct reg_engine *e)
{
	(void)pthread_mutex_unlock(&e->lock);
}

/* Have the thread look at ${t}; the lock is held. */
static void
ask(struct reg_transfer *t)
{
	struct reg_engine *e = t->engine;

	if (t->is_listed)
		return;
	t->is_listed = true;
	t->next = e->asked;
	e->asked = t;
	(void)e->curl->p_curl_multi_wakeup(e->multi);
}

static void
end(struct reg_transfer *t, int code)
{
	(void)t->engine->curl->p_curl_multi_remove_handle(t->engine->multi,
							  t->easy);
	lock(t->engine);
	t->code = code;
	t->is_done = true;
	(void)pthread_cond_signal(&t->changed);
	unlock(t->engine);
}

/* What ${t} wants, without the lock: libcurl calls back. */
static void
serve(struct reg_engine *e, struct reg_transfer *t)
{
	bool is_new, is_aborted, is_resumed, is_done;

	lock(e);
	is_new = t->is_new;
	is_aborted = t->is_aborted;
	is_resumed = t->is_resumed;
	is_done = t->is_done;
	t->is_new = t->is_resumed = false;
	unlock(e);
	if (is_done)
		return;
	if (is_new &&
	    e->curl->p_curl_multi_add_handle(e->multi, t->easy) != CURLM_OK) {
		end(t, CURLE_FAILED_INIT);
		return;
	}
	if (is_aborted)
		end(t, CURLE_ABORTED_BY_CALLBACK);
	else if (is_resumed)
		(void)e->curl->p_curl_easy_pause(t->easy, CURLPAUSE_CONT);
}

/* Serve all that want something; false once the engine shall end. */
static bool
serve_all(struct reg_engine *e)
{
	for (;;) {
		struct reg_transfer *t;
		bool is_ending, is_done = false;

		lock(e);
		t = e->asked;
		if (t != NULL) {
			e->asked = t->next;
			t->is_listed = false;
			/* its owner may free it as soon as we let go */
			is_done = t->is_done;
		}
		is_ending = e->is_ending;
		unlock(e);
		if (t == NULL)
			return !is_ending;
		if (!is_done)
			serve(e, t);
	}
}

static void
end_finished(struct reg_engine *e)
{
	CURLMsg *m;
	int n;

	while ((m = e->curl->p_curl_multi_info_read(e->multi, &n)) != NULL) {
		char *t = NULL;
		CURLcode code = m->data.result;

		if (m->msg != CURLMSG_DONE)
			continue;
		(void)e->curl->p_curl_easy_getinfo(m->easy_handle,
						   CURLINFO_PRIVATE, &t);
		end((struct reg_transfer *)(void *)t, (int)code);
	}
}

static void *
engine_main(void *arg)
{
	struct reg_engine *e = arg;
	int n;

	while (serve_all(e)) {
		(void)e->curl->p_curl_multi_perform(e->multi, &n);
		end_finished(e);
		(void)e->curl->p_curl_multi_poll(e->multi, NULL, 0, POLL_MS,
						 NULL);
	}
	return NULL;
}

int
reg_engine_new(const struct reg_curl *curl, struct reg_engine **ret,
	       struct stv_err **err)
{
	struct reg_engine *e = stv_xcalloc(1, sizeof(*e));
	sigset_t all, before;
	int r;

	e->curl = curl;
	e->multi = curl->p_curl_multi_init();
	if (e->multi == NULL)
		STV_BUG("no memory for connections");
	(void)curl->p_curl_multi_setopt(e->multi, CURLMOPT_PIPELINING,
					(long)CURLPIPE_MULTIPLEX);
	(void)curl->p_curl_multi_setopt(e->multi, CURLMOPT_MAX_HOST_CONNECTIONS,
					MAX_PER_HOST);
	(void)pthread_mutex_init(&e->lock, NULL);
	/* Signals are the main thread's. */
	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	r = pthread_create(&e->thread, NULL, engine_main, e);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (r != 0) {
		(void)curl->p_curl_multi_cleanup(e->multi);
		(void)pthread_mutex_destroy(&e->lock);
		free(e);
		return stv_fail_errno(err, r,
				      "cannot start a thread for the network");
	}
	*ret = e;
	return 0;
}

void
reg_engine_free(struct reg_engine *e)
{
	if (e == NULL)
		return;
	lock(e);
	e->is_ending = true;
	unlock(e);
	(void)e->curl->p_curl_multi_wakeup(e->multi);
	(void)pthread_join(e->thread, NULL);
	(void)e->curl->p_curl_multi_cleanup(e->multi);
	(void)pthread_mutex_destroy(&e->lock);
	free(e);
}

void
reg_transfer_init(struct reg_transfer *t, struct reg_engine *e, CURL *easy)
{
	pthread_condattr_t attr;

	*t = (struct reg_transfer){.engine = e, .easy = easy};
	(void)pthread_condattr_init(&attr);
	(void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&t->changed, &attr);
	(void)pthread_condattr_destroy(&attr);
}

void
reg_transfer_receive(struct reg_transfer *t)
{
	t->in.data = stv_xmalloc(REG_RING_SIZE);
}

void
reg_transfer_send(struct reg_transfer *t)
{
	t->out.data = stv_xmalloc(REG_RING_SIZE);
}

void
reg_transfer_start(struct reg_transfer *t)
{
	struct reg_engine *e = t->engine;

	(void)e->curl->p_curl_easy_setopt(t->easy, CURLOPT_PRIVATE,
					  (char *)(void *)t);
	lock(e);
	t->is_new = true;
	ask(t);
	unlock(e);
}

static bool
has_room(const struct reg_transfer *t)
{
	return t->out.data != NULL && !t->out.is_ended && !t->is_done &&
	       t->out.len <= REG_RING_SIZE - RING_STEP;
}

/* Until something changes, or a tenth of a second: false then. */
static bool
sleep_on(struct reg_transfer *t)
{
	struct timespec until;

	(void)clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += WAIT_NS;
	if (until.tv_nsec >= 1000000000L) {
		until.tv_nsec -= 1000000000L;
		until.tv_sec++;
	}
	return pthread_cond_timedwait(&t->changed, &t->engine->lock, &until) !=
	       ETIMEDOUT;
}

enum reg_moment
reg_transfer_wait(struct reg_transfer *t)
{
	enum reg_moment m = REG_MOMENT_TIME;
	bool is_awake = true;

	lock(t->engine);
	for (;;) {
		if (t->in.len > 0)
			m = REG_MOMENT_DATA;
		else if (t->is_done)
			m = REG_MOMENT_DONE;
		else if (has_room(t))
			m = REG_MOMENT_ROOM;
		if (m != REG_MOMENT_TIME || !is_awake)
			break;
		is_awake = sleep_on(t);
	}
	unlock(t->engine);
	return m;
}

/* Both ends move without the lock: only ${len} is shared by them. */
size_t
reg_transfer_take(struct reg_transfer *t, const char **ret)
{
	size_t n;

	lock(t->engine);
	*ret = t->in.data + t->in.begin;
	n = t->in.len;
	if (n > REG_RING_SIZE - t->in.begin)
		n = REG_RING_SIZE - t->in.begin;
	unlock(t->engine);
	return n;
}

static void
resume(struct reg_transfer *t)
{
	if (!t->is_in_full && !t->is_out_empty)
		return;
	t->is_in_full = t->is_out_empty = false;
	t->is_resumed = true;
	ask(t);
}

void
reg_transfer_taken(struct reg_transfer *t, size_t n)
{
	lock(t->engine);
	t->in.begin = (t->in.begin + n) % REG_RING_SIZE;
	t->in.len -= n;
	if (t->in.len <= REG_RING_SIZE - RING_STEP)
		resume(t);
	unlock(t->engine);
}

size_t
reg_transfer_room(struct reg_transfer *t, char **ret)
{
	size_t at, n;

	lock(t->engine);
	at = (t->out.begin + t->out.len) % REG_RING_SIZE;
	n = REG_RING_SIZE - t->out.len;
	if (n > REG_RING_SIZE - at)
		n = REG_RING_SIZE - at;
	*ret = t->out.data + at;
	unlock(t->engine);
	return n;
}

void
reg_transfer_put(struct reg_transfer *t, size_t n)
{
	lock(t->engine);
	t->out.len += n;
	if (n == 0)
		t->out.is_ended = true;
	resume(t);
	unlock(t->engine);
}

void
reg_transfer_abort(struct reg_transfer *t)
{
	lock(t->engine);
	t->is_aborted = true;
	t->in.len = 0;
	ask(t);
	while (!t->is_done)
		(void)sleep_on(t);
	t->in.len = 0;
	unlock(t->engine);
}

/* It may have asked for something while it came to its end. */
static void
forget(struct reg_transfer *t)
{
	struct reg_transfer **at = &t->engine->asked;

	lock(t->engine);
	while (*at != NULL && *at != t)
		at = &(*at)->next;
	if (*at == t)
		*at = t->next;
	t->is_listed = false;
	unlock(t->engine);
}

void
reg_transfer_fini(struct reg_transfer *t)
{
	forget(t);
	free(t->in.data);
	free(t->out.data);
	(void)pthread_cond_destroy(&t->changed);
}

/* ${n} bytes at the end of a ring that has room for them. */
static void
ring_add(struct reg_ring *r, const char *p, size_t n)
{
	size_t at = (r->begin + r->len) % REG_RING_SIZE;
	size_t first = REG_RING_SIZE - at < n ? REG_RING_SIZE - at : n;

	memcpy(r->data + at, p, first);
	memcpy(r->data, p + first, n - first);
	r->len += n;
}

bool
reg_transfer_arrived(struct reg_transfer *t, const char *p, size_t n)
{
	bool fits;

	lock(t->engine);
	fits = n <= REG_RING_SIZE - t->in.len;
	if (fits)
		ring_add(&t->in, p, n);
	t->is_in_full = !fits;
	(void)pthread_cond_signal(&t->changed);
	unlock(t->engine);
	return fits;
}

int64_t
reg_transfer_leaving(struct reg_transfer *t, char *p, size_t n)
{
	int64_t did;
	size_t len;

	lock(t->engine);
	len = REG_RING_SIZE - t->out.begin;
	if (len > t->out.len)
		len = t->out.len;
	if (len > n)
		len = n;
	memcpy(p, t->out.data + t->out.begin, len);
	t->out.begin = (t->out.begin + len) % REG_RING_SIZE;
	t->out.len -= len;
	did = len == 0 && !t->out.is_ended ? -1 : (int64_t)len;
	t->is_out_empty = did < 0;
	(void)pthread_cond_signal(&t->changed);
	unlock(t->engine);
	return did;
}

bool
reg_transfer_is_paused(struct reg_transfer *t)
{
	bool is_paused;

	lock(t->engine);
	is_paused = t->is_in_full || t->is_out_empty;
	unlock(t->engine);
	return is_paused;
}
