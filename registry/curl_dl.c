/* registry/curl_dl.c - loading libcurl. */
#include <dlfcn.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "core/dlopen.h"
#include "core/err.h"

#include "registry/curl_dl.h"

#define SONAME "libcurl.so.4"

STV_DLOPEN_NOTE_JSON(curl_note,
		     "[{\"feature\":\"http\",\"description\":"
		     "\"Downloads for ADD, pull and push\","
		     "\"priority\":\"recommended\",\"soname\":[\"" SONAME
		     "\"]}]");

/* Loaded once for the process: libcurl's own state is global as well. */
static pthread_once_t once = PTHREAD_ONCE_INIT;
static struct reg_curl table;
static bool is_loaded;
static char why[256];

static bool
load_one(void *lib, const char *name, void **ret)
{
	*ret = dlsym(lib, name);
	if (*ret == NULL)
		(void)snprintf(why, sizeof(why), "%s has no %s", SONAME, name);
	return *ret != NULL;
}

static void
load(void)
{
	/* It stays loaded: unloading OpenSSL's users is not safe. */
	void *lib = dlopen(SONAME, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
	void *fn;

	if (lib == NULL) {
		(void)snprintf(why, sizeof(why), "%s", dlerror());
		return;
	}
#define LOAD(name)                                                             \
	if (!load_one(lib, #name, &fn))                                        \
		return;                                                        \
	table.p_##name = (__typeof__(table.p_##name))fn;
	REG_CURL_FUNCTIONS(LOAD)
#undef LOAD
	if (table.p_curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		(void)snprintf(why, sizeof(why), "it cannot be initialised");
	else
		is_loaded = true;
}

const struct reg_curl *
reg_curl_load(struct stv_err **err)
{
	(void)pthread_once(&once, load);
	if (is_loaded)
		return &table;
	stv_fail(err, STV_E_NET, "cannot load the HTTP library: %s", why);
	stv_err_hint(*err, "Install libcurl (Debian: libcurl4, Alpine: "
			   "libcurl, Fedora: libcurl).");
	return NULL;
}
