/*
 * core/oci.h - the documents of OCI image-spec 1.1 and Docker's schema 2.
 *
 * Parsing checks what we rely on (types, digests, sizes, C09 media-type
 * confusion, counts); writing is deterministic: the same value gives the same
 * bytes.
 */
#ifndef STAVE_CORE_OCI_H
#define STAVE_CORE_OCI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/cleanup.h"
#include "core/digest.h"
#include "core/strs.h"

struct stv_buf; /* core/buf.h */
struct stv_err; /* core/err.h */

#define OCI_MT_INDEX "application/vnd.oci.image.index.v1+json"
#define OCI_MT_MANIFEST "application/vnd.oci.image.manifest.v1+json"
#define OCI_MT_CONFIG "application/vnd.oci.image.config.v1+json"
#define OCI_MT_LAYER "application/vnd.oci.image.layer.v1.tar"
#define OCI_MT_LAYER_GZIP "application/vnd.oci.image.layer.v1.tar+gzip"
#define OCI_MT_LAYER_ZSTD "application/vnd.oci.image.layer.v1.tar+zstd"
#define DOCKER_MT_LIST                                                         \
	"application/vnd.docker.distribution.manifest.list.v2+json"
#define DOCKER_MT_MANIFEST                                                     \
	"application/vnd.docker.distribution.manifest.v2+json"
#define DOCKER_MT_CONFIG "application/vnd.docker.container.image.v1+json"
#define DOCKER_MT_LAYER "application/vnd.docker.image.rootfs.diff.tar"
#define DOCKER_MT_LAYER_GZIP "application/vnd.docker.image.rootfs.diff.tar.gzip"
#define DOCKER_MT_LAYER_ZSTD "application/vnd.docker.image.rootfs.diff.tar.zstd"
/* What these begin with; "+gzip", ".gzip" and so on may follow. */
#define OCI_MT_FOREIGN_LAYER                                                   \
	"application/vnd.oci.image.layer.nondistributable.v1.tar"
#define DOCKER_MT_FOREIGN_LAYER                                                \
	"application/vnd.docker.image.rootfs.foreign.diff.tar"

/* os/architecture[/variant]; NULL members are absent.  All owned. */
struct stv_platform {
	char *os;
	char *arch;
	char *variant;
	char *os_version;
	struct stv_strs os_features;
};

/* stv_platform_fini(p): free the members. */
void stv_platform_fini(struct stv_platform *p);

/* stv_platform_copy(dst, src): deep copy into zeroed ${dst}. */
void stv_platform_copy(struct stv_platform *dst,
		       const struct stv_platform *src);

/*
 * stv_platform_parse(s, ret, err): "linux/arm64/v8", "amd64", "linux"; names
 * are normalised as containerd's platforms package does (x86_64 -> amd64,
 * aarch64 -> arm64, arm64/v8 -> arm64, arm -> arm/v7).
 * Owns:   *ret's members, stv_platform_fini().
 * Errors: STV_E_USAGE.
 */
int stv_platform_parse(const char *s, struct stv_platform *ret,
		       struct stv_err **err);

/* stv_platform_host(ret): the platform that this program runs on. */
void stv_platform_host(struct stv_platform *ret);

/* stv_platform_str(p): "os/arch[/variant]".  Owns: the caller. */
char *stv_platform_str(const struct stv_platform *p);

/* stv_platform_match(want, have): does an image of ${have} serve ${want}? */
bool stv_platform_match(const struct stv_platform *want,
			const struct stv_platform *have);

/* name -> value, in the order of insertion; duplicates replace in place. */
struct stv_pairs {
	struct stv_pair {
		char *name;
		char *value;
	} * v;
	size_t len;
	size_t cap;
};

/* stv_pairs_set(p, name, value): add, or replace the value in place. */
void stv_pairs_set(struct stv_pairs *p, const char *name, const char *value);

/* stv_pairs_get(p, name): the value, or NULL.  Borrows. */
const char *stv_pairs_get(const struct stv_pairs *p, const char *name);

/* stv_pairs_clear(p): free everything. */
void stv_pairs_clear(struct stv_pairs *p);

