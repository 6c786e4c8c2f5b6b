/* builder/source.c - trees that COPY takes from: paths, links, layers. */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/buf.h"
#include "core/err.h"
#include "core/limits.h"
#include "core/mem.h"

#include "cache/toc.h"

#include "builder/source.h"

/* As many as containerd's fs.RootPath follows. */
#define MAX_LINKS 255

char *
bld_path_join(const char *dir, const char *name)
{
	if (*dir == '\0')
		return stv_xstrdup(name);
	if (*name == '\0')
		return stv_xstrdup(dir);
	return stv_xasprintf("%s/%s", dir, name);
}

const char *
bld_path_base(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash == NULL ? path : slash + 1;
}

/* Drop the last component of the ${n} bytes at ${path}. */
static size_t
parent_len(const char *path, size_t n)
{
	while (n > 0 && path[n - 1] != '/')
		n--;
	return n > 0 ? n - 1 : 0;
}

/* Append the component ${p} to the cleaned path ${out} of length *${n}. */
static void
push_component(char *out, size_t *n, const char *p, size_t len)
{
	if (len == 0 || (len == 1 && p[0] == '.'))
		return;
	if (len == 2 && p[0] == '.' && p[1] == '.') {
		*n = parent_len(out, *n);
		return;
	}
	if (*n > 0)
		out[(*n)++] = '/';
	memmove(out + *n, p, len);
	*n += len;
}

char *
bld_path_clean(const char *path)
{
	char *out = stv_xmalloc(strlen(path) + 1);
	size_t n = 0;

	while (*path != '\0') {
		size_t len = strcspn(path, "/");

		push_component(out, &n, path, len);
		path += len + (path[len] == '/');
	}
	out[n] = '\0';
	return out;
}

char *
bld_path_dest(const char *workdir, const char *dest, bool *ret_is_dir)
{
	stv_auto_free char *whole = NULL;
	const char *base = bld_path_base(dest);

	*ret_is_dir = *base == '\0' || strcmp(base, ".") == 0 ||
		      strcmp(base, "..") == 0;
	if (*dest == '/' || workdir == NULL)
		return bld_path_clean(dest);
	whole = stv_xasprintf("%s/%s", workdir, dest);
	return bld_path_clean(whole);
}

/*
 * Replace the link at ${done} in "${done}/${rest}" by its target: the new rest
 * of the path, to be walked from what *${done} is then.
 */
static char *
follow(char *done, const char *link, const char *rest)
{
	if (*link == '/')
		*done = '\0';
	else
		done[parent_len(done, strlen(done))] = '\0';
	return stv_xasprintf("%s%s%s", link, *rest != '\0' ? "/" : "", rest);
}

/* One component more onto ${done} (owned); the old string is freed. */
static char *
extend(char *done, const char *p, size_t len)
{
	size_t n = strlen(done);

	done = stv_xreallocarray(done, n + len + 2, 1);
	push_component(done, &n, p, len);
	done[n] = '\0';
	return done;
}

static int
too_many_links(const char *path, struct stv_err **err)
{
	return stv_fail(err, STV_E_INPUT,
			"too many symbolic links on the way to '/%s'", path);
}

int
bld_source_resolve(struct bld_source *s, const char *path, char **ret_path,
		   struct bld_src_entry *ret, struct stv_err **err)
{
	stv_auto_free char *done = stv_xstrdup("");
	stv_auto_free char *todo = stv_xstrdup(path);
	const char *p = todo;
	unsigned n_links = 0;
	int rc = s->lookup(s, "", ret, err);

	while (rc == 1 && *p != '\0') {
		size_t len = strcspn(p, "/");
		const char *rest = p + len + (p[len] == '/');

		/* "file/" is the file, as BuildKit reads it. */
		if (len > 0 && ret->e.type != LAY_DIR)
			return 0;
		done = extend(done, p, len);
		rc = s->lookup(s, done, ret, err);
		if (rc == 1 && ret->e.type == LAY_SYMLINK) {
			char *next;

			if (++n_links > MAX_LINKS)
				return too_many_links(path, err);
			next = follow(done, ret->e.link, rest);
			free(todo);
			p = todo = next;
			if (strlen(todo) > STV_MAX_PATH)
				return too_many_links(path, err);
			rc = s->lookup(s, done, ret, err);
			continue;
		}
		p = rest;
	}
	if (rc == 1)
		*ret_path = stv_steal(&done);
	return rc;
}

