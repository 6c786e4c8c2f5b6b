/* cmd/opts.c - command lines by table. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/bool.h"
#include "core/buf.h"
#include "core/cleanup.h"
#include "core/err.h"
#include "core/mem.h"
#include "core/strs.h"

#include "cmd/ctx.h"

#include "cmd/opts.h"

/* Longest word that is compared with others; a longer one is no typing slip. */
#define NEAREST_MAX 40

struct common_values {
	const char *root;
	bool is_debug;
	bool is_help;
};

const struct cmd_opt cmd_opts_common[] = {
	CMD_STR("root", 0, "DIR", struct common_values, root,
		"the store (default $STAVE_ROOT)"),
	CMD_FLAG("debug", 'D', struct common_values, is_debug,
		 "tell more about errors"),
	CMD_FLAG("help", 'h', struct common_values, is_help, "print this help"),
	CMD_OPT_END,
};

/* One parse of one command line. */
struct parse {
	const struct cmd_verb *verb;
	void *values;
	struct common_values common;
	struct stv_buf moot; /* names of options without meaning here */
	int argc;
	char **argv;
	int at;
	int n_args;
};

/* Optimal string alignment distance: a swap of neighbours counts one. */
static size_t
distance(const char *a, const char *b)
{
	size_t d[NEAREST_MAX + 2][NEAREST_MAX + 2];
	size_t la = strlen(a), lb = strlen(b);

	if (la > NEAREST_MAX || lb > NEAREST_MAX)
		return SIZE_MAX;
	for (size_t i = 0; i <= la; i++)
		d[i][0] = i;
	for (size_t j = 0; j <= lb; j++)
		d[0][j] = j;
	for (size_t i = 1; i <= la; i++) {
		for (size_t j = 1; j <= lb; j++) {
			size_t best = d[i - 1][j - 1] + (a[i - 1] != b[j - 1]);

			if (d[i - 1][j] + 1 < best)
				best = d[i - 1][j] + 1;
			if (d[i][j - 1] + 1 < best)
				best = d[i][j - 1] + 1;
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] &&
			    a[i - 2] == b[j - 1] && d[i - 2][j - 2] + 1 < best)
				best = d[i - 2][j - 2] + 1;
			d[i][j] = best;
		}
	}
	return d[la][lb];
}

/* Keep ${name} if it is nearer to ${word} than *${best}. */
static void
consider(const char *word, const char *name, const char **best, size_t *best_d)
{
	size_t d = distance(word, name);

	if (d < *best_d) {
		*best = name;
		*best_d = d;
	}
}

/* A third of the word may be wrong, and at least one letter. */
static size_t
tolerance(const char *word)
{
	size_t n = strlen(word) / 3;

	return (n > 0 ? n : 1) + 1;
}

const char *
cmd_nearest(const char *word, const char *const *names, size_t n)
{
	const char *best = NULL;
	size_t best_d = tolerance(word);

	for (size_t i = 0; i < n; i++)
		consider(word, names[i], &best, &best_d);
	return best;
}

static const char *
nearest_opt(const struct cmd_verb *verb, const char *word)
{
	const char *best = NULL;
	size_t best_d = tolerance(word);

	for (const struct cmd_opt *o = verb->opts; o->kind != CMD_KIND_END; o++)
		if (o->kind < CMD_KIND_MOOT)
			consider(word, o->name, &best, &best_d);
	for (const struct cmd_opt *o = cmd_opts_common; o->kind != CMD_KIND_END;
	     o++)
		consider(word, o->name, &best, &best_d);
	return best;
}

static const struct cmd_opt *
find_in(const struct cmd_opt *o, const char *name, size_t n, char letter)
{
	for (; o->kind != CMD_KIND_END; o++) {
		if (name != NULL && strncmp(o->name, name, n) == 0 &&
		    o->name[n] == '\0')
			return o;
		if (letter != 0 && o->letter == letter)
			return o;
	}
	return NULL;
}

/* The option, and the structure that its offset counts in. */
static const struct cmd_opt *
find(struct parse *p, const char *name, size_t n, char letter, void **base)
{
	const struct cmd_opt *o = find_in(p->verb->opts, name, n, letter);

	*base = p->values;
	if (o == NULL) {
		o = find_in(cmd_opts_common, name, n, letter);
		*base = &p->common;
	}
	return o;
}

static bool
has_value(const struct cmd_opt *o)
{
	return o->metavar != NULL;
}

static int
hint_help(const struct parse *p, struct stv_err **err)
{
	stv_err_hint(*err, "'stave %s --help' lists the options.",
		     p->verb->name);
	return -1;
}

static int
unknown(const struct parse *p, const char *shown, const char *word,
	struct stv_err **err)
{
	const char *near = nearest_opt(p->verb, word);

