/* parser/check.c - the rules of each instruction, and of the file. */
#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "core/buf.h"
#include "core/cleanup.h"
#include "core/diag.h"
#include "core/err.h"
#include "core/limits.h"
#include "core/source.h"

#include "parser/heredoc.h"
#include "parser/mount.h"
#include "parser/parse.h"
#include "parser/parse_internal.h"
#include "parser/words.h"

/* ---- flags ---------------------------------------------------------------*/

static const char *const no_flags[] = {NULL};
static const char *const from_flags[] = {"platform", NULL};
static const char *const run_flags[] = {"mount", "network", "security",
					"device", NULL};
static const char *const copy_flags[] = {"from",    "chown",   "chmod", "link",
					 "parents", "exclude", NULL};
static const char *const add_flags[] = {
	"chown",	"chmod",  "link",    "checksum",
	"keep-git-dir", "unpack", "exclude", NULL};
static const char *const health_flags[] = {"interval",	   "timeout",
					   "start-period", "start-interval",
					   "retries",	   NULL};

static const char *const bool_flags[] = {"link", "parents", "keep-git-dir",
					 "unpack", NULL};
static const char *const repeatable_flags[] = {"mount", "device", "exclude",
					       NULL};

const char *const *
df_flag_names(enum df_kind kind)
{
	if (kind == DF_FROM)
		return from_flags;
	if (kind == DF_RUN)
		return run_flags;
	if (kind == DF_COPY)
		return copy_flags;
	if (kind == DF_ADD)
		return add_flags;
	if (kind == DF_HEALTHCHECK)
		return health_flags;
	return no_flags;
}

static bool
has_name(const char *const *names, const char *name)
{
	for (; *names != NULL; names++)
		if (strcmp(*names, name) == 0)
			return true;
	return false;
}

static struct stv_diag *
error_at(struct stv_diags *diags, struct stv_span span, const char *msg)
{
	return stv_diags_add(diags, STV_SEV_ERROR, span, "%s", msg);
}

/* Which flags there are instead. */
static void
hint_flags(struct stv_diag *d, const char *kind, const char *const *names)
{
	stv_auto_buf list = STV_BUF_INIT(STV_MAX_LINE);

	if (names[0] == NULL) {
		stv_diag_hint(d, "%s has no flags.", kind);
		return;
	}
	for (size_t i = 0; names[i] != NULL; i++)
		stv_buf_addf(&list, "%s--%s", i == 0 ? "" : ", ", names[i]);
	stv_diag_hint(d, "%s has %s.", kind, stv_buf_str(&list));
}

static void
report_unknown_flag(const struct df_node *n, const struct df_flag *f,
		    struct stv_diags *diags)
{
	const char *const *names = df_flag_names(n->kind);
	const char *near = df_nearest(f->name, names);
	const char *kind = df_kind_name(n->kind);
	struct stv_diag *d;

	if (near != NULL) {
		stv_diags_add(diags, STV_SEV_ERROR, f->name_span,
			      "unknown flag --%s of %s; did you mean --%s?",
			      f->name, kind, near);
		return;
	}
	d = stv_diags_add(diags, STV_SEV_ERROR, f->name_span,
			  "unknown flag --%s of %s", f->name, kind);
	hint_flags(d, kind, names);
}

static const char *const network_modes[] = {"default", "none", "host", NULL};
static const char *const security_modes[] = {"sandbox", "insecure", NULL};

/* --network and --security of RUN are one of a few words, never expanded. */
static void
check_mode(const struct df_flag *f, const char *const *modes,
	   struct stv_diags *diags)
{
	const char *near = df_nearest(f->value, modes);
	struct stv_diag *d;

	if (has_name(modes, f->value))
		return;
	d = stv_diags_add(diags, STV_SEV_ERROR, f->value_span,
			  "invalid value '%s' of --%s", f->value, f->name);
	stv_diag_hint(d, "Write --%s=%s.", f->name,
		      near != NULL ? near : modes[0]);
}

/* --mount of RUN, as far as no variable is in it. */
static void
check_mount(const struct df_flag *f, struct stv_diags *diags)
{
	struct stv_err *err = NULL;
	struct df_mount m;
	struct stv_diag *d;

	if (df_mount_parse(f->value, f->value_span, NULL, &m, &err) < 0) {
		d = stv_diags_add(diags, STV_SEV_ERROR, stv_err_span(err), "%s",
				  stv_err_msg(err));
		if (stv_err_get_hint(err) != NULL)
			stv_diag_hint(d, "%s", stv_err_get_hint(err));
		stv_err_free(err);
	}
	df_mount_fini(&m);
}

