/* builder/chmod.c - the value of --chmod, octal or symbolic. */
#include <stddef.h>
#include <string.h>

#include "core/err.h"

#include "builder/chmod.h"

enum {
	SETUID = 04000,
	SETGID = 02000,
	STICKY = 01000,
	R_ALL = 0444,
	W_ALL = 0222,
	X_ALL = 0111,
	STANDARD = SETUID | SETGID | 0777 /* what "=" without a class clears */
};

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

/* What stands behind one operator, while it is read. */
struct letters {
	struct bld_chmod *c;
	char op;
	uint16_t who;	 /* the bits that the classes own; 0: none was named */
	uint16_t perm;	 /* not yet a command */
	uint16_t cond_x; /* an X, not yet a command */
	bool is_cleared; /* "=" has cleared, or copied */
	bool is_full;
};

static void
add(struct letters *l, struct bld_chmod_cmd cmd)
{
	if (l->c->n_cmds == BLD_CHMOD_MAX_CMDS)
		l->is_full = true;
	else
		l->c->cmds[l->c->n_cmds++] = cmd;
}

/* The bits of ${perm} that the clause may touch. */
static uint16_t
owned(const struct letters *l, uint16_t perm)
{
	return l->who != 0 ? l->who & perm : perm;
}

static void
flush_perm(struct letters *l)
{
	if (l->op == '=')
		add(l, (struct bld_chmod_cmd){
			       .op = '-',
			       .bits = l->who != 0 ? l->who : STANDARD,
		       });
	add(l, (struct bld_chmod_cmd){
		       .op = l->op == '-' ? '-' : '+',
		       .bits = owned(l, l->perm),
	       });
	l->perm = 0;
}

static void
flush_cond_x(struct letters *l)
{
	if (l->cond_x != 0)
		add(l, (struct bld_chmod_cmd){
			       .op = l->op == '-' ? '-' : '+',
			       .is_cond = l->op != '-',
			       .bits = owned(l, l->cond_x),
		       });
	l->cond_x = 0;
}

/* "g=u": the classes in ${who} get what ${from} has. */
static void
add_copy(struct letters *l, char from)
{
	if (l->perm != 0)
		flush_perm(l);
	l->is_cleared = l->is_cleared || l->op == '=';
	flush_cond_x(l);
	add(l, (struct bld_chmod_cmd){
		       .op = from,
		       .copy = l->op,
		       .bits = owned(l, 0777),
	       });
}

/* 's' and 't' say nothing where only "others" are meant. */
static bool
is_for_others_only(const struct letters *l)
{
	return l->who != 0 && (l->who & ~0007) == 0;
}

static bool
take_letter(struct letters *l, char letter)
{
	switch (letter) {
	case 'r':
		l->perm |= R_ALL;
		return true;
	case 'w':
		l->perm |= W_ALL;
		return true;
	case 'x':
		l->perm |= X_ALL;
		return true;
	case 'X':
		l->cond_x = X_ALL;
		return true;
	case 's':
		if (!is_for_others_only(l))
			l->perm |= SETUID | SETGID;
		return true;
	case 't':
		if (!is_for_others_only(l)) {
			l->who |= STICKY;
			l->perm |= STICKY;
		}
		return true;
	case 'u':
	case 'g':
	case 'o':
		add_copy(l, letter);
		return true;
	default:
		return false;
	}
}

static uint16_t
parse_who(const char **p)
{
	uint16_t who = 0;

	for (;; (*p)++) {
		if (**p == 'u')
			who |= SETUID | 0700;
		else if (**p == 'g')
			who |= SETGID | 0070;
		else if (**p == 'o')
			who |= 0007;
		else if (**p == 'a')
			who |= STANDARD;
		else
			return who;
	}
}

/* One clause: classes, and operators with their letters. */
static bool
parse_clause(const char **p, struct bld_chmod *c)
{
	struct letters l = {.c = c, .who = parse_who(p)};

	if (strchr("+-=", **p) == NULL || **p == '\0')
		return false;
	while (**p == '+' || **p == '-' || **p == '=') {
		l.op = *(*p)++;
		l.who &= (uint16_t)~STICKY;
		l.is_cleared = false;
		while (take_letter(&l, **p))
			(*p)++;
		if (l.perm != 0 || (l.op == '=' && !l.is_cleared))
			flush_perm(&l);
		flush_cond_x(&l);
	}
	return !l.is_full;
}

static int
parse_symbolic(const char *s, struct bld_chmod *ret, struct stv_err **err)
{
	struct bld_chmod c = {0};
	const char *p = s;

	do {
		if (!parse_clause(&p, &c))
			return refuse(s, err);
	} while (*p == ',' && *++p != '\0');
	if (*p != '\0' || p[-1] == ',')
		return refuse(s, err);
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

static uint32_t
apply_copy(const struct bld_chmod_cmd *c, uint32_t mode)
{
	uint32_t from = c->op == 'u'   ? mode >> 6
			: c->op == 'g' ? mode >> 3
				       : mode;
	uint32_t bits = (from & 7) * X_ALL & c->bits;

	if (c->copy == '+')
		return mode | bits;
	if (c->copy == '-')
		return mode & ~bits;
	return (mode & ~(uint32_t)c->bits) | bits;
}

static uint32_t
apply_cmd(const struct bld_chmod_cmd *c, uint32_t mode, bool has_x)
{
	if (c->is_cond && !has_x)
		return mode;
	if (c->op == '+')
		return mode | c->bits;
	if (c->op == '-')
		return mode & ~(uint32_t)c->bits;
	return apply_copy(c, mode);
}

uint32_t
bld_chmod_apply(const struct bld_chmod *c, uint32_t mode, bool is_dir)
{
	bool has_x = is_dir || (mode & X_ALL) != 0;

	if (c->is_octal)
		return c->mode;
	for (size_t i = 0; i < c->n_cmds; i++)
		mode = apply_cmd(&c->cmds[i], mode, has_x);
	return mode & 07777;
}
