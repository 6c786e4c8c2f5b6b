/* parser/shell.c - the simple commands of a shell text, for the linter. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "core/buf.h"
#include "core/cleanup.h"
#include "core/mem.h"

#include "parser/shell.h"

/* Brackets that are followed into each other. */
#define MAX_DEPTH 64

/* The closing line of a here-document. */
struct tag {
	char *text;
	bool strips_tabs; /* <<- */
};

/* One text. */
struct cut {
	const char *text;
	size_t len;
	size_t pos;
	struct df_script *ret;
	enum df_shell_join join;
	size_t first;	 /* word of the current command */
	bool drops_next; /* the word behind a redirection */
	bool is_tag;	 /* and it closes a here-document */
	bool strips_tabs;
	bool has_lost_tag;	  /* one had no end: none is looked for */
	STV_VEC(struct tag) tags; /* whose bodies begin with the next line */
};

static bool
is_at(const struct cut *c, const char *s)
{
	size_t n = strlen(s);

	return c->len - c->pos >= n && memcmp(c->text + c->pos, s, n) == 0;
}

/* ---- commands ------------------------------------------------------------*/

static bool
is_assignment(const char *s)
{
	if (!isalpha((unsigned char)*s) && *s != '_')
		return false;
	while (isalnum((unsigned char)*s) || *s == '_')
		s++;
	return *s == '=' || (s[0] == '+' && s[1] == '=');
}

/* Words that another command follows. */
static bool
is_wrapper(const char *s)
{
	static const char *const all[] = {
		"sudo", "env",	     "exec",  "command", "time",
		"nice", "then",	     "do",    "else",	 "if",
		"elif", "while",     "!",     "until",	 "{",
		"}",	"eatmydata", "nohup", "xargs"};

	for (size_t i = 0; i < STV_ARRAY_LEN(all); i++)
		if (strcmp(all[i], s) == 0)
			return true;
	return false;
}

/* Find the name behind what may stand before it. */
static void
find_name(struct df_script *s, struct df_command *c)
{
	size_t end = c->first + c->n;
	bool after_wrapper = false;

	c->sudo = end;
	for (c->name = c->first; c->name < end; c->name++) {
		const char *word = s->words.v[c->name].text;

		if (is_wrapper(word)) {
			if (c->sudo == end && strcmp(word, "sudo") == 0)
				c->sudo = c->name;
			after_wrapper = true;
		} else if (!is_assignment(word) &&
			   !(after_wrapper && *word == '-')) {
			return;
		}
	}
}

static void
end_command(struct cut *c, enum df_shell_join next)
{
	struct df_script *s = c->ret;
	struct df_command *cmd;

	c->drops_next = c->is_tag = false;
	if (s->words.len > c->first) {
		cmd = stv_vec_push(&s->commands);
		cmd->first = c->first;
		cmd->n = s->words.len - c->first;
		cmd->join = c->join;
		find_name(s, cmd);
		c->first = s->words.len;
		c->join = next;
	} else if (next != DF_JOIN_NEXT) {
		c->join = next;
	}
}

void
df_script_end(struct df_script *s)
{
	struct cut c = {.ret = s};

	end_command(&c, DF_JOIN_NONE);
}

/* ---- words ---------------------------------------------------------------*/

/* Behind "$(", "${" or "`": up to its end. */
static void
skip_substitution(struct cut *c)
{
	char open = c->text[c->pos];
	char close = open == '(' ? ')' : open == '{' ? '}' : '`';
	int depth = 1;

	for (c->pos++; c->pos < c->len && depth > 0; c->pos++) {
		char ch = c->text[c->pos];

		if (ch == '\\' && c->pos + 1 < c->len)
			c->pos++;
		else if (ch == close)
			depth--;
		else if (ch == open && depth < MAX_DEPTH)
			depth++;
	}
}

/* A '$' or '`'; its text stays. */
static void
dollar(struct cut *c, struct df_shell_word *w, struct stv_buf *out)
{
	size_t begin = c->pos;

	w->is_exact = false;
	if (c->text[c->pos] == '$')
		c->pos++;
	if (c->pos < c->len && strchr("({`", c->text[c->pos]) != NULL)
		skip_substitution(c);
	stv_buf_add(out, c->text + begin, c->pos - begin);
}

static void
double_quoted(struct cut *c, struct df_shell_word *w, struct stv_buf *out)
{
	for (c->pos++; c->pos < c->len && c->text[c->pos] != '"';) {
		char ch = c->text[c->pos];

		if (ch == '$' || ch == '`') {
			dollar(c, w, out);
			continue;
		}
		if (ch == '\\' && c->pos + 1 < c->len)
			ch = c->text[++c->pos];
		stv_buf_addc(out, ch);
		c->pos++;
	}
	if (c->pos < c->len)
		c->pos++;
}

static void
single_quoted(struct cut *c, struct stv_buf *out)
{
	for (c->pos++; c->pos < c->len && c->text[c->pos] != '\''; c->pos++)
		stv_buf_addc(out, c->text[c->pos]);
	if (c->pos < c->len)
		c->pos++;
}

static void
read_word(struct cut *c, struct df_shell_word *w)
{
	stv_auto_buf out = STV_BUF_INIT((size_t)1 << 20);

	w->begin = c->pos;
	w->is_exact = true;
	while (c->pos < c->len &&
	       strchr(" \t\r\n;&|()<>", c->text[c->pos]) == NULL) {
		char ch = c->text[c->pos];

		if (ch == '\'') {
			single_quoted(c, &out);
		} else if (ch == '"') {
			double_quoted(c, w, &out);
		} else if (ch == '$' || ch == '`') {
			dollar(c, w, &out);
		} else {
			if (ch == '\\' && c->pos + 1 < c->len)
				ch = c->text[++c->pos];
			if (ch != '\n')
				stv_buf_addc(&out, ch);
			c->pos++;
		}
	}
	w->end = c->pos;
	w->text = stv_buf_take(&out);
}

