/* builder/push_ahead.c - layers that are sent while they are compressed. */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/cleanup.h"
#include "core/err.h"
#include "core/mem.h"
#include "core/vec.h"

#include "builder/push_ahead.h"

/* A layer is begun once so much of it is there: two pieces of an upload. */
#define MIN_AHEAD ((uint64_t)32 << 20)

/* A layer on its way.  What the lock is over changes until it is whole. */
struct part {
	struct bld_ahead *ahead;
	pthread_t thread;
	int fd;
	pthread_mutex_t lock;
	pthread_cond_t more;
	uint64_t size;
	bool is_whole;
	bool is_broken; /* it will not become whole */
	struct stv_digest digest;

	/* Its thread's, until that ended. */
	struct reg_upload upload;
	struct stv_err *err;
	bool is_joined;
};

struct bld_ahead {
	struct bld_ahead_opts o;
	struct lay_watch watch;
	STV_VEC(struct part *) parts;
	struct part *making; /* the one whose bytes are made now */
	bool is_passed;	     /* what is made now is not sent ahead */
	pthread_mutex_t lock;
	unsigned n_running;
};

static int
on_grow(struct reg_upload *u, uint64_t beyond, struct stv_err **err)
{
	struct part *p = u->arg;
	bool is_broken;

	(void)pthread_mutex_lock(&p->lock);
	while (p->size <= beyond && !p->is_whole && !p->is_broken)
		(void)pthread_cond_wait(&p->more, &p->lock);
	u->size = p->size;
	u->is_growing = !p->is_whole;
	u->digest = p->digest;
	is_broken = p->is_broken;
	(void)pthread_mutex_unlock(&p->lock);
	if (is_broken)
		return stv_fail(err, STV_E_IO, "a layer was not made");
	return 0;
}

static void
on_progress(void *arg, uint64_t now, uint64_t total)
{
	struct part *p = arg;
	const struct bld_ahead_opts *o = &p->ahead->o;

	if (!p->upload.is_growing && o->on_progress != NULL)
		o->on_progress(o->arg, &p->upload.digest, now, total);
}

static void *
part_main(void *arg)
{
	struct part *p = arg;
	struct bld_ahead *a = p->ahead;
	enum reg_uploaded how = REG_UPLOAD_SENT;
	uint64_t sent = 0;
	int rc = reg_client_put_blob(a->o.client, a->o.ref, &p->upload, &how,
				     &sent, &p->err);

	a->o.on_sent(a->o.arg, &p->upload.digest, rc == 0, how, sent);
	(void)pthread_mutex_lock(&a->lock);
	a->n_running--;
	(void)pthread_mutex_unlock(&a->lock);
	return NULL;
}

static void
part_free(struct part *p)
{
	(void)pthread_mutex_destroy(&p->lock);
	(void)pthread_cond_destroy(&p->more);
	stv_err_free(p->err);
	if (p->fd >= 0)
		(void)close(p->fd);
	free(p);
}

/* Signals are for the threads that were there before. */
static int
start_thread(struct part *p)
{
	sigset_t all, before;
	int rc;

	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	rc = pthread_create(&p->thread, NULL, part_main, p);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	return rc;
}

static bool
may_run(struct bld_ahead *a)
{
	bool is_ok;

	(void)pthread_mutex_lock(&a->lock);
	is_ok = a->n_running < a->o.n_parallel;
	if (is_ok)
		a->n_running++;
	(void)pthread_mutex_unlock(&a->lock);
	return is_ok;
}

/* What cannot be begun is sent when it is whole, as all else. */
static struct part *
part_start(struct bld_ahead *a, int fd, uint64_t size)
{
	struct part *p;

	if (!may_run(a))
		return NULL;
	p = stv_xcalloc(1, sizeof(*p));
	p->ahead = a;
	p->size = size;
	p->fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	p->upload = (struct reg_upload){.fd = p->fd,
					.is_growing = true,
					.grow = on_grow,
					.on_progress = on_progress,
					.arg = p};
	(void)pthread_mutex_init(&p->lock, NULL);
	(void)pthread_cond_init(&p->more, NULL);
	if (p->fd >= 0 && start_thread(p) == 0)
		return *stv_vec_push(&a->parts) = p;
	part_free(p);
	(void)pthread_mutex_lock(&a->lock);
	a->n_running--;
	(void)pthread_mutex_unlock(&a->lock);
	return NULL;
}

static void
on_bytes(void *arg, int fd, uint64_t size)
{
	struct bld_ahead *a = arg;
	struct part *p = a->making;

	if (p == NULL) {
		if (a->is_passed || size < MIN_AHEAD)
			return;
		a->making = part_start(a, fd, size);
		a->is_passed = a->making == NULL;
		return;
	}
	(void)pthread_mutex_lock(&p->lock);
	p->size = size;
	(void)pthread_cond_signal(&p->more);
	(void)pthread_mutex_unlock(&p->lock);
}

static void
on_end(void *arg, const struct cas_layer *form)
{
	struct bld_ahead *a = arg;
	struct part *p = a->making;

	a->making = NULL;
	a->is_passed = false;
	if (p == NULL)
		return;
	(void)pthread_mutex_lock(&p->lock);
	p->is_whole = form != NULL;
	p->is_broken = form == NULL;
	if (form != NULL) {
		p->digest = form->blob;
		p->size = form->blob_size;
	}
	(void)pthread_cond_signal(&p->more);
	(void)pthread_mutex_unlock(&p->lock);
}

struct bld_ahead *
bld_ahead_new(const struct bld_ahead_opts *o)
{
	struct bld_ahead *a = stv_xcalloc(1, sizeof(*a));

	a->o = *o;
	a->watch = (struct lay_watch){on_bytes, on_end, a};
	(void)pthread_mutex_init(&a->lock, NULL);
	return a;
}

const struct lay_watch *
bld_ahead_watch(struct bld_ahead *a)
{
	return &a->watch;
}

bool
bld_ahead_has(struct bld_ahead *a, const struct stv_digest *blob)
{
	for (size_t i = 0; i < a->parts.len; i++)
		if (a->parts.v[i]->is_whole &&
		    stv_digest_equal(&a->parts.v[i]->digest, blob))
			return true;
	return false;
}

int
bld_ahead_wait(struct bld_ahead *a, struct stv_err **err)
{
	int rc = 0;

	for (size_t i = 0; i < a->parts.len; i++) {
		struct part *p = a->parts.v[i];

		if (!p->is_joined)
			(void)pthread_join(p->thread, NULL);
		p->is_joined = true;
		if (p->err == NULL || rc < 0)
			continue;
		*err = stv_steal(&p->err);
		rc = -1;
	}
	return rc;
}

void
bld_ahead_free(struct bld_ahead *a)
{
	struct stv_err *err = NULL;

	if (a == NULL)
		return;
	(void)bld_ahead_wait(a, &err);
	stv_err_free(err);
	for (size_t i = 0; i < a->parts.len; i++)
		part_free(a->parts.v[i]);
	stv_vec_fini(&a->parts);
	(void)pthread_mutex_destroy(&a->lock);
	free(a);
}
