/* builder/scope.c - ARG and ENV: who sees which value where. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "core/err.h"
#include "core/limits.h"
#include "core/mem.h"
#include "parser/expand.h"

#include "builder/build_internal.h"

bool
bld_is_proxy_arg(const char *name)
{
	static const char *const names[] = {
		"HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY",
		"NO_PROXY",   "ALL_PROXY",
	};

	for (size_t i = 0; i < STV_ARRAY_LEN(names); i++)
		if (strcasecmp(names[i], name) == 0)
			return true;
	return false;
}

const char *
bld_hostname(const struct bld_build *b)
{
	const char *name =
		stv_env_get(&b->o->build_args, "BUILDKIT_SANDBOX_HOSTNAME");

	return name != NULL && *name != '\0' ? name : NULL;
}

static const char *
lookup(void *arg, const char *name)
{
	return stv_env_get(arg, name);
}

static struct df_expander
expander(struct bld_build *b, struct stv_strs *env)
{
	return (struct df_expander){
		.escape = b->o->file->escape,
		.lookup = lookup,
		.arg = env,
		.shared = &b->n_expanded,
	};
}

int
bld_expand(struct bld_stage *st, const char *text, struct stv_span span,
	   char **ret, struct stv_err **err)
{
	struct df_expander x = expander(st->b, &st->env);

	if (df_expand_word(&x, text, ret, err) < 0)
		return stv_err_at(*err, span);
	return 0;
}

int
bld_expand_list(struct bld_stage *st, const char *text, struct stv_span span,
		struct stv_strs *ret, struct stv_err **err)
{
	struct df_expander x = expander(st->b, &st->env);

	if (df_expand_words(&x, text, ret, err) < 0)
		return stv_err_at(*err, span);
	return 0;
}

int
bld_expand_body(struct bld_stage *st, const struct df_heredoc *h, char **ret,
		struct stv_err **err)
{
	struct df_expander x = expander(st->b, &st->env);
	stv_auto_free char *text = df_heredoc_text(h);

	if (!h->expand) {
		*ret = stv_steal(&text);
		return 0;
	}
	if (df_expand_heredoc(&x, text, ret, err) < 0)
		return stv_err_at(*err, h->body_span);
	return 0;
}

int
bld_expand_in(struct bld_build *b, struct stv_strs *env, const char *text,
	      struct stv_strs *used, char **ret, struct stv_err **err)
{
	struct df_expander x = expander(b, env);

	x.used = used;
	return df_expand_word(&x, text, ret, err);
}

int
bld_expand_global(struct bld_build *b, const char *text, struct stv_span span,
		  char **ret, struct stv_err **err)
{
	struct df_expander x = expander(b, &b->global_env);

	if (df_expand_word(&x, text, ret, err) < 0)
		return stv_err_at(*err, span);
	return 0;
}

/* PREFIXPLATFORM, PREFIXOS, PREFIXARCH, PREFIXVARIANT. */
static void
add_platform(struct stv_strs *env, const char *prefix,
	     const struct stv_platform *p)
{
	stv_auto_free char *whole = stv_platform_str(p);
	const struct {
		const char *name;
		const char *value;
	} all[] = {
		{"PLATFORM", whole},
		{"OS", p->os},
		{"ARCH", p->arch},
		{"VARIANT", p->variant},
	};

	for (size_t i = 0; i < STV_ARRAY_LEN(all); i++) {
		stv_auto_free char *name =
			stv_xasprintf("%s%s", prefix, all[i].name);

		stv_env_set(env, name,
			    all[i].value == NULL ? "" : all[i].value);
	}
}

void
bld_scope_init(struct bld_build *b)
{
	struct stv_platform host = {0};

	stv_platform_host(&host);
	add_platform(&b->auto_args, "BUILD", &host);
	add_platform(&b->auto_args, "TARGET",
		     b->o->platform.os != NULL ? &b->o->platform : &host);
	/* stages that several targets share have one value: the first's */
	stv_env_set(&b->auto_args, "TARGETSTAGE",
		    b->o->n_targets > 0 && b->o->targets[0].stage != NULL &&
				    b->o->targets[0].stage[0] != '\0'
			    ? b->o->targets[0].stage
			    : "default");
	if (b->o->has_epoch) {
		stv_auto_free char *epoch =
			stv_xasprintf("%lld", (long long)b->o->epoch);

		stv_env_set(&b->auto_args, "SOURCE_DATE_EPOCH", epoch);
	}
	stv_strs_copy(&b->global_env, &b->auto_args);
	stv_platform_fini(&host);
}

