/* registry/conf_load.c - finding and reading registries.conf. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/cleanup.h"
#include "core/err.h"
#include "core/json.h"
#include "core/mem.h"
#include "core/strs.h"
#include "core/vec.h"

#include "registry/creds.h"
#include "registry/creds_internal.h"
#include "registry/ref.h"
#include "registry/textfile.h"
#include "registry/toml.h"

#include "registry/conf.h"
#include "registry/conf_internal.h"

/* One file that is being read. */
struct file {
	struct reg_conf *conf;
	const char *path;
	size_t n_before; /* registries of the files before it */
};

void
reg_conf_opts_from_env(struct reg_conf_opts *o)
{
	static const char *const names[] = {"CONTAINERS_REGISTRIES_CONF",
					    "REGISTRIES_CONFIG_PATH"};

	for (size_t i = 0; i < STV_ARRAY_LEN(names); i++) {
		const char *v = getenv(names[i]);

		if (o->registries_conf == NULL && v != NULL && *v != '\0')
			o->registries_conf = v;
	}
	if (o->home == NULL)
		o->home = getenv("HOME");
}

static bool
has_suffix(const char *s, const char *suffix)
{
	size_t n = strlen(s), m = strlen(suffix);

	return n > m && strcmp(s + n - m, suffix) == 0;
}

static int
list(DIR *dir, const char *path, const char *suffix, struct stv_strs *ret,
     struct stv_err **err)
{
	for (;;) {
		const struct dirent *e;

		errno = 0;
		/* NOLINTNEXTLINE(concurrency-mt-unsafe): our own directory */
		e = readdir(dir);
		if (e == NULL && errno != 0)
			return stv_fail_errno(err, errno, "cannot read '%s'",
					      path);
		if (e == NULL)
			return 0;
		if (e->d_type == DT_DIR || !has_suffix(e->d_name, suffix))
			continue;
		if (ret->len >= REG_MAX_CONF_ENTRIES)
			return stv_fail(err, STV_E_LIMIT,
					"'%s' has more than %d files", path,
					REG_MAX_CONF_ENTRIES);
		stv_strs_take(ret, stv_xasprintf("%s/%s", path, e->d_name));
	}
}

int
reg_conf_list_dir(const char *path, const char *suffix, struct stv_strs *ret,
		  struct stv_err **err)
{
	int fd = openat(AT_FDCWD, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct stv_strs found = {0};
	DIR *dir;
	int rc;

	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
		return 0;
	if (fd < 0)
		return stv_fail_errno(err, errno, "cannot open '%s'", path);
	dir = fdopendir(fd);
	if (dir == NULL) {
		rc = stv_fail_errno(err, errno, "cannot read '%s'", path);
		stv_close_p(&fd);
		return rc;
	}
	rc = list(dir, path, suffix, &found, err);
	(void)closedir(dir);
	stv_strs_sort(&found);
	if (rc == 0)
		stv_strs_copy(ret, &found);
	stv_strs_clear(&found);
	return rc < 0 ? -1 : 1;
}

bool
reg_conf_has_registry(const char *text)
{
	size_t n = strcspn(text, "/");

	if (text[n] == '\0')
		return false;
	for (size_t i = 0; i < n; i++)
		if (text[i] == '.' || text[i] == ':' ||
		    (text[i] >= 'A' && text[i] <= 'Z'))
			return true;
	return n == strlen("localhost") && strncmp(text, "localhost", n) == 0;
}

/* *err with the file's name in front, whatever it was about. */
static int
blame(const struct file *f, struct stv_err **err)
{
	struct stv_err *why = stv_steal(err);

	stv_fail(err, STV_E_INPUT, "%s: %s", f->path, stv_err_msg(why));
	if (stv_err_get_hint(why) != NULL)
		stv_err_hint(*err, "%s", stv_err_get_hint(why));
	stv_err_free(why);
	return -1;
}

/* Is "host[:port][/path]" what a reference may begin with? */
static int
check_location(const char *where, const char *name, const char *s,
	       struct stv_err **err)
{
	reg_auto_ref r = {0};
	struct stv_err *why = NULL;
	stv_auto_free char *with_slash = stv_xasprintf("%s/", s);
	stv_auto_free char *repo = stv_xasprintf("%s/x", s);

