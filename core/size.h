/* core/size.h - sizes as people write them. */
#ifndef STAVE_CORE_SIZE_H
#define STAVE_CORE_SIZE_H

#include <stdbool.h>
#include <stdint.h>

/*
 * stv_size_parse(text, ret): "64m", "1.5GB", "512" as docker reads them: powers
 * of 1024.  Returns: false where it is no size, or larger than an int64_t.
 */
bool stv_size_parse(const char *text, uint64_t *ret);

#endif /* STAVE_CORE_SIZE_H */
