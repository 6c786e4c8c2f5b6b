/*
 * core/json.h - reading JSON from outside, and writing it deterministically.
 *
 * On jansson, with the bounds of THREATS C11: size before, depth by a scan,
 * duplicate keys refused.  Errors name the member: "config.Env[3] is not a
 * string".
 */
#ifndef STAVE_CORE_JSON_H
#define STAVE_CORE_JSON_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct stv_buf;	 /* core/buf.h */
struct stv_err;	 /* core/err.h */
struct stv_strs; /* core/strs.h */

/*
 * stv_json_parse(text, len, what, err): the document, which must be an object
 * or an array.  ${what} names it in messages ("manifest").
 * Owns:   the caller, json_decref().
 * Errors: STV_E_PROTOCOL where it is no JSON, STV_E_LIMIT beyond the depth.
 */
json_t *stv_json_parse(const char *text, size_t len, const char *what,
		       struct stv_err **err);

/*
 * The getters take an object and a member's name.  ${where} is the path of
 * the object for messages ("" at the top).  A member that is absent or null:
 * *ret is untouched (and ${is_required} makes it an error).
 */

/* stv_json_get_str(o, where, name, is_required, ret, err): borrows. */
int stv_json_get_str(const json_t *o, const char *where, const char *name,
		     bool is_required, const char **ret, struct stv_err **err);

/* stv_json_get_u64(o, where, name, is_required, ret, err): 0 <= n <= 2^63-1. */
int stv_json_get_u64(const json_t *o, const char *where, const char *name,
		     bool is_required, uint64_t *ret, struct stv_err **err);

/* stv_json_get_bool(o, where, name, ret, err): true or false. */
int stv_json_get_bool(const json_t *o, const char *where, const char *name,
		      bool *ret, struct stv_err **err);

/*
 * stv_json_get_obj(o, where, name, is_required, ret, err): an object member.
 * Borrows: lives as long as ${o}.
 */
int stv_json_get_obj(const json_t *o, const char *where, const char *name,
		     bool is_required, json_t **ret, struct stv_err **err);

/* stv_json_get_arr(o, where, name, is_required, ret, err): an array member. */
int stv_json_get_arr(const json_t *o, const char *where, const char *name,
		     bool is_required, json_t **ret, struct stv_err **err);

/*
 * stv_json_get_strs(o, where, name, ret, ret_is_set, err): an array of
 * strings, appended to ${ret}; *ret_is_set (may be NULL) tells "present" from
 * "absent or null".
 */
int stv_json_get_strs(const json_t *o, const char *where, const char *name,
		      struct stv_strs *ret, bool *ret_is_set,
		      struct stv_err **err);

/* stv_json_from_strs(s): a new array of strings (bytes that are no UTF-8 are
 * replaced, as Go's encoder does).  Owns: the caller. */
json_t *stv_json_from_strs(const struct stv_strs *s);

/* stv_json_str(s): a new string; bytes that are no UTF-8 are replaced. */
json_t *stv_json_str(const char *s);

/* stv_json_base64(p, n): ${n} bytes as a string in base64.  Owns: the caller.
 */
json_t *stv_json_base64(const char *p, size_t n);

/*
 * stv_json_dump(v, ret): compact text, members in the order in which they were
 * set, '<', '>' and '&' as they are.  The same value always gives the same
 * bytes.
 */
void stv_json_dump(const json_t *v, struct stv_buf *ret);

#endif /* STAVE_CORE_JSON_H */
