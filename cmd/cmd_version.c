/* cmd/cmd_version.c - stave version. */
#include <stdio.h>
#include <sys/utsname.h>

#include "core/cleanup.h"
#include "core/err.h"
#include "core/json.h"
#include "core/oci.h"

#include "cmd/ctx.h"
#include "cmd/format.h"
#include "cmd/opts.h"
#include "cmd/verbs.h"

struct version_values {
	const char *format;
};

static const struct cmd_opt opts[] = {
	CMD_STR("format", 'f', "FORMAT", struct version_values, format,
		"json, or a text with {{.Version}}, {{.Os}}, {{.Arch}}, "
		"{{.KernelVersion}}"),
	CMD_OPT_END,
};

static json_t *
describe(void)
{
	struct stv_platform p = {0};
	struct utsname u = {0};
	json_t *v = json_object();

	(void)uname(&u);
	stv_platform_host(&p);
	json_object_set_new(v, "Version", json_string(STAVE_VERSION));
	json_object_set_new(v, "Os", json_string(p.os));
	json_object_set_new(v, "Arch", json_string(p.arch));
	json_object_set_new(v, "KernelVersion", stv_json_str(u.release));
	stv_platform_fini(&p);
	return v;
}

static int
version_run(struct cmd_ctx *cx, int argc, char **argv, struct stv_err **err)
{
	struct version_values o = {0};
	json_t *v;
	int n, rc;

	rc = cmd_opts_parse(cx, &cmd_verb_version, argc, argv, &o, &n, err);
	if (rc != CMD_PARSED)
		return rc == CMD_PARSED_HELP ? CMD_DONE : -1;
	if (o.format == NULL) {
		printf("stave %s\n", STAVE_VERSION);
		return CMD_DONE;
	}
	v = describe();
	rc = cmd_format_print(o.format, v, err);
	json_decref(v);
	return rc < 0 ? -1 : CMD_DONE;
}

const struct cmd_verb cmd_verb_version = {
	.name = "version",
	.args = "",
	.summary = "Print the version",
	.opts = opts,
	.run = version_run,
};
