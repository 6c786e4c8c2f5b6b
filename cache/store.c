/* cache/store.c - the store's directory: made, checked, opened. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/cleanup.h"
#include "core/err.h"
#include "core/fsat.h"
#include "core/mem.h"

#include "cache/db.h"
#include "cache/store_internal.h"

#include "cache/store.h"

#define LAYOUT_TEXT "{\"imageLayoutVersion\":\"1.0.0\"}"
#define INDEX_TEXT                                                             \
	"{\"schemaVersion\":2,\"mediaType\":"                                  \
	"\"application/vnd.oci.image.index.v1+json\",\"manifests\":[]}"

static const char *const folders[] = {
	"blobs",     CAS_BLOBS, CAS_SNAPSHOTS, CAS_TOC,
	CAS_CONTEXT, CAS_LOGS,	CAS_TMP,       CAS_CACHEMOUNTS,
};

/* What a store that was never finished may hold; see check_is_ours(). */
static const char *const known_names[] = {
	".",	      "..",	   "blobs",	 CAS_SNAPSHOTS,
	CAS_TOC,      CAS_CONTEXT, CAS_LOGS,	 CAS_TMP,
	CAS_META,     CAS_LAYOUT,  CAS_INDEX,	 CAS_LEASE,
	CAS_KEYS,     CAS_RESERVE, CAS_UNSYNCED, CAS_CACHEMOUNTS,
	"lost+found",
};

char *
cas_store_default_root(void)
{
	const char *env = getenv("STAVE_ROOT"), *home;

	if (env != NULL && *env != '\0')
		return stv_xstrdup(env);
	if (geteuid() == 0)
		return stv_xstrdup("/var/lib/stave");
	/* The XDG specification: a relative path is to be ignored. */
	env = getenv("XDG_DATA_HOME");
	if (env != NULL && *env == '/')
		return stv_xasprintf("%s/stave", env);
	home = getenv("HOME");
	if (home == NULL || *home == '\0')
		home = "/";
	return stv_xasprintf("%s/.local/share/stave", home);
}

static bool
is_known(const char *name)
{
	for (size_t i = 0; i < STV_ARRAY_LEN(known_names); i++)
		if (strcmp(name, known_names[i]) == 0)
			return true;
	return strncmp(name, CAS_META "-", strlen(CAS_META) + 1) == 0;
}

/*
 * A directory that is no store yet becomes one only when nothing but parts of
 * a store is in it: a mistyped root must not turn a home directory into one.
 */
