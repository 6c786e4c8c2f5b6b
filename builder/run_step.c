/* builder/run_step.c - RUN: a command over an overlay, its changes a layer. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cache/key.h"
#include "cache/layer.h"
#include "cache/store.h"
#include "core/buf.h"
#include "core/err.h"
#include "core/fsat.h"
#include "core/limits.h"
#include "core/mem.h"
#include "core/stream.h"

#include "builder/build_internal.h"
#include "builder/emulation.h"
#include "builder/lazy.h"
#include "builder/mount.h"
#include "builder/overlay.h"
#include "builder/user.h"

/* How much of an instruction a failure's message repeats, before escaping. */
#define SHOWN_BYTES ((size_t)400)

/* What a RUN executes. */
struct command {
	struct stv_strs argv;
	struct stv_strs env;   /* part of the key */
	struct stv_strs proxy; /* not part of it */
	enum sbx_net net;
	bool is_insecure;
	struct bld_mounts mounts;
	char *script;	   /* a heredoc that begins with "#!", or NULL */
	char *script_path; /* where it is seen inside */
};

static void
command_fini(struct command *c)
{
	/* There may be secrets among them. */
	for (size_t i = 0; i < c->env.len; i++)
		explicit_bzero(c->env.v[i], strlen(c->env.v[i]));
	stv_strs_clear(&c->argv);
	stv_strs_clear(&c->env);
	stv_strs_clear(&c->proxy);
	bld_mounts_fini(&c->mounts);
	free(c->script);
	free(c->script_path);
}

/* The text of a shell form with its heredocs, as BuildKit passes it on. */
static char *
with_heredocs(const struct df_node *node, const char *text)
{
	stv_auto_buf b = STV_BUF_INIT(STV_MAX_SOURCE);

	stv_buf_adds(&b, text);
	for (size_t i = 0; i < node->n_heredocs; i++) {
		stv_buf_addc(&b, '\n');
		stv_buf_add(&b, node->heredocs[i].content,
			    node->heredocs[i].content_len);
		stv_buf_adds(&b, node->heredocs[i].name);
	}
	return stv_buf_take(&b);
}

static void
shell_form(struct bld_stage *st, const struct df_node *node,
	   struct command *ret)
{
	const char *text = node->n_args > 0 ? node->args[0].text : "";
	const struct df_heredoc *only =
		node->n_heredocs > 0 ? df_node_heredoc(node, text) : NULL;
	stv_auto_free char *whole = NULL;

	if (only != NULL) {
		whole = df_heredoc_text(only);
		if (strncmp(whole, "#!", 2) == 0) {
			ret->script = stv_steal(&whole);
			ret->script_path =
				stv_xasprintf("/dev/pipes/%s", only->name);
			bld_shell(st, ret->script_path, &ret->argv);
			return;
		}
	} else if (node->n_heredocs > 0) {
		whole = with_heredocs(node, text);
	} else {
		whole = stv_xstrdup(text);
	}
	bld_shell(st, whole, &ret->argv);
}

static int
command_make(struct bld_stage *st, const struct bld_step *step,
	     struct command *ret, struct stv_err **err)
{
	const struct df_node *node = step->node;
	const struct df_flag *net = df_node_flag(node, "network");
	const struct df_flag *security = df_node_flag(node, "security");

	ret->net = st->b->o->net;
	if (net != NULL && strcmp(net->value, "none") == 0) {
		ret->net = SBX_NET_NONE;
	} else if (net != NULL && strcmp(net->value, "host") == 0) {
		ret->net = SBX_NET_HOST;
	} else if (net != NULL && strcmp(net->value, "default") != 0) {
		stv_fail(err, STV_E_CHECK, "unknown network '%s'", net->value);
		stv_err_hint(*err, "RUN --network takes default, none or "
				   "host.");
		return stv_err_at(*err, net->value_span);
	}
	if (node->is_json)
		for (size_t i = 0; i < node->n_args; i++)
			stv_strs_add(&ret->argv, node->args[i].text);
	else
		shell_form(st, node, ret);
	ret->is_insecure =
		security != NULL && strcmp(security->value, "insecure") == 0;
	bld_run_env(st, &ret->env, &ret->proxy);
	return bld_mounts_make(st, step, &ret->mounts, err);
}

