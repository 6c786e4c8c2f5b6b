/*
 * parser/fuzz/fuzz_mount.c - the value of RUN --mount.
 *
 * What is accepted is written down again in one canonical way, and must be
 * read as the same mount; what is accepted with values must have been accepted
 * before they were known; an error has a place inside of the text.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/buf.h"
#include "core/cleanup.h"
#include "core/err.h"
#include "core/mem.h"

#include "parser/mount.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MAX_INPUT ((size_t)4096)

static void
expect(bool ok)
{
	if (!ok)
		abort();
}

static int
expand(void *arg, const char *text, char **ret, struct stv_err **err)
{
	(void)arg;
	(void)err;
	*ret = stv_xstrdup(text);
	return 0;
}

static const struct df_mount_expander same = {.expand = expand};

static bool
is_same_text(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static bool
is_same(const struct df_mount *a, const struct df_mount *b)
{
	return a->type == b->type && a->sharing == b->sharing &&
	       is_same_text(a->from, b->from) &&
	       is_same_text(a->source, b->source) &&
	       is_same_text(a->target, b->target) &&
	       is_same_text(a->id, b->id) && is_same_text(a->env, b->env) &&
	       a->is_readonly == b->is_readonly &&
	       a->is_required == b->is_required &&
	       a->has_sharing == b->has_sharing && a->has_mode == b->has_mode &&
	       a->has_uid == b->has_uid && a->has_gid == b->has_gid &&
	       a->mode == b->mode && a->uid == b->uid && a->gid == b->gid &&
	       a->size_bytes == b->size_bytes;
}

static void
add(struct stv_buf *b, const char *key, const char *value)
{
	if (value == NULL)
		return;
	stv_buf_addf(b, ",\"%s=", key);
	for (; *value != '\0'; value++) {
		if (*value == '"')
			stv_buf_addc(b, '"');
		stv_buf_addc(b, *value);
	}
	stv_buf_addc(b, '"');
}

static char *
write_again(const struct df_mount *m)
{
	struct stv_buf b = STV_BUF_INIT(4 * MAX_INPUT);

	stv_buf_addf(&b, "type=%s,%s", df_mount_type_name(m->type),
		     m->is_readonly ? "ro" : "rw");
	add(&b, "from", m->from);
	add(&b, "source", m->source);
	add(&b, "target", m->target);
	add(&b, "id", m->id);
	add(&b, "env", m->env);
	if (m->has_sharing)
		add(&b, "sharing", df_mount_sharing_name(m->sharing));
	if (m->is_required)
		stv_buf_adds(&b, ",required");
	if (m->has_mode)
		stv_buf_addf(&b, ",mode=%o", m->mode);
	if (m->has_uid)
		stv_buf_addf(&b, ",uid=%u", m->uid);
	if (m->has_gid)
		stv_buf_addf(&b, ",gid=%u", m->gid);
	if (m->size_bytes > 0)
		stv_buf_addf(&b, ",size=%llu",
			     (unsigned long long)m->size_bytes);
	return stv_buf_take(&b);
}

static int
parse(const char *text, const struct df_mount_expander *x, struct df_mount *ret)
{
	struct stv_span span = {7, 7 + (uint32_t)strlen(text), 1};
	struct stv_err *err = NULL;
	int rc = df_mount_parse(text, span, x, ret, &err);

	if (rc < 0) {
		expect(stv_err_code(err) == STV_E_CHECK);
		expect(stv_err_span(err).file == 1);
		expect(stv_err_span(err).begin >= span.begin);
		expect(stv_err_span(err).end <= span.end);
		expect(stv_err_span(err).begin <= stv_err_span(err).end);
		stv_err_free(err);
	}
	return rc;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	stv_auto_free char *text = NULL, *again = NULL;
	struct df_mount a, b, early;

	if (size > MAX_INPUT)
		return 0;
	text = stv_xstrndup((const char *)data, size);
	if (parse(text, &same, &a) == 0) {
		expect(a.type <= DF_MOUNT_SSH &&
		       a.sharing <= DF_SHARING_LOCKED);
		again = write_again(&a);
		expect(parse(again, &same, &b) == 0 && is_same(&a, &b));
		df_mount_fini(&b);
		expect(parse(text, NULL, &early) == 0);
		if (strpbrk(text, "$\\`'\"") == NULL)
			expect(is_same(&a, &early));
		df_mount_fini(&early);
	}
	df_mount_fini(&a);
	return 0;
}
