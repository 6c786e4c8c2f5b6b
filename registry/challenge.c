/* registry/challenge.c - reading WWW-Authenticate. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/buf.h"
#include "core/err.h"
#include "core/mem.h"

#include "registry/challenge.h"

#define MAX_VALUE ((size_t)8 << 10)

/* tchar of RFC 9110, 5.6.2. */
static bool
is_tchar(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
	       (c >= 'a' && c <= 'z') ||
	       (c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

static size_t
token_len(const char *s)
{
	size_t n = 0;

	while (is_tchar(s[n]))
		n++;
	return n;
}

static char *
lower(const char *s, size_t n)
{
	char *copy = stv_xstrndup(s, n);

	for (char *p = copy; *p != '\0'; p++)
		if (*p >= 'A' && *p <= 'Z')
			*p = (char)(*p - 'A' + 'a');
	return copy;
}

static const char *
skip_space(const char *s)
{
	return s + strspn(s, " \t");
}

/* token68: a token with slashes and padding, and nothing behind it. */
static size_t
token68_len(const char *s)
{
	size_t n = 0;
	const char *end;

	while (is_tchar(s[n]) || s[n] == '/')
		n++;
	while (n > 0 && s[n] == '=')
		n++;
	end = skip_space(s + n);
	return *end == '\0' || *end == ',' ? n : 0;
}

/* A quoted string from its quote: what is behind it, or NULL. */
static const char *
read_quoted(const char *s, char **ret)
{
	struct stv_buf value = STV_BUF_INIT(MAX_VALUE);

	for (s++; *s != '"'; s++) {
		if (*s == '\\')
			s++;
		if (*s == 0x7f || ((unsigned char)*s < ' ' && *s != '\t')) {
			stv_buf_fini(&value);
			return NULL;
		}
		stv_buf_addc(&value, *s);
	}
	if (value.is_over) {
		stv_buf_fini(&value);
		return NULL;
	}
	*ret = stv_buf_take(&value);
	return s + 1;
}

/*
 * "name = value" at ${s}: what is behind it; NULL where there is none there.
 * A scheme looks the same up to the '='.
 */
static const char *
read_param(const char *s, char **name, char **value)
{
	size_t n = token_len(s), len;
	const char *p = skip_space(s + n);

	if (n == 0 || *p != '=')
		return NULL;
	p = skip_space(p + 1);
	if (*p == '"') {
		const char *end = read_quoted(p, value);

		if (end != NULL)
			*name = lower(s, n);
		return end;
	}
	len = token_len(p);
	if (len == 0)
		return NULL;
	*name = lower(s, n);
	*value = stv_xstrndup(p, len);
	return p + len;
}

static int
malformed(struct stv_err **err)
{
	return stv_fail(err, STV_E_PROTOCOL,
			"the server's WWW-Authenticate cannot be understood");
}

static int
add_param(struct reg_challenge *c, char *name, char *value,
	  struct stv_err **err)
{
	struct reg_challenge_param *p;

	/* Which of two would count is for nobody to guess. */
	if (reg_challenge_get(c, name) != NULL ||
	    c->params.len == REG_MAX_CHALLENGE_PARAMS) {
		free(name);
		free(value);
		return malformed(err);
	}
	p = stv_vec_push(&c->params);
	p->name = name;
	p->value = value;
	return 0;
}

/* Behind a list's element: a comma, or the end. */
static const char *
end_element(const char *s)
{
	s = skip_space(s);
	if (*s != ',' && *s != '\0')
		return NULL;
	while (*s == ',')
		s = skip_space(s + 1);
	return s;
}

/* The parameters of the challenge that ${s} is in; where the next begins. */
static const char *
read_params(const char *s, struct reg_challenge *c, struct stv_err **err)
{
	while (*s != '\0') {
		char *name = NULL, *value = NULL;
		const char *end = read_param(s, &name, &value);

		if (end == NULL)
			break;
		if (add_param(c, name, value, err) < 0)
			return NULL;
		s = end_element(end);
		if (s == NULL) {
			malformed(err);
			return NULL;
		}
	}
	return s;
}

int
reg_challenge_parse(const char *header, struct reg_challenges *ret,
		    struct stv_err **err)
{
	const char *s = skip_space(header);

	while (*s == ',')
		s = skip_space(s + 1);
	while (*s != '\0') {
		size_t n = token_len(s), n68;
		struct reg_challenge *c;

		if (n == 0)
			return malformed(err);
		if (ret->list.len == REG_MAX_CHALLENGES)
			return stv_fail(err, STV_E_LIMIT,
					"the server asks for more than %d "
					"kinds of authentication",
					REG_MAX_CHALLENGES);
		c = stv_vec_push(&ret->list);
		c->scheme = lower(s, n);
		s += n;
		if (*s == ',' || *s == '\0') {
			s = end_element(s);
			continue;
		}
		if (*s != ' ' && *s != '\t')
			return malformed(err);
		s = skip_space(s);
		n68 = token68_len(s);
		if (n68 > 0) {
			s = end_element(s + n68);
			continue;
		}
		s = end_element(s) != NULL ? end_element(s)
					   : read_params(s, c, err);
		if (s == NULL)
			return -1;
	}
	return 0;
}

const struct reg_challenge *
reg_challenge_find(const struct reg_challenges *c, const char *scheme)
{
	for (size_t i = 0; i < c->list.len; i++)
		if (strcmp(c->list.v[i].scheme, scheme) == 0)
			return &c->list.v[i];
	return NULL;
}

const char *
reg_challenge_get(const struct reg_challenge *c, const char *name)
{
	for (size_t i = 0; i < c->params.len; i++)
		if (strcmp(c->params.v[i].name, name) == 0)
			return c->params.v[i].value;
	return NULL;
}

void
reg_challenges_fini(struct reg_challenges *c)
{
	for (size_t i = 0; i < c->list.len; i++) {
		struct reg_challenge *one = &c->list.v[i];

		for (size_t k = 0; k < one->params.len; k++) {
			free(one->params.v[k].name);
			free(one->params.v[k].value);
		}
		stv_vec_fini(&one->params);
		free(one->scheme);
	}
	stv_vec_fini(&c->list);
	*c = (struct reg_challenges){0};
}