static void
add_list(struct key *key, const char *field, const struct stv_strs *list)
{
	for (size_t i = 0; i < list->len; i++)
		key_add_str(key, field, list->v[i]);
}

static void
command_key(const struct bld_stage *st, const struct command *c,
	    struct key *key)
{
	const struct oci_runconfig *rc = &st->config->config;

	add_list(key, "command", &c->argv);
	key_add_str(key, "script", c->script);
	add_list(key, "environment", &c->env);
	key_add_str(key, "user", rc->user);
	key_add_str(key, "working directory", rc->working_dir);
	key_add_u64(key, "network", (uint64_t)c->net);
	key_add_str(key, "security", c->is_insecure ? "insecure" : "sandbox");
	bld_mounts_key(&c->mounts, key);
	add_list(key, "extra host", &st->b->o->add_hosts);
	if (bld_hostname(st->b) != NULL)
		key_add_str(key, "hostname", bld_hostname(st->b));
	key_add_u64(key, "shm size", st->b->o->shm_size);
	for (size_t i = 0; i < st->b->o->n_rlimits; i++) {
		key_add_u64(key, "ulimit",
			    (uint64_t)st->b->o->rlimits[i].resource);
		key_add_u64(key, "ulimit soft", st->b->o->rlimits[i].soft);
		key_add_u64(key, "ulimit hard", st->b->o->rlimits[i].hard);
	}
}

/* "RUN |1 A=b /bin/sh -c make # buildkit" */
static char *
history_line(const struct bld_stage *st, const struct command *c)
{
	stv_auto_buf b = STV_BUF_INIT(STV_MAX_SOURCE);

	stv_buf_adds(&b, "RUN ");
	if (st->args.len > 0) {
		stv_buf_addf(&b, "|%zu ", st->args.len);
		for (size_t i = 0; i < st->args.len; i++)
			stv_buf_addf(&b, "%s ", st->args.v[i]);
	}
	for (size_t i = 0; i < c->argv.len; i++)
		stv_buf_addf(&b, "%s%s", i > 0 ? " " : "", c->argv.v[i]);
	stv_buf_adds(&b, " # buildkit");
	return stv_buf_take(&b);
}

/* The script of a "#!" heredoc as a file to be mounted. */
static int
script_mount(const struct command *c, const struct bld_overlay *w,
	     struct sbx_mount *m, struct stv_err **err)
{
	int fd = openat(w->fd, "script",
			O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0755);

	if (fd < 0 || stv_write_all(fd, c->script, strlen(c->script)) < 0) {
		stv_fail_errno(err, errno, "cannot write the script");
		stv_close_p(&fd);
		return -1;
	}
	(void)close(fd);
	*m = (struct sbx_mount){
		.kind = SBX_MOUNT_BIND,
		.target = c->script_path,
		.source_fd = openat(w->fd, "script", O_PATH | O_CLOEXEC),
		.is_readonly = true,
	};
	if (m->source_fd < 0)
		return stv_fail_errno(err, errno, "cannot open the script");
	return 0;
}

/* The command as a message names it: in one line, and not the whole script. */
static void
add_command(struct stv_buf *out, const char *text)
{
	size_t n = strlen(text), shown = n;

	if (n > SHOWN_BYTES) {
		shown = SHOWN_BYTES;
		while (shown > 0 && ((unsigned char)text[shown] & 0xc0) == 0x80)
			shown--;
	}
	stv_buf_add_escaped(out, text, shown);
	if (shown < n)
		stv_buf_adds(out, "...");
}

