/*
 * cache/toc_format.h - the file toc/<diff-id>.
 *
 *	struct toc_head, struct toc_rec[n_entries], struct toc_xattr[n_xattrs],
 *	strings (each ends with a NUL, xattr values too)
 *
 * In the byte order of the machine: it never leaves it, and a table of the
 * other order has a wrong magic number.
 */
#ifndef STAVE_CACHE_TOC_FORMAT_H
#define STAVE_CACHE_TOC_FORMAT_H

#include <stdint.h>

#include "core/digest.h"

#include "cache/layer_internal.h"

#define TOC_MAGIC UINT64_C(0x0143544556415453) /* "STAVETC\1" */
/* Strings of one table: ten million paths of 400 bytes. */
#define TOC_MAX_STRINGS ((size_t)4 << 30)

struct toc_head {
	uint64_t magic;
	uint64_t n_entries;
	uint64_t n_xattrs;
	uint64_t n_strings;	       /* bytes */
	uint64_t body_crc;	       /* of all that follows this structure */
	uint64_t head_crc;	       /* of the members above */
	char boot_id[LAY_BOOT_ID_LEN]; /* of the boot that wrote or checked it
					*/
};

/* Offsets without a unit are into the strings. */
struct toc_rec {
	uint64_t path;
	uint64_t link;
	uint64_t size;
	uint64_t offset; /* in the layer tar */
	int64_t mtime_s;
	uint32_t mtime_ns;
	uint32_t mode;
	uint32_t uid;
	uint32_t gid;
	uint32_t rdev_major;
	uint32_t rdev_minor;
	uint32_t xattr; /* the first one */
	uint32_t n_xattrs;
	uint32_t type; /* enum lay_type */
	uint32_t is_sparse;
	uint8_t digest[STV_SHA256_LEN];
};

struct toc_xattr {
	uint64_t name;
	uint64_t value;
	uint64_t len;
};

#endif /* STAVE_CACHE_TOC_FORMAT_H */
