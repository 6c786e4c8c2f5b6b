/* cmd/test/test_build_request.c - the command line of stave build. */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/buf.h"
#include "core/cleanup.h"
#include "core/err.h"

#include "cmd/build_opts.h"
#include "cmd/build_request.h"
#include "cmd/ctx.h"
#include "cmd/opts.h"

static const struct cmd_verb verb = {
	.name = "build",
	.args = "PATH",
	.opts = cmd_build_opts,
	.min_args = 1,
	.max_args = 1,
};

/* Words between '|', and what they give; "!..." begins the error. */
struct row {
	char words[96];
	char want[96];
};

static void
show(const struct build_values *v, const struct build_request *r,
     struct stv_buf *ret)
{
	for (size_t i = 0; i < r->args.len; i++)
		stv_buf_addf(ret, "arg %s=%s ", r->args.v[i].name,
			     r->args.v[i].value);
	for (size_t i = 0; i < r->labels.len; i++)
		stv_buf_addf(ret, "label %s=%s ", r->labels.v[i].name,
			     r->labels.v[i].value);
	for (size_t i = 0; i < r->targets.list.len; i++) {
		const struct bld_target *t = &r->targets.list.v[i];

		if (t->stage != NULL)
			stv_buf_addf(ret, "target %s ", t->stage);
		else if (r->targets.list.len > 1)
			stv_buf_adds(ret, "last ");
		for (size_t k = 0; k < t->tags.len; k++)
			stv_buf_addf(ret, "tag %s ", t->tags.v[k]);
	}
	for (size_t i = 0; i < r->no_cache_stages.len; i++)
		stv_buf_addf(ret, "stage %s ", r->no_cache_stages.v[i]);
	if (r->has_platform)
		stv_buf_addf(ret, "platform %s/%s ", r->platform.os,
			     r->platform.arch);
	if (r->is_multi)
		stv_buf_addf(ret, "of %zu ", r->platforms.len);
	if (r->net == SBX_NET_NONE)
		stv_buf_adds(ret, "net none ");
	if (r->isolation != NULL)
		stv_buf_addf(ret, "rung %s ", r->isolation);
	if (r->shm_size > 0)
		stv_buf_addf(ret, "shm %llu ", (unsigned long long)r->shm_size);
	if (r->has_store_max)
		stv_buf_addf(ret, "max %llu ",
			     (unsigned long long)r->store_max);
	if (r->ui != UI_PLAIN)
		stv_buf_addf(ret, "ui %d ", (int)r->ui);
	if (v->file != NULL)
		stv_buf_addf(ret, "file %s ", v->file);
}

static void
request(const char *words, struct stv_buf *ret)
{
	char copy[128], *argv[16], *save = NULL;
	struct build_values v = {0};
	struct build_request r = {0};
	struct stv_err *err = NULL;
	struct cmd_ctx cx = {0};
	int argc = 0, n = 0, rc;

	(void)snprintf(copy, sizeof(copy), "build|.|%s", words);
	for (char *w = strtok_r(copy, "|", &save); w != NULL;
	     w = strtok_r(NULL, "|", &save))
		argv[argc++] = w;
	argv[argc] = NULL;
	rc = cmd_opts_parse(&cx, &verb, argc, argv, &v, &n, &err);
	if (rc == CMD_PARSED)
		rc = cmd_request_make(&v, &r, &err);
	if (rc < 0)
		stv_buf_addf(ret, "!%s", stv_err_msg(err));
	else
		show(&v, &r, ret);
	cr_expect(rc == 0 || cmd_exit_status(err) == CMD_USAGE);
	stv_err_free(err);
	cmd_request_fini(&r);
	cmd_opts_fini(cmd_build_opts, &v);
}

