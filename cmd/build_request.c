/* cmd/build_request.c - the command line of stave build, checked. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/cleanup.h"
#include "core/err.h"
#include "core/mem.h"

#include "cmd/build_opts.h"
#include "cmd/figures.h"
#include "cmd/image.h"

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

static int
take_args(const struct build_values *v, struct build_request *r,
	  struct stv_err **err)
{
	if (cmd_request_args(&v->build_args, &r->args, err) < 0)
		return -1;
	for (size_t i = 0; i < v->labels.len; i++)
		if (add_pair(&r->labels, "--label", v->labels.v[i], "", err) <
		    0)
			return -1;
	return 0;
}

static int
take_tags(const struct build_values *v, struct build_request *r,
	  struct stv_err **err)
{
	for (size_t i = 0; i < v->tags.len; i++) {
		stv_auto_free char *tag = NULL;

		if (cmd_tag_normal(v->tags.v[i], &tag, err) < 0)
			return stv_wrap(err, "--tag '%s'", v->tags.v[i]);
		if (!stv_strs_has(&r->tags, tag))
			stv_strs_add(&r->tags, tag);
	}
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
	for (size_t i = 0; i < v->outputs.len; i++)
		if (cmd_output_parse(v->outputs.v[i], stv_vec_push(&r->outputs),
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

static int
take_platform(const struct build_values *v, struct build_request *r,
	      struct stv_err **err)
{
	const char *s = v->platform != NULL ? v->platform
					    : getenv("DOCKER_DEFAULT_PLATFORM");

	if (s == NULL || *s == '\0')
		return 0;
	if (strchr(s, ',') != NULL)
		return stv_fail(err, STV_E_USAGE,
				"--platform with several values is not "
				"supported yet by this version");
	if (stv_platform_parse(s, &r->platform, err) < 0)
		return -1;
	r->has_platform = true;
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

/* Standard output holds one thing: the image ID, or one archive. */
static int
check_stdout(const struct build_values *v, const struct build_request *r,
	     struct stv_err **err)
{
	size_t n = v->is_quiet;

	for (size_t i = 0; i < r->outputs.len; i++)
		n += r->outputs.v[i].dest != NULL &&
		     strcmp(r->outputs.v[i].dest, "-") == 0;
	if (n > 1)
		return stv_fail(err, STV_E_USAGE,
				"more than one thing would go to standard "
				"output");
	return 0;
}

int
cmd_request_make(const struct build_values *v, struct build_request *r,
		 struct stv_err **err)
{
	if (take_args(v, r, err) < 0 || take_tags(v, r, err) < 0 ||
	    take_lists(v, r, err) < 0 || take_platform(v, r, err) < 0 ||
	    cmd_network_parse(v->network, &r->net, err) < 0 ||
	    take_isolation(v, r, err) < 0 || take_progress(v, r, err) < 0 ||
	    check_stdout(v, r, err) < 0)
		return -1;
	if (v->shm_size != NULL &&
	    cmd_size_parse("--shm-size", v->shm_size, &r->shm_size, err) < 0)
		return -1;
	if (v->store_max == NULL)
		return 0;
	r->has_store_max = true;
	return cmd_size_parse("--store-max", v->store_max, &r->store_max, err);
}

void
cmd_request_fini(struct build_request *r)
{
	for (size_t i = 0; i < r->outputs.len; i++)
		free(r->outputs.v[i].dest);
	stv_vec_fini(&r->outputs);
	stv_vec_fini(&r->rlimits);
	stv_pairs_clear(&r->args);
	stv_pairs_clear(&r->labels);
	stv_strs_clear(&r->tags);
	stv_strs_clear(&r->hosts);
	stv_strs_clear(&r->no_cache_stages);
	stv_platform_fini(&r->platform);
}
