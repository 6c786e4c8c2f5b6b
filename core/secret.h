/*
 * core/secret.h - what in texts of the user may be secret (THREATS C19).
 *
 * Guesses, by names and forms, for what is shown and kept; no protection.
 */
#ifndef STAVE_CORE_SECRET_H
#define STAVE_CORE_SECRET_H

#include <stdbool.h>
#include <stddef.h>

/*
 * stv_secret_is_name(name): does a variable or parameter of that name hold a
 * secret, by what people call such ("API_TOKEN", "X-Amz-Signature")?
 */
bool stv_secret_is_name(const char *name);

/*
 * stv_secret_mask_urls(s, n): put '*' in the place of what is secret in the
 * URLs among ${n} bytes of text: the userinfo, but for that of ssh:// without a
 * password, and the values of secret parameters of the query.  The length stays
 * the same, so that places in it keep their meaning.
 */
void stv_secret_mask_urls(char *s, size_t n);

#endif /* STAVE_CORE_SECRET_H */
