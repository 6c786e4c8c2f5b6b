/* parser/lint_value.c - rules about what instructions say. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/cleanup.h"
#include "core/diag.h"
#include "core/err.h"
#include "core/mem.h"

#include "parser/ignore.h"
#include "parser/lint_internal.h"

/* ---- EXPOSE --------------------------------------------------------------*/

/* Call ${fn} for each port of EXPOSE, expanded. */
static void
each_port(struct df_lint *l, const struct df_node *n,
	  void (*fn)(struct df_lint *l, const struct df_arg *arg,
		     const char *port))
{
	if (n->kind != DF_EXPOSE)
		return;
	for (size_t i = 0; i < n->n_args; i++) {
		struct df_expander x = df_lint_expander(l, &l->stage->env);
		struct stv_strs ports = {0};
		struct stv_err *err = NULL;

		if (df_expand_words(&x, n->args[i].text, &ports, &err) < 0)
			stv_err_free(err);
		else
			for (size_t k = 0; k < ports.len; k++)
				fn(l, &n->args[i], ports.v[k]);
		stv_strs_clear(&ports);
	}
}

static void
port_format(struct df_lint *l, const struct df_arg *arg, const char *port)
{
	struct stv_diag *f;

	if (strchr(port, ':') == NULL)
		return;
	f = df_lint_add(l, DF_R_EXPOSE_FORMAT, arg->span,
			"'%s' has an address or a port of the host", port);
	stv_diag_hint(f, "EXPOSE names the container's port only; it is "
			 "published by 'docker run -p'.");
}

void
df_lint_expose_format(struct df_lint *l, const struct df_node *n)
{
	each_port(l, n, port_format);
}

static void
port_proto(struct df_lint *l, const struct df_arg *arg, const char *port)
{
	const char *slash = strchr(port, '/');
	char *lower;
	struct stv_diag *f;

	if (slash == NULL)
		return;
	for (slash++; *slash != '\0' && !isupper((unsigned char)*slash);)
		slash++;
	if (*slash == '\0')
		return;
	f = df_lint_add(l, DF_R_EXPOSE_PROTO, arg->span,
			"the protocol of '%s' is not in lower case", port);
	stv_diag_hint(f, "Write tcp, udp or sctp.");
	if (strcmp(port, arg->text) != 0 || !df_lint_is_verbatim(l, arg))
		return;
	lower = stv_xstrdup(port);
	for (char *p = lower; *p != '\0'; p++)
		*p = (char)tolower((unsigned char)*p);
	df_lint_edit(l, arg->span, lower);
}

void
df_lint_expose_proto(struct df_lint *l, const struct df_node *n)
{
	each_port(l, n, port_proto);
}

/* ---- secrets -------------------------------------------------------------*/

/* Is one of the parts between '_' in the list?  Whatever the case. */
static bool
has_part(const char *name, const char *const *parts)
{
	while (*name != '\0') {
		size_t n = strcspn(name, "_");

		for (size_t i = 0; parts[i] != NULL; i++)
			if (strlen(parts[i]) == n &&
			    strncasecmp(parts[i], name, n) == 0)
				return true;
		name += n + (name[n] == '_');
	}
	return false;
}

/*
 * BuildKit's expression.  "file" and "version" are exceptions of newer ones
 * than 0.25: TOKEN_FILE holds no token.
 */
bool
df_lint_is_secret_name(const char *name)
{
	static const char *const deny[] = {
		"apikey", "auth",     "credential", "credentials",
		"key",	  "password", "pword",	    "passwd",
		"secret", "token",    NULL};
	static const char *const allow[] = {"public", "file", "version", NULL};

	return has_part(name, deny) && !has_part(name, allow);
}