	stv_fail(err, STV_E_USAGE, "stave %s: unknown option '%s'",
		 p->verb->name, shown);
	if (near == NULL)
		return hint_help(p, err);
	stv_err_hint(*err, "Did you mean '--%s'?", near);
	return -1;
}

static int
later(const struct parse *p, const struct cmd_opt *o, struct stv_err **err)
{
	stv_fail(err, STV_E_USAGE,
		 "stave %s: --%s is not supported yet by this version",
		 p->verb->name, o->name);
	return hint_help(p, err);
}

/* Give option ${o} its value (NULL for a flag without one). */
static int
assign(struct parse *p, const struct cmd_opt *o, void *base, const char *value,
       struct stv_err **err)
{
	char *to = (char *)base + o->offset;
	int yes = 1;

	switch (o->kind) {
	case CMD_KIND_END:
		break;
	case CMD_KIND_FLAG:
	case CMD_KIND_MOOT:
	case CMD_KIND_LATER:
		if (value != NULL)
			yes = stv_bool_parse(value, strlen(value));
		if (yes < 0 && o->kind != CMD_KIND_LATER) {
			stv_fail(err, STV_E_USAGE,
				 "stave %s: --%s takes true or false, not '%s'",
				 p->verb->name, o->name, value);
			return hint_help(p, err);
		}
		if (o->kind == CMD_KIND_FLAG)
			*(bool *)to = yes != 0;
		else if (o->kind == CMD_KIND_LATER && yes != 0)
			return later(p, o, err);
		else if (o->kind == CMD_KIND_MOOT)
			stv_buf_addf(&p->moot, " --%s", o->name);
		break;
	case CMD_KIND_STR:
		*(const char **)(void *)to = value;
		break;
	case CMD_KIND_LIST:
		stv_strs_add((struct stv_strs *)(void *)to, value);
		break;
	case CMD_KIND_MOOT_STR:
		stv_buf_addf(&p->moot, " --%s", o->name);
		break;
	case CMD_KIND_LATER_STR:
		return later(p, o, err);
	}
	return 0;
}

/* The next word as the value of ${o}. */
static int
next_value(struct parse *p, const struct cmd_opt *o, const char **ret,
	   struct stv_err **err)
{
	if (p->at + 1 < p->argc) {
		*ret = p->argv[++p->at];
		return 0;
	}
	stv_fail(err, STV_E_USAGE, "stave %s: --%s needs a value: --%s=%s",
		 p->verb->name, o->name, o->name, o->metavar);
	return hint_help(p, err);
}

/* --name, --name=value, --name value */
static int
parse_long(struct parse *p, const char *word, struct stv_err **err)
{
	const char *name = word + 2, *eq = strchr(name, '='), *value = NULL;
	size_t n = eq != NULL ? (size_t)(eq - name) : strlen(name);
	void *base;
	const struct cmd_opt *o = n > 0 ? find(p, name, n, 0, &base) : NULL;

	if (o == NULL) {
		stv_auto_free char *bare = stv_xstrndup(name, n);
		stv_auto_free char *shown = stv_xasprintf("--%s", bare);

		return unknown(p, shown, bare, err);
	}
	if (eq != NULL)
		value = eq + 1;
	else if (has_value(o) && o->kind != CMD_KIND_LATER_STR &&
		 next_value(p, o, &value, err) < 0)
		return -1;
	return assign(p, o, base, value, err);
}

/* -x, -xyz, -xVALUE, -x=VALUE, -x VALUE */
static int
parse_short(struct parse *p, const char *word, struct stv_err **err)
{
	for (const char *c = word + 1; *c != '\0'; c++) {
		void *base;
		const struct cmd_opt *o = find(p, NULL, 0, *c, &base);
		const char *value = NULL;

		if (o == NULL) {
			char shown[3] = {'-', *c, '\0'};

			return unknown(p, shown, word + 1, err);
		}
		if (has_value(o) && c[1] != '\0')
			value = c + 1 + (c[1] == '=');
		else if (has_value(o) && o->kind != CMD_KIND_LATER_STR &&
			 next_value(p, o, &value, err) < 0)
			return -1;
		else if (!has_value(o) && c[1] == '=')
			value = c + 2;
		if (assign(p, o, base, value, err) < 0)
			return -1;
		if (value != NULL)
			break;
	}
	return 0;
}

/* One word of the command line; true in *${is_end} once all options are over.
 */
static int
parse_word(struct parse *p, bool *is_end, struct stv_err **err)
{
	char *word = p->argv[p->at];

	if (*is_end || word[0] != '-' || word[1] == '\0') {
		p->argv[++p->n_args] = word;
		*is_end |= p->verb->is_prefix;
		return 0;
	}
	if (strcmp(word, "--") == 0) {
		*is_end = true;
		return 0;
	}
	if (word[1] == '-')
		return parse_long(p, word, err);
	return parse_short(p, word, err);
}

