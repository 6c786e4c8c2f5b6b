/* builder/remote.c - a build context that is no directory of this machine. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cache/layer.h"
#include "cache/store.h"
#include "core/buf.h"
#include "core/cancel.h"
#include "core/codec.h"
#include "core/err.h"
#include "core/fsat.h"
#include "core/limits.h"
#include "core/mem.h"
#include "core/stream.h"
#include "core/tarcheck.h"
#include "registry/http.h"

#include "builder/add.h"
#include "builder/context.h"
#include "builder/git.h"
#include "builder/remote.h"

/* What decides whether it is an archive: one block of a tar. */
#define HEAD 512
/* BuildKit's name for what a URL gave. */
#define DOWNLOADED "context"

enum bld_place
bld_place_of(const char *text)
{
	bld_auto_git_ref ref = {0};
	struct stv_err *err = NULL;
	struct stat st;
	int rc;

	if (strcmp(text, "-") == 0)
		return BLD_PLACE_STDIN;
	if (fstatat(AT_FDCWD, text, &st, 0) == 0)
		return S_ISDIR(st.st_mode) ? BLD_PLACE_DIR : BLD_PLACE_FILE;
	rc = bld_git_ref_parse(text, &ref, &err);
	/* What is wrong with it is said when it is fetched. */
	stv_err_clear(&err);
	if (rc != 0)
		return BLD_PLACE_GIT;
	return reg_http_is_url(text) ? BLD_PLACE_HTTP : BLD_PLACE_DIR;
}

static bool
is_archive(const void *head, size_t n)
{
	return stv_codec_detect(head, n) != STV_CODEC_NONE ||
	       (n == HEAD && stv_tar_is_header(head));
}

/* An empty directory for it. */
static int
make_dir(struct bld_remote *r, struct stv_err **err)
{
	return cas_store_tmpdir(r->store, &r->tmp, &r->fd, err);
}

static int
unpack(struct bld_remote *r, struct stv_in *in, struct stv_err **err)
{
	r->has_owners = true;
	if (lay_extract(r->store, in, r->fd, err) < 0)
		return stv_wrap(err, "unpacking the build context '%s'",
				r->shown);
	return 0;
}

/* --- standard input ---------------------------------------------------- */

static int
keep_text(struct bld_remote *r, struct stv_in *in, struct stv_err **err)
{
	stv_auto_buf text = STV_BUF_INIT(STV_MAX_SOURCE);
	stv_auto(stv_sink) *sink =
		stv_sink_buf(&text, "the Dockerfile on standard input");

	if (stv_copy(in, sink, NULL, err) < 0)
		return -1;
	r->is_text = true;
	r->text_len = text.len;
	r->text = stv_buf_take(&text);
	return 0;
}

static int
open_stdin(const struct bld_remote_opts *o, struct bld_remote *r,
	   struct stv_err **err)
{
	stv_auto(stv_in) *in = stv_in_fd(o->stdin_fd);
	stv_auto(stv_in) *all = NULL;
	char head[HEAD];
	int64_t n = stv_in_read_full(in, head, sizeof(head), err);

	if (n < 0)
		return stv_wrap(err, "reading standard input");
	all = stv_in_after(head, (size_t)n, in);
	return is_archive(head, (size_t)n) ? unpack(r, all, err)
					   : keep_text(r, all, err);
}

/* --- a file of ours ---------------------------------------------------- */

static int
open_file(const struct bld_remote_opts *o, struct bld_remote *r,
	  struct stv_err **err)
{
	stv_auto_fd fd =
		openat(AT_FDCWD, o->text, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	stv_auto(stv_in) *in = NULL;
	char head[HEAD];
	struct stat st;
	int64_t n;

	if (fd < 0 || fstat(fd, &st) < 0)
		return stv_fail_errno_as(err, STV_E_INPUT, errno,
					 "cannot use %s as build context",
					 o->text);
	n = S_ISREG(st.st_mode) ? stv_pread_all(fd, head, sizeof(head), 0) : 0;
	if (n < 0)
		return stv_fail_errno_as(err, STV_E_INPUT, errno,
					 "cannot read %s", o->text);
	if (!is_archive(head, (size_t)n)) {
		stv_fail(err, STV_E_INPUT,
			 "the build context %s is not a directory", o->text);
		stv_err_hint(*err,
			     "Name the directory, and the Dockerfile with "
			     "--file.  A file may only be an archive.");
		return -1;
	}
	in = stv_in_fd(fd);
	return unpack(r, in, err);
}

/* --- a URL ------------------------------------------------------------- */

static bool
is_cancelled(void *arg)
{
	(void)arg;
	return stv_is_cancelled();
}

/* What is no archive is one file, and perhaps a Dockerfile. */
static int
put_file(struct bld_remote *r, const struct bld_fetched *f, struct stv_in *in,
	 struct stv_err **err)
{
	stv_auto_fd fd = openat(r->fd, DOWNLOADED,
				O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	stv_auto(stv_sink) *sink = NULL;
	struct timespec ts[2] = {{.tv_nsec = UTIME_OMIT},
				 {.tv_sec = f->mtime_s}};

	if (fd < 0)
		return stv_fail_errno(err, errno, "cannot make a file");
	sink = stv_sink_fd(fd);
	if (stv_copy(in, sink, NULL, err) < 0)
		return -1;
	if (f->has_mtime && futimens(fd, ts) < 0)
		return stv_fail_errno(err, errno, "cannot set a file's time");
	r->dockerfile = DOWNLOADED;
	return 0;
}

static int
take_fetched(struct bld_remote *r, const struct bld_fetched *f,
	     struct stv_err **err)
{
	stv_auto(stv_in) *in = stv_in_fd_range(f->fd, 0, f->size);
	char head[HEAD];
	int64_t n = stv_pread_all(f->fd, head, sizeof(head), 0);

