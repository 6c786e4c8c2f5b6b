/* builder/selection.c - what of a build context goes where. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/err.h"
#include "core/fsat.h"
#include "core/limits.h"
#include "core/mem.h"
#include "parser/ignore.h"
#include "parser/parse.h"
#include "registry/http.h"

#include "builder/build_internal.h"
#include "builder/context.h"
#include "builder/copy_flags.h"
#include "builder/copy_internal.h"
#include "builder/selection.h"

/* The context with names only: nothing is hashed. */
struct names {
	struct bld_source base;
	struct bld_source *under;
};

/* A path that an instruction takes. */
struct taken {
	char *path;
	const struct df_node *node;
	size_t order; /* of the instruction */
};

struct selection {
	struct bld_build b;
	struct names names;
	STV_VEC(struct taken) taken;	       /* sorted by path, then order */
	STV_VEC(const struct df_node *) nodes; /* of the entry at hand */
	const struct stv_strs *only;
	size_t n_seen;
	int (*fn)(void *arg, const struct bld_selected *s,
		  struct stv_err **err);
	void *arg;
};

/* --- what each instruction takes --- */

static int
names_lookup(struct bld_source *s, const char *path, struct bld_src_entry *ret,
	     struct stv_err **err)
{
	struct bld_source *under = ((struct names *)s)->under;

	return under->lookup(under, path, ret, err);
}

static int
names_list(struct bld_source *s, const char *path,
	   int (*fn)(void *arg, const char *name,
		     const struct bld_src_entry *ent, struct stv_err **err),
	   void *arg, struct stv_err **err)
{
	struct bld_source *under = ((struct names *)s)->under;

	return under->list(under, path, fn, arg, err);
}

static int
names_hash(struct bld_source *s, const char *path, struct bld_src_entry *ent,
	   struct stv_err **err)
{
	(void)s;
	(void)path;
	(void)ent;
	(void)err;
	return 0;
}

static void
names_explain(struct bld_source *s, const char *path, struct stv_err **err)
{
	(void)s;
	(void)path;
	(void)err;
}

/* Note all that one source selects; a source that is not there selects none. */
static void
take_source(struct selection *s, const struct df_node *node, size_t order,
	    const char *src)
{
	struct bld_copy_spec spec = {
		.is_add = node->kind == DF_ADD,
		.context = s->b.context,
		.dest = "/",
	};
	stv_auto(bld_copy_plan) *p = stv_xcalloc(1, sizeof(*p));
	struct stv_err *e = NULL;

	p->spec = &spec;
	p->source = &s->names.base;
	if (!reg_http_is_url(src) &&
	    (bld_copy_flags_select(node, &spec, &e) < 0 ||
	     bld_plan_exclude(p, &e) < 0 || bld_plan_select(p, src, &e) < 0))
		stv_err_free(e);
	for (size_t i = 0; i < p->items.len; i++)
		*stv_vec_push(&s->taken) = (struct taken){
			.path = bld_plan_item_path(p, i),
			.node = node,
			.order = order,
		};
	stv_strs_clear(&spec.excludes);
}

static int
take_copy(struct selection *s, struct bld_stage *st, const struct df_node *node,
	  struct stv_err **err)
{
	size_t order = s->taken.len;

	if (df_node_flag(node, "from") != NULL)
		return 0;
	for (size_t i = 0; i + 1 < node->n_args; i++) {
		stv_auto_free char *src = NULL;

		if (df_node_heredoc(node, node->args[i].text) != NULL)
			continue;
		if (bld_expand(st, node->args[i].text, node->args[i].span, &src,
			       err) < 0)
			return -1;
		take_source(s, node, order, src);
	}
	return 0;
}

static int
take_node(struct selection *s, struct bld_stage *st, const struct df_node *node,
	  struct stv_err **err)
{
	const struct bld_step step = {.node = node};

	if (node->kind == DF_COPY || node->kind == DF_ADD)
		return take_copy(s, st, node, err);
	if (node->kind == DF_ARG || node->kind == DF_ENV)
		return bld_meta_step(st, &step, err);
	return 0;
}

/* What the base brings: its environment. */
static void
begin_stage(struct selection *s, struct bld_stage *st)
{
	const struct bld_stage *under;
	struct stv_err *e = NULL;

	if (st->base.kind == BLD_BASE_STAGE) {
		under = s->b.stages.v[st->base.stage];
		st->config = oci_config_copy(under->config);
		stv_strs_copy(&st->env, &under->env);
		stv_strs_copy(&st->args, &under->args);
		stv_strs_copy(&st->declared, &under->declared);
		return;
	}
	if (st->base.kind == BLD_BASE_IMAGE && s->b.o->store != NULL &&
	    bld_base_load(&s->b, &st->base, &st->config, &e) < 0)
		stv_err_free(e);
	if (st->config == NULL)
		st->config = stv_xcalloc(1, sizeof(*st->config));
	stv_strs_copy(&st->env, &st->config->config.env);
}