	/* A host without dot and port would be taken for a path. */
	if (!reg_conf_has_registry(with_slash))
		return stv_fail(err, STV_E_INPUT,
				"%s%s%s: '%s' does not begin with a registry "
				"(host, or host:port)",
				where, *where != '\0' ? "." : "", name, s);
	if (reg_ref_parse(repo, &r, &why) < 0) {
		stv_err_free(why);
		stv_fail(err, STV_E_INPUT,
			 "%s%s%s: '%s' is not a registry, or one with a path",
			 where, *where != '\0' ? "." : "", name, s);
		stv_err_hint(*err, "Write it as 'host:port/path', without "
				   "'https://', tag and digest.");
		return -1;
	}
	return 0;
}

/* A member that names a location, without '/' at its end; NULL: absent. */
static int
get_location(const json_t *o, const char *where, const char *name, char **ret,
	     struct stv_err **err)
{
	const char *s = NULL;
	stv_auto_free char *text = NULL;
	size_t skip, n;

	if (stv_json_get_str(o, where, name, false, &s, err) < 0)
		return -1;
	if (s == NULL || *s == '\0')
		return 0;
	n = strlen(s);
	while (n > 0 && s[n - 1] == '/')
		n--;
	text = stv_xstrndup(s, n);
	/* Only a prefix may begin with a star. */
	skip = strcmp(name, "prefix") == 0 && strncmp(text, "*.", 2) == 0 ? 2
									  : 0;
	if (check_location(where, name, text + skip, err) < 0)
		return -1;
	*ret = stv_steal(&text);
	return 0;
}

/* Count what the limit is about. */
static int
count(struct file *f, struct stv_err **err)
{
	if (++f->conf->n_seen <= REG_MAX_CONF_ENTRIES)
		return 0;
	return stv_fail(err, STV_E_LIMIT,
			"there are more than %d registries, mirrors and "
			"aliases",
			REG_MAX_CONF_ENTRIES);
}

static int
read_use(const json_t *o, const char *where, bool is_by_digest_only,
	 enum reg_mirror_use *ret, struct stv_err **err)
{
	static const char *const words[] = {[REG_MIRROR_ALL] = "all",
					    [REG_MIRROR_DIGEST] = "digest-only",
					    [REG_MIRROR_TAG] = "tag-only"};
	const char *s = NULL;

	if (stv_json_get_str(o, where, "pull-from-mirror", false, &s, err) < 0)
		return -1;
	if (s == NULL || *s == '\0')
		return 0;
	if (is_by_digest_only)
		return stv_fail(err, STV_E_INPUT,
				"%s: pull-from-mirror cannot be used together "
				"with mirror-by-digest-only",
				where);
	for (size_t i = 0; i < STV_ARRAY_LEN(words); i++) {
		if (strcmp(s, words[i]) == 0) {
			*ret = (enum reg_mirror_use)i;
			return 0;
		}
	}
	return stv_fail(err, STV_E_INPUT,
			"%s.pull-from-mirror is not 'all', 'digest-only' or "
			"'tag-only'",
			where);
}

static int
read_mirrors(struct file *f, const json_t *o, const char *where,
	     struct reg_entry *e, struct stv_err **err)
{
	json_t *all = NULL, *m;
	size_t i;

