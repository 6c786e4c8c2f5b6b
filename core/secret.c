/* core/secret.c - what in texts of the user may be secret. */
#include <string.h>
#include <strings.h>

#include "core/cleanup.h"
#include "core/mem.h"

#include "core/secret.h"

/* What a URL in a text ends at: blanks, quotes, control bytes. */
static bool
ends_url(char c)
{
	return (unsigned char)c <= ' ' || c == '"' || c == '\'' || c == 0x7f;
}

/* Does ${word} stand in ${name} between '_', '-', '.' or its ends? */
static bool
has_word(const char *name, const char *word)
{
	size_t len = strlen(word);

	for (const char *p = name; *p != '\0';) {
		size_t n = strcspn(p, "_-.");

		if (n == len && strncasecmp(p, word, n) == 0)
			return true;
		p += n + (p[n] != '\0');
	}
	return false;
}

bool
stv_secret_is_name(const char *name)
{
	static const char *const parts[] = {
		"secret", "token",   "passw",	"passphrase", "pword",
		"apikey", "api_key", "private", "credential", "signature",
	};
	static const char *const words[] = {"auth", "key", "pass", "pwd",
					    "pat",  "dsn", "sas",  "cookie"};

	for (size_t i = 0; i < STV_ARRAY_LEN(parts); i++)
		if (strcasestr(name, parts[i]) != NULL)
			return true;
	for (size_t i = 0; i < STV_ARRAY_LEN(words); i++)
		if (has_word(name, words[i]))
			return true;
	return false;
}

/* Parameters of signed URLs whose names are no words elsewhere. */
static bool
is_secret_parameter(const char *name, size_t n)
{
	static const char *const more[] = {"sig", "AWSAccessKeyId", "Policy",
					   "Key-Pair-Id", "code"};
	stv_auto_free char *copy = stv_xstrndup(name, n);

	for (size_t i = 0; i < STV_ARRAY_LEN(more); i++)
		if (strcasecmp(copy, more[i]) == 0)
			return true;
	return stv_secret_is_name(copy);
}

static void
mask_query(char *p, const char *end)
{
	while (p < end) {
		char *next = memchr(p, '&', (size_t)(end - p));
		char *stop = next != NULL ? next : p + (end - p);
		char *equal = memchr(p, '=', (size_t)(stop - p));

		if (equal != NULL &&
		    is_secret_parameter(p, (size_t)(equal - p)))
			memset(equal + 1, '*', (size_t)(stop - equal - 1));
		p = stop + 1;
	}
}

/* ${p} is behind "://"; ${end} is the text's. */
static void
mask_url(char *p, const char *end, bool is_ssh)
{
	char *authority = p, *at, *query;

	while (p < end && !ends_url(*p) && strchr("/?#", *p) == NULL)
		p++;
	at = memrchr(authority, '@', (size_t)(p - authority));
	if (at != NULL &&
	    (!is_ssh || memchr(authority, ':', (size_t)(at - authority))))
		memset(authority, '*', (size_t)(at - authority));
	query = p;
	while (p < end && !ends_url(*p) && *p != '#')
		p++;
	query = memchr(query, '?', (size_t)(p - query));
	if (query != NULL)
		mask_query(query + 1, p);
}

void
stv_secret_mask_urls(char *s, size_t n)
{
	const char *end = s + n;

	for (char *p = s; (p = memmem(p, (size_t)(end - p), "://", 3)) != NULL;
	     p += 3)
		mask_url(p + 3, end,
			 p - s >= 3 && strncasecmp(p - 3, "ssh", 3) == 0);
}
