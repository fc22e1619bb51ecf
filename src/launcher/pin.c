/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "launcher.h"

/*
 * Every vCPU on its own hardware thread. An isolated partition has no load balancing, so what is not pinned stays
 * where it was born. niter-hypervisor makes its threads in the order of its vCPUs, after the first one, which is its
 * loop; that one shares the last hardware thread.
 */

enum { TIDS_MAX = 256 + 8 };

/* Not qsort(), see processes.c. */
static void tids_sort(pid_t *tid, unsigned cnt)
{
	unsigned i, k;

	for (i = 1; i < cnt; i++) {
		pid_t one = tid[i];

		for (k = i; k > 0 && tid[k - 1] > one; k--)
			tid[k] = tid[k - 1];
		tid[k] = one;
	}
}

/* Return: number of threads, ascending in @ret; 0 when it is gone. #syscalls:launcher openat getdents64 */
static unsigned tids_read(pid_t pid, pid_t ret[TIDS_MAX])
{
	char path[32];
	struct dirent *e;
	unsigned cnt = 0;
	DIR *d;

	(void)snprintf(path, sizeof(path), "/proc/%d/task", pid);
	d = opendir(path);
	if (!d)
		return 0;
	while (cnt < TIDS_MAX && (e = readdir(d))) /* NOLINT(concurrency-mt-unsafe): one thread */
		if (e->d_name[0] != '.')
			ret[cnt++] = (pid_t)strtol(e->d_name, NULL, 10);
	closedir(d);
	tids_sort(ret, cnt);
	return cnt;
}

/* #syscalls:launcher sched_setaffinity */
void set_pin(struct launcher *l, const struct set *s)
{
	short cpu[TIDS_MAX];
	pid_t tid[TIDS_MAX];
	unsigned cpus, cnt, i;

	if (l->cores.shared || !s->hv)
		return;
	cpus = cores_cpus(&l->cores, s->num, cpu, TIDS_MAX);
	cnt = tids_read(s->hv->pid, tid);
	for (i = 0; i < cnt && cpus && cpus <= TIDS_MAX; i++) {
		cpu_set_t set;

		CPU_ZERO(&set);
		CPU_SET((size_t)cpu[i ? (i - 1) % cpus : cpus - 1], &set);
		if (sched_setaffinity(tid[i], sizeof(set), &set) < 0 && errno != ESRCH)
			log_warn("set.pin", "inst=%s tid=%d text=\"%s\"", s->conf.instance_id,
				 tid[i], strerrordesc_np(errno));
	}
}
