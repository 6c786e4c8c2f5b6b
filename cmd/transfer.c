/* cmd/transfer.c - the layers of a pull or push, for people. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>

#include "core/buf.h"
#include "core/mem.h"
#include "core/vec.h"

#include "cmd/figures.h"
#include "cmd/image.h"
#include "cmd/transfer.h"
#include "cmd/ui.h"

#define REDRAW_NS ((int64_t)100 * 1000000)
/* As docker: a bar only where there is much room. */
#define BAR_CELLS 50U
#define BAR_WIDTH 110U

/* A blob that moves. */
struct moving {
	struct stv_digest blob;
	const char *word;
	uint64_t now;
	uint64_t total;
};

struct cmd_transfer {
	FILE *out;
	bool is_tty;
	size_t n_drawn; /* lines of the moving ones on the screen */
	int64_t drawn_ns;
	STV_VEC(struct moving) list;
};

struct cmd_transfer *
cmd_transfer_new(FILE *out)
{
	struct cmd_transfer *t = stv_xcalloc(1, sizeof(*t));

	t->out = out;
	t->is_tty = ui_mode_choose(UI_AUTO, fileno(out)) == UI_TTY;
	return t;
}

static int64_t
now_ns(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * (int64_t)1000000000 + t.tv_nsec;
}

char *
cmd_transfer_line(const char *id, const char *word, uint64_t now,
		  uint64_t total, unsigned width)
{
	struct stv_buf b = STV_BUF_INIT((size_t)1024);
	char a[CMD_SIZE_MAX], z[CMD_SIZE_MAX];
	unsigned full;

	stv_buf_addf(&b, "%s: %s ", id, word);
	if (now > total)
		now = total;
	if (width >= BAR_WIDTH && total > 0) {
		full = (unsigned)((double)now / (double)total * BAR_CELLS);
		stv_buf_addc(&b, '[');
		for (unsigned i = 0; i < BAR_CELLS; i++)
			stv_buf_addc(&b, i < full    ? '='
					 : i == full ? '>'
						     : ' ');
		stv_buf_adds(&b, "]  ");
	}
	stv_buf_addf(&b, "%s/%s", cmd_size_str(now, 3, a),
		     cmd_size_str(total, 3, z));
	if (width > 0 && b.len >= width)
		stv_buf_truncate(&b, width - 1);
	return stv_buf_take(&b);
}

static void
erase(struct cmd_transfer *t)
{
	if (t->n_drawn > 0)
		fprintf(t->out, "\033[%zuA\r\033[J", t->n_drawn);
	t->n_drawn = 0;
}

/* As many as the terminal has lines. */
static void
draw(struct cmd_transfer *t)
{
	struct winsize ws = {0};
	size_t room = 24;
	unsigned width = 80;

	if (!t->is_tty)
		return;
	if (ioctl(fileno(t->out), TIOCGWINSZ, &ws) == 0 && ws.ws_col > 0) {
		width = ws.ws_col;
		room = ws.ws_row > 1 ? ws.ws_row : 2;
	}
	for (size_t i = 0; i < t->list.len && i + 1 < room; i++) {
		const struct moving *m = &t->list.v[i];
		char id[STV_DIGEST_STR_MAX];
		stv_auto_free char *line =
			cmd_transfer_line(cmd_id_str(&m->blob, false, id),
					  m->word, m->now, m->total, width);

		fprintf(t->out, "%s\n", line);
		t->n_drawn++;
	}
}

/* Its place among those that move; their number where it is none. */
static size_t
find(const struct cmd_transfer *t, const struct stv_digest *blob)
{
	size_t i = 0;

	while (i < t->list.len && !stv_digest_equal(&t->list.v[i].blob, blob))
		i++;
	return i;
}

void
cmd_transfer_move(struct cmd_transfer *t, const struct stv_digest *blob,
		  const char *word, uint64_t now, uint64_t total)
{
	size_t i = find(t, blob);

	if (i == t->list.len)
		(void)stv_vec_push(&t->list);
	t->list.v[i] = (struct moving){*blob, word, now, total};
	if (!t->is_tty || now_ns() - t->drawn_ns < REDRAW_NS)
		return;
	t->drawn_ns = now_ns();
	erase(t);
	draw(t);
	(void)fflush(t->out);
}

void
cmd_transfer_done(struct cmd_transfer *t, const struct stv_digest *blob,
		  const char *text)
{
	char id[STV_DIGEST_STR_MAX];
	size_t i = find(t, blob);

	if (i < t->list.len) {
		memmove(&t->list.v[i], &t->list.v[i + 1],
			(t->list.len - i - 1) * sizeof(t->list.v[0]));
		t->list.len--;
	}
	erase(t);
	fprintf(t->out, "%s: %s\n", cmd_id_str(blob, false, id), text);
	draw(t);
	(void)fflush(t->out);
}

void
cmd_transfer_end(struct cmd_transfer *t)
{
	if (t == NULL)
		return;
	erase(t);
	(void)fflush(t->out);
	stv_vec_fini(&t->list);
	free(t);
}
