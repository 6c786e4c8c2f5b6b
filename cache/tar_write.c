/* cache/tar_write.c - the headers of a deterministic pax tar. */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "core/buf.h"
#include "core/err.h"
#include "core/limits.h"

#include "cache/tar_write.h"

/* The largest numbers of ustar's fields of 7 and 11 octal digits. */
#define MAX_OCTAL7 UINT64_C(07777777)
#define MAX_OCTAL11 UINT64_C(077777777777)

/* POSIX.1-2001 "ustar Interchange Format". */
struct ustar {
	char name[100];
	char mode[8];
	char uid[8];
	char gid[8];
	char size[12];
	char mtime[12];
	char chksum[8];
	char typeflag;
	char linkname[100];
	char magic[6];
	char version[2];
	char uname[32];
	char gname[32];
	char devmajor[8];
	char devminor[8];
	char prefix[155];
	char pad[12];
};

uint64_t
lay_tar_padding(uint64_t size)
{
	return (TAR_BLOCK - size % TAR_BLOCK) % TAR_BLOCK;
}

/* ${n} - 1 octal digits and a NUL; what does not fit becomes 0. */
static void
put_octal(char *field, size_t n, uint64_t v)
{
	char digits[24];
	int len = snprintf(digits, sizeof(digits), "%0*llo", (int)n - 1,
			   (unsigned long long)v);

	if (len != (int)n - 1)
		(void)snprintf(digits, sizeof(digits), "%0*d", (int)n - 1, 0);
	memcpy(field, digits, n);
}

/* Without a NUL where the field is full, as the standard has it. */
static void
put_text(char *field, size_t n, const char *s, size_t len)
{
	memcpy(field, s, len < n ? len : n);
}

/*
 * Put the path into name and prefix; false where it does not fit and what is
 * there is only for programs that do not know pax.
 */
static bool
put_path(struct ustar *h, const char *path, size_t len)
{
	size_t cut;

	if (len <= sizeof(h->name)) {
		put_text(h->name, sizeof(h->name), path, len);
		return true;
	}
	/* The shortest prefix whose rest fits; neither may be empty. */
	for (cut = len - sizeof(h->name) - 1; cut < len - 1; cut++)
		if (path[cut] == '/' && cut > 0)
			break;
	if (cut < len - 1 && cut <= sizeof(h->prefix)) {
		put_text(h->prefix, sizeof(h->prefix), path, cut);
		put_text(h->name, sizeof(h->name), path + cut + 1,
			 len - cut - 1);
		return true;
	}
	put_text(h->name, sizeof(h->name), path, len);
	return false;
}

static void
put_checksum(struct ustar *h)
{
	unsigned int sum = 0;
	const unsigned char *p = (const unsigned char *)h;

	memset(h->chksum, ' ', sizeof(h->chksum));
	for (size_t i = 0; i < sizeof(*h); i++)
		sum += p[i];
	put_octal(h->chksum, 7, sum);
}

static void
put_common(struct ustar *h, char typeflag, uint32_t mode)
{
	memset(h, 0, sizeof(*h));
	h->typeflag = typeflag;
	memcpy(h->magic, "ustar", 6);
	memcpy(h->version, "00", 2);
	put_octal(h->mode, sizeof(h->mode), mode);
	put_octal(h->uid, sizeof(h->uid), 0);
	put_octal(h->gid, sizeof(h->gid), 0);
	put_octal(h->size, sizeof(h->size), 0);
	put_octal(h->mtime, sizeof(h->mtime), 0);
	put_octal(h->devmajor, sizeof(h->devmajor), 0);
	put_octal(h->devminor, sizeof(h->devminor), 0);
}

/*
 * "LEN KEY=VALUE\n", where LEN counts itself: one digit more may make it one
 * longer still.
 */
static void
put_record(struct stv_buf *pax, const char *key, const void *value, size_t n)
{
	size_t body = strlen(key) + n + 3, len = body + 1, digits = 1;

	for (size_t limit = 10; len >= limit; limit *= 10)
		len = body + ++digits;
	stv_buf_addf(pax, "%zu %s=", len, key);
	stv_buf_add(pax, value, n);
	stv_buf_addc(pax, '\n');
}

