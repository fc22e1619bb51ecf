/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "init.h"

static const struct {
	const char *path, *value;
} settings[] = {
	{ "/proc/sys/kernel/kexec_load_disabled", "1" },
	{ "/proc/sys/kernel/unprivileged_bpf_disabled", "1" },
	{ "/proc/sys/kernel/io_uring_disabled", "2" },
	{ "/proc/sys/kernel/dmesg_restrict", "1" },
	{ "/proc/sys/kernel/kptr_restrict", "2" },
	{ "/proc/sys/kernel/sysrq", "0" },
	{ "/proc/sys/kernel/core_pattern", "|/bin/false" },
	{ "/proc/sys/kernel/panic_on_oops", "1" },
	{ "/proc/sys/vm/unprivileged_userfaultfd", "0" },
	{ "/proc/sys/vm/swappiness", "0" },
	{ "/proc/sys/fs/protected_symlinks", "1" },
	{ "/proc/sys/fs/protected_hardlinks", "1" },
	{ "/proc/sys/fs/suid_dumpable", "0" },
	{ "/sys/kernel/mm/ksm/run", "0" },
};

static int setting_write(const char *path, const char *value)
{
	CLEANUP(fd_closep) int fd = open(path, O_WRONLY | O_CLOEXEC);

	return fd < 0 ? -errno : fd_write_full(fd, value, strlen(value));
}

void init_settings(void)
{
	for (size_t n = 0; n < ARRAY_SIZE(settings); n++) {
		int r = setting_write(settings[n].path, settings[n].value);

		/* A kernel without the feature has no such file; there is nothing to close then. */
		if (r < 0 && r != -ENOENT)
			log_warn("init.setting.failed", "path=%s err=%d", settings[n].path, r);
	}
}
