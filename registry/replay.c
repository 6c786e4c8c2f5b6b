/* registry/replay.c - a stream of which the last bytes can be had again. */
#include <stdlib.h>
#include <string.h>

#include "core/err.h"
#include "core/mem.h"
#include "core/stream.h"

#include "registry/replay.h"

struct piece_in {
	struct stv_in base;
	struct reg_replay *replay;
	uint64_t at;
	uint64_t end;
};

void
reg_replay_init(struct reg_replay *r,
		struct stv_in *(*open)(void *arg, struct stv_err **err),
		void *arg, uint64_t size)
{
	*r = (struct reg_replay){.open = open,
				 .arg = arg,
				 .size = size,
				 .kept = STV_BUF_INIT(REG_MAX_REPLAY)};
}

void
reg_replay_fini(struct reg_replay *r)
{
	stv_in_close(r->in);
	stv_buf_fini(&r->kept);
	*r = (struct reg_replay){.open = NULL};
}

/* What the stream checks at its end. */
static int
check_end(struct reg_replay *r, struct stv_err **err)
{
	char more;
	int64_t got = r->in->read(r->in, &more, 1, err);

	if (got > 0)
		return stv_fail(err, STV_E_PROTOCOL,
				"there are more bytes than were announced");
	return (int)got;
}

/* New bytes, which are kept. */
static int64_t
read_new(struct reg_replay *r, void *buf, size_t n, struct stv_err **err)
{
	int64_t got = r->in->read(r->in, buf, n, err);

	if (got == 0)
		stv_fail(err, STV_E_NET, "the stream is cut off");
	if (got <= 0)
		return -1;
	r->pos += (uint64_t)got;
	if (r->pos == r->size && check_end(r, err) < 0)
		return -1;
	if (r->kept.len + (size_t)got > REG_MAX_REPLAY) {
		stv_buf_truncate(&r->kept, 0);
		r->base = r->pos - (uint64_t)got;
	}
	stv_buf_add(&r->kept, buf, (size_t)got);
	return got;
}

/* Bring the stream to ${at}, from its beginning. */
static int
start_over(struct reg_replay *r, uint64_t at, struct stv_err **err)
{
	char buf[16384];

	stv_in_close(r->in);
	r->in = r->open(r->arg, err);
	r->pos = r->base = 0;
	stv_buf_truncate(&r->kept, 0);
	if (r->in == NULL)
		return -1;
	while (r->pos < at) {
		uint64_t left = at - r->pos;

		if (read_new(r, buf, left < sizeof(buf) ? left : sizeof(buf),
			     err) < 0)
			return -1;
	}
	return 0;
}

static int64_t
piece_read(struct stv_in *in, void *buf, size_t n, struct stv_err **err)
{
	struct piece_in *p = (struct piece_in *)in;
	struct reg_replay *r = p->replay;
	int64_t got = 0;

	if (n > p->end - p->at)
		n = (size_t)(p->end - p->at);
	if (n == 0)
		return 0;
	if ((r->in == NULL || p->at < r->base || p->at > r->pos) &&
	    start_over(r, p->at, err) < 0)
		got = -1;
	else if (p->at < r->pos) {
		size_t from = (size_t)(p->at - r->base);

		got = (int64_t)(r->kept.len - from);
		got = got < (int64_t)n ? got : (int64_t)n;
		memcpy(buf, r->kept.data + from, (size_t)got);
	} else {
		got = read_new(r, buf, n, err);
	}
	if (got < 0)
		r->is_broken = true;
	else
		p->at += (uint64_t)got;
	return got;
}

static void
piece_close(struct stv_in *in)
{
	free(in);
}

struct stv_in *
reg_replay_from(struct reg_replay *r, uint64_t offset, uint64_t n)
{
	struct piece_in *p = stv_xcalloc(1, sizeof(*p));

	if (offset == r->pos) {
		stv_buf_truncate(&r->kept, 0);
		r->base = offset;
	}
	p->base = (struct stv_in){.read = piece_read, .close = piece_close};
	p->replay = r;
	p->at = offset;
	p->end = offset + n < r->size ? offset + n : r->size;
	return &p->base;
}
