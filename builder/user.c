/* builder/user.c - USER and --chown against an image's passwd and group. */
#include <stdlib.h>
#include <string.h>

#include "core/buf.h"
#include "core/err.h"
#include "core/limits.h"
#include "core/mem.h"

#include "cache/toc.h"

#include "builder/user.h"

#define MAX_ID 2147483647u

/* A field of a line; not terminated. */
struct field {
	const char *p;
	size_t n;
};

/* A line of passwd or group that is in order. */
struct line {
	struct field name;
	uint32_t id;	   /* uid, or gid of a group */
	uint32_t gid;	   /* passwd */
	struct field rest; /* passwd: home; group: members */
};

/* "user:group" taken apart. */
struct spec {
	struct field user;
	struct field group;
	bool has_colon;
	bool is_uid;
	bool is_gid;
	uint32_t uid;
	uint32_t gid;
};

static bool
is_field(struct field f, struct field g)
{
	return f.n == g.n && memcmp(f.p, g.p, f.n) == 0;
}

static bool
is_root(struct field f)
{
	return is_field(f, (struct field){"root", 4});
}

/*
 * Digits only, at most MAX_ID: 1 and *ret; 0: not only digits; -1: too large.
 */
static int
parse_id(struct field f, uint32_t *ret)
{
	uint64_t id = 0;

	if (f.n == 0)
		return 0;
	for (size_t i = 0; i < f.n; i++)
		if (f.p[i] < '0' || f.p[i] > '9')
			return 0;
	for (size_t i = 0; i < f.n; i++) {
		id = id * 10 + (uint64_t)(f.p[i] - '0');
		if (id > MAX_ID)
			return -1;
	}
	*ret = (uint32_t)id;
	return 1;
}

/* A sign or a blank in front of digits: strtol() would take it, we do not. */
static bool
is_odd_number(struct field f)
{
	uint32_t id;
	size_t i = 0;

	while (i < f.n && strchr("+- \t", f.p[i]) != NULL)
		i++;
	return i > 0 && parse_id((struct field){f.p + i, f.n - i}, &id) != 0;
}

static int
parse_spec_id(struct field f, const char *spec, bool *ret_is, uint32_t *ret,
	      struct stv_err **err)
{
	int rc = parse_id(f, ret);

	if (rc < 0) {
		stv_fail(err, STV_E_INPUT,
			 "user '%s': the number %.*s is too large", spec,
			 (int)f.n, f.p);
		stv_err_hint(*err, "User and group numbers go from 0 to "
				   "2147483647.");
		return -1;
	}
	if (rc == 0 && is_odd_number(f))
		return stv_fail(err, STV_E_INPUT,
				"user '%s': '%.*s' is neither a number nor a "
				"name",
				spec, (int)f.n, f.p);
	*ret_is = rc == 1;
	return 0;
}

static int
parse_spec(const char *s, struct spec *ret, struct stv_err **err)
{
	const char *colon = strchr(s, ':');
	struct spec spec = {
		.user = {s, colon == NULL ? strlen(s) : (size_t)(colon - s)},
		.has_colon = colon != NULL,
	};

	spec.group = colon == NULL
			     ? (struct field){"", 0}
			     : (struct field){colon + 1, strlen(colon + 1)};
	if (parse_spec_id(spec.user, s, &spec.is_uid, &spec.uid, err) < 0 ||
	    parse_spec_id(spec.group, s, &spec.is_gid, &spec.gid, err) < 0)
		return -1;
	*ret = spec;
	return 0;
}

/* Cut the next field, which ends at ':' or the end, off *${s}. */
static struct field
next_field(struct field *s)
{
	const char *colon = memchr(s->p, ':', s->n);
	struct field f = {s->p, colon == NULL ? s->n : (size_t)(colon - s->p)};
	size_t used = colon == NULL ? s->n : f.n + 1;

	s->p += used;
	s->n -= used;
	return f;
}

static struct field
trim(struct field f)
{
	while (f.n > 0 && strchr(" \t\r", f.p[f.n - 1]) != NULL)
		f.n--;
	while (f.n > 0 && strchr(" \t\r", f.p[0]) != NULL) {
		f.p++;
		f.n--;
	}
	return f;
}

/*
 * The next line of a file that is in order; the others (comments, NIS, damaged
 * or with a number that is none) are passed over rather than read as 0.
 * Returns: 1 and *ret, 0 at the end, -1 where a line is too long.
 */
static int
next_line(struct field *file, bool is_group, struct line *ret,
	  struct stv_err **err)
{
	while (file->n > 0) {
		const char *end = memchr(file->p, '\n', file->n);
		struct field l = {file->p, end == NULL
						   ? file->n
						   : (size_t)(end - file->p)};
		size_t used = l.n + (end != NULL);
		struct line line = {0};

		file->p += used;
		file->n -= used;
		if (l.n > STV_MAX_PASSWD_LINE)
			return stv_fail(err, STV_E_LIMIT,
					"a line of /etc/%s has %zu bytes, the "
					"limit is %zu",
					is_group ? "group" : "passwd", l.n,
					STV_MAX_PASSWD_LINE);
		l = trim(l);
		if (l.n == 0 || *l.p == '#')
			continue;
		line.name = next_field(&l);
		next_field(&l);
		if (parse_id(next_field(&l), &line.id) != 1)
			continue;
		if (!is_group) {
			if (parse_id(next_field(&l), &line.gid) != 1)
				continue;
			next_field(&l);
		}
		line.rest = next_field(&l);
		*ret = line;
		return 1;
	}
	return 0;
}

