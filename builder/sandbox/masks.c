/*
 * builder/sandbox/masks.c - paths of proc and sysfs that a RUN cannot use.
 *
 * Docker's lists (SANDBOX.md 4.1 step 10), relative to the file system.
 */
#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/cleanup.h"

#include "builder/sandbox/internal.h"

#define CPU_DIR "/sys/devices/system/cpu"

const char *const sbx_readonly_paths[] = {
	"bus", "fs", "irq", "sys", "sysrq-trigger",
};
const size_t sbx_n_readonly_paths = STV_ARRAY_LEN(sbx_readonly_paths);

static const char *const proc_paths[] = {
	"acpi",	      "asound",	       "interrupts",  "kcore",
	"keys",	      "latency_stats", "sched_debug", "scsi",
	"timer_list", "timer_stats",
};

static const char *const sys_paths[] = {
	"devices/virtual/powercap",
	"firmware",
};

/* Each CPU's thermal_throttle; THREATS A21. */
static void
find_throttles(struct stv_strs *ret)
{
	DIR *dir = opendir(CPU_DIR);
	struct dirent *e;
	char path[sizeof(CPU_DIR) + sizeof(e->d_name) + 32];

	if (dir == NULL)
		return;
	while ((e = readdir(dir)) != NULL) {
		if (strncmp(e->d_name, "cpu", 3) != 0 || e->d_name[3] < '0' ||
		    e->d_name[3] > '9')
			continue;
		(void)snprintf(path, sizeof(path), "%s/%s/thermal_throttle",
			       CPU_DIR, e->d_name);
		if (access(path, F_OK) == 0)
			stv_strs_add(ret, path + strlen("/sys/"));
	}
	(void)closedir(dir);
}

void
sbx_find_masks(struct sbx *sbx)
{
	for (size_t i = 0; i < STV_ARRAY_LEN(proc_paths); i++)
		stv_strs_add(&sbx->masks_proc, proc_paths[i]);
	for (size_t i = 0; i < STV_ARRAY_LEN(sys_paths); i++)
		stv_strs_add(&sbx->masks_sys, sys_paths[i]);
	find_throttles(&sbx->masks_sys);
}
