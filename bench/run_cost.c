/*
 * bench/run_cost.c - what one RUN costs over the command itself.
 *
 * Starts a command N times in a fresh sandbox over the directory STORE/rootfs
 * and prints the time from sbx_start() to the end of sbx_finish().  To see
 * what a command prints use -v with N = 1.  See bench/run_cost.sh.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "builder/sandbox/sandbox.h"
#include "core/cleanup.h"
#include "core/err.h"
#include "core/fsat.h"
#include "core/mem.h"

static double
now_ms(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static void
die(struct stv_err *err)
{
	for (const struct stv_err *e = err; e != NULL; e = stv_err_cause(e))
		(void)fprintf(stderr, "run_cost: %s\n", stv_err_msg(e));
	exit(1);
}

static void
copy_out(int from, int to)
{
	char buf[65536];
	ssize_t n;

	for (;;) {
		struct pollfd p = {.fd = from, .events = POLLIN};

		n = read(from, buf, sizeof(buf));
		if (n < 0 && errno == EAGAIN) {
			(void)poll(&p, 1, -1);
			continue;
		}
		if (n <= 0)
			return;
		(void)!write(to, buf, (size_t)n);
	}
}

/* One RUN; returns its milliseconds. */
static double
run_once(struct sbx *sbx, int store, const struct sbx_spec *spec,
	 bool is_verbose)
{
	struct stv_err *err = NULL;
	struct sbx_status status = {0};
	stv_auto(sbx_proc) *p = NULL;
	double before;

	if (mkdirat(store, "upper", 0755) < 0 ||
	    mkdirat(store, "work", 0755) < 0) {
		perror("run_cost: upper");
		exit(1);
	}
	before = now_ms();
	if (sbx_start(sbx, spec, &p, &err) < 0)
		die(err);
	copy_out(sbx_proc_stdout_fd(p), 1);
	copy_out(sbx_proc_stderr_fd(p), 2);
	if (sbx_finish(p, &status, &err) < 0)
		die(err);
	before = now_ms() - before;
	if (is_verbose || status.exit_code != 0)
		(void)fprintf(stderr, "exit code %d %s\n", status.exit_code,
			      status.exec_error != NULL ? status.exec_error
							: "");
	sbx_status_fini(&status);
	if (stv_fsat_remove_tree(store, "upper", &err) < 0 ||
	    stv_fsat_remove_tree(store, "work", &err) < 0)
		die(err);
	return before;
}

static int
compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static void
measure(struct sbx *sbx, int store, const struct sbx_spec *spec, size_t n)
{
	double *ms = stv_xcalloc(n, sizeof(*ms)), sum = 0;

	for (size_t i = 0; i < n; i++) {
		ms[i] = run_once(sbx, store, spec, n == 1);
		sum += ms[i];
	}
	qsort(ms, n, sizeof(*ms), compare);
	(void)printf("%zu runs: min %.2f median %.2f mean %.2f p95 %.2f max "
		     "%.2f ms\n",
		     n, ms[0], ms[n / 2], sum / (double)n, ms[n * 95 / 100],
		     ms[n - 1]);
	free(ms);
}

int
main(int argc, char **argv)
{
	static const char *const lowers[] = {"rootfs"};
	static char path[] = "PATH=/bin";
	static char *env[] = {path, NULL};
	struct sbx_config cfg = {.store_fd = -1};
	struct sbx_spec spec = {.lower_dirs = lowers,
				.n_lowers = 1,
				.upper = "upper",
				.work = "work",
				.envp = env};
	struct stv_err *err = NULL;
	stv_auto(sbx) *sbx = NULL;
	double before;
	int opt;

	while ((opt = getopt(argc, argv, "+nlu:")) != -1) {
		if (opt == 'n')
			spec.net = SBX_NET_NONE;
		else if (opt == 'l')
			cfg.force_mount2 = true;
		else if (opt == 'u')
			spec.uid = spec.gid =
				(uint32_t)strtoul(optarg, NULL, 10);
	}
	if (argc - optind < 3) {
		(void)fprintf(stderr,
			      "usage: run_cost [-n] [-l] [-u UID] STORE N "
			      "COMMAND...\n");
		return 2;
	}
	cfg.store_fd = open(argv[optind], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	spec.argv = argv + optind + 2;
	if (sbx_make_resolv_conf(spec.net, (char **)&spec.resolv_conf, &err) <
		    0 ||
	    sbx_make_hosts(NULL, NULL, (char **)&spec.hosts, &err) < 0)
		die(err);
	before = now_ms();
	if (sbx_open(&cfg, &sbx, &err) < 0)
		die(err);
	(void)fprintf(stderr, "opened in %.2f ms, device guard %d\n",
		      now_ms() - before, (int)sbx_devices_in_use(sbx));
	measure(sbx, cfg.store_fd, &spec, strtoul(argv[optind + 1], NULL, 10));
	return 0;
}