static int
failed_command(const struct bld_stage *st, const struct bld_step *step,
	       const struct sbx_status *s, struct stv_err **err)
{
	const struct bld_build *b = st->b;
	stv_auto_buf shown = STV_BUF_INIT(8 * SHOWN_BYTES);

	add_command(&shown, step->node->original);
	if (s->exec_error != NULL)
		stv_fail(err, STV_E_STEP_FAILED, "%s: exit code %d: %s",
			 stv_buf_str(&shown), s->exit_code, s->exec_error);
	else if (s->is_oom)
		stv_fail(err, STV_E_STEP_FAILED,
			 "%s: killed: %sout of memory, exit code %d",
			 stv_buf_str(&shown),
			 s->is_oom_certain ? "" : "probably ", s->exit_code);
	else if (s->signal != 0)
		stv_fail(err, STV_E_STEP_FAILED,
			 "%s: killed by signal %d (%s), exit code %d",
			 stv_buf_str(&shown), s->signal,
			 strsignal(s->signal), // NOLINT(concurrency-mt-unsafe):
					       // under the build's lock
			 s->exit_code);
	else
		stv_fail(err, STV_E_STEP_FAILED, "%s: exit code %d",
			 stv_buf_str(&shown), s->exit_code);
	stv_err_set_status(*err, s->exit_code);
	stv_err_hint(
		*err,
		"The whole output: 'stave logs %s %u' (%s/logs/%s/%u.log).",
		b->id, (unsigned int)step->id, cas_store_root(b->o->store),
		b->id, (unsigned int)step->id);
	return stv_err_at(*err, step->node->span);
}

