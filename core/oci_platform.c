/* core/oci_platform.c - platforms: names, normal forms, which serves which. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "core/err.h"
#include "core/json.h"
#include "core/mem.h"

#include "core/oci.h"
#include "core/oci_internal.h"

#if defined(__x86_64__)
#define HOST_ARCH "amd64"
#elif defined(__aarch64__)
#define HOST_ARCH "arm64"
#elif defined(__arm__)
#define HOST_ARCH "arm"
#elif defined(__i386__)
#define HOST_ARCH "386"
#elif defined(__riscv) && __riscv_xlen == 64
#define HOST_ARCH "riscv64"
#elif defined(__powerpc64__) && defined(__LITTLE_ENDIAN__)
#define HOST_ARCH "ppc64le"
#elif defined(__s390x__)
#define HOST_ARCH "s390x"
#elif defined(__loongarch64)
#define HOST_ARCH "loong64"
#else
#error "what does Go call this architecture?"
#endif

/* Names with a meaning of their own when they stand alone; as Go has them. */
static const char *const known_os[] = {
	"aix",	   "android", "darwin",	 "dragonfly", "freebsd",
	"illumos", "ios",     "js",	 "linux",     "macos",
	"netbsd",  "openbsd", "solaris", "wasip1",    "windows"};
static const char *const known_arch[] = {
	"386",	   "aarch64", "amd64", "arm",	 "arm64",    "armel",  "armhf",
	"i386",	   "loong64", "mips",  "mips64", "mips64le", "mipsle", "ppc64",
	"ppc64le", "riscv64", "s390x", "wasm",	 "x86-64",   "x86_64"};

/* Spellings and what containerd's platforms package makes of them. */
static const struct arch_alias {
	char arch[8];
	char variant[4]; /* "*" = any */
	char to_arch[8];
	char to_variant[4]; /* "*" = keep */
} aliases[] = {
	{"i386", "*", "386", ""},	{"x86_64", "v1", "amd64", ""},
	{"x86-64", "v1", "amd64", ""},	{"amd64", "v1", "amd64", ""},
	{"x86_64", "*", "amd64", "*"},	{"x86-64", "*", "amd64", "*"},
	{"aarch64", "8", "arm64", ""},	{"aarch64", "v8", "arm64", ""},
	{"arm64", "8", "arm64", ""},	{"arm64", "v8", "arm64", ""},
	{"aarch64", "*", "arm64", "*"}, {"armhf", "*", "arm", "v7"},
	{"armel", "*", "arm", "v6"},	{"arm", "", "arm", "v7"},
	{"arm", "5", "arm", "v5"},	{"arm", "6", "arm", "v6"},
	{"arm", "7", "arm", "v7"},	{"arm", "8", "arm", "v8"},
};

void
stv_platform_fini(struct stv_platform *p)
{
	free(p->os);
	free(p->arch);
	free(p->variant);
	free(p->os_version);
	stv_strs_clear(&p->os_features);
	*p = (struct stv_platform){0};
}

void
stv_platform_copy(struct stv_platform *dst, const struct stv_platform *src)
{
	dst->os = oci_dup_or_null(src->os);
	dst->arch = oci_dup_or_null(src->arch);
	dst->variant = oci_dup_or_null(src->variant);
	dst->os_version = oci_dup_or_null(src->os_version);
	stv_strs_copy(&dst->os_features, &src->os_features);
}

static bool
is_in(const char *s, const char *const *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(s, list[i]) == 0)
			return true;
	return false;
}

/* Put *${p} into its normal form. */
static void
normalise(struct stv_platform *p)
{
	const char *variant = p->variant ? p->variant : "";

	if (strcmp(p->os, "macos") == 0) {
		free(p->os);
		p->os = stv_xstrdup("darwin");
	}
	for (size_t i = 0; i < STV_ARRAY_LEN(aliases); i++) {
		const struct arch_alias *a = &aliases[i];

		if (strcmp(a->arch, p->arch) != 0 ||
		    (strcmp(a->variant, "*") != 0 &&
		     strcmp(a->variant, variant) != 0))
			continue;
		free(p->arch);
		p->arch = stv_xstrdup(a->to_arch);
		if (strcmp(a->to_variant, "*") != 0) {
			free(p->variant);
			p->variant = *a->to_variant == '\0'
					     ? NULL
					     : stv_xstrdup(a->to_variant);
		}
		return;
	}
}

