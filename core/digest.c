/* core/digest.c - content digests as values (OpenSSL's SHA-256). */
#include <string.h>

#include <openssl/evp.h>

#include "core/err.h"
#include "core/mem.h"

#include "core/digest.h"

struct stv_hash {
	EVP_MD_CTX *ctx;
};

static void
start(struct stv_hash *h)
{
	if (EVP_DigestInit_ex(h->ctx, EVP_sha256(), NULL) != 1)
		STV_BUG("SHA-256 cannot be started");
}

struct stv_hash *
stv_hash_new(void)
{
	struct stv_hash *h = stv_xcalloc(1, sizeof(*h));

	h->ctx = EVP_MD_CTX_new();
	if (h->ctx == NULL)
		STV_BUG("no memory for a SHA-256 context");
	start(h);
	return h;
}

void
stv_hash_add(struct stv_hash *h, const void *p, size_t n)
{
	if (n > 0 && EVP_DigestUpdate(h->ctx, p, n) != 1)
		STV_BUG("SHA-256 failed");
}

void
stv_hash_add_field(struct stv_hash *h, const void *p, size_t n)
{
	uint8_t len[8];
	uint64_t v = n;

	for (size_t i = 0; i < sizeof(len); i++, v >>= 8)
		len[i] = (uint8_t)(v & 0xff);
	stv_hash_add(h, len, sizeof(len));
	stv_hash_add(h, p, n);
}

struct stv_digest
stv_hash_end(struct stv_hash *h)
{
	struct stv_digest d = {{0}};
	unsigned int n = 0;

	if (EVP_DigestFinal_ex(h->ctx, d.bytes, &n) != 1 ||
	    n != sizeof(d.bytes))
		STV_BUG("SHA-256 cannot be finished");
	start(h);
	return d;
}

void
stv_hash_free(struct stv_hash *h)
{
	if (h == NULL)
		return;
	EVP_MD_CTX_free(h->ctx);
	free(h);
}

struct stv_digest
stv_digest_of(const void *p, size_t n)
{
	struct stv_digest d = {{0}};
	unsigned int len = 0;

	if (EVP_Digest(p, n, d.bytes, &len, EVP_sha256(), NULL) != 1)
		STV_BUG("SHA-256 failed");
	return d;
}

bool
stv_digest_equal(const struct stv_digest *a, const struct stv_digest *b)
{
	return memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

int
stv_digest_cmp(const struct stv_digest *a, const struct stv_digest *b)
{
	return memcmp(a->bytes, b->bytes, sizeof(a->bytes));
}

const char *
stv_digest_hex(const struct stv_digest *d, char buf[STV_DIGEST_STR_MAX])
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < sizeof(d->bytes); i++) {
		buf[2 * i] = digits[d->bytes[i] >> 4];
		buf[2 * i + 1] = digits[d->bytes[i] & 0xf];
	}
	buf[STV_SHA256_HEX_LEN] = '\0';
	return buf;
}

const char *
stv_digest_str(const struct stv_digest *d, char buf[STV_DIGEST_STR_MAX])
{
	static const char prefix[] = "sha256:";
	char hex[STV_DIGEST_STR_MAX];
	size_t n = sizeof(prefix) - 1;

	memcpy(buf, prefix, n);
	memcpy(buf + n, stv_digest_hex(d, hex), STV_SHA256_HEX_LEN + 1);
	return buf;
}

static int
hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

int
stv_digest_parse_hex(const char *s, size_t n, struct stv_digest *ret)
{
	struct stv_digest d;

	if (n != STV_SHA256_HEX_LEN)
		return -1;
	for (size_t i = 0; i < sizeof(d.bytes); i++) {
		int hi = hex_value(s[2 * i]), lo = hex_value(s[2 * i + 1]);

		if (hi < 0 || lo < 0)
			return -1;
		d.bytes[i] = (uint8_t)(hi << 4 | lo);
	}
	*ret = d;
	return 0;
}

int
stv_digest_parse(const char *s, struct stv_digest *ret, struct stv_err **err)
{
	if (strncmp(s, "sha256:", 7) == 0 &&
	    stv_digest_parse_hex(s + 7, strlen(s + 7), ret) == 0)
		return 0;
	stv_fail(err, STV_E_DIGEST, "'%.100s' is not a digest", s);
	stv_err_hint(*err, "A digest is 'sha256:' and 64 lower-case "
			   "hexadecimal digits.");
	return -1;
}
