/* builder/test/test_build_rig.c - see build_rig.h. */
#include <criterion/criterion.h>
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cache/toc.h"
#include "core/fsat.h"
#include "core/mem.h"
#include "core/source.h"
#include "core/stream.h"
#include "parser/parse.h"

#include "builder/sandbox/sandbox.h"
#include "builder/test/build_rig.h"

#define MAX_TEXT ((size_t)4 << 20)

static const char *
kind_name(enum stv_event_kind kind)
{
	static const char *const names[] = {
		[STV_EV_STEP_ADDED] = "added",
		[STV_EV_STEP_STARTED] = "started",
		[STV_EV_STEP_CACHED] = "cached",
		[STV_EV_STEP_OUTPUT] = "output",
		[STV_EV_STEP_PROGRESS] = "progress",
		[STV_EV_STEP_DONE] = "done",
		[STV_EV_STEP_FAILED] = "failed",
		[STV_EV_STEP_CANCELLED] = "cancelled",
		[STV_EV_WARNING] = "warning",
		[STV_EV_NOTE] = "note",
		[STV_EV_TRACE] = "trace",
	};

	return names[kind];
}

/* A line an event, and the signal that a test asked for. */
static void
on_event(struct stv_listener *self, const struct stv_event *ev)
{
	struct works *w = (struct works *)(void *)self;

	stv_buf_addf(&w->log, "%s %s", kind_name(ev->kind),
		     ev->name == NULL ? "" : ev->name);
	if (ev->text != NULL) {
		stv_buf_adds(&w->log, ": ");
		stv_buf_add(&w->log, ev->text,
			    ev->text_len > 0 ? ev->text_len : strlen(ev->text));
	}
	stv_buf_addc(&w->log, '\n');
	if (ev->kind == STV_EV_STEP_OUTPUT && w->kill_on != NULL &&
	    memmem(ev->text, ev->text_len, w->kill_on, strlen(w->kill_on)) !=
		    NULL)
		(void)kill(getpid(), SIGINT);
}

void
works_open(struct works *w)
{
	struct cas_store_opts opts = {.is_sync = false};
	stv_auto_free char *root = NULL;
	struct stv_err *err = NULL;

	*w = (struct works){0};
	w->listener.on_event = on_event;
	w->log = STV_BUF_INIT(MAX_TEXT);
	(void)umask(022);
	(void)snprintf(w->dir, sizeof(w->dir), "/var/tmp/stave-test-XXXXXX");
	cr_assert_not_null(mkdtemp(w->dir));
	root = stv_xasprintf("%s/store", w->dir);
	w->context = stv_xasprintf("%s/ctx", w->dir);
	cr_assert_eq(mkdir(w->context, 0755), 0);
	cr_assert_eq(cas_store_open(root, &opts, &w->store, &err), 0);
	cr_assert_eq(cas_lease_take(w->store, &w->lease, &err), 0);
	w->o = (struct bld_opts){
		.store = w->store,
		.listener = &w->listener,
		.diags = &w->diags,
		.file_name = "Dockerfile",
		.context_path = w->context,
		.targets = &w->target,
		.n_targets = 1,
		.net = SBX_NET_HOST,
	};
}

static void
take_busybox(struct works *w)
{
	stv_auto_fd in = open("/bin/busybox", O_RDONLY | O_CLOEXEC);
	stv_auto_free char *path = stv_xasprintf("%s/busybox", w->context);
	stv_auto_fd out =
		open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);
	char buf[65536];
	ssize_t n;

	cr_assert(in >= 0 && out >= 0);
	while ((n = read(in, buf, sizeof(buf))) > 0)
		cr_assert_eq(stv_write_all(out, buf, (size_t)n), 0);
}

void
works_open_shell(struct works *w)
{
	char *why_not = NULL;
	bool can_run;

	if (geteuid() != 0)
		cr_skip_test("a RUN needs root");
	if (access("/bin/busybox", X_OK) != 0)
		cr_skip_test("no busybox here (Debian: busybox-static)");
	works_open(w);
	can_run = sbx_probe_root(cas_store_rootfd(w->store), &why_not);
	if (!can_run) {
		(void)fprintf(stderr, "%s\n", why_not);
		free(why_not);
		works_close(w);
		cr_skip_test("rung R1 cannot run here");
	}
	take_busybox(w);
}

static void
forget(struct works *w)
{
	bld_result_fini(&w->result);
	df_file_free(w->file);
	w->file = NULL;
	stv_diags_fini(&w->diags);
	stv_sources_free(w->sources);
	w->sources = NULL;
	stv_err_clear(&w->err);
	stv_buf_truncate(&w->log, 0);
	free(w->output);
	w->output = NULL;
}

/* What processes keep in tmp/<number>/ must be gone after each build. */
static size_t
leftovers(struct works *w)
{
	stv_auto_free char *tmp = stv_xasprintf("%s/store/tmp", w->dir);
	DIR *d = opendir(tmp);
	struct dirent *e;
	size_t n = 0;

	cr_assert_not_null(d);
	while ((e = readdir(d)) != NULL) {
		stv_auto_free char *path =
			stv_xasprintf("%s/%s", tmp, e->d_name);
		DIR *sub = e->d_name[0] == '.' ? NULL : opendir(path);
		struct dirent *f;

		while (sub != NULL && (f = readdir(sub)) != NULL)
			n += f->d_type == DT_DIR && f->d_name[0] != '.';
		if (sub != NULL)
			(void)closedir(sub);
	}
	(void)closedir(d);
	return n;
}

