/* cmd/build_request.c - the command line of stave build, checked. */
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "core/bool.h"
#include "core/cleanup.h"
#include "core/err.h"
#include "core/mem.h"
#include "core/strs.h"

#include "registry/creds.h"

#include "cmd/build_opts.h"
#include "cmd/ctx.h"
#include "cmd/figures.h"

#include "cmd/build_request.h"

/* "NAME=VALUE" into ${pairs}; without '=' ${otherwise} (NULL: leave it out). */
static int
add_pair(struct stv_pairs *pairs, const char *option, const char *text,
	 const char *otherwise, struct stv_err **err)
{
	size_t n = strcspn(text, "=");
	stv_auto_free char *name = stv_xstrndup(text, n);

	if (n == 0)
		return stv_fail(err, STV_E_USAGE, "%s: '%s' has no name",
				option, text);
	if (text[n] == '=')
		stv_pairs_set(pairs, name, text + n + 1);
	else if (otherwise != NULL)
		stv_pairs_set(pairs, name, otherwise);
	return 0;
}

int
cmd_request_args(const struct stv_strs *args, struct stv_pairs *ret,
		 struct stv_err **err)
{
	for (size_t i = 0; i < args->len; i++) {
		const char *text = args->v[i];
		const char *value =
			strchr(text, '=') == NULL ? getenv(text) : NULL;

		if (add_pair(ret, "--build-arg", text, value, err) < 0)
			return -1;
	}
	return 0;
}

/* Is it there, in whatever case?  A step gets one value in both spellings. */
static bool
is_given(const struct stv_pairs *args, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (strcasecmp(args->v[i].name, name) == 0)
			return true;
	return false;
}

/*
 * The proxies of docker's config.json are build arguments, as docker has it;
 * one that is given goes before.  A build does not need the file: one that is
 * broken is told of only.
 */
static void
add_proxies(struct stv_pairs *args)
{
	struct reg_creds_opts o = {.authfile = NULL};
	struct stv_strs proxies = {0};
	struct stv_err *err = NULL;
	size_t n_given = args->len;

	reg_creds_opts_from_env(&o);
	if (reg_creds_proxies(&o, &proxies, &err) < 0)
		cmd_warn("the proxies of docker's configuration are not used: "
			 "%s",
			 stv_err_msg(stv_err_root(err)));
	for (size_t i = 0; i < proxies.len; i++) {
		size_t n = strcspn(proxies.v[i], "=");
		stv_auto_free char *name = stv_xstrndup(proxies.v[i], n);

		if (!is_given(args, n_given, name))
			stv_pairs_set(args, name, proxies.v[i] + n + 1);
	}
	stv_strs_clear(&proxies);
	stv_err_free(err);
}

static int
take_args(const struct build_values *v, struct build_request *r,
	  struct stv_err **err)
{
	if (cmd_request_args(&v->build_args, &r->args, err) < 0)
		return -1;
	add_proxies(&r->args);
	for (size_t i = 0; i < v->labels.len; i++)
		if (add_pair(&r->labels, "--label", v->labels.v[i], "", err) <
		    0)
			return -1;
	return 0;
}

/* The name is checked by whom it concerns; a later one replaces it. */
static int
take_contexts(const struct build_values *v, struct build_request *r,
	      struct stv_err **err)
{
	for (size_t i = 0; i < v->build_contexts.len; i++) {
		const char *text = v->build_contexts.v[i];

		if (strchr(text, '=') == NULL)
			return stv_fail(err, STV_E_USAGE,
					"--build-context: '%s' has no '='",
					text);
		if (add_pair(&r->contexts, "--build-context", text, NULL, err) <
		    0)
			return -1;
	}
	return 0;
}

/* BUILDKIT_MULTI_PLATFORM: is an index of one image wanted too? */
static int
take_multi(const struct build_request *r, enum cmd_switch *ret,
	   struct stv_err **err)
{
	const char *text = stv_pairs_get(&r->args, "BUILDKIT_MULTI_PLATFORM");
	int yes;

	*ret = CMD_UNSET;
	if (text == NULL || *text == '\0')
		return 0;
	yes = stv_bool_parse(text, strlen(text));
	if (yes < 0)
		return stv_fail(err, STV_E_USAGE,
				"BUILDKIT_MULTI_PLATFORM=%s is neither true "
				"nor false",
				text);
	*ret = yes ? CMD_ON : CMD_OFF;
	return 0;
}

