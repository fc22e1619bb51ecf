/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/log.h"
#include "launcher.h"
#include "seccomp_launcher.h"

/*
 * What the launcher keeps of root: five capabilities, and ownership of root's files. Execution gives nothing
 * back (securebits, no_new_privs).
 *
 * A system-call filter is inherited by children, so the launcher's list is its own calls and those of every
 * program it starts, from the dynamic loader to the program's own filter, which is narrower and comes on top.
 * tools/seccomp-gen merges the lists.
 */

static const int kept[] = { CAP_SYS_ADMIN, CAP_SETUID, CAP_SETGID, CAP_NET_ADMIN, CAP_SYS_NICE };

static bool is_kept(unsigned long cap)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(kept); i++)
		if ((unsigned long)kept[i] == cap)
			return true;
	return false;
}

int seal_caps(void)
{
	const unsigned long bits = SECBIT_NOROOT | SECBIT_NOROOT_LOCKED |
				   SECBIT_NO_CAP_AMBIENT_RAISE |
				   SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED | SECBIT_KEEP_CAPS_LOCKED;
	struct __user_cap_header_struct hdr = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];
	unsigned long cap;
	size_t i;

	if (prctl(PR_SET_SECUREBITS, bits, 0, 0, 0) < 0)
		return -errno;
	for (cap = 0; prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++)
		if (!is_kept(cap) && prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0)
			return -errno;
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0)
		return -errno;
	memset(data, 0, sizeof(data));
	for (i = 0; i < ARRAY_SIZE(kept); i++) {
		data[CAP_TO_INDEX(kept[i])].permitted |= CAP_TO_MASK(kept[i]);
		data[CAP_TO_INDEX(kept[i])].effective |= CAP_TO_MASK(kept[i]);
	}
	return syscall(SYS_capset, &hdr, data) < 0 ? -errno : 0;
}

/*
 * Whole calls: which requests a program may make, its own filter says.
 * #syscalls:launcher ioctl prctl fcntl madvise socket seccomp kill clone clone3 mmap mprotect prlimit64
 */
int seal_syscalls(void)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;
	return sandbox_filter_load(&sandbox_profile_launcher, 0);
}