ParameterizedTestParameters(build_request, words_are_checked)
{
	static struct row rows[] = {
		{"", ""},
		{"--build-arg|A=1|--build-arg=B=x=y", "arg A=1 arg B=x=y "},
		{"--build-arg=A=1|--build-arg=A=2", "arg A=2 "},
		{"--build-arg=E=", "arg E= "},
		{"--build-arg=STAVE_TEST_SET", "arg STAVE_TEST_SET=yes "},
		{"--build-arg=STAVE_TEST_UNSET", ""},
		{"--build-arg==x", "!--build-arg: '=x' has no name"},
		{"--label=a=b c|--label=noequal",
		 "label a=b c label noequal= "},
		{"-tx|-t|docker.io/library/x:latest",
		 "tag docker.io/library/x:latest "},
		{"-t|Upper", "!--tag 'Upper'"},
		{"--target=a", "target a "},
		{"--target=a|-tx", "target a tag docker.io/library/x:latest "},
		{"--target=b|--target=a|--target=B", "target b target a "},
		{"-tx=a|-ty=b", "target a tag docker.io/library/x:latest "
				"target b tag docker.io/library/y:latest "},
		{"-ty=b|-tx", "last tag docker.io/library/x:latest "
			      "target b tag docker.io/library/y:latest "},
		{"--target=a|-tx=A",
		 "target a tag docker.io/library/x:latest "},
		{"--target=a|--target=b|-tx", "!--tag 'x' could be for each"},
		{"-tx=a|-tx=b", "!--tag 'x=b': another target has this name"},
		{"-tx=", "!--tag 'x=' names no stage"},
		{"--target=", ""},
		{"--target=|--target=b|-tx",
		 "target b tag docker.io/library/x:latest "},
		{"-tx=a|-ty=b|-o|out", "!--output to out could be the files"},
		{"-tx=a|-o|type=tar,target=c", "!--output: stage 'c' is no"},
		{"-tx=a|-ty=b|-o|type=oci,name=z",
		 "!--output: name= could be for each"},
		{"-o|a|-o|./a", "!more than one thing would be written to"},
		{"-o|type=tar|-o|type=oci", "!more than one thing would go"},
		{"-o|a|--iidfile=a", "!more than one thing would be written"},
		{"-o|a|-o|type=tar,dest=b", ""},
		{"-o|type=tar,rewrite-timestamp=1|"
		 "-o|type=oci,dest=x,rewrite-timestamp=0",
		 "!--output: rewrite-timestamp cannot be both"},
		{"--annotation=a=b|-o|type=oci,oci-mediatypes=0",
		 "!--annotation: docker's media types"},
		{"--build-arg=BUILDKIT_MULTI_PLATFORM=T",
		 "arg BUILDKIT_MULTI_PLATFORM=T of 1 "},
		{"--build-arg=BUILDKIT_MULTI_PLATFORM=f",
		 "arg BUILDKIT_MULTI_PLATFORM=f "},
		{"--build-arg=BUILDKIT_MULTI_PLATFORM=x",
		 "!BUILDKIT_MULTI_PLATFORM=x is neither true nor false"},
		{"--no-cache-filter=a,b|--no-cache-filter=c",
		 "stage a stage b stage c "},
		{"--platform=linux/arm64", "platform linux/arm64 "},
		{"--platform=linux/arm64,linux/amd64",
		 "platform linux/arm64 of 2 "},
		{"--platform=arm64,linux/arm64", "platform linux/arm64 "},
		{"--platform=arm64,,nonsense", "!'' is not a platform"},
		{"--network=none", "net none "},
		{"--network=default", ""},
		{"--network=bridge", "!--network: there is no mode 'bridge'"},
		{"--isolation=root", "rung root "},
		{"--isolation=chroot", "!--isolation=chroot is not supported"},
		{"--isolation=rootless", ""},
		{"--isolation=hyperv", "!--isolation: there is no 'hyperv'"},
		{"--shm-size=16m", "shm 16777216 "},
		{"--shm-size=big", "!--shm-size: 'big'"},
		{"--store-max=0", "max 0 "},
		{"-q", "ui 3 "},
		{"--progress=rawjson", "ui 6 "},
		{"--progress=fancy", "!there is no progress display 'fancy'"},
		{"-q|--progress=fancy",
		 "!there is no progress display 'fancy'"},
		{"-q|--progress=plain", "!--quiet and --progress=plain cannot"},
		{"-q|--progress=auto", "ui 3 "},
		{"-q|-o|-", "!more than one thing would go to standard"},
		{"-f|-", "file - "},
		{"--frobnicate", "!stave build: unknown option '--frobnicate'"},
		{"--secret=src=x", "!--secret 'src=x' cannot be read"},
		{"--secret=id=x,foo=y", "!--secret has no key 'foo'"},
		{"--secret=id=x,type=key", "!--secret: the type is file or"},
		{"--secret=\"id=x", "!--secret '\"id=x' cannot be read"},
		{"--ssh==x", "!--ssh '=x' has no name"},
		{"--allow=device", "!--allow device is not supported"},
		{"--allow=network.host", ""},
		{"--provenance=false|--sbom=false", ""},
		{"--provenance=mode=max",
		 "!stave build: --provenance is not supported"},
	};

	return cr_make_param_array(struct row, rows, STV_ARRAY_LEN(rows));
}

ParameterizedTest(struct row *r, build_request, words_are_checked)
{
	stv_auto_buf got = STV_BUF_INIT(4096);

	cr_assert_eq(setenv("STAVE_TEST_SET", "yes", 1), 0);
	cr_assert_eq(unsetenv("BUILDKIT_PROGRESS"), 0);
	cr_assert_eq(setenv("TERM", "dumb", 1), 0);
	request(r->words, &got);
	if (r->want[0] == '!')
		cr_expect_eq(
			strncmp(stv_buf_str(&got), r->want, strlen(r->want)), 0,
			"%s: %s", r->words, stv_buf_str(&got));
	else
		cr_expect_str_eq(stv_buf_str(&got), r->want, "%s: %s", r->words,
				 stv_buf_str(&got));
}

Test(build_request, the_environment_has_defaults)
{
	stv_auto_buf got = STV_BUF_INIT(4096);

	cr_assert_eq(setenv("TERM", "dumb", 1), 0);
	cr_assert_eq(setenv("BUILDKIT_PROGRESS", "json", 1), 0);
	cr_assert_eq(setenv("DOCKER_DEFAULT_PLATFORM", "linux/s390x", 1), 0);
	request("", &got);
	cr_expect_str_eq(stv_buf_str(&got), "platform linux/s390x ui 5 ");
}
