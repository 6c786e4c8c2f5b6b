/* builder/named.c - named contexts: what --build-context puts in the place of
 * a stage's or an image's name. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cache/archive_load.h"
#include "core/buf.h"
#include "core/digest.h"
#include "core/err.h"
#include "core/fsat.h"
#include "core/limits.h"
#include "core/mem.h"
#include "core/source.h"
#include "parser/ignore.h"
#include "registry/http.h"
#include "registry/ref.h"

#include "builder/build_internal.h"
#include "builder/context.h"
#include "builder/remote.h"

struct bld_named {
	char *name;	  /* familiar form, without ":latest" */
	char *platform;	  /* what stood behind "::", or NULL: any */
	const char *from; /* borrowed from the options */
	char *shown;	  /* the same without credentials */
	bool is_busy;	  /* somebody fetches it */
	bool is_layout;	  /* then: */
	char *path;	  /* of the layout */
	char *tag;	  /* in it */
	bool has_digest;
	struct stv_digest digest;
	struct bld_remote remote;
	struct bld_context *context;
	struct df_ignore *ignore;
};

static const char image_scheme[] = "docker-image://";
static const char layout_scheme[] = "oci-layout://";

/* The form in which names are compared. */
static int
normal_name(const char *text, char **ret, struct stv_err **err)
{
	reg_auto_ref ref = {0};
	char *tag;

	if (reg_ref_parse(text, &ref, err) < 0)
		return -1;
	*ret = reg_ref_familiar(&ref);
	tag = strrchr(*ret, ':');
	if (tag != NULL && strcmp(tag, ":" REG_DEFAULT_TAG) == 0)
		*tag = '\0';
	return 0;
}

/* PATH[:TAG][@DIGEST] of an OCI layout. */
static int
take_layout(struct bld_named *n, const char *text, struct stv_err **err)
{
	size_t whole = strcspn(text, "@"), path = strcspn(text, "@:");

	n->is_layout = true;
	n->path = stv_xstrndup(text, path);
	n->tag = text[path] == ':'
			 ? stv_xstrndup(text + path + 1, whole - path - 1)
			 : stv_xstrdup(REG_DEFAULT_TAG);
	n->has_digest = text[whole] == '@';
	if (n->has_digest &&
	    stv_digest_parse(text + whole + 1, &n->digest, err) < 0)
		return -1;
	return 0;
}

/* What can be known to be wrong is said, whether it is used or not. */
static int
check_source(struct bld_named *n, struct stv_err **err)
{
	struct stat st;

	if (strncmp(n->from, layout_scheme, strlen(layout_scheme)) == 0)
		return take_layout(n, n->from + strlen(layout_scheme), err);
	if (strncmp(n->from, "target:", 7) == 0)
		return stv_fail(err, STV_E_USAGE,
				"'target:' is for several builds at once, "
				"which there are not here");
	if (strcmp(n->from, "-") == 0)
		return stv_fail(err, STV_E_USAGE,
				"it cannot come from standard input");
	if (strncmp(n->from, image_scheme, strlen(image_scheme)) == 0 ||
	    bld_place_of(n->from) != BLD_PLACE_DIR)
		return 0;
	if (fstatat(AT_FDCWD, n->from, &st, 0) < 0)
		return stv_fail_errno_as(err, STV_E_INPUT, errno,
					 "cannot use '%s'", n->from);
	return 0;
}

static int
add_named(struct bld_build *b, const struct stv_pair *p, struct stv_err **err)
{
	struct bld_named *n = stv_xcalloc(1, sizeof(*n));
	const char *colons = strstr(p->name, "::");
	stv_auto_free char *name =
		colons == NULL
			? stv_xstrdup(p->name)
			: stv_xstrndup(p->name, (size_t)(colons - p->name));

	*stv_vec_push(&b->named) = n;
	n->from = p->value;
	if (colons != NULL) {
		struct stv_platform platform = {0};

		if (stv_platform_parse(colons + 2, &platform, err) < 0)
			return stv_wrap(err, "the named context '%s'", p->name);
		n->platform = stv_platform_str(&platform);
		stv_platform_fini(&platform);
	}
	if (normal_name(name, &n->name, err) < 0)
		return stv_wrap(err, "'%s' cannot name a context", p->name);
	n->shown = reg_http_redact(n->from);
	if (check_source(n, err) < 0)
		return stv_wrap(err, "the named context '%s'", p->name);
	return 0;
}

