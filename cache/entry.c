/* cache/entry.c - entries of a layer: their order and how they compare. */
#include <string.h>

#include "cache/entry.h"

/* '/' sorts before every other byte, the end before '/'. */
static int
rank(char c)
{
	if (c == '\0')
		return 0;
	if (c == '/')
		return 1;
	return (unsigned char)c + 1;
}

int
lay_path_cmp(const char *a, const char *b)
{
	while (*a == *b && *a != '\0') {
		a++;
		b++;
	}
	return rank(*a) - rank(*b);
}

static bool
has_prefix(const char *s, const char *prefix)
{
	return strncmp(s, prefix, strlen(prefix)) == 0;
}

bool
lay_xattr_is_kept(const char *name, enum lay_type type)
{
	if (has_prefix(name, "trusted.overlay.") ||
	    has_prefix(name, "user.overlay."))
		return false;
	/* The kernel has user.* only on files and directories. */
	if (has_prefix(name, "user."))
		return name[5] != '\0' && (type == LAY_FILE || type == LAY_DIR);
	if (has_prefix(name, "trusted."))
		return name[8] != '\0';
	if (strcmp(name, "system.posix_acl_access") == 0)
		return type != LAY_SYMLINK;
	if (strcmp(name, "system.posix_acl_default") == 0)
		return type == LAY_DIR;
	return strcmp(name, "security.capability") == 0 && type == LAY_FILE;
}

static bool
same_xattrs(const struct lay_entry *a, const struct lay_entry *b)
{
	if (a->n_xattrs != b->n_xattrs)
		return false;
	for (size_t i = 0; i < a->n_xattrs; i++) {
		const struct lay_xattr *x = &a->xattrs[i], *y = &b->xattrs[i];

		if (strcmp(x->name, y->name) != 0 || x->len != y->len ||
		    (x->len > 0 && memcmp(x->value, y->value, x->len) != 0))
			return false;
	}
	return true;
}

bool
lay_entry_is_same(const struct lay_entry *a, const struct lay_entry *b)
{
	if (a->type != b->type || a->mode != b->mode || a->uid != b->uid ||
	    a->gid != b->gid || a->mtime_s != b->mtime_s ||
	    a->mtime_ns != b->mtime_ns || !same_xattrs(a, b))
		return false;
	switch (a->type) {
	case LAY_FILE:
		return a->size == b->size;
	case LAY_SYMLINK:
	case LAY_HARDLINK:
		return strcmp(a->link, b->link) == 0;
	case LAY_CHAR:
	case LAY_BLOCK:
		return a->rdev_major == b->rdev_major &&
		       a->rdev_minor == b->rdev_minor;
	case LAY_DIR:
	case LAY_FIFO:
	case LAY_WHITEOUT:
	case LAY_OPAQUE:
		break;
	}
	return true;
}