static int
check_count(const struct parse *p, struct stv_err **err)
{
	const struct cmd_verb *v = p->verb;

	if (p->n_args >= v->min_args && p->n_args <= v->max_args)
		return 0;
	if (v->max_args == 0)
		stv_fail(err, STV_E_USAGE,
			 "stave %s takes no argument, but there is '%s'",
			 v->name, p->argv[1]);
	else if (p->n_args > v->max_args)
		stv_fail(err, STV_E_USAGE,
			 "stave %s: '%s' is one argument too many", v->name,
			 p->argv[v->max_args + 1]);
	else
		stv_fail(err, STV_E_USAGE,
			 "stave %s needs %d argument%s, not %d", v->name,
			 v->min_args, v->min_args == 1 ? "" : "s", p->n_args);
	stv_err_hint(*err, "Usage: stave %s [OPTION...] %s", v->name, v->args);
	return -1;
}

static void
print_help(const struct cmd_verb *verb)
{
	stv_auto_buf b = STV_BUF_INIT((size_t)64 << 10);

	cmd_opts_usage(verb, &b);
	(void)fputs(stv_buf_str(&b), stdout);
}

int
cmd_opts_parse(struct cmd_ctx *cx, const struct cmd_verb *verb, int argc,
	       char **argv, void *values, int *ret_n, struct stv_err **err)
{
	struct parse p = {.verb = verb,
			  .values = values,
			  .moot = STV_BUF_INIT(4096),
			  .argc = argc,
			  .argv = argv};
	bool is_end = false;
	int rc = 0;

	for (p.at = 1; p.at < argc && rc == 0; p.at++) {
		rc = parse_word(&p, &is_end, err);
		if (rc == 0 && p.common.is_help) {
			print_help(verb);
			stv_buf_fini(&p.moot);
			return CMD_PARSED_HELP;
		}
	}
	if (rc == 0 && p.moot.len > 0)
		cmd_warn("without effect here, ignored:%s", p.moot.data);
	stv_buf_fini(&p.moot);
	if (rc < 0 || check_count(&p, err) < 0)
		return -1;
	if (p.common.root != NULL)
		cx->root = p.common.root;
	cx->is_debug |= p.common.is_debug;
	*ret_n = p.n_args;
	return CMD_PARSED;
}

int
cmd_opts_leading(struct cmd_ctx *cx, int argc, char **argv,
		 struct stv_err **err)
{
	static const struct cmd_opt none[] = {CMD_OPT_END};
	static const struct cmd_verb self = {.name = "COMMAND", .opts = none};
	struct parse p = {.verb = &self, .argc = argc, .argv = argv};

	for (p.at = 1; p.at < argc; p.at++) {
		const char *word = argv[p.at];

		if (word[0] != '-' || word[1] == '\0' || word[1] == 'h' ||
		    strcmp(word, "--help") == 0 ||
		    strcmp(word, "--version") == 0 || strcmp(word, "-v") == 0)
			break;
		if ((word[1] == '-' ? parse_long(&p, word, err)
				    : parse_short(&p, word, err)) < 0)
			return -1;
	}
	if (p.common.root != NULL)
		cx->root = p.common.root;
	cx->is_debug |= p.common.is_debug;
	return p.at;
}

void
cmd_opts_fini(const struct cmd_opt *opts, void *values)
{
	for (; opts->kind != CMD_KIND_END; opts++) {
		char *at = (char *)values + opts->offset;

		if (opts->kind == CMD_KIND_LIST)
			stv_strs_clear((struct stv_strs *)(void *)at);
	}
}

/* "  -t, --tag NAME        what it does" */
static void
usage_line(const struct cmd_opt *o, struct stv_buf *ret)
{
	size_t start = ret->len;

	if (o->letter != 0)
		stv_buf_addf(ret, "  -%c, --%s", o->letter, o->name);
	else
		stv_buf_addf(ret, "      --%s", o->name);
	if (o->metavar != NULL)
		stv_buf_addf(ret, " %s", o->metavar);
	do {
		stv_buf_addc(ret, ' ');
	} while (ret->len < start + 32);
	stv_buf_addf(ret, "%s\n", o->help);
}

void
cmd_opts_usage(const struct cmd_verb *verb, struct stv_buf *ret)
{
	stv_buf_addf(ret, "Usage: stave %s [OPTION...]%s%s\n\n%s\n\nOptions:\n",
		     verb->name, *verb->args != '\0' ? " " : "", verb->args,
		     verb->summary);
	for (const struct cmd_opt *o = verb->opts; o->kind != CMD_KIND_END; o++)
		if (o->help != NULL)
			usage_line(o, ret);
	for (const struct cmd_opt *o = cmd_opts_common; o->kind != CMD_KIND_END;
	     o++)
		if (find_in(verb->opts, o->name, strlen(o->name), 0) == NULL)
			usage_line(o, ret);
}
