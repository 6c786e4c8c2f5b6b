/*
 * cmd/cmd_why.c - stave why: which steps of a build ran, and why.
 *
 * A build that executed something keeps that as logs/<build id>/.steps
 * (builder/journal.h).
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/buf.h"
#include "core/cleanup.h"
#include "core/err.h"
#include "core/fsat.h"
#include "core/json.h"
#include "core/limits.h"
#include "core/mem.h"
#include "core/strs.h"

#include "builder/journal.h"
#include "builder/remote.h"
#include "cache/store.h"

#include "cmd/builds.h"
#include "cmd/ctx.h"
#include "cmd/image.h"
#include "cmd/opts.h"
#include "cmd/ui_text.h"
#include "cmd/verbs.h"

/* Digits that a step's number has at most; a longer word is no number. */
#define STEP_DIGITS 5

struct why_values {
	const char *context;
	const char *file;
	const char *format;
};

static const struct cmd_opt opts[] = {
	CMD_STR("context", 0, "CONTEXT", struct why_values, context,
		"only builds of this build context"),
	CMD_STR("file", 'f', "FILE", struct why_values, file,
		"only builds of this Dockerfile"),
	CMD_STR("format", 0, "FORMAT", struct why_values, format,
		"json: the lines as they are kept"),
	CMD_OPT_END,
};

/* What is looked for. */
struct wanted {
	char *context; /* absolute, or as written where it is fetched; or NULL
			*/
	char *file;
	char image[STV_DIGEST_STR_MAX]; /* of its config, or "" */
	const char *build;		/* the begin of its ID, or NULL */
	const char *step;		/* its number, or NULL */
};

/* The lines of a build's list; false where it has none. */
static bool
read_lines(int dirfd, const char *build, json_t **ret)
{
	stv_auto_free char *path = stv_xasprintf("logs/%s/" BLD_JOURNAL, build);
	stv_auto_buf text = STV_BUF_INIT(STV_MAX_JOURNAL);
	struct stv_err *e = NULL;
	json_t *lines;

	if (stv_fsat_read_file(dirfd, path, STV_MAX_JOURNAL, &text, &e) < 0) {
		stv_err_free(e);
		return false;
	}
	lines = json_array();
	for (const char *at = stv_buf_str(&text); *at != '\0';) {
		size_t n = strcspn(at, "\n");
		json_t *line = stv_json_parse(at, n, BLD_JOURNAL, &e);

		stv_err_clear(&e);
		if (json_is_object(line))
			json_array_append_new(lines, line);
		else
			json_decref(line);
		at += n + (at[n] != '\0');
	}
	*ret = lines;
	return true;
}

static const char *
text_of(const json_t *o, const char *name)
{
	const char *s = json_string_value(json_object_get(o, name));

	return s == NULL ? "" : s;
}

/* Did the build make that image?  Its results are its last lines. */
static bool
has_image(const json_t *lines, const char *image)
{
	size_t i;
	const json_t *line;

	json_array_foreach (lines, i, line)
		if (strcmp(text_of(line, "image"), image) == 0)
			return true;
	return false;
}

static bool
is_wanted(const struct wanted *w, const char *build, const json_t *lines)
{
	const json_t *head = json_array_get(lines, 0);

	if (w->build != NULL && strncmp(build, w->build, strlen(w->build)) != 0)
		return false;
	if (w->context != NULL &&
	    strcmp(text_of(head, "context"), w->context) != 0)
		return false;
	if (w->file != NULL && strcmp(text_of(head, "file"), w->file) != 0)
		return false;
	return w->image[0] == '\0' || has_image(lines, w->image);
}

/* One line for people: "#3 [s 2/4] COPY . .  ran: a changed (content)". */
static void
print_step(const json_t *step)
{
	stv_auto_buf b = STV_BUF_INIT(STV_MAX_LINE * 8);
	const char *state = text_of(step, "state");
	const char *text = text_of(step, "text");

	stv_buf_addf(
		&b, "#%lld [",
		(long long)json_integer_value(json_object_get(step, "step")));
	if (*text_of(step, "stage") != '\0') {
		ui_text_name(text_of(step, "stage"), &b);
		stv_buf_addc(&b, ' ');
	}
	stv_buf_addf(
		&b, "%lld/%lld] ",
		(long long)json_integer_value(
			json_object_get(step, "position")),
		(long long)json_integer_value(json_object_get(step, "of")));
	ui_text_name(text_of(step, "name"), &b);
	stv_buf_addf(&b, "\n    %s", state);
	if (*text != '\0') {
		stv_buf_adds(&b, ": ");
		ui_text_name(text, &b);
	}
	puts(stv_buf_str(&b));
}

static void
print_json(const json_t *line)
{
	stv_auto_buf b = STV_BUF_INIT(STV_MAX_LINE * 8);

	stv_json_dump(line, &b);
	puts(stv_buf_str(&b));
}

