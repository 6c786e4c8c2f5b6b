/* cmd/secrets.c - --secret, --ssh and --allow of stave build. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/buf.h"
#include "core/cleanup.h"
#include "core/err.h"
#include "core/fsat.h"
#include "core/mem.h"

#include "parser/csv.h"

#include "cmd/secrets.h"

/* BuildKit's bound. */
#define MAX_SECRET ((size_t)500 << 10)

/* The parts of one --secret; borrowed from its fields. */
struct spec {
	const char *id, *file, *env, *type;
};

static int
bad_spec(const char *text, struct stv_err **err)
{
	stv_fail(err, STV_E_USAGE, "--secret '%s' cannot be read", text);
	stv_err_hint(*err, "Write --secret id=NAME,src=FILE or "
			   "--secret id=NAME,env=VARIABLE.");
	return -1;
}

static int
take_field(struct spec *s, const char *field, struct stv_err **err)
{
	static const char *const names[] = {"id", "src", "source", "env",
					    "type"};
	const char **const places[] = {&s->id, &s->file, &s->file, &s->env,
				       &s->type};
	size_t n = strcspn(field, "=");

	for (size_t i = 0; i < STV_ARRAY_LEN(names); i++) {
		if (field[n] != '=' || strlen(names[i]) != n ||
		    strncasecmp(names[i], field, n) != 0)
			continue;
		*places[i] = field + n + 1;
		return 0;
	}
	return stv_fail(err, STV_E_USAGE, "--secret has no key '%.*s'", (int)n,
			field);
}

/* Where its bytes are, as buildx decides it. */
static int
check_spec(struct spec *s, const char *text, struct stv_err **err)
{
	if (s->id == NULL || *s->id == '\0')
		return bad_spec(text, err);
	if (s->type != NULL && strcmp(s->type, "env") == 0) {
		if (s->env == NULL)
			s->env = s->file;
		s->file = NULL;
	} else if (s->type != NULL && strcmp(s->type, "file") != 0) {
		return stv_fail(err, STV_E_USAGE,
				"--secret: the type is file or env, not '%s'",
				s->type);
	}
	if (s->env == NULL && s->file == NULL) {
		if (getenv(s->id) != NULL)
			s->env = s->id;
		else
			s->file = s->id;
	}
	return 0;
}

/* Also a pipe: <(command). */
static int
read_secret(const char *path, struct stv_buf *ret, struct stv_err **err)
{
	stv_auto_fd fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

	if (fd < 0)
		return stv_fail_errno_as(err, STV_E_INPUT, errno,
					 "cannot read the secret in '%s'",
					 path);
	return stv_fsat_read_fd(fd, MAX_SECRET, "the secret", ret, err);
}

static void
add(struct cmd_secrets *s, const char *id, const char *data, size_t len)
{
	struct bld_secret *to = NULL;

	for (size_t i = 0; i < s->secrets.len; i++)
		if (strcmp(s->secrets.v[i].id, id) == 0)
			to = &s->secrets.v[i];
	if (to == NULL) {
		to = stv_vec_push(&s->secrets);
		*to = (struct bld_secret){.id = stv_xstrdup(id)};
	}
	free((void *)(uintptr_t)to->data);
	to->data = stv_xmemdup(data, len);
	to->len = len;
}

static int
load(struct cmd_secrets *s, const struct spec *spec, struct stv_err **err)
{
	stv_auto_buf data = STV_BUF_INIT(MAX_SECRET);
	const char *value;
	int r;

	/* Both given: buildx lets the variable win. */
	if (spec->env != NULL) {
		value = getenv(spec->env);
		if (value == NULL)
			return stv_fail(err, STV_E_INPUT,
					"--secret id=%s: the variable '%s' is "
					"not set",
					spec->id, spec->env);
		add(s, spec->id, value, strlen(value));
		return 0;
	}
	r = read_secret(spec->file, &data, err);
	if (r == 0)
		add(s, spec->id, stv_buf_str(&data), data.len);
	else
		stv_wrap(err, "--secret id=%s", spec->id);
	if (data.cap > 0)
		explicit_bzero(data.data, data.cap);
	return r;
}

