/*
 * registry/toml.h - the part of TOML 1.0 that registries.conf is written in.
 *
 * Tables, arrays of tables (nested ones too), bare, quoted and dotted keys, all
 * four kinds of strings, booleans, integers, arrays, inline tables, comments.
 * The rules of TOML 1.0 hold strictly: no key and no table twice, nothing added
 * to what is closed, valid UTF-8 without control characters.  Floats, dates and
 * the character U+0000 are refused: no setting that we know takes one.
 */
#ifndef STAVE_REGISTRY_TOML_H
#define STAVE_REGISTRY_TOML_H

#include <jansson.h>
#include <stddef.h>

struct stv_err; /* core/err.h */

/* Far above any real file; keeps an error from becoming a flood. */
#define REG_MAX_TOML ((size_t)1 << 20)

/*
 * reg_toml_parse(text, len, what, err): ${len} bytes of TOML as JSON: a table
 * is an object (members in the order of the file), an array of tables an array
 * of objects, an integer a JSON integer.  ${what} is the file's name for
 * messages: "FILE:LINE:COLUMN: reason", the column counted in code points.
 *
 * Owns:   the caller, json_decref(); NULL on failure.
 * Errors: STV_E_INPUT; STV_E_LIMIT above the size or the depth.
 * Limits: REG_MAX_TOML bytes, STV_MAX_JSON_DEPTH levels of tables and arrays,
 *         the outermost table included.
 */
json_t *reg_toml_parse(const char *text, size_t len, const char *what,
		       struct stv_err **err);

#endif /* STAVE_REGISTRY_TOML_H */
