/*
 * core/oci_config.c - image configs.
 *
 * Written as BuildKit writes them: the members of the document sorted by name
 * (it goes through a map there), those of "config" in the order of the Go
 * structs, empty ones left out.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/buf.h"
#include "core/err.h"
#include "core/json.h"
#include "core/limits.h"
#include "core/mem.h"

#include "core/oci.h"
#include "core/oci_internal.h"

/* The member names of an object that is used as a set, sorted. */
static int
get_set(const json_t *o, const char *where, const char *name,
	struct stv_strs *ret, struct stv_err **err)
{
	json_t *set = NULL, *v;
	const char *key;

	if (stv_json_get_obj(o, where, name, false, &set, err) < 0)
		return -1;
	json_object_foreach (set, key, v) {
		stv_strs_add(ret, key);
	}
	stv_strs_sort(ret);
	return 0;
}

/* A duration in nanoseconds; 0 where absent. */
static int
get_duration(const json_t *o, const char *name, int64_t *ret,
	     struct stv_err **err)
{
	uint64_t n = 0;

	if (stv_json_get_u64(o, "config.Healthcheck", name, false, &n, err) < 0)
		return -1;
	*ret = (int64_t)n; /* the getter's maximum is 2^63-1 */
	return 0;
}

static int
get_healthcheck(const json_t *config, struct oci_runconfig *c,
		struct stv_err **err)
{
	struct oci_healthcheck *h = &c->healthcheck;
	json_t *o = NULL;

	if (stv_json_get_obj(config, "config", "Healthcheck", false, &o, err) <
	    0)
		return -1;
	if (o == NULL)
		return 0;
	c->has_healthcheck = true;
	if (stv_json_get_strs(o, "config.Healthcheck", "Test", &h->test, NULL,
			      err) < 0 ||
	    get_duration(o, "Interval", &h->interval_ns, err) < 0 ||
	    get_duration(o, "Timeout", &h->timeout_ns, err) < 0 ||
	    get_duration(o, "StartPeriod", &h->start_period_ns, err) < 0 ||
	    get_duration(o, "StartInterval", &h->start_interval_ns, err) < 0)
		return -1;
	return stv_json_get_u64(o, "config.Healthcheck", "Retries", false,
				&h->retries, err);
}

static int
get_runconfig(const json_t *o, struct oci_runconfig *c, struct stv_err **err)
{
	static const char w[] = "config";

	if (oci_get_dup(o, w, "User", &c->user, err) < 0 ||
	    get_set(o, w, "ExposedPorts", &c->exposed_ports, err) < 0 ||
	    stv_json_get_strs(o, w, "Env", &c->env, NULL, err) < 0 ||
	    stv_json_get_strs(o, w, "Entrypoint", &c->entrypoint,
			      &c->has_entrypoint, err) < 0 ||
	    stv_json_get_strs(o, w, "Cmd", &c->cmd, &c->has_cmd, err) < 0 ||
	    get_set(o, w, "Volumes", &c->volumes, err) < 0 ||
	    oci_get_dup(o, w, "WorkingDir", &c->working_dir, err) < 0 ||
	    oci_get_pairs(o, w, "Labels", &c->labels, err) < 0 ||
	    oci_get_dup(o, w, "StopSignal", &c->stop_signal, err) < 0 ||
	    stv_json_get_bool(o, w, "ArgsEscaped", &c->args_escaped, err) < 0 ||
	    stv_json_get_strs(o, w, "OnBuild", &c->on_build, NULL, err) < 0 ||
	    stv_json_get_strs(o, w, "Shell", &c->shell, &c->has_shell, err) < 0)
		return -1;
	return get_healthcheck(o, c, err);
}

