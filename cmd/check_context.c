/*
 * cmd/check_context.c - rules about the files of the build context.
 *
 * The context is seen through its ignore file, as a COPY sees it, and only
 * through builder/source.h: nothing outside can be reached.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "core/buf.h"
#include "core/cleanup.h"
#include "core/diag.h"
#include "core/err.h"
#include "core/limits.h"
#include "core/mem.h"
#include "core/source.h"
#include "core/vec.h"

#include "builder/source.h"
#include "parser/ast.h"
#include "parser/expand.h"
#include "parser/ignore.h"
#include "parser/lint.h"
#include "parser/words.h"

#include "cmd/check.h"

/* Bytes of a file that are looked at. */
#define MAX_LOOK ((size_t)64 << 10)
/* Files with secrets, and patterns, that are kept; more say nothing new. */
#define MAX_SECRETS 100
#define MAX_PATTERNS 1000

/* A file with a secret in it. */
struct secret {
	char *path;
	const char *what;
	bool is_told;
};

/* A pattern that holds at the top only. */
struct pattern {
	char *text; /* cleaned */
	struct stv_span span;
	bool is_common; /* a name that is meant everywhere */
	bool is_told;
};

struct walk {
	struct df_lint *l;
	const struct check_input *in;
	struct bld_source *source;
	size_t n_seen;
	STV_VEC(struct secret) secrets;
	STV_VEC(struct pattern) patterns;
	struct stv_strs dirs; /* still to be listed */
	const char *dir;      /* the one that is listed */
};

/* ---- secrets -------------------------------------------------------------*/

enum proof {
	PROOF_KEY,   /* "PRIVATE KEY-----" */
	PROOF_ENV,   /* a variable whose name says so, with a value */
	PROOF_TOKEN, /* _authToken=..., and no variable */
	PROOF_AWS,   /* aws_secret_access_key */
	PROOF_AUTH,  /* "auth": "..." */
	PROOF_LOGIN, /* "password" and a word */
	PROOF_URL    /* ://user:password@ */
};

/* Which names may hold what; the content decides. */
static const struct {
	const char *pattern; /* of the name, or of the end of the path */
	enum proof proof;
	const char *what;
} kinds[] = {
	{"*.pem", PROOF_KEY, "a private key"},
	{"*.key", PROOF_KEY, "a private key"},
	{"id_rsa", PROOF_KEY, "a private key"},
	{"id_dsa", PROOF_KEY, "a private key"},
	{"id_ecdsa", PROOF_KEY, "a private key"},
	{"id_ed25519", PROOF_KEY, "a private key"},
	{".env", PROOF_ENV, "a password or token"},
	{".env.local", PROOF_ENV, "a password or token"},
	{".env.production", PROOF_ENV, "a password or token"},
	{".npmrc", PROOF_TOKEN, "a token of a registry"},
	{".yarnrc", PROOF_TOKEN, "a token of a registry"},
	{".pypirc", PROOF_LOGIN, "a password"},
	{".netrc", PROOF_LOGIN, "a password"},
	{"_netrc", PROOF_LOGIN, "a password"},
	{".git/config", PROOF_URL, "a password in a URL"},
	{".git-credentials", PROOF_URL, "a password in a URL"},
	{".aws/credentials", PROOF_AWS, "an access key"},
	{".docker/config.json", PROOF_AUTH, "a login of a registry"},
};

/* The value behind '=' (or a blank): is there one that is no variable? */
static bool
has_value(const char *p)
{
	p += strspn(p, " \t=:\"'");
	return *p != '\0' && *p != '\n' && *p != '\r' && *p != '#' &&
	       *p != '$' && *p != '<' && *p != '{';
}

/* "${name}" and a value, anywhere. */
static bool
has_setting(const char *text, const char *name)
{
	for (const char *p = text; (p = strstr(p, name)) != NULL;) {
		p += strlen(name);
		if (strchr(" \t=:\"", *p) != NULL && *p != '\0' && has_value(p))
			return true;
	}
	return false;
}

static bool
has_login_url(const char *text)
{
	for (const char *p = text; (p = strstr(p, "://")) != NULL;) {
		size_t n = strcspn(p += 3, "/@ \t\r\n\"'");
		const char *colon = memchr(p, ':', n);

		if (p[n] == '@' && colon != NULL && has_value(colon + 1))
			return true;
	}
	return false;
}

