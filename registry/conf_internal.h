/* registry/conf_internal.h - registries.conf as it is held in memory. */
#ifndef STAVE_REGISTRY_CONF_INTERNAL_H
#define STAVE_REGISTRY_CONF_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>

#include "core/strs.h"
#include "core/vec.h"

struct stv_err; /* core/err.h */

/* When a mirror is asked. */
enum reg_mirror_use { REG_MIRROR_ALL, REG_MIRROR_DIGEST, REG_MIRROR_TAG };

/* What a prefix is replaced by; location NULL: nothing is. */
struct reg_location {
	char *location;
	bool is_insecure;
	enum reg_mirror_use use;
};

/* One [[registry]]. */
struct reg_entry {
	char *prefix; /* "host/ns" or "*.host" */
	char *file;   /* that says so */
	struct reg_location self;
	bool is_blocked;
	bool is_by_digest_only;
	STV_VEC(struct reg_location) mirrors;
};

struct reg_conf {
	char *user_dir; /* HOME/.config/containers, or NULL */
	char *etc;
	STV_VEC(struct reg_entry) entries;
	size_t n_seen; /* registries, mirrors and aliases of all files */
	struct stv_strs search;
	struct stv_strs aliases; /* name=reference */
	struct stv_strs helpers; /* credential-helpers */
	bool is_enforcing;
};

/* reg_entry_fini(e): free the members. */
void reg_entry_fini(struct reg_entry *e);

/*
 * reg_conf_has_registry(text): does a registry stand in front of the first
 * slash of ${text}, by the rule of references?
 */
bool reg_conf_has_registry(const char *text);

/*
 * reg_conf_list_dir(path, suffix, ret, err): the paths of what in the directory
 * ${path} ends in ${suffix} and is no directory, sorted, appended to ${ret}.
 * Returns: 1, or 0 where there is no such directory.
 * Errors:  STV_E_IO; STV_E_LIMIT above REG_MAX_CONF_ENTRIES.
 */
int reg_conf_list_dir(const char *path, const char *suffix,
		      struct stv_strs *ret, struct stv_err **err);

#endif /* STAVE_REGISTRY_CONF_INTERNAL_H */
