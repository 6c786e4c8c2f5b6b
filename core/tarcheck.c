/*
 * core/tarcheck.c - a strict look at tar headers that only refuses.
 *
 * It follows the blocks of the archive as they pass: header, its content,
 * header ..., and knows of each only what decides where the next one is.
 */
#include <stdlib.h>
#include <string.h>

#include "core/cleanup.h"
#include "core/err.h"
#include "core/limits.h"
#include "core/mem.h"

#include "core/stream.h"
#include "core/tarcheck.h"

#define BLOCK 512
/* The largest size that ustar's eleven octal digits hold. */
#define MAX_USTAR_SIZE UINT64_C(077777777777)

enum state {
	AT_HEADER,  /* a block is a header or zeros */
	IN_SPARSE,  /* old GNU sparse map continued */
	IN_EXT,	    /* content of an extension header, kept */
	IN_CONTENT, /* content of a file, passed */
	AT_END	    /* after two blocks of zeros: whatever it is */
};

struct check {
	struct stv_in in;
	struct stv_in *under;
	enum state state;
	char block[BLOCK];
	size_t block_len;
	uint64_t left; /* of content and its padding */
	char ext_type; /* 'x', 'g', 'L', 'K' */
	char *ext;     /* its content */
	size_t ext_len;
	size_t ext_size;
	int n_zero;
	uint64_t n_headers;
	/* What stands before the next file. */
	bool has_pax;
	bool has_long_name;
	bool has_long_link;
	bool has_pax_size;
	uint64_t pax_size;
	uint64_t sparse_left; /* content behind the sparse map */
};

static int
bad(struct stv_err **err, const char *why)
{
	return stv_fail(err, STV_E_INPUT, "the tar is damaged or ambiguous: %s",
			why);
}

/*
 * An octal number between optional spaces, ended by a space or NUL, or GNU's
 * base 256; 0, or -1 where it is something else or does not fit 63 bits.
 */
static int
parse_number(const char *p, size_t n, uint64_t *ret)
{
	uint64_t v = 0;
	size_t i = 0;

	if ((unsigned char)p[0] == 0x80) {
		for (i = 1; i < n; i++) {
			if (v >> 55 != 0)
				return -1;
			v = v << 8 | (unsigned char)p[i];
		}
		*ret = v;
		return 0;
	}
	while (i < n && p[i] == ' ')
		i++;
	for (; i < n && p[i] >= '0' && p[i] <= '7'; i++)
		v = v << 3 | (uint64_t)(p[i] - '0');
	for (; i < n; i++)
		if (p[i] != ' ' && p[i] != '\0')
			return -1;
	*ret = v;
	return 0;
}

bool
stv_tar_is_header(const void *block)
{
	const char *p = block;
	uint64_t want;
	int64_t is = 0, is_signed = 0;
	bool is_zero = true;

	for (size_t i = 0; i < BLOCK; i++) {
		char c = i >= 148 && i < 156 ? ' ' : p[i];

		is += (unsigned char)c;
		is_signed += (signed char)c;
		is_zero = is_zero && p[i] == '\0';
	}
	if (is_zero || parse_number(p + 148, 8, &want) < 0)
		return false;
	return (int64_t)want == is || (int64_t)want == is_signed;
}

static bool
is_zero_block(const char *p)
{
	return p[0] == '\0' && memcmp(p, p + 1, BLOCK - 1) == 0;
}

/* An extension header: 'x', 'g', 'L' or 'K'. */
static int
on_extension(struct check *c, char type, uint64_t size, struct stv_err **err)
{
	bool is_long = type == 'L' || type == 'K';
	uint64_t max = is_long ? STV_MAX_PATH + 1 : STV_MAX_PAX_BLOCK;

	if (c->has_pax)
		return bad(err, "a pax header does not stand before a file");
	if ((type == 'L' && c->has_long_name) ||
	    (type == 'K' && c->has_long_link) ||
	    (!is_long && (c->has_long_name || c->has_long_link)))
		return bad(err, "extension headers are mixed");
	if (size > max)
		return stv_fail(err, STV_E_LIMIT,
				"a header in the tar is larger than %llu bytes",
				(unsigned long long)max);
	c->has_long_name = c->has_long_name || type == 'L';
	c->has_long_link = c->has_long_link || type == 'K';
	c->has_pax = type == 'x';
	c->ext_type = type;
	c->ext = stv_xmalloc((size_t)size + 1);
	c->ext_len = 0;
	c->ext_size = (size_t)size;
	c->left = (size + BLOCK - 1) / BLOCK * BLOCK;
	c->state = IN_EXT;
	return 0;
}

/* The content of an extension header is complete. */
static int
end_extension(struct check *c, struct stv_err **err)
{
	stv_auto_free char *ext = stv_steal(&c->ext);

	c->state = AT_HEADER;
	switch (c->ext_type) {
	case 'x':
		return stv_paxcheck(ext, c->ext_size, &c->pax_size,
				    &c->has_pax_size, err);
	case 'g':
		return stv_paxcheck_global(ext, c->ext_size, err);
	default:
		break;
	}
	/* One name with NULs behind it, never two names. */
	for (size_t i = strnlen(ext, c->ext_size); i < c->ext_size; i++)
		if (ext[i] != '\0')
			return bad(err, "a long name has bytes behind its end");
	if (c->ext_size == 0 || ext[0] == '\0')
		return bad(err, "a long name is empty");
	return 0;
}

