/*
 * builder/sandbox/seccomp_profile.h - the tables that the filter is made of.
 */
#ifndef STAVE_BUILDER_SANDBOX_SECCOMP_PROFILE_H
#define STAVE_BUILDER_SANDBOX_SECCOMP_PROFILE_H

#include <stddef.h>
#include <stdint.h>

enum sbx_seccomp_op {
	SBX_SECCOMP_ALWAYS,
	SBX_SECCOMP_LT,
	SBX_SECCOMP_EQ,
	SBX_SECCOMP_GT,
	SBX_SECCOMP_MASKED_EQ /* (argument & mask) == value */
};

/* A call that is allowed, or refused, by its first argument. */
struct sbx_seccomp_rule {
	const char *name;
	enum sbx_seccomp_op op;
	uint64_t value, mask;
	int errnum; /* 0: allow; else refuse with this instead of EPERM */
};

/* The number of a call that an older libseccomp does not know. */
struct sbx_seccomp_number {
	const char *name;
	uint32_t nr;
	uint32_t only; /* libseccomp's token of its one architecture, or 0 */
};

/* Allowed whatever the arguments. */
extern const char *const sbx_seccomp_allowed[];
extern const size_t sbx_seccomp_n_allowed;

extern const struct sbx_seccomp_rule sbx_seccomp_rules[];
extern const size_t sbx_seccomp_n_rules;

/* Ascending by number; the last is the highest that the profile knows. */
extern const struct sbx_seccomp_number sbx_seccomp_numbers[];
extern const size_t sbx_seccomp_n_numbers;

#endif /* STAVE_BUILDER_SANDBOX_SECCOMP_PROFILE_H */
