/*
 * registry/ref.h - image references: what "ubuntu" and "host:5000/a/b:c" name.
 *
 * The grammar is that of docker's reference package: an optional domain, a
 * path, an optional tag and an optional digest.  "ubuntu" is short for
 * "docker.io/library/ubuntu:latest".  Nothing else gets into a URL or a path
 * of the store (THREATS C14): no upper case in a path, no "..", no percent.
 */
#ifndef STAVE_REGISTRY_REF_H
#define STAVE_REGISTRY_REF_H

#include <stdbool.h>

#include "core/cleanup.h"
#include "core/digest.h"

struct stv_err; /* core/err.h */

#define REG_DEFAULT_DOMAIN "docker.io"
#define REG_DEFAULT_TAG "latest"

/* A parsed reference.  The strings belong to it. */
struct reg_ref {
	char *domain; /* "docker.io", "localhost:5000", "[::1]:5000" */
	char *path;   /* "library/ubuntu" */
	char *tag;    /* NULL where there is a digest and no tag */
	bool has_digest;
	struct stv_digest digest;
};

/*
 * reg_ref_parse(s, ret, err): a reference as people type it.  A missing domain
 * is docker.io, a missing "library/" there is added, a missing tag becomes
 * "latest" unless a digest is given.
 *
 * Owns:   *ret, reg_ref_fini().
 * Errors: STV_E_USAGE, with a hint where the mistake is a common one (upper
 *         case, "https://" in front, an image ID).
 * Limits: STV_MAX_REFERENCE bytes of name.
 */
int reg_ref_parse(const char *s, struct reg_ref *ret, struct stv_err **err);

/* reg_ref_fini(r): free the strings; ${r} is all zero afterwards. */
void reg_ref_fini(struct reg_ref *r);

/*
 * reg_ref_str(r): the normal form, "docker.io/library/ubuntu:latest", with
 * "@sha256:..." behind it where there is a digest.  Owns: the caller.
 */
char *reg_ref_str(const struct reg_ref *r);

/*
 * reg_ref_tagged(r): the normal form without digest, the name of a tag in the
 * store; NULL where there is no tag.  Owns: the caller.
 */
char *reg_ref_tagged(const struct reg_ref *r);

/*
 * reg_ref_familiar(r): the form people are shown, "ubuntu:latest".
 * Owns: the caller.
 */
char *reg_ref_familiar(const struct reg_ref *r);

/*
 * reg_ref_familiar_repo(r): the familiar form without tag and digest, the
 * column REPOSITORY of a list of images.  Owns: the caller.
 */
char *reg_ref_familiar_repo(const struct reg_ref *r);

#define reg_auto_ref STV_CLEANUP(reg_ref_fini) struct reg_ref

#endif /* STAVE_REGISTRY_REF_H */