static void
put_number(struct stv_buf *pax, const char *key, uint64_t v)
{
	char text[24];
	int n = snprintf(text, sizeof(text), "%llu", (unsigned long long)v);

	put_record(pax, key, text, (size_t)n);
}

/* Seconds with as many digits behind the point as are needed. */
static void
put_time(struct stv_buf *pax, int64_t s, uint32_t ns)
{
	char text[48];
	const char *sign = "";
	size_t n;

	/* -1 s + 250 ms is "-0.75". */
	if (s < 0 && ns > 0) {
		s++;
		ns = 1000000000U - ns;
		if (s == 0)
			sign = "-";
	}
	n = (size_t)snprintf(text, sizeof(text), "%s%lld.%09u", sign,
			     (long long)s, ns);
	while (text[n - 1] == '0')
		n--;
	if (text[n - 1] == '.')
		n--;
	put_record(pax, "mtime", text, n);
}

static int
put_xattrs(struct stv_buf *pax, const struct lay_entry *e, struct stv_err **err)
{
	for (size_t i = 0; i < e->n_xattrs; i++) {
		const struct lay_xattr *x = &e->xattrs[i];
		char key[STV_MAX_NAME + 32];

		if (!lay_xattr_is_kept(x->name, e->type))
			continue;
		if (strchr(x->name, '=') != NULL ||
		    strlen(x->name) > STV_MAX_NAME)
			return stv_fail(err, STV_E_INPUT,
					"'%s' has an extended attribute whose "
					"name a layer cannot hold: '%.255s'",
					e->path, x->name);
		if (x->len > STV_MAX_XATTR)
			return stv_fail(err, STV_E_LIMIT,
					"extended attribute '%s' of '%s' is "
					"larger than %zu bytes",
					x->name, e->path, STV_MAX_XATTR);
		(void)snprintf(key, sizeof(key), "SCHILY.xattr.%s", x->name);
		put_record(pax, key, x->value, x->len);
	}
	return 0;
}

static char
typeflag_of(enum lay_type type)
{
	switch (type) {
	case LAY_DIR:
		return '5';
	case LAY_SYMLINK:
		return '2';
	case LAY_HARDLINK:
		return '1';
	case LAY_FIFO:
		return '6';
	case LAY_CHAR:
		return '3';
	case LAY_BLOCK:
		return '4';
	case LAY_FILE:
	case LAY_WHITEOUT:
	case LAY_OPAQUE:
		break;
	}
	return '0';
}

/* The name in the tar; whiteouts stand beside what they hide. */
static int
tar_name(const struct lay_entry *e, struct stv_buf *name, struct stv_err **err)
{
	const char *slash = strrchr(e->path, '/');
	const char *base = slash == NULL ? e->path : slash + 1;

	if (strncmp(base, ".wh.", 4) == 0) {
		stv_fail(err, STV_E_INPUT,
			 "'/%s' cannot be stored in a layer: names that begin "
			 "with '.wh.' mark deleted files there",
			 e->path);
		stv_err_hint(*err, "Remove or rename the file.");
		return -1;
	}
	if (e->type == LAY_WHITEOUT) {
		stv_buf_add(name, e->path, (size_t)(base - e->path));
		stv_buf_addf(name, ".wh.%s", base);
	} else if (e->type == LAY_OPAQUE) {
		stv_buf_addf(name, "%s%s.wh..wh..opq", e->path,
			     *e->path == '\0' ? "" : "/");
	} else {
		stv_buf_adds(name, *e->path == '\0' ? "." : e->path);
		if (e->type == LAY_DIR)
			stv_buf_addc(name, '/');
	}
	return stv_buf_check(name, "a path", err);
}

