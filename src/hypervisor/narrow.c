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
	memcpy(&prog.filter, &p->filter, sizeof(void *));
	return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &prog) < 0 ? -errno : 0;
}

/*
 * What base/, proto/ and musl do on our behalf. The filters are made from this folder's comments alone: base/ declares
 * for everybody, which is more than this program needs.
 *
 * A vCPU's thread: exit.c reads the clock; a card is spoken to on its socket, woken by its eventfd, and cut off when it
 * does not answer; MSI-X looks at eventfds; descriptors that a lying card sent are closed; a wait with a time-out
 * that a signal broke is taken up again. The main thread does the same while it resets functions.
 * #syscalls:hypervisor-vcpu clock_gettime write sendmsg recvmsg poll preadv2 shutdown close restart_syscall
 * #syscalls:hypervisor-run clock_gettime write sendmsg recvmsg poll preadv2 shutdown close restart_syscall
 * #syscalls:hypervisor clock_gettime write sendmsg recvmsg poll preadv2 shutdown close restart_syscall
 *
 * Making the machine: eventfds of MSI-X vectors, memory that cards share (and give back when one is refused).
 * #syscalls:hypervisor eventfd2 brk munmap fcntl(F_GET_SEALS|F_GETFL|F_SETFL) read epoll_ctl epoll_pwait
 * #syscalls-include <fcntl.h>
 */
int narrow_vcpu(void)
{
	return filter_add(&sandbox_profile_hypervisor_vcpu);
}

int narrow_main(void)
{
	return filter_add(&sandbox_profile_hypervisor_run);
}
