/* core/cleanup.h - scope cleanup by attribute, and handing objects over. */
#ifndef STAVE_CORE_CLEANUP_H
#define STAVE_CORE_CLEANUP_H

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#define STV_CLEANUP(fn) __attribute__((__cleanup__(fn)))

/*
 * STV_DEFINE_CLEANUP(type, fn): make stv_auto(name) usable for pointers to
 * ${type}, where ${fn} is the destructor (which accepts NULL).
 */
#define STV_DEFINE_CLEANUP(name, fn)                                           \
	static inline void stv_cleanup_##name(struct name **p)                 \
	{                                                                      \
		fn(*p);                                                        \
	}                                                                      \
	struct name

/* stv_auto(name) *p = NULL: a pointer that is destroyed with its scope. */
#define stv_auto(name) STV_CLEANUP(stv_cleanup_##name) struct name

/* A pointer of any type, for reading one whose type is not known. */
typedef void *__attribute__((__may_alias__)) stv_any_ptr;

/* stv_free_p(p): free(*p), for stv_auto_free. */
static inline void
stv_free_p(void *p)
{
	free(*(stv_any_ptr *)p);
}

/* stv_close_p(fd): close *fd unless negative; errno is kept. */
static inline void
stv_close_p(const int *fd)
{
	int saved = errno;

	if (*fd >= 0)
		(void)close(*fd);
	errno = saved;
}

#define stv_auto_free STV_CLEANUP(stv_free_p)
#define stv_auto_fd STV_CLEANUP(stv_close_p) int

/* stv_steal(&p): the value of p, which becomes NULL. */
#define stv_steal(pp)                                                          \
	(__extension__({                                                       \
		__typeof__(*(pp)) stv_stolen = *(pp);                          \
		*(pp) = NULL;                                                  \
		stv_stolen;                                                    \
	}))

/* stv_steal_fd(fd): the value of *fd, which becomes -1. */
static inline int
stv_steal_fd(int *fd)
{
	int taken = *fd;

	*fd = -1;
	return taken;
}

#define STV_ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

#endif /* STAVE_CORE_CLEANUP_H */