static int
take_lists(const struct build_values *v, struct build_request *r,
	   struct stv_err **err)
{
	for (size_t i = 0; i < v->add_hosts.len; i++) {
		char *host;

		if (cmd_host_parse(v->add_hosts.v[i], &host, err) < 0)
			return -1;
		stv_strs_take(&r->hosts, host);
	}
	for (size_t i = 0; i < v->ulimits.len; i++)
		if (cmd_ulimit_parse(v->ulimits.v[i], stv_vec_push(&r->rlimits),
				     err) < 0)
			return -1;
	for (size_t i = 0; i < v->no_cache_filters.len; i++) {
		const char *at = v->no_cache_filters.v[i];

		for (size_t n; *at != '\0'; at += n + (at[n] == ',')) {
			n = strcspn(at, ",");
			if (n > 0)
				stv_strs_add_n(&r->no_cache_stages, at, n);
		}
	}
	return 0;
}

/* --allow, --secret and --ssh. */
static int
take_secrets(const struct build_values *v, struct build_request *r,
	     struct stv_err **err)
{
	for (size_t i = 0; i < v->allows.len; i++)
		if (cmd_allow_parse(v->allows.v[i], &r->allow_insecure,
				    &r->allow_host_net, err) < 0)
			return -1;
	for (size_t i = 0; i < v->secrets.len; i++)
		if (cmd_secret_add(&r->secrets, v->secrets.v[i], err) < 0)
			return -1;
	for (size_t i = 0; i < v->ssh.len; i++)
		if (cmd_ssh_add(&r->secrets, v->ssh.v[i], err) < 0)
			return -1;
	return 0;
}

int
cmd_request_platform(const char *text, struct stv_platform *ret,
		     struct stv_err **err)
{
	const char *s = text != NULL ? text : getenv("DOCKER_DEFAULT_PLATFORM");

	if (s == NULL || *s == '\0')
		return 0;
	if (strchr(s, ',') != NULL)
		return stv_fail(err, STV_E_USAGE,
				"--platform: '%s' is several; one is meant "
				"here",
				s);
	return stv_platform_parse(s, ret, err) < 0 ? -1 : 1;
}

/* Is it there already?  Then it is built once. */
static bool
has_platform(const struct build_request *r, const struct stv_platform *p)
{
	stv_auto_free char *text = stv_platform_str(p);

	for (size_t i = 0; i < r->platforms.len; i++) {
		stv_auto_free char *other =
			stv_platform_str(&r->platforms.v[i]);

		if (strcmp(text, other) == 0)
			return true;
	}
	return false;
}

/* One value, "linux/amd64,linux/arm64". */
static int
add_platforms(struct build_request *r, const char *value, struct stv_err **err)
{
	for (size_t n; *value != '\0'; value += n + (value[n] == ',')) {
		stv_auto_free char *one = NULL;
		struct stv_platform p = {0};

		n = strcspn(value, ",");
		one = stv_xstrndup(value, n);
		if (stv_platform_parse(one, &p, err) < 0)
			return -1;
		if (has_platform(r, &p))
			stv_platform_fini(&p);
		else
			*stv_vec_push(&r->platforms) = p;
	}
	return 0;
}

static int
take_platform(const struct build_values *v, struct build_request *r,
	      struct stv_err **err)
{
	const char *otherwise = getenv("DOCKER_DEFAULT_PLATFORM");
	enum cmd_switch multi;

	if (take_multi(r, &multi, err) < 0)
		return -1;
	for (size_t i = 0; i < v->platforms.len; i++)
		if (add_platforms(r, v->platforms.v[i], err) < 0)
			return -1;
	if (v->platforms.len == 0 && otherwise != NULL &&
	    add_platforms(r, otherwise, err) < 0)
		return -1;
	r->has_platform = r->platforms.len > 0;
	if (multi == CMD_OFF && r->platforms.len > 1)
		return stv_fail(err, STV_E_USAGE,
				"--platform names %zu platforms, and "
				"BUILDKIT_MULTI_PLATFORM is false",
				r->platforms.len);
	r->is_multi = r->platforms.len > 1 || multi == CMD_ON;
	if (r->is_multi && !r->has_platform)
		stv_platform_host(stv_vec_push(&r->platforms));
	if (r->platforms.len > 0)
		stv_platform_copy(&r->platform, &r->platforms.v[0]);
	return 0;
}

