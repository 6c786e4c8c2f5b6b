/*
 * registry/psl_dl.h - the public suffix list of libpsl, loaded when needed.
 *
 * libcurl uses the same library for cookies, so it is nearly always there;
 * without it nobody is of anybody's domain.
 */
#ifndef STAVE_REGISTRY_PSL_DL_H
#define STAVE_REGISTRY_PSL_DL_H

#include <stdbool.h>

/*
 * reg_psl_is_same_domain(a, b): have two host names, in lower case, the same
 * registrable domain ("registry.example.co.uk", "auth.example.co.uk")?
 * False where libpsl is not installed.  Threads: any.
 */
bool reg_psl_is_same_domain(const char *a, const char *b);

#endif /* STAVE_REGISTRY_PSL_DL_H */
