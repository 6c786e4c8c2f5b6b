/* cmd/changes.c - instructions applied to a config: import --change. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/cleanup.h"
#include "core/diag.h"
#include "core/err.h"
#include "core/mem.h"
#include "core/oci.h"
#include "core/source.h"
#include "core/strs.h"

#include "parser/expand.h"
#include "parser/parse.h"

#include "cmd/changes.h"

/* One change while it is applied. */
struct change {
	struct oci_runconfig *config;
	const struct df_node *node;
	struct df_expander expander;
};

static const char *
lookup(void *arg, const char *name)
{
	return stv_env_get(&((struct oci_runconfig *)arg)->env, name);
}

static int
expand(struct change *c, size_t i, char **ret, struct stv_err **err)
{
	return df_expand_word(&c->expander, c->node->args[i].text, ret, err);
}

/* Keep a list as the config has it: sorted, each once. */
static void
add_unique(struct stv_strs *list, const char *s)
{
	if (!stv_strs_has(list, s))
		stv_strs_add(list, s);
	stv_strs_sort(list);
}

/* ENV and LABEL: name, value and separator in turn. */
static int
set_pairs(struct change *c, struct stv_err **err)
{
	for (size_t i = 0; i + 2 < c->node->n_args; i += 3) {
		stv_auto_free char *name = NULL, *value = NULL;

		if (expand(c, i, &name, err) < 0 ||
		    expand(c, i + 1, &value, err) < 0)
			return -1;
		if (c->node->kind == DF_ENV)
			stv_env_set(&c->config->env, name, value);
		else
			stv_pairs_set(&c->config->labels, name, value);
	}
	return 0;
}

/* The arguments from ${first} on as a command: as they are, or by a shell. */
static void
set_command(const struct df_node *n, size_t first, struct stv_strs *ret)
{
	if (!n->is_json && n->n_args > first) {
		stv_strs_add(ret, "/bin/sh");
		stv_strs_add(ret, "-c");
	}
	for (size_t i = first; i < n->n_args; i++)
		stv_strs_add(ret, n->args[i].text);
}

static void
set_argv(struct change *c)
{
	bool is_cmd = c->node->kind == DF_CMD;
	struct stv_strs *to = is_cmd ? &c->config->cmd : &c->config->entrypoint;

	stv_strs_clear(to);
	set_command(c->node, 0, to);
	*(is_cmd ? &c->config->has_cmd : &c->config->has_entrypoint) = true;
}

static int
set_expose(struct change *c, struct stv_err **err)
{
	struct stv_strs words = {0}, ports = {0};
	int rc = 0;

	for (size_t i = 0; i < c->node->n_args && rc == 0; i++)
		rc = df_expand_words(&c->expander, c->node->args[i].text,
				     &words, err);
	for (size_t i = 0; i < words.len && rc == 0; i++)
		rc = df_check_port(words.v[i], &ports, err);
	for (size_t i = 0; i < ports.len && rc == 0; i++)
		add_unique(&c->config->exposed_ports, ports.v[i]);
	stv_strs_clear(&words);
	stv_strs_clear(&ports);
	return rc;
}

static int
set_volumes(struct change *c, struct stv_err **err)
{
	for (size_t i = 0; i < c->node->n_args; i++) {
		stv_auto_free char *path = NULL;

		if (expand(c, i, &path, err) < 0)
			return -1;
		add_unique(&c->config->volumes, path);
	}
	return 0;
}

/* A flag of HEALTHCHECK, "" where it is not given. */
static const char *
flag(const struct df_node *n, const char *name)
{
	const struct df_flag *f = df_node_flag(n, name);

	return f != NULL ? f->value : "";
}

static int
set_healthcheck(struct change *c, struct stv_err **err)
{
	struct oci_healthcheck *h = &c->config->healthcheck;
	const struct df_node *n = c->node;
	int retries = 0;

	if (df_check_interval(flag(n, "interval"), &h->interval_ns, err) < 0 ||
	    df_check_interval(flag(n, "timeout"), &h->timeout_ns, err) < 0 ||
	    df_check_interval(flag(n, "start-period"), &h->start_period_ns,
			      err) < 0 ||
	    df_check_interval(flag(n, "start-interval"), &h->start_interval_ns,
			      err) < 0 ||
	    df_check_retries(flag(n, "retries"), &retries, err) < 0)
		return -1;
	h->retries = (uint64_t)retries;
	stv_strs_clear(&h->test);
	if (strcasecmp(n->args[0].text, "NONE") == 0) {
		stv_strs_add(&h->test, "NONE");
	} else {
		stv_strs_add(&h->test, n->is_json ? "CMD" : "CMD-SHELL");
		for (size_t i = 1; i < n->n_args; i++)
			stv_strs_add(&h->test, n->args[i].text);
	}
	c->config->has_healthcheck = true;
	return 0;
}