	if (stv_json_get_arr(o, where, "mirror", false, &all, err) < 0)
		return -1;
	json_array_foreach (all, i, m) {
		stv_auto_free char *at =
			stv_xasprintf("%s.mirror[%zu]", where, i);
		struct reg_location *l = stv_vec_push(&e->mirrors);

		if (!json_is_object(m))
			return stv_fail(err, STV_E_INPUT, "%s is not a table",
					at);
		if (count(f, err) < 0 ||
		    get_location(m, at, "location", &l->location, err) < 0 ||
		    stv_json_get_bool(m, at, "insecure", &l->is_insecure, err) <
			    0 ||
		    read_use(m, at, e->is_by_digest_only, &l->use, err) < 0)
			return -1;
		if (l->location == NULL)
			return stv_fail(err, STV_E_INPUT,
					"%s.location is missing", at);
	}
	return 0;
}

static int
read_entry(struct file *f, const json_t *o, const char *where,
	   struct reg_entry *e, struct stv_err **err)
{
	if (!json_is_object(o))
		return stv_fail(err, STV_E_INPUT, "%s is not a table", where);
	if (count(f, err) < 0 ||
	    get_location(o, where, "prefix", &e->prefix, err) < 0 ||
	    get_location(o, where, "location", &e->self.location, err) < 0 ||
	    stv_json_get_bool(o, where, "insecure", &e->self.is_insecure, err) <
		    0 ||
	    stv_json_get_bool(o, where, "blocked", &e->is_blocked, err) < 0 ||
	    stv_json_get_bool(o, where, "mirror-by-digest-only",
			      &e->is_by_digest_only, err) < 0 ||
	    read_mirrors(f, o, where, e, err) < 0)
		return -1;
	if (e->self.location == NULL &&
	    (e->prefix == NULL || e->prefix[0] != '*'))
		return stv_fail(err, STV_E_INPUT, "%s.location is missing",
				where);
	if (e->prefix == NULL)
		e->prefix = stv_xstrdup(e->self.location);
	e->file = stv_xstrdup(f->path);
	return 0;
}

/* Put the entry into the list, or in the place of an earlier file's.  Takes. */
static int
add_entry(struct file *f, const char *where, struct reg_entry *e,
	  struct stv_err **err)
{
	struct reg_conf *c = f->conf;

