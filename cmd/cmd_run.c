/* cmd/cmd_run.c - stave run: an image's command, over a throw-away root. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/cleanup.h"
#include "core/err.h"
#include "core/mem.h"
#include "core/strs.h"
#include "core/vec.h"

#include "builder/build.h"
#include "cache/store.h"
#include "registry/ref.h"

#include "cmd/ctx.h"
#include "cmd/fetch.h"
#include "cmd/figures.h"
#include "cmd/image.h"
#include "cmd/opts.h"
#include "cmd/values.h"
#include "cmd/verbs.h"

/* What docker run exits with where the command was not even tried. */
#define RUN_FAILED 125

struct run_values {
	struct stv_strs envs;
	struct stv_strs hosts;
	struct stv_strs ulimits;
	struct stv_strs volumes;
	const char *entrypoint;
	const char *hostname;
	const char *network;
	const char *platform;
	const char *pull;
	const char *shm_size;
	const char *user;
	const char *workdir;
	bool is_interactive;
	bool is_readonly;
	bool is_rm;
	bool is_tty;
};

static const struct cmd_opt opts[] = {
	CMD_LIST("add-host", 0, "NAME:ADDRESS", struct run_values, hosts,
		 "a line for /etc/hosts"),
	CMD_STR("entrypoint", 0, "PATH", struct run_values, entrypoint,
		"instead of the image's entrypoint"),
	CMD_LIST("env", 'e', "NAME[=VALUE]", struct run_values, envs,
		 "a variable of the environment"),
	CMD_STR("hostname", 0, "NAME", struct run_values, hostname,
		"the name of the machine inside"),
	CMD_FLAG("interactive", 'i', struct run_values, is_interactive,
		 "pass standard input on"),
	CMD_STR("network", 0, "MODE", struct run_values, network,
		"host (default) or none"),
	CMD_STR("platform", 0, "OS/ARCH", struct run_values, platform,
		"the platform of the image"),
	CMD_STR("pull", 0, "WHEN", struct run_values, pull,
		"fetch the image: missing (default), always or never"),
	CMD_FLAG("read-only", 0, struct run_values, is_readonly,
		 "a root that cannot be written to"),
	CMD_FLAG("rm", 0, struct run_values, is_rm,
		 "what is done in any case: nothing is left behind"),
	CMD_STR("shm-size", 0, "SIZE", struct run_values, shm_size,
		"size of /dev/shm (default 64m)"),
	CMD_FLAG("tty", 't', struct run_values, is_tty,
		 "give the command a terminal"),
	CMD_LIST("ulimit", 0, "NAME=SOFT[:HARD]", struct run_values, ulimits,
		 "a resource limit"),
	CMD_STR("user", 'u', "USER[:GROUP]", struct run_values, user,
		"instead of the image's user"),
	CMD_LIST("volume", 'v', "SOURCE:TARGET[:ro]", struct run_values,
		 volumes, "mount a directory or file of this machine"),
	CMD_STR("workdir", 'w', "DIR", struct run_values, workdir,
		"instead of the image's working directory"),
	CMD_LATER("detach", 'd'),
	CMD_LATER_STR("mount", 0),
	CMD_LATER_STR("name", 0),
	CMD_LATER("privileged", 0),
	CMD_LATER_STR("publish", 'p'),
	CMD_OPT_END,
};

/* One run, from the command line to bld_run(). */
struct run {
	const struct run_values *v;
	struct bld_run_opts o;
	STV_VEC(struct bld_volume) volumes;
	STV_VEC(struct sbx_rlimit) rlimits;
	struct stv_strs strings; /* what the volumes point into */
};

/* Keep ${text} as long as the run.  Takes it. */
static const char *
keep(struct run *r, char *text)
{
	stv_strs_take(&r->strings, text);
	return text;
}

