/*
 * builder/cache_doc.h - cache records on their way between machines: the
 * document that a cache reference holds.
 *
 * It is JSON (BLD_CACHE_MT), the config of an OCI image manifest whose
 * layers are the blobs that it names.  docs/cache.md has the format and its
 * rules.  A document says nothing about the inputs of a step but the digest of
 * them all, which is the record's key.
 */
#ifndef STAVE_BUILDER_CACHE_DOC_H
#define STAVE_BUILDER_CACHE_DOC_H

#include <stddef.h>

#include "core/digest.h"
#include "core/oci.h"
#include "core/strs.h"
#include "core/vec.h"

#include "cache/meta.h"

struct stv_buf; /* core/buf.h */
struct stv_err; /* core/err.h */

#define BLD_CACHE_MT "application/vnd.stave.cache.v1+json"

/* The annotation of an image's manifest that holds a document (inline). */
#define BLD_CACHE_ANNOTATION "dev.stave.cache.v1"

/* More than these are not kept: those that were used longest ago go. */
#define BLD_CACHE_MAX_RECORDS ((size_t)4096)
#define BLD_CACHE_MAX_ANSWERS ((size_t)4096)
#define BLD_CACHE_MAX_LAYERS ((size_t)2048)
#define BLD_CACHE_MAX_MERGED ((size_t)4096)

/* In which blob a layer can be had. */
struct bld_cache_layer {
	struct stv_digest diff_id;
	struct oci_descriptor blob;
};

/*
 * What somebody found out about a chain of layers, so that a step's key can be
 * known without them: the digest of what a COPY --from takes, the user that a
 * --chown names.
 */
struct bld_cache_answer {
	struct stv_digest question;
	char text[STV_DIGEST_STR_MAX];
};

/* What lies in a document; the most recently used first. */
struct bld_cache_doc {
	STV_VEC(struct cas_record) records;
	STV_VEC(struct bld_cache_layer) layers;
	STV_VEC(struct bld_cache_answer) answers;
	/* The tags of exports whose content is in this document. */
	struct stv_strs merged;
};

/*
 * bld_cache_doc_parse(text, n, ret, err): nothing in it is believed beyond its
 * form.  Owns: *ret, bld_cache_doc_fini(), also after a failure.
 * Errors: STV_E_PROTOCOL, STV_E_DIGEST, STV_E_LIMIT.
 */
int bld_cache_doc_parse(const char *text, size_t n, struct bld_cache_doc *ret,
			struct stv_err **err);

/* bld_cache_doc_write(d, ret): its JSON; equal documents give equal bytes. */
void bld_cache_doc_write(const struct bld_cache_doc *d, struct stv_buf *ret);

/* bld_cache_doc_fini(d): free the members. */
void bld_cache_doc_fini(struct bld_cache_doc *d);

/*
 * bld_cache_doc_merge(dst, src): append what ${dst} does not have: records by
 * key and parent, layers by diff ID, answers by question, names of exports.
 */
void bld_cache_doc_merge(struct bld_cache_doc *dst,
			 const struct bld_cache_doc *src);

/*
 * bld_cache_doc_subtract(d, known): take away what ${known} has too.  A layer
 * stays that a record which stays needs.
 */
void bld_cache_doc_subtract(struct bld_cache_doc *d,
			    const struct bld_cache_doc *known);

/*
 * bld_cache_doc_trim(d): keep to the limits above; layers that no record needs
 * go too.
 */
void bld_cache_doc_trim(struct bld_cache_doc *d);

/* bld_cache_doc_layer(d, diff_id): where it can be had, or NULL.  Borrows. */
const struct bld_cache_layer *
bld_cache_doc_layer(const struct bld_cache_doc *d,
		    const struct stv_digest *diff_id);

/*
 * bld_cache_doc_manifest(d, config, ret): the manifest of a document whose
 * config blob is ${config}.  Owns: the text is appended to ${ret}.
 */
void bld_cache_doc_manifest(const struct bld_cache_doc *d,
			    const struct oci_descriptor *config,
			    struct stv_buf *ret);

#endif /* STAVE_BUILDER_CACHE_DOC_H */
