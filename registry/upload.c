/*
 * registry/upload.c - blobs and manifests to a registry.
 *
 * Distribution specification 1.1, "Push": POST opens a session, whose place
 * each answer says anew; PATCH adds a piece; PUT ends it with the digest.
 */
#include <stdlib.h>
#include <string.h>

#include "core/err.h"
#include "core/mem.h"
#include "core/stream.h"
#include "core/strs.h"

#include "registry/client_internal.h"
#include "registry/replay.h"

/* One that fits into this goes with the PUT: two requests instead of three. */
#define MAX_WHOLE ((uint64_t)1 << 20)
/* Proxies and CDNs in front of registries limit a body to 100 MB. */
#define MAX_PIECE ((uint64_t)64 << 20)
/* Of what is still being written at least so much goes at once. */
#define MIN_GROWN ((uint64_t)16 << 20)

/* An upload under way. */
struct session {
	struct reg_client *client;
	const struct reg_endpoint *place;
	struct reg_upload *u;
	struct reg_host *host;
	char *what;
	int fd;		 /* of the blob; ->u's, or opened by it */
	char *location;	 /* of the session, or NULL */
	uint64_t offset; /* what the registry has */
	uint64_t sent;
	bool is_had; /* it grew into something that the registry has */
	unsigned n_breaks;
	unsigned n_idle;

	/* The body of the request under way. */
	struct stv_in *body;
	uint64_t piece;
	struct reg_replay replay; /* where it is a stream */
};

static int
call(struct session *s, const char *method, const char *target,
     struct stv_strs *headers, struct reg_http_response *res,
     struct stv_err **err)
{
	struct reg_call c = {.path = s->place->path,
			     .actions = "pull,push",
			     .from = s->u->from,
			     .target = target,
			     .what = s->what,
			     .req = {.method = method,
				     .headers = headers,
				     .no_redirect = true}};

	return reg_host_do(s->host, &c, res, err);
}

/* Does the repository have it? 1, 0, -1. */
static int
is_there(struct session *s, struct stv_err **err)
{
	char text[STV_DIGEST_STR_MAX];
	stv_auto_free char *target =
		stv_xasprintf("/v2/%s/blobs/%s", s->place->path,
			      stv_digest_str(&s->u->digest, text));
	struct reg_call c = {.path = s->place->path,
			     .actions = "pull,push",
			     .from = s->u->from,
			     .target = target,
			     .what = s->what,
			     .req = {.method = "HEAD"}};
	reg_auto_response res = {0};

	if (reg_host_do(s->host, &c, &res, err) == 0)
		return 1;
	if (res.status != 404)
		return -1;
	stv_err_clear(err);
	return 0;
}

/* The session's place, which may be relative to the request's. */
static int
take_location(struct session *s, const struct reg_http_response *res,
	      struct stv_err **err)
{
	const char *l = reg_http_header(res, "location");

	if (l == NULL || *l == '\0')
		return stv_fail(err, STV_E_PROTOCOL,
				"%s: %s: the registry does not say where to "
				"send it",
				s->place->host, s->what);
	free(s->location);
	s->location = *l == '/' || strstr(l, "://") != NULL
			      ? stv_xstrdup(l)
			      : stv_xasprintf("/%s", l);
	return 0;
}

/* Open a session, or have the blob mounted: 1 then. */
static int
open_session(struct session *s, struct stv_err **err)
{
	char text[STV_DIGEST_STR_MAX];
	stv_auto_free char *target =
		s->u->from != NULL
			? stv_xasprintf(
				  "/v2/%s/blobs/uploads/?mount=%s&from=%s",
				  s->place->path,
				  stv_digest_str(&s->u->digest, text),
				  s->u->from)
			: stv_xasprintf("/v2/%s/blobs/uploads/",
					s->place->path);
	reg_auto_response res = {0};

	s->offset = 0;
	if (call(s, "POST", target, NULL, &res, err) < 0)
		return -1;
	if (res.status == 201)
		return 1;
	return take_location(s, &res, err);
}

static struct stv_in *
rewind_piece(void *arg, struct stv_err **err)
{
	struct session *s = arg;

	(void)err;
	stv_in_close(s->body);
	s->body = s->u->stream != NULL
			  ? reg_replay_from(&s->replay, s->offset, s->piece)
			  : stv_in_fd_range(s->fd, s->offset, s->piece);
	return s->body;
}

static void
on_progress(void *arg, uint64_t now, uint64_t total)
{
	struct session *s = arg;

	(void)total;
	if (s->u->on_progress != NULL)
		s->u->on_progress(s->u->arg, s->offset + now, s->u->size);
}

/* Send ${s->piece} bytes from ${s->offset}: once, what is next is decided by
 * what the registry says that it has. */