/* A content descriptor. */
struct oci_descriptor {
	char *media_type;
	struct stv_digest digest;
	uint64_t size;
	struct stv_platform platform; /* in an index */
	bool has_platform;
	struct stv_pairs annotations;
	char *artifact_type; /* or NULL */
};

/* oci_descriptor_fini(d): free the members. */
void oci_descriptor_fini(struct oci_descriptor *d);

/* oci_descriptor_copy(dst, src): deep copy into zeroed ${dst}. */
void oci_descriptor_copy(struct oci_descriptor *dst,
			 const struct oci_descriptor *src);

/* An image manifest. */
struct oci_manifest {
	char *media_type; /* OCI_MT_MANIFEST or DOCKER_MT_MANIFEST */
	struct oci_descriptor config;
	struct oci_descriptor *layers;
	size_t n_layers;
	struct stv_pairs annotations;
};

/* An index or manifest list. */
struct oci_index {
	char *media_type;
	struct oci_descriptor *manifests;
	size_t n_manifests;
	struct stv_pairs annotations;
};

/*
 * oci_manifest_parse(text, len, media_type, ret, err): ${media_type} is what
 * was promised (Content-Type or descriptor), or NULL.  One with foreign layers
 * is refused (THREATS C01).
 * Owns: *ret, oci_manifest_free().
 * Errors: STV_E_PROTOCOL, STV_E_LIMIT, STV_E_DIGEST.
 */
int oci_manifest_parse(const char *text, size_t len, const char *media_type,
		       struct oci_manifest **ret, struct stv_err **err);

/* oci_manifest_write(m, ret): its canonical JSON, appended to ${ret}. */
void oci_manifest_write(const struct oci_manifest *m, struct stv_buf *ret);

/* oci_manifest_copy(src): a deep copy.  Owns: the caller. */
struct oci_manifest *oci_manifest_copy(const struct oci_manifest *src);

/* oci_manifest_free(m): NULL is ok. */
void oci_manifest_free(struct oci_manifest *m);

/* oci_index_parse(text, len, media_type, ret, err): as for manifests. */
int oci_index_parse(const char *text, size_t len, const char *media_type,
		    struct oci_index **ret, struct stv_err **err);

/* oci_index_write(x, ret): its canonical JSON, appended to ${ret}. */
void oci_index_write(const struct oci_index *x, struct stv_buf *ret);

/* oci_index_add(x): a new, zeroed descriptor at the end.  Borrows. */
struct oci_descriptor *oci_index_add(struct oci_index *x);

/*
 * oci_index_choose(x, want): the descriptor that serves ${want} best: of
 * several variants the newest; the first without a platform where none says
 * that it is for ${want}; or NULL.  Borrows.
 */
const struct oci_descriptor *oci_index_choose(const struct oci_index *x,
					      const struct stv_platform *want);

/*
 * oci_is_attachment(d): does it stand in an index beside the images, as
 * BuildKit's attestations do (platform unknown/unknown)?
 */
bool oci_is_attachment(const struct oci_descriptor *d);

/* oci_index_free(x): NULL is ok. */
void oci_index_free(struct oci_index *x);

/*
 * oci_is_index(text, len): is this document an index (1), a manifest (0) or
 * neither (-1)?  Both "manifests" and "layers" present is -1 (THREATS C09).
 */
int oci_is_index(const char *text, size_t len);

/* What a document names: a manifest of an index, a blob of a manifest. */
struct oci_part {
	struct oci_descriptor d;
	bool is_foreign; /* a nondistributable layer that lies at its URLs */
};

struct oci_parts {
	char *media_type; /* of the document */
	bool is_index;	  /* the parts are manifests */
	struct oci_part *v;
	size_t n;
};

/*
 * oci_parts_parse(text, len, media_type, ret, err): what a manifest or index
 * of any media type names, for what handles it whole: "manifests"; or
 * "config", "layers" and (artifacts before OCI 1.1) "blobs".  ${media_type} is
 * what was promised, or NULL.  What a manifest says itself is its subject is no
 * part of it.
 * Owns:   *ret, oci_parts_fini(); empty after a failure.
 * Errors: STV_E_PROTOCOL, STV_E_LIMIT, STV_E_DIGEST.
 */
int oci_parts_parse(const char *text, size_t len, const char *media_type,
		    struct oci_parts *ret, struct stv_err **err);

