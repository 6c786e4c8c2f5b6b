/* builder/mount.c - RUN --mount: options, inputs, and their part of the key. */
#include <stdlib.h>
#include <string.h>

#include "cache/cachemount.h"
#include "cache/key.h"
#include "cache/toc.h"
#include "core/err.h"
#include "core/mem.h"

#include "builder/answer.h"
#include "builder/build_internal.h"
#include "builder/lazy.h"
#include "builder/mount.h"
#include "builder/source.h"

/* ---- what from= names ----------------------------------------------------*/

/*
 * Unlike for COPY --from a number is no stage (DOCKERFILE.md, Config), but an
 * image's name as any other.
 */
static int
find_origin(struct bld_stage *st, const char *from, struct stv_span span,
	    struct bld_origin *ret, struct stv_err **err)
{
	if (strcmp(from, "scratch") == 0) {
		*ret = (struct bld_origin){.kind = BLD_BASE_SCRATCH};
		return 0;
	}
	if (from[strspn(from, "0123456789")] == '\0') {
		*ret = (struct bld_origin){.kind = BLD_BASE_IMAGE,
					   .reference = stv_xstrdup(from)};
		return 0;
	}
	return bld_plan_origin(st->b, st->index, from, span, ret, err);
}

int
bld_plan_mounts(struct bld_stage *st, struct bld_step *step,
		struct stv_err **err)
{
	const struct df_node *node = step->node;

	if (node->kind != DF_RUN || df_node_flag(node, "mount") == NULL)
		return 0;
	step->mounts = stv_xcalloc(node->n_flags, sizeof(step->mounts[0]));
	for (size_t i = 0; i < node->n_flags; i++) {
		const struct df_flag *f = &node->flags[i];
		struct bld_origin origin = {.kind = BLD_BASE_SCRATCH};
		struct df_mount m;
		int r;

		if (strcmp(f->name, "mount") != 0)
			continue;
		r = df_mount_parse(f->value, f->value_span, NULL, &m, err);
		if (r == 0 && m.from != NULL)
			r = find_origin(st, m.from, f->value_span, &origin,
					err);
		origin.is_mounted = m.type == DF_MOUNT_BIND;
		df_mount_fini(&m);
		if (r < 0)
			return -1;
		step->mounts[step->n_mounts++] = origin;
	}
	return 0;
}

/* ---- one mount -----------------------------------------------------------*/

/* What the values of one flag are expanded in. */
struct scope {
	struct bld_stage *st;
	struct stv_span span;
};

static int
expand(void *arg, const char *text, char **ret, struct stv_err **err)
{
	struct scope *s = arg;

	return bld_expand(s->st, text, s->span, ret, err);
}

/* Absolute and clean; relative to WORKDIR. */
static int
find_target(const struct bld_stage *st, struct bld_mount *m, const char *text,
	    struct stv_err **err)
{
	const char *dir = st->config->config.working_dir;
	stv_auto_free char *joined = NULL, *clean = NULL;

	joined = *text == '/'
			 ? stv_xstrdup(text)
			 : stv_xasprintf("%s/%s", dir != NULL ? dir : "", text);
	clean = bld_path_clean(joined);
	if (*clean == '\0') {
		stv_fail(err, STV_E_CHECK,
			 "the target of a mount cannot be "
			 "'/'");
		stv_err_hint(*err, "Write target=DIRECTORY.");
		return -1;
	}
	m->target = stv_xasprintf("/%s", clean);
	return 0;
}

/* The last component of ${path}, which may end with slashes. */
static char *
base_of(const char *path)
{
	stv_auto_free char *clean = bld_path_clean(path);

	return stv_xstrdup(bld_path_base(clean));
}

/* The default of id: what the target says, as it was written. */
static char *
cache_id(const struct df_mount *o)
{
	stv_auto_free char *clean = NULL;

	if (o->id != NULL)
		return stv_xstrdup(o->id);
	clean = bld_path_clean(o->target != NULL ? o->target : "");
	if (o->target != NULL && *o->target == '/')
		return stv_xasprintf("/%s", clean);
	return *clean == '\0' ? stv_xstrdup(".") : stv_steal(&clean);
}

static char *
secret_id(const struct df_mount *o)
{
	if (o->source != NULL)
		return stv_xstrdup(o->source);
	return o->id != NULL ? stv_xstrdup(o->id) : base_of(o->target);
}

