/* registry/url.c - URLs as text: showing them, and the name of a file. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/buf.h"
#include "core/limits.h"
#include "core/mem.h"

#include "registry/http.h"

#define UNNAMED "__unnamed__"
#define MAX_SHOWN ((size_t)4096)

bool
reg_http_is_url(const char *s)
{
	return strncasecmp(s, "http://", 7) == 0 ||
	       strncasecmp(s, "https://", 8) == 0;
}

/* What is behind "scheme://", or all of it. */
static const char *
behind_scheme(const char *url)
{
	const char *p = strstr(url, "://");

	return p == NULL ? url : p + 3;
}

char *
reg_http_redact(const char *url)
{
	struct stv_buf shown = STV_BUF_INIT(MAX_SHOWN);
	const char *host = behind_scheme(url);
	size_t authority = strcspn(host, "/?#");
	const char *end = host + strcspn(host, "?#");
	const char *at = memrchr(host, '@', authority);

	stv_buf_add_escaped(&shown, url, (size_t)(host - url));
	if (at != NULL)
		host = at + 1;
	stv_buf_add_escaped(&shown, host, (size_t)(end - host));
	return stv_buf_take(&shown);
}

static int
hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* Undo %XX in place; false where that gives a NUL or is not well formed. */
static bool
unescape(char *s)
{
	char *out = s;

	for (; *s != '\0'; s++) {
		int high, low;

		if (*s != '%') {
			*out++ = *s;
			continue;
		}
		high = hex_value(s[1]);
		low = high < 0 ? -1 : hex_value(s[2]);
		if (low < 0 || (high == 0 && low == 0))
			return false;
		*out++ = (char)(high * 16 + low);
		s += 2;
	}
	*out = '\0';
	return true;
}

char *
reg_http_url_name(const char *url)
{
	const char *host = behind_scheme(url);
	const char *path = host + strcspn(host, "/?#");
	size_t n = strcspn(path, "?#");
	stv_auto_free char *plain = stv_xstrndup(path, n);
	const char *base;

	/* Escaped slashes count too: the name is one plain component. */
	if (!unescape(plain))
		return stv_xstrdup(UNNAMED);
	for (n = strlen(plain); n > 0 && plain[n - 1] == '/'; n--)
		plain[n - 1] = '\0';
	base = strrchr(plain, '/');
	base = base == NULL ? plain : base + 1;
	if (*base == '\0' || strcmp(base, ".") == 0 ||
	    strcmp(base, "..") == 0 || strlen(base) > STV_MAX_NAME)
		return stv_xstrdup(UNNAMED);
	return stv_xstrdup(base);
}