int
bld_named_init(struct bld_build *b, struct stv_err **err)
{
	for (size_t i = 0; i < b->o->contexts.len; i++)
		if (add_named(b, &b->o->contexts.v[i], err) < 0)
			return -1;
	return 0;
}

void
bld_named_fini(struct bld_build *b)
{
	for (size_t i = 0; i < b->named.len; i++) {
		struct bld_named *n = b->named.v[i];

		bld_context_close(n->context);
		df_ignore_free(n->ignore);
		if (n->remote.store != NULL)
			bld_remote_close(&n->remote);
		free(n->name);
		free(n->platform);
		free(n->shown);
		free(n->path);
		free(n->tag);
		free(n);
	}
	stv_vec_fini(&b->named);
}

void
bld_named_keep(struct bld_build *b)
{
	for (size_t i = 0; i < b->named.len; i++)
		bld_keep_index(b, b->named.v[i]->context);
}

/* The one for this platform comes before the one for any. */
static struct bld_named *
find(const struct bld_build *b, const char *name, const char *platform)
{
	struct bld_named *any = NULL;

	for (size_t i = 0; i < b->named.len; i++) {
		struct bld_named *n = b->named.v[i];

		if (strcmp(n->name, name) != 0)
			continue;
		if (n->platform == NULL)
			any = n;
		else if (strcmp(n->platform, platform) == 0)
			return n;
	}
	return any;
}

/* What a look-up gives: an image where the source names one, else files. */
static void
origin_of(struct bld_named *n, struct bld_origin *ret)
{
	size_t len = strlen(image_scheme);

	if (n->is_layout)
		*ret = (struct bld_origin){.kind = BLD_BASE_IMAGE,
					   .reference = stv_xstrdup(n->shown),
					   .named = n};
	else if (strncmp(n->from, image_scheme, len) != 0)
		*ret = (struct bld_origin){.kind = BLD_BASE_CONTEXT,
					   .named = n};
	else if (strcmp(n->from + len, "scratch") == 0)
		*ret = (struct bld_origin){.kind = BLD_BASE_SCRATCH};
	else
		*ret = (struct bld_origin){
			.kind = BLD_BASE_IMAGE,
			.reference = stv_xstrdup(n->from + len),
		};
}

int
bld_named_find(struct bld_build *b, const char *name,
	       const struct stv_platform *platform, struct bld_origin *ret,
	       struct stv_err **err)
{
	stv_auto_free char *normal = NULL, *want = NULL;
	struct stv_platform host = {0};
	struct bld_named *n;
	struct stv_err *ignored = NULL;

	(void)err;
	if (b->named.len == 0)
		return 0;
	if (normal_name(name, &normal, &ignored) < 0) {
		/* Whoever asks says what is wrong with it. */
		stv_err_clear(&ignored);
		return 0;
	}
	stv_platform_host(&host);
	if (platform == NULL)
		platform = b->o->platform.os != NULL ? &b->o->platform : &host;
	want = stv_platform_str(platform);
	stv_platform_fini(&host);
	n = find(b, normal, want);
	if (n == NULL)
		return 0;
	origin_of(n, ret);
	return 1;
}