/* SOURCE:TARGET[:ro|rw], SOURCE relative to here only if it looks so. */
static int
take_volume(struct run *r, const char *text, struct stv_err **err)
{
	size_t n = strcspn(text, ":"), m;
	struct bld_volume *vol = stv_vec_push(&r->volumes);
	const char *rest = text + n + 1;
	char *source;

	if (text[n] == '\0' || n == 0 || *rest != '/') {
		stv_fail(err, STV_E_USAGE, "-v: '%s' is not SOURCE:TARGET",
			 text);
		stv_err_hint(*err, "Both are paths, and TARGET begins with "
				   "'/'.");
		return -1;
	}
	m = strcspn(rest, ":");
	if (strcmp(rest + m, ":ro") != 0 && strcmp(rest + m, ":rw") != 0 &&
	    rest[m] != '\0')
		return stv_fail(err, STV_E_USAGE,
				"-v: '%s' is not supported, only ro and rw",
				rest + m + 1);
	if (*text != '/' && *text != '.')
		return stv_fail(err, STV_E_USAGE,
				"-v: '%.*s' would be a named volume, which is "
				"not supported; a path begins with '/' or '.'",
				(int)n, text);
	vol->is_readonly = strcmp(rest + m, ":ro") == 0;
	vol->target = keep(r, stv_xstrndup(rest, m));
	source = stv_xstrndup(text, n);
	if (*source != '/') {
		stv_auto_free char *cwd = getcwd(NULL, 0);
		char *full;

		if (cwd == NULL) {
			free(source);
			return stv_fail(err, STV_E_INPUT,
					"-v: there is no current directory");
		}
		full = stv_xasprintf("%s/%s", cwd, source);
		free(source);
		source = full;
	}
	vol->source = keep(r, source);
	return 0;
}

static int
take_lists(struct run *r, struct stv_err **err)
{
	for (size_t i = 0; i < r->v->envs.len; i++) {
		const char *text = r->v->envs.v[i];
		const char *value =
			strchr(text, '=') == NULL ? getenv(text) : NULL;

		if (*text == '=' || *text == '\0')
			return stv_fail(err, STV_E_USAGE,
					"-e: '%s' has no name", text);
		if (value != NULL)
			stv_env_set(&r->o.env, text, value);
		else if (strchr(text, '=') != NULL)
			stv_strs_add(&r->o.env, text);
	}
	for (size_t i = 0; i < r->v->volumes.len; i++)
		if (take_volume(r, r->v->volumes.v[i], err) < 0)
			return -1;
	for (size_t i = 0; i < r->v->ulimits.len; i++)
		if (cmd_ulimit_parse(r->v->ulimits.v[i],
				     stv_vec_push(&r->rlimits), err) < 0)
			return -1;
	for (size_t i = 0; i < r->v->hosts.len; i++) {
		char *host;

		if (cmd_host_parse(r->v->hosts.v[i], &host, err) < 0)
			return -1;
		stv_strs_take(&r->o.add_hosts, host);
	}
	return 0;
}

static int
make_opts(struct run *r, const struct cmd_ctx *cx, struct stv_err **err)
{
	const struct run_values *v = r->v;

	if (take_lists(r, err) < 0 ||
	    cmd_network_parse(v->network, &r->o.net, err) < 0)
		return -1;
	if (v->shm_size != NULL &&
	    cmd_size_parse("--shm-size", v->shm_size, &r->o.shm_size, err) < 0)
		return -1;
	if (v->is_tty && !isatty(STDIN_FILENO) && v->is_interactive)
		return stv_fail(err, STV_E_USAGE,
				"-t needs a terminal as standard input");
	r->o.entrypoint = v->entrypoint;
	r->o.workdir = v->workdir;
	r->o.user = v->user;
	r->o.hostname = v->hostname;
	r->o.is_interactive = v->is_interactive;
	r->o.is_tty = v->is_tty;
	r->o.is_readonly = v->is_readonly;
	r->o.caller_nofile = &cx->nofile;
	r->o.volumes = r->volumes.v;
	r->o.n_volumes = r->volumes.len;
	r->o.rlimits = r->rlimits.v;
	r->o.n_rlimits = r->rlimits.len;
	return 0;
}