/* One declaration of an ARG, before expansion. */
struct declaration {
	char *name;
	char *value; /* NULL: no default */
};

/* Cut "NAME=VALUE" (with quotes) and expand both sides. */
static int
declare(struct df_expander *x, const struct df_arg *arg,
	struct declaration *ret, struct stv_err **err)
{
	const char *eq = strchr(arg->text, '=');
	stv_auto_free char *name =
		eq == NULL ? stv_xstrdup(arg->text)
			   : stv_xstrndup(arg->text, (size_t)(eq - arg->text));

	if (df_expand_word(x, name, &ret->name, err) < 0)
		return stv_err_at(*err, arg->span);
	if (eq != NULL && df_expand_word(x, eq + 1, &ret->value, err) < 0)
		return stv_err_at(*err, arg->span);
	return 0;
}

/* The value that --build-arg gives, or NULL. */
static const char *
given(struct bld_build *b, const char *name)
{
	const char *value = stv_env_get(&b->o->build_args, name);

	if (value != NULL && !stv_strs_has(&b->used_args, name))
		stv_strs_add(&b->used_args, name);
	return value;
}

int
bld_global_arg(struct bld_build *b, const struct df_node *node,
	       struct stv_err **err)
{
	for (size_t i = 0; i < node->n_args; i++) {
		struct df_expander x = expander(b, &b->global_env);
		struct declaration d = {0};
		const char *value;

		if (declare(&x, &node->args[i], &d, err) < 0) {
			free(d.name);
			return -1;
		}
		value = given(b, d.name);
		if (value == NULL)
			value = d.value;
		if (value != NULL)
			stv_env_set(&b->global_env, d.name, value);
		free(d.name);
		free(d.value);
		if (b->global_env.len > STV_MAX_VARIABLES) {
			stv_fail(err, STV_E_LIMIT, "ARG number %d is too many",
				 STV_MAX_VARIABLES + 1);
			return stv_err_at(*err, node->args[i].span);
		}
	}
	return 0;
}

int
bld_stage_arg(struct bld_stage *st, const struct df_node *node,
	      struct stv_err **err)
{
	struct bld_build *b = st->b;

	/* Unlike ENV's, each one sees those before it. */
	for (size_t i = 0; i < node->n_args; i++) {
		struct df_expander x = expander(b, &st->env);
		struct declaration d = {0};
		const char *value;

		if (declare(&x, &node->args[i], &d, err) < 0) {
			free(d.name);
			return -1;
		}
		value = given(b, d.name);
		if (value == NULL)
			value = d.value;
		if (value == NULL)
			value = stv_env_get(&b->global_env, d.name);
		if (!stv_strs_has(&st->declared, d.name))
			stv_strs_add(&st->declared, d.name);
		if (value != NULL) {
			stv_env_set(&st->env, d.name, value);
			stv_env_set(&st->args, d.name, value);
			stv_env_set(&st->set_by, d.name, "ARG");
		}
		free(d.name);
		free(d.value);
	}
	return 0;
}

void
bld_run_env(struct bld_stage *st, struct stv_strs *ret,
	    struct stv_strs *ret_proxy)
{
	const struct stv_strs *args = &st->b->o->build_args;

	stv_strs_copy(ret, &st->env);
	for (size_t i = 0; i < args->len; i++) {
		const char *eq = strchr(args->v[i], '=');
		stv_auto_free char *name =
			stv_xstrndup(args->v[i], (size_t)(eq - args->v[i]));

		if (!bld_is_proxy_arg(name))
			continue;
		(void)given(st->b, name);
		for (int upper = 1; upper >= 0; upper--) {
			for (char *p = name; *p != '\0'; p++)
				*p = (char)(upper ? toupper((unsigned char)*p)
						  : tolower((unsigned char)*p));
			if (stv_env_get(ret, name) == NULL)
				stv_env_set(ret_proxy, name, eq + 1);
		}
	}
	if (stv_env_get(ret, "PATH") == NULL)
		stv_env_set(ret, "PATH", SBX_DEFAULT_PATH);
}
