/*
 * builder/deliver_podman.c - into podman's storage, by "podman pull" of a
 * directory.
 *
 * The store's own blobs are the layout that podman reads ("oci:DIR"), so what
 * its storage lacks is read once and nothing else; "podman load" would copy
 * the whole archive first.  podman 4 makes a name of the directory's path for
 * what it pulls so (localhost/proc/self/cwd: /proc/self/cwd is a name that any
 * path has); podman 5 makes none.  The image gets its own names afterwards, by
 * its ID, and loses that one.
 */
#include <stdlib.h>
#include <string.h>

#include "core/buf.h"
#include "core/cleanup.h"
#include "core/err.h"
#include "core/fsat.h"
#include "core/json.h"
#include "core/limits.h"
#include "core/mem.h"
#include "core/proc.h"

#include "cache/store.h"

#include "builder/deliver_internal.h"

#define VIEW "oci:/proc/self/cwd"
#define VIEW_NAME "localhost/proc/self/cwd:latest"

static bool
is_set(const char *name)
{
	const char *value = getenv(name);

	return value != NULL && *value != '\0';
}

/* With these podman is a client of a machine that does not see our files. */
static int
podman_open(struct bld_delivery *d, struct stv_err **err)
{
	stv_auto_free char *path = NULL;

	(void)d;
	if (is_set("CONTAINER_HOST") || is_set("CONTAINER_CONNECTION")) {
		stv_fail(err, STV_E_PRIVILEGE,
			 "podman is told by CONTAINER_HOST or "
			 "CONTAINER_CONNECTION to work elsewhere");
		stv_err_hint(*err, "Unset it, or write: stave save IMAGE | "
				   "podman load.");
		return -1;
	}
	if (stv_proc_find("podman", &path, err) == 0)
		return 0;
	stv_err_set_code(*err, STV_E_PRIVILEGE);
	stv_err_hint(*err, "Install podman.");
	return -1;
}

static void
podman_close(struct bld_delivery *d)
{
	(void)d;
}

/* podman with these words: 1 if it succeeded, 0 if not, -1. */
static int
run(struct stv_strs *argv, struct stv_buf *ret, struct stv_err **err)
{
	struct stv_proc_result r = {0};
	int rc;

	if (bld_deliver_run(argv, -1, 0, &r, err) < 0)
		return -1;
	rc = r.status == 0;
	if (rc == 1)
		*ret = r.output;
	else
		stv_buf_fini(&r.output);
	stv_buf_fini(&r.errors);
	return rc;
}

/* The same, but its failure is one of ours. */
static int
run_or_fail(struct stv_strs *argv, int dirfd, struct stv_err **err)
{
	struct stv_proc_result r = {0};
	int rc;

	if (bld_deliver_run(argv, dirfd, 0, &r, err) < 0)
		return -1;
	rc = r.status == 0 ? 0 : bld_deliver_failed(argv, &r, err);
	stv_proc_result_fini(&r);
	return rc;
}

static void
add_words(struct stv_strs *argv, const char *const *words, size_t n)
{
	for (size_t i = 0; i < n; i++)
		stv_strs_add(argv, words[i]);
}

/* Do ${n} lines, and only they, have the digits of ${want}? */
static bool
are_all(const char *lines, const struct stv_digest *want, size_t n)
{
	char hex[STV_DIGEST_STR_MAX];
	size_t found = 0;

	stv_digest_hex(want, hex);
	for (; *lines != '\0'; found++) {
		const char *line = lines;
		size_t len = strcspn(line, "\n");

		lines += len + (line[len] == '\n');
		if (strncmp(line, "sha256:", 7) == 0) {
			line += 7;
			len -= 7;
		}
		if (len != strlen(hex) || memcmp(line, hex, len) != 0)
			return false;
	}
	return found == n;
}

/* What podman does not know is an error of its own, and here an answer. */
static int
podman_has_image(struct bld_delivery *d, struct stv_err **err)
{
	static const char *const words[] = {"podman", "image", "inspect",
					    "--format", "{{.Id}}"};
	STV_CLEANUP(stv_strs_clear) struct stv_strs argv = {0};
	stv_auto_buf out = STV_BUF_INIT(0);
	const struct stv_digest *id = &d->manifest->config.digest;
	char hex[STV_DIGEST_STR_MAX];
	int rc;

	add_words(&argv, words, STV_ARRAY_LEN(words));
	stv_strs_copy(&argv, d->names);
	if (d->names->len == 0)
		stv_strs_add(&argv, stv_digest_hex(id, hex));
	rc = run(&argv, &out, err);
	if (rc != 1)
		return rc;
	return are_all(stv_buf_str(&out), id,
		       d->names->len > 0 ? d->names->len : 1);
}

static void
take_layer(struct bld_delivery *d, const char *diff_id)
{
	char text[STV_DIGEST_STR_MAX];

	for (size_t i = 0; i < d->config->n_diff_ids; i++)
		if (strcmp(stv_digest_str(&d->config->diff_ids[i], text),
			   diff_id) == 0)
			d->has[i] = true;
}

