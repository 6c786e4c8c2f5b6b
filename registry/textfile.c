/* registry/textfile.c - small files of the user's own. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/err.h"
#include "core/mem.h"

#include "registry/textfile.h"

/* The whole of ${fd} at once, so that no copy is left behind by growing. */
static int
read_all(int fd, const char *path, size_t max, struct reg_textfile *f,
	 struct stv_err **err)
{
	f->text = stv_xmalloc(max + 2);
	while (f->len <= max) {
		ssize_t n = read(fd, f->text + f->len, max + 1 - f->len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return stv_fail_errno(err, errno, "cannot read '%s'",
					      path);
		if (n == 0)
			break;
		f->len += (size_t)n;
	}
	f->text[f->len] = '\0';
	if (f->len > max)
		return stv_fail(err, STV_E_LIMIT,
				"'%s' is larger than %zu bytes", path, max);
	return 0;
}

int
reg_textfile_read(const char *path, size_t max, struct reg_textfile *ret,
		  struct stv_err **err)
{
	reg_auto_textfile f = {0};
	stv_auto_fd fd = -1;
	struct stat st;

	if (strcmp(path, "/dev/null") == 0) {
		*ret = (struct reg_textfile){.text = stv_xstrdup("")};
		return 1;
	}
	fd = openat(AT_FDCWD, path,
		    O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
		return 0;
	if (fd < 0)
		return stv_fail_errno(err, errno, "cannot open '%s'", path);
	if (fstat(fd, &st) < 0)
		return stv_fail_errno(err, errno, "cannot stat '%s'", path);
	if (!S_ISREG(st.st_mode))
		return stv_fail(err, STV_E_INPUT, "'%s' is not a regular file",
				path);
	if (read_all(fd, path, max, &f, err) < 0)
		return -1;
	f.mode = st.st_mode & 07777;
	*ret = f;
	f = (struct reg_textfile){0};
	return 1;
}

void
reg_textfile_fini(struct reg_textfile *f)
{
	if (f->text != NULL)
		explicit_bzero(f->text, f->len);
	free(f->text);
	*f = (struct reg_textfile){0};
}
