/* registry/toml_internal.h - what the two halves of the TOML reader share. */
#ifndef STAVE_REGISTRY_TOML_INTERNAL_H
#define STAVE_REGISTRY_TOML_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>

struct stv_buf; /* core/buf.h */
struct stv_err; /* core/err.h */

/* A text and how far it has been read. */
struct reg_toml_in {
	const char *text;
	size_t len;
	size_t pos;
	const char *what;
};

/* reg_toml_peek(in): the next byte, or -1 at the end. */
int reg_toml_peek(const struct reg_toml_in *in);

/* reg_toml_is_at(in, s): does the text go on with ${s}? */
bool reg_toml_is_at(const struct reg_toml_in *in, const char *s);

/*
 * reg_toml_fail(in, pos, err, fmt, ...): STV_E_INPUT with the place of the byte
 * ${pos} in front.  Returns -1.
 */
int reg_toml_fail(const struct reg_toml_in *in, size_t pos,
		  struct stv_err **err, const char *fmt, ...)
	__attribute__((__format__(__printf__, 4, 5)));

/* reg_toml_fail_limit(in, pos, err): too deep, STV_E_LIMIT.  Returns -1. */
int reg_toml_fail_limit(const struct reg_toml_in *in, size_t pos,
			struct stv_err **err);

/*
 * reg_toml_string(in, is_key, ret, err): the quoted string that begins at the
 * next byte, its content appended to ${ret}; ${is_key} refuses those of
 * several lines.
 * Errors: STV_E_INPUT.
 */
int reg_toml_string(struct reg_toml_in *in, bool is_key, struct stv_buf *ret,
		    struct stv_err **err);

/*
 * reg_toml_check_text(in, err): is all of it UTF-8 without control characters
 * but tab, LF and CR LF?
 * Errors: STV_E_INPUT.
 */
int reg_toml_check_text(const struct reg_toml_in *in, struct stv_err **err);

#endif /* STAVE_REGISTRY_TOML_INTERNAL_H */
