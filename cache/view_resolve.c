/* cache/view_resolve.c - symbolic links inside a merged view. */
#include <stdlib.h>
#include <string.h>

#include "core/buf.h"
#include "core/err.h"
#include "core/limits.h"
#include "core/mem.h"

#include "cache/toc.h"

/* As the kernel's MAXSYMLINKS. */
#define MAX_LINKS 40
/* A path with forty links of full length spliced in. */
#define MAX_TODO ((MAX_LINKS + 1) * (STV_MAX_PATH + 1))

/* A look-up on its way. */
struct res {
	struct stv_buf done; /* real path so far, without links */
	char *todo;
	char *pos;
	int n_links;
	bool is_missing; /* nothing is at ${done}; the rest is only appended */
	struct lay_entry e;
};

static void
go_up(struct res *r)
{
	const char *done = stv_buf_str(&r->done);
	const char *slash = strrchr(done, '/');

	stv_buf_truncate(&r->done, slash == NULL ? 0 : (size_t)(slash - done));
}

static int
follow(struct res *r, const char *path, const char *target,
       struct stv_err **err)
{
	char *joined;

	if (++r->n_links > MAX_LINKS)
		return stv_fail(err, STV_E_INPUT,
				"'%s' leads through too many symbolic links",
				path);
	if (target[0] == '/')
		stv_buf_truncate(&r->done, 0);
	else
		go_up(r);
	joined = stv_xasprintf("%s/%s", target, r->pos);
	free(r->todo);
	r->todo = r->pos = joined;
	return strlen(joined) > MAX_TODO
		       ? stv_fail(err, STV_E_INPUT, "'%s' is too long", path)
		       : 0;
}

/* One component: append it and look what is there. */
static int
enter(struct lay_view *v, struct res *r, const char *path, const char *name,
      size_t n, bool is_last, bool follow_last, struct stv_err **err)
{
	if (!r->is_missing && r->e.type != LAY_DIR)
		return stv_fail(err, STV_E_INPUT,
				"'/%s' on the way to '%s' is not a directory",
				stv_buf_str(&r->done), path);
	if (n > STV_MAX_NAME)
		return stv_fail(err, STV_E_INPUT,
				"a name in '%s' is longer than %zu bytes", path,
				STV_MAX_NAME);
	if (r->done.len > 0)
		stv_buf_addc(&r->done, '/');
	stv_buf_add(&r->done, name, n);
	if (stv_buf_check(&r->done, "a path", err) < 0)
		return -1;
	if (r->is_missing)
		return 0;
	if (lay_view_lookup(v, stv_buf_str(&r->done), &r->e) == 0) {
		r->is_missing = true;
		return 0;
	}
	if (r->e.type == LAY_SYMLINK && (!is_last || follow_last)) {
		const char *target = r->e.link;

		r->e.type = LAY_DIR; /* where a link is, a directory is */
		return follow(r, path, target, err);
	}
	return 0;
}

static int
walk(struct lay_view *v, struct res *r, const char *path, bool follow_last,
     struct stv_err **err)
{
	for (;;) {
		const char *name;
		size_t n;

		r->pos += strspn(r->pos, "/");
		if (*r->pos == '\0')
			return 0;
		name = r->pos;
		n = strcspn(name, "/");
		r->pos += n;
		if (n == 1 && name[0] == '.')
			continue;
		if (n == 2 && name[0] == '.' && name[1] == '.') {
			go_up(r);
			/* Above what is missing there may be something. */
			r->is_missing =
				lay_view_lookup(v, stv_buf_str(&r->done),
						&r->e) == 0;
			continue;
		}
		if (enter(v, r, path, name, n,
			  r->pos[strspn(r->pos, "/")] == '\0', follow_last,
			  err) < 0)
			return -1;
	}
}

int
lay_view_resolve(struct lay_view *v, const char *path, bool follow_last,
		 char **ret_path, struct lay_entry *ret, struct stv_err **err)
{
	struct res r = {.e = {.type = LAY_DIR}};
	struct lay_entry e;
	int result;

	r.done = STV_BUF_INIT(STV_MAX_PATH);
	r.todo = r.pos = stv_xstrdup(path);
	result = walk(v, &r, path, follow_last, err);
	free(r.todo);
	if (result == 0) {
		result = lay_view_lookup(v, stv_buf_str(&r.done), &e);
		if (result == 1)
			*ret = e;
		*ret_path = stv_buf_take(&r.done);
	}
	stv_buf_fini(&r.done);
	return result;
}
