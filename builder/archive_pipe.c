/* builder/archive_pipe.c - an archive that is read while a thread writes it. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/cleanup.h"
#include "core/err.h"
#include "core/mem.h"
#include "core/stream.h"

#include "builder/archive_pipe.h"

/* So that the writer hashes a piece while the reader writes another one. */
#define PIPE_SIZE (1 << 20)

struct bld_archive_pipe {
	struct stv_in in; /* first: what stands on it is cast back */
	struct cas_store *store;
	const struct cas_save_image *image;
	enum cas_archive_format format;
	int fds[2];
	pthread_t thread;
	bool is_joined;

	/* The thread's, until it is joined. */
	uint64_t size;
	int rc;
	struct stv_err *err;
};

/* The pipe, as a sink that counts. */
struct counted {
	struct stv_sink sink;
	struct bld_archive_pipe *p;
};

static int
counted_write(struct stv_sink *sink, const void *buf, size_t n,
	      struct stv_err **err)
{
	struct counted *c = (struct counted *)sink;

	if (stv_write_all(c->p->fds[1], buf, n) < 0)
		return stv_fail_errno(err, errno, "cannot write an archive");
	c->p->size += n;
	return 0;
}

static void *
write_archive(void *arg)
{
	struct bld_archive_pipe *p = arg;
	struct counted c = {.sink = {.write = counted_write}, .p = p};

	p->rc = cas_save(p->store, p->image, 1, p->format, &c.sink, &p->err);
	(void)close(stv_steal_fd(&p->fds[1]));
	return NULL;
}

static void
join(struct bld_archive_pipe *p)
{
	if (!p->is_joined)
		(void)pthread_join(p->thread, NULL);
	p->is_joined = true;
}

static int64_t
pipe_read(struct stv_in *in, void *buf, size_t n, struct stv_err **err)
{
	struct bld_archive_pipe *p = (struct bld_archive_pipe *)in;
	ssize_t got;

	do
		got = read(p->fds[0], buf, n);
	while (got < 0 && errno == EINTR);
	if (got < 0)
		return stv_fail_errno(err, errno, "cannot read an archive");
	if (got > 0)
		return got;
	join(p);
	if (p->err != NULL) {
		*err = stv_steal(&p->err);
		return -1;
	}
	return p->rc;
}

/* Signals are the main thread's. */
static int
start(struct bld_archive_pipe *p)
{
	sigset_t all, old;
	int rc;

	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &old);
	rc = pthread_create(&p->thread, NULL, write_archive, p);
	(void)pthread_sigmask(SIG_SETMASK, &old, NULL);
	return rc;
}

int
bld_archive_pipe_open(struct cas_store *store,
		      const struct cas_save_image *image,
		      enum cas_archive_format format,
		      struct bld_archive_pipe **ret, struct stv_err **err)
{
	struct bld_archive_pipe *p = stv_xcalloc(1, sizeof(*p));
	int errnum;

	*p = (struct bld_archive_pipe){
		.in = {.read = pipe_read},
		.store = store,
		.image = image,
		.format = format,
	};
	errnum = pipe2(p->fds, O_CLOEXEC) < 0 ? errno : 0;
	if (errnum == 0) {
		(void)fcntl(p->fds[0], F_SETPIPE_SZ, PIPE_SIZE);
		errnum = start(p);
		if (errnum != 0) {
			stv_close_p(&p->fds[0]);
			stv_close_p(&p->fds[1]);
		}
	}
	if (errnum != 0) {
		free(p);
		return stv_fail_errno(err, errnum, "cannot start an archive");
	}
	*ret = p;
	return 0;
}

int
bld_archive_pipe_fd(const struct bld_archive_pipe *p)
{
	return p->fds[0];
}

struct stv_in *
bld_archive_pipe_in(struct bld_archive_pipe *p)
{
	return &p->in;
}

int
bld_archive_pipe_end(struct bld_archive_pipe *p, int rc, uint64_t *ret_size,
		     struct stv_err **err)
{
	/* A writer that waits for a reader hears EPIPE. */
	(void)close(stv_steal_fd(&p->fds[0]));
	join(p);
	*ret_size = p->size;
	if (p->err != NULL && stv_err_errno(p->err) != EPIPE) {
		stv_err_clear(err);
		*err = stv_steal(&p->err);
		rc = -1;
	}
	stv_err_free(p->err);
	free(p);
	return rc;
}
