/* registry/http_retry.c - which failures may pass, and how long to wait. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "core/mem.h"
#include "core/strs.h"

#include "registry/http_internal.h"

/* Is ${url} of that origin? */
static bool
is_of(const char *url, const char *origin)
{
	size_t n = strlen(origin);

	return strncmp(url, origin, n) == 0 &&
	       (url[n] == '\0' || strchr("/?#", url[n]) != NULL);
}

static bool
has(const struct reg_answered *a, const char *url)
{
	for (size_t i = 0; i < a->origins.len; i++)
		if (is_of(url, a->origins.v[i]))
			return true;
	return false;
}

bool
reg_answered_has(struct reg_answered *a, const char *url)
{
	bool is_there;

	(void)pthread_mutex_lock(&a->lock);
	is_there = has(a, url);
	(void)pthread_mutex_unlock(&a->lock);
	return is_there;
}

void
reg_answered_add(struct reg_answered *a, const char *url)
{
	const char *host = strstr(url, "://");
	size_t n;

	if (host == NULL)
		return;
	n = (size_t)(host + 3 - url) + strcspn(host + 3, "/?#");
	(void)pthread_mutex_lock(&a->lock);
	if (!has(a, url))
		stv_strs_take(&a->origins, stv_xstrndup(url, n));
	(void)pthread_mutex_unlock(&a->lock);
}

bool
reg_retry_is_status(int status)
{
	return status == 408 || status == 429 || status == 500 ||
	       status == 502 || status == 503 || status == 504;
}

/*
 * Did the connection end while TLS was set up?  libcurl has one code for that
 * and for what the other side does not want of us, which stays as it is; the
 * words are those of OpenSSL and of the system.
 */
static bool
is_broken_handshake(const char *reason)
{
	static const char *const words[] = {"SSL_ERROR_SYSCALL",
					    "reset by peer", "unexpected eof",
					    "Broken pipe"};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strstr(reason, words[i]) != NULL)
			return true;
	return false;
}

bool
reg_retry_is_broken(int code, const char *reason)
{
	switch (code) {
	case CURLE_RECV_ERROR:
	case CURLE_SEND_ERROR:
	case CURLE_GOT_NOTHING:
	case CURLE_PARTIAL_FILE:
	case CURLE_HTTP2:
	case CURLE_HTTP2_STREAM:
	case CURLE_OPERATION_TIMEDOUT:
	/* A kept connection was gone, and only we can rewind a body. */
	case CURLE_SEND_FAIL_REWIND:
		return true;
	case CURLE_SSL_CONNECT_ERROR:
		return is_broken_handshake(reason);
	default:
		return false;
	}
}

uint64_t
reg_retry_backoff_ms(uint32_t first_ms, unsigned n_tries)
{
	uint64_t ms = (uint64_t)first_ms << (n_tries - 1);
	uint32_t chance;

	if (getrandom(&chance, sizeof(chance), GRND_NONBLOCK) < 0)
		chance = 0;
	return ms / 2 + chance % (ms / 2 + 1);
}

int64_t
reg_retry_after_ms(const struct reg_curl *curl, const char *value)
{
	char *end;
	long long n;
	time_t when;

	if (value == NULL)
		return -1;
	errno = 0;
	n = strtoll(value, &end, 10);
	if (errno == 0 && end != value && *end == '\0' && n >= 0)
		return n > 1000000 ? 1000000000 : n * 1000;
	when = curl->p_curl_getdate(value, NULL);
	if (when < 0)
		return -1;
	n = (long long)when - (long long)time(NULL);
	return n < 0 ? 0 : n > 1000000 ? 1000000000 : n * 1000;
}
