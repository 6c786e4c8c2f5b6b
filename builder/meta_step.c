/* builder/meta_step.c - instructions that only change the image's config. */
#include <stdlib.h>
#include <string.h>

#include "core/buf.h"
#include "core/err.h"
#include "core/limits.h"
#include "core/mem.h"
#include "parser/parse.h"

#include "builder/build_internal.h"

void
bld_history(struct bld_stage *st, const char *by, const char *created,
	    bool is_empty)
{
	struct oci_history *h = oci_config_add_history(st->config);

	h->created_by = stv_xstrdup(by);
	h->comment = stv_xstrdup("buildkit.dockerfile.v0");
	h->created = created == NULL ? NULL : stv_xstrdup(created);
	h->is_empty_layer = is_empty;
}

void
bld_shell(const struct bld_stage *st, const char *text, struct stv_strs *ret)
{
	const struct oci_runconfig *c = &st->config->config;

	if (c->has_shell && c->shell.len > 0) {
		stv_strs_copy(ret, &c->shell);
	} else {
		stv_strs_add(ret, "/bin/sh");
		stv_strs_add(ret, "-c");
	}
	stv_strs_add(ret, text);
}

/* ENV and LABEL: name, value, separator in turn. */
static int
pairs_step(struct bld_stage *st, const struct df_node *node,
	   struct stv_err **err)
{
	struct stv_pairs pairs = {0};
	struct oci_runconfig *c = &st->config->config;
	int result = 0;

	for (size_t i = 0; i + 2 < node->n_args && result == 0; i += 3) {
		stv_auto_free char *name = NULL, *value = NULL;

		result = bld_expand(st, node->args[i].text, node->args[i].span,
				    &name, err);
		if (result == 0)
			result =
				bld_expand(st, node->args[i + 1].text,
					   node->args[i + 1].span, &value, err);
		if (result == 0 && *name == '\0') {
			stv_fail(err, STV_E_CHECK, "%s with an empty name",
				 df_kind_name(node->kind));
			result = stv_err_at(*err, node->args[i].span);
		}
		if (result == 0)
			stv_pairs_set(&pairs, name, value);
	}
	for (size_t i = 0; i < pairs.len && result == 0; i++) {
		if (node->kind == DF_LABEL) {
			stv_pairs_set(&c->labels, pairs.v[i].name,
				      pairs.v[i].value);
			continue;
		}
		stv_env_set(&c->env, pairs.v[i].name, pairs.v[i].value);
		stv_env_set(&st->env, pairs.v[i].name, pairs.v[i].value);
		stv_env_set(&st->set_by, pairs.v[i].name, "ENV");
	}
	stv_pairs_clear(&pairs);
	return result;
}

/* The argv of CMD and ENTRYPOINT. */
static void
command_line(struct bld_stage *st, const struct df_node *node, size_t first,
	     struct stv_strs *ret)
{
	if (node->is_json) {
		for (size_t i = first; i < node->n_args; i++)
			stv_strs_add(ret, node->args[i].text);
		return;
	}
	bld_shell(st, node->n_args > first ? node->args[first].text : "", ret);
}

static int
expose_step(struct bld_stage *st, const struct df_node *node,
	    struct stv_err **err)
{
	struct oci_runconfig *c = &st->config->config;

	for (size_t i = 0; i < node->n_args; i++) {
		struct stv_strs words = {0}, ports = {0};
		int r = bld_expand_list(st, node->args[i].text,
					node->args[i].span, &words, err);

		for (size_t k = 0; k < words.len && r == 0; k++) {
			r = df_check_port(words.v[k], &ports, err);
			if (r < 0)
				stv_err_at(*err, node->args[i].span);
		}
		if (r == 0)
			stv_strs_copy(&c->exposed_ports, &ports);
		stv_strs_clear(&words);
		stv_strs_clear(&ports);
		if (r < 0)
			return -1;
	}
	stv_strs_sort_unique(&c->exposed_ports);
	return 0;
}

static int
volume_step(struct bld_stage *st, const struct df_node *node,
	    struct stv_err **err)
{
	struct oci_runconfig *c = &st->config->config;

	for (size_t i = 0; i < node->n_args; i++) {
		stv_auto_free char *path = NULL;

		if (bld_expand(st, node->args[i].text, node->args[i].span,
			       &path, err) < 0)
			return -1;
		if (*path == '\0') {
			stv_fail(err, STV_E_CHECK, "VOLUME with an empty path");
			return stv_err_at(*err, node->args[i].span);
		}
		stv_strs_take(&c->volumes, stv_steal(&path));
	}
	stv_strs_sort_unique(&c->volumes);
	return 0;
}

/* The only text of USER, STOPSIGNAL and the like, expanded. */
static int
one_text(struct bld_stage *st, const struct df_node *node, char **ret,
	 struct stv_err **err)
{
	if (node->n_args == 0) {
		*ret = stv_xstrdup("");
		return 0;
	}
	return bld_expand(st, node->args[0].text, node->args[0].span, ret, err);
}

static int
text_step(struct bld_stage *st, const struct df_node *node,
	  struct stv_err **err)
{
	struct oci_runconfig *c = &st->config->config;
	stv_auto_free char *text = NULL;

