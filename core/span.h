/* core/span.h - a half-open byte range in a numbered source file. */
#ifndef STAVE_CORE_SPAN_H
#define STAVE_CORE_SPAN_H

#include <stdint.h>

/*
 * Bytes [begin, end) of source number ${file} in a struct stv_sources.
 * ${file} 0 means "nowhere".
 */
struct stv_span {
	uint32_t begin;
	uint32_t end;
	uint32_t file;
};

#endif /* STAVE_CORE_SPAN_H */
