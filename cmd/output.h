/* cmd/output.h - one --output of stave build. */
#ifndef STAVE_CMD_OUTPUT_H
#define STAVE_CMD_OUTPUT_H

#include <stdbool.h>

#include "core/codec.h"
#include "core/oci.h"
#include "core/strs.h"

#include "cmd/annotation.h"

struct stv_err; /* core/err.h */

enum cmd_output_type {
	CMD_OUTPUT_IMAGE, /* into the store: what happens without --output */
	CMD_OUTPUT_OCI,
	CMD_OUTPUT_DOCKER,
	CMD_OUTPUT_TAR,
	CMD_OUTPUT_LOCAL,
	CMD_OUTPUT_CACHE,    /* nothing: the build is for its cache */
	CMD_OUTPUT_REGISTRY, /* to its names' registries, and not the store */
	/* docker without a place: into its engine, and into the store */
	CMD_OUTPUT_ENGINE
};

/* A switch that may be left to its default. */
enum cmd_switch { CMD_UNSET, CMD_OFF, CMD_ON };

/* One --output.  All owned. */
struct cmd_output {
	enum cmd_output_type type;
	char *dest;   /* a path, "-" for stdout; NULL for those without one */
	char *target; /* the stage of which it is, or NULL */
	struct stv_strs names; /* name=, normal form: instead of --tag */
	struct cmd_annotations annotations;
	/* oci, docker, and what is pushed: */
	struct stv_compression compression;
	bool has_compression;  /* it was asked for */
	bool is_forced;	       /* force-compression */
	bool is_dir;	       /* oci, tar=false: a directory */
	bool is_pushed;	       /* registry, or image with push= */
	bool has_canonical;    /* name-canonical */
	bool is_by_digest;     /* push-by-digest: without a tag */
	enum cmd_switch split; /* tar, local: a directory for each platform */
	enum cmd_switch rewrite_timestamp;
	enum cmd_switch oci_types; /* oci-mediatypes */
};

/*
 * cmd_output_parse(s, platform, ret, err): "type=tar,dest=x.tar", "DIR"
 * (type=local), "-" (type=tar to stdout); fields as buildx reads them.
 * ${platform} is the image's, for annotations that name one; NULL: several.
 * Owns:   cmd_output_fini(ret), also after a failure.
 * Errors: STV_E_USAGE, naming the field and the way out.
 */
int cmd_output_parse(const char *s, const struct stv_platform *platform,
		     struct cmd_output *ret, struct stv_err **err);

/* cmd_output_load(ret): what --load means.  Owns: cmd_output_fini(ret). */
void cmd_output_load(struct cmd_output *ret);

/* cmd_output_fini(o): free the members. */
void cmd_output_fini(struct cmd_output *o);

/* cmd_output_needs_image(o): is it the image that is written, or its files? */
bool cmd_output_needs_image(const struct cmd_output *o);

/*
 * cmd_output_has_docker_types(o): docker's media types, or OCI's?  Annotations
 * and zstd are known to OCI's only.
 */
bool cmd_output_has_docker_types(const struct cmd_output *o);

#endif /* STAVE_CMD_OUTPUT_H */