	if (node->kind == DF_MAINTAINER) {
		/* The only text that knows neither quotes nor variables. */
		free(st->config->author);
		st->config->author =
			stv_xstrdup(node->n_args > 0 ? node->args[0].text : "");
		return 0;
	}
	if (one_text(st, node, &text, err) < 0)
		return -1;
	if (node->kind == DF_USER) {
		free(c->user);
		c->user = stv_steal(&text);
	} else {
		if (df_check_signal(text, err) < 0)
			return stv_err_at(*err, node->args[0].span);
		free(c->stop_signal);
		c->stop_signal = stv_steal(&text);
	}
	return 0;
}

/* One duration flag of HEALTHCHECK; the parser has checked it. */
static int
interval(const struct df_node *node, const char *name, int64_t *ret,
	 struct stv_err **err)
{
	const struct df_flag *f = df_node_flag(node, name);

	if (f == NULL)
		return 0;
	if (df_check_interval(f->value, ret, err) < 0)
		return stv_err_at(*err, f->span);
	return 0;
}

static int
healthcheck_step(struct bld_stage *st, const struct df_node *node,
		 struct stv_err **err)
{
	struct oci_runconfig *c = &st->config->config;
	struct oci_healthcheck *h = &c->healthcheck;
	const struct df_flag *retries = df_node_flag(node, "retries");
	int n = 0;

	stv_strs_clear(&h->test);
	*h = (struct oci_healthcheck){0};
	c->has_healthcheck = true;
	if (strcasecmp(node->args[0].text, "NONE") == 0) {
		stv_strs_add(&h->test, "NONE");
		return 0;
	}
	stv_strs_add(&h->test, node->is_json ? "CMD" : "CMD-SHELL");
	for (size_t i = 1; i < node->n_args; i++)
		stv_strs_add(&h->test, node->args[i].text);
	if (interval(node, "interval", &h->interval_ns, err) < 0 ||
	    interval(node, "timeout", &h->timeout_ns, err) < 0 ||
	    interval(node, "start-period", &h->start_period_ns, err) < 0 ||
	    interval(node, "start-interval", &h->start_interval_ns, err) < 0)
		return -1;
	if (retries != NULL && df_check_retries(retries->value, &n, err) < 0)
		return stv_err_at(*err, retries->span);
	h->retries = (uint64_t)n;
	return 0;
}

/* Names are looked for in lists: time must not grow without end. */
static int
check_numbers(const struct bld_stage *st, const struct df_node *node,
	      struct stv_err **err)
{
	const struct oci_runconfig *c = &st->config->config;

	if (st->env.len <= STV_MAX_VARIABLES &&
	    st->declared.len <= STV_MAX_VARIABLES &&
	    c->env.len <= STV_MAX_VARIABLES &&
	    c->labels.len <= STV_MAX_VARIABLES &&
	    c->volumes.len <= STV_MAX_VARIABLES)
		return 0;
	stv_fail(err, STV_E_LIMIT, "%s number %d is too many",
		 df_kind_name(node->kind), STV_MAX_VARIABLES + 1);
	return stv_err_at(*err, node->span);
}

int
bld_meta_step(struct bld_stage *st, const struct bld_step *step,
	      struct stv_err **err)
{
	const struct df_node *node = step->node;
	struct oci_runconfig *c = &st->config->config;
	int r = 0;

	switch (node->kind) {
	case DF_ENV:
	case DF_LABEL:
		r = pairs_step(st, node, err);
		break;
	case DF_ARG:
		r = bld_stage_arg(st, node, err);
		break;
	case DF_EXPOSE:
		r = expose_step(st, node, err);
		break;
	case DF_VOLUME:
		r = volume_step(st, node, err);
		break;
	case DF_USER:
	case DF_STOPSIGNAL:
	case DF_MAINTAINER:
		r = text_step(st, node, err);
		break;
	case DF_HEALTHCHECK:
		r = healthcheck_step(st, node, err);
		break;
	case DF_CMD:
		stv_strs_clear(&c->cmd);
		c->has_cmd = true;
		c->args_escaped = !node->is_json;
		st->cmd_is_own = true;
		command_line(st, node, 0, &c->cmd);
		break;
	case DF_ENTRYPOINT:
		stv_strs_clear(&c->entrypoint);
		c->has_entrypoint = true;
		command_line(st, node, 0, &c->entrypoint);
		if (!st->cmd_is_own) {
			stv_strs_clear(&c->cmd);
			c->has_cmd = false;
		}
		break;
	case DF_SHELL:
		stv_strs_clear(&c->shell);
		c->has_shell = true;
		for (size_t i = 0; i < node->n_args; i++)
			stv_strs_add(&c->shell, node->args[i].text);
		break;
	case DF_ONBUILD:
		stv_strs_add(&c->on_build, node->trigger);
		break;
	case DF_FROM:
	case DF_RUN:
	case DF_COPY:
	case DF_ADD:
	case DF_WORKDIR:
		STV_BUG("%s is no step of the config alone",
			df_kind_name(node->kind));
	}
	if (r == 0)
		r = check_numbers(st, node, err);
	if (r == 0)
		/* without an epoch by bld_image_finish(): of the next layer */
		bld_history(st, node->original,
			    st->b->o->has_epoch ? st->created : NULL, true);
	return r;
}
