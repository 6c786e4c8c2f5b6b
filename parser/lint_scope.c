/*
 * parser/lint_scope.c - stages and variables, as far as they are known without
 * building anything.
 *
 * What a base image brings is known only where the hook knows it; until then
 * no rule may say that a variable is not set.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "core/buf.h"
#include "core/cleanup.h"
#include "core/diag.h"
#include "core/err.h"
#include "core/limits.h"
#include "core/mem.h"

#include "parser/lint_internal.h"
#include "parser/parse.h"

#define DEFAULT_PATH                                                           \
	"/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

static const char *
look_up(void *arg, const char *name)
{
	return stv_env_get(arg, name);
}

struct df_expander
df_lint_expander(const struct df_lint *l, struct stv_strs *env)
{
	return (struct df_expander){
		.escape = l->o.file->escape,
		.lookup = look_up,
		.arg = env,
	};
}

/* Expand, or NULL; the build will tell what is wrong. */
static char *
expand(const struct df_lint *l, struct stv_strs *env, const char *text)
{
	struct df_expander x = df_lint_expander(l, env);
	struct stv_err *err = NULL;
	char *ret;

	if (df_expand_word(&x, text, &ret, &err) == 0)
		return ret;
	stv_err_free(err);
	return NULL;
}

char *
df_lint_expand(struct df_lint *l, const char *text)
{
	return expand(l, l->stage != NULL ? &l->stage->env : &l->global, text);
}

/* ---- global arguments ----------------------------------------------------*/

static void
add_platform(struct stv_strs *env, const char *prefix,
	     const struct stv_platform *p)
{
	stv_auto_free char *whole = stv_platform_str(p);
	const struct {
		const char *name;
		const char *value;
	} all[] = {
		{"PLATFORM", whole},	 {"OS", p->os},
		{"OSVERSION", NULL},	 {"ARCH", p->arch},
		{"VARIANT", p->variant},
	};

	for (size_t i = 0; i < STV_ARRAY_LEN(all); i++) {
		stv_auto_free char *name =
			stv_xasprintf("%s%s", prefix, all[i].name);

		stv_env_set(env, name,
			    all[i].value != NULL ? all[i].value : "");
	}
}

/* The value of --build-arg, or NULL. */
static const char *
given(const struct df_lint *l, const char *name)
{
	return l->o.build_args != NULL ? stv_env_get(l->o.build_args, name)
				       : NULL;
}

/* Are there so many variables that not all of them are known? */
static bool
is_vague(const struct df_lint *l, const struct stv_strs *env)
{
	return env->len >= LINT_MAX_ENV || l->n_bytes > STV_MAX_EXPANDED_TOTAL;
}

static void
set_env(struct df_lint *l, struct stv_strs *env, const char *name,
	const char *value)
{
	if (is_vague(l, env))
		return;
	l->n_bytes += strlen(name) + strlen(value);
	stv_env_set(env, name, value);
}

/* One word of an ARG, "NAME" or "NAME=VALUE", into ${env}. */
static char *
declare(struct df_lint *l, const char *text, struct stv_strs *env,
	bool has_args)
{
	const char *eq = strchr(text, '=');
	char *name = eq != NULL ? stv_xstrndup(text, (size_t)(eq - text))
				: stv_xstrdup(text);
	const char *value = has_args ? given(l, name) : NULL;
	char *expanded = NULL;

	if (value == NULL && eq != NULL) {
		expanded = expand(l, env, eq + 1);
		value = expanded;
	}
	if (value == NULL && l->stage != NULL)
		value = stv_env_get(&l->global, name);
	if (value != NULL)
		set_env(l, env, name, value);
	free(expanded);
	return name;
}

/*
 * The ARGs before the first FROM, without the build arguments where
 * ${has_args} is false.
 */
static void
declare_global(struct df_lint *l, struct stv_strs *env, struct stv_strs *names,
	       bool has_args)
{
	const struct df_file *f = l->o.file;

	stv_strs_copy(env, &l->auto_args);
	for (size_t i = 0; i < f->n_nodes && f->nodes[i].kind == DF_ARG; i++)
		for (size_t k = 0; k < f->nodes[i].n_args; k++)
			stv_strs_take(names,
				      declare(l, f->nodes[i].args[k].text, env,
					      has_args));
}

void
df_lint_default_arg(struct df_lint *l)
{
	struct stv_strs env = {0}, names = {0};

	if (l->o.is_image == NULL)
		return;
	declare_global(l, &env, &names, false);
	for (size_t i = 0; i < l->stages.len; i++) {
		const struct df_arg *base = &l->stages.v[i].from->args[0];
		stv_auto_free char *name = expand(l, &env, base->text);
		struct stv_diag *f;

		if (name == NULL || is_vague(l, &env))
			break;
		/* A name without variables is simply wrong, and refused. */
		if (strchr(base->text, '$') == NULL ||
		    l->o.is_image(l->o.arg, name))
			continue;
		f = df_lint_add(l, DF_R_DEFAULT_ARG, base->span,
				"'%s' is no valid image name where no build "
				"argument is given",
				base->text);
		stv_diag_hint(f, "Give the ARG a default, or write "
				 "'${NAME:-default}' here.");
	}
	stv_strs_clear(&env);
	stv_strs_clear(&names);
}