/* A chain of layers. */
struct view_source {
	struct bld_source base;
	struct lay_view *view;
};

static void
view_entry(const struct lay_entry *e, struct bld_src_entry *ret)
{
	*ret = (struct bld_src_entry){
		.e = *e,
		.has_digest = e->type == LAY_FILE,
		.is_linked = e->type == LAY_FILE,
		.ino = e->offset,
	};
	if (e->type == LAY_FILE)
		memcpy(&ret->dev, e->digest.bytes, sizeof(ret->dev));
}

static int
view_lookup(struct bld_source *s, const char *path, struct bld_src_entry *ret,
	    struct stv_err **err)
{
	struct view_source *vs = (struct view_source *)s;
	struct lay_entry e;

	(void)err;
	if (lay_view_lookup(vs->view, path, &e) != 1)
		return 0;
	view_entry(&e, ret);
	return 1;
}

/* What view_list() hands through lay_view_list(). */
struct list_call {
	int (*fn)(void *arg, const char *name, const struct bld_src_entry *ent,
		  struct stv_err **err);
	void *arg;
	struct stv_err **err;
};

static int
list_one(void *arg, const struct lay_entry *e)
{
	struct list_call *c = arg;
	struct bld_src_entry ent;

	view_entry(e, &ent);
	return c->fn(c->arg, bld_path_base(e->path), &ent, c->err);
}

static int
view_list(struct bld_source *s, const char *path,
	  int (*fn)(void *arg, const char *name,
		    const struct bld_src_entry *ent, struct stv_err **err),
	  void *arg, struct stv_err **err)
{
	struct view_source *vs = (struct view_source *)s;
	struct list_call call = {fn, arg, err};

	return lay_view_list(vs->view, path, list_one, &call);
}

static int
view_hash(struct bld_source *s, const char *path, struct bld_src_entry *ent,
	  struct stv_err **err)
{
	(void)s;
	(void)path;
	(void)err;
	assert(ent->has_digest);
	return 0;
}

static int
view_open(struct bld_source *s, const char *path, int *ret_fd,
	  uint64_t *ret_offset, uint64_t *ret_size, struct stv_err **err)
{
	struct view_source *vs = (struct view_source *)s;

	return lay_view_open_file(vs->view, path, ret_fd, ret_offset, ret_size,
				  err);
}

/*
 * A view answers a hard link as the file that it names, so two names of one
 * file have their bytes at the same place of the same blob.
 */
static int
view_is_same(struct bld_source *s, const char *a, const char *b,
	     struct stv_err **err)
{
	stv_auto_fd fd_a = -1;
	stv_auto_fd fd_b = -1;
	uint64_t off_a, off_b, size;
	struct stat st_a, st_b;

	if (view_open(s, a, &fd_a, &off_a, &size, err) < 0 ||
	    view_open(s, b, &fd_b, &off_b, &size, err) < 0)
		return -1;
	if (fstat(fd_a, &st_a) < 0 || fstat(fd_b, &st_b) < 0)
		return stv_fail_errno(err, errno, "cannot look at '%s'", a);
	return off_a == off_b && st_a.st_dev == st_b.st_dev &&
	       st_a.st_ino == st_b.st_ino;
}

static void
view_explain(struct bld_source *s, const char *path, struct stv_err **err)
{
	(void)s;
	(void)path;
	(void)err;
}

struct bld_source *
bld_source_view(struct lay_view *view)
{
	struct view_source *vs = stv_xcalloc(1, sizeof(*vs));

	vs->base = (struct bld_source){
		.lookup = view_lookup,
		.list = view_list,
		.hash = view_hash,
		.open = view_open,
		.is_same = view_is_same,
		.explain = view_explain,
	};
	vs->view = view;
	return &vs->base;
}

void
bld_source_view_free(struct bld_source *s)
{
	free(s);
}
