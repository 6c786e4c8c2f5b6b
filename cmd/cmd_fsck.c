/* cmd/cmd_fsck.c - stave fsck: proving the store. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/buf.h"
#include "core/cleanup.h"
#include "core/err.h"

#include "cache/fsck.h"
#include "cache/store.h"

#include "cmd/ctx.h"
#include "cmd/figures.h"
#include "cmd/opts.h"
#include "cmd/verbs.h"

/* As long as somebody at a terminal waits without wondering. */
#define WAIT_MS 10000

struct fsck_values {
	bool is_repair;
};

static const struct cmd_opt opts[] = {
	CMD_FLAG("repair", 0, struct fsck_values, is_repair,
		 "remove what is damaged and can be made again"),
	CMD_OPT_END,
};

static const char *
kind_word(enum cas_finding_kind kind)
{
	switch (kind) {
	case CAS_FSCK_DAMAGED:
		return "damaged";
	case CAS_FSCK_MISSING:
		return "missing";
	case CAS_FSCK_DANGLING:
		return "dangling";
	case CAS_FSCK_DERIVED:
		return "derived";
	case CAS_FSCK_STRANGE:
		return "strange";
	}
	return "unknown";
}

/* "damaged: blob sha256:...: its bytes are ... (repaired)" */
static void
on_finding(void *arg, const struct cas_finding *f)
{
	stv_auto_buf b = STV_BUF_INIT((size_t)1 << 20);

	(void)arg;
	stv_buf_addf(&b, "%s: ", kind_word(f->kind));
	stv_buf_add_escaped(&b, f->what, strlen(f->what));
	stv_buf_adds(&b, ": ");
	stv_buf_add_escaped(&b, f->text, strlen(f->text));
	if (f->is_repaired)
		stv_buf_adds(&b, " (repaired)");
	puts(stv_buf_str(&b));
}

static int
fsck_run(struct cmd_ctx *cx, int argc, char **argv, struct stv_err **err)
{
	stv_auto(cas_store) *look = NULL;
	stv_auto(cas_store) *store = NULL;
	struct fsck_values o = {0};
	struct cas_fsck_result r = {0};
	char size[CMD_SIZE_MAX];
	int n, rc;

	rc = cmd_opts_parse(cx, &cmd_verb_fsck, argc, argv, &o, &n, err);
	if (rc != CMD_PARSED)
		return rc == CMD_PARSED_HELP ? CMD_DONE : -1;
	/* no store is made only to find out that it is clean */
	if (cmd_store_look(cx, &look, err) < 0 ||
	    (look != NULL && cmd_store_open(cx, &store, err) < 0))
		return -1;
	if (store != NULL)
		rc = cas_fsck(store,
			      &(struct cas_fsck_opts){.is_repair = o.is_repair,
						      .is_thorough = true,
						      .wait_ms = WAIT_MS,
						      .on_finding = on_finding},
			      &r, err);
	if (rc < 0)
		return -1;
	if (rc == 1) {
		stv_fail(err, STV_E_IO, "builds are running in this store");
		stv_err_hint(*err, "Try again when they have ended, or leave "
				   "out --repair.");
		return -1;
	}
	printf("%" PRIu64 " images, %" PRIu64 " layers, %" PRIu64
	       " cached steps, %" PRIu64 " unpacked layers, %" PRIu64
	       " blobs (%s): ",
	       r.n_images, r.n_layers, r.n_records, r.n_snapshots, r.n_blobs,
	       cmd_size_str(r.n_bytes, 4, size));
	if (r.n_findings == 0)
		puts("clean");
	else
		printf("%" PRIu64 " wrong, %" PRIu64 " repaired\n",
		       r.n_findings, r.n_repaired);
	return r.n_findings > r.n_repaired ? CMD_STORE : CMD_DONE;
}

const struct cmd_verb cmd_verb_fsck = {
	.name = "fsck",
	.args = "",
	.summary = "Prove the store",
	.opts = opts,
	.run = fsck_run,
};
