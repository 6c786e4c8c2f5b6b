/* cache/inputs.c - the lists of the files that COPYs took. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/buf.h"
#include "core/cleanup.h"
#include "core/codec.h"
#include "core/err.h"
#include "core/fsat.h"
#include "core/limits.h"
#include "core/stream.h"

#include "cache/store_internal.h"

#include "cache/note.h"

/* Half of a line are digests, which nothing compresses: more is in vain. */
#define LEVEL 1

/* "inputs/<hex>" */
static void
path_of(const struct stv_digest *d, char ret[sizeof(CAS_INPUTS) + 72])
{
	char hex[STV_DIGEST_STR_MAX];

	(void)snprintf(ret, sizeof(CAS_INPUTS) + 72, CAS_INPUTS "/%s",
		       stv_digest_hex(d, hex));
}

static int
compress_text(const void *text, size_t n, struct stv_buf *ret,
	      struct stv_err **err)
{
	stv_auto(stv_sink) *to = stv_sink_buf(ret, "a list of files");
	stv_auto(stv_sink) *zstd = stv_sink_zstd(to, LEVEL);

	if (zstd->write(zstd, text, n, err) < 0)
		return -1;
	return stv_codec_end(zstd, err);
}

int
cas_inputs_put(struct cas_store *s, const void *text, size_t n,
	       struct stv_digest *ret, struct stv_err **err)
{
	stv_auto_buf packed = STV_BUF_INIT(STV_MAX_INPUTS);
	char path[sizeof(CAS_INPUTS) + 72];

	if (compress_text(text, n, &packed, err) < 0)
		return -1;
	*ret = stv_digest_of(stv_buf_str(&packed), packed.len);
	path_of(ret, path);
	if (faccessat(s->root_fd, path, F_OK, 0) == 0)
		return 0;
	if (mkdirat(s->root_fd, CAS_INPUTS, 0700) < 0 && errno != EEXIST)
		return stv_fail_errno(err, errno, "cannot make '%s/%s'",
				      s->root, CAS_INPUTS);
	return cas_replace(s, path, stv_buf_str(&packed), packed.len, false,
			   err);
}

/* The file's bytes where they are what their name says: 1, 0 or -1. */
static int
read_packed(struct cas_store *s, const struct stv_digest *d,
	    struct stv_buf *ret, struct stv_err **err)
{
	char path[sizeof(CAS_INPUTS) + 72];
	struct stv_digest is;

	path_of(d, path);
	if (stv_fsat_read_file(s->root_fd, path, STV_MAX_INPUTS, ret, err) <
	    0) {
		if (stv_err_code(*err) != STV_E_NOT_FOUND)
			return -1;
		stv_err_clear(err);
		return 0;
	}
	is = stv_digest_of(stv_buf_str(ret), ret->len);
	return stv_digest_equal(&is, d);
}

int
cas_inputs_read(struct cas_store *s, const struct stv_digest *d,
		struct stv_buf *ret, struct stv_err **err)
{
	stv_auto_buf packed = STV_BUF_INIT(STV_MAX_INPUTS);
	stv_auto(stv_in) *from = NULL, *plain = NULL;
	stv_auto(stv_sink) *to = NULL;
	int r = read_packed(s, d, &packed, err);

	if (r != 1)
		return r;
	from = stv_in_mem(stv_buf_str(&packed), packed.len);
	plain = stv_in_decode(from, NULL, err);
	if (plain == NULL)
		return -1;
	to = stv_sink_buf(ret, "a list of files");
	return stv_copy(plain, to, NULL, err) < 0 ? -1 : 1;
}
