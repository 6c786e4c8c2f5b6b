/*
 * registry/curl_dl.h - libcurl, loaded when it is first needed.
 *
 * Linking it would cost every command several milliseconds at its start
 * (DESIGN.md, Speed).  The types come from curl's own header.
 */
#ifndef STAVE_REGISTRY_CURL_DL_H
#define STAVE_REGISTRY_CURL_DL_H

/* The checking macros would name the functions that we do not link. */
#define CURL_DISABLE_TYPECHECK
#include <curl/curl.h>

struct stv_err; /* core/err.h */

#define REG_CURL_FUNCTIONS(X)                                                  \
	X(curl_global_init)                                                    \
	X(curl_easy_init)                                                      \
	X(curl_easy_reset)                                                     \
	X(curl_easy_setopt)                                                    \
	X(curl_easy_pause)                                                     \
	X(curl_easy_getinfo)                                                   \
	X(curl_easy_strerror)                                                  \
	X(curl_easy_cleanup)                                                   \
	X(curl_multi_init)                                                     \
	X(curl_multi_setopt)                                                   \
	X(curl_multi_add_handle)                                               \
	X(curl_multi_remove_handle)                                            \
	X(curl_multi_perform)                                                  \
	X(curl_multi_poll)                                                     \
	X(curl_multi_wakeup)                                                   \
	X(curl_multi_info_read)                                                \
	X(curl_multi_cleanup)                                                  \
	X(curl_slist_append)                                                   \
	X(curl_slist_free_all)                                                 \
	X(curl_getdate)                                                        \
	X(curl_url)                                                            \
	X(curl_url_set)                                                        \
	X(curl_url_get)                                                        \
	X(curl_url_cleanup)                                                    \
	X(curl_free)

#define REG_CURL_MEMBER(name) __typeof__(name) *p_##name;

/* The functions of libcurl that we use: c->p_curl_easy_init() and so on. */
struct reg_curl {
	REG_CURL_FUNCTIONS(REG_CURL_MEMBER)
};

/*
 * reg_curl_load(err): the table; loaded and initialised by the first call.
 * Borrows: it stays until the program ends.  Threads: any.
 * Errors:  STV_E_NET: it is not installed, with the package to install.
 */
const struct reg_curl *reg_curl_load(struct stv_err **err);

#endif /* STAVE_REGISTRY_CURL_DL_H */