	r->has_time = f->has_mtime;
	r->time_s = f->mtime_s;
	if (n < 0)
		return stv_fail_errno(err, errno, "cannot read a download");
	return is_archive(head, (size_t)n) ? unpack(r, in, err)
					   : put_file(r, f, in, err);
}

static int
open_http(const struct bld_remote_opts *o, struct bld_remote *r,
	  struct stv_err **err)
{
	const struct reg_http_opts opts = {.is_cancelled = is_cancelled};
	stv_auto(reg_http) *http = NULL;
	struct bld_fetched f = {.fd = -1};
	int rc;

	if (reg_http_open(&opts, &http, err) < 0 ||
	    bld_add_fetch(o->store, http, o->text, &f, err) < 0)
		return stv_wrap(err, "fetching the build context");
	rc = take_fetched(r, &f, err);
	stv_close_p(&f.fd);
	free(f.name);
	return rc;
}

/* --- a repository ------------------------------------------------------ */

static int
open_git(const struct bld_remote_opts *o, struct bld_remote *r,
	 struct stv_err **err)
{
	bld_auto_git_ref ref = {0};
	bld_auto_git_commit commit = {.ref = NULL};
	struct bld_git_tree t = {.fd = -1};
	bool keep = o->keep_git_dir;

	if (bld_git_ref_parse(o->text, &ref, err) < 0)
		return -1;
	keep = keep || ref.keep_git_dir;
	if (bld_git_resolve(&ref, &commit, err) < 0 ||
	    bld_git_checkout(o->store, &ref, &commit, keep, &t, err) < 0)
		return -1;
	r->tmp = t.tmp;
	r->fd = t.fd;
	r->hides_git = !keep;
	r->has_mtime = ref.is_mtime_commit;
	r->has_time = true;
	r->time_s = t.time_s;
	return 0;
}

/* ----------------------------------------------------------------------- */

static char *
shown(const char *text)
{
	bld_auto_git_ref ref = {0};
	struct stv_err *err = NULL;
	char *ret;

	if (bld_git_ref_parse(text, &ref, &err) == 1)
		return stv_xstrdup(ref.shown);
	stv_err_clear(&err);
	ret = reg_http_redact(text);
	return ret;
}

int
bld_remote_open(const struct bld_remote_opts *o, struct bld_remote *ret,
		struct stv_err **err)
{
	struct bld_remote r = {
		.store = o->store,
		.fd = -1,
		.dockerfile = "Dockerfile",
	};
	enum bld_place place = bld_place_of(o->text);
	int rc = 0;

	r.place = place;
	r.shown = shown(o->text);
	if (place != BLD_PLACE_GIT)
		rc = make_dir(&r, err);
	if (rc == 0) {
		switch (place) {
		case BLD_PLACE_STDIN:
			rc = open_stdin(o, &r, err);
			break;
		case BLD_PLACE_FILE:
			rc = open_file(o, &r, err);
			break;
		case BLD_PLACE_HTTP:
			rc = open_http(o, &r, err);
			break;
		case BLD_PLACE_GIT:
			rc = open_git(o, &r, err);
			break;
		case BLD_PLACE_DIR:
			rc = stv_fail(err, STV_E_INPUT,
				      "cannot use %s as build context",
				      o->text);
			break;
		}
	}
	if (rc < 0)
		bld_remote_close(&r);
	else
		*ret = r;
	return rc;
}

void
bld_remote_close(struct bld_remote *r)
{
	struct bld_git_tree t = {.tmp = r->tmp, .fd = r->fd};

	if (r->store != NULL)
		bld_git_tree_fini(r->store, &t);
	free(r->shown);
	free(r->text);
	*r = (struct bld_remote){.fd = -1};
}

int
bld_remote_context(const struct bld_remote *r,
		   const struct bld_context_opts *opts,
		   struct bld_context **ret, struct stv_err **err)
{
	struct bld_context_opts o = *opts;

	o.store = NULL;
	o.has_owners = r->has_owners;
	o.hides_git = r->hides_git;
	o.has_mtime = r->has_mtime;
	o.mtime_s = r->time_s;
	return bld_context_open_fd(fcntl(r->fd, F_DUPFD_CLOEXEC, 3), r->shown,
				   &o, ret, err);
}
