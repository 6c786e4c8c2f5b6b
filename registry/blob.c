/*
 * registry/blob.c - a blob as a stream that survives its connections.
 *
 * What was read stands: the next request asks for the rest by Range.  A server
 * that does not know that begins anew, and what is known already is thrown
 * away.  Whether the pieces belong together is decided by the digest at the
 * end (THREATS C08, C16).
 */
#include <stdlib.h>
#include <string.h>

#include "core/buf.h"
#include "core/err.h"
#include "core/limits.h"
#include "core/mem.h"
#include "core/stream.h"
#include "core/strs.h"

#include "registry/client_internal.h"

struct blob_in {
	struct stv_in base;
	struct reg_client *client;
	struct reg_endpoints places;
	size_t place;
	struct stv_digest digest;
	uint64_t size;
	uint64_t offset;       /* how much was read */
	uint64_t begun_at;     /* the offset when the request was sent */
	struct stv_hash *hash; /* NULL: the reader checks the digest */
	bool is_ended;
	unsigned n_idle;
	unsigned n_breaks;

	/* The request under way; NULL where there is none. */
	struct stv_in *in;
	struct reg_http_response res;
	struct reg_call call;
	struct stv_strs headers;
	char *target;
	char *what;
	uint64_t n_skip; /* bytes that are known already */
};

static void
end_request(struct blob_in *b)
{
	stv_in_close(b->in);
	b->in = NULL;
	reg_http_response_fini(&b->res);
	stv_strs_clear(&b->headers);
	free(stv_steal(&b->target));
	free(stv_steal(&b->what));
}

static int
broke_protocol(const struct blob_in *b, const char *why, struct stv_err **err)
{
	char text[STV_DIGEST_STR_MAX];

	return stv_fail(err, STV_E_PROTOCOL, "%s: blob %s of %s %s",
			b->places.v[b->place].host,
			stv_digest_str(&b->digest, text),
			b->places.v[b->place].path, why);
}

static void
cut_off(const struct blob_in *b, struct stv_err **err)
{
	char text[STV_DIGEST_STR_MAX];

	stv_fail(err, STV_E_NET, "%s: blob %s of %s is cut off",
		 b->places.v[b->place].host, stv_digest_str(&b->digest, text),
		 b->places.v[b->place].path);
}

/* Where does the answer begin?  "bytes 100-199/200". */
static int
check_range(struct blob_in *b, struct stv_err **err)
{
	const char *range = reg_http_header(&b->res, "content-range");
	char *end;

	b->n_skip = 0;
	if (b->res.status != 206) {
		b->n_skip = b->offset;
		return 0;
	}
	if (range == NULL || strncmp(range, "bytes ", 6) != 0 ||
	    strtoull(range + 6, &end, 10) != b->offset || *end != '-')
		return broke_protocol(b,
				      "came with another range than asked "
				      "for",
				      err);
	return 0;
}

/* Ask the place for what is left. */
static int
ask(struct blob_in *b, struct stv_err **err)
{
	const struct reg_endpoint *p = &b->places.v[b->place];
	char text[STV_DIGEST_STR_MAX];
	struct reg_host *host;

	end_request(b);
	b->begun_at = b->offset;
	b->target = stv_xasprintf("/v2/%s/blobs/%s", p->path,
				  stv_digest_str(&b->digest, text));
	b->what = stv_xasprintf("blob %s of %s", text, p->path);
	/* What is stored is what is sent. */
	stv_strs_add(&b->headers, "Accept-Encoding: identity");
	if (b->offset > 0)
		stv_strs_take(&b->headers,
			      stv_xasprintf("Range: bytes=%llu-",
					    (unsigned long long)b->offset));
	b->call = (struct reg_call){
		.path = p->path,
		.actions = "pull",
		.target = b->target,
		.what = b->what,
		.req = {.headers = &b->headers, .max_size = b->size}};
	host = reg_client_host(b->client, p, err);
	if (host == NULL ||
	    reg_host_get(host, &b->call, &b->res, &b->in, err) < 0)
		return -1;
	return check_range(b, err);
}

/* Ask one place after the other. */
static int
ask_any(struct blob_in *b, struct stv_err **err)
{
	for (;;) {
		int rc = ask(b, err);

		if (rc == 0 || !reg_may_go_on(&b->places, b->place, err))
			return rc;
		b->place++;
	}
}

