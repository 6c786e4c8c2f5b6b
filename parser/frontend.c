/*
 * parser/frontend.c - the directive "# syntax=IMAGE".
 *
 * BuildKit runs that image to read the file.  stave reads all that the official
 * ones read, and runs none.
 */
#include <string.h>

#include "core/cleanup.h"
#include "core/diag.h"

#include "parser/parse_internal.h"

/* The image's name without tag and digest. */
static size_t
name_len(const char *image, size_t n)
{
	const char *at = memchr(image, '@', n);

	if (at != NULL)
		n = (size_t)(at - image);
	for (size_t i = n; i-- > 0 && image[i] != '/';)
		if (image[i] == ':')
			return i;
	return n;
}

static bool
ends_with(const char *s, size_t n, const char *end)
{
	size_t len = strlen(end);

	return n >= len && memcmp(s + n - len, end, len) == 0 &&
	       (n == len || s[n - len - 1] == '/');
}

/* The official ones, also by way of a mirror, and the built-in one's name. */
static bool
is_known(const char *image, size_t n)
{
	static const char *const names[] = {"dockerfile.v0",
					    "docker/dockerfile",
					    "docker/dockerfile-upstream"};

	n = name_len(image, n);
	for (size_t i = 0; i < STV_ARRAY_LEN(names); i++)
		if (ends_with(image, n, names[i]))
			return true;
	return false;
}

void
df_check_syntax(const struct df_file *f, struct stv_diags *diags)
{
	const char *image = f->syntax.value;
	size_t n = image == NULL ? 0 : strcspn(image, " \t");
	struct stv_diag *d;

	if (n == 0 || is_known(image, n))
		return;
	d = stv_diags_add(diags, STV_SEV_WARNING, f->syntax.value_span,
			  "the frontend '%.*s' is not run: this is read as a "
			  "Dockerfile",
			  (int)n, image);
	stv_diag_hint(d, "stave reads what docker/dockerfile reads; remove the "
			 "line if the file needs no more.");
}
