/*
 * cache/load_stage.h - the files of an image archive, read in whatever order
 * they come, and found by name afterwards.
 *
 * A layer is taken into the store while it passes (its blob is named by its
 * own bytes, so that nothing is visible by it); a document is kept in memory.
 */
#ifndef STAVE_CACHE_LOAD_STAGE_H
#define STAVE_CACHE_LOAD_STAGE_H

#include <stddef.h>
#include <stdint.h>

#include "core/buf.h"
#include "core/digest.h"
#include "core/vec.h"

struct cas_store;    /* cache/store.h */
struct stv_err;	     /* core/err.h */
struct stv_in;	     /* core/stream.h */
struct stv_platform; /* core/oci.h */

enum load_kind {
	LOAD_DOC,   /* text */
	LOAD_LAYER, /* blob, blob_size, diff_id, tar_size */
	LOAD_OTHER, /* blob, blob_size: neither; stored if it is a blob */
	LOAD_LINK   /* target: the name of another file of the archive */
};

struct load_file {
	char *name; /* cleaned: no leading "./", no "..", no double slash */
	enum load_kind kind;
	struct stv_digest blob; /* of a document too */
	uint64_t blob_size;
	struct stv_digest diff_id;
	uint64_t tar_size;
	const char *media_type; /* of a layer, by its compression */
	struct stv_buf text;
	char *target;
};

struct load_stage {
	STV_VEC(struct load_file) files; /* sorted by name */
	size_t docs_size;		 /* bytes of all documents */
};

/*
 * cas_stage_read(s, in, ret, err): read the whole archive.
 * Owns:   *ret, cas_stage_fini(), also on failure.
 * Errors: STV_E_INPUT, STV_E_LIMIT, STV_E_DIGEST (a file below blobs/sha256/
 *         is not what its name says), STV_E_IO.
 */
int cas_stage_read(struct cas_store *s, struct stv_in *in,
		   struct load_stage *ret, struct stv_err **err);

/*
 * cas_stage_layout(s, dirfd, want, platform, ret, err): the same for the parts
 * of the image ${want} in the OCI layout that the directory ${dirfd} is; of an
 * index only what is for ${platform}.  Links are not followed.
 */
int cas_stage_layout(struct cas_store *s, int dirfd,
		     const struct stv_digest *want,
		     const struct stv_platform *platform,
		     struct load_stage *ret, struct stv_err **err);

/*
 * cas_stage_take(s, st, name, in, err): add the file ${name} with the bytes of
 * ${in}.  Takes: ${name}.  cas_stage_sort(st, err) comes behind the last one.
 */
int cas_stage_take(struct cas_store *s, struct load_stage *st, char *name,
		   struct stv_in *in, struct stv_err **err);
int cas_stage_sort(struct load_stage *st, struct stv_err **err);

/*
 * cas_stage_find(st, name): the file, links followed, or NULL.  Borrows.
 */
const struct load_file *cas_stage_find(const struct load_stage *st,
				       const char *name);

/* cas_stage_blob(st, d): blobs/sha256/<d>, or NULL.  Borrows. */
const struct load_file *cas_stage_blob(const struct load_stage *st,
				       const struct stv_digest *d);

/* cas_stage_fini(st): free the members. */
void cas_stage_fini(struct load_stage *st);

#endif /* STAVE_CACHE_LOAD_STAGE_H */
