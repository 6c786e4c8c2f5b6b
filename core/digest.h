/* core/digest.h - content digests as values. */
#ifndef STAVE_CORE_DIGEST_H
#define STAVE_CORE_DIGEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/cleanup.h"

struct stv_err; /* core/err.h */

#define STV_SHA256_LEN 32
#define STV_SHA256_HEX_LEN 64
/* "sha256:" + 64 digits + NUL */
#define STV_DIGEST_STR_MAX 72

/*
 * A SHA-256 digest.  It is the only algorithm: a blob named by another one is
 * refused when the name is parsed (THREATS C06, C07).
 */
struct stv_digest {
	uint8_t bytes[STV_SHA256_LEN];
};

/* stv_digest_of(p, n): the digest of ${n} bytes. */
struct stv_digest stv_digest_of(const void *p, size_t n);

/* stv_digest_equal(a, b): same bytes? */
bool stv_digest_equal(const struct stv_digest *a, const struct stv_digest *b);

/* stv_digest_cmp(a, b): order for sorting, as memcmp. */
int stv_digest_cmp(const struct stv_digest *a, const struct stv_digest *b);

/* stv_digest_str(d, buf): "sha256:<hex>" in ${buf}, which is returned. */
const char *stv_digest_str(const struct stv_digest *d,
			   char buf[STV_DIGEST_STR_MAX]);

/* stv_digest_hex(d, buf): the 64 digits alone; ${buf} is returned. */
const char *stv_digest_hex(const struct stv_digest *d,
			   char buf[STV_DIGEST_STR_MAX]);

/*
 * stv_digest_parse(s, ret, err): strict "sha256:" and 64 lower-case digits.
 * Errors: STV_E_DIGEST.
 */
int stv_digest_parse(const char *s, struct stv_digest *ret,
		     struct stv_err **err);

/* stv_digest_parse_hex(s, n, ret): ${n} == 64 digits; 0, or -1 if not that. */
int stv_digest_parse_hex(const char *s, size_t n, struct stv_digest *ret);

/* A digest being computed. */
struct stv_hash;

/* stv_hash_new(): start.  Owns: the caller, stv_hash_free(). */
struct stv_hash *stv_hash_new(void);

/* stv_hash_add(h, p, n): feed ${n} bytes. */
void stv_hash_add(struct stv_hash *h, const void *p, size_t n);

/*
 * stv_hash_add_field(h, p, n): feed the length as 8 little-endian bytes and
 * then the bytes, so that no two lists of fields hash alike (THREATS D14).
 */
void stv_hash_add_field(struct stv_hash *h, const void *p, size_t n);

/* stv_hash_end(h): the digest; ${h} is started anew. */
struct stv_digest stv_hash_end(struct stv_hash *h);

/* stv_hash_free(h): NULL is ok. */
void stv_hash_free(struct stv_hash *h);

STV_DEFINE_CLEANUP(stv_hash, stv_hash_free);

#endif /* STAVE_CORE_DIGEST_H */