/* A line "DB_PASSWORD=x". */
static bool
has_secret_variable(const char *text)
{
	while (*text != '\0') {
		size_t len = strcspn(text, "\n");
		size_t n = strcspn(text, "=\n");
		const char *name = df_trim(text, &n);
		stv_auto_free char *copy = NULL;

		if (n > 7 && strncmp(name, "export ", 7) == 0) {
			name += 7;
			n -= 7;
		}
		copy = stv_xstrndup(name, n);
		if (*name != '#' && text[strcspn(text, "=\n")] == '=' &&
		    df_lint_is_secret_name(copy) &&
		    has_value(text + strcspn(text, "=\n")))
			return true;
		text += len + (text[len] == '\n');
	}
	return false;
}

static bool
is_proven(enum proof proof, const char *text)
{
	switch (proof) {
	case PROOF_KEY:
		return strstr(text, "PRIVATE KEY-----") != NULL;
	case PROOF_ENV:
		return has_secret_variable(text) || has_login_url(text);
	case PROOF_TOKEN:
		return has_setting(text, "_authToken") ||
		       has_setting(text, "_password") ||
		       has_setting(text, "_auth");
	case PROOF_AWS:
		return has_setting(text, "aws_secret_access_key");
	case PROOF_AUTH:
		return has_setting(text, "\"auth");
	case PROOF_LOGIN:
		return has_setting(text, "password");
	case PROOF_URL:
		return has_login_url(text);
	}
	return false;
}

/* The beginning of a file as text; what cannot be read is no finding. */
static void
read_start(struct walk *w, const char *path, struct stv_buf *ret)
{
	stv_auto_free char *buf = stv_xmalloc(MAX_LOOK);
	uint64_t offset = 0, size = 0;
	struct stv_err *err = NULL;
	stv_auto_fd fd = -1;
	ssize_t n;

	if (w->source->open(w->source, path, &fd, &offset, &size, &err) != 0 ||
	    fd < 0) {
		stv_err_free(err);
		return;
	}
	n = pread(fd, buf, size < MAX_LOOK ? (size_t)size : MAX_LOOK,
		  (off_t)offset);
	for (ssize_t i = 0; i < n; i++)
		stv_buf_addc(ret, buf[i] != '\0' ? buf[i] : ' ');
}

/* Does ${path} end in ${pattern}, whole components? */
static bool
is_named(const char *path, const char *pattern)
{
	size_t len = strlen(path), n = strlen(pattern);

	if (strchr(pattern, '/') == NULL)
		return df_glob_match(pattern, bld_path_base(path)) == 1;
	return len >= n && strcmp(path + len - n, pattern) == 0 &&
	       (len == n || path[len - n - 1] == '/');
}

static void
look_for_secret(struct walk *w, const char *path)
{
	for (size_t i = 0; i < STV_ARRAY_LEN(kinds); i++) {
		stv_auto_buf text = STV_BUF_INIT(MAX_LOOK);

		if (!is_named(path, kinds[i].pattern))
			continue;
		read_start(w, path, &text);
		if (w->secrets.len < MAX_SECRETS &&
		    is_proven(kinds[i].proof, stv_buf_str(&text)))
			*stv_vec_push(&w->secrets) = (struct secret){
				stv_xstrdup(path), kinds[i].what, false};
		return;
	}
}

/* ---- what a COPY takes ---------------------------------------------------*/

/* One source of a COPY or ADD. */
struct taken {
	const char *src; /* cleaned */
	size_t depth;	 /* how many names --exclude is below */
	const struct df_ignore *excluded; /* NULL: nothing is */
};

/* How many names a cleaned path has. */
static size_t
count_names(const char *path)
{
	size_t n = *path != '\0';

	for (; *path != '\0'; path++)
		n += *path == '/';
	return n;
}

/* With --parents the whole path is copied, or what stands behind "/./". */
static size_t
depth_of(const struct df_node *n, const char *text, const char *src)
{
	stv_auto_free char *top = NULL, *clean = NULL;
	const char *pivot = strstr(text, "/./");

	if (!df_flag_is_true(df_node_flag(n, "parents")))
		return count_names(src);
	if (pivot == NULL)
		return 0;
	top = stv_xstrndup(text, (size_t)(pivot - text));
	clean = bld_path_clean(top);
	return count_names(clean);
}