/* A directory as seen from the one before it. */
static char *
join_workdir(const char *base, const char *text)
{
	if (*text == '/')
		return stv_xstrdup(text);
	if (base == NULL || strcmp(base, "/") == 0)
		base = "";
	return stv_xasprintf("%s/%s", base, text);
}

/* USER, STOPSIGNAL and WORKDIR have one text. */
static int
set_text(struct change *c, struct stv_err **err)
{
	stv_auto_free char *text = NULL;
	enum df_kind kind = c->node->kind;
	char **field = kind == DF_USER	       ? &c->config->user
		       : kind == DF_STOPSIGNAL ? &c->config->stop_signal
					       : &c->config->working_dir;
	char *value;

	if (c->node->n_args != 1)
		return stv_fail(err, STV_E_CHECK, "%s needs one argument",
				df_kind_name(kind));
	if (expand(c, 0, &text, err) < 0)
		return -1;
	if (kind == DF_STOPSIGNAL && df_check_signal(text, err) < 0)
		return -1;
	value = kind == DF_WORKDIR ? join_workdir(*field, text)
				   : stv_xstrdup(text);
	free(*field);
	*field = value;
	return 0;
}

static int
apply(struct change *c, struct stv_err **err)
{
	switch (c->node->kind) {
	case DF_CMD:
	case DF_ENTRYPOINT:
		set_argv(c);
		return 0;
	case DF_ENV:
	case DF_LABEL:
		return set_pairs(c, err);
	case DF_EXPOSE:
		return set_expose(c, err);
	case DF_HEALTHCHECK:
		return set_healthcheck(c, err);
	case DF_STOPSIGNAL:
	case DF_USER:
	case DF_WORKDIR:
		return set_text(c, err);
	case DF_VOLUME:
		return set_volumes(c, err);
	case DF_ADD:
	case DF_ARG:
	case DF_COPY:
	case DF_FROM:
	case DF_MAINTAINER:
	case DF_ONBUILD:
	case DF_RUN:
	case DF_SHELL:
		break;
	}
	stv_fail(err, STV_E_INPUT, "%s cannot be applied to an image",
		 df_kind_name(c->node->kind));
	stv_err_hint(*err, "Possible are CMD, ENTRYPOINT, ENV, EXPOSE, "
			   "HEALTHCHECK, LABEL, ONBUILD, STOPSIGNAL, USER, "
			   "VOLUME and WORKDIR.");
	return -1;
}

/* The trigger behind "ONBUILD ", or NULL where ${text} is no ONBUILD. */
static const char *
trigger_of(const char *text)
{
	const char *at = text + strspn(text, " \t");

	if (strncasecmp(at, "ONBUILD", 7) != 0 ||
	    (at[7] != ' ' && at[7] != '\t'))
		return NULL;
	return at + 7 + strspn(at + 7, " \t");
}

static int
parse_and_apply(struct stv_sources *sources, struct oci_runconfig *config,
		const char *text, struct stv_diags *diags, struct stv_err **err)
{
	stv_auto(df_file) *file = NULL;
	const char *trigger = trigger_of(text);
	struct change c = {
		.config = config,
		.expander = {.escape = '\\', .lookup = lookup, .arg = config},
	};

	if (df_parse_onbuild(sources, trigger != NULL ? trigger : text, &file,
			     diags, err) < 0)
		return -1;
	c.node = &file->nodes[0];
	if (trigger == NULL)
		return apply(&c, err);
	stv_strs_add(&config->on_build, c.node->original);
	return 0;
}

int
cmd_change_apply(struct oci_runconfig *config, const char *text,
		 struct stv_err **err)
{
	stv_auto(stv_sources) *sources = stv_sources_new();
	struct stv_diags diags = {0};
	int rc = parse_and_apply(sources, config, text, &diags, err);

	/* the first finding says it; there is no file to point into */
	if (rc < 0 && diags.len > 0) {
		stv_err_clear(err);
		stv_fail(err, STV_E_SYNTAX, "%s", diags.v[0].msg);
		if (diags.v[0].hint != NULL)
			stv_err_hint(*err, "%s", diags.v[0].hint);
	}
	stv_diags_fini(&diags);
	return rc < 0 ? stv_wrap(err, "--change '%s'", text) : 0;
}
