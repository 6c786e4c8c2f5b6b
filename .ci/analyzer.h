/*
 * .ci/analyzer.h - what static analyzers need to be told; 'make tidy analyze'
 * includes it in front of every file but core/err.c.
 *
 * They look at one file at a time, and would follow "return stv_fail(...)" as
 * if it could return success with nothing set.
 */
#include "core/err.h"

#define stv_fail(...) ((void)stv_fail(__VA_ARGS__), -1)
#define stv_fail_errno(...) ((void)stv_fail_errno(__VA_ARGS__), -1)
#define stv_fail_errno_as(...) ((void)stv_fail_errno_as(__VA_ARGS__), -1)
#define stv_wrap(...) ((void)stv_wrap(__VA_ARGS__), -1)
#define stv_err_at(...) ((void)stv_err_at(__VA_ARGS__), -1)
