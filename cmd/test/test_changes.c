/* cmd/test/test_changes.c - instructions applied to a config. */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <string.h>

#include "core/buf.h"
#include "core/cleanup.h"
#include "core/err.h"
#include "core/oci.h"

#include "cmd/changes.h"

/* Two changes and the config that they give; "!..." begins the error. */
struct row {
	char changes[2][48];
	char want[128];
};

ParameterizedTestParameters(changes, change_the_config)
{
	static struct row rows[] = {
		{{"CMD [\"a\", \"b\"]", ""}, "\"Cmd\":[\"a\",\"b\"]"},
		{{"CMD a b", ""}, "\"Cmd\":[\"/bin/sh\",\"-c\",\"a b\"]"},
		{{"ENTRYPOINT [\"x\"]", ""}, "\"Entrypoint\":[\"x\"]"},
		{{"ENV A=1 B=\"x y\"", "ENV C=$A-$B"},
		 "\"Env\":[\"A=1\",\"B=x y\",\"C=1-x y\"]"},
		{{"ENV A=1", "ENV A 2 3"}, "\"Env\":[\"A=2 3\"]"},
		{{"EXPOSE 80 53/udp", "EXPOSE 80/tcp"},
		 "\"ExposedPorts\":{\"53/udp\":{},\"80/tcp\":{}}"},
		{{"LABEL b=1 a=2", ""}, "\"Labels\":{\"a\":\"2\",\"b\":\"1\"}"},
		{{"USER me:us", ""}, "\"User\":\"me:us\""},
		{{"WORKDIR /a", "WORKDIR b"}, "\"WorkingDir\":\"/a/b\""},
		{{"VOLUME /b /a", ""}, "\"Volumes\":{\"/a\":{},\"/b\":{}}"},
		{{"ONBUILD RUN make", "onbuild COPY a b"},
		 "\"OnBuild\":[\"RUN make\",\"COPY a b\"]"},
		{{"STOPSIGNAL SIGINT", ""}, "\"StopSignal\":\"SIGINT\""},
		{{"HEALTHCHECK NONE", ""}, "\"Test\":[\"NONE\"]"},
		{{"HEALTHCHECK --retries=2 CMD x", ""},
		 "\"Test\":[\"CMD-SHELL\",\"x\"],\"Retries\":2"},
		{{"RUN x", ""}, "!RUN cannot be applied"},
		{{"COPY a b", ""}, "!COPY cannot be applied"},
		{{"FRUM x", ""}, "!unknown instruction"},
		{{"EXPOSE 99999", ""}, "!invalid port"},
		{{"STOPSIGNAL SIGNO", ""}, "!"},
		{{"ONBUILD FROM x", ""}, "!"},
		{{"", ""}, "!"},
	};

	return cr_make_param_array(struct row, rows, STV_ARRAY_LEN(rows));
}

ParameterizedTest(struct row *r, changes, change_the_config)
{
	struct oci_runconfig c = {0};
	struct stv_err *err = NULL;
	stv_auto_buf got = STV_BUF_INIT(4096);
	int rc = cmd_change_apply(&c, r->changes[0], &err);

	if (rc == 0 && r->changes[1][0] != '\0')
		rc = cmd_change_apply(&c, r->changes[1], &err);
	if (rc < 0) {
		stv_buf_addf(&got, "!%s", stv_err_msg(stv_err_root(err)));
		cr_expect_eq(
			strncmp(stv_buf_str(&got), r->want, strlen(r->want)), 0,
			"%s: %s", r->changes[0], stv_buf_str(&got));
	} else {
		oci_runconfig_write(&c, &got);
		cr_expect(r->want[0] != '!' &&
				  strstr(stv_buf_str(&got), r->want) != NULL,
			  "%s: %s", r->changes[0], stv_buf_str(&got));
	}
	stv_err_free(err);
	oci_runconfig_fini(&c);
}
