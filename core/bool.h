/* core/bool.h - the words for true and false that docker takes. */
#ifndef STAVE_CORE_BOOL_H
#define STAVE_CORE_BOOL_H

#include <stddef.h>

/*
 * stv_bool_parse(s, len): Go's strconv.ParseBool: "1", "t", "true" ... are 1,
 * "0", "f", "false" ... are 0.  Returns: -1 for all others.
 */
int stv_bool_parse(const char *s, size_t len);

#endif /* STAVE_CORE_BOOL_H */