int
cmd_secret_add(struct cmd_secrets *s, const char *text, struct stv_err **err)
{
	struct df_csv csv = {0};
	struct spec spec = {0};
	size_t at;
	int r = 0;

	if (df_csv_parse(text, &csv, &at, err) < 0) {
		stv_err_clear(err);
		r = bad_spec(text, err);
	}
	for (size_t i = 0; r == 0 && i < csv.fields.len; i++)
		r = take_field(&spec, csv.fields.v[i].text, err);
	if (r == 0)
		r = check_spec(&spec, text, err);
	if (r == 0)
		r = load(s, &spec, err);
	df_csv_fini(&csv);
	return r;
}

/* ---- ssh -----------------------------------------------------------------*/

static int
check_socket(const char *id, const char *path, struct stv_err **err)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return stv_fail_errno_as(err, STV_E_INPUT, errno,
					 "--ssh %s: cannot use '%s'", id, path);
	if (S_ISSOCK(st.st_mode))
		return 0;
	stv_fail(err, STV_E_USAGE, "--ssh %s: '%s' is no socket of an agent",
		 id, path);
	stv_err_hint(*err,
		     "Key files are not read: put the key into an agent "
		     "('ssh-agent', 'ssh-add FILE') and build with "
		     "--ssh %s.",
		     id);
	return -1;
}

int
cmd_ssh_add(struct cmd_secrets *s, const char *text, struct stv_err **err)
{
	size_t n = strcspn(text, "=");
	stv_auto_free char *id = stv_xstrndup(text, n);
	const char *path = text[n] == '=' ? text + n + 1 : "";

	if (*id == '\0')
		return stv_fail(err, STV_E_USAGE, "--ssh '%s' has no name",
				text);
	for (size_t i = 0; i < s->ssh.len; i++)
		if (strcmp(s->ssh.v[i].id, id) == 0)
			return stv_fail(err, STV_E_USAGE,
					"--ssh %s is given twice", id);
	if (*path == '\0')
		path = getenv("SSH_AUTH_SOCK");
	if (path == NULL || *path == '\0') {
		stv_fail(err, STV_E_USAGE, "--ssh %s: there is no agent", id);
		stv_err_hint(*err, "Start one ('eval $(ssh-agent)'), so that "
				   "SSH_AUTH_SOCK is set.");
		return -1;
	}
	if (check_socket(id, path, err) < 0)
		return -1;
	*stv_vec_push(&s->ssh) = (struct bld_ssh){
		.id = stv_steal(&id),
		.socket = stv_xstrdup(path),
	};
	return 0;
}

/* ---- the end -------------------------------------------------------------*/

/* The members are const for those who only use them. */
static void
free_const(const void *p)
{
	free((void *)(uintptr_t)p);
}

void
cmd_secrets_fini(struct cmd_secrets *s)
{
	for (size_t i = 0; i < s->secrets.len; i++) {
		struct bld_secret *x = &s->secrets.v[i];

		explicit_bzero((void *)(uintptr_t)x->data, x->len);
		free_const(x->data);
		free_const(x->id);
	}
	for (size_t i = 0; i < s->ssh.len; i++) {
		free_const(s->ssh.v[i].id);
		free_const(s->ssh.v[i].socket);
	}
	stv_vec_fini(&s->secrets);
	stv_vec_fini(&s->ssh);
}

int
cmd_allow_parse(const char *text, bool *ret_insecure, bool *ret_host_net,
		struct stv_err **err)
{
	if (strcmp(text, "security.insecure") == 0) {
		*ret_insecure = true;
		return 0;
	}
	if (strcmp(text, "network.host") == 0) {
		*ret_host_net = true;
		return 0;
	}
	stv_fail(err, STV_E_USAGE,
		 "--allow %s is not supported by this version", text);
	stv_err_hint(*err, "It takes security.insecure and network.host.");
	return -1;
}