/* The steps of the build, or the one that was asked for. */
static int
print_build(const struct wanted *w, const char *build, const json_t *lines,
	    bool is_json, struct stv_err **err)
{
	long long want = w->step == NULL ? 0 : strtoll(w->step, NULL, 10);
	size_t i, n = 0;
	const json_t *line;

	if (!is_json && w->step == NULL)
		printf("build %s\n", build);
	json_array_foreach (lines, i, line) {
		const json_t *no = json_object_get(line, "step");

		/* Lines of the build and of its images have no number. */
		if (w->step != NULL
			    ? no == NULL || json_integer_value(no) != want
			    : no == NULL && !is_json)
			continue;
		n++;
		if (is_json)
			print_json(line);
		else
			print_step(line);
	}
	if (n > 0)
		return 0;
	stv_fail(err, STV_E_NOT_FOUND, "build %s has no step %s", build,
		 w->step == NULL ? "" : w->step);
	stv_err_hint(*err, "'stave why %s' shows all that it has.", build);
	return -1;
}

static int
fail_nothing(const struct wanted *w, const char *name, struct stv_err **err)
{
	if (w->image[0] != '\0')
		stv_fail(err, STV_E_NOT_FOUND,
			 "it is not known which build made '%s'", name);
	else
		stv_fail(err, STV_E_NOT_FOUND, "no such build is known");
	stv_err_hint(*err, "Builds that executed something are kept with "
			   "their logs: 'stave logs --list'.");
	return -1;
}

/* The newest build that is wanted. */
static int
find_and_print(int dirfd, const struct wanted *w, const char *name,
	       bool is_json, struct stv_err **err)
{
	struct stv_strs builds = {0};
	json_t *lines = NULL;
	bool is_found = false;
	int r = cmd_builds_list(dirfd, &builds, err);

	for (size_t i = builds.len; r == 0 && !is_found && i-- > 0;) {
		if (!read_lines(dirfd, builds.v[i], &lines))
			continue;
		is_found = is_wanted(w, builds.v[i], lines);
		if (is_found)
			r = print_build(w, builds.v[i], lines, is_json, err);
		json_decref(lines);
	}
	stv_strs_clear(&builds);
	if (r < 0)
		return -1;
	return is_found ? 0 : fail_nothing(w, name, err);
}

static bool
is_number(const char *s)
{
	size_t n = strspn(s, "0123456789");

	return n > 0 && n <= STEP_DIGITS && s[n] == '\0';
}

/* Does a build's ID begin so: "20261125T..."? */
static bool
is_build(const char *s)
{
	return strspn(s, "0123456789") == 8 && s[8] == 'T';
}

/* What the arguments name. */
static int
take_args(struct cas_store *store, char **argv, int n, struct wanted *w,
	  struct stv_err **err)
{
	struct cas_image img;
	char *tag = NULL;

	if (n > 1 && !is_number(argv[2]))
		return stv_fail(err, STV_E_USAGE, "'%s' is no number of a step",
				argv[2]);
	if (n > 1)
		w->step = argv[2];
	if (n == 0 || strcmp(argv[1], "last") == 0)
		return 0;
	if (n == 1 && is_number(argv[1])) {
		w->step = argv[1];
		return 0;
	}
	if (is_build(argv[1])) {
		w->build = argv[1];
		return 0;
	}
	if (cmd_image_find(store, argv[1], &img, &tag, err) < 0)
		return -1;
	free(tag);
	(void)stv_digest_str(&img.config, w->image);
	return 0;
}

static int
take_options(const struct why_values *v, struct wanted *w, struct stv_err **err)
{
	if (v->format != NULL && strcmp(v->format, "json") != 0)
		return stv_fail(err, STV_E_USAGE,
				"--format: there is only 'json', not '%s'",
				v->format);
	if (v->context != NULL) {
		enum bld_place place = bld_place_of(v->context);

		w->context = place == BLD_PLACE_DIR || place == BLD_PLACE_FILE
				     ? realpath(v->context, NULL)
				     : stv_xstrdup(v->context);
		if (w->context == NULL)
			return stv_fail_errno_as(err, STV_E_INPUT, errno,
						 "cannot find %s", v->context);
	}
	if (v->file != NULL) {
		w->file = realpath(v->file, NULL);
		if (w->file == NULL)
			return stv_fail_errno_as(err, STV_E_INPUT, errno,
						 "cannot find %s", v->file);
	}
	return 0;
}

static int
why_run(struct cmd_ctx *cx, int argc, char **argv, struct stv_err **err)
{
	stv_auto(cas_store) *store = NULL;
	struct why_values v = {0};
	struct wanted w = {0};
	int n, rc;

	rc = cmd_opts_parse(cx, &cmd_verb_why, argc, argv, &v, &n, err);
	if (rc != CMD_PARSED)
		return rc == CMD_PARSED_HELP ? CMD_DONE : -1;
	rc = take_options(&v, &w, err);
	if (rc == 0)
		rc = cmd_store_look(cx, &store, err);
	if (rc == 0)
		rc = take_args(store, argv, n, &w, err);
	if (rc == 0 && store == NULL)
		rc = fail_nothing(&w, "", err);
	else if (rc == 0)
		rc = find_and_print(cas_store_rootfd(store), &w,
				    n > 0 ? argv[1] : "", v.format != NULL,
				    err);
	free(w.context);
	free(w.file);
	return rc < 0 ? -1 : CMD_DONE;
}

const struct cmd_verb cmd_verb_why = {
	.name = "why",
	.args = "[IMAGE | BUILD | last] [STEP]",
	.summary = "Show which steps of a build ran, and why",
	.opts = opts,
	.max_args = 2,
	.run = why_run,
};