/* Fill in the ustar header; what does not fit goes to ${pax}, keys sorted. */
static int
put_fields(struct ustar *h, const struct lay_entry *e, const char *name,
	   size_t name_len, struct stv_buf *pax, struct stv_err **err)
{
	bool has_path = put_path(h, name, name_len);
	size_t link_len = e->link != NULL ? strlen(e->link) : 0;
	/* A pax header needs records in one order to be deterministic. */
	bool is_gid = e->gid > MAX_OCTAL7, is_uid = e->uid > MAX_OCTAL7;
	bool is_time = e->mtime_ns != 0 || e->mtime_s < 0 ||
		       (uint64_t)e->mtime_s > MAX_OCTAL11;
	uint64_t size = e->type == LAY_FILE ? e->size : 0;

	if (put_xattrs(pax, e, err) < 0)
		return -1;
	if (is_gid)
		put_number(pax, "gid", e->gid);
	if (link_len > sizeof(h->linkname))
		put_record(pax, "linkpath", e->link, link_len);
	if (is_time)
		put_time(pax, e->mtime_s, e->mtime_ns);
	if (!has_path)
		put_record(pax, "path", name, name_len);
	if (size > MAX_OCTAL11)
		put_number(pax, "size", size);
	if (is_uid)
		put_number(pax, "uid", e->uid);
	put_octal(h->uid, sizeof(h->uid), is_uid ? 0 : e->uid);
	put_octal(h->gid, sizeof(h->gid), is_gid ? 0 : e->gid);
	put_octal(h->size, sizeof(h->size), size > MAX_OCTAL11 ? 0 : size);
	if (e->mtime_s > 0)
		put_octal(h->mtime, sizeof(h->mtime), (uint64_t)e->mtime_s);
	if (link_len > 0)
		put_text(h->linkname, sizeof(h->linkname), e->link, link_len);
	if (e->type == LAY_CHAR || e->type == LAY_BLOCK) {
		if (e->rdev_major > MAX_OCTAL7 || e->rdev_minor > MAX_OCTAL7)
			return stv_fail(err, STV_E_LIMIT,
					"the device numbers of '/%s' are too "
					"large for a layer",
					e->path);
		put_octal(h->devmajor, sizeof(h->devmajor), e->rdev_major);
		put_octal(h->devminor, sizeof(h->devminor), e->rdev_minor);
	}
	put_checksum(h);
	return 0;
}

/* The pax header in front, named after the file for older programs. */
static void
put_pax(struct stv_buf *ret, const char *name, const struct stv_buf *pax)
{
	static const char zeros[TAR_BLOCK];
	struct ustar h;
	char pax_name[100];
	const char *base;
	size_t len = strlen(name);

	if (len > 0 && name[len - 1] == '/')
		len--;
	for (base = name + len; base > name && base[-1] != '/';)
		base--;
	len -= (size_t)(base - name);
	put_common(&h, 'x', 0644);
	(void)snprintf(pax_name, sizeof(pax_name), "PaxHeaders.0/%.*s",
		       (int)(len > 80 ? 80 : len), base);
	put_text(h.name, sizeof(h.name), pax_name, strlen(pax_name));
	put_octal(h.size, sizeof(h.size), pax->len);
	put_checksum(&h);
	stv_buf_add(ret, &h, sizeof(h));
	stv_buf_add(ret, pax->data, pax->len);
	stv_buf_add(ret, zeros, (size_t)lay_tar_padding(pax->len));
}

int
lay_tar_header(const struct lay_entry *e, struct stv_buf *ret,
	       struct stv_err **err)
{
	stv_auto_buf name = STV_BUF_INIT(STV_MAX_PATH + 16);
	stv_auto_buf pax = STV_BUF_INIT(STV_MAX_PAX_BLOCK);
	struct ustar h;

	_Static_assert(sizeof(h) == TAR_BLOCK, "a ustar header is one block");
	if (tar_name(e, &name, err) < 0)
		return -1;
	put_common(&h, typeflag_of(e->type), e->mode & 07777);
	if (put_fields(&h, e, stv_buf_str(&name), name.len, &pax, err) < 0 ||
	    stv_buf_check(&pax, "a file's attributes", err) < 0)
		return -1;
	if (pax.len > 0)
		put_pax(ret, stv_buf_str(&name), &pax);
	stv_buf_add(ret, &h, sizeof(h));
	return stv_buf_check(ret, "a tar header", err);
}