/* ---- stages --------------------------------------------------------------*/

static size_t
find_stage(const struct df_lint *l, const char *name)
{
	for (size_t i = l->stages.len; i-- > 0;)
		if (l->stages.v[i].name != NULL &&
		    strcmp(l->stages.v[i].name, name) == 0)
			return i;
	return SIZE_MAX;
}

static char *
lower(const char *text)
{
	char *s = stv_xstrdup(text);

	for (char *p = s; *p != '\0'; p++)
		*p = (char)tolower((unsigned char)*p);
	return s;
}

static void
add_stage(struct df_lint *l, const struct df_node *from)
{
	struct lint_stage st = {
		.from = from,
		.index = l->stages.len,
		.base_name = expand(l, &l->global, from->args[0].text),
		.is_sh = true,
	};

	if (st.base_name == NULL || is_vague(l, &l->global)) {
		free(st.base_name);
		st.base_name = stv_xstrdup("");
	}
	st.parent = find_stage(l, st.base_name);
	if (from->n_args == 3)
		st.name = lower(from->args[2].text);
	*stv_vec_push(&l->stages) = st;
	if (st.parent != SIZE_MAX)
		l->stages.v[st.parent].n_children++;
}

void
df_lint_scopes(struct df_lint *l)
{
	const struct df_file *f = l->o.file;
	struct stv_platform host = {0};
	size_t at = SIZE_MAX;

	stv_platform_host(&host);
	add_platform(&l->auto_args, "BUILD", &host);
	add_platform(&l->auto_args, "TARGET", &l->platform);
	stv_env_set(&l->auto_args, "TARGETSTAGE",
		    l->o.target != NULL ? l->o.target : "default");
	stv_platform_fini(&host);
	declare_global(l, &l->global, &l->global_names, true);
	for (size_t i = 0; i < f->n_nodes; i++)
		if (f->nodes[i].kind == DF_FROM)
			add_stage(l, &f->nodes[i]);
	if (l->o.target != NULL) {
		stv_auto_free char *name = lower(l->o.target);

		at = find_stage(l, name);
	}
	if (at == SIZE_MAX)
		at = l->stages.len - 1;
	for (; at != SIZE_MAX; at = l->stages.v[at].parent)
		l->stages.v[at].is_shipped = true;
}

/* What the hook knows of the image below a stage. */
static void
take_base(struct df_lint *l, struct lint_stage *st)
{
	struct df_lint_base b = {0};

	if (l->o.base == NULL || !l->o.base(l->o.arg, st->base_name, &b)) {
		df_lint_base_fini(&b);
		return;
	}
	st->knows_base = b.on_build.len == 0;
	st->has_shell = b.shell != NULL;
	st->is_sh = b.shell == NULL || df_lint_is_sh(b.shell, strlen(b.shell));
	st->is_root = b.user == NULL || *b.user == '\0' ||
		      strcmp(b.user, "root") == 0 || strcmp(b.user, "0") == 0;
	st->workdir = stv_xstrdup(
		b.workdir != NULL && *b.workdir == '/' ? b.workdir : "/");
	stv_strs_copy(&st->env, &b.env);
	stv_platform_copy(&st->platform, &b.platform);
	df_lint_base_fini(&b);
}

/* A list that is copied, or moved where nobody else wants it. */
static void
take_list(const struct lint_stage *from, struct stv_strs *list,
	  struct stv_strs *ret)
{
	if (from->n_children > 0) {
		stv_strs_copy(ret, list);
		return;
	}
	*ret = *list;
	*list = (struct stv_strs){0};
}

static size_t
count_bytes(const struct stv_strs *list)
{
	size_t n = 0;

	for (size_t i = 0; i < list->len; i++)
		n += strlen(list->v[i]);
	return n;
}

/* Everything that a stage takes over from the one that it begins from. */
static void
take_parent(struct df_lint *l, struct lint_stage *st, struct lint_stage *from)
{
	from->n_children--;
	st->knows_base = from->knows_base;
	st->sets_workdir = from->sets_workdir;
	st->has_shell = from->has_shell;
	st->is_sh = from->is_sh;
	st->is_root = from->is_root;
	if (from->workdir != NULL)
		st->workdir = stv_xstrdup(from->workdir);
	if (from->n_children > 0)
		l->n_bytes +=
			count_bytes(&from->env) + count_bytes(&from->declared);
	if (l->n_bytes > STV_MAX_EXPANDED_TOTAL) {
		st->knows_base = false;
		return;
	}
	take_list(from, &from->env, &st->env);
	take_list(from, &from->declared, &st->declared);
}

/* What no later stage wants of a stage that is over. */
static void
end_stage(struct lint_stage *st)
{
	for (size_t i = 0; i < st->copied.len; i++)
		free(st->copied.v[i].path);
	stv_vec_fini(&st->copied);
	if (st->n_children > 0)
		return;
	stv_strs_clear(&st->env);
	stv_strs_clear(&st->declared);
}

