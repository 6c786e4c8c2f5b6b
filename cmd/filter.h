/* cmd/filter.h - which images a list shows: --filter and a name pattern. */
#ifndef STAVE_CMD_FILTER_H
#define STAVE_CMD_FILTER_H

#include <stdbool.h>
#include <stdint.h>

#include "core/oci.h"
#include "core/strs.h"

struct cas_store; /* cache/store.h */
struct stv_err;	  /* core/err.h */

/* All conditions of a list; zero bytes let everything through. */
struct cmd_filter {
	struct stv_strs references; /* patterns, one must match */
	struct stv_strs labels;	    /* "k" or "k=v", all must match */
	bool has_dangling;
	bool is_dangling;
	bool has_before; /* created before */
	bool has_since;	 /* created after */
	int64_t before_s;
	int64_t since_s;
};

/*
 * cmd_filter_add(f, s, text, err): one --filter: dangling=, reference=, label=,
 * before=IMAGE, since=IMAGE, until=TIME.  ${s} may be NULL.
 * Errors: STV_E_USAGE naming a filter that is unknown.
 */
int cmd_filter_add(struct cmd_filter *f, struct cas_store *s, const char *text,
		   struct stv_err **err);

/* cmd_filter_image(f, c, is_dangling): may this image be shown? */
bool cmd_filter_image(const struct cmd_filter *f, const struct oci_config *c,
		      bool is_dangling);

/*
 * cmd_filter_tag(f, repo, familiar): may this tag be shown?  ${familiar} is
 * "x:latest", ${repo} "x".
 */
bool cmd_filter_tag(const struct cmd_filter *f, const char *repo,
		    const char *familiar);

/*
 * cmd_until_parse(text, ret, err): "24h" before now, seconds since 1970 or a
 * date, as seconds since 1970.
 */
int cmd_until_parse(const char *text, int64_t *ret, struct stv_err **err);

/* cmd_created(c): when the image was created, in seconds; 0 where unknown. */
int64_t cmd_created(const struct oci_config *c);

/* cmd_filter_fini(f): free the members. */
void cmd_filter_fini(struct cmd_filter *f);

#endif /* STAVE_CMD_FILTER_H */
