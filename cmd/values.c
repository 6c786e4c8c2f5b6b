/* cmd/values.c - option values with a syntax of their own. */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "core/cleanup.h"
#include "core/err.h"
#include "core/mem.h"

#include "cmd/values.h"

/* docker/go-units, ulimit.go */
static const struct {
	const char *name;
	int resource;
} limits[] = {
	{"core", RLIMIT_CORE},	       {"cpu", RLIMIT_CPU},
	{"data", RLIMIT_DATA},	       {"fsize", RLIMIT_FSIZE},
	{"locks", RLIMIT_LOCKS},       {"memlock", RLIMIT_MEMLOCK},
	{"msgqueue", RLIMIT_MSGQUEUE}, {"nice", RLIMIT_NICE},
	{"nofile", RLIMIT_NOFILE},     {"nproc", RLIMIT_NPROC},
	{"rss", RLIMIT_RSS},	       {"rtprio", RLIMIT_RTPRIO},
	{"rttime", RLIMIT_RTTIME},     {"sigpending", RLIMIT_SIGPENDING},
	{"stack", RLIMIT_STACK},
};

static int
bad_ulimit(const char *s, struct stv_err **err)
{
	stv_fail(err, STV_E_USAGE, "--ulimit: '%s' is not a limit", s);
	stv_err_hint(*err, "Write NAME=SOFT[:HARD], such as nofile=1024:2048; "
			   "-1 is unlimited.");
	return -1;
}

/* A number or -1 up to ${end}; NULL where it is none. */
static const char *
parse_limit(const char *s, rlim_t *ret)
{
	size_t n = strspn(s, "0123456789");

	if (strncmp(s, "-1", 2) == 0) {
		*ret = RLIM_INFINITY;
		return s + 2;
	}
	if (n == 0 || n > 18)
		return NULL;
	*ret = strtoull(s, NULL, 10);
	return s + n;
}

int
cmd_ulimit_parse(const char *s, struct sbx_rlimit *ret, struct stv_err **err)
{
	size_t n = strcspn(s, "="), i;
	const char *at;

	for (i = 0; i < STV_ARRAY_LEN(limits); i++)
		if (strncmp(limits[i].name, s, n) == 0 &&
		    limits[i].name[n] == '\0')
			break;
	if (s[n] != '=')
		return bad_ulimit(s, err);
	if (i == STV_ARRAY_LEN(limits)) {
		stv_fail(err, STV_E_USAGE, "--ulimit: there is no limit '%.*s'",
			 (int)n, s);
		stv_err_hint(*err, "Known are core, cpu, data, fsize, locks, "
				   "memlock, msgqueue, nice, nofile, nproc, "
				   "rss, rtprio, rttime, sigpending, stack.");
		return -1;
	}
	ret->resource = limits[i].resource;
	at = parse_limit(s + n + 1, &ret->soft);
	ret->hard = ret->soft;
	if (at != NULL && *at == ':')
		at = parse_limit(at + 1, &ret->hard);
	if (at == NULL || *at != '\0')
		return bad_ulimit(s, err);
	if (ret->soft > ret->hard)
		return stv_fail(err, STV_E_USAGE,
				"--ulimit: '%s': the soft limit is above the "
				"hard one",
				s);
	return 0;
}

static int
bad_host(const char *s, struct stv_err **err)
{
	stv_fail(err, STV_E_USAGE, "--add-host: '%s' is not NAME:ADDRESS", s);
	stv_err_hint(*err, "Write db:10.1.2.3 or db=fd00::1.");
	return -1;
}

/* What /etc/hosts can hold as a name. */
static bool
is_host_name(const char *s, size_t n)
{
	static const char good[] = "abcdefghijklmnopqrstuvwxyz"
				   "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_";

	return n > 0 && n < 256 && strspn(s, good) >= n;
}

int
cmd_host_parse(const char *s, char **ret, struct stv_err **err)
{
	size_t n = strcspn(s, "=:"), len;
	stv_auto_free char *address = NULL;
	unsigned char in[16];

	if (s[n] == '\0' || !is_host_name(s, n))
		return bad_host(s, err);
	len = strlen(s + n + 1);
	if (s[n + 1] == '[' && len > 2 && s[n + len] == ']')
		address = stv_xstrndup(s + n + 2, len - 2);
	else
		address = stv_xstrdup(s + n + 1);
	if (strcmp(address, "host-gateway") == 0)
		return stv_fail(err, STV_E_USAGE,
				"--add-host: host-gateway is not supported "
				"yet by this version");
	if (inet_pton(AF_INET, address, in) != 1 &&
	    inet_pton(AF_INET6, address, in) != 1)
		return bad_host(s, err);
	*ret = stv_xasprintf("%.*s:%s", (int)n, s, address);
	return 0;
}

int
cmd_network_parse(const char *s, enum sbx_net *ret, struct stv_err **err)
{
	*ret = SBX_NET_HOST;
	if (s == NULL || strcmp(s, "host") == 0 || strcmp(s, "default") == 0)
		return 0;
	if (strcmp(s, "none") == 0) {
		*ret = SBX_NET_NONE;
		return 0;
	}
	stv_fail(err, STV_E_USAGE, "--network: there is no mode '%s'", s);
	stv_err_hint(*err, "Choose host or none.");
	return -1;
}
