/* builder/outline_comment.h - what the comments above an instruction say. */
#ifndef STAVE_BUILDER_OUTLINE_COMMENT_H
#define STAVE_BUILDER_OUTLINE_COMMENT_H

#include <stddef.h>
#include <stdint.h>

#include "core/vec.h"

struct df_file; /* parser/ast.h */
struct df_node; /* parser/ast.h */

/*
 * For each instruction the first piece behind the one before it; see
 * bld_comments_find().
 */
typedef STV_VEC(size_t) bld_comments;

/* bld_comments_index(f, ret): find where comments are.  Owns: the vector. */
void bld_comments_index(const struct df_file *f, bld_comments *ret);

/*
 * bld_comments_find(c, f, node, name): the rest of the first comment line
 * between instruction number ${node} and the one before it that begins with
 * ${name} and a blank; NULL where there is none.  Lines with blanks before the
 * '#' do not count, as in BuildKit.
 * Owns: the caller frees the result.
 */
char *bld_comments_find(const bld_comments *c, const struct df_file *f,
			size_t node, const char *name);

/*
 * bld_node_lines(f, node, ret_first, ret_last): the lines of an instruction
 * with its heredocs, from 1.
 */
void bld_node_lines(const struct df_file *f, const struct df_node *node,
		    uint32_t *ret_first, uint32_t *ret_last);

#endif /* STAVE_BUILDER_OUTLINE_COMMENT_H */