/* Where a secret or a socket is seen that has no target. */
static int
find_special_target(const struct bld_stage *st, struct bld_mount *m,
		    size_t n_ssh, struct stv_err **err)
{
	stv_auto_free char *base = NULL, *path = NULL;

	if (m->o.target != NULL)
		return find_target(st, m, m->o.target, err);
	if (m->o.type == DF_MOUNT_SSH) {
		m->target = stv_xasprintf("/run/buildkit/ssh_agent.%zu", n_ssh);
		return 0;
	}
	if (m->o.env != NULL)
		return 0; /* only a variable */
	base = base_of(m->id);
	path = stv_xasprintf("/run/secrets/%s", base);
	return find_target(st, m, path, err);
}

/* The origin is there once its stage is done, or its image is read. */
static int
open_origin(struct bld_stage *st, const struct bld_origin *from,
	    struct bld_mount *m, struct stv_err **err)
{
	struct bld_build *b = st->b;

	switch (from->kind) {
	case BLD_BASE_SCRATCH:
		return lay_view_open(b->o->store, NULL, 0, &m->view, err);
	case BLD_BASE_STAGE:
		if (bld_wait_stage(st, from->stage, err) < 0)
			return -1;
		m->config = b->stages.v[from->stage]->config;
		break;
	case BLD_BASE_CONTEXT:
		return bld_named_open(b, from->named, &m->context, err);
	case BLD_BASE_IMAGE:
		if (bld_base_load(b, from, &m->image, err) < 0)
			return -1;
		m->config = m->image;
		break;
	}
	return 0;
}

int
bld_mount_open(const struct bld_mounts *ms, struct bld_mount *m,
	       struct stv_err **err)
{
	const struct oci_config *c = m->config;

	if (m->view != NULL || c == NULL)
		return 0;
	if (bld_lazy_need(ms->st, ms->step, c->diff_ids, c->n_diff_ids, err) <
	    0)
		return -1;
	return lay_view_open(ms->st->b->o->store, c->diff_ids, c->n_diff_ids,
			     &m->view, err);
}

/* What a bind shows; of layers that are elsewhere somebody may have told. */
static int
find_content(const struct bld_mounts *ms, struct bld_mount *m,
	     struct stv_err **err)
{
	stv_auto(key) *question = NULL;
	char text[STV_DIGEST_STR_MAX];
	int r;

	if (m->config == NULL)
		return bld_mount_digest(m, m->source, &m->content, err);
	question = bld_answer_question("mount", m->config);
	key_add_str(question, "source", m->source);
	r = bld_answer_find(ms->st, ms->step, m->config, question, text, err);
	if (r < 0)
		return -1;
	if (r == 1)
		return stv_digest_parse(text, &m->content, err);
	if (bld_mount_open(ms, m, err) < 0 ||
	    bld_mount_digest(m, m->source, &m->content, err) < 0)
		return -1;
	bld_answer_note(ms->st->b, question, stv_digest_str(&m->content, text));
	return 0;
}

static int
fill(const struct bld_mounts *ms, const struct bld_origin *from,
     struct bld_mount *m, size_t n_ssh, struct stv_err **err)
{
	struct bld_stage *st = ms->st;
	struct df_mount *o = &m->o;

	m->has_from = o->from != NULL;
	m->source = bld_path_clean(o->source != NULL ? o->source : "");
	if (m->has_from && open_origin(st, from, m, err) < 0)
		return -1;
	if (!m->has_from && o->type == DF_MOUNT_BIND)
		m->context = st->b->context;
	switch (o->type) {
	case DF_MOUNT_BIND:
		if (find_target(st, m, o->target != NULL ? o->target : "",
				err) < 0)
			return -1;
		return find_content(ms, m, err);
	case DF_MOUNT_CACHE:
		m->id = cache_id(o);
		if (m->context != NULL &&
		    bld_mount_digest(m, "", &m->content, err) < 0)
			return -1;
		m->name = bld_mount_cache_name(st, m);
		break;
	case DF_MOUNT_TMPFS:
		break;
	case DF_MOUNT_SECRET:
		m->id = secret_id(o);
		return find_special_target(st, m, n_ssh, err);
	case DF_MOUNT_SSH:
		m->id = stv_xstrdup(o->id != NULL ? o->id : "default");
		return find_special_target(st, m, n_ssh, err);
	}
	return find_target(st, m, o->target != NULL ? o->target : "", err);
}

