/* parser/scanner.h - the generated headers, in the order that they need. */
#ifndef STAVE_PARSER_SCANNER_H
#define STAVE_PARSER_SCANNER_H

#include "parser/lex.h"

#include "parser/dockerfile.tab.h"

#include "parser/dockerfile.lex.h"

#endif /* STAVE_PARSER_SCANNER_H */