static int
send_piece(struct session *s, const char *method, const char *target,
	   struct reg_http_response *res, struct stv_err **err)
{
	struct stv_strs headers = {0};
	struct reg_call c = {.path = s->place->path,
			     .actions = "pull,push",
			     .from = s->u->from,
			     .target = target,
			     .what = s->what,
			     .req = {.method = method,
				     .headers = &headers,
				     .no_redirect = true,
				     .max_tries = 1,
				     .body = rewind_piece(s, err),
				     .body_size = s->piece,
				     .rewind_body = rewind_piece,
				     .on_progress = on_progress,
				     .arg = s}};
	int rc;

	stv_strs_add(&headers, "Content-Type: application/octet-stream");
	if (strcmp(method, "PATCH") == 0)
		stv_strs_take(
			&headers,
			stv_xasprintf("Content-Range: %llu-%llu",
				      (unsigned long long)s->offset,
				      (unsigned long long)(s->offset +
							   s->piece - 1)));
	rc = reg_host_do(s->host, &c, res, err);
	s->sent += s->piece;
	stv_strs_clear(&headers);
	return rc;
}

/* LOCATION?...&digest=sha256:... */
static char *
end_target(const struct session *s)
{
	char text[STV_DIGEST_STR_MAX];

	return stv_xasprintf("%s%cdigest=%s", s->location,
			     strchr(s->location, '?') != NULL ? '&' : '?',
			     stv_digest_str(&s->u->digest, text));
}

/* "0-99" of a Range header: 100; -1 where it is not that. */
static int64_t
range_end(const struct reg_http_response *res)
{
	const char *range = reg_http_header(res, "range");
	char *end;
	unsigned long long last;

	if (range != NULL && strncmp(range, "bytes=", 6) == 0)
		range += 6;
	if (range == NULL || strncmp(range, "0-", 2) != 0)
		return -1;
	last = strtoull(range + 2, &end, 10);
	if (end == range + 2 || *end != '\0' || last >= INT64_MAX)
		return -1;
	/* An empty session says "0-0", as one with a byte does; who goes on
	 * with that sends a byte twice, and then all of it. */
	return last == 0 ? 0 : (int64_t)last + 1;
}

/*
 * A piece broke off: how much does the registry have?  A session that it does
 * not know any more may have ended well, with only the answer lost (1), or is
 * begun anew.
 */
static int
ask_offset(struct session *s, struct stv_err **err)
{
	reg_auto_response res = {0};
	int64_t n;

	if (call(s, "GET", s->location, NULL, &res, err) < 0) {
		if (res.status != 404 && res.status != 405 && res.status != 400)
			return -1;
		stv_err_clear(err);
		n = s->u->is_growing ? 0 : is_there(s, err);
		return n != 0 ? (int)n : open_session(s, err);
	}
	n = range_end(&res);
	s->offset = n < 0 || (uint64_t)n > s->u->size ? 0 : (uint64_t)n;
	if (reg_http_header(&res, "location") != NULL &&
	    take_location(s, &res, err) < 0)
		return -1;
	/* Bytes that cannot be counted are of no use. */
	return s->offset == 0 ? open_session(s, err) : 0;
}

/* A piece failed with *err: 0 to go on at ${s->offset}, 1 where all is there.
 */
static int
recover(struct session *s, const struct reg_http_response *res,
	struct stv_err **err)
{
	uint64_t before = s->offset;
	int r;

	/* What is to be sent cannot be had. */
	if (s->replay.is_broken)
		return -1;
	/* 416: the registry's offset is another one than ours.  404: it has
	 * forgotten the session. */
	if ((stv_err_code(*err) != STV_E_NET && res->status != 416 &&
	     res->status != 404) ||
	    ++s->n_breaks > REG_MAX_BREAKS || ++s->n_idle > REG_MAX_IDLE_BREAKS)
		return -1;
	stv_err_clear(err);
	reg_back_off(s->n_idle);
	r = ask_offset(s, err);
	if (s->offset >= before + REG_MIN_PROGRESS)
		s->n_idle = 0;
	return r;
}

/* The registry took less than a piece: as where it broke off. */
static int
recover_short(struct session *s, struct stv_err **err)
{
	const struct reg_http_response none = {0};

	stv_fail(err, STV_E_NET, "%s: %s: the registry took a part of it only",
		 s->place->host, s->what);
	return recover(s, &none, err);
}

/*
 * Did the registry take the whole piece?  Its Range says up to where, if it
 * says anything; some count from the beginning of the piece.
 */
static bool
is_all_taken(const struct session *s, const struct reg_http_response *res)
{
	int64_t n = range_end(res);

	return n <= 0 || (uint64_t)n == s->offset + s->piece ||
	       (uint64_t)n == s->piece;
}

