/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/host_dirs.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"

enum { HOST_CMDLINE_MAX = 6 * 1024 };

static const char *const mode_names[] = {
	[HOST_NONE] = "none",
	[HOST_NATIVE] = "native",
	[HOST_SIMULATED] = "simulated",
};

const char *host_home(void)
{
	static char home[HOST_PATH_MAX];
	const char *env = getenv("NITER_HOME");
	const char *data = getenv("XDG_DATA_HOME");
	const char *user = getenv("HOME");

	if (env && *env)
		return env;
	if (geteuid() == 0)
		return "/var/lib/niter";
	if (data && *data)
		snprintf(home, sizeof(home), "%s/niter", data);
	else
		snprintf(home, sizeof(home), "%s/.local/share/niter", user ? user : "/tmp");
	return home;
}

int host_path(char buf[HOST_PATH_MAX], const char *name)
{
	int len = snprintf(buf, HOST_PATH_MAX, "%s/%s", host_home(), name);

	return len < 0 || len >= HOST_PATH_MAX ? -ENAMETOOLONG : 0;
}

/* A living process of ours: the process id may be somebody else's by now, and a zombie has no command line. */
static int record_pid_lives(pid_t pid)
{
	static char text[HOST_CMDLINE_MAX]; /* too big for the stack; one thread */
	char path[64];
	CLEANUP(fd_closep) int fd = -1;
	ssize_t len;

	snprintf(path, sizeof(path), "/proc/%d/cmdline", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	len = read(fd, text, sizeof(text));
	return len > 0 && memmem(text, (size_t)len, host_home(), strlen(host_home())) != NULL;
}

void host_record_load(struct host_record *ret)
{
	char path[HOST_PATH_MAX];
	const char *mode;
	json_int_t pid, retries;
	json_t *root;

	memset(ret, 0, sizeof(*ret));
	if (host_path(path, "host.json") < 0)
		return;
	root = json_load_file(path, 0, NULL);
	if (!root)
		return;
	if (json_unpack(root, "{s:s,s:I,s:I}", "mode", &mode, "pid", &pid, "retries", &retries) == 0 &&
	    pid > 1 && record_pid_lives((pid_t)pid)) {
		ret->mode = strcmp(mode, "simulated") == 0 ? HOST_SIMULATED : HOST_NATIVE;
		ret->pid = (pid_t)pid;
		ret->retries = (unsigned)retries;
		ret->api_port = (unsigned)json_integer_value(json_object_get(root, "api_port"));
	}
	json_decref(root);
}

int host_record_save(const struct host_record *r)
{
	char path[HOST_PATH_MAX];
	json_t *root;
	int err;

	err = host_path(path, "host.json");
	if (err < 0)
		return err;
	root = json_pack("{s:s,s:I,s:I,s:I}", "mode", mode_names[r->mode], "pid", (json_int_t)r->pid, "retries",
			 (json_int_t)r->retries, "api_port", (json_int_t)r->api_port);
	if (!root)
		return -ENOMEM;
	err = json_dump_file(root, path, JSON_INDENT(2)) < 0 ? -EIO : 0;
	json_decref(root);
	return err;
}

void host_record_remove(void)
{
	char path[HOST_PATH_MAX];

	if (host_path(path, "host.json") == 0)
		(void)unlink(path);
}
