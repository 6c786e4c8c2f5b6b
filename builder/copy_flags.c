/* builder/copy_flags.c - the flags of COPY and ADD. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cache/key.h"
#include "cache/toc.h"
#include "core/err.h"
#include "core/mem.h"
#include "parser/ignore.h"

#include "builder/answer.h"
#include "builder/build_internal.h"
#include "builder/copy.h"
#include "builder/copy_flags.h"
#include "builder/user.h"

static int
add_chmod(struct bld_stage *st, const struct df_flag *flag,
	  struct bld_copy_spec *s, struct stv_err **err)
{
	stv_auto_free char *text = NULL;

	if (flag == NULL)
		return 0;
	if (bld_expand(st, flag->value, flag->value_span, &text, err) < 0)
		return -1;
	if (*text == '\0')
		return 0;
	if (bld_chmod_parse(text, &s->chmod, err) < 0)
		return stv_err_at(*err, flag->value_span);
	s->has_chmod = true;
	return 0;
}

/* "1000:50", as somebody else has found it out. */
static bool
take_answer(const char *text, struct bld_copy_spec *s)
{
	const char *colon = strchr(text, ':');
	struct stv_err *ignored = NULL;
	bool is_numbers =
		colon != NULL && colon != text && colon[1] != '\0' &&
		strspn(text, "0123456789") == (size_t)(colon - text) &&
		strspn(colon + 1, "0123456789") == strlen(colon + 1);

	/* Numbers need no names, and have the limits of a --chown. */
	if (!is_numbers ||
	    bld_chown_resolve(NULL, text, &s->uid, &s->gid, &ignored) < 0) {
		stv_err_free(ignored);
		return false;
	}
	return true;
}

/* Names are those of what lies below. */
static int
resolve_names(struct bld_stage *st, const char *chown, struct bld_copy_spec *s,
	      struct stv_err **err)
{
	stv_auto(key) *question = bld_answer_question("chown", st->config);
	stv_auto(lay_view) *view = NULL;
	char text[STV_DIGEST_STR_MAX];
	int r;

	key_add_str(question, "--chown", chown);
	r = bld_answer_find(st, NULL, st->config, question, text, err);
	if (r < 0)
		return -1;
	if (r == 1 && take_answer(text, s))
		return 0;
	if (bld_view(st, &view, err) < 0 ||
	    bld_chown_resolve(view, chown, &s->uid, &s->gid, err) < 0)
		return -1;
	(void)snprintf(text, sizeof(text), "%u:%u", (unsigned int)s->uid,
		       (unsigned int)s->gid);
	bld_answer_note(st->b, question, text);
	return 0;
}

/* Whom --chown means; with --link nobody has a name yet. */
static int
resolve_chown(struct bld_stage *st, const struct bld_copy_flags *f,
	      struct bld_copy_spec *s, struct stv_err **err)
{
	bool has_names = bld_chown_needs_names(f->chown);

	if (has_names && f->is_link) {
		stv_fail(
			err, STV_E_CHECK,
			"--chown=%s: --link copies without a look at the users "
			"of what is below",
			f->chown);
		stv_err_hint(*err, "Use numbers, such as --chown=1000:1000, or "
				   "remove --link.");
		return -1;
	}
	if (!has_names || st->config->n_diff_ids == 0)
		return bld_chown_resolve(NULL, f->chown, &s->uid, &s->gid, err);
	return resolve_names(st, f->chown, s, err);
}

static int
add_chown(struct bld_stage *st, const struct df_flag *flag,
	  struct bld_copy_flags *f, struct bld_copy_spec *s,
	  struct stv_err **err)
{
	if (flag == NULL)
		return 0;
	if (bld_expand(st, flag->value, flag->value_span, &f->chown, err) < 0)
		return -1;
	if (*f->chown == '\0')
		return 0;
	if (resolve_chown(st, f, s, err) < 0)
		return stv_err_at(*err, flag->value_span);
	s->has_chown = true;
	return 0;
}

/* --exclude, as written: BuildKit expands no variable there. */
static int
add_excludes(const struct df_node *node, struct bld_copy_spec *s,
	     struct stv_err **err)
{
	for (size_t i = 0; i < node->n_flags; i++) {
		const struct df_flag *f = &node->flags[i];
		STV_CLEANUP(stv_strs_clear) struct stv_strs one = {0};
		stv_auto(df_ignore) *ig = NULL;

		if (strcmp(f->name, "exclude") != 0)
			continue;
		stv_strs_add(&one, f->value);
		if (df_ignore_from_patterns(&one, &ig, err) < 0) {
			stv_wrap(err, "--exclude");
			return stv_err_at(*err, f->value_span);
		}
		stv_strs_add(&s->excludes, f->value);
	}
	return 0;
}

static int
add_checksum(struct bld_stage *st, const struct df_flag *flag,
	     struct bld_copy_flags *f, struct bld_copy_spec *s,
	     struct stv_err **err)
{
	if (flag == NULL)
		return 0;
	if (bld_expand(st, flag->value, flag->value_span, &f->checksum, err) <
	    0)
		return -1;
	if (*f->checksum != '\0')
		s->checksum = f->checksum;
	return 0;
}

int
bld_copy_flags_select(const struct df_node *node, struct bld_copy_spec *spec,
		      struct stv_err **err)
{
	spec->is_parents = df_flag_is_true(df_node_flag(node, "parents"));
	return add_excludes(node, spec, err);
}

int
bld_copy_flags(struct bld_stage *st, const struct df_node *node,
	       struct bld_copy_spec *spec, struct bld_copy_flags *ret,
	       struct stv_err **err)
{
	const struct df_flag *unpack = df_node_flag(node, "unpack");
	const struct df_flag *keep = df_node_flag(node, "keep-git-dir");

	spec->has_keep_git_dir = keep != NULL;
	spec->keep_git_dir = df_flag_is_true(keep);
	if (unpack != NULL)
		spec->unpack = df_flag_is_true(unpack) ? BLD_UNPACK_ALL
						       : BLD_UNPACK_NEVER;
	if (add_checksum(st, df_node_flag(node, "checksum"), ret, spec, err) <
		    0 ||
	    bld_copy_flags_select(node, spec, err) < 0 ||
	    add_chmod(st, df_node_flag(node, "chmod"), spec, err) < 0)
		return -1;
	/* BuildKit too makes nothing of --link beside --chmod. */
	ret->is_link =
		df_flag_is_true(df_node_flag(node, "link")) && !spec->has_chmod;
	return add_chown(st, df_node_flag(node, "chown"), ret, spec, err);
}

void
bld_copy_flags_fini(struct bld_copy_flags *f)
{
	free(f->chown);
	free(f->checksum);
	*f = (struct bld_copy_flags){0};
}

void
bld_copy_flags_key(const struct bld_copy_flags *f,
		   const struct bld_copy_spec *spec, struct key *key)
{
	key_add_str(key, "--chown", f->chown);
	if (spec->is_parents)
		key_add_bool(key, "--parents", true);
	for (size_t i = 0; i < spec->excludes.len; i++)
		key_add_str(key, "--exclude", spec->excludes.v[i]);
	if (spec->unpack != BLD_UNPACK_LOCAL)
		key_add_bool(key, "--unpack", spec->unpack == BLD_UNPACK_ALL);
	if (spec->checksum != NULL)
		key_add_str(key, "--checksum", spec->checksum);
	if (f->is_link)
		key_add_bool(key, "--link", true);
}