/* Tell the registry that no more comes; without that it waits for days. */
static void
abandon(struct session *s)
{
	struct stv_err *err = NULL;
	reg_auto_response res = {0};

	(void)call(s, "DELETE", s->location, NULL, &res, &err);
	stv_err_free(err);
}

/* Wait for what is next of a blob that is being written.  1 where it is whole
 * now, and something that the registry has. */
static int
grow(struct session *s, struct stv_err **err)
{
	int r = s->u->grow(s->u, s->offset + MIN_GROWN, err);

	if (r == 0 && s->u->is_growing)
		return 0;
	if (r == 0)
		r = is_there(s, err);
	s->is_had = r == 1;
	if (r != 0)
		abandon(s);
	return r;
}

/* All pieces; 1 where the registry has the blob already. */
static int
send_pieces(struct session *s, struct stv_err **err)
{
	for (;;) {
		reg_auto_response res = {0};
		int r = s->u->is_growing ? grow(s, err) : 0;
		uint64_t left = s->u->size - s->offset;
		uint64_t max =
			s->u->stream != NULL ? REG_MAX_REPLAY : MAX_PIECE;

		if (r != 0 || left == 0)
			return r;
		s->piece = left < max ? left : max;
		if (send_piece(s, "PATCH", s->location, &res, err) < 0) {
			r = recover(s, &res, err);
			if (r != 0)
				return r;
			continue;
		}
		if (take_location(s, &res, err) < 0)
			return -1;
		if (!is_all_taken(s, &res)) {
			r = recover_short(s, err);
			if (r != 0)
				return r;
			continue;
		}
		s->n_idle = 0;
		s->offset += s->piece;
	}
}

static int
end_session(struct session *s, struct stv_err **err)
{
	for (;;) {
		stv_auto_free char *target = end_target(s);
		reg_auto_response res = {0};
		int r;

		s->piece = s->u->size - s->offset;
		if (send_piece(s, "PUT", target, &res, err) == 0)
			return 0;
		r = recover(s, &res, err);
		if (r == 0 && s->u->size > MAX_WHOLE)
			r = send_pieces(s, err);
		if (r != 0)
			return r < 0 ? -1 : 0;
	}
}

/* 1 where it was mounted. */
static int
send_blob(struct session *s, struct stv_err **err)
{
	int r = open_session(s, err);

	if (r != 0)
		return r;
	if (s->fd < 0 && s->u->stream == NULL &&
	    s->u->open(s->u->arg, &s->fd, err) < 0)
		return -1;
	if (s->u->is_growing || s->u->size > MAX_WHOLE)
		r = send_pieces(s, err);
	if (r != 0)
		return r < 0 ? -1 : 0;
	return end_session(s, err);
}

/* What the client remembers of a blob that is there. */
static char *
known_name(const struct session *s)
{
	char text[STV_DIGEST_STR_MAX];

	return stv_xasprintf("%s/%s@%s", s->place->host, s->place->path,
			     stv_digest_str(&s->u->digest, text));
}

/* Did this client see or put the blob there before? */
static bool
is_known(const struct session *s)
{
	stv_auto_free char *name = known_name(s);
	bool is;

	(void)pthread_mutex_lock(&s->client->lock);
	is = stv_strs_has(&s->client->there, name);
	(void)pthread_mutex_unlock(&s->client->lock);
	return is;
}

static void
add_known(const struct session *s)
{
	stv_auto_free char *name = known_name(s);

	(void)pthread_mutex_lock(&s->client->lock);
	if (!stv_strs_has(&s->client->there, name))
		stv_strs_add(&s->client->there, name);
	(void)pthread_mutex_unlock(&s->client->lock);
}

int
reg_client_put_blob(struct reg_client *c, const struct reg_ref *ref,
		    struct reg_upload *u, enum reg_uploaded *ret,
		    uint64_t *ret_sent, struct stv_err **err)
{
	struct session s = {.client = c, .u = u, .fd = u->fd};
	struct reg_endpoints places;
	char text[STV_DIGEST_STR_MAX];
	int r;

	*ret_sent = 0;
	if (reg_client_places(c, ref, true, &places, err) < 0)
		return -1;
	reg_replay_init(&s.replay, u->stream, u->arg, u->size);
	s.place = &places.v[0];
	s.host = reg_client_host(c, s.place, err);
	s.what = stv_xasprintf("blob %s of %s",
			       u->is_growing ? "that is made"
					     : stv_digest_str(&u->digest, text),
			       s.place->path);
	r = s.host == NULL  ? -1
	    : u->is_growing ? 0
	    : is_known(&s)  ? 1
			    : is_there(&s, err);
	*ret = REG_UPLOAD_HAD;
	if (r == 0) {
		r = send_blob(&s, err);
		if (!s.is_had)
			*ret = r == 1 ? REG_UPLOAD_MOUNTED : REG_UPLOAD_SENT;
	}
	if (r >= 0)
		add_known(&s);
	*ret_sent = s.sent;
	stv_in_close(s.body);
	if (u->fd < 0)
		stv_close_p(&s.fd);
	reg_replay_fini(&s.replay);
	free(s.location);
	free(s.what);
	reg_endpoints_fini(&places);
	return r < 0 ? -1 : 0;
}