/* What cannot be of several platforms. */
static int
check_multi(const struct build_request *r, struct stv_err **err)
{
	for (size_t i = 0; r->is_multi && i < r->outputs.len; i++) {
		if (r->outputs.v[i].type != CMD_OUTPUT_DOCKER)
			continue;
		stv_fail(err, STV_E_USAGE,
			 "--output type=docker: docker exporter does not "
			 "support exporting manifest lists");
		stv_err_hint(*err, "Use type=oci, or build for one platform.");
		return -1;
	}
	return 0;
}

/* Words of other builders mean "choose" (DESIGN.md, Errors). */
static int
take_isolation(const struct build_values *v, struct build_request *r,
	       struct stv_err **err)
{
	static const char *const rungs[] = {"root", "userns", "single",
					    "chroot"};
	static const char *const foreign[] = {"", "auto", "default", "oci",
					      "rootless"};
	const char *s = v->isolation != NULL ? v->isolation : "auto";

	for (size_t i = 0; i < STV_ARRAY_LEN(foreign); i++)
		if (strcmp(foreign[i], s) == 0)
			return 0;
	for (size_t i = 0; i < STV_ARRAY_LEN(rungs); i++) {
		if (strcmp(rungs[i], s) != 0)
			continue;
		if (i > 0)
			return stv_fail(err, STV_E_USAGE,
					"--isolation=%s is not supported yet "
					"by this version",
					s);
		r->isolation = rungs[i];
		return 0;
	}
	stv_fail(err, STV_E_USAGE, "--isolation: there is no '%s'", s);
	stv_err_hint(*err, "Choose auto, root, userns, single or chroot.");
	return -1;
}

static int
take_progress(const struct build_values *v, struct build_request *r,
	      struct stv_err **err)
{
	const char *s = v->progress;

	if (v->is_quiet) {
		if (s != NULL && ui_mode_parse(s, &r->ui, err) < 0)
			return -1;
		if (r->ui != UI_AUTO && r->ui != UI_QUIET)
			return stv_fail(err, STV_E_USAGE,
					"--quiet and --progress=%s cannot both "
					"be",
					s);
		r->ui = UI_QUIET;
		return 0;
	}
	if (s == NULL)
		s = getenv("BUILDKIT_PROGRESS");
	if (s != NULL && *s != '\0' && ui_mode_parse(s, &r->ui, err) < 0)
		return v->progress != NULL ? -1
					   : stv_wrap(err, "BUILDKIT_PROGRESS");
	r->ui = ui_mode_choose(r->ui, STDERR_FILENO);
	return 0;
}

/* --push: images of --output go to the registry, else --output type=registry.
 */
static void
take_push(struct build_request *r)
{
	bool is_any = false;

	for (size_t i = 0; i < r->outputs.len; i++) {
		struct cmd_output *o = &r->outputs.v[i];

		o->is_pushed |= o->type == CMD_OUTPUT_IMAGE;
		is_any |= o->is_pushed;
	}
	if (!is_any)
		*stv_vec_push(&r->outputs) = (struct cmd_output){
			.type = CMD_OUTPUT_REGISTRY,
			.is_pushed = true,
			.compression = {.codec = STV_CODEC_GZIP},
		};
}

/* Does an output say already what --load does? */
static bool
loads(const struct build_request *r)
{
	for (size_t i = 0; i < r->outputs.len; i++)
		if (r->outputs.v[i].type == CMD_OUTPUT_ENGINE)
			return true;
	return false;
}

/* What --output and --annotation say is about an image of this platform. */
static int
take_outputs(const struct build_values *v, struct build_request *r,
	     struct stv_err **err)
{
	struct stv_platform platform = {0};
	int rc = 0;