/* The triggers of the base image. */
static int
take_triggers(struct selection *s, struct bld_stage *st, struct stv_err **err)
{
	struct stv_strs triggers = st->config->config.on_build;
	int r = 0;

	st->config->config.on_build = (struct stv_strs){0};
	st->triggers = stv_xcalloc(triggers.len + 1, sizeof(st->triggers[0]));
	for (size_t i = 0; i < triggers.len && r == 0; i++) {
		struct df_file *f = NULL;

		r = df_parse_onbuild(s->b.o->sources, triggers.v[i], &f,
				     s->b.o->diags, err);
		if (r < 0)
			break;
		st->triggers[st->n_triggers++] = f;
		r = take_node(s, st, &f->nodes[0], err);
	}
	stv_strs_clear(&triggers);
	return r;
}

static int
by_path(const void *a, const void *b)
{
	const struct taken *x = a, *y = b;
	int cmp = strcmp(x->path, y->path);

	return cmp != 0 ? cmp : (x->order > y->order) - (x->order < y->order);
}

static int
take_all(struct selection *s, struct stv_err **err)
{
	for (size_t i = 0; i < s->b.stages.len; i++) {
		struct bld_stage *st = s->b.stages.v[i];

		begin_stage(s, st);
		if (take_triggers(s, st, err) < 0)
			return -1;
		for (size_t k = 0; k < st->steps.len; k++)
			if (take_node(s, st, st->steps.v[k].node, err) < 0)
				return -1;
	}
	if (s->taken.len > 0)
		qsort(s->taken.v, s->taken.len, sizeof(s->taken.v[0]), by_path);
	return 0;
}

/* --- the walk --- */

/* The instructions that take ${path}, into s->nodes. */
static void
find_taken(struct selection *s, const char *path)
{
	size_t lo = 0, hi = s->taken.len;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (strcmp(s->taken.v[mid].path, path) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	s->nodes.len = 0;
	for (; lo < s->taken.len && strcmp(s->taken.v[lo].path, path) == 0;
	     lo++) {
		const struct df_node *node = s->taken.v[lo].node;

		/* Several sources of one instruction may take it. */
		if (s->nodes.len == 0 || s->nodes.v[s->nodes.len - 1] != node)
			*stv_vec_push(&s->nodes) = node;
	}
}

/* Is ${path} the same as ${above}, or below it? */
static bool
is_at_or_below(const char *path, const char *above)
{
	size_t n = strlen(above);

	return n == 0 || (strncmp(path, above, n) == 0 &&
			  (path[n] == '/' || path[n] == '\0'));
}

static bool
is_asked_for(const struct selection *s, const char *path)
{
	for (size_t i = 0; i < s->only->len; i++)
		if (is_at_or_below(path, s->only->v[i]))
			return true;
	return s->only->len == 0;
}

/* Is something asked for that can only be below this directory? */
static bool
leads_to_asked(const struct selection *s, const char *dir)
{
	for (size_t i = 0; i < s->only->len; i++)
		if (is_at_or_below(s->only->v[i], dir))
			return true;
	return false;
}

static int
tell(struct selection *s, const char *path, bool is_there, bool is_dir,
     bool *ret_is_left_out, struct stv_err **err)
{
	struct bld_selected sel = {
		.path = path,
		.is_there = is_there,
		.is_dir = is_dir,
	};

	sel.is_left_out = df_ignore_match(s->b.ignore, path, is_dir, &sel.hit);
	*ret_is_left_out = sel.is_left_out;
	if (!is_asked_for(s, path))
		return 0;
	find_taken(s, path);
	/* Comes back as the parent of what a '!' brings back. */
	if (s->nodes.len > 0)
		sel.is_left_out = false;
	sel.nodes = s->nodes.v;
	sel.n_nodes = s->nodes.len;
	return s->fn(s->arg, &sel, err);
}

static int
fail_walk(const struct selection *s, const char *path, struct stv_err **err)
{
	return stv_fail_errno_as(err, STV_E_INPUT, errno,
				 "cannot list '%s' in the build context '%s'",
				 path, s->b.o->context_path);
}

/* The names in a directory, sorted. */
static int
read_names(const struct selection *s, const char *path, struct stv_strs *ret,
	   struct stv_err **err)
{
	int fd = stv_fsat_open_nolinks(bld_context_fd(s->b.context),
				       *path == '\0' ? "." : path,
				       O_RDONLY | O_DIRECTORY, 0);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *de;

	if (dir == NULL) {
		fail_walk(s, path, err);
		stv_close_p(&fd);
		return -1;
	}
	/* NOLINTNEXTLINE(concurrency-mt-unsafe): one thread has this DIR */
	while ((de = readdir(dir)) != NULL)
		if (strcmp(de->d_name, ".") != 0 &&
		    strcmp(de->d_name, "..") != 0)
			stv_strs_add(ret, de->d_name);
	(void)closedir(dir);
	stv_strs_sort(ret);
	return 0;
}

/* Is the directory to be entered? */
static bool
is_entered(const struct selection *s, const char *path, bool is_left_out)
{
	if (s->only->len > 0)
		return leads_to_asked(s, path) || is_asked_for(s, path);
	return !is_left_out || df_ignore_may_contain(s->b.ignore, path);
}

/* One name; a directory that is to be entered is put on ${todo}. */
static int
visit(struct selection *s, char *path, struct stv_strs *todo,
      struct stv_err **err)
{
	bool is_left_out = false, is_dir;
	stv_auto_fd fd = stv_fsat_open_nolinks(bld_context_fd(s->b.context),
					       path, O_PATH | O_NOFOLLOW, 0);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0) {
		free(path);
		return 0;
	}
	if (++s->n_seen > STV_MAX_TAR_ENTRIES) {
		free(path);
		return stv_fail(err, STV_E_LIMIT,
				"the build context has too many files");
	}
	is_dir = S_ISDIR(st.st_mode);
	if (tell(s, path, true, is_dir, &is_left_out, err) < 0) {
		free(path);
		return -1;
	}
	if (is_dir && is_entered(s, path, is_left_out))
		stv_strs_take(todo, path);
	else
		free(path);
	return 0;
}