/* A manifest as a body that can be sent again. */
struct text_body {
	const char *text;
	size_t len;
	struct stv_in *in;
};

static struct stv_in *
rewind_text(void *arg, struct stv_err **err)
{
	struct text_body *b = arg;

	(void)err;
	stv_in_close(b->in);
	b->in = stv_in_mem(b->text, b->len);
	return b->in;
}

/* The registry may say under which digest it has it. */
static int
check_digest(const struct reg_endpoint *p, const char *which,
	     const struct text_body *b, const struct reg_http_response *res,
	     struct stv_err **err)
{
	const char *said = reg_http_header(res, "docker-content-digest");
	struct stv_digest d = stv_digest_of(b->text, b->len);
	char text[STV_DIGEST_STR_MAX];

	if (said == NULL || strcmp(said, stv_digest_str(&d, text)) == 0)
		return 0;
	return stv_fail(err, STV_E_DIGEST,
			"%s: the registry has manifest '%s' of %s under "
			"another digest than %s",
			p->host, which, p->path, text);
}

int
reg_client_put_manifest(struct reg_client *c, const struct reg_ref *ref,
			const char *which, const char *media_type,
			const char *text, size_t len, struct stv_err **err)
{
	struct text_body body = {.text = text, .len = len};
	struct stv_strs headers = {0};
	reg_auto_endpoints places = {0};
	reg_auto_response res = {0};
	struct reg_call call = {.actions = "pull,push",
				.req = {.method = "PUT",
					.headers = &headers,
					.no_redirect = true,
					.body_size = len,
					.rewind_body = rewind_text,
					.arg = &body}};
	stv_auto_free char *target = NULL, *what = NULL;
	const struct reg_endpoint *p;
	struct reg_host *host;
	int rc;

	if (reg_client_places(c, ref, true, &places, err) < 0)
		return -1;
	p = &places.v[0];
	host = reg_client_host(c, p, err);
	if (host == NULL)
		return -1;
	target = stv_xasprintf("/v2/%s/manifests/%s", p->path, which);
	what = stv_xasprintf("manifest '%s' of %s", which, p->path);
	stv_strs_take(&headers, stv_xasprintf("Content-Type: %s", media_type));
	call.path = p->path;
	call.target = target;
	call.what = what;
	call.req.body = rewind_text(&body, err);
	rc = reg_host_do(host, &call, &res, err);
	if (rc == 0)
		rc = check_digest(p, which, &body, &res, err);
	stv_in_close(body.in);
	stv_strs_clear(&headers);
	return rc;
}

int
reg_client_has_manifest(struct reg_client *c, const struct reg_ref *ref,
			const char *which, const struct stv_digest *digest,
			struct stv_err **err)
{
	struct reg_call call = {.actions = "pull,push",
				.req = {.method = "HEAD"}};
	stv_auto_free char *target = NULL, *what = NULL;
	reg_auto_endpoints places = {0};
	reg_auto_response res = {0};
	char text[STV_DIGEST_STR_MAX];
	struct stv_strs headers = {0};
	struct reg_host *host;
	const char *said;
	int rc;

	if (reg_client_places(c, ref, true, &places, err) < 0)
		return -1;
	host = reg_client_host(c, &places.v[0], err);
	if (host == NULL)
		return -1;
	target = stv_xasprintf("/v2/%s/manifests/%s", places.v[0].path, which);
	what = stv_xasprintf("manifest '%s' of %s", which, places.v[0].path);
	stv_strs_add(&headers, reg_accept_manifests);
	call.path = places.v[0].path;
	call.target = target;
	call.what = what;
	call.req.headers = &headers;
	rc = reg_host_do(host, &call, &res, err);
	stv_strs_clear(&headers);
	if (rc < 0 && res.status != 404)
		return -1;
	stv_err_clear(err);
	if (rc < 0)
		return 0;
	said = reg_http_header(&res, "docker-content-digest");
	(void)stv_digest_str(digest, text);
	return strcmp(said != NULL ? said : which, text) == 0;
}