void
df_lint_secrets(struct df_lint *l, const struct df_node *n)
{
	size_t step = n->kind == DF_ENV ? 3 : 1;

	if ((n->kind != DF_ENV && n->kind != DF_ARG) || l->stage == NULL)
		return;
	for (size_t i = 0; i < n->n_args; i += step) {
		const char *text = n->args[i].text;
		stv_auto_free char *name =
			stv_xstrndup(text, strcspn(text, "="));
		struct stv_diag *f;

		if (!df_lint_is_secret_name(name))
			continue;
		f = df_lint_add(l, DF_R_SECRETS, n->args[i].span,
				"%s '%s' looks like a secret, and stays in "
				"the image",
				df_kind_name(n->kind), name);
		stv_diag_hint(f, "Use RUN --mount=type=secret.");
	}
}

/* ---- WORKDIR -------------------------------------------------------------*/

void
df_lint_workdir(struct df_lint *l, const struct df_node *n)
{
	stv_auto_free char *path = NULL;
	struct stv_diag *f;

	if (n->kind != DF_WORKDIR || l->stage->sets_workdir)
		return;
	path = df_lint_expand(l, n->args[0].text);
	if (path == NULL || *path == '/')
		return;
	f = df_lint_add(l, DF_R_WORKDIR, n->args[0].span,
			"the path '%s' is relative to the base image's "
			"directory",
			path);
	stv_diag_hint(f, "Begin it with '/'; another base would move it.");
}

/* ---- COPY and ADD --------------------------------------------------------*/

/* Not in the context: a URL or a repository. */
static bool
is_remote(const char *src)
{
	return strstr(src, "://") != NULL || strncmp(src, "git@", 4) == 0;
}

/* One source: relative, without "./" and slashes at the ends. */
static char *
clean_source(const char *src)
{
	size_t len;
	char *s;

	while (*src == '/' || (src[0] == '.' && src[1] == '/'))
		src += *src == '/' ? 1 : 2;
	s = stv_xstrdup(src);
	for (len = strlen(s); len > 0 && s[len - 1] == '/';)
		s[--len] = '\0';
	return s;
}

void
df_lint_copy_ignored(struct df_lint *l, const struct df_node *n)
{
	if ((n->kind != DF_COPY && n->kind != DF_ADD) || l->o.ignore == NULL ||
	    df_node_flag(n, "from") != NULL)
		return;
	for (size_t i = 0; i + 1 < n->n_args; i++) {
		stv_auto_free char *text = NULL, *src = NULL;
		struct df_ignore_hit hit = {0};
		struct stv_diag *f;

		if (df_node_heredoc(n, n->args[i].text) != NULL)
			continue;
		text = df_lint_expand(l, n->args[i].text);
		if (text == NULL || is_remote(text))
			continue;
		src = clean_source(text);
		/* What a '!' may bring back from below is not left out. */
		if (*src == '\0' || strcmp(src, ".") == 0 ||
		    !df_ignore_match(l->o.ignore, src, false, &hit) ||
		    df_ignore_may_contain(l->o.ignore, src))
			continue;
		f = df_lint_add(l, DF_R_COPY_IGNORED, n->args[i].span,
				"'%s' is left out by the ignore file", src);
		if (hit.span.file != 0)
			stv_diag_related(f, hit.span, "by this pattern");
	}
}

/* A file over HTTP, no repository. */
static bool
is_download(const char *src)
{
	size_t len = strcspn(src, "#?");

	if (strncmp(src, "http://", 7) != 0 && strncmp(src, "https://", 8) != 0)
		return false;
	while (len > 0 && src[len - 1] == '/')
		len--;
	return len < 4 || strncmp(src + len - 4, ".git", 4) != 0;
}

void
df_lint_add_checksum(struct df_lint *l, const struct df_node *n)
{
	struct stv_diag *f;

	if (n->kind != DF_ADD || df_node_flag(n, "checksum") != NULL)
		return;
	for (size_t i = 0; i + 1 < n->n_args; i++) {
		stv_auto_free char *src = df_lint_expand(l, n->args[i].text);

		if (!is_download(src != NULL ? src : n->args[i].text))
			continue;
		f = df_lint_add(l, DF_R_ADD_CHECKSUM, n->args[i].span,
				"this download has no checksum");
		stv_diag_hint(f, "Give ADD --checksum=sha256:..., with one "
				 "source an ADD.");
	}
}