/*
 * The first line with that name (${by_id} NULL) or that number: 1, 0 or -1.
 */
static int
find_line(const char *data, size_t len, bool is_group, struct field name,
	  const uint32_t *by_id, struct line *ret, struct stv_err **err)
{
	struct field file = {data, data == NULL ? 0 : len};
	int rc;

	while ((rc = next_line(&file, is_group, ret, err)) == 1)
		if (by_id != NULL ? ret->id == *by_id
				  : is_field(ret->name, name))
			return 1;
	return rc;
}

static bool
is_member(struct field list, struct field name)
{
	while (list.n > 0) {
		const char *comma = memchr(list.p, ',', list.n);
		struct field f = {list.p, comma == NULL
						  ? list.n
						  : (size_t)(comma - list.p)};
		size_t used = f.n + (comma != NULL);

		if (is_field(trim(f), name))
			return true;
		list.p += used;
		list.n -= used;
	}
	return false;
}

static int
add_group(struct bld_user *u, uint32_t gid, struct stv_err **err)
{
	for (size_t i = 0; i < u->n_groups; i++)
		if (u->groups[i] == gid)
			return 0;
	if (u->n_groups == STV_MAX_GROUPS)
		return stv_fail(err, STV_E_LIMIT,
				"the user is in more than %d groups",
				STV_MAX_GROUPS);
	u->groups = stv_xreallocarray(u->groups, u->n_groups + 1,
				      sizeof(u->groups[0]));
	u->groups[u->n_groups++] = gid;
	return 0;
}

/* All groups that list ${name} as a member. */
static int
add_member_groups(const struct bld_user_files *files, struct field name,
		  struct bld_user *u, struct stv_err **err)
{
	struct field file = {files->group,
			     files->group == NULL ? 0 : files->group_len};
	struct line g;
	int rc;

	while ((rc = next_line(&file, true, &g, err)) == 1)
		if (is_member(g.rest, name) && add_group(u, g.id, err) < 0)
			return -1;
	return rc;
}

static int
no_such(struct stv_err **err, const char *what, struct field name)
{
	stv_fail(err, STV_E_INPUT, "unable to find %s '%.*s' in the image",
		 what, (int)name.n, name.p);
	stv_err_hint(*err,
		     "The image's /etc/%s has no such name; make it in "
		     "an earlier RUN or use a number.",
		     strcmp(what, "user") == 0 ? "passwd" : "group");
	return -1;
}

/* The group half of a USER. */
static int
resolve_group(const struct bld_user_files *files, const struct spec *spec,
	      struct bld_user *u, struct stv_err **err)
{
	struct line g;
	int rc;

	if (spec->is_gid) {
		u->gid = spec->gid;
		return 0;
	}
	rc = find_line(files->group, files->group_len, true, spec->group, NULL,
		       &g, err);
	if (rc < 0)
		return -1;
	if (rc == 0)
		return no_such(err, "group", spec->group);
	u->gid = g.id;
	return 0;
}

/* The home of a uid is that of the first line with it, whatever its name. */
static int
resolve_home(const struct bld_user_files *files, struct bld_user *u,
	     struct stv_err **err)
{
	struct line l;
	int rc = find_line(files->passwd, files->passwd_len, false,
			   (struct field){"", 0}, &u->uid, &l, err);

	if (rc < 0)
		return -1;
	u->home = rc == 1 ? stv_xstrndup(l.rest.p, l.rest.n) : stv_xstrdup("/");
	return 0;
}

static int
fill_user(const struct bld_user_files *files, const struct spec *spec,
	  struct bld_user *u, struct stv_err **err)
{
	const uint32_t root = 0;
	struct field no_name = {"", 0};
	struct line l = {.name = no_name};
	const uint32_t *by_id = spec->is_uid	    ? &spec->uid
				: spec->user.n == 0 ? &root
						    : NULL;
	int found = find_line(files->passwd, files->passwd_len, false,
			      spec->user, by_id, &l, err);

	if (found < 0)
		return -1;
	if (found == 1) {
		u->uid = l.id;
		u->gid = l.gid;
		u->name = stv_xstrndup(l.name.p, l.name.n);
	} else if (by_id != NULL) {
		u->uid = *by_id;
	} else {
		/* "root" needs no passwd: FROM scratch has none. */
		if (!is_root(spec->user))
			return no_such(err, "user", spec->user);
	}
	if (spec->group.n > 0 && resolve_group(files, spec, u, err) < 0)
		return -1;
	if (add_group(u, u->gid, err) < 0)
		return -1;
	if (spec->group.n == 0 && found == 1 &&
	    add_member_groups(files, l.name, u, err) < 0)
		return -1;
	return resolve_home(files, u, err);
}