/* The value that a known flag wants. */
static void
check_flag_value(const struct df_flag *f, struct stv_diags *diags)
{
	bool value;

	if (!has_name(bool_flags, f->name)) {
		if (!f->has_value)
			stv_diag_hint(
				stv_diags_add(diags, STV_SEV_ERROR, f->span,
					      "flag --%s needs a value",
					      f->name),
				"Write --%s=value, without a blank.", f->name);
		else if (strcmp(f->name, "network") == 0)
			check_mode(f, network_modes, diags);
		else if (strcmp(f->name, "security") == 0)
			check_mode(f, security_modes, diags);
		else if (strcmp(f->name, "mount") == 0)
			check_mount(f, diags);
		return;
	}
	if (f->has_value && df_parse_bool(f->value, &value) < 0)
		stv_diags_add(diags, STV_SEV_ERROR, f->span,
			      "flag --%s is true or false, not '%s'", f->name,
			      f->value);
}

static void
check_flags(const struct df_node *n, struct stv_diags *diags)
{
	const char *const *names = df_flag_names(n->kind);

	for (size_t i = 0; i < n->n_flags; i++) {
		const struct df_flag *f = &n->flags[i];
		const struct df_flag *first = df_node_flag(n, f->name);

		if (!has_name(names, f->name)) {
			report_unknown_flag(n, f, diags);
			continue;
		}
		if (first != f && !has_name(repeatable_flags, f->name)) {
			struct stv_diag *d = stv_diags_add(
				diags, STV_SEV_ERROR, f->span,
				"flag --%s is given twice", f->name);

			stv_diag_related(d, first->span, "first given here");
		}
		check_flag_value(f, diags);
	}
}

/* ---- arguments -----------------------------------------------------------*/

static void
need_arguments(const struct df_node *n, const char *what,
	       struct stv_diags *diags)
{
	if (n->n_args == 0)
		stv_diags_add(diags, STV_SEV_ERROR, n->span, "%s needs %s",
			      df_kind_name(n->kind), what);
}

static bool
is_stage_name(const char *s)
{
	if (!isalpha((unsigned char)*s))
		return false;
	for (; *s != '\0'; s++)
		if (!isalnum((unsigned char)*s) && strchr("-_.", *s) == NULL)
			return false;
	return true;
}

static void
check_from(const struct df_node *n, struct stv_diags *diags)
{
	struct stv_diag *d;

	if (n->n_args == 1)
		return;
	if (n->n_args != 3 || strcasecmp(n->args[1].text, "AS") != 0) {
		size_t odd = n->n_args > 1 ? 1 : 0;

		d = error_at(diags, n->n_args > 0 ? n->args[odd].span : n->span,
			     "FROM takes an image, or an image, AS and a name");
		stv_diag_hint(d, n->n_args > 1 && n->args[1].text[0] == '#'
					 ? "A comment has a line of its own."
					 : "Write 'FROM image' or 'FROM image "
					   "AS name'.");
		return;
	}
	if (!is_stage_name(n->args[2].text)) {
		d = stv_diags_add(diags, STV_SEV_ERROR, n->args[2].span,
				  "invalid stage name '%s'", n->args[2].text);
		stv_diag_hint(d, "A stage's name begins with a letter and has "
				 "only letters, digits, '-', '_' and '.'.");
	}
}

static void
check_copy(const struct df_node *n, const struct df_arg *args, size_t n_args,
	   struct stv_diags *diags)
{
	const char *name = df_kind_name(n->kind);
	struct df_tag tag;
	struct stv_diag *d;

	if (n_args == 0) {
		stv_diags_add(diags, STV_SEV_ERROR, n->span,
			      "%s needs a source and a destination", name);
		return;
	}
	if (n_args == 1) {
		d = stv_diags_add(diags, STV_SEV_ERROR, args[0].span,
				  "%s needs a destination", name);
		stv_diag_hint(d,
			      "The last word is the destination; to use the "
			      "working directory write '%s %s .'.",
			      name, args[0].text);
		return;
	}
	if (n->is_json || !df_tag_parse(args[n_args - 1].text, &tag))
		return;
	df_tag_fini(&tag);
	stv_diags_add(diags, STV_SEV_ERROR, args[n_args - 1].span,
		      "a heredoc cannot be the destination of %s", name);
}

