/*
 * cache/key.h - cache keys: the digest of named, length-prefixed fields.
 *
 *	struct key *k = key_new("stave-key/1");
 *	key_add_str(k, "instruction", "RUN make");
 *	key_add_digest(k, "context", &d);
 *	key_end(k, &digest, &preimage);
 *	key_free(k);
 *
 * The bytes that are hashed (the preimage) are kept beside the record, so
 * that a miss can be explained field by field.  Every field is framed by the
 * lengths of its name and its value: no two different lists of fields have
 * the same preimage (THREATS D14).
 */
#ifndef STAVE_CACHE_KEY_H
#define STAVE_CACHE_KEY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/cleanup.h"

struct stv_buf;	   /* core/buf.h */
struct stv_digest; /* core/digest.h */
struct key;

/*
 * key_new(version): a key without fields.  ${version} says by which rules the
 * fields are chosen: changed rules need a new one.  Owns: key_free().
 */
struct key *key_new(const char *version);

/* key_add(k, field, p, n): append a field; the same name may come often. */
void key_add(struct key *k, const char *field, const void *p, size_t n);

/* key_add_str(k, field, s): a string; NULL differs from "". */
void key_add_str(struct key *k, const char *field, const char *s);

/* key_add_u64(k, field, v): a number, as decimal digits. */
void key_add_u64(struct key *k, const char *field, uint64_t v);

/* key_add_bool(k, field, v): "true" or "false". */
void key_add_bool(struct key *k, const char *field, bool v);

/* key_add_digest(k, field, d): a digest, as "sha256:<hex>". */
void key_add_digest(struct key *k, const char *field,
		    const struct stv_digest *d);

/*
 * key_end(k, ret, ret_preimage): the key of the fields so far.  The preimage
 * is appended to ${ret_preimage}, which may be NULL.  More may be added, and
 * key_end() be called again.
 */
void key_end(const struct key *k, struct stv_digest *ret,
	     struct stv_buf *ret_preimage);

/* key_free(k): NULL is ok. */
void key_free(struct key *k);

/* A field of a preimage; neither string ends with a NUL.  Borrows. */
struct key_field {
	const char *name; /* "" is the version */
	size_t name_len;
	const char *value;
	size_t len;
};

/* A preimage being read: key_reader(p, n), then key_next() until it is over. */
struct key_reader {
	const uint8_t *p;
	size_t n;
	bool is_bad; /* it does not fit its own lengths */
};

/* key_reader(p, n): the fields of a preimage.  Borrows: ${p}. */
struct key_reader key_reader(const void *p, size_t n);

/* key_next(r, f): the next field, or false at the end and where it is bad. */
bool key_next(struct key_reader *r, struct key_field *f);

/* key_is_named(f, name): is that the field's name? */
bool key_is_named(const struct key_field *f, const char *name);

/* The first field in which two preimages differ; all strings owned. */
struct key_diff {
	char *field;
	char *old_value; /* escaped and cut for a message; NULL: not there */
	char *new_value;
};

/*
 * key_explain(old, n_old, now, n_now, ret): the first difference.
 * Returns: 1 and *ret, or 0 where there is none.  A preimage that is damaged
 * differs in the field "format".
 */
int key_explain(const void *old, size_t n_old, const void *now, size_t n_now,
		struct key_diff *ret);

/* key_diff_fini(d): free the members. */
void key_diff_fini(struct key_diff *d);

STV_DEFINE_CLEANUP(key, key_free);

#endif /* STAVE_CACHE_KEY_H */
