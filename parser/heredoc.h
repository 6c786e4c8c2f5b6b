/* parser/heredoc.h - recognising "<<EOF" words and taking their bodies. */
#ifndef STAVE_PARSER_HEREDOC_H
#define STAVE_PARSER_HEREDOC_H

#include <stdbool.h>
#include <stddef.h>

struct df_lex; /* parser/lex.h */

/* What a word like 3<<-'EOF' says. */
struct df_tag {
	char *name; /* unquoted; owned */
	unsigned fd;
	bool expand;
	bool chomp;
	size_t begin; /* where the word stands in its logical line */
	size_t end;
};

/*
 * df_tag_parse(word, ret): is the whole of ${word} one heredoc word?
 * Owns: df_tag_fini() where the answer is true.
 */
bool df_tag_parse(const char *word, struct df_tag *ret);

/* df_tag_fini(tag): free what it owns. */
void df_tag_fini(struct df_tag *tag);

/*
 * df_heredocs_take(lex, must_end): read the bodies that the current logical
 * line of ${lex} opens and queue one HEREDOC token for each.  With ${must_end}
 * a body without end is reported; otherwise (the instruction is unknown
 * anyway) nothing is taken then.
 */
void df_heredocs_take(struct df_lex *lex, bool must_end);

#endif /* STAVE_PARSER_HEREDOC_H */
