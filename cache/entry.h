/* cache/entry.h - one entry of a layer, as the table of contents knows it. */
#ifndef STAVE_CACHE_ENTRY_H
#define STAVE_CACHE_ENTRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/digest.h"

enum lay_type {
	LAY_FILE,
	LAY_DIR,
	LAY_SYMLINK,
	LAY_HARDLINK, /* link: path of an earlier file of the same layer */
	LAY_FIFO,
	LAY_CHAR,
	LAY_BLOCK,
	LAY_WHITEOUT, /* the path is hidden from the layers below */
	LAY_OPAQUE    /* the directory's content below is hidden */
};

/* An extended attribute; the value is bytes. */
struct lay_xattr {
	const char *name;
	const void *value;
	size_t len;
};

/*
 * An entry.  Paths are relative to the root, without leading or trailing slash
 * ("usr/bin/env"; "" is the root itself); names are bytes.  A LAY_WHITEOUT's
 * path is the hidden path, a LAY_OPAQUE's the directory; they have no other
 * member.  Order everywhere: lay_path_cmp(), a directory before what is in it.
 * Whoever fills it says who owns the pointers; usually all are borrowed.
 */
struct lay_entry {
	const char *path;
	enum lay_type type;
	uint32_t mode; /* permission, setuid, setgid and sticky bits: 07777 */
	uint32_t uid;
	uint32_t gid;
	uint32_t rdev_major;
	uint32_t rdev_minor;
	uint64_t size; /* LAY_FILE */
	int64_t mtime_s;
	uint32_t mtime_ns;
	const char *link;		/* LAY_SYMLINK, LAY_HARDLINK */
	const struct lay_xattr *xattrs; /* sorted by name */
	size_t n_xattrs;
	struct stv_digest digest; /* LAY_FILE: SHA-256 of the content */
	uint64_t offset; /* LAY_FILE: of the content in the layer tar */
	bool is_sparse;	 /* LAY_FILE: holes are left out of the tar, so that
			    the content does not lie at ${offset} in one piece */
};

/*
 * lay_path_cmp(a, b): order of paths by component: "a" < "a/b" < "a.b", as if
 * '/' were smaller than every byte.
 */
int lay_path_cmp(const char *a, const char *b);

/*
 * lay_xattr_is_kept(name, type): does an extended attribute belong into a
 * layer?  Not overlay's own (THREATS B08), not host state (security.selinux,
 * security.ima ...), and not what this type of file cannot carry.
 */
bool lay_xattr_is_kept(const char *name, enum lay_type type);

/*
 * lay_entry_is_same(a, b): same type, mode, owner, mtime, xattrs, device
 * numbers, link target and size?  Content is not looked at.
 */
bool lay_entry_is_same(const struct lay_entry *a, const struct lay_entry *b);

#endif /* STAVE_CACHE_ENTRY_H */
