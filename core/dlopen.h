/*
 * core/dlopen.h - libraries that are loaded when they are first used.
 *
 * Starting the program must not pay for libarchive and libcurl (DESIGN.md,
 * Speed).  The note tells packagers what the ELF file's DT_NEEDED does not
 * (https://uapi-group.org/specifications/specs/elf_dlopen_metadata/).
 */
#ifndef STAVE_CORE_DLOPEN_H
#define STAVE_CORE_DLOPEN_H

#include <stdint.h>

/*
 * STV_DLOPEN_NOTE(var, feature, description, soname): put the note into the
 * object file; all are string literals but ${var}, the name of the constant.
 */
#define STV_DLOPEN_NOTE(var, feature, description, soname)                     \
	STV_DLOPEN_NOTE_JSON(var, "[{\"feature\":\"" feature                   \
				  "\",\"description\":\"" description          \
				  "\",\"priority\":\"required\","              \
				  "\"soname\":[\"" soname "\"]}]")

/* NOLINTBEGIN(bugprone-macro-parentheses): names and literals stand alone. */
#define STV_DLOPEN_NOTE_JSON(var, json)                                        \
	__attribute__((used, section(".note.dlopen"))) _Alignas(               \
		uint32_t) static const struct {                                \
		uint32_t name_size;                                            \
		uint32_t desc_size;                                            \
		uint32_t type;                                                 \
		char name[4];                                                  \
		_Alignas(uint32_t) char desc[sizeof(json)];                    \
	} var = {4, sizeof(json), UINT32_C(0x407c0c0a), "FDO", json}
/* NOLINTEND(bugprone-macro-parentheses) */

#endif /* STAVE_CORE_DLOPEN_H */
