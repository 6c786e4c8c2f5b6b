/* builder/chmod.c - the value of --chmod, octal or symbolic. */
#include <stddef.h>
#include <string.h>

#include "core/err.h"

#include "builder/chmod.h"

enum { WHO_USER = 4, WHO_GROUP = 2, WHO_OTHER = 1, WHO_ALL = 7 };

/* ${s} is shown escaped by whoever prints the error. */
static int
refuse(const char *s, struct stv_err **err)
{
	stv_fail(err, STV_E_CHECK, "invalid value '%s' of --chmod", s);
	stv_err_hint(*err, "Write an octal mode from 0 to 07777 or a symbolic "
			   "one as of chmod(1), such as 0755 or u=rwX,go=rX.");
	return -1;
}

static int
parse_octal(const char *s, struct bld_chmod *ret, struct stv_err **err)
{
	uint32_t mode = 0;

	for (const char *p = s; *p != '\0'; p++) {
		if (*p < '0' || *p > '7')
			return refuse(s, err);
		mode = mode * 8 + (uint32_t)(*p - '0');
		if (mode > 07777)
			return refuse(s, err);
	}
	*ret = (struct bld_chmod){.is_octal = true, .mode = mode};
	return 0;
}

static uint8_t
parse_who(const char **p)
{
	uint8_t who = 0;

	for (;; (*p)++) {
		if (**p == 'u')
			who |= WHO_USER;
		else if (**p == 'g')
			who |= WHO_GROUP;
		else if (**p == 'o')
			who |= WHO_OTHER;
		else if (**p == 'a')
			who |= WHO_ALL;
		else
			break;
	}
	/* Without a "who" chmod(1) asks the umask; there is none in a build. */
	return who != 0 ? who : WHO_ALL;
}

/* The letters behind an operator; false where there is a wrong one. */
static bool
parse_perm(const char **p, struct bld_chmod_clause *c)
{
	if (**p == 'u' || **p == 'g' || **p == 'o') {
		c->copy = *(*p)++;
		return true;
	}
	for (;; (*p)++) {
		if (**p == 'r')
			c->perm |= 4;
		else if (**p == 'w')
			c->perm |= 2;
		else if (**p == 'x')
			c->perm |= 1;
		else if (**p == 'X')
			c->is_cond_x = true;
		else if (**p == 's')
			c->is_setid = true;
		else if (**p == 't')
			c->is_sticky = true;
		else
			return true;
	}
}

static int
parse_symbolic(const char *s, struct bld_chmod *ret, struct stv_err **err)
{
	struct bld_chmod c = {0};
	const char *p = s;

	for (;;) {
		uint8_t who = parse_who(&p);

		if (*p != '+' && *p != '-' && *p != '=')
			return refuse(s, err);
		while (*p == '+' || *p == '-' || *p == '=') {
			struct bld_chmod_clause *k;

			if (c.n_clauses == BLD_CHMOD_MAX_CLAUSES)
				return refuse(s, err);
			k = &c.clauses[c.n_clauses++];
			k->who = who;
			k->op = *p++;
			if (!parse_perm(&p, k))
				return refuse(s, err);
		}
		if (*p == '\0')
			break;
		if (*p++ != ',')
			return refuse(s, err);
	}
	*ret = c;
	return 0;
}

int
bld_chmod_parse(const char *s, struct bld_chmod *ret, struct stv_err **err)
{
	if (*s == '\0')
		return refuse(s, err);
	if (*s >= '0' && *s <= '9')
		return parse_octal(s, ret, err);
	return parse_symbolic(s, ret, err);
}

/* rwx of one class, spread to all classes in ${who}. */
static uint32_t
spread(uint8_t who, uint32_t perm)
{
	uint32_t mode = 0;

	if (who & WHO_USER)
		mode |= perm << 6;
	if (who & WHO_GROUP)
		mode |= perm << 3;
	if (who & WHO_OTHER)
		mode |= perm;
	return mode;
}

static uint32_t
perm_of(const struct bld_chmod_clause *c, uint32_t mode, bool is_dir)
{
	uint32_t perm = c->perm;

	if (c->copy == 'u')
		perm = mode >> 6 & 7;
	else if (c->copy == 'g')
		perm = mode >> 3 & 7;
	else if (c->copy == 'o')
		perm = mode & 7;
	if (c->is_cond_x && (is_dir || (mode & 0111) != 0))
		perm |= 1;
	return perm;
}

static uint32_t
apply_clause(const struct bld_chmod_clause *c, uint32_t mode, bool is_dir)
{
	uint32_t bits = spread(c->who, perm_of(c, mode, is_dir));
	uint32_t cleared = spread(c->who, 7);

	if (c->is_setid && (c->who & WHO_USER))
		bits |= 04000;
	if (c->is_setid && (c->who & WHO_GROUP))
		bits |= 02000;
	if (c->is_sticky && (c->who & WHO_OTHER))
		bits |= 01000;
	if (c->op == '+')
		return mode | bits;
	if (c->op == '-')
		return mode & ~bits;
	/* '=' also takes away the set-id bit of each class that it names. */
	if (c->who & WHO_USER)
		cleared |= 04000;
	if (c->who & WHO_GROUP)
		cleared |= 02000;
	if (c->who & WHO_OTHER)
		cleared |= 01000;
	return (mode & ~cleared) | bits;
}

uint32_t
bld_chmod_apply(const struct bld_chmod *c, uint32_t mode, bool is_dir)
{
	if (c->is_octal)
		return c->mode;
	for (size_t i = 0; i < c->n_clauses; i++)
		mode = apply_clause(&c->clauses[i], mode, is_dir);
	return mode & 07777;
}
