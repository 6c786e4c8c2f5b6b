/*
 * cmd/test/killat.c - kill a program at its Nth system call.
 *
 *     killat N PROGRAM ARGUMENT...
 *
 * Counts the system calls of all threads of PROGRAM and of the processes it
 * forks until they execute something else, kills PROGRAM (not the others) with
 * SIGKILL in front of call N, and waits for what it leaves: orphans become our
 * children.  Built by cmd/test/e2e-crash.sh.  The last line on standard error
 * says what happened:
 *
 *     killat: PID ended STATUS after M calls        exit 0
 *     killat: PID killed at call N                  exit 3
 *     killat: PID left a process                    exit 4, and it is killed
 */
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MAX_THREADS 4096
/* How long the processes of a killed program may take to die. */
#define MAX_WAIT_MS 3000

static struct {
	pid_t main;
	long limit;  /* kill in front of this call */
	long calls;  /* seen so far */
	bool killed; /* main got its SIGKILL */
	bool ended;
	int status;
	/* Threads stop at each call twice; these are inside of one. */
	pid_t inside[MAX_THREADS];
	size_t n_inside;
} k;

/* Is the thread's stop that of a call's entry? */
static bool
enters(pid_t tid)
{
	for (size_t i = 0; i < k.n_inside; i++) {
		if (k.inside[i] != tid)
			continue;
		k.inside[i] = k.inside[--k.n_inside];
		return false;
	}
	if (k.n_inside < MAX_THREADS)
		k.inside[k.n_inside++] = tid;
	return true;
}

static void
start(char **argv)
{
	k.main = fork();
	if (k.main < 0) {
		perror("killat: fork");
		exit(2);
	}
	if (k.main == 0) {
		(void)ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		(void)raise(SIGSTOP);
		(void)execvp(argv[0], argv);
		_exit(127);
	}
	(void)waitpid(k.main, NULL, __WALL);
	if (ptrace(PTRACE_SETOPTIONS, k.main, NULL,
		   PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE |
			   PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK |
			   PTRACE_O_TRACEEXEC) < 0) {
		perror("killat: ptrace");
		(void)kill(k.main, SIGKILL);
		exit(2);
	}
	(void)ptrace(PTRACE_SYSCALL, k.main, NULL, NULL);
}

/* One stop of a thread that is traced. */
static void
handle_stop(pid_t tid, int status)
{
	int sig = WSTOPSIG(status), event = status >> 16;

	if (sig == (SIGTRAP | 0x80)) {
		sig = 0;
		if (!k.killed && enters(tid) && ++k.calls == k.limit) {
			k.killed = true;
			(void)kill(k.main, SIGKILL);
		}
	} else if (event == PTRACE_EVENT_EXEC && tid != k.main) {
		(void)ptrace(PTRACE_DETACH, tid, NULL, NULL);
		return;
	} else if (event != 0 || sig == SIGSTOP) {
		sig = 0; /* a new thread's first stop, too */
	}
	if (k.killed)
		(void)ptrace(PTRACE_DETACH, tid, NULL, (long)sig);
	else
		(void)ptrace(PTRACE_SYSCALL, tid, NULL, (long)sig);
}

static long
now_ms(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Kill the orphans that did not die; there may be more below them. */
static void
kill_children(void)
{
	char path[64];
	long pid;
	FILE *f;

	(void)snprintf(path, sizeof(path), "/proc/self/task/%ld/children",
		       (long)getpid());
	f = fopen(path, "re");
	if (f == NULL)
		return;
	while (fscanf(f, "%ld", &pid) == 1) {
		(void)fprintf(stderr, "killat: process %ld is left\n", pid);
		(void)kill((pid_t)pid, SIGKILL);
	}
	(void)fclose(f);
}

/* Until all is gone; false: something stayed. */
static bool
follow(void)
{
	long until = 0;

	for (;;) {
		int status;
		pid_t tid = waitpid(-1, &status,
				    __WALL | (until == 0 ? 0 : WNOHANG));

		if (tid < 0 && errno == EINTR)
			continue;
		if (tid < 0)
			return true;
		if (tid == 0 && now_ms() > until)
			return false;
		if (tid == 0) {
			(void)usleep(1000);
			continue;
		}
		if (WIFSTOPPED(status)) {
			handle_stop(tid, status);
		} else if (tid == k.main) {
			k.ended = true;
			k.status = status;
			until = now_ms() + MAX_WAIT_MS;
		}
	}
}

int
main(int argc, char **argv)
{
	if (argc < 3)
		return 2;
	k.limit = strtol(argv[1], NULL, 10);
	(void)prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
	start(argv + 2);
	if (!follow()) {
		kill_children();
		(void)fprintf(stderr, "killat: %ld left a process\n",
			      (long)k.main);
		return 4;
	}
	if (WIFSIGNALED(k.status)) {
		(void)fprintf(stderr, "killat: %ld killed at call %ld\n",
			      (long)k.main, k.calls);
		return 3;
	}
	(void)fprintf(stderr, "killat: %ld ended %d after %ld calls\n",
		      (long)k.main, WEXITSTATUS(k.status), k.calls);
	return 0;
}