	if (r->has_platform)
		stv_platform_copy(&platform, &r->platform);
	else
		stv_platform_host(&platform);
	for (size_t i = 0; i < v->outputs.len && rc == 0; i++)
		rc = cmd_output_parse(v->outputs.v[i],
				      r->is_multi ? NULL : &platform,
				      stv_vec_push(&r->outputs), err);
	if (rc == 0 && v->push)
		take_push(r);
	if (rc == 0 && v->is_loaded && !loads(r))
		cmd_output_load(stv_vec_push(&r->outputs));
	for (size_t i = 0; i < v->annotations.len && rc == 0; i++)
		rc = cmd_annotation_parse(v->annotations.v[i],
					  r->is_multi ? NULL : &platform,
					  &r->annotations, err);
	stv_platform_fini(&platform);
	for (size_t i = 0; i < r->outputs.len && rc == 0; i++) {
		if (r->outputs.v[i].oci_types != CMD_OFF ||
		    r->annotations.manifest.len == 0)
			continue;
		rc = stv_fail(err, STV_E_USAGE,
			      "--annotation: docker's media types of --output "
			      "have no annotations");
		stv_err_hint(*err, "Leave oci-mediatypes=false out.");
	}
	return rc;
}

/* Whether the times of files are rewritten is a matter of the whole build. */
static int
check_rewrite(struct build_request *r, struct stv_err **err)
{
	for (size_t i = 0; i < r->outputs.len; i++) {
		enum cmd_switch s = r->outputs.v[i].rewrite_timestamp;

		if (s == CMD_UNSET)
			continue;
		if (r->rewrite_timestamp != CMD_UNSET &&
		    r->rewrite_timestamp != s) {
			stv_fail(err, STV_E_USAGE,
				 "--output: rewrite-timestamp cannot be both "
				 "true and false in one build");
			stv_err_hint(*err, "Run two builds.");
			return -1;
		}
		r->rewrite_timestamp = s;
	}
	return 0;
}

/* Docker's media types have no place for the records. */
static int
check_inline(const struct build_request *r, struct stv_err **err)
{
	if (!cmd_caches_has_inline(&r->caches))
		return 0;
	for (size_t i = 0; i < r->outputs.len; i++) {
		if (r->outputs.v[i].oci_types != CMD_OFF)
			continue;
		stv_fail(err, STV_E_USAGE,
			 "--cache-to: type=inline is not possible in docker's "
			 "media types of --output");
		stv_err_hint(*err, "Leave oci-mediatypes=false out.");
		return -1;
	}
	return 0;
}

/* Of which target is an output? */
static int
check_targets(const struct build_request *r, struct stv_err **err)
{
	for (size_t i = 0; i < r->outputs.len; i++) {
		const struct cmd_output *o = &r->outputs.v[i];
		bool is_tree = o->type == CMD_OUTPUT_TAR ||
			       o->type == CMD_OUTPUT_LOCAL;

		if (o->target != NULL &&
		    cmd_targets_find(&r->targets, o->target) ==
			    r->targets.list.len) {
			stv_fail(err, STV_E_USAGE,
				 "--output: stage '%s' is no target of this "
				 "build",
				 o->target);
			stv_err_hint(*err, "Add --target %s.", o->target);
			return -1;
		}
		if (o->target == NULL && o->names.len > 0 &&
		    r->targets.list.len > 1) {
			stv_fail(err, STV_E_USAGE,
				 "--output: name= could be for each of several "
				 "targets");
			stv_err_hint(*err, "Add target=STAGE to it.");
			return -1;
		}
		if (o->target == NULL && is_tree && r->targets.list.len > 1) {
			stv_fail(err, STV_E_USAGE,
				 "--output to %s could be the files of each of "
				 "several targets",
				 o->dest);
			stv_err_hint(*err, "Add target=STAGE to it.");
			return -1;
		}
	}
	return 0;
}

/*
 * One name for one file: the directory that it is in without links, and its
 * own name; "-" is standard output.
 */
static char *
place_of(const char *path)
{
	stv_auto_free char *copy = NULL, *base = NULL, *dir = NULL;
	char *whole = strcmp(path, "-") == 0 ? NULL : realpath(path, NULL);

	if (whole != NULL)
		return whole;
	copy = stv_xstrdup(path);
	base = stv_xstrdup(path);
	dir = realpath(dirname(copy), NULL);
	if (dir == NULL || strcmp(path, "-") == 0)
		return stv_xstrdup(path);
	return stv_xasprintf("%s/%s", dir, basename(base));
}