static void
check_shell(const struct df_node *n, struct stv_diags *diags)
{
	struct stv_diag *d;

	if (n->n_args > 0 && n->is_json)
		return;
	d = error_at(diags, n->span,
		     n->is_json || n->n_args == 0
			     ? "SHELL needs at least one word"
			     : "SHELL needs its words as a JSON array");
	stv_diag_hint(d, "Write it like SHELL [\"/bin/sh\", \"-c\"].");
}

/* A duration or count flag of HEALTHCHECK; these are never expanded. */
static void
check_health_flag(const struct df_flag *f, struct stv_diags *diags)
{
	struct stv_err *err = NULL;
	struct stv_diag *d;
	int64_t ns;
	int retries, rc;

	if (!f->has_value || !has_name(health_flags, f->name))
		return;
	if (strcmp(f->name, "retries") == 0)
		rc = df_check_retries(f->value, &retries, &err);
	else
		rc = df_check_interval(f->value, &ns, &err);
	if (rc == 0)
		return;
	d = stv_diags_add(diags, STV_SEV_ERROR, f->value_span, "--%s: %s",
			  f->name, stv_err_msg(err));
	if (stv_err_get_hint(err) != NULL)
		stv_diag_hint(d, "%s", stv_err_get_hint(err));
	stv_err_free(err);
}

static void
check_health(const struct df_node *n, struct stv_diags *diags)
{
	struct stv_diag *d;

	need_arguments(n, "CMD and a command, or NONE", diags);
	for (size_t i = 0; i < n->n_flags; i++)
		check_health_flag(&n->flags[i], diags);
	if (n->n_args == 0)
		return;
	if (strcasecmp(n->args[0].text, "NONE") == 0) {
		if (n->n_args > 1)
			error_at(diags, n->args[1].span,
				 "HEALTHCHECK NONE takes no arguments");
	} else if (strcasecmp(n->args[0].text, "CMD") != 0) {
		d = stv_diags_add(diags, STV_SEV_ERROR, n->args[0].span,
				  "unknown type '%s' of HEALTHCHECK",
				  n->args[0].text);
		stv_diag_hint(d, "Write HEALTHCHECK CMD command, or "
				 "HEALTHCHECK NONE.");
	} else if (n->n_args == 1) {
		error_at(diags, n->span,
			 "there is no command behind HEALTHCHECK CMD");
	}
}

/* ENV, LABEL and ARG: no name may be empty. */
static void
check_names(const struct df_node *n, size_t step, struct stv_diags *diags)
{
	for (size_t i = 0; i < n->n_args; i += step) {
		const char *text = n->args[i].text;

		if (*text == '\0' || (n->kind == DF_ARG && *text == '='))
			stv_diags_add(diags, STV_SEV_ERROR, n->args[i].span,
				      "the name of %s is empty",
				      n->kind == DF_LABEL ? "a label"
				      : n->kind == DF_ENV
					      ? "an environment variable"
					      : "an argument");
	}
}

static void
check_volume(const struct df_node *n, struct stv_diags *diags)
{
	for (size_t i = 0; i < n->n_args; i++) {
		size_t len = strlen(n->args[i].text);

		(void)df_trim(n->args[i].text, &len);
		if (len == 0)
			error_at(diags, n->args[i].span,
				 "the path of a volume is empty");
	}
}

