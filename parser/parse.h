/*
 * parser/parse.h - Dockerfile text to checked instructions.
 *
 *	struct stv_diags diags = {0};
 *	stv_auto(df_file) *file = NULL;
 *
 *	if (stv_sources_add(sources, "Dockerfile", text, len, &no, err) < 0) ...
 *	if (df_parse(sources, no, &file, &diags, err) < 0)
 *		... show diags, then err ...
 *
 * Nothing of a file is used before all of it was parsed and checked; all
 * mistakes are found in one run.
 */
#ifndef STAVE_PARSER_PARSE_H
#define STAVE_PARSER_PARSE_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "parser/ast.h"

struct stv_diags;   /* core/diag.h */
struct stv_err;	    /* core/err.h */
struct stv_sources; /* core/source.h */
struct stv_strs;    /* core/strs.h */

/*
 * df_parse(sources, file, ret, diags, err): parse and check text number
 * ${file}.  Every mistake becomes an error in ${diags} with its place and,
 * where there is something to say, a hint; warnings (an empty line inside a
 * continuation) are added also on success.
 *
 * Owns:    *ret, df_file_free(); untouched on failure.
 * Borrows: ${sources}, which must outlive *ret.
 * Errors:  STV_E_SYNTAX where ${diags} got any error (the message counts
 *          them and carries the place of the first).
 * Limits:  STV_MAX_SOURCE, STV_MAX_PHYSICAL_LINE, STV_MAX_LINE.
 */
int df_parse(struct stv_sources *sources, uint32_t file, struct df_file **ret,
	     struct stv_diags *diags, struct stv_err **err);

/*
 * df_parse_onbuild(sources, text, ret, diags, err): parse a trigger of a base
 * image's config ("COPY . /app").  *ret is a file with exactly one node, which
 * is no FROM, ONBUILD or MAINTAINER; the text is added to ${sources} under the
 * name "ONBUILD trigger".  The escape character is the backslash.
 * Owns, Borrows, Errors: as df_parse().
 */
int df_parse_onbuild(struct stv_sources *sources, const char *text,
		     struct df_file **ret, struct stv_diags *diags,
		     struct stv_err **err);

/*
 * df_to_json(f): the tree for 'stave parse --format json'.
 *
 *	{"directives":{"escape":"`"},"instructions":[{"name":"copy",
 *	 "flags":["--from=build"],"args":["a","/b"],"json":false,
 *	 "heredocs":[{"name":"EOF","expand":true,"chomp":false,"content":""}],
 *	 "onbuild":null,
 *	 "span":{"begin":0,"end":9,"line":1,"column":1,
 *	         "end_line":1,"end_column":10}}]}
 *
 * Bytes that are no UTF-8 are replaced.  Owns: the caller, json_decref().
 */
json_t *df_to_json(const struct df_file *f);

/*
 * Values that can be checked only after variables were expanded.  All of them
 * fail with STV_E_CHECK and carry no place: add it with stv_err_at().
 */

/*
 * df_check_port(spec, ret, err): an argument of EXPOSE after expansion.  The
 * ports are appended to ${ret} as the config has them ("8080/tcp"): "80",
 * "80/udp", "8000-8010", "8080:80" (80), "[::1]:8080:80/tcp" (80).
 */
int df_check_port(const char *spec, struct stv_strs *ret, struct stv_err **err);

/*
 * df_check_signal(text, err): STOPSIGNAL after expansion: a number other than
 * 0, or a name with or without "SIG" in any case ("SIGTERM", "rtmin+3").
 */
int df_check_signal(const char *text, struct stv_err **err);

/*
 * df_parse_duration(text, ret_ns, err): Go's time.ParseDuration: "1m30s",
 * "1.5h", "-2us", "0".
 * Units: nanoseconds.
 */
int df_parse_duration(const char *text, int64_t *ret_ns, struct stv_err **err);

/*
 * df_check_interval(text, ret_ns, err): a duration flag of HEALTHCHECK: "" and
 * zero give 0, everything else is at least one millisecond.  df_parse() has
 * checked them already (they are not expanded); this gives the value.
 */
int df_check_interval(const char *text, int64_t *ret_ns, struct stv_err **err);

/* df_check_retries(text, ret, err): --retries of HEALTHCHECK; "" gives 0. */
int df_check_retries(const char *text, int *ret, struct stv_err **err);

/*
 * df_flag_names(kind): the flags that an instruction knows, NULL-terminated.
 * Static.
 */
const char *const *df_flag_names(enum df_kind kind);

/*
 * df_nearest(word, names): the one of ${names} (NULL-terminated) that a typing
 * mistake is likeliest to have meant, in any case; NULL where none is near.
 * Borrows: from ${names}.
 */
const char *df_nearest(const char *word, const char *const *names);

#endif /* STAVE_PARSER_PARSE_H */