void
works_close(struct works *w)
{
	struct stv_err *err = NULL;

	forget(w);
	cr_expect_eq(leftovers(w), 0, "directories are left in tmp/");
	stv_strs_clear(&w->o.build_args);
	stv_strs_clear(&w->target.tags);
	stv_strs_clear(&w->o.add_hosts);
	stv_strs_clear(&w->o.no_cache_filters);
	stv_pairs_clear(&w->o.labels);
	stv_platform_fini(&w->o.platform);
	cas_lease_drop(w->lease);
	cas_store_close(w->store);
	stv_buf_fini(&w->log);
	free(w->context);
	cr_expect_eq(stv_fsat_remove_tree(AT_FDCWD, w->dir, &err), 0);
}

void
works_file(struct works *w, const char *name, const char *text)
{
	stv_auto_free char *path = stv_xasprintf("%s/%s", w->context, name);
	stv_auto_fd fd =
		open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	cr_assert_geq(fd, 0, "%s", path);
	cr_assert_eq(stv_write_all(fd, text, strlen(text)), 0);
}

void
works_build(struct works *w, const char *text)
{
	uint32_t no;

	forget(w);
	w->sources = stv_sources_new();
	w->o.sources = w->sources;
	cr_assert_eq(stv_sources_add(w->sources, "Dockerfile", text,
				     strlen(text), &no, &w->err),
		     0);
	if (w->o.ignore_name != NULL) {
		const char *ignore = w->o.ignore_name;

		cr_assert_eq(stv_sources_add(w->sources, ".dockerignore",
					     ignore, strlen(ignore),
					     &w->o.ignore_file, &w->err),
			     0);
	}
	cr_assert_eq(df_parse(w->sources, no, &w->file, &w->diags, &w->err), 0,
		     "%s", w->diags.len > 0 ? w->diags.v[0].msg : "no syntax");
	w->o.file = w->file;
	w->rc = bld_build(&w->o, &w->result, &w->err);
}

void
works_ok(struct works *w, const char *text)
{
	works_build(w, text);
	cr_assert_eq(w->rc, 0, "%s: %s\n%s", text,
		     w->err == NULL ? "?" : stv_err_msg(stv_err_root(w->err)),
		     stv_buf_str(&w->log));
}

void
works_fails(struct works *w, const char *text, enum stv_code code,
	    const char *part)
{
	bool says = false;

	works_build(w, text);
	cr_assert_eq(w->rc, -1, "'%s' builds", text);
	cr_assert_not_null(w->err);
	for (const struct stv_err *e = w->err; e != NULL; e = stv_err_cause(e))
		says |= strstr(stv_err_msg(e), part) != NULL;
	cr_expect_eq(stv_err_code(w->err), code, "'%s': %s, code %d", text,
		     stv_err_msg(w->err), (int)stv_err_code(w->err));
	cr_expect(says, "'%s' says '%s', not '%s'", text,
		  stv_err_msg(stv_err_root(w->err)), part);
	cr_expect_null(w->result.config);
}

char *
works_content(struct works *w, const char *path)
{
	stv_auto(lay_view) *view = NULL;
	stv_auto_buf text = STV_BUF_INIT(MAX_TEXT);
	struct stv_err *err = NULL;

	cr_assert_eq(lay_view_open(w->store, w->result.diff_ids,
				   w->result.n_diff_ids, &view, &err),
		     0);
	if (lay_view_read(view, path, MAX_TEXT, &text, &err) < 0) {
		stv_err_free(err);
		return NULL;
	}
	return stv_buf_take(&text);
}

void
works_expect(struct works *w, const char *path, const char *text)
{
	stv_auto_free char *have = works_content(w, path);

	cr_expect(have != NULL && strcmp(have, text) == 0,
		  "%s is '%s' and not '%s'", path, have == NULL ? "-" : have,
		  text);
}

/* A file without a name that holds ${text}, read from its start. */
static int
memory_file(const char *text)
{
	int fd = memfd_create("text", MFD_CLOEXEC);

	cr_assert_geq(fd, 0);
	cr_assert_eq(stv_write_all(fd, text, strlen(text)), 0);
	cr_assert_eq(lseek(fd, 0, SEEK_SET), 0);
	return fd;
}

void
works_run(struct works *w, struct bld_run_opts *o, const char *input)
{
	stv_auto_buf text = STV_BUF_INIT(MAX_TEXT);
	stv_auto_fd out = memory_file("");
	stv_auto_fd in = memory_file(input == NULL ? "" : input);
	int saved[3];
	char buf[4096];
	ssize_t n;

	stv_err_clear(&w->err);
	free(w->output);
	w->status = -1;
	o->store = w->store;
	o->image = w->result.image;
	(void)fflush(NULL);
	for (int i = 0; i < 3; i++) {
		saved[i] = fcntl(i, F_DUPFD_CLOEXEC, 10);
		(void)dup2(i == 0 ? in : out, i);
	}
	w->rc = bld_run(o, &w->status, &w->err);
	for (int i = 0; i < 3; i++) {
		(void)dup2(saved[i], i);
		(void)close(saved[i]);
	}
	for (off_t at = 0; (n = pread(out, buf, sizeof(buf), at)) > 0; at += n)
		stv_buf_add(&text, buf, (size_t)n);
	w->output = stv_buf_take(&text);
}