/* All of a directory; those below it are put on ${todo}, the first one last. */
static int
walk_dir(struct selection *s, const char *dir, struct stv_strs *todo,
	 struct stv_err **err)
{
	STV_CLEANUP(stv_strs_clear) struct stv_strs names = {0};
	STV_CLEANUP(stv_strs_clear) struct stv_strs dirs = {0};

	if (read_names(s, dir, &names, err) < 0)
		return -1;
	for (size_t i = 0; i < names.len; i++)
		if (visit(s, bld_path_join(dir, names.v[i]), &dirs, err) < 0)
			return -1;
	for (size_t i = dirs.len; i-- > 0;)
		stv_strs_add(todo, dirs.v[i]);
	return 0;
}

static int
walk(struct selection *s, struct stv_err **err)
{
	STV_CLEANUP(stv_strs_clear) struct stv_strs todo = {0};

	stv_strs_add(&todo, "");
	while (todo.len > 0) {
		stv_auto_free char *dir = stv_xstrdup(todo.v[todo.len - 1]);

		free(todo.v[--todo.len]);
		todo.v[todo.len] = NULL;
		if (walk_dir(s, dir, &todo, err) < 0)
			return -1;
	}
	return 0;
}

/* What was asked for and is not there: what the patterns would say. */
static int
tell_missing(struct selection *s, struct stv_err **err)
{
	for (size_t i = 0; i < s->only->len; i++) {
		stv_auto_fd fd = -1;
		bool is_left_out;

		if (s->only->v[i][0] == '\0')
			continue;
		fd = stv_fsat_open_nolinks(bld_context_fd(s->b.context),
					   s->only->v[i], O_PATH | O_NOFOLLOW,
					   0);
		if (fd < 0 &&
		    tell(s, s->only->v[i], false, false, &is_left_out, err) < 0)
			return -1;
	}
	return 0;
}

static int
run(struct selection *s, struct stv_err **err)
{
	if (bld_plan(&s->b, err) < 0 || bld_build_context(&s->b, err) < 0)
		return -1;
	s->names = (struct names){
		.base = {.lookup = names_lookup,
			 .list = names_list,
			 .hash = names_hash,
			 .explain = names_explain},
		.under = bld_context_source(s->b.context),
	};
	if (take_all(s, err) < 0 || walk(s, err) < 0)
		return -1;
	return tell_missing(s, err);
}

int
bld_selection(const struct bld_opts *o, const struct stv_strs *only,
	      int (*fn)(void *arg, const struct bld_selected *s,
			struct stv_err **err),
	      void *arg, struct stv_err **err)
{
	struct selection s = {.only = only, .fn = fn, .arg = arg};
	int r;

	bld_build_init(&s.b, o);
	r = run(&s, err);
	for (size_t i = 0; i < s.taken.len; i++)
		free(s.taken.v[i].path);
	stv_vec_fini(&s.taken);
	stv_vec_fini(&s.nodes);
	bld_build_fini(&s.b);
	return r;
}
