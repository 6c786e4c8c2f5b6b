/* core/bool.c - the words for true and false that docker takes. */
#include <string.h>

#include "core/cleanup.h"

#include "core/bool.h"

int
stv_bool_parse(const char *s, size_t len)
{
	static const char *const words[2][6] = {
		{"0", "f", "F", "false", "FALSE", "False"},
		{"1", "t", "T", "true", "TRUE", "True"},
	};

	for (int is = 0; is < 2; is++)
		for (size_t i = 0; i < STV_ARRAY_LEN(words[is]); i++)
			if (strlen(words[is][i]) == len &&
			    memcmp(s, words[is][i], len) == 0)
				return is;
	return -1;
}