static int
get_history(const json_t *o, struct oci_config *c, struct stv_err **err)
{
	char where[OCI_WHERE_MAX];
	json_t *arr = NULL, *v;
	size_t i;

	if (stv_json_get_arr(o, "", "history", false, &arr, err) < 0)
		return -1;
	c->history = stv_xcalloc(json_array_size(arr) + 1, sizeof(*c->history));
	json_array_foreach (arr, i, v) {
		struct oci_history *h = &c->history[c->n_history++];

		(void)snprintf(where, sizeof(where), "history[%zu]", i);
		if (!json_is_object(v))
			return stv_fail(err, STV_E_PROTOCOL,
					"%s is not an object", where);
		if (oci_get_dup(v, where, "created", &h->created, err) < 0 ||
		    oci_get_dup(v, where, "created_by", &h->created_by, err) <
			    0 ||
		    oci_get_dup(v, where, "author", &h->author, err) < 0 ||
		    oci_get_dup(v, where, "comment", &h->comment, err) < 0 ||
		    stv_json_get_bool(v, where, "empty_layer",
				      &h->is_empty_layer, err) < 0)
			return -1;
	}
	return 0;
}

static int
get_rootfs(const json_t *o, struct oci_config *c, struct stv_err **err)
{
	json_t *rootfs = NULL, *arr = NULL, *v;
	const char *type = NULL;
	size_t i;

	if (stv_json_get_obj(o, "", "rootfs", true, &rootfs, err) < 0 ||
	    stv_json_get_str(rootfs, "rootfs", "type", true, &type, err) < 0 ||
	    stv_json_get_arr(rootfs, "rootfs", "diff_ids", false, &arr, err) <
		    0)
		return -1;
	if (strcmp(type, "layers") != 0)
		return stv_fail(err, STV_E_PROTOCOL,
				"rootfs.type is '%s', not 'layers'", type);
	if (json_array_size(arr) > STV_MAX_LAYERS)
		return stv_fail(err, STV_E_LIMIT,
				"an image of %zu layers is beyond the limit of "
				"%d",
				json_array_size(arr), STV_MAX_LAYERS);
	json_array_foreach (arr, i, v) {
		struct stv_digest d;

		if (!json_is_string(v))
			return stv_fail(err, STV_E_PROTOCOL,
					"rootfs.diff_ids[%zu] is not a string",
					i);
		if (stv_digest_parse(json_string_value(v), &d, err) < 0)
			return stv_wrap(err, "reading rootfs.diff_ids[%zu]", i);
		oci_config_add_diff_id(c, &d);
	}
	return 0;
}

static int
fill_config(const json_t *o, struct oci_config *c, struct stv_err **err)
{
	json_t *config = NULL;

	if (!json_is_object(o))
		return stv_fail(err, STV_E_PROTOCOL,
				"the config is not an object");
	if (oci_get_platform(o, "", &c->platform, err) < 0 ||
	    oci_get_dup(o, "", "author", &c->author, err) < 0 ||
	    oci_get_dup(o, "", "created", &c->created, err) < 0 ||
	    stv_json_get_obj(o, "", "config", false, &config, err) < 0 ||
	    get_rootfs(o, c, err) < 0 || get_history(o, c, err) < 0)
		return -1;
	return config == NULL ? 0 : get_runconfig(config, &c->config, err);
}

int
oci_config_parse(const char *text, size_t len, struct oci_config **ret,
		 struct stv_err **err)
{
	stv_auto(oci_config) *c = NULL;
	json_t *o;
	int rc;

	if (len > STV_MAX_CONFIG)
		return stv_fail(err, STV_E_LIMIT,
				"the image config is larger than %zu bytes",
				(size_t)STV_MAX_CONFIG);
	o = stv_json_parse(text, len, "image config", err);
	if (o == NULL)
		return -1;
	c = stv_xcalloc(1, sizeof(*c));
	rc = fill_config(o, c, err);
	json_decref(o);
	if (rc < 0)
		return stv_wrap(err, "reading an image config");
	*ret = stv_steal(&c);
	return 0;
}

/* A list, unless it is empty. */
static void
set_strs(json_t *o, const char *name, const struct stv_strs *s)
{
	if (s->len > 0)
		oci_set(o, name, stv_json_from_strs(s));
}