/* Its own .dockerignore, which is not that of the main context. */
static int
load_ignore(struct bld_build *b, struct bld_named *n, int dirfd,
	    struct stv_err **err)
{
	stv_auto_buf text = STV_BUF_INIT(STV_MAX_SOURCE);
	stv_auto_free char *name =
		stv_xasprintf(".dockerignore of the context %s", n->name);
	stv_auto_fd fd = stv_fsat_open_in_root(dirfd, ".dockerignore",
					       O_RDONLY | O_NONBLOCK, 0);
	struct stat st;
	uint32_t file;

	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
		return 0;
	if (fd < 0 || fstat(fd, &st) < 0)
		return stv_fail_errno_as(err, STV_E_INPUT, errno,
					 "cannot read %s", name);
	if (!S_ISREG(st.st_mode))
		return stv_fail(err, STV_E_INPUT, "%s is no regular file",
				name);
	if (stv_fsat_read_fd(fd, STV_MAX_SOURCE, name, &text, err) < 0 ||
	    stv_sources_add(b->o->sources, name, stv_buf_str(&text), text.len,
			    &file, err) < 0)
		return -1;
	return df_ignore_parse(b->o->sources, file, &n->ignore, err);
}

static int
open_dir(struct bld_build *b, struct bld_named *n, struct stv_err **err)
{
	struct bld_context_opts opts = {.store = b->o->store};
	stv_auto_fd fd =
		openat(AT_FDCWD, n->from, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return stv_fail_errno_as(err, STV_E_INPUT, errno,
					 "cannot open '%s'", n->from);
	if (load_ignore(b, n, fd, err) < 0)
		return -1;
	opts.ignore = n->ignore;
	return bld_context_open(n->from, &opts, &n->context, err);
}

static int
open_remote(struct bld_build *b, struct bld_named *n, struct stv_err **err)
{
	const struct bld_remote_opts o = {
		.store = b->o->store, .text = n->from, .stdin_fd = -1};
	struct bld_context_opts opts = {.ignore = NULL};
	int rc;

	bld_unlock(b);
	rc = bld_remote_open(&o, &n->remote, err);
	bld_lock(b);
	if (rc < 0 || load_ignore(b, n, n->remote.fd, err) < 0)
		return -1;
	opts.ignore = n->ignore;
	return bld_remote_context(&n->remote, &opts, &n->context, err);
}

/* One stage at a time looks at a context for the first time. */
static int
begin(struct bld_build *b, struct bld_named *n, struct stv_err **err)
{
	while (n->is_busy && !bld_is_over(b))
		(void)pthread_cond_wait(&b->changed, &b->lock);
	if (bld_is_over(b))
		return stv_fail(err, STV_E_CANCELLED, "cancelled");
	n->is_busy = true;
	return 0;
}

static void
end(struct bld_build *b, struct bld_named *n)
{
	n->is_busy = false;
	(void)pthread_cond_broadcast(&b->changed);
}

int
bld_named_open(struct bld_build *b, struct bld_named *n,
	       struct bld_context **ret, struct stv_err **err)
{
	int rc = 0;

	if (begin(b, n, err) < 0)
		return -1;
	if (n->context == NULL)
		rc = bld_place_of(n->from) == BLD_PLACE_DIR
			     ? open_dir(b, n, err)
			     : open_remote(b, n, err);
	end(b, n);
	*ret = n->context;
	return rc < 0 ? stv_wrap(err, "the named context '%s'", n->name) : 0;
}

static int
load_layout(struct bld_build *b, struct bld_named *n, struct cas_image *ret,
	    struct stv_err **err)
{
	stv_auto_fd fd =
		openat(AT_FDCWD, n->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct stv_platform host = {0};
	int rc;

	if (fd < 0)
		return stv_fail_errno_as(err, STV_E_INPUT, errno,
					 "cannot open the OCI layout '%s'",
					 n->path);
	stv_platform_host(&host);
	bld_unlock(b);
	rc = cas_load_layout(
		b->o->store, fd, n->tag, n->has_digest ? &n->digest : NULL,
		b->o->platform.os != NULL ? &b->o->platform : &host, ret, err);
	bld_lock(b);
	stv_platform_fini(&host);
	return rc;
}

int
bld_named_image(struct bld_build *b, struct bld_named *n, struct cas_image *ret,
		struct stv_err **err)
{
	int rc;

	if (begin(b, n, err) < 0)
		return -1;
	rc = load_layout(b, n, ret, err);
	end(b, n);
	return rc < 0 ? stv_wrap(err, "the named context '%s'", n->name) : 0;
}