/* Where does the content end?  Both places that say so must agree. */
static int
file_size(struct check *c, uint64_t size, uint64_t *ret, struct stv_err **err)
{
	if (c->has_pax_size) {
		if (c->pax_size != size && c->pax_size <= MAX_USTAR_SIZE)
			return bad(err, "two sizes of a file disagree");
		size = c->pax_size;
	}
	if (size > STV_MAX_LAYER)
		return stv_fail(err, STV_E_LIMIT,
				"a file in the tar is larger than %llu bytes",
				(unsigned long long)STV_MAX_LAYER);
	*ret = size;
	return 0;
}

/* A file, directory, link, device: what the extension headers were for. */
static int
on_file(struct check *c, char type, uint64_t header_size, struct stv_err **err)
{
	bool has_content =
		type == '0' || type == '\0' || type == '7' || type == 'S';
	bool is_gnu = memcmp(c->block + 257, "ustar  ", 8) == 0;
	uint64_t size;

	if (file_size(c, header_size, &size, err) < 0)
		return -1;
	if (!has_content && size != 0) {
		/* GNU tar's hard links say how large the file is. */
		if (type != '1' || !is_gnu)
			return bad(err, "a link, directory or device has "
					"content");
		size = 0;
	}
	c->has_pax = c->has_pax_size = false;
	c->has_long_name = c->has_long_link = false;
	c->left = (size + BLOCK - 1) / BLOCK * BLOCK;
	c->state = c->left > 0 ? IN_CONTENT : AT_HEADER;
	if (type == 'S' && c->block[482] != 0) {
		c->sparse_left = c->left;
		c->state = IN_SPARSE;
	}
	return 0;
}

static int
on_header(struct check *c, struct stv_err **err)
{
	char type = c->block[156];
	uint64_t size;

	if (!stv_tar_is_header(c->block))
		return bad(err, "a header has a wrong checksum");
	if (++c->n_headers > 3 * STV_MAX_TAR_ENTRIES)
		return stv_fail(err, STV_E_LIMIT,
				"the tar has too many headers");
	if (parse_number(c->block + 124, 12, &size) < 0)
		return bad(err, "a size is no number");
	switch (type) {
	case 'x':
	case 'g':
	case 'L':
	case 'K':
		if (on_extension(c, type, size, err) < 0)
			return -1;
		return c->left == 0 ? end_extension(c, err) : 0;
	case '\0':
	case '0':
	case '1':
	case '2':
	case '3':
	case '4':
	case '5':
	case '6':
	case '7':
	case 'S':
		return on_file(c, type, size, err);
	default:
		return bad(err, "an entry is of an unknown type");
	}
}

/* One whole block outside of content. */
static int
on_block(struct check *c, struct stv_err **err)
{
	if (c->state == IN_SPARSE) {
		if (c->block[504] != 0)
			return 0;
		c->left = c->sparse_left;
		c->state = c->left > 0 ? IN_CONTENT : AT_HEADER;
		return 0;
	}
	if (is_zero_block(c->block)) {
		if (c->has_pax || c->has_long_name || c->has_long_link)
			return bad(err, "an extension header stands alone");
		if (++c->n_zero == 2)
			c->state = AT_END;
		return 0;
	}
	if (c->n_zero > 0)
		return bad(err, "a block of zeros stands between entries");
	return on_header(c, err);
}

/* Bytes of content; how many of ${n} they were. */
static size_t
on_content(struct check *c, const char *p, size_t n)
{
	if (n > c->left)
		n = (size_t)c->left;
	if (c->state == IN_EXT && c->ext_len < c->ext_size) {
		size_t part = c->ext_size - c->ext_len;

		if (part > n)
			part = n;
		memcpy(c->ext + c->ext_len, p, part);
		c->ext_len += part;
	}
	c->left -= n;
	return n;
}

static int
on_bytes(struct check *c, const char *p, size_t n, struct stv_err **err)
{
	while (n > 0 && c->state != AT_END) {
		size_t part;

		if (c->state == IN_CONTENT || c->state == IN_EXT) {
			part = on_content(c, p, n);
			if (c->left == 0 && c->state == IN_CONTENT)
				c->state = AT_HEADER;
			else if (c->left == 0 && end_extension(c, err) < 0)
				return -1;
		} else {
			part = BLOCK - c->block_len;
			if (part > n)
				part = n;
			memcpy(c->block + c->block_len, p, part);
			c->block_len += part;
			if (c->block_len == BLOCK) {
				c->block_len = 0;
				if (on_block(c, err) < 0)
					return -1;
			}
		}
		p += part;
		n -= part;
	}
	return 0;
}

static int64_t
check_read(struct stv_in *in, void *buf, size_t n, struct stv_err **err)
{
	struct check *c = (struct check *)in;
	int64_t got = c->under->read(c->under, buf, n, err);

	if (got < 0)
		return -1;
	if (got == 0 && c->state != AT_END)
		return stv_fail(err, STV_E_INPUT, "the tar is cut off");
	if (on_bytes(c, buf, (size_t)got, err) < 0)
		return -1;
	return got;
}

static void
check_close(struct stv_in *in)
{
	struct check *c = (struct check *)in;

	free(c->ext);
	free(c);
}

struct stv_in *
stv_in_tarcheck(struct stv_in *under)
{
	struct check *c = stv_xcalloc(1, sizeof(*c));

	c->in = (struct stv_in){check_read, check_close};
	c->under = under;
	return &c->in;
}
