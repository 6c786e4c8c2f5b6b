/* parser/test/test_shell.c - tests of parser/shell.h. */
#include <string.h>

#include <criterion/criterion.h>
#include <criterion/parameterized.h>

#include "core/buf.h"
#include "core/cleanup.h"

#include "parser/shell.h"

struct row {
	char text[120];
	char want[160];
};

/* "join name[args]": one command, its name behind wrappers, all of its words.
 */
static void
show(const struct df_script *s, struct stv_buf *ret)
{
	static const char *const joins[] = {[DF_JOIN_NONE] = "",
					    [DF_JOIN_AND] = "&&",
					    [DF_JOIN_OR] = "||",
					    [DF_JOIN_PIPE] = "|",
					    [DF_JOIN_NEXT] = ";"};

	for (size_t i = 0; i < s->commands.len; i++) {
		const struct df_command *c = &s->commands.v[i];

		stv_buf_addf(ret, "%s%s<", i > 0 ? " " : "", joins[c->join]);
		for (size_t k = c->first; k < c->first + c->n; k++)
			stv_buf_addf(ret, "%s%s%s%s", k > c->first ? "," : "",
				     k == c->name ? "*" : "",
				     s->words.v[k].text,
				     s->words.v[k].is_exact ? "" : "?");
		stv_buf_adds(ret, c->sudo < c->first + c->n ? ">s" : ">");
	}
}

ParameterizedTestParameters(shell, commands_are_cut)
{
	static struct row rows[] = {
		{"a b c", "<*a,b,c>"},
		{"a && b || c | d; e & f\ng",
		 "<*a> &&<*b> ||<*c> |<*d> ;<*e> ;<*f> ;<*g>"},
		{"a 'b c' \"d e\" f\\ g", "<*a,b c,d e,f g>"},
		{"a \"it's\" 'x\"y'", "<*a,it's,x\"y>"},
		{"a $b \"$c\" '$d' `e f` $(g h) ${i:-j k}",
		 "<*a,$b?,$c?,$d,`e f`?,$(g h)?,${i:-j k}?>"},
		{"A=1 B=x\\ y sudo -E apt-get install",
		 "<A=1,B=x y,sudo,-E,*apt-get,install>s"},
		{"if true; then npm ci; fi",
		 "<if,*true> ;<then,*npm,ci> ;<*fi>"},
		{"(cd /x && make)", "<*cd,/x> &&<*make>"},
		{"{ a; }", "<{,*a> ;<}>"},
		{"! a", "<!,*a>"},
		{"a >b 2>&1 <c d >>e &>f g", "<*a,d,g>"},
		{"a 2>/dev/null", "<*a>"},
		{"a # b && c\nd", "<*a> ;<*d>"},
		{"a <<E >f\nb c\nE\nd", "<*a> ;<*d>"},
		{"a <<-'E' <<F|b\nc\n\tE\nE\nF\nd", "<*a> |<*b> ;<*d>"},
		{"a <<E\r\nb\r\nE\r\nd", "<*a> ;<*d>"},
		{"a <<E\nb\nEE\n E", "<*a> ;<*b> ;<*EE> ;<*E>"},
		{"a <<<E\nb", "<*a> ;<*b>"},
		{"a <<\nb\nc", "<*a> ;<*b> ;<*c>"},
		{"a b#c", "<*a,b#c>"},
		{"a \\\n b", "<*a,b>"},
		{"A=1", "<A=1>"},
		{"", ""},
		{"&& ;; |", ""},
		{"'open", "<*open>"},
		{"\"open $(x", "<*open $(x?>"},
		{"$(((((", "<*$(((((?>"},
	};

	return cr_make_param_array(struct row, rows,
				   sizeof(rows) / sizeof(rows[0]));
}

ParameterizedTest(struct row *r, shell, commands_are_cut)
{
	stv_auto_buf got = STV_BUF_INIT(4096);
	struct df_script s = {0};

	df_script_parse(r->text, strlen(r->text), &s);
	show(&s, &got);
	cr_expect_str_eq(stv_buf_str(&got), r->want, "%s", r->text);
	df_script_fini(&s);
}

Test(shell, words_know_their_bytes)
{
	static const char text[] = "ab 'c d'&&e";
	struct df_script s = {0};

	df_script_parse(text, strlen(text), &s);
	cr_assert_eq(s.words.len, 3);
	cr_expect_eq(s.words.v[1].begin, 3);
	cr_expect_eq(s.words.v[1].end, 8);
	cr_expect_eq(s.words.v[2].begin, 10);
	df_script_fini(&s);
}

Test(shell, questions_about_a_command)
{
	static const char text[] = "sudo /usr/bin/apt-get -o A=b -q install x";
	struct df_script s = {0};
	const struct df_command *c;

	df_script_parse(text, strlen(text), &s);
	c = &s.commands.v[0];
	cr_expect(df_command_is(&s, c, "apt-get"));
	cr_expect_not(df_command_is(&s, c, "sudo"));
	cr_expect(df_command_names(&s, c, "usr/bin"));
	cr_expect_str_eq(df_command_verb(&s, c)->text, "install");
	df_script_fini(&s);
}