/* Cut "a/b/c" in lower case; the number of parts, or 0 where it is none. */
static size_t
cut(const char *s, char *parts[3])
{
	size_t n = 0;

	for (;;) {
		size_t len = strcspn(s, "/");

		if (len == 0 || n == 3)
			return 0;
		parts[n] = stv_xstrndup(s, len);
		for (char *c = parts[n++]; *c != '\0'; c++) {
			*c = (char)tolower((unsigned char)*c);
			if (!(*c >= 'a' && *c <= 'z') &&
			    !(*c >= '0' && *c <= '9') &&
			    strchr("_.-", *c) == NULL)
				return 0;
		}
		s += len;
		if (*s == '\0')
			return n;
		s++;
	}
}

int
stv_platform_parse(const char *s, struct stv_platform *ret,
		   struct stv_err **err)
{
	char *parts[3] = {NULL, NULL, NULL};
	size_t n = cut(s, parts);

	if (n == 1 && is_in(parts[0], known_arch, STV_ARRAY_LEN(known_arch))) {
		parts[1] = parts[0];
		parts[0] = stv_xstrdup("linux");
	} else if (n == 1 &&
		   is_in(parts[0], known_os, STV_ARRAY_LEN(known_os))) {
		parts[1] = stv_xstrdup(HOST_ARCH);
	} else if (n < 2) {
		for (size_t i = 0; i < 3; i++)
			free(parts[i]);
		stv_fail(err, STV_E_USAGE, "'%s' is not a platform", s);
		stv_err_hint(*err, "Write os/architecture, for instance "
				   "linux/amd64 or linux/arm64.");
		return -1;
	}
	*ret = (struct stv_platform){
		.os = parts[0],
		.arch = parts[1],
		.variant = parts[2],
	};
	normalise(ret);
	return 0;
}

void
stv_platform_host(struct stv_platform *ret)
{
	*ret = (struct stv_platform){
		.os = stv_xstrdup("linux"),
		.arch = stv_xstrdup(HOST_ARCH),
	};
	normalise(ret);
}

char *
stv_platform_str(const struct stv_platform *p)
{
	return stv_xasprintf("%s/%s%s%s", p->os ? p->os : "unknown",
			     p->arch ? p->arch : "unknown",
			     p->variant ? "/" : "",
			     p->variant ? p->variant : "");
}

/* "v7" as 7; what an absent variant stands for; -1 where it is another word. */
static long
variant_level(const struct stv_platform *p)
{
	char *end;
	long n;

	if (p->variant == NULL) {
		if (strcmp(p->arch, "amd64") == 0)
			return 1;
		return strcmp(p->arch, "arm64") == 0 ? 8 : 0;
	}
	if (p->variant[0] != 'v')
		return -1;
	n = strtol(p->variant + 1, &end, 10);
	return *end == '\0' && end != p->variant + 1 ? n : -1;
}

bool
stv_platform_match(const struct stv_platform *want,
		   const struct stv_platform *have)
{
	struct stv_platform w = {0}, h = {0};
	bool is_match = false;
	long wl, hl;

	if (want->os == NULL || want->arch == NULL || have->os == NULL ||
	    have->arch == NULL)
		return false;
	stv_platform_copy(&w, want);
	stv_platform_copy(&h, have);
	normalise(&w);
	normalise(&h);
	if (strcmp(w.os, h.os) == 0 && strcmp(w.arch, h.arch) == 0) {
		wl = variant_level(&w);
		hl = variant_level(&h);
		/* A processor runs what was made for its elders. */
		if (wl >= 0 && hl >= 0)
			is_match = hl <= wl;
		else
			is_match = w.variant != NULL && h.variant != NULL &&
				   strcmp(w.variant, h.variant) == 0;
	}
	stv_platform_fini(&w);
	stv_platform_fini(&h);
	return is_match;
}

int
oci_get_platform(const json_t *o, const char *where, struct stv_platform *ret,
		 struct stv_err **err)
{
	if (oci_get_dup(o, where, "architecture", &ret->arch, err) < 0 ||
	    oci_get_dup(o, where, "os", &ret->os, err) < 0 ||
	    oci_get_dup(o, where, "variant", &ret->variant, err) < 0 ||
	    oci_get_dup(o, where, "os.version", &ret->os_version, err) < 0)
		return -1;
	return stv_json_get_strs(o, where, "os.features", &ret->os_features,
				 NULL, err);
}