static int
check_pull(const char *when, struct stv_err **err)
{
	if (when == NULL || strcmp(when, "missing") == 0 ||
	    strcmp(when, "always") == 0 || strcmp(when, "never") == 0)
		return 0;
	return stv_fail(err, STV_E_USAGE,
			"--pull: '%s' is not one of missing, always, never",
			when);
}

/* The image of the store: 1, or 0 where it has to be fetched. */
static int
find_image(struct run *r, struct cas_store *look, const char *name,
	   struct stv_err **err)
{
	const char *when = r->v->pull == NULL ? "missing" : r->v->pull;
	struct stv_err *ignored = NULL;
	reg_auto_ref ref = {0};

	if (strcmp(when, "always") == 0)
		return 0;
	if (cmd_image_find(look, name, &r->o.image, NULL, err) == 0 &&
	    cmd_image_for(look, name, r->v->platform, &r->o.image, err) == 0)
		return 1;
	if (stv_err_code(*err) != STV_E_NOT_FOUND || strcmp(when, "never") == 0)
		return -1;
	/* An ID is not to be found anywhere else. */
	if (reg_ref_parse(name, &ref, &ignored) < 0) {
		stv_err_free(ignored);
		return -1;
	}
	stv_err_clear(err);
	fprintf(stderr, "Unable to find image '%s' locally\n", name);
	return 0;
}

static int
run(struct cmd_ctx *cx, struct run *r, char **argv, int n, int *ret_status,
    struct stv_err **err)
{
	stv_auto(cas_store) *look = NULL;
	stv_auto(cas_store) *store = NULL;
	stv_auto(cas_lease) *lease = NULL;
	int rc, found;

	for (int i = 1; i < n; i++)
		stv_strs_add(&r->o.cmd, argv[i + 1]);
	/* no store is made only to find out that the image is not in it */
	if (check_pull(r->v->pull, err) < 0 || make_opts(r, cx, err) < 0 ||
	    cmd_store_look(cx, &look, err) < 0)
		return -1;
	found = find_image(r, look, argv[1], err);
	if (found < 0 || cmd_store_open(cx, &store, err) < 0 ||
	    cas_lease_take(store, &lease, err) < 0 ||
	    (found == 0 &&
	     cmd_fetch(store, argv[1], r->v->platform, &r->o.image, err) < 0))
		return -1;
	r->o.store = store;
	rc = bld_run(&r->o, ret_status, err);
	cas_lease_drop(stv_steal(&lease));
	return rc;
}

static int
run_run(struct cmd_ctx *cx, int argc, char **argv, struct stv_err **err)
{
	struct run_values v = {0};
	struct run r = {.v = &v};
	struct stv_err *failed = NULL;
	int n, rc, status = CMD_DONE;

	rc = cmd_opts_parse(cx, &cmd_verb_run, argc, argv, &v, &n, err);
	if (rc == CMD_PARSED && run(cx, &r, argv, n, &status, &failed) < 0) {
		cmd_print_error(failed, NULL);
		/* 126, 127: it was tried, but could not be executed */
		status = stv_err_code(failed) == STV_E_STEP_FAILED
				 ? stv_err_status(failed)
				 : RUN_FAILED;
		stv_err_free(failed);
	}
	stv_vec_fini(&r.volumes);
	stv_vec_fini(&r.rlimits);
	stv_strs_clear(&r.strings);
	stv_strs_clear(&r.o.cmd);
	stv_strs_clear(&r.o.env);
	stv_strs_clear(&r.o.add_hosts);
	cmd_opts_fini(opts, &v);
	return rc < 0 ? -1 : status;
}

const struct cmd_verb cmd_verb_run = {
	.name = "run",
	.args = "IMAGE [COMMAND [ARGUMENT...]]",
	.summary = "Run a command in an image",
	.opts = opts,
	.min_args = 1,
	.max_args = CMD_ANY_NUMBER,
	.is_prefix = true,
	.run = run_run,
};