static void
check_node(const struct df_node *n, struct stv_diags *diags)
{
	check_flags(n, diags);
	switch (n->kind) {
	case DF_FROM:
		check_from(n, diags);
		break;
	case DF_ADD:
	case DF_COPY:
		check_copy(n, n->args, n->n_args, diags);
		break;
	case DF_SHELL:
		check_shell(n, diags);
		break;
	case DF_HEALTHCHECK:
		check_health(n, diags);
		break;
	case DF_ENV:
	case DF_LABEL:
		need_arguments(n, "a name and a value", diags);
		check_names(n, 3, diags);
		break;
	case DF_ARG:
		need_arguments(n, "a name", diags);
		check_names(n, 1, diags);
		break;
	case DF_VOLUME:
		need_arguments(n, "a path", diags);
		check_volume(n, diags);
		break;
	case DF_EXPOSE:
		need_arguments(n, "a port", diags);
		break;
	case DF_MAINTAINER:
		need_arguments(n, "a name", diags);
		break;
	case DF_STOPSIGNAL:
		need_arguments(n, "a signal", diags);
		break;
	case DF_USER:
		need_arguments(n, "a user", diags);
		break;
	case DF_WORKDIR:
		need_arguments(n, "a path", diags);
		break;
	case DF_ONBUILD:
		if (n->onbuild == NULL)
			error_at(diags, n->span,
				 "ONBUILD needs an instruction");
		break;
	case DF_CMD:
	case DF_ENTRYPOINT:
	case DF_RUN:
		break; /* all of them may be empty */
	}
}

/* What may not be triggered.  (ONBUILD below ONBUILD: lex.c.) */
static void
check_triggered(const struct df_node *n, struct stv_diags *diags)
{
	if (n->kind == DF_FROM || n->kind == DF_MAINTAINER ||
	    n->kind == DF_ONBUILD)
		stv_diags_add(diags, STV_SEV_ERROR, n->keyword_span,
			      "%s cannot be the trigger of an ONBUILD",
			      df_kind_name(n->kind));
	else
		check_node(n, diags);
}

/* ---- the file ------------------------------------------------------------*/

/* The place behind the last byte. */
static struct stv_span
end_of(const struct df_file *f)
{
	uint32_t end = (uint32_t)f->source->len;

	return (struct stv_span){end, end, f->source_no};
}

/* Was anything before that place wrong?  (It may have been the FROM.) */
static bool
has_error_before(const struct stv_diags *diags, struct stv_span span)
{
	for (size_t i = 0; i < diags->len; i++)
		if (diags->v[i].severity == STV_SEV_ERROR &&
		    diags->v[i].span.file == span.file &&
		    diags->v[i].span.begin < span.begin)
			return true;
	return false;
}

static void
check_number_of_stages(const struct df_file *f, struct stv_diags *diags)
{
	size_t n = 0;

	for (size_t i = 0; i < f->n_nodes; i++) {
		if (f->nodes[i].kind != DF_FROM || ++n <= STV_MAX_STAGES)
			continue;
		stv_diags_add(diags, STV_SEV_ERROR, f->nodes[i].span,
			      "a file has at most %d stages", STV_MAX_STAGES);
		return;
	}
}

/* Only ARG may stand before the first FROM, and there must be one. */
static void
check_stages(const struct df_file *f, struct stv_diags *diags)
{
	struct stv_diag *d;

	for (size_t i = 0; i < f->n_nodes; i++) {
		const struct df_node *n = &f->nodes[i];

		if (n->kind == DF_FROM)
			return;
		if (n->kind == DF_ARG)
			continue;
		if (has_error_before(diags, n->keyword_span))
			return;
		d = stv_diags_add(diags, STV_SEV_ERROR, n->keyword_span,
				  "%s stands before the first FROM",
				  df_kind_name(n->kind));
		stv_diag_hint(d, "Begin with 'FROM image'; only ARG may stand "
				 "before it.");
		return;
	}
	if (diags->n_errors > 0)
		return; /* the FROM may be what was wrong */
	d = error_at(diags, end_of(f),
		     f->n_nodes == 0 ? "the file has no instructions"
				     : "the file has no FROM");
	stv_diag_hint(d, "A Dockerfile begins with 'FROM image'.");
}

void
df_check_file(const struct df_file *f, struct stv_diags *diags)
{
	df_check_syntax(f, diags);
	for (size_t i = 0; i < f->n_nodes; i++) {
		check_node(&f->nodes[i], diags);
		if (f->nodes[i].onbuild != NULL)
			check_triggered(f->nodes[i].onbuild, diags);
	}
	check_stages(f, diags);
	check_number_of_stages(f, diags);
}

void
df_check_trigger(const struct df_file *f, struct stv_diags *diags)
{
	for (size_t i = 0; i < f->n_nodes; i++)
		check_triggered(&f->nodes[i], diags);
	if (f->n_nodes != 1 && diags->n_errors == 0)
		error_at(diags, end_of(f),
			 "an ONBUILD trigger is one instruction");
}
