/*
 * builder/sandbox/hostfiles.c - /etc/resolv.conf and /etc/hosts for a RUN.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/buf.h"
#include "core/cleanup.h"
#include "core/err.h"
#include "core/fsat.h"
#include "core/mem.h"

#include "builder/sandbox/sandbox.h"

/* Both files together fit the sandbox's own tmpfs (child_root.c). */
#define MAX_HOST_FILE ((size_t)256 << 10)

/* ---- resolv.conf --------------------------------------------------------- */

/* "nameserver 127.0.0.53": reachable from the host's network only. */
static bool
is_loopback_server(const char *line, size_t n)
{
	static const char key[] = "nameserver";
	size_t at = strspn(line, " \t");

	if (at + sizeof(key) > n ||
	    strncmp(line + at, key, sizeof(key) - 1) != 0)
		return false;
	at += sizeof(key) - 1;
	if (line[at] != ' ' && line[at] != '\t')
		return false;
	at += strspn(line + at, " \t");
	return strncmp(line + at, "127.", 4) == 0 ||
	       strncmp(line + at, "::1", 3) == 0;
}

static void
drop_loopback(const char *text, struct stv_buf *ret)
{
	while (*text != '\0') {
		size_t n = strcspn(text, "\n");

		n += text[n] == '\n';
		if (!is_loopback_server(text, n))
			stv_buf_add(ret, text, n);
		text += n;
	}
}

int
sbx_make_resolv_conf(enum sbx_net net, char **ret, struct stv_err **err)
{
	stv_auto_fd fd =
		open("/etc/resolv.conf", O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	stv_auto_buf text = STV_BUF_INIT(MAX_HOST_FILE);
	stv_auto_buf kept = STV_BUF_INIT(MAX_HOST_FILE);

	if (fd < 0 && errno != ENOENT)
		return stv_fail_errno(err, errno, "opening /etc/resolv.conf");
	if (fd >= 0 && stv_fsat_read_fd(fd, MAX_HOST_FILE, "/etc/resolv.conf",
					&text, err) < 0)
		return -1;
	if (net == SBX_NET_HOST) {
		*ret = stv_buf_take(&text);
		return 0;
	}
	drop_loopback(stv_buf_str(&text), &kept);
	*ret = stv_buf_take(&kept);
	return 0;
}

/* ---- hosts --------------------------------------------------------------- */

static bool
is_address(const char *s)
{
	unsigned char bytes[sizeof(struct in6_addr)];

	return inet_pton(AF_INET, s, bytes) == 1 ||
	       inet_pton(AF_INET6, s, bytes) == 1;
}

/* A name that cannot start a new line or field of the file. */
static bool
is_host_name(const char *s, size_t n)
{
	if (n == 0 || n > 253)
		return false;
	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)s[i];

		if (c <= ' ' || c == '#' || c == 0x7f)
			return false;
	}
	return true;
}

/* NAME:ADDRESS or NAME=ADDRESS, the address perhaps in brackets. */
static int
add_host(struct stv_buf *b, const char *entry, struct stv_err **err)
{
	size_t n = strcspn(entry, "=");
	stv_auto_free char *address = NULL;
	size_t len;

	if (entry[n] == '\0')
		n = strcspn(entry, ":");
	if (entry[n] == '\0' || !is_host_name(entry, n))
		goto bad;
	address = stv_xstrdup(entry + n + 1);
	len = strlen(address);
	if (len > 2 && address[0] == '[' && address[len - 1] == ']') {
		memmove(address, address + 1, len - 2);
		address[len - 2] = '\0';
	}
	if (!is_address(address))
		goto bad;
	stv_buf_addf(b, "%s\t%.*s\n", address, (int)n, entry);
	return 0;
bad:
	stv_fail(err, STV_E_USAGE, "bad --add-host '%s'", entry);
	stv_err_hint(*err, "write NAME:ADDRESS, for instance "
			   "'--add-host db:10.0.0.5'");
	return -1;
}

int
sbx_make_hosts(const char *hostname, const struct stv_strs *add_hosts,
	       char **ret, struct stv_err **err)
{
	stv_auto_buf b = STV_BUF_INIT(MAX_HOST_FILE);

	stv_buf_addf(&b, "127.0.0.1\tlocalhost %s\n",
		     hostname != NULL ? hostname : SBX_HOSTNAME);
	stv_buf_adds(&b, "::1\tlocalhost ip6-localhost ip6-loopback\n");
	for (size_t i = 0; add_hosts != NULL && i < add_hosts->len; i++) {
		if (add_host(&b, add_hosts->v[i], err) < 0)
			return -1;
	}
	if (stv_buf_check(&b, "/etc/hosts", err) < 0)
		return -1;
	*ret = stv_buf_take(&b);
	return 0;
}
