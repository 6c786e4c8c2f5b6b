/* cmd/dockerfile.c - loading a Dockerfile and showing what is wrong with it. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/buf.h"
#include "core/cleanup.h"
#include "core/err.h"
#include "core/fsat.h"
#include "core/limits.h"
#include "core/mem.h"
#include "core/source.h"
#include "core/stream.h"

#include "parser/parse.h"

#include "cmd/ctx.h"
#include "cmd/files.h"

#include "cmd/dockerfile.h"

void
cmd_print_diags(const struct stv_diags *d, const struct stv_sources *src)
{
	stv_auto_buf b = STV_BUF_INIT((size_t)16 << 20);

	for (size_t i = 0; i < d->len; i++)
		stv_diag_render(&d->v[i], src, cmd_use_color(STDERR_FILENO),
				&b);
	if (d->n_errors + d->n_warnings > d->len)
		stv_buf_addf(&b, "... and %zu more\n",
			     d->n_errors + d->n_warnings - d->len);
	(void)stv_write_all(STDERR_FILENO, stv_buf_str(&b), b.len);
}

/* In this order; docker takes the second, buildah the third. */
static const char *const default_names[] = {"Dockerfile", "dockerfile",
					    "Containerfile"};

/* /dev/fd/63 of "-f <(generate)": the one pipe that is meant. */
static bool
is_substitution(const char *path)
{
	return strncmp(path, "/dev/fd/", 8) == 0 ||
	       strncmp(path, "/proc/self/fd/", 14) == 0 ||
	       strcmp(path, "/dev/stdin") == 0;
}