static int
check_is_ours(struct cas_store *s, struct stv_err **err)
{
	int fd = openat(s->root_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *de;
	int result = 0;

	if (dir == NULL) {
		stv_fail_errno(err, errno, "cannot read '%s'", s->root);
		stv_close_p(&fd);
		return -1;
	}
	while (result == 0 && (de = readdir(dir)) != NULL) {
		if (is_known(de->d_name))
			continue;
		result = stv_fail(err, STV_E_INPUT,
				  "'%s' is not a store: it holds other files",
				  s->root);
		stv_err_hint(*err,
			     "Name an empty or a new directory as the store.");
	}
	(void)closedir(dir);
	return result;
}

/* Owner, mode and kind of the root (THREATS D13, B10, B21). */
static int
check_root(struct cas_store *s, struct stv_err **err)
{
	unsigned int flags = 0;
	struct stat st;

	if (fstat(s->root_fd, &st) < 0)
		return stv_fail_errno(err, errno, "cannot stat '%s'", s->root);
	if (st.st_uid != geteuid()) {
		stv_fail(err, STV_E_PRIVILEGE,
			 "store '%s' belongs to user %u, not to you (%u)",
			 s->root, (unsigned int)st.st_uid,
			 (unsigned int)geteuid());
		stv_err_hint(*err, "Set STAVE_ROOT to a directory of your own, "
				   "or run as the user that owns the store.");
		return -1;
	}
	if ((st.st_mode & 022) != 0) {
		stv_fail(err, STV_E_PRIVILEGE,
			 "others may write to the store '%s' (mode %04o)",
			 s->root, (unsigned int)(st.st_mode & 07777));
		stv_err_hint(*err,
			     "Check what is in it, then chmod it to 0700.");
		return -1;
	}
	/* What others can reach may run setuid from a layer (B10). */
	if ((st.st_mode & 077) != 0 && !s->is_readonly &&
	    fchmod(s->root_fd, 0700) < 0)
		return stv_fail_errno(err, errno, "cannot chmod '%s'", s->root);
	if (ioctl(s->root_fd, FS_IOC_GETFLAGS, &flags) == 0 &&
	    (flags & FS_CASEFOLD_FL) != 0)
		return stv_fail(err, STV_E_INPUT,
				"store '%s' lies in a directory that ignores "
				"case",
				s->root);
	return 0;
}

/* A link may stand for the root only if nobody else could have set it. */
static int
check_link(const char *root, struct stv_err **err)
{
	struct stat st;

	if (lstat(root, &st) < 0)
		return stv_fail_errno(err, errno, "cannot open the store '%s'",
				      root);
	if (S_ISLNK(st.st_mode) && st.st_uid != geteuid() && st.st_uid != 0)
		return stv_fail(err, STV_E_PRIVILEGE,
				"store '%s' is a symbolic link of another user",
				root);
	return 0;
}

static int
write_new_file(struct cas_store *s, const char *name, const char *text,
	       struct stv_err **err)
{
	if (faccessat(s->root_fd, name, F_OK, 0) == 0)
		return 0;
	return cas_replace(s, name, text, strlen(text), s->is_sync, err);
}

/*
 * The files of a new store; oci-layout comes last and says "complete".  One
 * process at a time: a late one must not put an empty index.json over what an
 * early one has listed there by now.
 */
static int
make_files(struct cas_store *s, struct stv_err **err)
{
	stv_auto_fd lock =
		openat(s->root_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (lock < 0 || flock(lock, LOCK_EX) < 0)
		return stv_fail_errno(err, errno, "cannot lock '%s'", s->root);
	if (write_new_file(s, CAS_INDEX, INDEX_TEXT, err) < 0)
		return -1;
	cas_reserve_make(s);
	if (s->is_sync && stv_fsat_sync_dir(s->root_fd, "blobs", err) < 0)
		return -1;
	return write_new_file(s, CAS_LAYOUT, LAYOUT_TEXT, err);
}

/* Make what is missing. */
static int
make_layout(struct cas_store *s, struct stv_err **err)
{
	bool is_new = faccessat(s->root_fd, CAS_LAYOUT, F_OK, 0) < 0;

	if (is_new && check_is_ours(s, err) < 0)
		return -1;
	/* Derived folders may be deleted at any time: made again each time. */
	for (size_t i = 0; i < STV_ARRAY_LEN(folders); i++)
		if (mkdirat(s->root_fd, folders[i], 0700) < 0 &&
		    errno != EEXIST)
			return stv_fail_errno(err, errno, "cannot make '%s/%s'",
					      s->root, folders[i]);
	return is_new ? make_files(s, err) : 0;
}

static int
open_root(struct cas_store *s, struct stv_err **err)
{
	if (!s->is_readonly &&
	    stv_fsat_mkdirs(AT_FDCWD, s->root, 0700, err) < 0)
		return stv_wrap(err, "making the store '%s'", s->root);
	if (check_link(s->root, err) < 0)
		return -1;
	s->root_fd = open(s->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (s->root_fd < 0)
		return stv_fail_errno(err, errno, "cannot open the store '%s'",
				      s->root);
	if (check_root(s, err) < 0)
		return -1;
	if (!s->is_readonly && make_layout(s, err) < 0)
		return stv_wrap(err, "making the store '%s'", s->root);
	s->blobs_fd = openat(s->root_fd, CAS_BLOBS,
			     O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (s->blobs_fd < 0)
		return stv_fail_errno(err, errno, "cannot open '%s/%s'",
				      s->root, CAS_BLOBS);
	return 0;
}

int
cas_store_open(const char *root, const struct cas_store_opts *opts,
	       struct cas_store **ret, struct stv_err **err)
{
	stv_auto(cas_store) *s = stv_xcalloc(1, sizeof(*s));

	s->root = stv_xstrdup(root);
	s->root_fd = s->blobs_fd = s->own_fd = s->own_lock_fd = -1;
	s->is_sync = opts->is_sync;
	s->is_readonly = opts->is_readonly;
	(void)pthread_mutex_init(&s->own_lock, NULL);
	(void)pthread_mutex_init(&s->db_lock, NULL);
	if (open_root(s, err) < 0)
		return -1;
	if (!s->is_readonly)
		cas_tmp_clean(s);
	*ret = stv_steal(&s);
	return 0;
}

void
cas_store_close(struct cas_store *s)
{
	if (s == NULL)
		return;
	cas_db_close(s);
	cas_own_close(s);
	stv_close_p(&s->blobs_fd);
	stv_close_p(&s->root_fd);
	(void)pthread_mutex_destroy(&s->own_lock);
	(void)pthread_mutex_destroy(&s->db_lock);
	free(s->root);
	free(s);
}

int
cas_store_rootfd(const struct cas_store *s)
{
	return s->root_fd;
}

const char *
cas_store_root(const struct cas_store *s)
{
	return s->root;
}
