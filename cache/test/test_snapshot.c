/* cache/test/test_snapshot.c - one snapshot for all who want it. */
#include <sys/wait.h>

#include "cache/test/layer_fixture.h"

#include "core/codec.h"

#define NEEDS_ROOT                                                             \
	do {                                                                   \
		if (geteuid() != 0)                                            \
			cr_skip_test("needs root: owners and devices");        \
	} while (0)

/* A gzipped layer with many files, one of them with holes. */
static struct stv_digest
gzipped_layer(struct cas_store *s)
{
	struct stv_buf b = T_BUF;
	stv_auto_buf z = T_BUF;
	stv_auto_buf pax = T_BUF;
	struct stv_sink *end = stv_sink_buf(&z, "test");
	struct stv_sink *gz = stv_sink_gzip(end, true);
	struct stv_err *err = NULL;
	struct stv_digest id;
	char name[256];

	for (int i = 0; i < 300; i++) {
		(void)snprintf(name, sizeof(name), "d%d/f%d", i % 7, i);
		t_file(&b, name, name);
	}
	/* GNU's form 1.0: the map stands before the pieces. */
	t_rec(&pax, "GNU.sparse.major", "1");
	t_rec(&pax, "GNU.sparse.minor", "0");
	t_rec(&pax, "GNU.sparse.name", "holes");
	t_rec(&pax, "GNU.sparse.realsize", "100000");
	{
		char body[512 + 4] = "1\n50000\n4\n";

		memcpy(body + 512, "data", 4);
		t_entry(&b, (struct t_head){.name = "GNUSparseFile.0/holes",
					    .body = body,
					    .body_len = sizeof(body),
					    .pax = pax.data,
					    .pax_len = pax.len});
	}
	t_end(&b);
	ok(gz->write(gz, b.data, b.len, &err), err);
	ok(stv_codec_end(gz, &err), err);
	stv_sink_close(gz);
	stv_sink_close(end);
	cr_assert_eq(t_receive(s, &z, &id, name), -1, "%s", name);
	stv_buf_fini(&b);
	return id;
}

Test(snapshot, of_compressed_layers_with_holes)
{
	char *dir = scratch_dir(), bytes[16] = "";
	struct cas_store *s = scratch_open(dir);
	struct stv_digest id = gzipped_layer(s);
	struct stv_err *err = NULL;
	struct lay_view *v = NULL;
	stv_auto_buf text = T_BUF;
	uint64_t offset, size;
	int fd = -1;

	NEEDS_ROOT;
	ok(lay_view_open(s, &id, 1, &v, &err), err);
	ok(lay_view_read(v, "d3/f10", 100, &text, &err), err);
	cr_assert_str_eq(stv_buf_str(&text), "d3/f10");
	ok(lay_view_open_file(v, "holes", &fd, &offset, &size, &err), err);
	cr_assert_eq(size, 100000);
	cr_assert_eq(pread(fd, bytes, 6, (off_t)offset + 49999), 6);
	cr_assert_arr_eq(bytes, "\0data", 6);
	(void)close(fd);
	stv_buf_truncate(&text, 0);
	ok(lay_view_read(v, "holes", 100000, &text, &err), err);
	cr_assert_eq(text.len, 100000);
	cr_assert_arr_eq(text.data + 50000, "data", 4);
	ok(lay_view_open_file(v, "d6/f13", &fd, &offset, &size, &err), err);
	cr_assert_eq(pread(fd, bytes, 6, (off_t)offset), 6);
	cr_assert_arr_eq(bytes, "d6/f13", 6);
	(void)close(fd);
	lay_view_close(v);
	cas_store_close(s);
	scratch_end(dir);
}

/* Eight processes at once: all get the same one, complete. */
Test(snapshot, is_made_once)
{
	char *dir = scratch_dir();
	struct cas_store *s = scratch_open(dir);
	struct stv_digest id = gzipped_layer(s);
	pid_t pids[8];

	NEEDS_ROOT;
	cas_store_close(s);
	for (size_t i = 0; i < STV_ARRAY_LEN(pids); i++) {
		pids[i] = fork();
		if (pids[i] == 0) {
			struct cas_store_opts opts = {.is_sync = false};
			struct stv_err *err = NULL;
			char *name = NULL, *path;
			struct cas_store *own = NULL;

			(void)alarm(60);
			if (cas_store_open(dir, &opts, &own, &err) < 0 ||
			    lay_snapshot(own, &id, 1, &name, &err) < 0)
				_exit(1);
			path = stv_xasprintf("%s/%s/d5/f299", dir, name);
			if (access(path, F_OK) < 0)
				_exit(2);
			cas_store_close(own);
			_exit(0);
		}
	}
	for (size_t i = 0; i < STV_ARRAY_LEN(pids); i++) {
		int status = 0;

		cr_assert_eq(waitpid(pids[i], &status, 0), pids[i]);
		cr_expect_eq(status, 0, "process %zu: %d", i, status);
	}
	scratch_end(dir);
}

/* What cannot be unpacked leaves nothing. */
Test(snapshot, that_fails_is_not_there)
{
	char *dir = scratch_dir(), hex[STV_DIGEST_STR_MAX], *name = NULL;
	struct cas_store *s = scratch_open(dir);
	struct stv_buf b = T_BUF;
	struct stv_digest id;
	struct stv_err *err = NULL;
	char *path, *got;

	NEEDS_ROOT;
	t_file(&b, "a", "content");
	id = t_layer(s, &b);
	path = stv_xasprintf("%s/blobs/sha256/%s", dir,
			     stv_digest_hex(&id, hex));
	cr_assert_eq(truncate(path, 515), 0);
	cr_assert_eq(lay_snapshot(s, &id, 1, &name, &err), -1);
	cr_assert_eq(stv_err_code(err), STV_E_IO);
	stv_err_free(err);
	free(path);
	path = stv_xasprintf("%s/snapshots", dir);
	if (access(path, F_OK) == 0) {
		got = t_describe(path, 0);
		cr_assert_str_eq(got, "");
		free(got);
	}
	free(path);
	cas_store_close(s);
	scratch_end(dir);
}