/* A list as the member names of an object, sorted, unless it is empty. */
static void
set_set(json_t *o, const char *name, const struct stv_strs *s)
{
	struct stv_strs sorted = {0};
	json_t *set;

	if (s->len == 0)
		return;
	stv_strs_copy(&sorted, s);
	stv_strs_sort(&sorted);
	set = json_object();
	for (size_t i = 0; i < sorted.len; i++)
		oci_set(set, sorted.v[i], json_object());
	stv_strs_clear(&sorted);
	oci_set(o, name, set);
}

static void
set_int(json_t *o, const char *name, int64_t n)
{
	if (n != 0)
		oci_set(o, name, json_integer((json_int_t)n));
}

static json_t *
healthcheck_json(const struct oci_healthcheck *h)
{
	json_t *o = json_object();

	set_strs(o, "Test", &h->test);
	set_int(o, "Interval", h->interval_ns);
	set_int(o, "Timeout", h->timeout_ns);
	set_int(o, "StartPeriod", h->start_period_ns);
	set_int(o, "StartInterval", h->start_interval_ns);
	set_int(o, "Retries", (int64_t)h->retries);
	return o;
}

static json_t *
runconfig_json(const struct oci_runconfig *c)
{
	json_t *o = json_object();

	oci_set_str(o, "User", c->user);
	set_set(o, "ExposedPorts", &c->exposed_ports);
	set_strs(o, "Env", &c->env);
	set_strs(o, "Entrypoint", &c->entrypoint);
	set_strs(o, "Cmd", &c->cmd);
	set_set(o, "Volumes", &c->volumes);
	oci_set_str(o, "WorkingDir", c->working_dir);
	oci_set_pairs(o, "Labels", &c->labels);
	oci_set_str(o, "StopSignal", c->stop_signal);
	if (c->args_escaped)
		oci_set(o, "ArgsEscaped", json_true());
	if (c->has_healthcheck)
		oci_set(o, "Healthcheck", healthcheck_json(&c->healthcheck));
	set_strs(o, "OnBuild", &c->on_build);
	set_strs(o, "Shell", &c->shell);
	return o;
}

static json_t *
history_json(const struct oci_config *c)
{
	json_t *arr = json_array();

	for (size_t i = 0; i < c->n_history; i++) {
		const struct oci_history *h = &c->history[i];
		json_t *o = json_object();

		oci_set_str(o, "created", h->created);
		oci_set_str(o, "created_by", h->created_by);
		oci_set_str(o, "author", h->author);
		oci_set_str(o, "comment", h->comment);
		if (h->is_empty_layer)
			oci_set(o, "empty_layer", json_true());
		json_array_append_new(arr, o);
	}
	return arr;
}

static json_t *
rootfs_json(const struct oci_config *c)
{
	char digest[STV_DIGEST_STR_MAX];
	json_t *o = json_object(), *arr = json_array();

	for (size_t i = 0; i < c->n_diff_ids; i++)
		json_array_append_new(arr, stv_json_str(stv_digest_str(
						   &c->diff_ids[i], digest)));
	oci_set(o, "type", json_string("layers"));
	oci_set(o, "diff_ids", arr);
	return o;
}

void
oci_config_write(const struct oci_config *c, struct stv_buf *ret)
{
	const struct stv_platform *p = &c->platform;
	json_t *o = json_object();

	oci_set(o, "architecture", stv_json_str(p->arch ? p->arch : ""));
	oci_set_str(o, "author", c->author);
	oci_set(o, "config", runconfig_json(&c->config));
	oci_set_str(o, "created", c->created);
	if (c->n_history > 0)
		oci_set(o, "history", history_json(c));
	oci_set(o, "os", stv_json_str(p->os ? p->os : ""));
	set_strs(o, "os.features", &p->os_features);
	oci_set_str(o, "os.version", p->os_version);
	oci_set(o, "rootfs", rootfs_json(c));
	oci_set_str(o, "variant", p->variant);
	stv_json_dump(o, ret);
	json_decref(o);
}

void
oci_runconfig_write(const struct oci_runconfig *c, struct stv_buf *ret)
{
	json_t *o = runconfig_json(c);

	stv_json_dump(o, ret);
	json_decref(o);
}