/* The command itself, in the sandbox. */
static int
run_command(struct bld_stage *st, const struct bld_step *step,
	    struct command *c, struct bld_overlay *w,
	    const struct bld_user *user, struct stv_err **err)
{
	const struct bld_opts *o = st->b->o;
	stv_auto_free char *resolv = NULL, *hosts = NULL;
	struct sbx_mount script = {.source_fd = -1};
	struct sbx_status status = {0};
	struct sbx_spec spec;
	char log_name[32];
	stv_auto_fd log_fd = -1;
	int r = 0;

	if (stv_env_get(&c->env, "HOME") == NULL)
		stv_env_set(&c->env, "HOME", user->home);
	stv_strs_copy(&c->env, &c->proxy);
	if (bld_mounts_ready(&c->mounts, &c->env, err) < 0)
		return -1;
	if (sbx_make_resolv_conf(c->net, &resolv, err) < 0 ||
	    sbx_make_hosts(bld_hostname(st->b), &o->add_hosts, &hosts, err) < 0)
		return -1;
	if (c->script != NULL) {
		if (script_mount(c, w, &script, err) < 0)
			return -1;
		*stv_vec_push(&c->mounts.ready) = script;
	}
	spec = (struct sbx_spec){
		.lower_dirs = (const char *const *)w->lowers.v,
		.n_lowers = w->lowers.len,
		.upper = w->upper,
		.work = w->work,
		.argv = c->argv.v,
		.envp = c->env.v,
		.cwd = st->config->config.working_dir,
		.uid = user->uid,
		.gid = user->gid,
		.groups = user->groups,
		.n_groups = user->n_groups,
		.net = c->net,
		.resolv_conf = resolv,
		.hosts = hosts,
		.hostname = bld_hostname(st->b),
		.shm_size = o->shm_size,
		.rlimits = o->rlimits,
		.n_rlimits = o->n_rlimits,
		.mounts = c->mounts.ready.v,
		.n_mounts = c->mounts.ready.len,
		.is_insecure = c->is_insecure,
	};
	if (spec.cwd == NULL || *spec.cwd == '\0')
		spec.cwd = "/";
	(void)snprintf(log_name, sizeof(log_name), "%u.log",
		       (unsigned int)step->id);
	log_fd = openat(st->b->log_dir, log_name,
			O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (log_fd < 0)
		r = stv_fail_errno(err, errno, "cannot make the step's log");
	if (r == 0)
		r = bld_execute(st, step, &spec, log_fd, &status, err);
	if (r < 0 && stv_err_code(*err) == STV_E_INPUT)
		stv_err_at(*err, step->node->span);
	stv_close_p(&script.source_fd);
	for (size_t i = 0; r == 0 && i < status.warnings.len; i++)
		stv_emitf(o->listener, STV_EV_WARNING, "%s",
			  status.warnings.v[i]);
	if (r == 0 && status.exit_code != 0)
		r = failed_command(st, step, &status, err);
	sbx_status_fini(&status);
	return r;
}

/* What the command left in the upper directory becomes a layer. */
static int
snapshot(struct bld_stage *st, struct bld_overlay *w, struct lay_view *view,
	 struct bld_outcome *out, struct stv_err **err)
{
	struct bld_build *b = st->b;
	struct lay_writer_opts opts = bld_clamp(b);
	size_t n = st->config->n_diff_ids;
	stv_auto_free struct stv_digest *chain =
		stv_xcalloc(n + 1, sizeof(*chain));
	stv_auto(lay_changes) *changes = NULL;
	struct lay_result res;
	int r;

	if (n > 0)
		memcpy(chain, st->config->diff_ids, n * sizeof(*chain));
	bld_unlock(b);
	r = lay_changes_scan(b->o->store, w->upper_fd, view, &opts, &changes,
			     err);
	if (r == 0 && lay_changes_len(changes) > 0) {
		r = lay_changes_pack(changes, &res, err);
		if (r == 0) {
			chain[n] = res.diff_id;
			out->has_layer = true;
			out->diff_id = res.diff_id;
			r = lay_snapshot_adopt(b->o->store, chain, n + 1,
					       w->upper, err);
		}
	}
	bld_lock(b);
	return r < 0 ? stv_wrap(err, "saving what the command changed") : 0;
}

static int
execute(struct bld_stage *st, const struct bld_step *step, struct command *c,
	struct bld_outcome *out, struct stv_err **err)
{
	struct bld_overlay w = BLD_OVERLAY_INIT;
	stv_auto(lay_view) *view = NULL;
	bld_auto_user user = {0};
	int r;

	if (bld_lazy_need(st, step, st->config->diff_ids,
			  st->config->n_diff_ids, err) < 0 ||
	    bld_view(st, &view, err) < 0)
		return -1;
	if (bld_user_resolve(view, st->config->config.user, &user, err) < 0) {
		stv_wrap(err, "USER %s", st->config->config.user);
		return stv_err_at(*err, step->node->span);
	}
	bld_unlock(st->b);
	r = bld_overlay_init(&w, st->b->o->store, st->config->diff_ids,
			     st->config->n_diff_ids, view, false, err);
	bld_lock(st->b);
	if (r == 0)
		r = run_command(st, step, c, &w, &user, err);
	/* Others may have the caches while the layer is packed. */
	bld_mounts_end(&c->mounts);
	if (r == 0)
		r = snapshot(st, &w, view, out, err);
	out->created_s = st->b->now_s;
	bld_unlock(st->b);
	bld_overlay_fini(&w);
	bld_lock(st->b);
	return r;
}

int
bld_run_step(struct bld_stage *st, const struct bld_step *step,
	     struct stv_err **err)
{
	struct command c = {0};
	struct bld_cached cached;
	struct bld_outcome out;
	stv_auto_free char *by = NULL;
	int r = command_make(st, step, &c, err);

	if (r < 0) {
		command_fini(&c);
		return -1;
	}
	by = history_line(st, &c);
	bld_cache_begin(st, step, "RUN", &cached);
	command_key(st, &c, cached.key);
	r = bld_cache_find(st, step, &cached, &out, err);
	if (r == 0) {
		r = bld_emulation_check(st, step, err);
		if (r == 0)
			r = execute(st, step, &c, &out, err);
		if (r == 0)
			r = bld_mounts_is_same(&c.mounts, err);
		/* What was seen is not what the key says: it is no record. */
		if (r == 1)
			r = bld_cache_store(st, &cached, &out, err);
		if (r == 0)
			bld_emit(st, step, STV_EV_STEP_DONE, NULL);
	}
	if (r >= 0)
		bld_apply(st, &out, by);
	bld_cache_fini(&cached);
	command_fini(&c);
	return r < 0 ? -1 : 0;
}
