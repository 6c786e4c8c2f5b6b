/*
 * registry/client.h - manifests and blobs of registries (OCI distribution
 * specification 1.1), and of docker's before it.
 *
 * Nothing that comes is trusted: a manifest has the digest that was asked for,
 * a blob digest and size of its descriptor, or the reader gets an error.
 * Threads: any number may use one client at the same time.
 */
#ifndef STAVE_REGISTRY_CLIENT_H
#define STAVE_REGISTRY_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/cleanup.h"
#include "core/digest.h"

struct reg_conf;  /* registry/conf.h */
struct reg_creds; /* registry/creds.h */
struct reg_ref;	  /* registry/ref.h */
struct stv_err;	  /* core/err.h */
struct stv_in;	  /* core/stream.h */
struct stv_strs;  /* core/strs.h */

struct reg_client; /* opaque */

struct reg_client_opts {
	/* As in struct reg_http_opts. */
	bool (*is_cancelled)(void *arg);
	/* As in struct reg_host_opts; NULL: there are no credentials. */
	int (*creds)(void *arg, const char *domain, const char *path,
		     struct reg_creds *ret, struct stv_err **err);
	void *arg;
	const struct reg_conf *conf;
	bool must_login; /* nothing goes on without the credentials */
};

/*
 * reg_client_open(o, ret, err): libcurl is loaded, nothing is sent.
 * Owns: *ret, reg_client_close().  Borrows: o->arg, o->conf.  Errors:
 * STV_E_NET.
 */
int reg_client_open(const struct reg_client_opts *o, struct reg_client **ret,
		    struct stv_err **err);

/* reg_client_close(c): erase what is secret.  NULL is ok. */
void reg_client_close(struct reg_client *c);

/*
 * reg_client_ping(c, ref, err): does the registry of ${ref} know us?  Its
 * repository is not looked at.  Errors: those of reg_host_do(); STV_E_AUTH.
 */
int reg_client_ping(struct reg_client *c, const struct reg_ref *ref,
		    struct stv_err **err);

/* A manifest or index, byte for byte. */
struct reg_manifest {
	char *media_type; /* what the registry calls it, or NULL */
	char *text;	  /* NULL after reg_client_resolve() */
	size_t len;
	struct stv_digest digest;
	bool has_digest;
};

/* reg_manifest_fini(m): free the members. */
void reg_manifest_fini(struct reg_manifest *m);

/*
 * reg_client_resolve(c, ref, ret, err): what the tag is now, by one HEAD.
 * Its digest is the registry's word; ret->has_digest is false where it says
 * none.  Owns: *ret.  Errors: STV_E_NOT_FOUND, and those of reg_host_do().
 */
int reg_client_resolve(struct reg_client *c, const struct reg_ref *ref,
		       struct reg_manifest *ret, struct stv_err **err);

/*
 * reg_client_manifest(c, ref, want, ret, err): the manifest ${want} of the
 * repository; NULL: of the reference (its digest goes before its tag).
 * Owns: *ret, reg_manifest_fini().
 * Errors: STV_E_NOT_FOUND, STV_E_DIGEST, STV_E_LIMIT (STV_MAX_MANIFEST), and
 *         those of reg_host_do().
 */
int reg_client_manifest(struct reg_client *c, const struct reg_ref *ref,
			const struct stv_digest *want, struct reg_manifest *ret,
			struct stv_err **err);

/* As many tags as a repository may have. */
#define REG_MAX_TAGS 100000

/*
 * reg_client_tags(c, ref, ret, err): all tags of the repository, in the order
 * of the registry, appended to ${ret}; page by page, as the header Link leads
 * (distribution-spec, "Listing Tags"), on the same host only.
 * Errors: STV_E_NOT_FOUND; STV_E_PROTOCOL: what is no tag; STV_E_LIMIT
 *         (REG_MAX_TAGS, 1000 pages); and those of reg_host_do().
 */
int reg_client_tags(struct reg_client *c, const struct reg_ref *ref,
		    struct stv_strs *ret, struct stv_err **err);

/*
 * reg_client_blob(c, ref, digest, size, ret, err): a blob as a stream.  A
 * connection that breaks is taken up again where it broke, also at the next
 * place; at the end size and digest are checked, before 0 is returned.
 *
 * Owns:    *ret, stv_in_close().  Borrows: ${c}.
 * Errors:  STV_E_NOT_FOUND; while reading also STV_E_DIGEST.
 */
