/* core/archive_lib.h - libarchive, loaded when it is first used. */
#ifndef STAVE_CORE_ARCHIVE_LIB_H
#define STAVE_CORE_ARCHIVE_LIB_H

#include <archive.h>
#include <archive_entry.h>

struct stv_err; /* core/err.h */

/*
 * Every function of libarchive that is used; nothing else of it can be
 * reached.  Only reading is here: what is unpacked is written by us (B01).
 */
#define STV_ARCHIVE_FUNCTIONS(X)                                               \
	X(archive_read_new)                                                    \
	X(archive_read_free)                                                   \
	X(archive_read_support_format_tar)                                     \
	X(archive_read_support_format_raw)                                     \
	X(archive_read_support_format_empty)                                   \
	X(archive_read_append_filter)                                          \
	X(archive_read_open2)                                                  \
	X(archive_read_next_header)                                            \
	X(archive_read_data_block)                                             \
	X(archive_filter_bytes)                                                \
	X(archive_error_string)                                                \
	X(archive_set_error)                                                   \
	X(archive_entry_pathname)                                              \
	X(archive_entry_hardlink)                                              \
	X(archive_entry_symlink)                                               \
	X(archive_entry_filetype)                                              \
	X(archive_entry_mode)                                                  \
	X(archive_entry_uid)                                                   \
	X(archive_entry_gid)                                                   \
	X(archive_entry_size)                                                  \
	X(archive_entry_mtime)                                                 \
	X(archive_entry_mtime_nsec)                                            \
	X(archive_entry_rdevmajor)                                             \
	X(archive_entry_rdevminor)                                             \
	X(archive_entry_sparse_count)                                          \
	X(archive_entry_xattr_reset)                                           \
	X(archive_entry_xattr_next)

struct stv_archive_lib {
/* NOLINTNEXTLINE(bugprone-macro-parentheses): a member's name. */
#define STV_ARCHIVE_MEMBER(f) __typeof__(f) *f;
	STV_ARCHIVE_FUNCTIONS(STV_ARCHIVE_MEMBER)
#undef STV_ARCHIVE_MEMBER
};

/*
 * stv_archive_lib(err): the table, loaded once for the process; never call it
 * first after a chroot.  Threads: any.
 * Errors: STV_E_IO where libarchive is not installed.
 */
const struct stv_archive_lib *stv_archive_lib(struct stv_err **err);

#endif /* STAVE_CORE_ARCHIVE_LIB_H */