/* The stream broke with *err: 0 to go on with another one. */
static int
resume(struct blob_in *b, struct stv_err **err)
{
	end_request(b);
	if (stv_err_code(*err) != STV_E_NET || ++b->n_breaks > REG_MAX_BREAKS ||
	    ++b->n_idle > REG_MAX_IDLE_BREAKS)
		return -1;
	stv_err_clear(err);
	reg_back_off(b->n_idle);
	return ask_any(b, err);
}

/* All is read: is it what was asked for? */
static int
check_end(struct blob_in *b, struct stv_err **err)
{
	char text[STV_DIGEST_STR_MAX], more;
	struct stv_err *ignored = NULL;
	struct stv_digest got;

	/* Until the answer's end, so that the connection can be used again. */
	if (b->in->read(b->in, &more, 1, &ignored) > 0)
		return broke_protocol(b, "is larger than its descriptor says",
				      err);
	stv_err_free(ignored);
	if (b->hash == NULL)
		return 0;
	got = stv_hash_end(b->hash);
	if (stv_digest_equal(&got, &b->digest))
		return 0;
	return stv_fail(err, STV_E_DIGEST,
			"%s: blob %s of %s: the bytes that came are others",
			b->places.v[b->place].host,
			stv_digest_str(&b->digest, text),
			b->places.v[b->place].path);
}

/* One read of the stream below: the count, 0 at its end, -1. */
static int64_t
read_some(struct blob_in *b, void *buf, size_t n, struct stv_err **err)
{
	for (;;) {
		int64_t got = b->in->read(b->in, buf, n, err);
		uint64_t skip;

		if (got <= 0)
			return got;
		skip = (uint64_t)got < b->n_skip ? (uint64_t)got : b->n_skip;
		b->n_skip -= skip;
		if (skip == (uint64_t)got)
			continue;
		memmove(buf, (char *)buf + skip, (size_t)got - skip);
		return got - (int64_t)skip;
	}
}

static int64_t
blob_read(struct stv_in *in, void *buf, size_t n, struct stv_err **err)
{
	struct blob_in *b = (struct blob_in *)in;

	for (;;) {
		int64_t got;

		if (b->is_ended)
			return 0;
		got = b->offset == b->size ? 0 : read_some(b, buf, n, err);
		if (got > 0) {
			if (b->hash != NULL)
				stv_hash_add(b->hash, buf, (size_t)got);
			b->offset += (uint64_t)got;
			if (b->offset - b->begun_at >= REG_MIN_PROGRESS)
				b->n_idle = 0;
			if (b->offset > b->size)
				return broke_protocol(
					b, "is larger than its descriptor says",
					err);
			return got;
		}
		if (got == 0 && b->offset == b->size) {
			b->is_ended = true;
			return check_end(b, err);
		}
		if (got == 0)
			cut_off(b, err);
		if (resume(b, err) < 0)
			return -1;
	}
}

static void
blob_close(struct stv_in *in)
{
	struct blob_in *b = (struct blob_in *)in;

	end_request(b);
	reg_endpoints_fini(&b->places);
	stv_hash_free(b->hash);
	free(b);
}

static int
open_blob(struct reg_client *c, const struct reg_ref *ref,
	  const struct stv_digest *digest, uint64_t size, bool is_hashed,
	  struct stv_in **ret, struct stv_err **err)
{
	struct blob_in *b = stv_xcalloc(1, sizeof(*b));

	b->base = (struct stv_in){.read = blob_read, .close = blob_close};
	b->client = c;
	b->digest = *digest;
	b->size = size;
	b->hash = is_hashed ? stv_hash_new() : NULL;
	if (reg_client_places(c, ref, false, &b->places, err) < 0 ||
	    ask_any(b, err) < 0) {
		blob_close(&b->base);
		return -1;
	}
	*ret = &b->base;
	return 0;
}

int
reg_client_blob(struct reg_client *c, const struct reg_ref *ref,
		const struct stv_digest *digest, uint64_t size,
		struct stv_in **ret, struct stv_err **err)
{
	return open_blob(c, ref, digest, size, true, ret, err);
}

int
reg_client_blob_unhashed(struct reg_client *c, const struct reg_ref *ref,
			 const struct stv_digest *digest, uint64_t size,
			 struct stv_in **ret, struct stv_err **err)
{
	return open_blob(c, ref, digest, size, false, ret, err);
}

const char *
reg_client_blob_host(const struct stv_in *in)
{
	const struct blob_in *b = (const struct blob_in *)in;

	return b->places.v[b->place].host;
}
