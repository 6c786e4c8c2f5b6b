/*
 * builder/deliver_docker.c - into docker, by the API of its engine.
 *
 * POST /images/load takes docker's archive.  For each layer the engine looks
 * first whether it has the chain up to there and opens the layer's file only
 * if not (moby, image/tarexport/load.go), so those files are left out.  With
 * containerd's image store it imports an OCI archive, and gets all of it; so
 * does what only speaks docker's language (podman's service).
 */
#include <stdlib.h>
#include <string.h>

#include "core/buf.h"
#include "core/cancel.h"
#include "core/cleanup.h"
#include "core/err.h"
#include "core/json.h"
#include "core/limits.h"
#include "core/mem.h"
#include "core/stream.h"

#include "registry/http.h"

#include "builder/archive_pipe.h"
#include "builder/deliver_internal.h"
#include "builder/docker_host.h"
#include "builder/docker_stream.h"

/* An answer that is one document: a list of thousands of images. */
#define MAX_ANSWER ((size_t)32 << 20)
/* It may be silent while it unpacks a large layer or syncs its disk. */
#define SILENCE_S 600

struct docker {
	struct bld_docker_host host;
	struct reg_http *http;
	bool has_snapshotter; /* its image store is containerd's */
	bool is_docker;	      /* and not what imitates it */
};

static bool
is_cancelled(void *arg)
{
	(void)arg;
	return stv_is_cancelled();
}

/* Of an answer that is no success: {"message":"..."}. */
static int
fail_answer(const char *what, const struct reg_http_response *r,
	    struct stv_err **err)
{
	const char *text = r->error_body == NULL ? "" : r->error_body;
	json_t *v = json_loads(text, 0, NULL);
	const char *message = json_string_value(json_object_get(v, "message"));

	stv_fail(err,
		 r->status == 401 || r->status == 403 ? STV_E_AUTH
						      : STV_E_PROTOCOL,
		 "docker answers %d to %s%s%s", r->status, what,
		 message != NULL ? ": " : "", message != NULL ? message : "");
	json_decref(v);
	return -1;
}

/* Nobody listens there. */
static int
fail_request(const struct reg_http_response *r, struct stv_err **err)
{
	if (!r->is_refused)
		return -1;
	stv_wrap(err, "nobody answers where docker should be");
	stv_err_set_code(*err, STV_E_PRIVILEGE);
	stv_err_hint(*err, "Start docker, or say in DOCKER_HOST where it is.");
	return -1;
}

static struct reg_http_request
request(const struct docker *k, const char *url)
{
	return (struct reg_http_request){
		.url = url,
		.unix_socket = k->host.socket,
		.tls = &k->host.tls,
		.is_error_ok = true,
		.no_redirect = true,
		.max_tries = 1,
	};
}

/* Is it the engine itself that answers?  "Server: Docker/20.10.24 (linux)" */
static void
note_server(struct docker *k, const struct reg_http_response *r)
{
	const char *server = reg_http_header(r, "server");

	k->is_docker = server != NULL && strncmp(server, "Docker/", 7) == 0;
}

/* A document of the engine: 1 and *ret (owned), 0 for a 404. */
static int
get(struct docker *k, const char *path, json_t **ret, struct stv_err **err)
{
	stv_auto_free char *url = stv_xasprintf("%s%s", k->host.url, path);
	stv_auto_buf text = STV_BUF_INIT(MAX_ANSWER);
	stv_auto(stv_sink) *sink = stv_sink_buf(&text, "docker's answer");
	struct reg_http_request q = request(k, url);
	reg_auto_response r = {0};

	q.sink = sink;
	if (reg_http_do(k->http, &q, &r, err) < 0)
		return fail_request(&r, err);
	if (r.status == 404)
		return 0;
	if (r.status != 200)
		return fail_answer(path, &r, err);
	note_server(k, &r);
	*ret = stv_json_parse(stv_buf_str(&text), text.len, path, err);
	return *ret == NULL ? -1 : 1;
}

/* "DriverStatus": [["driver-type","io.containerd.snapshotter.v1"]] */
static bool
has_snapshotter(const json_t *info)
{
	json_t *rows = json_object_get(info, "DriverStatus"), *row;
	size_t i;

	json_array_foreach (rows, i, row) {
		const char *value = json_string_value(json_array_get(row, 1));

		if (value != NULL &&
		    strncmp(value, "io.containerd.snapshotter", 25) == 0)
			return true;
	}
	return false;
}

static void
docker_close(struct bld_delivery *d)
{
	struct docker *k = d->engine;

	if (k == NULL)
		return;
	reg_http_close(k->http);
	bld_docker_host_fini(&k->host);
	free(k);
	d->engine = NULL;
}

static int
docker_open(struct bld_delivery *d, struct stv_err **err)
{
	struct reg_http_opts o = {.stall_s = SILENCE_S,
				  .is_cancelled = is_cancelled};
	struct docker *k = stv_xcalloc(1, sizeof(*k));
	struct bld_docker_env env;
	json_t *info = NULL;
	int r;

	d->engine = k;
	bld_docker_env_get(&env);
	if (bld_docker_host_find(&env, &k->host, err) < 0 ||
	    (k->host.socket != NULL &&
	     bld_socket_check(k->host.socket, "docker", err) < 0) ||
	    reg_http_open(&o, &k->http, err) < 0)
		return -1;
	r = get(k, "/info", &info, err);
	if (r == 1)
		k->has_snapshotter = has_snapshotter(info);
	json_decref(info);
	if (r == 0)
		stv_fail(err, STV_E_PROTOCOL, "what answers is no docker");
	return r == 1 ? 0 : -1;
}