/* --exclude of a node; what is wrong in it is the build's matter. */
static struct df_ignore *
excludes_of(const struct df_node *n)
{
	struct stv_strs patterns = {0};
	struct df_ignore *ret = NULL;
	struct stv_err *err = NULL;

	for (size_t i = 0; i < n->n_flags; i++)
		if (strcmp(n->flags[i].name, "exclude") == 0)
			stv_strs_add(&patterns, n->flags[i].value);
	if (patterns.len > 0 &&
	    df_ignore_from_patterns(&patterns, &ret, &err) < 0)
		stv_err_free(err);
	stv_strs_clear(&patterns);
	return ret;
}

/* Is ${path} left out by --exclude, which never concerns the source itself? */
static bool
is_excluded(const struct taken *t, const char *path)
{
	for (size_t i = 0; i < t->depth; i++) {
		path = strchr(path, '/');
		if (path == NULL)
			return false;
		path++;
	}
	return df_ignore_match(t->excluded, path, false, NULL);
}

/* Does a source take in ${path}? */
static bool
takes(const struct taken *t, const char *path)
{
	stv_auto_free char *part = stv_xstrdup(path);

	if (is_excluded(t, path))
		return false;
	if (*t->src == '\0')
		return true;
	for (;;) {
		char *slash;

		if (df_glob_match(t->src, part) == 1)
			return true;
		slash = strrchr(part, '/');
		if (slash == NULL)
			return false;
		*slash = '\0';
	}
}

static void
report_secret(struct walk *w, const struct df_node *n, const struct df_arg *arg,
	      struct secret *s)
{
	struct stv_diag *f;

	f = df_lint_add(w->l, DF_R_COPY_SECRET, arg->span,
			"this takes in '%s' with %s", s->path, s->what);
	if (!df_lint_is_shipped(w->l, n))
		df_lint_note(w->l, f);
	stv_diag_hint(f, "Name it in .dockerignore; for a RUN there is "
			 "--mount=type=secret.");
	s->is_told = true;
}

static void
check_copy(struct walk *w, const struct df_node *n)
{
	stv_auto(df_ignore) *excluded = NULL;

	if ((n->kind != DF_COPY && n->kind != DF_ADD) ||
	    df_node_flag(n, "from") != NULL)
		return;
	excluded = excludes_of(n);
	for (size_t i = 0; i + 1 < n->n_args; i++) {
		const char *text = n->args[i].text;
		stv_auto_free char *src = NULL;
		struct taken t = {.excluded = excluded};

		/* What a variable holds is another matter. */
		if (strchr(text, '$') != NULL || strstr(text, "://") != NULL ||
		    df_node_heredoc(n, text) != NULL)
			continue;
		t.src = src = bld_path_clean(text);
		t.depth = depth_of(n, text, src);
		for (size_t k = 0; k < w->secrets.len; k++)
			if (!w->secrets.v[k].is_told &&
			    takes(&t, w->secrets.v[k].path))
				report_secret(w, n, &n->args[i],
					      &w->secrets.v[k]);
	}
}

/* A file is told once: where it gets into the image, if it does so at all. */
static void
check_copies(struct walk *w, bool is_shipped)
{
	for (size_t i = 0; i < w->in->file->n_nodes; i++) {
		const struct df_node *n = &w->in->file->nodes[i];

		if (df_lint_is_shipped(w->l, n) == is_shipped)
			check_copy(w, n);
	}
}

/* ---- patterns of the ignore file -----------------------------------------*/

/* Names that are never meant at the top only. */
static bool
is_common_name(const char *text)
{
	static const char *const names[] = {
		"node_modules", "__pycache__", "*.pyc", "*.pyo", ".DS_Store",
		".env",		".venv",       ".git",	"*.swp", "*.log",
		".terraform",	".idea",       ".svn"};

	for (size_t i = 0; i < STV_ARRAY_LEN(names); i++)
		if (strcmp(names[i], text) == 0)
			return true;
	return false;
}

