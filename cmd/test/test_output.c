/* cmd/test/test_output.c - one --output, and annotations. */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <stdio.h>
#include <string.h>

#include "core/buf.h"
#include "core/cleanup.h"
#include "core/err.h"

#include "cmd/annotation.h"
#include "cmd/output.h"

/* What is typed, and the value as text; "!part" of the error, or of a hint. */
struct row {
	char text[96];
	char want[96];
};

static void
show_pairs(const char *what, const struct stv_pairs *p, struct stv_buf *ret)
{
	for (size_t i = 0; i < p->len; i++)
		stv_buf_addf(ret, " %s %s=%s", what, p->v[i].name,
			     p->v[i].value);
}

static void
show(const struct cmd_output *o, struct stv_buf *ret)
{
	static const char *const types[] = {"image",	"oci",	 "docker",
					    "tar",	"local", "cache",
					    "registry", "engine"};

	stv_buf_addf(ret, "%s %s", types[o->type],
		     o->dest != NULL ? o->dest : "(none)");
	if (o->target != NULL)
		stv_buf_addf(ret, " of %s", o->target);
	for (size_t i = 0; i < o->names.len; i++)
		stv_buf_addf(ret, " name %s", o->names.v[i]);
	if (o->has_compression || o->compression.level != 0)
		stv_buf_addf(ret, " %s %d",
			     stv_codec_name(o->compression.codec),
			     o->compression.level);
	if (o->is_forced)
		stv_buf_adds(ret, " force");
	if (o->is_dir)
		stv_buf_adds(ret, " dir");
	if (o->split != CMD_UNSET)
		stv_buf_addf(ret, " split %d", (int)o->split);
	if (o->rewrite_timestamp != CMD_UNSET)
		stv_buf_addf(ret, " rewrite %d", (int)o->rewrite_timestamp);
	if (cmd_output_has_docker_types(o))
		stv_buf_adds(ret, " dockertypes");
	if (o->is_pushed)
		stv_buf_adds(ret, " push");
	if (o->is_by_digest)
		stv_buf_adds(ret, " digest");
	show_pairs("m", &o->annotations.manifest, ret);
	show_pairs("d", &o->annotations.descriptor, ret);
}

/* The refusal's message and hint hold what follows "!". */
static void
check_refusal(const char *text, const char *want, const struct stv_err *err)
{
	stv_auto_buf said = STV_BUF_INIT(4096);

	cr_assert_not_null(err, "%s is taken", text);
	cr_expect_eq(stv_err_code(err), STV_E_USAGE);
	stv_buf_addf(&said, "%s / %s", stv_err_msg(err),
		     stv_err_get_hint(err) != NULL ? stv_err_get_hint(err)
						   : "");
	cr_expect(*want == '!' && strstr(stv_buf_str(&said), want + 1) != NULL,
		  "%s: %s", text, stv_buf_str(&said));
}