/* 1: the image of that name, or that ID, is ours. */
static int
has_name(struct bld_delivery *d, const char *name, struct stv_err **err)
{
	stv_auto_free char *path = stv_xasprintf("/images/%s/json", name);
	char config[STV_DIGEST_STR_MAX], manifest[STV_DIGEST_STR_MAX];
	const char *id = NULL;
	json_t *v = NULL;
	int r = get(d->engine, path, &v, err);

	if (r == 1)
		r = stv_json_get_str(v, "", "Id", true, &id, err) < 0 ? -1 : 1;
	/* With containerd's image store the ID is the manifest's digest. */
	if (r == 1) {
		stv_digest_str(&d->manifest->config.digest, config);
		stv_digest_str(&d->digest, manifest);
		r = strcmp(id, config) == 0 || strcmp(id, manifest) == 0;
	}
	json_decref(v);
	return r;
}

static int
docker_has_image(struct bld_delivery *d, struct stv_err **err)
{
	const struct docker *k = d->engine;
	char id[STV_DIGEST_STR_MAX];
	int r = 1;

	for (size_t i = 0; r == 1 && i < d->names->len; i++)
		r = has_name(d, d->names->v[i], err);
	if (d->names->len > 0)
		return r;
	return has_name(d,
			stv_digest_str(k->has_snapshotter
					       ? &d->digest
					       : &d->manifest->config.digest,
				       id),
			err);
}

/* How many layers of ours an image begins with; "RootFS":{"Layers":[...]} */
static size_t
shared_layers(const struct bld_delivery *d, const json_t *image)
{
	const json_t *list =
		json_object_get(json_object_get(image, "RootFS"), "Layers");
	char text[STV_DIGEST_STR_MAX];
	size_t n = 0;

	for (; n < d->config->n_diff_ids; n++) {
		const char *layer = json_string_value(json_array_get(list, n));

		if (layer == NULL ||
		    strcmp(layer,
			   stv_digest_str(&d->config->diff_ids[n], text)) != 0)
			break;
	}
	return n;
}

/* What is shared with one of its images; one that vanishes shares nothing. */
static int
look_at(struct bld_delivery *d, const json_t *entry, size_t *n,
	struct stv_err **err)
{
	const char *id = json_string_value(json_object_get(entry, "Id"));
	stv_auto_free char *path = NULL;
	json_t *image = NULL;
	size_t shared = 0;
	int r;

	if (id == NULL)
		return 0;
	path = stv_xasprintf("/images/%s/json", id);
	r = get(d->engine, path, &image, err);
	if (r == 1)
		shared = shared_layers(d, image);
	json_decref(image);
	if (shared > *n)
		*n = shared;
	return r < 0 ? -1 : 0;
}

static int
docker_find_layers(struct bld_delivery *d, struct stv_err **err)
{
	const struct docker *k = d->engine;
	json_t *list = NULL, *entry;
	size_t i, n = 0;
	int r;

	if (!k->is_docker || k->has_snapshotter)
		return 0;
	r = get(d->engine, "/images/json", &list, err);
	if (r == 1)
		r = 0;
	json_array_foreach (list, i, entry) {
		if (r == 0 && n < d->config->n_diff_ids)
			r = look_at(d, entry, &n, err);
	}
	json_decref(list);
	memset(d->has, 1, n * sizeof(*d->has));
	return r;
}

/* POST an archive; what the engine says about it decides. */
static int
load(struct docker *k, struct stv_in *archive, struct stv_err **err)
{
	stv_auto_free char *url =
		stv_xasprintf("%s/images/load?quiet=0", k->host.url);
	STV_CLEANUP(stv_strs_clear) struct stv_strs headers = {0};
	struct reg_http_request q = request(k, url);
	struct bld_docker_stream said;
	reg_auto_response r = {0};
	int rc;

	bld_docker_stream_init(&said);
	stv_strs_add(&headers, "Content-Type: application/x-tar");
	q.method = "POST";
	q.headers = &headers;
	q.body = archive;
	q.body_size = REG_SIZE_UNKNOWN;
	q.sink = &said.sink;
	rc = reg_http_do(k->http, &q, &r, err);
	bld_docker_stream_end(&said);
	if (rc == 0 && r.status != 200)
		rc = fail_answer("POST /images/load", &r, err);
	else if (rc == 0 && said.failure != NULL)
		rc = stv_fail(err, STV_E_PROTOCOL,
			      "docker refuses the image: %s", said.failure);
	bld_docker_stream_fini(&said);
	return rc;
}

static int
docker_send(struct bld_delivery *d, struct stv_err **err)
{
	struct cas_save_image image = bld_deliver_archive(d);
	struct docker *k = d->engine;
	struct bld_archive_pipe *pipe = NULL;
	uint64_t sent = 0;
	int rc;

	if (bld_archive_pipe_open(d->o->store, &image,
				  k->has_snapshotter ? CAS_ARCHIVE_OCI
						     : CAS_ARCHIVE_DOCKER,
				  &pipe, err) < 0)
		return -1;
	rc = load(k, bld_archive_pipe_in(pipe), err);
	rc = bld_archive_pipe_end(pipe, rc, &sent, err);
	d->ret->sent += sent;
	return rc;
}

const struct bld_engine_way bld_docker_way = {
	.name = "docker",
	.open = docker_open,
	.has_image = docker_has_image,
	.find_layers = docker_find_layers,
	.send = docker_send,
	.close = docker_close,
};
