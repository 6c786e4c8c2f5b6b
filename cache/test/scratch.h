/*
 * cache/test/scratch.h - a store in a fresh directory, for the tests of the
 * store.  Every helper ends the test where it fails.
 */
#ifndef STAVE_CACHE_TEST_SCRATCH_H
#define STAVE_CACHE_TEST_SCRATCH_H

#include <criterion/criterion.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/digest.h"
#include "core/err.h"
#include "core/fsat.h"
#include "core/mem.h"
#include "core/strs.h"

#include "cache/blob.h"
#include "cache/meta.h"
#include "cache/store.h"

#define UNUSED_OK __attribute__((__unused__))

/* The process that Criterion started for this test. */
static UNUSED_OK pid_t scratch_pid;

static __attribute__((__constructor__)) void
scratch_note_pid(void)
{
	scratch_pid = getpid();
}

/*
 * Fail the test.  Criterion's process talks to its runner over a socket that a
 * forked child shares: a child must never assert, not even something true (it
 * hangs now and then), so it ends with a status instead.
 */
static UNUSED_OK void
scratch_fail(const struct stv_err *err)
{
	if (getpid() != scratch_pid)
		_exit(99);
	cr_assert_fail("%s",
		       err == NULL ? "?" : stv_err_msg(stv_err_root(err)));
}

/* ok(r, err): the call must have succeeded. */
#define ok(r, err)                                                             \
	do {                                                                   \
		if ((r) < 0)                                                   \
			scratch_fail(err);                                     \
	} while (0)

/* A new directory; remove it with scratch_end(). */
static UNUSED_OK char *
scratch_dir(void)
{
	const char *tmp = getenv("TMPDIR");
	char *dir = stv_xasprintf("%s/stave-test-XXXXXX",
				  tmp == NULL ? "/tmp" : tmp);

	cr_assert(mkdtemp(dir) != NULL);
	return dir;
}

static UNUSED_OK void
scratch_end(char *dir)
{
	struct stv_err *err = NULL;

	if (stv_fsat_remove_tree(AT_FDCWD, dir, &err) < 0)
		stv_err_clear(&err);
	free(dir);
}

static UNUSED_OK struct cas_store *
scratch_open(const char *dir)
{
	struct cas_store_opts opts = {.is_sync = false};
	struct cas_store *s = NULL;
	struct stv_err *err = NULL;

	ok(cas_store_open(dir, &opts, &s, &err), err);
	return s;
}

static UNUSED_OK struct stv_digest
scratch_blob(struct cas_store *s, const char *text)
{
	struct stv_err *err = NULL;
	struct stv_digest d;

	ok(cas_blob_put(s, text, strlen(text), &d, &err), err);
	return d;
}

/* An uncompressed layer whose "tar" is the text. */
static UNUSED_OK struct stv_digest
scratch_layer(struct cas_store *s, const char *text)
{
	struct stv_err *err = NULL;
	struct cas_layer l = {
		.blob_size = strlen(text),
		.tar_size = strlen(text),
		.media_type = "application/vnd.oci.image.layer.v1.tar",
	};

	l.diff_id = l.blob = scratch_blob(s, text);
	ok(cas_layer_put(s, &l, &err), err);
	return l.diff_id;
}

/*
 * An image of one layer (and what the manifest needs), named ${tag} unless it
 * is NULL.  Returns the manifest's digest.
 */
static UNUSED_OK struct stv_digest
scratch_image(struct cas_store *s, const char *layer, const char *tag)
{
	char d1[STV_DIGEST_STR_MAX], d2[STV_DIGEST_STR_MAX];
	struct stv_digest diff = scratch_layer(s, layer);
	struct cas_image img = {.size = strlen(layer)};
	struct stv_strs tags = {0};
	struct stv_err *err = NULL;
	char *config = stv_xasprintf(
		"{\"architecture\":\"amd64\",\"os\":\"linux\",\"config\":{},"
		"\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"%s\"]}}",
		stv_digest_str(&diff, d1));
	char *manifest;

	img.config = scratch_blob(s, config);
	manifest = stv_xasprintf(
		"{\"schemaVersion\":2,\"mediaType\":"
		"\"application/vnd.oci.image.manifest.v1+json\",\"config\":{"
		"\"mediaType\":\"application/vnd.oci.image.config.v1+json\","
		"\"digest\":\"%s\",\"size\":%zu},\"layers\":[{\"mediaType\":"
		"\"application/vnd.oci.image.layer.v1.tar\",\"digest\":\"%s\","
		"\"size\":%zu}]}",
		stv_digest_str(&img.config, d2), strlen(config), d1,
		strlen(layer));
	img.manifest = scratch_blob(s, manifest);
	if (tag != NULL)
		stv_strs_add(&tags, tag);
	ok(cas_image_put(s, &img, &diff, 1, &tags, &err), err);
	stv_strs_clear(&tags);
	free(config);
	free(manifest);
	return img.manifest;
}

/* How many names ${dir}/${sub} holds. */
static UNUSED_OK size_t
scratch_count(const char *dir, const char *sub)
{
	char *path = stv_xasprintf("%s/%s", dir, sub);
	DIR *d = opendir(path);
	struct dirent *de;
	size_t n = 0;

	free(path);
	if (d == NULL)
		return 0;
	while ((de = readdir(d)) != NULL)
		n += de->d_name[0] != '.';
	(void)closedir(d);
	return n;
}

/* A path below ${dir}, valid until the next call. */
static UNUSED_OK const char *
scratch_path(const char *dir, const char *sub)
{
	static char path[4096];

	(void)snprintf(path, sizeof(path), "%s/%s", dir, sub);
	return path;
}

#endif /* STAVE_CACHE_TEST_SCRATCH_H */