/* Lines of "{{json .RootFS.Layers}}": an array of diff IDs each. */
static void
take_lists(struct bld_delivery *d, const char *lines)
{
	while (*lines != '\0') {
		size_t n = strcspn(lines, "\n");
		json_t *list = json_loadb(lines, n, 0, NULL), *layer;
		size_t i;

		json_array_foreach (list, i, layer)
			if (json_is_string(layer))
				take_layer(d, json_string_value(layer));
		json_decref(list);
		lines += n + (lines[n] == '\n');
	}
}

static void
add_lines(struct stv_strs *argv, const char *lines)
{
	while (*lines != '\0') {
		size_t n = strcspn(lines, "\n");

		if (n > 0)
			stv_strs_add_n(argv, lines, n);
		lines += n + (lines[n] == '\n');
	}
}

/*
 * podman itself leaves out the layers that its storage has, whatever stands
 * here: this only says which they are.
 */
static int
podman_find_layers(struct bld_delivery *d, struct stv_err **err)
{
	static const char *const list[] = {"podman", "images", "-a", "-q",
					   "--no-trunc"};
	static const char *const inspect[] = {"podman", "image", "inspect",
					      "--format",
					      "{{json .RootFS.Layers}}"};
	STV_CLEANUP(stv_strs_clear) struct stv_strs argv = {0};
	STV_CLEANUP(stv_strs_clear) struct stv_strs more = {0};
	stv_auto_buf ids = STV_BUF_INIT(0), layers = STV_BUF_INIT(0);
	int rc;

	add_words(&argv, list, STV_ARRAY_LEN(list));
	rc = run(&argv, &ids, err);
	if (rc != 1 || ids.len == 0)
		return rc < 0 ? -1 : 0;
	add_words(&more, inspect, STV_ARRAY_LEN(inspect));
	add_lines(&more, stv_buf_str(&ids));
	rc = run(&more, &layers, err);
	if (rc == 1)
		take_lists(d, stv_buf_str(&layers));
	return rc < 0 ? -1 : 0;
}

static void
count(struct bld_delivery *d)
{
	d->ret->sent += d->manifest->config.size;
	for (size_t i = 0; i < d->manifest->n_layers; i++)
		if (!d->has[i])
			d->ret->sent += d->manifest->layers[i].size;
}

static int
pull(int dirfd, struct stv_err **err)
{
	static const char *const words[] = {"podman", "pull", "-q", VIEW};
	STV_CLEANUP(stv_strs_clear) struct stv_strs argv = {0};

	add_words(&argv, words, STV_ARRAY_LEN(words));
	return run_or_fail(&argv, dirfd, err);
}

/* Its own names for the one that podman may have made. */
static int
set_names(struct bld_delivery *d, struct stv_err **err)
{
	static const char *const tag[] = {"podman", "tag"};
	static const char *const untag[] = {"podman", "untag"};
	STV_CLEANUP(stv_strs_clear) struct stv_strs argv = {0};
	STV_CLEANUP(stv_strs_clear) struct stv_strs made = {0};
	stv_auto_buf ignored = STV_BUF_INIT(0);
	char id[STV_DIGEST_STR_MAX];

	stv_digest_hex(&d->manifest->config.digest, id);
	add_words(&argv, tag, STV_ARRAY_LEN(tag));
	stv_strs_add(&argv, id);
	stv_strs_copy(&argv, d->names);
	if (d->names->len > 0 && run_or_fail(&argv, -1, err) < 0)
		return -1;
	/* It fails where there is no such name. */
	add_words(&made, untag, STV_ARRAY_LEN(untag));
	stv_strs_add(&made, id);
	stv_strs_add(&made, VIEW_NAME);
	return run(&made, &ignored, err) < 0 ? -1 : 0;
}

static int
podman_send(struct bld_delivery *d, struct stv_err **err)
{
	struct cas_save_image image = bld_deliver_archive(d);
	struct cas_store *store = d->o->store;
	struct stv_err *ignored = NULL;
	stv_auto_free char *view = NULL;
	stv_auto_fd fd = -1;
	int rc;

	/* One entry: podman does not choose. */
	image.names = (struct stv_strs){0};
	if (cas_save_view(store, &image, 1, &view, &fd, err) < 0)
		return -1;
	rc = pull(fd, err);
	(void)stv_fsat_remove_tree(cas_store_rootfd(store), view, &ignored);
	stv_err_free(ignored);
	if (rc == 0)
		rc = set_names(d, err);
	if (rc == 0)
		count(d);
	return rc;
}

const struct bld_engine_way bld_podman_way = {
	.name = "podman",
	.open = podman_open,
	.has_image = podman_has_image,
	.find_layers = podman_find_layers,
	.send = podman_send,
	.close = podman_close,
};