void
df_lint_begin_stage(struct df_lint *l, size_t i)
{
	struct lint_stage *st = &l->stages.v[i];

	if (l->stage != NULL)
		end_stage(l->stage);
	l->stage = st;
	if (st->parent != SIZE_MAX) {
		take_parent(l, st, &l->stages.v[st->parent]);
		return;
	}
	if (strcmp(st->base_name, "scratch") == 0) {
		st->knows_base = st->is_root = true;
		st->workdir = stv_xstrdup("/");
	} else {
		take_base(l, st);
	}
	if (stv_env_get(&st->env, "PATH") == NULL)
		stv_env_set(&st->env, "PATH", DEFAULT_PATH);
}

void
df_lint_fini_stage(struct lint_stage *st)
{
	st->n_children = 0;
	end_stage(st);
	free(st->name);
	free(st->base_name);
	free(st->workdir);
	stv_platform_fini(&st->platform);
}

/* ---- steps ---------------------------------------------------------------*/

char *
df_lint_path(struct df_lint *l, const char *text)
{
	stv_auto_buf b = STV_BUF_INIT((size_t)1 << 20);
	stv_auto_free char *whole = NULL;
	const char *p;

	if (*text != '/' && l->stage->workdir == NULL)
		return NULL;
	whole = *text == '/' ? stv_xstrdup(text)
			     : stv_xasprintf("%s/%s", l->stage->workdir, text);
	for (p = whole; *p != '\0';) {
		size_t n = strcspn(p, "/");

		if (n == 2 && p[0] == '.' && p[1] == '.') {
			while (b.len > 0 && b.data[b.len - 1] != '/')
				stv_buf_truncate(&b, b.len - 1);
			if (b.len > 0)
				stv_buf_truncate(&b, b.len - 1);
		} else if (n > 0 && (n != 1 || *p != '.')) {
			stv_buf_addc(&b, '/');
			stv_buf_add(&b, p, n);
		}
		p += n + (p[n] == '/');
	}
	if (b.len == 0)
		stv_buf_addc(&b, '/');
	return b.is_over ? NULL : stv_buf_take(&b);
}

static void
step_env(struct df_lint *l, const struct df_node *n)
{
	struct stv_strs *env = &l->stage->env, names = {0}, values = {0};

	/* All assignments see the values from before the instruction. */
	for (size_t i = 0; i + 1 < n->n_args; i += 3) {
		char *name = expand(l, env, n->args[i].text);
		char *value = expand(l, env, n->args[i + 1].text);

		stv_strs_take(&names, name != NULL ? name : stv_xstrdup(""));
		stv_strs_take(&values, value != NULL ? value : stv_xstrdup(""));
	}
	for (size_t i = 0; i < names.len; i++)
		if (*names.v[i] != '\0')
			set_env(l, env, names.v[i], values.v[i]);
	stv_strs_clear(&names);
	stv_strs_clear(&values);
}

static void
step_workdir(struct df_lint *l, const struct df_node *n)
{
	struct lint_stage *st = l->stage;
	stv_auto_free char *text = df_lint_expand(l, n->args[0].text);
	char *path = text != NULL ? df_lint_path(l, text) : NULL;

	free(st->workdir);
	st->workdir = path;
	st->sets_workdir = true;
}

static void
step_user(struct df_lint *l, const struct df_node *n)
{
	stv_auto_free char *user = df_lint_expand(l, n->args[0].text);
	size_t len = user != NULL ? strcspn(user, ":") : 0;

	l->stage->is_root = (len == 1 && *user == '0') ||
			    (len == 4 && strncmp(user, "root", 4) == 0);
}

static void
step_shell(struct lint_stage *st, const struct df_node *n)
{
	const char *path = n->args[0].text;

	st->has_shell = true;
	st->is_sh = df_lint_is_sh(path, strlen(path));
}

void
df_lint_step(struct df_lint *l, const struct df_node *n)
{
	struct lint_stage *st = l->stage;

	if (st == NULL)
		return;
	if (n->kind == DF_ARG)
		for (size_t i = 0; i < n->n_args; i++)
			stv_strs_take(&st->declared, declare(l, n->args[i].text,
							     &st->env, true));
	else if (n->kind == DF_ENV)
		step_env(l, n);
	else if (n->kind == DF_WORKDIR)
		step_workdir(l, n);
	else if (n->kind == DF_USER)
		step_user(l, n);
	else if (n->kind == DF_SHELL)
		step_shell(st, n);
	else if (n->kind == DF_CMD)
		st->cmd = n;
	else if (n->kind == DF_ENTRYPOINT)
		st->entrypoint = n;
	else if (n->kind == DF_HEALTHCHECK)
		st->healthcheck = n;
	else if (n->kind == DF_COPY || n->kind == DF_ADD)
		df_lint_note_copy(l, n);
	st->knows_base = st->knows_base && !is_vague(l, &st->env);
}