/* Is place number ${n} none of those before it? */
static int
check_place(const struct stv_strs *places, size_t n, struct stv_err **err)
{
	const char *place = places->v[n];

	if (strcmp(place, "/dev/null") == 0)
		return 0;
	for (size_t i = 0; i < n; i++) {
		if (strcmp(places->v[i], place) != 0)
			continue;
		return stv_fail(
			err, STV_E_USAGE, "more than one thing would %s%s",
			strcmp(place, "-") == 0 ? "go to " : "be written to ",
			strcmp(place, "-") == 0 ? "standard output" : place);
	}
	return 0;
}

/* Each result has a place of its own; standard output holds one thing. */
static int
check_places(const struct build_values *v, const struct build_request *r,
	     struct stv_err **err)
{
	struct stv_strs places = {0};
	int rc = 0;

	if (v->is_quiet)
		stv_strs_add(&places, "-");
	if (v->iidfile != NULL)
		stv_strs_take(&places, place_of(v->iidfile));
	if (v->metadata_file != NULL)
		stv_strs_take(&places, place_of(v->metadata_file));
	for (size_t i = 0; i < r->outputs.len; i++)
		if (r->outputs.v[i].dest != NULL)
			stv_strs_take(&places, place_of(r->outputs.v[i].dest));
	for (size_t i = 0; i < places.len && rc == 0; i++)
		rc = check_place(&places, i, err);
	stv_strs_clear(&places);
	return rc;
}

int
cmd_request_make(const struct build_values *v, struct build_request *r,
		 struct stv_err **err)
{
	if (take_args(v, r, err) < 0 || take_contexts(v, r, err) < 0 ||
	    cmd_targets_make(&v->targets, &v->tags, &r->targets, err) < 0 ||
	    take_lists(v, r, err) < 0 || take_secrets(v, r, err) < 0 ||
	    take_platform(v, r, err) < 0 || take_outputs(v, r, err) < 0 ||
	    check_multi(r, err) < 0 || check_rewrite(r, err) < 0 ||
	    cmd_caches_make(&v->cache_from, &v->cache_to, &r->caches, err) <
		    0 ||
	    check_inline(r, err) < 0 ||
	    cmd_network_parse(v->network, &r->net, err) < 0 ||
	    take_isolation(v, r, err) < 0 || take_progress(v, r, err) < 0 ||
	    check_targets(r, err) < 0 || check_places(v, r, err) < 0)
		return -1;
	if (v->is_check)
		r->call.kind = CMD_CALL_CHECK;
	if (v->call != NULL && cmd_call_parse(v->call, &r->call, err) < 0)
		return -1;
	if (v->shm_size != NULL &&
	    cmd_size_parse("--shm-size", v->shm_size, &r->shm_size, err) < 0)
		return -1;
	if (v->store_max == NULL)
		return 0;
	r->has_store_max = true;
	return cmd_size_parse("--store-max", v->store_max, &r->store_max, err);
}

bool
cmd_request_flag(const struct build_request *r, const char *name)
{
	const char *value = stv_pairs_get(&r->args, name);

	return value != NULL && stv_bool_parse(value, strlen(value)) == 1;
}

void
cmd_request_fini(struct build_request *r)
{
	for (size_t i = 0; i < r->outputs.len; i++)
		cmd_output_fini(&r->outputs.v[i]);
	stv_vec_fini(&r->outputs);
	stv_vec_fini(&r->rlimits);
	stv_pairs_clear(&r->args);
	stv_pairs_clear(&r->contexts);
	stv_pairs_clear(&r->labels);
	cmd_targets_fini(&r->targets);
	cmd_annotations_fini(&r->annotations);
	cmd_caches_fini(&r->caches);
	stv_strs_clear(&r->hosts);
	stv_strs_clear(&r->no_cache_stages);
	stv_platform_fini(&r->platform);
	for (size_t i = 0; i < r->platforms.len; i++)
		stv_platform_fini(&r->platforms.v[i]);
	stv_vec_fini(&r->platforms);
	cmd_secrets_fini(&r->secrets);
}