	for (size_t i = 0; i < c->entries.len; i++) {
		if (strcmp(c->entries.v[i].prefix, e->prefix) != 0)
			continue;
		if (i >= f->n_before)
			return stv_fail(err, STV_E_INPUT,
					"%s: the prefix '%s' is there twice",
					where, e->prefix);
		reg_entry_fini(&c->entries.v[i]);
		c->entries.v[i] = *e;
		*e = (struct reg_entry){0};
		return 0;
	}
	*stv_vec_push(&c->entries) = *e;
	*e = (struct reg_entry){0};
	return 0;
}

static int
read_entries(struct file *f, const json_t *o, struct stv_err **err)
{
	json_t *all = NULL, *m;
	size_t i;

	f->n_before = f->conf->entries.len;
	if (stv_json_get_arr(o, "", "registry", false, &all, err) < 0)
		return -1;
	json_array_foreach (all, i, m) {
		STV_CLEANUP(reg_entry_fini) struct reg_entry e = {0};
		stv_auto_free char *where = stv_xasprintf("registry[%zu]", i);

		if (read_entry(f, m, where, &e, err) < 0 ||
		    add_entry(f, where, &e, err) < 0)
			return -1;
	}
	return 0;
}

static int
read_aliases(struct file *f, const json_t *o, struct stv_err **err)
{
	json_t *all = NULL, *v;
	const char *name;

	if (stv_json_get_obj(o, "", "aliases", false, &all, err) < 0)
		return -1;
	json_object_foreach (all, name, v) {
		const char *s = json_string_value(v);

		if (count(f, err) < 0)
			return -1;
		if (s == NULL || *name == '\0' || strpbrk(name, "=:@") != NULL)
			return stv_fail(err, STV_E_INPUT,
					"aliases.%s is not a short name with "
					"the name of a repository",
					name);
		/* An empty one takes back what an earlier file said. */
		if (*s != '\0' && (strchr(s, '/') == NULL ||
				   check_location("aliases", name, s, err) < 0))
			return *err != NULL
				       ? -1
				       : stv_fail(err, STV_E_INPUT,
						  "aliases.%s: '%s' has no "
						  "path",
						  name, s);
		stv_env_set(&f->conf->aliases, name, s);
	}
	return 0;
}

static int
read_search(struct file *f, const json_t *o, struct stv_err **err)
{
	static const char key[] = "unqualified-search-registries";
	struct stv_strs found = {0};
	bool is_set = false;
	int rc = stv_json_get_strs(o, "", key, &found, &is_set, err);

	for (size_t i = 0; rc == 0 && i < found.len; i++) {
		rc = count(f, err);
		if (rc == 0)
			rc = check_location("", key, found.v[i], err);
	}
	if (rc == 0 && is_set) {
		stv_strs_clear(&f->conf->search);
		f->conf->search = found;
		return 0;
	}
	stv_strs_clear(&found);
	return rc;
}

static int
read_helpers(struct file *f, const json_t *o, struct stv_err **err)
{
	static const char key[] = "credential-helpers";
	struct stv_strs found = {0};
	bool is_set = false;
	int rc = stv_json_get_strs(o, "", key, &found, &is_set, err);

	for (size_t i = 0; rc == 0 && i < found.len; i++) {
		rc = count(f, err);
		if (rc == 0 && strcmp(found.v[i], REG_AUTH_FILES) != 0 &&
		    !reg_helper_is_name(found.v[i]))
			rc = stv_fail(err, STV_E_INPUT,
				      "%s: '%s' is no name of a helper (a-z, "
				      "0-9 and '-')",
				      key, found.v[i]);
	}
	if (rc == 0 && is_set) {
		stv_strs_clear(&f->conf->helpers);
		f->conf->helpers = found;
		return 0;
	}
	stv_strs_clear(&found);
	return rc;
}

static int
read_mode(struct file *f, const json_t *o, struct stv_err **err)
{
	const char *s = NULL;

	if (stv_json_get_str(o, "", "short-name-mode", false, &s, err) < 0)
		return -1;
	if (s == NULL || *s == '\0')
		return 0;
	f->conf->is_enforcing = strcmp(s, "enforcing") == 0;
	if (f->conf->is_enforcing || strcmp(s, "permissive") == 0 ||
	    strcmp(s, "disabled") == 0)
		return 0;
	return stv_fail(err, STV_E_INPUT,
			"short-name-mode is not 'enforcing', 'permissive' or "
			"'disabled'");
}

static int
read_table(struct file *f, const json_t *o, struct stv_err **err)
{
	if (json_object_get(o, "registries") != NULL) {
		stv_fail(err, STV_E_INPUT,
			 "this is version 1 of the format "
			 "([registries.search] ...), which is not supported");
		stv_err_hint(*err,
			     "Write unqualified-search-registries = [...] for "
			     "[registries.search], and a [[registry]] with "
			     "location and insecure or blocked for the "
			     "others.");
		return -1;
	}
	if (read_search(f, o, err) < 0 || read_mode(f, o, err) < 0 ||
	    read_helpers(f, o, err) < 0 || read_aliases(f, o, err) < 0)
		return -1;
	return read_entries(f, o, err);
}

/* Add what the file says.  Returns: 1, or 0 where there is no such file. */
static int
read_file(struct reg_conf *c, const char *path, struct stv_err **err)
{
	reg_auto_textfile text = {0};
	struct file f = {.conf = c, .path = path};
	int rc = reg_textfile_read(path, REG_MAX_TOML, &text, err);
	json_t *o;

	if (rc <= 0)
		return rc;
	o = reg_toml_parse(text.text, text.len, path, err);
	if (o == NULL)
		return -1;
	rc = read_table(&f, o, err);
	json_decref(o);
	return rc < 0 ? blame(&f, err) : 1;
}

static int
read_dir(struct reg_conf *c, const char *dir, struct stv_err **err)
{
	stv_auto_free char *path = NULL;
	struct stv_strs files = {0};
	int rc;

	path = stv_xasprintf("%s/registries.conf.d", dir);
	rc = reg_conf_list_dir(path, ".conf", &files, err);
	for (size_t i = 0; rc > 0 && i < files.len; i++)
		rc = read_file(c, files.v[i], err) < 0 ? -1 : 1;
	stv_strs_clear(&files);
	return rc < 0 ? -1 : 0;
}

/* The main file; *ret_is_user tells whether it was the user's own. */
static int
read_main(struct reg_conf *c, const char *named, const char *system_dir,
	  bool *ret_is_user, struct stv_err **err)
{
	stv_auto_free char *path = NULL;
	int rc;

	*ret_is_user = false;
	if (named != NULL) {
		rc = read_file(c, named, err);
		return rc != 0 ? rc
			       : stv_fail(err, STV_E_NOT_FOUND,
					  "there is no file '%s' "
					  "(registries.conf)",
					  named);
	}
	if (c->user_dir != NULL) {
		path = stv_xasprintf("%s/registries.conf", c->user_dir);
		rc = read_file(c, path, err);
		*ret_is_user = rc > 0;
		if (rc != 0)
			return rc;
	}
	free(path);
	path = stv_xasprintf("%s/registries.conf", system_dir);
	return read_file(c, path, err);
}

/* One place cannot be secure under one prefix and not so under another. */
static int
check_conflicts(const struct reg_conf *c, struct stv_err **err)
{
	for (size_t i = 0; i < c->entries.len; i++) {
		const struct reg_entry *a = &c->entries.v[i];

		for (size_t j = 0; j < i && a->self.location != NULL; j++) {
			const struct reg_entry *b = &c->entries.v[j];

			if (b->self.location == NULL ||
			    strcmp(a->self.location, b->self.location) != 0 ||
			    (a->self.is_insecure == b->self.is_insecure &&
			     a->is_blocked == b->is_blocked))
				continue;
			return stv_fail(err, STV_E_INPUT,
					"%s: the location '%s' is there "
					"several times with different "
					"'insecure' or 'blocked'",
					a->file, a->self.location);
		}
	}
	return 0;
}

int
reg_conf_load(const struct reg_conf_opts *o, struct reg_conf **ret,
	      struct stv_err **err)
{
	stv_auto(reg_conf) *c = stv_xcalloc(1, sizeof(*c));
	stv_auto_free char *system_dir = NULL;
	bool is_user;

