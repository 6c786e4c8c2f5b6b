/* core/test/test_stream_ahead.c - a stream that is read by its own thread. */
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include <criterion/criterion.h>

#include "core/buf.h"
#include "core/digest.h"
#include "core/err.h"
#include "core/mem.h"

#include "core/stream.h"

/* More than the ring holds, and no multiple of anything. */
#define SIZE ((size_t)5000011)

/* Gives SIZE bytes in pieces of changing sizes, then the end or an error. */
struct pieces {
	struct stv_in in;
	size_t at;
	bool is_failing;
	atomic_size_t n_reads;
	pthread_t reader;
};

static uint8_t
byte_at(size_t i)
{
	return (uint8_t)(i * 2654435761U >> 13);
}

static int64_t
pieces_read(struct stv_in *in, void *buf, size_t n, struct stv_err **err)
{
	struct pieces *p = (struct pieces *)in;
	size_t want = 1 + p->at % 99991;

	p->n_reads++;
	p->reader = pthread_self();
	if (p->at == SIZE && p->is_failing)
		return stv_fail(err, STV_E_NET, "cut off");
	if (want > SIZE - p->at)
		want = SIZE - p->at;
	if (want > n)
		want = n;
	for (size_t i = 0; i < want; i++)
		((uint8_t *)buf)[i] = byte_at(p->at + i);
	p->at += want;
	return (int64_t)want;
}

/* Read all of it in pieces of up to ${n} bytes; what the last read gave. */
static int64_t
read_all(struct stv_in *in, size_t n, struct stv_err **err)
{
	stv_auto_free uint8_t *buf = stv_xmalloc(n);
	size_t at = 0;
	int64_t got;

	while ((got = in->read(in, buf, n, err)) > 0) {
		for (size_t i = 0; i < (size_t)got; i++)
			cr_assert_eq(buf[i], byte_at(at + i));
		at += (size_t)got;
	}
	cr_expect_eq(at, SIZE);
	return got;
}

Test(stream_ahead, all_bytes_come_in_order)
{
	static const size_t sizes[] = {3, 512, 100000, 1000000};

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct pieces p = {.in = {pieces_read, NULL}};
		stv_auto(stv_in) *ahead = stv_in_ahead(&p.in);
		struct stv_err *err = NULL;
		char more;

		cr_assert_eq(read_all(ahead, sizes[i], &err), 0);
		cr_expect_eq(ahead->read(ahead, &more, 1, &err), 0);
		cr_expect(!pthread_equal(p.reader, pthread_self()));
	}
}

Test(stream_ahead, an_error_comes_behind_what_was_read)
{
	struct pieces p = {.in = {pieces_read, NULL}, .is_failing = true};
	stv_auto(stv_in) *ahead = stv_in_ahead(&p.in);
	struct stv_err *err = NULL;
	char more;

	cr_assert_eq(read_all(ahead, 70000, &err), -1);
	cr_expect_eq(stv_err_code(err), STV_E_NET);
	stv_err_clear(&err);
	/* and is no end afterwards */
	cr_assert_eq(ahead->read(ahead, &more, 1, &err), -1);
	stv_err_free(err);
}

Test(stream_ahead, a_full_ring_is_closed, .timeout = 20)
{
	struct pieces p = {.in = {pieces_read, NULL}};
	stv_auto(stv_in) *ahead = stv_in_ahead(&p.in);
	struct stv_err *err = NULL;
	size_t before = 0;
	char one;

	cr_assert_eq(ahead->read(ahead, &one, 1, &err), 1);
	/* the thread goes on until there is no room */
	while (before == 0 || p.n_reads != before) {
		before = p.n_reads;
		(void)nanosleep(&(struct timespec){.tv_nsec = 50000000}, NULL);
	}
	cr_expect_leq(before, 5);
	stv_in_close(stv_steal(&ahead));
	cr_expect_eq(p.n_reads, before);
}

Test(stream_ahead, what_it_stands_on_is_whole_at_the_end)
{
	struct pieces p = {.in = {pieces_read, NULL}};
	stv_auto(stv_in) *hashed = stv_in_hash(&p.in);
	stv_auto(stv_in) *ahead = stv_in_ahead(hashed);
	stv_auto_free uint8_t *all = stv_xmalloc(SIZE);
	struct stv_err *err = NULL;
	struct stv_digest got, want;
	uint64_t size;

	cr_assert_eq(read_all(ahead, 4096, &err), 0);
	got = stv_in_hash_end(hashed, &size);
	for (size_t i = 0; i < SIZE; i++)
		all[i] = byte_at(i);
	want = stv_digest_of(all, SIZE);
	cr_expect(stv_digest_equal(&got, &want));
	cr_expect_eq(size, SIZE);
}
