/* core/stream.c - stacking byte streams. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "core/buf.h"
#include "core/cancel.h"
#include "core/digest.h"
#include "core/err.h"
#include "core/mem.h"

#include "core/stream.h"

/* Large enough that a copy is bound by the disk, small enough for a stack of
 * a few streams on every thread. */
#define COPY_SIZE ((size_t)256 << 10)

void
stv_in_close(struct stv_in *in)
{
	if (in != NULL)
		in->close(in);
}

void
stv_sink_close(struct stv_sink *sink)
{
	if (sink != NULL)
		sink->close(sink);
}

int64_t
stv_in_read_full(struct stv_in *in, void *buf, size_t n, struct stv_err **err)
{
	size_t have = 0;

	while (have < n) {
		int64_t got = in->read(in, (char *)buf + have, n - have, err);

		if (got < 0)
			return -1;
		if (got == 0)
			break;
		have += (size_t)got;
	}
	return (int64_t)have;
}

int
stv_write_all(int fd, const void *p, size_t n)
{
	const char *c = p;

	while (n > 0) {
		ssize_t put = write(fd, c, n);

		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0)
			return -1;
		c += put;
		n -= (size_t)put;
	}
	return 0;
}

int64_t
stv_pread_all(int fd, void *p, size_t n, uint64_t offset)
{
	size_t have = 0;

	while (have < n) {
		ssize_t got = pread(fd, (char *)p + have, n - have,
				    (off_t)(offset + have));

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -1;
		if (got == 0)
			break;
		have += (size_t)got;
	}
	return (int64_t)have;
}

/* A descriptor. */
struct in_fd {
	struct stv_in in;
	int fd;
	uint64_t offset;
	uint64_t left;
};

static void
in_free(struct stv_in *in)
{
	free(in);
}

static int64_t
in_fd_read(struct stv_in *in, void *buf, size_t n, struct stv_err **err)
{
	struct in_fd *f = (struct in_fd *)in;
	ssize_t got;

	/* A pipe may have nothing to say for ever. */
	while ((got = read(f->fd, buf, n)) < 0 && errno == EINTR)
		if (stv_cancel_check(err) < 0)
			return -1;
	if (got < 0)
		return stv_fail_errno(err, errno, "cannot read");
	return got;
}

static int64_t
in_range_read(struct stv_in *in, void *buf, size_t n, struct stv_err **err)
{
	struct in_fd *f = (struct in_fd *)in;
	ssize_t got;

	if (f->left == 0)
		return 0;
	if (n > f->left)
		n = (size_t)f->left;
	do
		got = pread(f->fd, buf, n, (off_t)f->offset);
	while (got < 0 && errno == EINTR);
	if (got < 0)
		return stv_fail_errno(err, errno, "cannot read");
	if (got == 0)
		return stv_fail(err, STV_E_IO,
				"the file ends %llu bytes too early",
				(unsigned long long)f->left);
	f->offset += (uint64_t)got;
	f->left -= (uint64_t)got;
	return got;
}

struct stv_in *
stv_in_fd(int fd)
{
	struct in_fd *f = stv_xcalloc(1, sizeof(*f));

	f->in = (struct stv_in){in_fd_read, in_free};
	f->fd = fd;
	return &f->in;
}

struct stv_in *
stv_in_fd_range(int fd, uint64_t offset, uint64_t size)
{
	struct in_fd *f = stv_xcalloc(1, sizeof(*f));

	f->in = (struct stv_in){in_range_read, in_free};
	f->fd = fd;
	f->offset = offset;
	f->left = size;
	return &f->in;
}

/* Memory. */
struct in_mem {
	struct stv_in in;
	const char *p;
	size_t n;
};

static int64_t
in_mem_read(struct stv_in *in, void *buf, size_t n, struct stv_err **err)
{
	struct in_mem *m = (struct in_mem *)in;

	(void)err;
	if (n > m->n)
		n = m->n;
	if (n > 0)
		memcpy(buf, m->p, n);
	m->p += n;
	m->n -= n;
	return (int64_t)n;
}

struct stv_in *
stv_in_mem(const void *p, size_t n)
{
	struct in_mem *m = stv_xcalloc(1, sizeof(*m));

	m->in = (struct stv_in){in_mem_read, in_free};
	m->p = p;
	m->n = n;
	return &m->in;
}

/* Hashing while reading. */
struct in_hash {
	struct stv_in in;
	struct stv_in *under;
	struct stv_hash *hash;
	uint64_t size;
};

static int64_t
in_hash_read(struct stv_in *in, void *buf, size_t n, struct stv_err **err)
{
	struct in_hash *h = (struct in_hash *)in;
	int64_t got = h->under->read(h->under, buf, n, err);

	if (got > 0) {
		stv_hash_add(h->hash, buf, (size_t)got);
		h->size += (uint64_t)got;
	}
	return got;
}

static void
in_hash_close(struct stv_in *in)
{
	struct in_hash *h = (struct in_hash *)in;

	stv_hash_free(h->hash);
	free(h);
}

struct stv_in *
stv_in_hash(struct stv_in *under)
{
	struct in_hash *h = stv_xcalloc(1, sizeof(*h));

	h->in = (struct stv_in){in_hash_read, in_hash_close};
	h->under = under;
	h->hash = stv_hash_new();
	return &h->in;
}

struct stv_digest
stv_in_hash_end(struct stv_in *in, uint64_t *ret_size)
{
	struct in_hash *h = (struct in_hash *)in;

	if (ret_size != NULL)
		*ret_size = h->size;
	return stv_hash_end(h->hash);
}

/* A bound. */
struct in_limit {
	struct stv_in in;
	struct stv_in *under;
	uint64_t max;
	uint64_t seen;
	const char *what;
};

