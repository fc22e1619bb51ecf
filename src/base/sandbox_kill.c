/* SPDX-License-Identifier: Apache-2.0 */
#include "base/sandbox.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

int sandbox_filter_load(const struct sandbox_profile *profile, unsigned flags)
{
	struct sock_fprog prog;
	long r;

	/* The kernel only reads the filter; its struct cannot say so. */
	memcpy(&prog.filter, &profile->filter, sizeof(void *));
	prog.len = profile->filter_len;
	r = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &prog);
	if (r < 0)
		return -errno;
	return r ? -EBUSY : 0; /* TSYNC: the id of a thread that could not follow */
}