/* oci_parts_fini(p): free the members; ${p} is all zero afterwards. */
void oci_parts_fini(struct oci_parts *p);

/* oci_is_manifest_type(type): one of the four that registries all know? */
bool oci_is_manifest_type(const char *type);

/* HEALTHCHECK; durations in nanoseconds, 0 = inherit. */
struct oci_healthcheck {
	struct stv_strs test;
	int64_t interval_ns;
	int64_t timeout_ns;
	int64_t start_period_ns;
	int64_t start_interval_ns;
	uint64_t retries;
};

/*
 * The "config" member of an image config: what a container starts with.
 * A list with is_... false is absent, which differs from empty.
 */
struct oci_runconfig {
	char *user;
	char *working_dir;
	char *stop_signal;
	struct stv_strs env;
	struct stv_strs entrypoint;
	struct stv_strs cmd;
	struct stv_strs shell;
	struct stv_strs on_build;
	struct stv_strs exposed_ports; /* "80/tcp", sorted, unique */
	struct stv_strs volumes;       /* sorted, unique */
	struct stv_pairs labels;       /* written sorted by name */
	bool has_entrypoint;
	bool has_cmd;
	bool has_shell;
	bool args_escaped;
	bool has_healthcheck;
	struct oci_healthcheck healthcheck;
};

/* oci_runconfig_fini(c): free the members. */
void oci_runconfig_fini(struct oci_runconfig *c);

/* oci_runconfig_copy(dst, src): deep copy into zeroed ${dst}. */
void oci_runconfig_copy(struct oci_runconfig *dst,
			const struct oci_runconfig *src);

/* One line of an image's history. */
struct oci_history {
	char *created; /* RFC 3339, or NULL */
	char *created_by;
	char *author;
	char *comment;
	bool is_empty_layer;
};

/* An image config. */
struct oci_config {
	char *created; /* RFC 3339, or NULL */
	char *author;
	struct stv_platform platform;
	struct oci_runconfig config;
	struct stv_digest *diff_ids;
	size_t n_diff_ids;
	struct oci_history *history;
	size_t n_history;
};

/*
 * oci_config_parse(text, len, ret, err): members that we do not know are
 * dropped (the received bytes are kept in the store).
 * Owns: *ret, oci_config_free().
 * Errors: STV_E_PROTOCOL, STV_E_LIMIT, STV_E_DIGEST.
 */
int oci_config_parse(const char *text, size_t len, struct oci_config **ret,
		     struct stv_err **err);

/* oci_config_write(c, ret): its canonical JSON, appended to ${ret}. */
void oci_config_write(const struct oci_config *c, struct stv_buf *ret);

/*
 * oci_runconfig_write(c, ret): the "config" member alone; equal text means an
 * equal configuration, for cache records.
 */
void oci_runconfig_write(const struct oci_runconfig *c, struct stv_buf *ret);

/* oci_config_copy(src): a deep copy.  Owns: the caller. */
struct oci_config *oci_config_copy(const struct oci_config *src);

/* oci_config_add_diff_id(c, d): append a layer. */
void oci_config_add_diff_id(struct oci_config *c, const struct stv_digest *d);

/* oci_config_add_history(c): a new, zeroed line at the end.  Borrows. */
struct oci_history *oci_config_add_history(struct oci_config *c);

/* oci_config_free(c): NULL is ok. */
void oci_config_free(struct oci_config *c);

/*
 * oci_chain_id(parent, diff_id): the chain ID of ${diff_id} upon ${parent}
 * (NULL at the bottom): image-spec config.md "Layer ChainID".
 */
struct stv_digest oci_chain_id(const struct stv_digest *parent,
			       const struct stv_digest *diff_id);

/*
 * oci_time(seconds, ns): RFC 3339 in UTC as Go prints it (no trailing zeros in
 * the fraction).  Owns: the caller.
 */
char *oci_time(int64_t seconds, uint32_t ns);

#define oci_auto_parts STV_CLEANUP(oci_parts_fini) struct oci_parts

STV_DEFINE_CLEANUP(oci_manifest, oci_manifest_free);
STV_DEFINE_CLEANUP(oci_index, oci_index_free);
STV_DEFINE_CLEANUP(oci_config, oci_config_free);

#endif /* STAVE_CORE_OCI_H */