	c->etc = stv_xstrdup(o->etc != NULL ? o->etc : "/etc");
	if (o->home != NULL && *o->home != '\0')
		c->user_dir = stv_xasprintf("%s/.config/containers", o->home);
	system_dir = stv_xasprintf("%s/containers", c->etc);
	if (read_main(c, o->registries_conf, system_dir, &is_user, err) < 0 ||
	    (!is_user && read_dir(c, system_dir, err) < 0) ||
	    (c->user_dir != NULL && read_dir(c, c->user_dir, err) < 0) ||
	    check_conflicts(c, err) < 0)
		return -1;
	*ret = stv_steal(&c);
	return 0;
}

void
reg_entry_fini(struct reg_entry *e)
{
	for (size_t i = 0; i < e->mirrors.len; i++)
		free(e->mirrors.v[i].location);
	stv_vec_fini(&e->mirrors);
	free(e->prefix);
	free(e->file);
	free(e->self.location);
	*e = (struct reg_entry){0};
}

void
reg_conf_free(struct reg_conf *c)
{
	if (c == NULL)
		return;
	for (size_t i = 0; i < c->entries.len; i++)
		reg_entry_fini(&c->entries.v[i]);
	stv_vec_fini(&c->entries);
	stv_strs_clear(&c->search);
	stv_strs_clear(&c->aliases);
	stv_strs_clear(&c->helpers);
	free(c->user_dir);
	free(c->etc);
	free(c);
}
