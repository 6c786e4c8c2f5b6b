/* core/archive_lib.c - libarchive, loaded when it is first used. */
#include <dlfcn.h>
#include <pthread.h>
#include <stdbool.h>
#include <string.h>

#include "core/cleanup.h"
#include "core/dlopen.h"
#include "core/err.h"

#include "core/archive_lib.h"

#define SONAME "libarchive.so.13"

STV_DLOPEN_NOTE(note_libarchive, "archive", "Reading tar archives", SONAME);

/* Set once, then only read. */
static struct stv_archive_lib lib;
static bool is_loaded;
static char why_not[256];
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void
load(void)
{
	void *handle = dlopen(SONAME, RTLD_NOW | RTLD_LOCAL);
	const char *why;

	if (handle != NULL) {
		is_loaded = true;
#define LOAD(f)                                                                \
	*(void **)(&lib.f) = dlsym(handle, #f);                                \
	is_loaded = is_loaded && lib.f != NULL;
		STV_ARCHIVE_FUNCTIONS(LOAD)
#undef LOAD
	}
	if (is_loaded)
		return;
	why = dlerror(); /* NOLINT(concurrency-mt-unsafe): under pthread_once */
	strncpy(why_not, why != NULL ? why : "unknown", sizeof(why_not) - 1);
}

const struct stv_archive_lib *
stv_archive_lib(struct stv_err **err)
{
	(void)pthread_once(&once, load);
	if (is_loaded)
		return &lib;
	stv_fail(err, STV_E_IO, "cannot load %s: %s", SONAME, why_not);
	stv_err_hint(*err, "Install libarchive (Debian: libarchive13).");
	return NULL;
}
