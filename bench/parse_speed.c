/*
 * bench/parse_speed.c - how fast Dockerfiles are read and planned.
 *
 * Makes large Dockerfiles of three kinds, parses each N times (default 15) and
 * prints the median in MB/s; then plans one of 10000 instructions.  See
 * bench/parse_speed.sh.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "builder/build_internal.h"
#include "core/buf.h"
#include "core/diag.h"
#include "core/err.h"
#include "core/limits.h"
#include "core/source.h"
#include "parser/parse.h"

#define TEXT_SIZE ((size_t)4 << 20)

/* Processor time: it is about our work, not about what runs beside it. */
static double
now_ms(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static int
cmp_double(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void
die(const struct stv_err *err)
{
	for (const struct stv_err *e = err; e != NULL; e = stv_err_cause(e))
		(void)fprintf(stderr, "parse_speed: %s\n", stv_err_msg(e));
	exit(1);
}

/* What RUN-heavy files look like: long shell text over many lines. */
static void
add_run(struct stv_buf *b, unsigned i)
{
	stv_buf_addf(
		b,
		"# Build dependencies of part %u, removed again below.\n"
		"RUN --mount=type=cache,target=/var/cache/apt set -eux; \\\n"
		"\tsavedAptMark=\"$(apt-mark showmanual)\"; \\\n"
		"\tapt-get update; \\\n"
		"\tapt-get install -y --no-install-recommends \\\n"
		"\t\tca-certificates \\\n"
		"\t\tlibssl-dev=3.0.%u-1 \\\n"
		"\t\tzlib1g-dev \\\n"
		"\t; \\\n"
		"\t# verify what was downloaded\n"
		"\tcurl -fL -o part.tar.gz \"https://example.test/$PART.tar.gz\";"
		" \\\n"
		"\techo \"$PART_SHA256 *part.tar.gz\" | sha256sum -c -; \\\n"
		"\ttar -xzf part.tar.gz -C /usr/src --strip-components=1; \\\n"
		"\trm -rf /var/lib/apt/lists/*\n"
		"\n"
		"COPY --from=build --chown=1000:1000 /out/part%u /usr/local/\n"
		"\n",
		i, i % 20, i);
}

/* ENV and LABEL, quoted and not. */
static void
add_env(struct stv_buf *b, unsigned i)
{
	stv_buf_addf(
		b,
		"ENV PART%u_HOME=/opt/part%u \\\n"
		"    PART%u_OPTS=\"-Xmx512m -Dname=part%u\" \\\n"
		"    PATH=/opt/part%u/bin:$PATH\n"
		"LABEL org.example.part%u.title=\"Part number %u\" \\\n"
		"      org.example.part%u.source='https://example.test/p'\n",
		i, i, i, i, i, i, i, i);
}

/* Short instructions, heredocs and exec forms. */
static void
add_short(struct stv_buf *b, unsigned i)
{
	stv_buf_addf(b,
		     "ARG VERSION%u=1.%u\n"
		     "WORKDIR /srv/part%u\n"
		     "COPY package.json yarn.lock ./\n"
		     "RUN yarn install --frozen-lockfile\n"
		     "COPY <<EOF /etc/part%u.conf\n"
		     "name = part%u\n"
		     "listen = 0.0.0.0:80\n"
		     "EOF\n"
		     "CMD [\"node\", \"server.js\", \"--part=%u\"]\n",
		     i, i, i, i, i, i);
}

static struct df_file *
parse(struct stv_sources *sources, uint32_t no)
{
	struct stv_diags diags = {0};
	struct stv_err *err = NULL;
	struct df_file *f = NULL;

	if (df_parse(sources, no, &f, &diags, &err) < 0)
		die(err);
	stv_diags_fini(&diags);
	return f;
}

static uint32_t
add_source(struct stv_sources *sources, const struct stv_buf *b)
{
	struct stv_err *err = NULL;
	uint32_t no;

	if (stv_sources_add(sources, "Dockerfile", stv_buf_str(b), b->len, &no,
			    &err) < 0)
		die(err);
	return no;
}

static void
bench_parse(const char *what, void (*add)(struct stv_buf *, unsigned), size_t n)
{
	struct stv_sources *sources = stv_sources_new();
	struct stv_buf b = STV_BUF_INIT(STV_MAX_SOURCE);
	double *ms = calloc(n, sizeof(*ms));
	uint32_t no;

	stv_buf_adds(&b, "FROM debian:bookworm-slim AS build\nFROM build\n");
	for (unsigned i = 0; b.len < TEXT_SIZE; i++)
		add(&b, i);
	no = add_source(sources, &b);
	for (size_t i = 0; i < n; i++) {
		double start = now_ms();
		struct df_file *f = parse(sources, no);

		df_file_free(f);
		ms[i] = now_ms() - start;
	}
	qsort(ms, n, sizeof(*ms), cmp_double);
	printf("%-28s %6.1f MB/s (best %.1f)\n", what,
	       (double)b.len / 1e3 / ms[n / 2], (double)b.len / 1e3 / ms[0]);
	free(ms);
	stv_buf_fini(&b);
	stv_sources_free(sources);
}

/* Stages of a hundred instructions, each with a COPY from the one before. */
static void
add_plan(struct stv_buf *b, unsigned i)
{
	if (i % 100 == 0)
		stv_buf_addf(b, "FROM scratch AS stage%u\n", i / 100);
	else if (i % 100 == 1 && i > 100)
		stv_buf_addf(b, "COPY --from=stage%u /out /in\n", i / 100 - 1);
	else if (i % 4 == 0)
		stv_buf_addf(b, "ENV A%u=b\n", i);
	else if (i % 4 == 1)
		stv_buf_addf(b, "COPY a%u /b/\n", i);
	else
		stv_buf_addf(b, "RUN make part%u\n", i);
}

static void
bench_plan(const char *what, void (*add)(struct stv_buf *, unsigned), size_t n)
{
	struct stv_sources *sources = stv_sources_new();
	struct stv_buf b = STV_BUF_INIT(STV_MAX_SOURCE);
	double *ms = calloc(n, sizeof(*ms));
	double *parse_ms = calloc(n, sizeof(*ms));
	uint32_t no;

	for (unsigned i = 0; i < 10000; i++)
		add(&b, i);
	no = add_source(sources, &b);
	for (size_t i = 0; i < n; i++) {
		double start = now_ms(), parsed;
		struct df_file *f = parse(sources, no);
		struct bld_opts o = {.file = f};
		struct bld_build build = {.o = &o};
		struct stv_err *err = NULL;

		parsed = now_ms();
		if (bld_plan(&build, &err) < 0)
			die(err);
		ms[i] = now_ms() - parsed;
		parse_ms[i] = parsed - start;
		bld_plan_fini(&build);
		df_file_free(f);
	}
	qsort(ms, n, sizeof(*ms), cmp_double);
	qsort(parse_ms, n, sizeof(*ms), cmp_double);
	printf("%-28s %6.2f ms to parse, %.2f ms to plan\n", what,
	       parse_ms[n / 2], ms[n / 2]);
	free(ms);
	free(parse_ms);
	stv_buf_fini(&b);
	stv_sources_free(sources);
}

/* Everything before the first FROM. */
static void
add_global(struct stv_buf *b, unsigned i)
{
	if (i < 9999)
		stv_buf_addf(b, "ARG NAME%u=value%u\n", i, i);
	else
		stv_buf_adds(b, "FROM scratch\n");
}

/* As many stages as instructions. */
static void
add_stage(struct stv_buf *b, unsigned i)
{
	if (i % 2 == 0)
		stv_buf_addf(b, "FROM scratch AS stage%u\n", i / 2);
	else if (i < 2)
		stv_buf_adds(b, "RUN x\n");
	else
		stv_buf_addf(b, "COPY --from=stage0 /out /in%u\n", i);
}

int
main(int argc, char **argv)
{
	size_t n = argc > 1 ? (size_t)atoi(argv[1]) : 15;

	if (n == 0)
		n = 1;
	bench_parse("RUN over many lines", add_run, n);
	bench_parse("ENV and LABEL", add_env, n);
	bench_parse("short, heredocs, exec form", add_short, n);
	bench_plan("10000 instructions", add_plan, n);
	bench_plan("10000, all global ARGs", add_global, n);
	bench_plan("10000, 5000 stages", add_stage, n);
	return 0;
}
