/* parser/utf8.h - code points of text that may be no UTF-8. */
#ifndef STAVE_PARSER_UTF8_H
#define STAVE_PARSER_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A byte that is no UTF-8 becomes the code point DF_BAD_BYTE + the byte. */
#define DF_BAD_BYTE 0x110000U

/*
 * df_utf8_next(p, n, ret): decode the code point that ${n} (> 0) bytes begin
 * with.  Returns: its bytes; 1 where the first byte is no UTF-8.
 */
size_t df_utf8_next(const char *p, size_t n, uint32_t *ret);

/*
 * df_utf8_is_letter(c): may it stand in the name of a variable?  Letters of
 * all scripts; symbols, punctuation and blanks beyond ASCII are known by their
 * blocks.
 */
bool df_utf8_is_letter(uint32_t c);

#endif /* STAVE_PARSER_UTF8_H */
