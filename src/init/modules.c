/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "init.h"

enum { MODULE_LINE_MAX = 256 };

static int module_load(const char *name, const char *parameters)
{
	char path[MODULE_LINE_MAX + 32];
	CLEANUP(fd_closep) int fd = -1;

	snprintf(path, sizeof(path), "/lib/modules/%s.ko", name);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return -errno;
	return syscall(SYS_finit_module, fd, parameters, 0) < 0 ? -errno : 0;
}

int init_modules_load(const char *list)
{
	char line[MODULE_LINE_MAX];
	FILE *f = fopen(list, "re");

	if (!f)
		return -errno;
	while (fgets(line, sizeof(line), f)) {
		char *parameters;
		int r;

		line[strcspn(line, "\n")] = '\0';
		parameters = line + strcspn(line, " ");
		if (*parameters)
			*parameters++ = '\0';
		if (!*line)
			continue;
		r = module_load(line, parameters);
		/* Of kvm-amd and kvm-intel one finds its processor. */
		if (r == -ENODEV || r == -EOPNOTSUPP || r == -EEXIST)
			log_debug("init.module.none", "name=%s", line);
		else if (r < 0)
			log_err("init.module.failed", "name=%s err=%d", line, r);
	}
	fclose(f);
	return 0;
}