/* A line "name": no slash but at its ends, no '!'. */
static void
take_pattern(struct walk *w, const char *line, size_t len, struct stv_span span)
{
	struct pattern *p;

	line = df_trim(line, &len);
	span.end = span.begin + (uint32_t)len;
	while (len > 0 && *line == '/') {
		line++;
		len--;
	}
	while (len > 0 && line[len - 1] == '/')
		len--;
	if (len == 0 || *line == '!' || *line == '#' ||
	    memchr(line, '/', len) != NULL || (len == 1 && *line == '.') ||
	    (len <= 2 && *line == '*') || w->patterns.len >= MAX_PATTERNS)
		return;
	p = stv_vec_push(&w->patterns);
	p->text = stv_xstrndup(line, len);
	p->span = span;
	p->is_common = is_common_name(p->text);
}

static void
take_patterns(struct walk *w, uint32_t file)
{
	const struct stv_source *src = stv_sources_get(w->in->sources, file);
	struct stv_span s = {.file = file};

	for (size_t i = 0; src != NULL && i < src->n_lines; i++) {
		size_t len;
		const char *line = stv_source_line(src, (uint32_t)i + 1, &len);

		s.begin = src->lines[i];
		take_pattern(w, line, len, s);
	}
}

/* An entry below the top that is not left out. */
static void
look_for_pattern(struct walk *w, const char *path)
{
	const char *name = bld_path_base(path);

	for (size_t i = 0; i < w->patterns.len; i++) {
		struct pattern *p = &w->patterns.v[i];
		struct stv_diag *f;

		if (p->is_told || df_glob_match(p->text, name) != 1)
			continue;
		p->is_told = true;
		f = df_lint_add(w->l, DF_R_IGNORE_TOP, p->span,
				"'%s' holds at the top only; '%s' is not left "
				"out",
				p->text, path);
		if (p->is_common)
			df_lint_warn(w->l, f);
		stv_diag_hint(f, "Write '**/%s' for all of them.", p->text);
	}
}

/* ---- the walk ------------------------------------------------------------*/

static int
on_entry(void *arg, const char *name, const struct bld_src_entry *ent,
	 struct stv_err **err)
{
	struct walk *w = arg;
	stv_auto_free char *path = bld_path_join(w->dir, name);

	(void)err;
	w->n_seen++;
	if (*w->dir != '\0')
		look_for_pattern(w, path);
	if (ent->e.type == LAY_DIR)
		stv_strs_add(&w->dirs, path);
	else if (ent->e.type == LAY_FILE && !ent->is_socket)
		look_for_secret(w, path);
	return 0;
}

/* A directory that cannot be read is the build's matter, if it wants it. */
static void
walk(struct walk *w)
{
	stv_strs_add(&w->dirs, "");
	for (size_t i = 0; i < w->dirs.len && w->n_seen < STV_MAX_LINT_ENTRIES;
	     i++) {
		stv_auto_free char *dir = stv_xstrdup(w->dirs.v[i]);
		struct stv_err *err = NULL;

		w->dir = dir;
		if (w->source->list(w->source, dir, on_entry, w, &err) < 0)
			stv_err_free(err);
	}
}

static void
walk_fini(struct walk *w)
{
	for (size_t i = 0; i < w->secrets.len; i++)
		free(w->secrets.v[i].path);
	for (size_t i = 0; i < w->patterns.len; i++)
		free(w->patterns.v[i].text);
	stv_vec_fini(&w->secrets);
	stv_vec_fini(&w->patterns);
	stv_strs_clear(&w->dirs);
}

/* Does an instruction take anything from the context? */
static bool
uses_context(const struct df_file *f)
{
	for (size_t i = 0; i < f->n_nodes; i++)
		if ((f->nodes[i].kind == DF_COPY ||
		     f->nodes[i].kind == DF_ADD) &&
		    df_node_flag(&f->nodes[i], "from") == NULL)
			return true;
	return false;
}

void
cmd_check_files(struct df_lint *l, const struct check_input *in,
		struct bld_source *source)
{
	struct walk w = {.l = l, .in = in, .source = source};

	if (!uses_context(in->file) || (!df_lint_wants(l, DF_R_COPY_SECRET) &&
					!df_lint_wants(l, DF_R_IGNORE_TOP)))
		return;
	if (df_lint_wants(l, DF_R_IGNORE_TOP))
		take_patterns(&w, in->ignore_file);
	walk(&w);
	if (df_lint_wants(l, DF_R_COPY_SECRET)) {
		check_copies(&w, true);
		check_copies(&w, false);
	}
	walk_fini(&w);
}
