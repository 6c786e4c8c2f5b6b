/* builder/targets.c - the stages of a file. */
#include <stdlib.h>

#include "core/mem.h"
#include "parser/ast.h"

#include "builder/build_internal.h"
#include "builder/outline.h"
#include "builder/outline_comment.h"

void
bld_targets(const struct df_file *f, bld_target_list *ret)
{
	bld_comments comments = {0};

	bld_comments_index(f, &comments);
	for (size_t i = 0; i < f->n_nodes; i++) {
		const struct df_node *n = &f->nodes[i];
		const struct df_flag *platform = df_node_flag(n, "platform");
		struct bld_target_info *t;

		if (n->kind != DF_FROM)
			continue;
		t = stv_vec_push(ret);
		*t = (struct bld_target_info){
			.base = stv_xstrdup(n->args[0].text)};
		if (platform != NULL)
			t->platform = stv_xstrdup(platform->value);
		if (n->n_args >= 3) {
			t->name = bld_stage_name(n->args[2].text);
			t->description =
				bld_comments_find(&comments, f, i, t->name);
		}
		bld_node_lines(f, n, &t->first_line, &t->last_line);
	}
	stv_vec_fini(&comments);
}

void
bld_targets_fini(bld_target_list *list)
{
	for (size_t i = 0; i < list->len; i++) {
		free(list->v[i].name);
		free(list->v[i].description);
		free(list->v[i].base);
		free(list->v[i].platform);
	}
	stv_vec_fini(list);
}
