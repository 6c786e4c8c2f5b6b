/* cmd/test/test_format.c - the part of Go's templates that scripts use. */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <string.h>

#include "core/buf.h"
#include "core/err.h"

#include "cmd/format.h"
#include "cmd/table.h"

static const char sample[] =
	"{\"Id\":\"sha256:ab\",\"Size\":42,\"On\":true,\"None\":null,"
	"\"Tags\":[\"a:1\",\"b:2\"],\"Config\":{\"User\":\"me\",\"Labels\":"
	"{\"x.y\":\"z\",\"n\":\"1\"},\"Cmd\":[\"sh\",\"-c\"]}}";

/* A format and its text; "!..." is the beginning of the error. */
struct row {
	char format[64];
	char want[128];
};

ParameterizedTestParameters(format, fields_are_filled_in)
{
	static struct row rows[] = {
		{"", ""},
		{"plain", "plain"},
		{"{{.Id}}", "sha256:ab"},
		{"{{.ID}}", "sha256:ab"},
		{"{{ .Size }} bytes", "42 bytes"},
		{"{{.On}}/{{.None}}", "true/[]"},
		{"{{.Config.User}}", "me"},
		{"{{.Tags}}", "[a:1 b:2]"},
		{"{{json .Tags}}", "[\"a:1\",\"b:2\"]"},
		{"{{json .Config.Cmd}}", "[\"sh\",\"-c\"]"},
		{"{{index .Tags 1}}", "b:2"},
		{"{{index .Config.Labels \"x.y\"}}", "z"},
		{"{{.Config.Labels}}", "map[x.y:z n:1]"},
		{"a\\tb\\nc", "a\tb\nc"},
		{"{{.Nope}}", "!--format: there is no 'Nope'"},
		{"{{index .Tags 7}}", "!--format: there is no '7'"},
		{"{{.Size", "!--format: '{{' without '}}'"},
		{"{{range .Tags}}x{{end}}",
		 "!--format: '{{range .Tags}}' is not supported"},
		{"{{.A | upper}}",
		 "!--format: '{{.A | upper}}' is not supported"},
		{"{{}}", "!--format: '{{}}' is not supported"},
	};

	return cr_make_param_array(struct row, rows, STV_ARRAY_LEN(rows));
}

ParameterizedTest(struct row *r, format, fields_are_filled_in)
{
	json_t *v = json_loads(sample, 0, NULL);
	struct stv_err *err = NULL;
	stv_auto(cmd_format) *f = cmd_format_new(r->format, &err);
	stv_auto_buf got = STV_BUF_INIT(4096);

	cr_assert_not_null(v);
	if (f == NULL || cmd_format_apply(f, v, &got, &err) < 0) {
		stv_buf_truncate(&got, 0);
		stv_buf_addf(&got, "!%s", stv_err_msg(err));
		cr_expect_eq(stv_err_code(err), STV_E_USAGE);
	}
	cr_expect_str_eq(stv_buf_str(&got), r->want, "%s: %s", r->format,
			 stv_buf_str(&got));
	stv_err_free(err);
	json_decref(v);
}

Test(format, json_is_the_whole)
{
	json_t *v = json_loads("{\"b\":1,\"a\":2}", 0, NULL);
	struct stv_err *err = NULL;
	stv_auto(cmd_format) *f = cmd_format_new("json", &err);
	stv_auto_buf got = STV_BUF_INIT(4096);

	cr_assert_eq(cmd_format_apply(f, v, &got, &err), 0);
	cr_expect_str_eq(stv_buf_str(&got), "{\"b\":1,\"a\":2}");
	json_decref(v);
}

Test(format, columns_are_spaced_as_dockers)
{
	stv_auto(cmd_table) *t = cmd_table_new();
	stv_auto_buf got = STV_BUF_INIT(4096);

	cmd_table_line(t, "REPOSITORY\tTAG\tSIZE");
	cmd_table_line(t, "a-rather-long-name\tlatest\t1MB");
	cmd_table_render(t, &got);
	cr_expect_str_eq(stv_buf_str(&got),
			 "REPOSITORY           TAG       SIZE\n"
			 "a-rather-long-name   latest    1MB\n");
}

Test(format, a_cell_cannot_move_the_cursor)
{
	stv_auto(cmd_table) *t = cmd_table_new();
	stv_auto_buf got = STV_BUF_INIT(4096);

	cmd_table_line(t, "a\033[2J\tb");
	cmd_table_render(t, &got);
	cr_expect_null(strchr(stv_buf_str(&got), '\033'));
}