ParameterizedTestParameters(output, fields)
{
	static struct row rows[] = {
		{"type=oci,dest=x.tar", "oci x.tar"},
		{"type=docker,dest=x.tar", "docker x.tar dockertypes"},
		{"type=registry", "registry (none) push"},
		{"type=registry,compression=zstd,oci-mediatypes=true",
		 "registry (none) zstd 0 push"},
		{"type=registry,oci-mediatypes=false",
		 "registry (none) dockertypes push"},
		{"type=image,push=true,push-by-digest=true,name-canonical=1",
		 "image (none) push digest"},
		{"type=docker", "engine (none)"},
		{"type=image", "image (none)"},
		{"type=cacheonly", "cache (none)"},
		{"type=tar", "tar -"},
		{"type=oci,dest=-", "oci -"},
		{"-", "tar -"},
		{"out/dir", "local out/dir"},
		{"type=local,dest=out", "local out"},
		{"\"dest=a,b\",type=tar", "tar a,b"},
		{" Type=oci,DEST=x.tar", "oci x.tar"},
		{"type=oci,dest=x,tar=false", "oci x dir"},
		{"type=oci,dest=x,tar=1", "oci x"},
		{"type=oci,compression=zstd,dest=x", "oci x zstd 0"},
		{"type=oci,compression-level=9,dest=x", "oci x gzip 9"},
		{"compression-level=22,compression=zstd,type=oci",
		 "oci - zstd 22"},
		{"type=oci,compression=none", "oci - plain 0"},
		{"type=oci,compression=uncompressed", "oci - plain 0"},
		{"type=oci,force-compression=true", "oci - force"},
		{"type=oci,force-compression", "!is not NAME=VALUE"},
		{"type=docker,compression=zstd,dest=x", "docker x zstd 0"},
		{"type=docker,oci-mediatypes=true,dest=x", "docker x"},
		{"type=oci,oci-mediatypes=0", "oci - dockertypes"},
		{"type=tar,rewrite-timestamp=false", "tar - rewrite 1"},
		{"type=oci,rewrite-timestamp=true", "oci - rewrite 2"},
		{"type=local,dest=x,platform-split=false", "local x split 1"},
		{"type=local,dest=x,platform-split=true", "local x split 2"},
		{"type=image,push=false", "image (none)"},
		{"type=oci,target=one", "oci - of one"},
		{"type=oci,\"name=a,b:2\"",
		 "oci - name docker.io/library/a:latest name "
		 "docker.io/library/b:2"},
		{"type=oci,annotation.A.b=c", "oci - m A.b=c"},
		{"type=oci,annotation-manifest.a=b", "oci - m a=b"},
		{"type=oci,annotation-manifest-descriptor.a=b", "oci - d a=b"},
		{"type=oci,annotation-manifest[linux/amd64].a=b",
		 "oci - m a=b"},
		{"type=docker,annotation.a=b,dest=x", "docker x m a=b"},
	};

	return cr_make_param_array(struct row, rows, STV_ARRAY_LEN(rows));
}

static struct stv_platform amd64 = {.os = (char[]){"linux"},
				    .arch = (char[]){"amd64"}};

ParameterizedTest(struct row *r, output, fields)
{
	stv_auto_buf got = STV_BUF_INIT(4096);
	struct stv_err *err = NULL;
	struct cmd_output o;

	if (cmd_output_parse(r->text, &amd64, &o, &err) < 0) {
		check_refusal(r->text, r->want, err);
	} else {
		show(&o, &got);
		cr_expect_str_eq(stv_buf_str(&got), r->want, "%s: %s", r->text,
				 stv_buf_str(&got));
	}
	cmd_output_fini(&o);
	stv_err_free(err);
}

ParameterizedTestParameters(output, refusals)
{
	static struct row rows[] = {
		{"", "!--output is empty"},
		{"type=local", "!needs a directory"},
		{"type=local,dest=-", "!needs a directory"},
		{"type=oci,tar=false", "!type=oci,tar=false needs a directory"},
		{"type=image,dest=x", "!type=image has no option 'dest'"},
		{"type=zip,dest=x", "!there is no type 'zip'"},
		{"dest=x", "!needs a type="},
		{"type=tar,dest=", "!dest= is empty"},
		{"type=oci,dst=x", "!Did you mean 'dest'?"},
		{"\"type=tar", "!a quote in"},
		{"type=docker,dest=x,tar=false", "!docker loads a tar only"},
		{"type=oci,compression=estargz", "!Choose gzip, zstd or none"},
		{"type=oci,compression=lzma", "!compression=lzma"},
		{"type=oci,compression-level=0", "!compression-level=0"},
		{"type=oci,compression-level=x", "!compression-level=x"},
		{"type=oci,compression-level=10", "!above gzip's 9"},
		{"type=oci,compression=zstd,compression-level=23",
		 "!above zstd's 22"},
		{"type=oci,compression=none,compression-level=1",
		 "!has no compression-level"},
		{"type=tar,compression=gzip", "!Other types have it"},
		{"type=image,compression=gzip", "!Add push=true"},
		{"type=image,push-by-digest=true", "!Add push=true"},
		{"type=registry,push=false", "!write type=image"},
		{"type=registry,dest=x", "!Other types have it"},
		{"type=registry,name-canonical=true", "!push-by-digest=true"},
		{"type=docker,compression=gzip", "!Write dest=FILE"},
		{"type=docker,annotation.a=b", "!Write dest=FILE"},
		{"type=docker,oci-mediatypes=true", "!Write dest=FILE"},
		{"type=local,dest=x,platform-split=perhaps",
		 "!Write true or false"},
		{"type=oci,tar=perhaps", "!Write true or false"},
		{"type=oci,name=Bad Name", "!name=Bad Name"},
		{"type=oci,oci-mediatypes=false,compression=zstd",
		 "!neither zstd nor"},
		{"type=oci,annotation-index.a=b", "!has no index"},
		{"type=oci,annotation-manifest[linux/arm64].a=b",
		 "!not built for platform linux/arm64"},
		{"type=oci,annotation-frob.a=b", "!no annotation type 'frob'"},
		{"type=oci,annotation.=b", "!there is no key"},
		{"type=oci,annotation=b", "!has no option 'annotation'"},
		{"type=tar,annotation.a=b", "!Write --annotation"},
		{"type=cacheonly,dest=x", "!has no option 'dest'"},
	};

	return cr_make_param_array(struct row, rows, STV_ARRAY_LEN(rows));
}

