/*
 * builder/test/test_outline.c - tests of builder/outline.h.  That it answers
 * as BuildKit does is for cmd/test/e2e-call.sh.
 */
#include <string.h>

#include <criterion/criterion.h>

#include "builder/build.h"
#include "builder/outline.h"
#include "core/buf.h"
#include "core/cleanup.h"
#include "core/diag.h"
#include "core/err.h"
#include "core/limits.h"
#include "core/source.h"
#include "parser/parse.h"

/* One look at a text. */
struct look {
	struct stv_sources *sources;
	struct df_file *file;
	struct bld_opts o;
	struct bld_outline *out;
	struct stv_err *err;
	int rc;
};

static void
look_at(struct look *l, const char *text)
{
	struct stv_diags diags = {0};
	uint32_t no;

	l->sources = stv_sources_new();
	cr_assert_eq(stv_sources_add(l->sources, "Dockerfile", text,
				     strlen(text), &no, &l->err),
		     0);
	cr_assert_eq(df_parse(l->sources, no, &l->file, &diags, &l->err), 0,
		     "%s", text);
	stv_diags_fini(&diags);
	l->o.file = l->file;
	l->rc = bld_outline_new(&l->o, &l->out, &l->err);
}

static void
look_fini(struct look *l)
{
	bld_outline_free(l->out);
	df_file_free(l->file);
	stv_err_free(l->err);
	stv_sources_free(l->sources);
}

/* "name=value name ..." */
static void
print_items(const bld_outline_items *items, struct stv_buf *ret)
{
	for (size_t i = 0; i < items->len; i++) {
		const struct bld_outline_item *it = &items->v[i];

		stv_buf_addf(ret, "%s%s%s%s", i > 0 ? " " : "", it->name,
			     it->value != NULL ? "=" : "",
			     it->value != NULL ? it->value : "");
	}
}

#define EXPECT_ITEMS(items, want)                                              \
	do {                                                                   \
		stv_auto_buf b_ = STV_BUF_INIT(4096);                          \
		print_items(items, &b_);                                       \
		cr_expect_str_eq(stv_buf_str(&b_), want);                      \
	} while (0)

Test(outline, a_mount_from_a_stage_makes_it_needed)
{
	struct look l = {0};

	look_at(&l, "FROM scratch AS tool\nARG T=1\n"
		    "RUN --mount=type=secret,id=deep x\n"
		    "FROM scratch AS other\nARG U=1\n"
		    "FROM scratch\n"
		    "RUN --mount=type=bind,from=tool,target=/t x\n");
	cr_assert_eq(l.rc, 0);
	EXPECT_ITEMS(&l.out->args, "T=1");
	EXPECT_ITEMS(&l.out->secrets, "deep");
	look_fini(&l);
}

Test(outline, what_the_target_does_not_need_is_not_looked_at)
{
	static const struct bld_target bad = {.stage = "bad"};
	struct look l = {0};

	look_at(&l, "FROM scratch AS bad\nENV a=${x:?never}\n"
		    "FROM scratch\nARG A\n");
	cr_assert_eq(l.rc, 0, "%s", l.err ? stv_err_msg(l.err) : "");
	EXPECT_ITEMS(&l.out->args, "A");
	look_fini(&l);
	l = (struct look){.o.targets = &bad, .o.n_targets = 1};
	look_at(&l, "FROM scratch AS bad\nENV a=${x:?never}\n");
	cr_expect_eq(l.rc, -1);
	cr_expect_eq(stv_err_span(l.err).begin, 26);
	look_fini(&l);
}

Test(outline, contexts_are_the_images_that_are_used)
{
	struct look l = {0};

	look_at(&l, "ARG V=3\nFROM alpine:$V AS a\nFROM scratch\n"
		    "COPY --from=a / /\nCOPY --from=alpine:3 / /\n"
		    "COPY --from=tools / /\n");
	cr_assert_eq(l.rc, 0);
	EXPECT_ITEMS(&l.out->contexts, "alpine:3 tools");
	EXPECT_ITEMS(&l.out->args, "V=3");
	look_fini(&l);
}

Test(outline, each_env_sees_the_values_from_before_its_instruction)
{
	struct look l = {0};

	look_at(&l, "FROM scratch\nENV A=1\nENV A=2 B=$A\nARG C=$A$B\n");
	cr_assert_eq(l.rc, 0);
	EXPECT_ITEMS(&l.out->args, "C=21");
	look_fini(&l);
}

Test(outline, a_long_chain_of_stages_is_no_recursion)
{
	stv_auto_buf b = STV_BUF_INIT(STV_MAX_SOURCE);
	struct look l = {0};

	stv_buf_adds(&b, "FROM scratch AS s0\nARG A=1\n");
	for (int i = 1; i < 5000; i++)
		stv_buf_addf(&b, "FROM s%d AS s%d\n", i - 1, i);
	look_at(&l, stv_buf_str(&b));
	cr_assert_eq(l.rc, 0);
	EXPECT_ITEMS(&l.out->args, "A=1");
	look_fini(&l);
}

Test(outline, targets_are_all_stages_with_their_names_in_lower_case)
{
	struct look l = {0};
	bld_target_list list = {0};

	look_at(&l, "# one is first\nFROM --platform=a/b x AS One\nFROM $y\n");
	cr_expect_eq(l.rc, -1); /* $y is nothing, but a target is listed */
	bld_targets(l.file, &list);
	cr_assert_eq(list.len, 2);
	cr_expect_str_eq(list.v[0].name, "one");
	cr_expect_str_eq(list.v[0].description, "is first");
	cr_expect_str_eq(list.v[0].base, "x");
	cr_expect_str_eq(list.v[0].platform, "a/b");
	cr_expect_eq(list.v[0].first_line, 2);
	cr_expect_null(list.v[1].name);
	cr_expect_str_eq(list.v[1].base, "$y");
	bld_targets_fini(&list);
	look_fini(&l);
}
