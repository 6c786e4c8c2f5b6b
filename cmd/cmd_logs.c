/*
 * cmd/cmd_logs.c - stave logs: the whole output of the steps of a build.
 *
 * The store keeps it as logs/<build id>/<step>.log; a build ID begins with the
 * time, so that the last one sorts last.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "core/buf.h"
#include "core/cleanup.h"
#include "core/err.h"
#include "core/fsat.h"
#include "core/mem.h"
#include "core/stream.h"
#include "core/strs.h"

#include "cache/store.h"

#include "cmd/builds.h"
#include "cmd/ctx.h"
#include "cmd/figures.h"
#include "cmd/opts.h"
#include "cmd/table.h"
#include "cmd/ui_text.h"
#include "cmd/verbs.h"

struct logs_values {
	bool is_list;
	bool is_raw;
};

static const struct cmd_opt opts[] = {
	CMD_FLAG("list", 'l', struct logs_values, is_list,
		 "list the builds that have logs"),
	CMD_FLAG("raw", 0, struct logs_values, is_raw,
		 "bytes as they are, also to a terminal"),
	CMD_OPT_END,
};

/* Numbers as numbers: "10.log" comes behind "9.log". */
static int
by_number(const void *a, const void *b)
{
	return strverscmp(*(char *const *)a, *(char *const *)b);
}

/* Output of a stranger's command: inert on a terminal, exact elsewhere. */
static void
show_line(void *arg, const char *line, size_t len)
{
	stv_auto_buf b = STV_BUF_INIT((size_t)1 << 20);

	ui_text_clean(line, len, *(const bool *)arg, &b);
	puts(stv_buf_str(&b));
}

static int
copy_log(int fd, bool is_raw, struct stv_err **err)
{
	bool has_color = cmd_use_color(STDOUT_FILENO);
	bool is_inert = !is_raw && isatty(STDOUT_FILENO);
	struct ui_line line = {0};
	char buf[65536];
	ssize_t n;

	while ((n = read(fd, buf, sizeof(buf))) > 0) {
		if (is_inert)
			ui_line_feed(&line, buf, (size_t)n, show_line,
				     &has_color);
		else if (fwrite(buf, 1, (size_t)n, stdout) != (size_t)n)
			break;
	}
	ui_line_flush(&line, show_line, &has_color);
	ui_line_fini(&line);
	if (n < 0)
		return stv_fail_errno(err, errno, "cannot read the log");
	return 0;
}

static int
print_log(int dirfd, const char *build, const char *file, bool has_head,
	  bool is_raw, struct stv_err **err)
{
	stv_auto_free char *path = stv_xasprintf("logs/%s/%s", build, file);
	stv_auto_fd fd = stv_fsat_open_nolinks(dirfd, path, O_RDONLY, 0);

	if (fd < 0 && errno == ENOENT) {
		stv_fail(err, STV_E_NOT_FOUND,
			 "build %s has no log of step %.*s", build,
			 (int)strcspn(file, "."), file);
		stv_err_hint(*err, "'stave logs %s' shows all that it has.",
			     build);
		return -1;
	}
	if (fd < 0)
		return stv_fail_errno(err, errno, "cannot open %s", path);
	if (has_head)
		printf("==> step %.*s <==\n", (int)strcspn(file, "."), file);
	return copy_log(fd, is_raw, err);
}

static int
list_builds(int dirfd, const struct stv_strs *builds, struct stv_err **err)
{
	stv_auto(cmd_table) *t = cmd_table_new();

	cmd_table_line(t, "BUILD\tSTEPS\tCREATED");
	for (size_t i = builds->len; i-- > 0;) {
		stv_auto_free char *path =
			stv_xasprintf("logs/%s", builds->v[i]);
		stv_auto_free char *line = NULL;
		struct stv_strs steps = {0};
		char ago[CMD_SIZE_MAX];
		struct stat st;

		if (fstatat(dirfd, path, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		if (cmd_names_list(dirfd, path, &steps, err) < 0)
			return -1;
		line = stv_xasprintf(
			"%s\t%zu\t%s ago", builds->v[i], steps.len,
			cmd_ago_str(time(NULL) - st.st_mtime, ago));
		cmd_table_line(t, line);
		stv_strs_clear(&steps);
	}
	cmd_table_print(t);
	return 0;
}

/* The build that the user means: its ID, the beginning of one, or "last". */
static const char *
pick(const struct stv_strs *builds, const char *name, struct stv_err **err)
{
	const char *found = NULL;

	if (builds->len > 0 && strcmp(name, "last") == 0)
		return builds->v[builds->len - 1];
	for (size_t i = 0; i < builds->len; i++) {
		if (strcmp(builds->v[i], name) == 0)
			return builds->v[i];
		if (strncmp(builds->v[i], name, strlen(name)) != 0)
			continue;
		if (found != NULL) {
			stv_fail(err, STV_E_USAGE,
				 "more than one build begins with '%s'", name);
			return NULL;
		}
		found = builds->v[i];
	}
	if (found == NULL && builds->len == 0)
		stv_fail(err, STV_E_NOT_FOUND, "there are no logs");
	else if (found == NULL)
		stv_fail(err, STV_E_NOT_FOUND, "no logs of a build '%s'", name);
	if (found == NULL)
		stv_err_hint(*err, "'stave logs --list' lists the builds.");
	return found;
}

static int
print_build(int dirfd, const char *build, const char *step,
	    const struct logs_values *o, struct stv_err **err)
{
	stv_auto_free char *dir = stv_xasprintf("logs/%s", build);
	struct stv_strs files = {0};
	int rc;

	if (step != NULL) {
		stv_auto_free char *file = stv_xasprintf("%s.log", step);

		if (step[strspn(step, "0123456789")] != '\0')
			return stv_fail(err, STV_E_USAGE,
					"'%s' is no number of a step", step);
		return print_log(dirfd, build, file, false, o->is_raw, err);
	}
	rc = cmd_names_list(dirfd, dir, &files, err);
	if (files.len > 1)
		qsort(files.v, files.len, sizeof(files.v[0]), by_number);
	for (size_t i = 0; i < files.len && rc == 0; i++)
		rc = print_log(dirfd, build, files.v[i], true, o->is_raw, err);
	stv_strs_clear(&files);
	return rc;
}

static int
logs_run(struct cmd_ctx *cx, int argc, char **argv, struct stv_err **err)
{
	stv_auto(cas_store) *store = NULL;
	struct logs_values o = {0};
	struct stv_strs builds = {0};
	const char *build;
	int n, rc, fd;

	rc = cmd_opts_parse(cx, &cmd_verb_logs, argc, argv, &o, &n, err);
	if (rc != CMD_PARSED)
		return rc == CMD_PARSED_HELP ? CMD_DONE : -1;
	if (cmd_store_look(cx, &store, err) < 0)
		return -1;
	fd = store != NULL ? cas_store_rootfd(store) : -1;
	if (store != NULL && cmd_builds_list(fd, &builds, err) < 0)
		return -1;
	if (o.is_list) {
		rc = list_builds(fd, &builds, err);
	} else {
		build = pick(&builds, n > 0 ? argv[1] : "last", err);
		rc = build == NULL
			     ? -1
			     : print_build(fd, build, n > 1 ? argv[2] : NULL,
					   &o, err);
	}
	stv_strs_clear(&builds);
	return rc < 0 ? -1 : CMD_DONE;
}

const struct cmd_verb cmd_verb_logs = {
	.name = "logs",
	.args = "[BUILD | last [STEP]]",
	.summary = "Show the whole output of a build's steps",
	.opts = opts,
	.max_args = 2,
	.run = logs_run,
};