int reg_client_blob(struct reg_client *c, const struct reg_ref *ref,
		    const struct stv_digest *digest, uint64_t size,
		    struct stv_in **ret, struct stv_err **err);

/*
 * reg_client_blob_unhashed(c, ref, digest, size, ret, err): the same, but the
 * digest is the reader's to check, who hashes what it keeps anyway: nothing of
 * it may count before (THREATS C08).  The size is checked here.
 */
int reg_client_blob_unhashed(struct reg_client *c, const struct reg_ref *ref,
			     const struct stv_digest *digest, uint64_t size,
			     struct stv_in **ret, struct stv_err **err);

/*
 * reg_client_blob_host(in): which of the places of ${in}, a stream of one of
 * the two, sent what was read last.  Borrows from ${in}.
 */
const char *reg_client_blob_host(const struct stv_in *in);

/* A blob to be sent. */
struct reg_upload {
	int fd; /* it is all of this file; read by pread() */
	/*
	 * Where ${fd} is -1: open it, called when it is sure that the bytes
	 * are needed.  Owns: *ret_fd, closed by the upload.
	 */
	int (*open)(void *arg, int *ret_fd, struct stv_err **err);
	/*
	 * Instead of both: give its bytes as a stream, which is sent on while
	 * it arrives; not called before they are wanted, but more than once
	 * where the registry loses what it had.  The stream checks what it
	 * gives before its end is told.
	 */
	struct stv_in *(*stream)(void *arg, struct stv_err **err);
	/*
	 * The file of ${fd} is still being written; what is known so far is
	 * ${size}, and the digest is not.  Wait until there are more than
	 * ${beyond} bytes or all, and set size; at the end also digest and
	 * is_growing.  By the thread that sends.
	 */
	bool is_growing;
	int (*grow)(struct reg_upload *u, uint64_t beyond,
		    struct stv_err **err);
	uint64_t size;
	struct stv_digest digest;
	const char
		*from; /* a repository of the host that may have it, or NULL */
	/* Told how much the registry has; may be NULL. */
	void (*on_progress)(void *arg, uint64_t now, uint64_t total);
	void *arg;
};

enum reg_uploaded { REG_UPLOAD_HAD, REG_UPLOAD_MOUNTED, REG_UPLOAD_SENT };

/*
 * reg_client_put_blob(c, ref, u, ret, ret_sent, err): make sure that the
 * repository has a blob: by HEAD, by a mount from ${u->from}, else by sending
 * it; a blob that this client found or put there before is not asked for again.
 * Larger ones go in pieces of 64 MiB at most (16 MiB of a stream, the only one
 * that is kept), and what the registry took of a piece that broke off is not
 * sent again.  *ret_sent counts the bytes that went out, those of broken tries
 * too.  One that is still being written is sent as it grows, and whether the
 * registry has it is asked once it is whole: what went out until then was for
 * nothing if it has, and was no loss of time.
 * Errors: those of reg_host_do(), of the stream and of u->grow(); STV_E_DIGEST:
 *         the registry got other bytes.
 */
int reg_client_put_blob(struct reg_client *c, const struct reg_ref *ref,
			struct reg_upload *u, enum reg_uploaded *ret,
			uint64_t *ret_sent, struct stv_err **err);

/*
 * reg_client_put_manifest(c, ref, which, media_type, text, len, err): put a
 * manifest or index under ${which}, a tag or digest.  A registry that stores
 * it under another digest is STV_E_DIGEST.
 */
int reg_client_put_manifest(struct reg_client *c, const struct reg_ref *ref,
			    const char *which, const char *media_type,
			    const char *text, size_t len, struct stv_err **err);

/*
 * reg_client_has_manifest(c, ref, which, digest, err): does the place that the
 * repository is pushed to have ${digest} under ${which}, a tag or digest?  One
 * HEAD; a registry that does not tell the digest of a tag says no.
 * Returns: 1, 0 or -1.
 */
int reg_client_has_manifest(struct reg_client *c, const struct reg_ref *ref,
			    const char *which, const struct stv_digest *digest,
			    struct stv_err **err);

STV_DEFINE_CLEANUP(reg_client, reg_client_close);

#endif /* STAVE_REGISTRY_CLIENT_H */
