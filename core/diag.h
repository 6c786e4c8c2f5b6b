/*
 * core/diag.h - showing an error or a finding with its place in the source.
 *
 *	Dockerfile:7:19: error: COPY needs a destination
 *	    7 | COPY --from=build app
 *	      |                   ^~~
 *	  hint: The last word is the destination; ...
 *	  while: planning stage 'final'
 */
#ifndef STAVE_CORE_DIAG_H
#define STAVE_CORE_DIAG_H

#include <stdbool.h>
#include <stddef.h>

#include "core/cleanup.h"
#include "core/span.h"

struct stv_buf;	    /* core/buf.h */
struct stv_err;	    /* core/err.h */
struct stv_sources; /* core/source.h */

enum stv_severity { STV_SEV_ERROR, STV_SEV_WARNING, STV_SEV_NOTE };

/* A second or third place with a few words ("first defined here"). */
struct stv_related {
	struct stv_span span;
	char *label;
};

/* One finding; all strings owned by the list. */
struct stv_diag {
	enum stv_severity severity;
	const char *rule; /* static: id of a lint rule, or NULL */
	struct stv_span span;
	char *msg;
	char *hint;
	struct stv_related related[2];
	size_t n_related;
};

/* Findings in order of discovery; more than ${max} are only counted. */
struct stv_diags {
	struct stv_diag *v;
	size_t len;
	size_t cap;
	size_t max;	   /* 0: STV_MAX_DIAGS */
	size_t n_errors;   /* of all, also of those not kept */
	size_t n_warnings; /* likewise */
};

/*
 * stv_diags_add(d, severity, span, fmt, ...): add a finding.
 * Returns: it, for a hint; a scratch one where the list is full.  Borrows:
 * valid until the next call.
 */
struct stv_diag *stv_diags_add(struct stv_diags *d, enum stv_severity severity,
			       struct stv_span span, const char *fmt, ...)
	__attribute__((__format__(__printf__, 4, 5)));

/* stv_diag_hint(f, fmt, ...): give a finding its hint. */
void stv_diag_hint(struct stv_diag *f, const char *fmt, ...)
	__attribute__((__format__(__printf__, 2, 3)));

/* stv_diag_related(f, span, label): name another place. */
void stv_diag_related(struct stv_diag *f, struct stv_span span,
		      const char *label);

/* stv_diags_drop(d, i): forget finding ${i}, which was no error. */
void stv_diags_drop(struct stv_diags *d, size_t i);

/*
 * stv_diags_sort(d, from): those from number ${from} on in the order of their
 * files and places; equal ones stay as they were found.
 */
void stv_diags_sort(struct stv_diags *d, size_t from);

/* stv_diags_fini(d): free all findings. */
void stv_diags_fini(struct stv_diags *d);

/*
 * stv_diag_render(f, src, color, ret): text as shown above, appended.
 * Everything that comes from the file is escaped.
 */
void stv_diag_render(const struct stv_diag *f, const struct stv_sources *src,
		     bool color, struct stv_buf *ret);

/*
 * stv_err_render(e, src, color, ret): an error with its place, excerpt, hint
 * and chain.  ${src} may be NULL.
 */
void stv_err_render(const struct stv_err *e, const struct stv_sources *src,
		    bool color, struct stv_buf *ret);

#endif /* STAVE_CORE_DIAG_H */