static int64_t
in_limit_read(struct stv_in *in, void *buf, size_t n, struct stv_err **err)
{
	struct in_limit *l = (struct in_limit *)in;
	int64_t got = l->under->read(l->under, buf, n, err);

	if (got < 0)
		return -1;
	l->seen += (uint64_t)got;
	if (l->seen > l->max)
		return stv_fail(err, STV_E_LIMIT,
				"%s is larger than %llu bytes", l->what,
				(unsigned long long)l->max);
	return got;
}

struct stv_in *
stv_in_limit(struct stv_in *under, uint64_t max, const char *what)
{
	struct in_limit *l = stv_xcalloc(1, sizeof(*l));

	l->in = (struct stv_in){in_limit_read, in_free};
	l->under = under;
	l->max = max;
	l->what = what;
	return &l->in;
}

struct in_after {
	struct stv_in in;
	const char *head;
	size_t n_head;
	struct stv_in *under;
};

static int64_t
in_after_read(struct stv_in *in, void *buf, size_t n, struct stv_err **err)
{
	struct in_after *a = (struct in_after *)in;

	if (a->n_head == 0)
		return a->under->read(a->under, buf, n, err);
	if (n > a->n_head)
		n = a->n_head;
	memcpy(buf, a->head, n);
	a->head += n;
	a->n_head -= n;
	return (int64_t)n;
}

struct stv_in *
stv_in_after(const void *head, size_t n, struct stv_in *under)
{
	struct in_after *a = stv_xcalloc(1, sizeof(*a));

	a->in = (struct stv_in){in_after_read, in_free};
	a->head = head;
	a->n_head = n;
	a->under = under;
	return &a->in;
}

/* Sinks. */
static void
sink_free(struct stv_sink *sink)
{
	free(sink);
}

struct sink_fd {
	struct stv_sink sink;
	int fd;
};

static int
sink_fd_write(struct stv_sink *sink, const void *buf, size_t n,
	      struct stv_err **err)
{
	struct sink_fd *f = (struct sink_fd *)sink;

	if (stv_write_all(f->fd, buf, n) < 0)
		return stv_fail_errno(err, errno, "cannot write");
	return 0;
}

struct stv_sink *
stv_sink_fd(int fd)
{
	struct sink_fd *f = stv_xcalloc(1, sizeof(*f));

	f->sink = (struct stv_sink){sink_fd_write, sink_free};
	f->fd = fd;
	return &f->sink;
}

struct sink_tee {
	struct stv_sink sink;
	struct stv_sink *a, *b;
};

static int
sink_tee_write(struct stv_sink *sink, const void *buf, size_t n,
	       struct stv_err **err)
{
	struct sink_tee *t = (struct sink_tee *)sink;

	if (t->a->write(t->a, buf, n, err) < 0)
		return -1;
	return t->b->write(t->b, buf, n, err);
}

struct stv_sink *
stv_sink_tee(struct stv_sink *a, struct stv_sink *b)
{
	struct sink_tee *t = stv_xcalloc(1, sizeof(*t));

	t->sink = (struct stv_sink){sink_tee_write, sink_free};
	t->a = a;
	t->b = b;
	return &t->sink;
}

struct sink_hash {
	struct stv_sink sink;
	struct stv_sink *under;
	struct stv_hash *hash;
	uint64_t size;
};

static int
sink_hash_write(struct stv_sink *sink, const void *buf, size_t n,
		struct stv_err **err)
{
	struct sink_hash *h = (struct sink_hash *)sink;

	stv_hash_add(h->hash, buf, n);
	h->size += n;
	if (h->under == NULL)
		return 0;
	return h->under->write(h->under, buf, n, err);
}

static void
sink_hash_close(struct stv_sink *sink)
{
	struct sink_hash *h = (struct sink_hash *)sink;

	stv_hash_free(h->hash);
	free(h);
}

struct stv_sink *
stv_sink_hash(struct stv_sink *under)
{
	struct sink_hash *h = stv_xcalloc(1, sizeof(*h));

	h->sink = (struct stv_sink){sink_hash_write, sink_hash_close};
	h->under = under;
	h->hash = stv_hash_new();
	return &h->sink;
}

struct stv_digest
stv_sink_hash_end(struct stv_sink *sink, uint64_t *ret_size)
{
	struct sink_hash *h = (struct sink_hash *)sink;

	if (ret_size != NULL)
		*ret_size = h->size;
	return stv_hash_end(h->hash);
}

struct sink_buf {
	struct stv_sink sink;
	struct stv_buf *buf;
	const char *what;
};

static int
sink_buf_write(struct stv_sink *sink, const void *buf, size_t n,
	       struct stv_err **err)
{
	struct sink_buf *b = (struct sink_buf *)sink;

	stv_buf_add(b->buf, buf, n);
	return stv_buf_check(b->buf, b->what, err);
}

struct stv_sink *
stv_sink_buf(struct stv_buf *b, const char *what)
{
	struct sink_buf *s = stv_xcalloc(1, sizeof(*s));

	s->sink = (struct stv_sink){sink_buf_write, sink_free};
	s->buf = b;
	s->what = what;
	return &s->sink;
}

int
stv_copy(struct stv_in *in, struct stv_sink *out, uint64_t *ret_size,
	 struct stv_err **err)
{
	stv_auto_free char *buf = stv_xmalloc(COPY_SIZE);
	uint64_t size = 0;

	for (;;) {
		int64_t got = in->read(in, buf, COPY_SIZE, err);

		if (got < 0 || stv_cancel_check(err) < 0)
			return -1;
		if (got == 0)
			break;
		if (out->write(out, buf, (size_t)got, err) < 0)
			return -1;
		size += (uint64_t)got;
	}
	if (ret_size != NULL)
		*ret_size = size;
	return 0;
}