/* A FIFO or device of that name must not hang us. */
static int
read_whole(const char *path, struct stv_buf *ret, struct stv_err **err)
{
	stv_auto_fd fd = -1;

	if (strcmp(path, "-") == 0 || is_substitution(path)) {
		if (cmd_input_open(path, "a Dockerfile", &fd, err) < 0)
			return -1;
	} else {
		struct stat st;

		fd = openat(AT_FDCWD, path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
		if (fd < 0 || fstat(fd, &st) < 0) {
			stv_fail_errno_as(err, STV_E_INPUT, errno,
					  "cannot read %s", path);
			if (*path != '/')
				stv_err_hint(*err, "A relative name is taken "
						   "from the current "
						   "directory, not from the "
						   "context.");
			return -1;
		}
		if (!S_ISREG(st.st_mode))
			return stv_fail(err, STV_E_INPUT,
					"%s is not a regular file", path);
	}
	if (stv_fsat_read_fd(fd, STV_MAX_SOURCE, path, ret, err) < 0)
		return stv_wrap(err, "reading %s", path);
	return 0;
}

int
cmd_dockerfile_load(struct stv_sources *sources, const char *path,
		    struct stv_diags *diags, struct df_file **ret,
		    struct stv_err **err)
{
	stv_auto_buf text = STV_BUF_INIT(STV_MAX_SOURCE);
	const char *name = strcmp(path, "-") == 0 ? "<stdin>" : path;

	if (read_whole(path, &text, err) < 0)
		return -1;
	return cmd_dockerfile_parse(sources, name, stv_buf_str(&text), text.len,
				    diags, ret, err);
}

int
cmd_dockerfile_parse(struct stv_sources *sources, const char *name,
		     const char *text, size_t n, struct stv_diags *diags,
		     struct df_file **ret, struct stv_err **err)
{
	uint32_t no;

	if (stv_sources_add(sources, name, text, n, &no, err) < 0)
		return -1;
	return df_parse(sources, no, ret, diags, err);
}

/* 1 and the content of ${name} in ${dirfd}, or 0 where it is not there. */
static int
read_in(int dirfd, const char *name, struct stv_buf *ret, struct stv_err **err)
{
	stv_auto_fd fd =
		stv_fsat_open_in_root(dirfd, name, O_RDONLY | O_NONBLOCK, 0);
	struct stat st;

	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
		return 0;
	if (fd < 0 || fstat(fd, &st) < 0)
		return stv_fail_errno_as(err, STV_E_INPUT, errno,
					 "cannot read %s in the build context",
					 name);
	if (!S_ISREG(st.st_mode))
		return stv_fail(err, STV_E_INPUT,
				"%s in the build context is not a regular file",
				name);
	return stv_fsat_read_fd(fd, STV_MAX_SOURCE, name, ret, err) < 0 ? -1
									: 1;
}

int
cmd_dockerfile_load_in(struct stv_sources *sources, int dirfd, const char *name,
		       bool is_default, char **ret_name,
		       struct stv_diags *diags, struct df_file **ret,
		       struct stv_err **err)
{
	stv_auto_buf text = STV_BUF_INIT(STV_MAX_SOURCE);
	int rc = read_in(dirfd, name, &text, err);

	/* "context", which a URL gave, is always there. */
	for (size_t i = 0;
	     rc == 0 && is_default && i < STV_ARRAY_LEN(default_names); i++) {
		name = default_names[i];
		rc = read_in(dirfd, name, &text, err);
	}
	if (rc < 0)
		return -1;
	if (rc == 0) {
		stv_fail(err, STV_E_INPUT,
			 "there is no %s in the build context",
			 is_default ? "Dockerfile" : name);
		stv_err_hint(*err, "--file names it by its path in there.");
		return -1;
	}
	*ret_name = stv_xstrdup(name);
	return cmd_dockerfile_parse(sources, name, stv_buf_str(&text), text.len,
				    diags, ret, err);
}

char *
cmd_dockerfile_find(const char *context, struct stv_err **err)
{
	const char *slash =
		*context != '\0' && context[strlen(context) - 1] == '/' ? ""
									: "/";
	struct stat st;

	if (fstatat(AT_FDCWD, context, &st, 0) < 0) {
		stv_fail_errno_as(err, STV_E_INPUT, errno,
				  "cannot use %s as build context", context);
		return NULL;
	}
	if (!S_ISDIR(st.st_mode)) {
		stv_fail(err, STV_E_INPUT,
			 "the build context %s is not a directory", context);
		stv_err_hint(*err, "Name the directory, and the Dockerfile "
				   "with --file.");
		return NULL;
	}
	for (size_t i = 0; i < STV_ARRAY_LEN(default_names); i++) {
		stv_auto_free char *path = stv_xasprintf(
			"%s%s%s", context, slash, default_names[i]);

		if (fstatat(AT_FDCWD, path, &st, 0) == 0)
			return stv_steal(&path);
	}
	stv_fail(err, STV_E_INPUT, "there is no Dockerfile in %s", context);
	stv_err_hint(*err, "Name it with --file, or build another directory.");
	return NULL;
}

/* 1 where ${path} is there and was added to the sources, else 0. */
static int
try_ignore(struct stv_sources *sources, const char *path, const char *name,
	   uint32_t *ret, struct stv_err **err)
{
	stv_auto_buf text = STV_BUF_INIT(STV_MAX_SOURCE);
	struct stat st;

	if (fstatat(AT_FDCWD, path, &st, 0) < 0 && errno == ENOENT)
		return 0;
	if (read_whole(path, &text, err) < 0 ||
	    stv_sources_add(sources, name, stv_buf_str(&text), text.len, ret,
			    err) < 0)
		return -1;
	return 1;
}

int
cmd_ignore_load(struct stv_sources *sources, const char *context,
		const char *dockerfile, uint32_t *ret_file, char **ret_name,
		struct stv_err **err)
{
	stv_auto_free char *path = NULL;
	int rc = 0;

	*ret_file = 0;
	*ret_name = NULL;
	if (dockerfile != NULL) {
		path = stv_xasprintf("%s.dockerignore", dockerfile);
		rc = try_ignore(sources, path, path, ret_file, err);
		if (rc == 1)
			*ret_name = stv_steal(&path);
	}
	if (rc == 0) {
		stv_auto_free char *general =
			stv_xasprintf("%s/.dockerignore", context);

		rc = try_ignore(sources, general, ".dockerignore", ret_file,
				err);
		if (rc == 1)
			*ret_name = stv_xstrdup(".dockerignore");
	}
	return rc < 0 ? -1 : 0;
}

int
cmd_ignore_load_in(struct stv_sources *sources, int dirfd,
		   const char *dockerfile, uint32_t *ret_file, char **ret_name,
		   struct stv_err **err)
{
	stv_auto_free char *own =
		dockerfile == NULL
			? NULL
			: stv_xasprintf("%s.dockerignore", dockerfile);
	const char *const names[] = {own, ".dockerignore"};

	*ret_file = 0;
	*ret_name = NULL;
	for (size_t i = 0; i < STV_ARRAY_LEN(names); i++) {
		stv_auto_buf text = STV_BUF_INIT(STV_MAX_SOURCE);
		int rc = names[i] == NULL
				 ? 0
				 : read_in(dirfd, names[i], &text, err);

		if (rc == 0)
			continue;
		if (rc < 0 ||
		    stv_sources_add(sources, names[i], stv_buf_str(&text),
				    text.len, ret_file, err) < 0)
			return -1;
		*ret_name = stv_xstrdup(names[i]);
		return 0;
	}
	return 0;
}
