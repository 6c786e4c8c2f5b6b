/* core/limits.h - every bound of stave, with the reason for its number. */
#ifndef STAVE_CORE_LIMITS_H
#define STAVE_CORE_LIMITS_H

#include <stddef.h>
#include <stdint.h>

/* Dockerfile, .dockerignore: THREATS D09.  Also keeps offsets in 32 bits. */
#define STV_MAX_SOURCE ((size_t)16 << 20)
/* The reference refuses physical lines of 64 KiB and more (DOCKERFILE.md). */
#define STV_MAX_PHYSICAL_LINE ((size_t)65536)
/* A logical line after joining; THREATS D09. */
#define STV_MAX_LINE ((size_t)1 << 20)
/* One expanded string, and all of one file together; THREATS D09. */
#define STV_MAX_EXPANDED ((size_t)1 << 20)
#define STV_MAX_EXPANDED_TOTAL ((size_t)16 << 20)
/* Nested ${a:-${b:-...}}; THREATS D09. */
#define STV_MAX_NESTING 64
/* Findings shown for one file before the rest is only counted. */
#define STV_MAX_DIAGS 20
/* The same of a linter, whose output programs read too. */
#define STV_MAX_FINDINGS 1000
/* Entries of a context that a linter looks at before it gives up. */
#define STV_MAX_LINT_ENTRIES 200000

/* JSON from outside: manifest and index, config, depth; THREATS C11. */
#define STV_MAX_MANIFEST ((size_t)4 << 20)
#define STV_MAX_CONFIG ((size_t)8 << 20)
#define STV_MAX_JSON_DEPTH 64
#define STV_MAX_INDEX_ENTRIES 10000
#define STV_MAX_INDEX_DEPTH 4
/* A manifest list here: an index, and where each entry is from. */
#define STV_MAX_LIST (STV_MAX_MANIFEST * 2)
/* All documents below one index that are held at the same time. */
#define STV_MAX_INDEX_TEXT ((size_t)64 << 20)

/* Layer tar: THREATS B15, B16. */
#define STV_MAX_PAX_BLOCK ((size_t)1 << 20)
#define STV_MAX_PATH ((size_t)4096)
#define STV_MAX_NAME ((size_t)255)
#define STV_MAX_XATTR ((size_t)64 << 10)
#define STV_MAX_XATTR_TOTAL ((size_t)1 << 20)
#define STV_MAX_TAR_ENTRIES ((uint64_t)10000000)
#define STV_MAX_TAR_DEPTH 1024
#define STV_MAX_LAYER ((uint64_t)64 << 30)
/* The list of what a COPY took, kept for explanations: some 300 000 files. */
#define STV_MAX_INPUTS ((size_t)32 << 20)
/* Which steps of a build ran and why; a line names its instruction. */
#define STV_MAX_JOURNAL ((size_t)64 << 20)
/* Decompression: abort above this ratio once this much came out; B17. */
#define STV_MAX_RATIO 2000
#define STV_RATIO_GRACE ((uint64_t)1 << 30)
#define STV_MAX_ZSTD_WINDOW_LOG 27
/* Threads that compress one stream: more only wait for the disk. */
#define STV_MAX_PACKERS 16

/*
 * Variables, labels and volumes of an image, and arguments of a file: each is
 * looked for in a list, and execve(2) takes less.
 */
#define STV_MAX_VARIABLES 10000
/* Stages of a file; what looks for names among them is quadratic. */
#define STV_MAX_STAGES 10000
/* moby's maxLayerDepth (CONVENTIONS D4); warned from 100 on. */
#define STV_MAX_LAYERS 125
/* overlayfs: 501 lower directories are EINVAL (RELIABILITY V14). */
#define STV_MAX_OVERLAY_LOWERS 480

/* /etc/passwd and /etc/group of an image: THREATS B12. */
#define STV_MAX_PASSWD ((size_t)1 << 20)
#define STV_MAX_PASSWD_LINE ((size_t)64 << 10)
#define STV_MAX_GROUPS 1024

/* One line of a step's output in the display; the log keeps all (D17). */
#define STV_MAX_LOG_LINE ((size_t)64 << 10)
#define STV_MAX_STEP_TAIL ((size_t)2 << 20)

/* What another program (git) may say: ls-remote of a large server is 20 MB. */
#define STV_MAX_PROC_OUTPUT ((size_t)64 << 20)
#define STV_MAX_PROC_ERRORS ((size_t)4096)

/* A reference as a user types it (distribution grammar, THREATS C14). */
#define STV_MAX_REFERENCE ((size_t)255)

#endif /* STAVE_CORE_LIMITS_H */
