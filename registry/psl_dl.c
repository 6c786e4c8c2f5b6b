/* registry/psl_dl.c - loading libpsl. */
#include <dlfcn.h>
#include <pthread.h>
#include <stdint.h>
#include <string.h>

#include "core/dlopen.h"

#include "registry/psl_dl.h"

#define SONAME "libpsl.so.5"

STV_DLOPEN_NOTE_JSON(psl_note,
		     "[{\"feature\":\"psl\",\"description\":\"Which token "
		     "servers get a registry's password\","
		     "\"priority\":\"suggested\",\"soname\":[\"" SONAME
		     "\"]}]");

/* libpsl.h's; the library is not needed to build. */
typedef const void *builtin_fn(void);
typedef const char *registrable_fn(const void *psl, const char *domain);

static pthread_once_t once = PTHREAD_ONCE_INIT;
static const void *list;
static registrable_fn *registrable;

static void
load(void)
{
	void *lib = dlopen(SONAME, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
	builtin_fn *builtin;

	if (lib == NULL)
		return;
	builtin = (builtin_fn *)(uintptr_t)dlsym(lib, "psl_builtin");
	registrable = (registrable_fn *)(uintptr_t)dlsym(
		lib, "psl_registrable_domain");
	if (builtin != NULL && registrable != NULL)
		list = builtin();
}

bool
reg_psl_is_same_domain(const char *a, const char *b)
{
	const char *x, *y;

	(void)pthread_once(&once, load);
	if (list == NULL)
		return false;
	x = registrable(list, a);
	y = registrable(list, b);
	return x != NULL && y != NULL && strcmp(x, y) == 0;
}
