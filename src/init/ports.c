/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "init.h"

static int port_is(const char *port, const char *name)
{
	char path[INIT_WORD_MAX], text[INIT_WORD_MAX];
	CLEANUP(fd_closep) int fd = -1;
	ssize_t len;

	if (snprintf(path, sizeof(path), "/sys/class/virtio-ports/%s/name", port) >=
	    (int)sizeof(path))
		return 0;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	len = read(fd, text, sizeof(text) - 1);
	if (len <= 0)
		return 0;
	text[len] = '\0';
	text[strcspn(text, "\n")] = '\0';
	return strcmp(text, name) == 0;
}

int init_port_find(const char *name, char ret_path[INIT_WORD_MAX])
{
	DIR *d = opendir("/sys/class/virtio-ports");
	const struct dirent *e;
	int r = -ENOENT;

	if (!d)
		return -ENOENT;
	while (r < 0 && (e = readdir(d)))
		if (e->d_name[0] != '.' && strlen(e->d_name) < 32 && port_is(e->d_name, name)) {
			snprintf(ret_path, INIT_WORD_MAX, "/dev/%.32s", e->d_name);
			r = 0;
		}
	closedir(d);
	return r;
}
