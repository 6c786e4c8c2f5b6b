/*
 * builder/redact.h - what a command prints, without the secrets of the build.
 *
 * Display, events and log show "****" where a secret of six bytes or more is
 * printed as it is or in base64, also in lines (THREATS D11).  It is a net for
 * mistakes: a command that wants to tell can tell in other ways.
 */
#ifndef STAVE_BUILDER_REDACT_H
#define STAVE_BUILDER_REDACT_H

#include <stdbool.h>
#include <stddef.h>

struct bld_redact;
struct bld_secret; /* builder/build.h */
struct stv_buf;	   /* core/buf.h */

/*
 * bld_redact_new(secrets, n): what to look for.  Owns: bld_redact_free().
 * Returns: NULL where there is nothing to look for.
 */
struct bld_redact *bld_redact_new(const struct bld_secret *secrets, size_t n);

/* bld_redact_max(r): bytes that bld_redact_feed() may keep back. */
size_t bld_redact_max(const struct bld_redact *r);

/*
 * bld_redact_feed(r, held, p, n, is_end, out): append ${n} more bytes of a
 * stream to ${out}, secrets replaced.  What may be the beginning of one stays
 * in ${held}, which is the stream's own, until more comes or ${is_end}.
 */
void bld_redact_feed(const struct bld_redact *r, struct stv_buf *held,
		     const char *p, size_t n, bool is_end, struct stv_buf *out);

/* bld_redact_free(r): wipe and free it.  NULL is ok. */
void bld_redact_free(struct bld_redact *r);

#endif /* STAVE_BUILDER_REDACT_H */