int
bld_user_from(const struct bld_user_files *files, const char *spec,
	      struct bld_user *ret, struct stv_err **err)
{
	bld_auto_user u = {0};
	struct spec parsed;

	if (parse_spec(spec == NULL ? "" : spec, &parsed, err) < 0 ||
	    fill_user(files, &parsed, &u, err) < 0)
		return -1;
	*ret = u;
	u = (struct bld_user){0};
	return 0;
}

int
bld_chown_from(const struct bld_user_files *files, const char *spec,
	       uint32_t *ret_uid, uint32_t *ret_gid, struct stv_err **err)
{
	struct spec s;
	struct line l = {0};
	uint32_t uid = 0, gid = 0;
	int rc;

	if (parse_spec(spec, &s, err) < 0)
		return -1;
	/* "root" is 0 whatever the image's files say. */
	s.is_uid = s.is_uid || is_root(s.user);
	s.is_gid = s.is_gid || is_root(s.group);
	if (s.is_uid) {
		uid = gid = s.uid;
	} else if (s.user.n > 0) {
		rc = find_line(files->passwd, files->passwd_len, false, s.user,
			       NULL, &l, err);
		if (rc < 0)
			return -1;
		if (rc == 1) {
			uid = l.id;
			gid = l.gid;
		}
	}
	if (s.is_gid) {
		gid = s.gid;
	} else if (s.group.n > 0) {
		rc = find_line(files->group, files->group_len, true, s.group,
			       NULL, &l, err);
		if (rc < 0)
			return -1;
		if (rc == 1)
			gid = l.id;
	} else if (s.has_colon) {
		gid = 0; /* "alice:" */
	}
	*ret_uid = uid;
	*ret_gid = gid;
	return 0;
}

/* A name other than root, which is 0 without being looked up. */
static bool
is_name(struct field f, bool is_id)
{
	return f.n > 0 && !is_id && !is_root(f);
}

bool
bld_chown_needs_names(const char *spec)
{
	struct spec s;
	struct stv_err *err = NULL;

	if (parse_spec(spec, &s, &err) < 0) {
		stv_err_free(err);
		return false;
	}
	return is_name(s.user, s.is_uid) || is_name(s.group, s.is_gid);
}

/* One of the two files; one that is not there stays empty. */
static int
read_file(struct lay_view *view, const char *path, struct stv_buf *ret,
	  struct stv_err **err)
{
	struct stv_err *why = NULL;

	if (view == NULL || lay_view_read(view, path, ret->max, ret, &why) == 0)
		return 0;
	if (stv_err_code(why) == STV_E_NOT_FOUND) {
		stv_err_free(why);
		return 0;
	}
	*err = why;
	return stv_wrap(err, "reading /%s of the image", path);
}

/* Both files of ${view}; the buffers own the bytes. */
static int
read_files(struct lay_view *view, struct stv_buf *passwd, struct stv_buf *group,
	   struct bld_user_files *ret, struct stv_err **err)
{
	if (read_file(view, "etc/passwd", passwd, err) < 0 ||
	    read_file(view, "etc/group", group, err) < 0)
		return -1;
	*ret = (struct bld_user_files){
		.passwd = passwd->data,
		.passwd_len = passwd->len,
		.group = group->data,
		.group_len = group->len,
	};
	return 0;
}

int
bld_user_resolve(struct lay_view *view, const char *spec, struct bld_user *ret,
		 struct stv_err **err)
{
	stv_auto_buf passwd = STV_BUF_INIT(STV_MAX_PASSWD);
	stv_auto_buf group = STV_BUF_INIT(STV_MAX_PASSWD);
	struct bld_user_files files;

	if (read_files(view, &passwd, &group, &files, err) < 0)
		return -1;
	return bld_user_from(&files, spec, ret, err);
}

int
bld_chown_resolve(struct lay_view *view, const char *spec, uint32_t *ret_uid,
		  uint32_t *ret_gid, struct stv_err **err)
{
	stv_auto_buf passwd = STV_BUF_INIT(STV_MAX_PASSWD);
	stv_auto_buf group = STV_BUF_INIT(STV_MAX_PASSWD);
	struct bld_user_files files = {0};

	if (bld_chown_needs_names(spec)) {
		if (view == NULL) {
			stv_fail(err, STV_E_INPUT,
				 "--chown=%s: FROM scratch has no users", spec);
			stv_err_hint(*err, "Use numbers, such as "
					   "--chown=1000:1000.");
			return -1;
		}
		if (read_files(view, &passwd, &group, &files, err) < 0)
			return -1;
	}
	return bld_chown_from(&files, spec, ret_uid, ret_gid, err);
}

void
bld_user_fini(struct bld_user *u)
{
	free(u->groups);
	free(u->home);
	free(u->name);
	*u = (struct bld_user){0};
}