static int
add_mount(struct bld_mounts *ms, const struct df_flag *f,
	  const struct bld_origin *from, size_t n_ssh, struct stv_err **err)
{
	struct scope scope = {ms->st, f->value_span};
	const struct df_mount_expander x = {expand, &scope};
	struct bld_mount *m = stv_vec_push(&ms->list);
	int r;

	*m = (struct bld_mount){.span = f->value_span,
				.b = ms->st->b,
				.overlay = BLD_OVERLAY_INIT,
				.fd = -1};
	r = df_mount_parse(f->value, f->value_span, &x, &m->o, err);
	m->what = stv_xasprintf("mount %zu (%s)", ms->list.len,
				df_mount_type_name(m->o.type));
	if (r == 0)
		r = fill(ms, from, m, n_ssh, err);
	if (r < 0 && stv_err_span(*err).file == 0 &&
	    stv_err_code(*err) != STV_E_CANCELLED)
		stv_err_at(*err, f->value_span);
	return r;
}

int
bld_mounts_make(struct bld_stage *st, const struct bld_step *step,
		struct bld_mounts *ret, struct stv_err **err)
{
	const struct df_node *node = step->node;
	size_t n_ssh = 0;

	ret->st = st;
	ret->step = step;
	for (size_t i = 0; i < node->n_flags; i++) {
		size_t n = ret->list.len;

		if (strcmp(node->flags[i].name, "mount") != 0)
			continue;
		if (add_mount(ret, &node->flags[i], &step->mounts[n], n_ssh,
			      err) < 0)
			return -1;
		n_ssh += ret->list.v[n].o.type == DF_MOUNT_SSH;
	}
	return 0;
}

/* ---- the key -------------------------------------------------------------*/

static void
add_field(struct key *key, const struct bld_mount *m, const char *name,
	  const char *value)
{
	stv_auto_free char *field = stv_xasprintf("%s %s", m->what, name);

	key_add_str(key, field, value);
}

static void
add_number(struct key *key, const struct bld_mount *m, const char *name,
	   bool is_given, uint64_t value)
{
	stv_auto_free char *text =
		is_given ? stv_xasprintf("%llu", (unsigned long long)value)
			 : NULL;

	add_field(key, m, name, text);
}

static void
add_digest(struct key *key, const struct bld_mount *m, const char *name,
	   const struct stv_digest *d)
{
	char text[STV_DIGEST_STR_MAX];

	add_field(key, m, name, stv_digest_str(d, text));
}

void
bld_mounts_key(const struct bld_mounts *ms, struct key *key)
{
	for (size_t i = 0; i < ms->list.len; i++) {
		const struct bld_mount *m = &ms->list.v[i];
		const struct df_mount *o = &m->o;

		/* In this order a miss tells them: the name explains the
		 * target that follows from it. */
		add_field(key, m, "id", m->id);
		add_field(key, m, "target", m->target);
		add_field(key, m, "readonly", o->is_readonly ? "yes" : "no");
		add_number(key, m, "mode", o->has_mode, o->mode);
		add_number(key, m, "uid", o->has_uid, o->uid);
		add_number(key, m, "gid", o->has_gid, o->gid);
		if (o->type == DF_MOUNT_BIND)
			add_digest(key, m, "content", &m->content);
		if (o->type == DF_MOUNT_CACHE) {
			add_field(key, m, "sharing",
				  df_mount_sharing_name(o->sharing));
			add_field(key, m, "source", m->source);
			add_digest(key, m, "cache", &m->name);
		}
		if (o->type == DF_MOUNT_TMPFS)
			add_number(key, m, "size", true, o->size_bytes);
		if (o->type == DF_MOUNT_SECRET)
			add_field(key, m, "env", o->env);
		add_field(key, m, "required", o->is_required ? "yes" : "no");
	}
}

/* ---- the end -------------------------------------------------------------*/

void
bld_mounts_fini(struct bld_mounts *ms)
{
	bld_mounts_end(ms);
	for (size_t i = 0; i < ms->list.len; i++) {
		struct bld_mount *m = &ms->list.v[i];

		df_mount_fini(&m->o);
		oci_config_free(m->image);
		lay_view_close(m->view);
		free(m->what);
		free(m->target);
		free(m->source);
		free(m->id);
	}
	stv_vec_fini(&ms->list);
	stv_vec_fini(&ms->ready);
}