ParameterizedTest(struct row *r, output, refusals)
{
	struct stv_err *err = NULL;
	struct cmd_output o;

	cr_expect_eq(cmd_output_parse(r->text, &amd64, &o, &err), -1, "%s",
		     r->text);
	check_refusal(r->text, r->want, err);
	cmd_output_fini(&o);
	stv_err_free(err);
}

ParameterizedTestParameters(annotation, places)
{
	static struct row rows[] = {
		{"a=b", " m a=b"},
		{"a=", " m a="},
		{"a=b:c=d", " m a=b:c=d"},
		{"manifest:a=b", " m a=b"},
		{"manifest-descriptor:a=b", " d a=b"},
		{"manifest,manifest-descriptor:a=b", " m a=b d a=b"},
		{"manifest[linux/amd64]:a=b", " m a=b"},
		{"manifest[linux/s390x]:a=b", "!not built for platform"},
		{"manifest[linux/amd64:a=b", "!lacks its ']'"},
		{"index:a=b", "!has no index"},
		{"manifest,index:a=b", "!has no index"},
		{"index-descriptor:a=b", "!has no index"},
		{"frob:a=b", "!no annotation type 'frob'"},
		{"a", "!has no value"},
		{"=b", "!there is no key"},
		{"manifest:=b", "!there is no key"},
	};

	return cr_make_param_array(struct row, rows, STV_ARRAY_LEN(rows));
}

ParameterizedTest(struct row *r, annotation, places)
{
	stv_auto_buf got = STV_BUF_INIT(4096);
	struct cmd_annotations a = {0};
	struct stv_err *err = NULL;

	if (cmd_annotation_parse(r->text, &amd64, &a, &err) < 0) {
		check_refusal(r->text, r->want, err);
	} else {
		show_pairs("m", &a.manifest, &got);
		show_pairs("d", &a.descriptor, &got);
		cr_expect_str_eq(stv_buf_str(&got), r->want, "%s: %s", r->text,
				 stv_buf_str(&got));
	}
	cmd_annotations_fini(&a);
	stv_err_free(err);
}

Test(annotation, of_several_platforms_the_index_too)
{
	struct cmd_annotations a = {0};
	struct stv_err *err = NULL;

	cr_assert_eq(cmd_annotation_parse("index,index-descriptor:a=b", NULL,
					  &a, &err),
		     0);
	cr_expect_str_eq(stv_pairs_get(&a.index, "a"), "b");
	cr_expect_str_eq(stv_pairs_get(&a.index_descriptor, "a"), "b");
	cr_expect_eq(a.manifest.len, 0);
	cr_assert_eq(cmd_annotation_parse("manifest[linux/arm64]:a=b", NULL, &a,
					  &err),
		     -1);
	check_refusal("manifest[linux/arm64]:a=b", "!cannot be annotated alone",
		      err);
	stv_err_free(err);
	cmd_annotations_fini(&a);
}
