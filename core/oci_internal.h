/* core/oci_internal.h - what the core/oci*.c files share with each other. */
#ifndef STAVE_CORE_OCI_INTERNAL_H
#define STAVE_CORE_OCI_INTERNAL_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

struct oci_descriptor; /* core/oci.h */
struct stv_digest;     /* core/digest.h */
struct stv_err;	       /* core/err.h */
struct stv_pairs;      /* core/oci.h */
struct stv_platform;   /* core/oci.h */

/* Room for the path of a member in a message: "manifests[9999].platform". */
#define OCI_WHERE_MAX 64

/*
 * oci_get_dup(o, where, name, ret, err): a copy of a string member; NULL where
 * it is absent, null or empty (Go's omitempty makes no difference there).
 */
int oci_get_dup(const json_t *o, const char *where, const char *name,
		char **ret, struct stv_err **err);

/* oci_get_digest(o, where, name, ret, err): a member that must be a digest. */
int oci_get_digest(const json_t *o, const char *where, const char *name,
		   struct stv_digest *ret, struct stv_err **err);

/* oci_get_pairs(o, where, name, ret, err): an object of strings, appended. */
int oci_get_pairs(const json_t *o, const char *where, const char *name,
		  struct stv_pairs *ret, struct stv_err **err);

/* oci_get_platform(o, where, ret, err): os, architecture ... members of ${o}.
 */
int oci_get_platform(const json_t *o, const char *where,
		     struct stv_platform *ret, struct stv_err **err);

/* oci_get_descriptor(o, where, ret, err): ${o} itself as a descriptor. */
int oci_get_descriptor(const json_t *o, const char *where,
		       struct oci_descriptor *ret, struct stv_err **err);

/*
 * oci_set(o, name, v): add a member; bytes of ${name} that are no UTF-8 are
 * replaced.  Takes: ${v}.
 */
void oci_set(json_t *o, const char *name, json_t *v);

/* oci_set_str(o, name, s): add a string unless it is NULL or empty. */
void oci_set_str(json_t *o, const char *name, const char *s);

/* oci_set_pairs(o, name, p): add an object, sorted, unless it is empty. */
void oci_set_pairs(json_t *o, const char *name, const struct stv_pairs *p);

/* oci_descriptor_json(d): a new object.  Owns: the caller. */
json_t *oci_descriptor_json(const struct oci_descriptor *d);

/* oci_dup_or_null(s): a copy of ${s}, which may be NULL.  Owns: the caller. */
char *oci_dup_or_null(const char *s);

#endif /* STAVE_CORE_OCI_INTERNAL_H */