void
oci_runconfig_fini(struct oci_runconfig *c)
{
	free(c->user);
	free(c->working_dir);
	free(c->stop_signal);
	stv_strs_clear(&c->env);
	stv_strs_clear(&c->entrypoint);
	stv_strs_clear(&c->cmd);
	stv_strs_clear(&c->shell);
	stv_strs_clear(&c->on_build);
	stv_strs_clear(&c->exposed_ports);
	stv_strs_clear(&c->volumes);
	stv_pairs_clear(&c->labels);
	stv_strs_clear(&c->healthcheck.test);
	*c = (struct oci_runconfig){0};
}

void
oci_runconfig_copy(struct oci_runconfig *dst, const struct oci_runconfig *src)
{
	dst->user = oci_dup_or_null(src->user);
	dst->working_dir = oci_dup_or_null(src->working_dir);
	dst->stop_signal = oci_dup_or_null(src->stop_signal);
	stv_strs_copy(&dst->env, &src->env);
	stv_strs_copy(&dst->entrypoint, &src->entrypoint);
	stv_strs_copy(&dst->cmd, &src->cmd);
	stv_strs_copy(&dst->shell, &src->shell);
	stv_strs_copy(&dst->on_build, &src->on_build);
	stv_strs_copy(&dst->exposed_ports, &src->exposed_ports);
	stv_strs_copy(&dst->volumes, &src->volumes);
	for (size_t i = 0; i < src->labels.len; i++)
		stv_pairs_set(&dst->labels, src->labels.v[i].name,
			      src->labels.v[i].value);
	dst->has_entrypoint = src->has_entrypoint;
	dst->has_cmd = src->has_cmd;
	dst->has_shell = src->has_shell;
	dst->args_escaped = src->args_escaped;
	dst->has_healthcheck = src->has_healthcheck;
	dst->healthcheck = src->healthcheck;
	dst->healthcheck.test = (struct stv_strs){0};
	stv_strs_copy(&dst->healthcheck.test, &src->healthcheck.test);
}

struct oci_config *
oci_config_copy(const struct oci_config *src)
{
	struct oci_config *c = stv_xcalloc(1, sizeof(*c));

	c->created = oci_dup_or_null(src->created);
	c->author = oci_dup_or_null(src->author);
	stv_platform_copy(&c->platform, &src->platform);
	oci_runconfig_copy(&c->config, &src->config);
	for (size_t i = 0; i < src->n_diff_ids; i++)
		oci_config_add_diff_id(c, &src->diff_ids[i]);
	for (size_t i = 0; i < src->n_history; i++) {
		const struct oci_history *s = &src->history[i];

		*oci_config_add_history(c) = (struct oci_history){
			.created = oci_dup_or_null(s->created),
			.created_by = oci_dup_or_null(s->created_by),
			.author = oci_dup_or_null(s->author),
			.comment = oci_dup_or_null(s->comment),
			.is_empty_layer = s->is_empty_layer,
		};
	}
	return c;
}

void
oci_config_add_diff_id(struct oci_config *c, const struct stv_digest *d)
{
	c->diff_ids = stv_xreallocarray(c->diff_ids, c->n_diff_ids + 1,
					sizeof(*c->diff_ids));
	c->diff_ids[c->n_diff_ids++] = *d;
}

struct oci_history *
oci_config_add_history(struct oci_config *c)
{
	struct oci_history *h;

	c->history = stv_xreallocarray(c->history, c->n_history + 1,
				       sizeof(*c->history));
	h = &c->history[c->n_history++];
	*h = (struct oci_history){0};
	return h;
}

void
oci_config_free(struct oci_config *c)
{
	if (c == NULL)
		return;
	free(c->created);
	free(c->author);
	stv_platform_fini(&c->platform);
	oci_runconfig_fini(&c->config);
	free(c->diff_ids);
	for (size_t i = 0; i < c->n_history; i++) {
		free(c->history[i].created);
		free(c->history[i].created_by);
		free(c->history[i].author);
		free(c->history[i].comment);
	}
	free(c->history);
	free(c);
}
