/* SPDX-License-Identifier: Apache-2.0 */
#include "hypervisor/narrow.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "seccomp_hypervisor_run.h"
#include "seccomp_hypervisor_vcpu.h"

/* #syscalls:hypervisor seccomp(SECCOMP_SET_MODE_FILTER) */
static int filter_add(const struct sandbox_profile *p)
{
	struct sock_fprog prog = { .len = p->filter_len };

	/* The kernel only reads the filter; its struct cannot say so. */
	memcpy(&prog.filter, &p->filter, sizeof(prog.filter));
	return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &prog) < 0 ? -errno : 0;
}

/*
 * exit.c reads the clock; a card is spoken to on its socket, woken by its eventfd, and cut off when it does not
 * answer; MSI-X looks at eventfds. A card that sends descriptors nobody asked for has them closed, also by the thread
 * of a vCPU. The main thread does the same while it resets functions.
 * #syscalls:hypervisor-vcpu clock_gettime write sendmsg recvmsg poll preadv2 shutdown close
 * #syscalls:hypervisor-run poll preadv2 shutdown
 */
int narrow_vcpu(void)
{
	return filter_add(&sandbox_profile_hypervisor_vcpu);
}

int narrow_main(void)
{
	return filter_add(&sandbox_profile_hypervisor_run);
}
