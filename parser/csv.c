/* parser/csv.c - one line of comma-separated fields. */
#include <stdlib.h>
#include <string.h>

#include "core/cleanup.h"
#include "core/err.h"
#include "core/mem.h"
#include "core/strs.h"

#include "parser/csv.h"

static int
bad_quote(size_t at, size_t *ret_at, const char *why, struct stv_err **err)
{
	*ret_at = at;
	stv_fail(err, STV_E_CHECK, "%s", why);
	stv_err_hint(*err, "Quote a whole field: 'a=b,\"c=d,e\"'; two quotes "
			   "in it stand for one.");
	return -1;
}

/* The quoted field at ${*at}; ${*at} moves behind its last quote. */
static int
take_quoted(const char *text, size_t *at, char **ret, size_t *ret_at,
	    struct stv_err **err)
{
	size_t begin = *at + 1, end = begin, n = 0;
	char *out;

	while (text[end] != '"' || text[end + 1] == '"') {
		if (text[end] == '\0')
			return bad_quote(*at, ret_at,
					 "a quoted field does not end", err);
		end += text[end] == '"' ? 2 : 1;
	}
	if (text[end + 1] != ',' && text[end + 1] != '\0')
		return bad_quote(end + 1, ret_at,
				 "there is something behind a quoted field",
				 err);
	out = stv_xmalloc(end - begin + 1);
	for (size_t i = begin; i < end; i++) {
		out[n++] = text[i];
		i += text[i] == '"';
	}
	out[n] = '\0';
	*ret = out;
	*at = end + 1;
	return 0;
}

static int
take_plain(const char *text, size_t *at, char **ret, size_t *ret_at,
	   struct stv_err **err)
{
	size_t n = strcspn(text + *at, ",\"");

	if (text[*at + n] == '"')
		return bad_quote(*at + n, ret_at,
				 "a quote stands inside of a field", err);
	*ret = stv_xstrndup(text + *at, n);
	*at += n;
	return 0;
}

int
df_csv_parse(const char *text, struct df_csv *ret, size_t *ret_at,
	     struct stv_err **err)
{
	size_t at = 0;

	*ret_at = 0;
	if (*text == '\0')
		return stv_fail(err, STV_E_CHECK, "the value is empty");
	for (;;) {
		struct df_csv_field f = {.begin = at};
		int r = text[at] == '"'
				? take_quoted(text, &at, &f.text, ret_at, err)
				: take_plain(text, &at, &f.text, ret_at, err);

		if (r < 0)
			return -1;
		f.end = at;
		*stv_vec_push(&ret->fields) = f;
		if (text[at] == '\0')
			return 0;
		at++;
	}
}

int
df_csv_split(const char *text, struct stv_strs *ret, struct stv_err **err)
{
	STV_CLEANUP(df_csv_fini) struct df_csv csv = {0};
	size_t at;

	if (*text == '\0')
		return 0;
	if (df_csv_parse(text, &csv, &at, err) < 0)
		return -1;
	for (size_t i = 0; i < csv.fields.len; i++)
		stv_strs_take(ret, stv_steal(&csv.fields.v[i].text));
	return 0;
}

void
df_csv_fini(struct df_csv *c)
{
	for (size_t i = 0; i < c->fields.len; i++)
		free(c->fields.v[i].text);
	stv_vec_fini(&c->fields);
}