/* ---- the text ------------------------------------------------------------*/

/* "<", ">>", "2>&1": what follows is no argument. */
static void
redirect(struct cut *c)
{
	struct df_script *s = c->ret;
	struct df_shell_word *last =
		s->words.len > c->first ? &s->words.v[s->words.len - 1] : NULL;

	/* The number of a descriptor right before it belongs to it. */
	if (last != NULL && last->end == c->pos && strlen(last->text) == 1 &&
	    isdigit((unsigned char)*last->text)) {
		free(last->text);
		s->words.len--;
	}
	c->is_tag = is_at(c, "<<") && !is_at(c, "<<<") && !c->has_lost_tag;
	c->strips_tabs = is_at(c, "<<-");
	while (c->pos < c->len && strchr("<>&|-", c->text[c->pos]) != NULL)
		c->pos++;
	c->drops_next = true;
}

/* The word behind a redirection, which is taken. */
static void
drop(struct cut *c, char *word)
{
	if (c->is_tag)
		*stv_vec_push(&c->tags) = (struct tag){word, c->strips_tabs};
	else
		free(word);
	c->drops_next = c->is_tag = false;
}

/* Move behind the line that is ${t}; false where there is none. */
static bool
skip_body(struct cut *c, const struct tag *t)
{
	size_t len = strlen(t->text);

	for (size_t at = c->pos, end; at < c->len; at = end + 1) {
		const char *line = c->text + at;
		const char *nl = memchr(line, '\n', c->len - at);
		size_t n = nl != NULL ? (size_t)(nl - line) : c->len - at;

		end = at + n;
		for (; t->strips_tabs && n > 0 && *line == '\t'; n--)
			line++;
		n -= n > 0 && line[n - 1] == '\r';
		if (n != len || memcmp(line, t->text, n) != 0)
			continue;
		c->pos = nl != NULL ? end + 1 : end;
		return true;
	}
	return false;
}

/* What stands in here-documents is no command. */
static void
skip_bodies(struct cut *c)
{
	for (size_t i = 0; i < c->tags.len; i++) {
		if (!c->has_lost_tag && !skip_body(c, &c->tags.v[i]))
			c->has_lost_tag = true;
		free(c->tags.v[i].text);
	}
	c->tags.len = 0;
}

/* An operator, or false. */
static bool
operator(struct cut *c)
{
	char ch = c->text[c->pos];
	enum df_shell_join next = DF_JOIN_NEXT;
	size_t n = 1;

	if (ch == '<' || ch == '>' || is_at(c, "&>")) {
		redirect(c);
		return true;
	}
	if (strchr("\n;&|()", ch) == NULL)
		return false;
	if (is_at(c, "&&"))
		next = DF_JOIN_AND;
	else if (is_at(c, "||"))
		next = DF_JOIN_OR;
	else if (ch == '|')
		next = DF_JOIN_PIPE;
	if (next == DF_JOIN_AND || next == DF_JOIN_OR)
		n = 2;
	end_command(c, next);
	c->pos += n;
	if (ch == '\n')
		skip_bodies(c);
	return true;
}

void
df_script_parse(const char *text, size_t len, struct df_script *ret)
{
	struct cut c = {.text = text, .len = len, .ret = ret};

	while (c.pos < c.len) {
		struct df_shell_word w = {0};
		char ch = c.text[c.pos];

		if (ch == ' ' || ch == '\t' || ch == '\r' ||
		    is_at(&c, "\\\n")) {
			c.pos += ch == '\\' ? 2 : 1;
			continue;
		}
		if (ch == '#') {
			while (c.pos < c.len && c.text[c.pos] != '\n')
				c.pos++;
			continue;
		}
		if (operator(&c))
			continue;
		read_word(&c, &w);
		if (c.drops_next)
			drop(&c, w.text);
		else
			*stv_vec_push(&ret->words) = w;
	}
	end_command(&c, DF_JOIN_NONE);
	c.pos = c.len;
	skip_bodies(&c);
	stv_vec_fini(&c.tags);
}

void
df_script_fini(struct df_script *s)
{
	for (size_t i = 0; i < s->words.len; i++)
		free(s->words.v[i].text);
	stv_vec_fini(&s->words);
	stv_vec_fini(&s->commands);
}

/* ---- questions -----------------------------------------------------------*/

bool
df_command_is(const struct df_script *s, const struct df_command *c,
	      const char *name)
{
	const char *word, *slash;

	if (c->name >= c->first + c->n)
		return false;
	word = s->words.v[c->name].text;
	slash = strrchr(word, '/');
	return strcmp(slash != NULL ? slash + 1 : word, name) == 0;
}

bool
df_command_names(const struct df_script *s, const struct df_command *c,
		 const char *part)
{
	for (size_t i = c->first; i < c->first + c->n; i++)
		if (strstr(s->words.v[i].text, part) != NULL)
			return true;
	return false;
}

const struct df_shell_word *
df_command_verb(const struct df_script *s, const struct df_command *c)
{
	for (size_t i = c->name + 1; i < c->first + c->n; i++) {
		const char *word = s->words.v[i].text;

		if ((strcmp(word, "-o") == 0 || strcmp(word, "-t") == 0 ||
		     strcmp(word, "-c") == 0))
			i++; /* an option of apt-get with a value */
		else if (*word != '-')
			return &s->words.v[i];
	}
	return NULL;
}
