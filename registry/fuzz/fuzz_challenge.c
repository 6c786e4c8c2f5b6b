/*
 * registry/fuzz/fuzz_challenge.c - headers WWW-Authenticate.
 *
 * What is taken is within its bounds, has no control bytes, has no parameter
 * twice, and written anew it is read as the same.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/buf.h"
#include "core/cleanup.h"
#include "core/err.h"
#include "core/mem.h"

#include "registry/challenge.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
expect(bool ok)
{
	if (!ok)
		abort();
}

static void
check_text(const char *s)
{
	for (; *s != '\0'; s++)
		expect(((unsigned char)*s >= ' ' && *s != 0x7f) || *s == '\t');
}

static void
check(const struct reg_challenge *c)
{
	expect(c->scheme[0] != '\0');
	expect(c->params.len <= REG_MAX_CHALLENGE_PARAMS);
	for (size_t i = 0; i < c->params.len; i++) {
		const struct reg_challenge_param *p = &c->params.v[i];

		check_text(p->name);
		check_text(p->value);
		expect(reg_challenge_get(c, p->name) == p->value);
	}
}

static void
write_quoted(struct stv_buf *b, const char *s)
{
	stv_buf_addc(b, '"');
	for (; *s != '\0'; s++) {
		if (*s == '"' || *s == '\\')
			stv_buf_addc(b, '\\');
		stv_buf_addc(b, *s);
	}
	stv_buf_addc(b, '"');
}

static void
write_all(const struct reg_challenges *c, struct stv_buf *b)
{
	for (size_t i = 0; i < c->list.len; i++) {
		const struct reg_challenge *one = &c->list.v[i];

		stv_buf_addf(b, "%s%s", i == 0 ? "" : ", ", one->scheme);
		for (size_t k = 0; k < one->params.len; k++) {
			stv_buf_addf(b, "%s%s=", k == 0 ? " " : ", ",
				     one->params.v[k].name);
			write_quoted(b, one->params.v[k].value);
		}
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	stv_auto_free char *text = stv_xstrndup((const char *)data, size);
	stv_auto_buf once = STV_BUF_INIT((size_t)1 << 20);
	stv_auto_buf twice = STV_BUF_INIT((size_t)1 << 20);
	struct reg_challenges c = {0}, again = {0};
	struct stv_err *err = NULL;

	if (reg_challenge_parse(text, &c, &err) == 0) {
		expect(c.list.len <= REG_MAX_CHALLENGES);
		for (size_t i = 0; i < c.list.len; i++)
			check(&c.list.v[i]);
		write_all(&c, &once);
		expect(reg_challenge_parse(stv_buf_str(&once), &again, &err) ==
		       0);
		write_all(&again, &twice);
		expect(strcmp(stv_buf_str(&once), stv_buf_str(&twice)) == 0);
	} else {
		expect(stv_err_code(err) == STV_E_PROTOCOL ||
		       stv_err_code(err) == STV_E_LIMIT);
	}
	stv_err_free(err);
	reg_challenges_fini(&c);
	reg_challenges_fini(&again);
	return 0;
}
