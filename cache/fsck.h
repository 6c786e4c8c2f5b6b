/* cache/fsck.h - proving that the store is what it says (promise P6). */
#ifndef STAVE_CACHE_FSCK_H
#define STAVE_CACHE_FSCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cas_store;    /* cache/store.h */
struct stv_err;	     /* core/err.h */
struct stv_listener; /* core/event.h */

enum cas_finding_kind {
	CAS_FSCK_DAMAGED,  /* bytes are not what their name says */
	CAS_FSCK_MISSING,  /* something is named that is not there */
	CAS_FSCK_DANGLING, /* a row that nothing can come of */
	CAS_FSCK_DERIVED,  /* derived data that is wrong; made again anyway */
	CAS_FSCK_STRANGE   /* a file that does not belong there */
};

/* One thing that is wrong; the strings live for the call. */
struct cas_finding {
	enum cas_finding_kind kind;
	const char *what; /* "blob sha256:...", "tag docker.io/..." */
	const char *text; /* one line for people */
	bool is_repaired; /* with is_repair: it is gone now */
};

struct cas_fsck_opts {
	/*
	 * Drop derived data, rows that name nothing, and cached layers that
	 * are damaged and in no image.  What an image needs is never touched.
	 */
	bool is_repair;
	/* Compressed layers are decompressed and their diff IDs checked. */
	bool is_thorough;
	unsigned int wait_ms; /* with is_repair: for builds to end */
	void (*on_finding)(void *arg, const struct cas_finding *f);
	void *arg;
};

struct cas_fsck_result {
	uint64_t n_blobs;
	uint64_t n_bytes; /* that were read and hashed */
	uint64_t n_layers;
	uint64_t n_images;
	uint64_t n_records;
	uint64_t n_snapshots;
	uint64_t n_findings;
	uint64_t n_repaired;
};

/*
 * cas_fsck(s, opts, ret, err): check everything.  Without is_repair it holds
 * a lease and runs beside builds.
 * Returns: 0 with *ret (findings are no error), or 1 where is_repair found
 * builds running all the time.
 * Errors:  STV_E_IO where something could not be read at all.
 */
int cas_fsck(struct cas_store *s, const struct cas_fsck_opts *opts,
	     struct cas_fsck_result *ret, struct stv_err **err);

#endif /* STAVE_CACHE_FSCK_H */
