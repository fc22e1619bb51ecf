/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Hosted mode: the launcher runs as a daemon on a Linux that somebody else booted. Its state lies in HOME, its
 * socket in /run/niter.
 */
#include "cli/host_native.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "cli/cli.h"
#include "cli/client.h"
#include "cli/host_dirs.h"

enum { NATIVE_READY_MS = 30 * 1000 };

static const char *native_libexec(void)
{
	const char *env = getenv("NITER_LIBEXEC");

	return env ? env : "/usr/lib/niter";
}

NORETURN static void native_exec(const char *log, unsigned api_port)
{
	char program[HOST_PATH_MAX], state[HOST_PATH_MAX], libexec[HOST_PATH_MAX];
	char api[64];
	char *argv[12];
	int argc = 0, fd;

	/* A daemon keeps nothing of the shell it came from. */
	(void)setsid();
	(void)close_range(3, ~0U, 0);
	fd = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd >= 0) {
		dup2(fd, 1);
		dup2(fd, 2);
	}
	fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (fd >= 0)
		dup2(fd, 0);
	snprintf(program, sizeof(program), "%s/niter-launcher", native_libexec());
	snprintf(state, sizeof(state), "--state=%s", host_home());
	snprintf(libexec, sizeof(libexec), "--libexec=%s", native_libexec());
	argv[argc++] = program;
	argv[argc++] = strdup("--mode=hosted");
	argv[argc++] = state;
	argv[argc++] = strdup("--run=/run/niter");
	argv[argc++] = libexec;
	snprintf(api, sizeof(api), "--api=127.0.0.1:%u", api_port);
	argv[argc++] = api;
	if (access("/dev/tpmrm0", R_OK | W_OK) == 0) {
		argv[argc++] = strdup("--tpm=/dev/tpmrm0");
		argv[argc++] = strdup("--tpm-kind=hardware");
	}
	/* This machine's boot was not measured by us: its keys carry the lab mark. */
	argv[argc++] = strdup("--lab");
	argv[argc] = NULL;
	execv(program, argv);
	_exit(127);
}

/* Control ports that a simulated server left behind when it was killed: clients would take them for a living one. */
static void native_ports_forget(void)
{
	char path[HOST_PATH_MAX], name[32];

	for (int n = 0; n < HOST_CTL_PORTS; n++) {
		snprintf(name, sizeof(name), "run/ctl.%d", n);
		if (host_path(path, name) == 0)
			(void)unlink(path);
	}
}

static int native_answers(void)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX, .sun_path = "/run/niter/niterd.sock" };
	CLEANUP(fd_closep) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	return fd >= 0 && connect(fd, (struct sockaddr *)&sa, sizeof(sa)) == 0;
}

/*
 * The root key is given out once in a boot of the machine, so a host started a second time has none: say so here, where
 * it can be understood, and not when the first instance is refused.
 */
static void native_keys_check(void)
{
	json_t *status = NULL;
	char security[128];

	for (int ms = 0; ms < NATIVE_READY_MS; ms += 100) {
		if (client_call_once("host.status", NULL, NULL, &status) != CLI_OK)
			return;
		snprintf(security, sizeof(security), "%s", text_of(status, "security"));
		json_decref(status);
		status = NULL;
		if (strcmp(security, "starting") != 0)
			break;
		usleep(100000);
	}
	if (strcmp(security, "running") != 0)
		fprintf(stderr,
			"niter: the host runs without keys (%s): no instance can start; niter host "
			"log says why\n",
			security);
}

int host_native_start(unsigned api_port)
{
	char log[HOST_PATH_MAX], run[HOST_PATH_MAX];
	struct host_record record = { .mode = HOST_NATIVE, .api_port = api_port };

	if (geteuid() != 0)
		return cli_error("hosted mode needs root: sudo niter host start (or --simulated)");
	if (host_path(run, "run") < 0 || host_path(log, "run/console.log") < 0)
		return cli_error("the path of NITER_HOME is too long");
	if ((mkdir(host_home(), 0755) < 0 && errno != EEXIST) ||
	    (mkdir(run, 0755) < 0 && errno != EEXIST))
		return cli_error("cannot make %s: %s", run, strerror(errno));
	(void)unlink(log);
	native_ports_forget();

	record.pid = fork();
	if (record.pid < 0)
		return cli_error("cannot start the launcher: %s", strerror(errno));
	if (record.pid == 0)
		native_exec(log, api_port);
	for (int ms = 0; ms < NATIVE_READY_MS; ms += 50) {
		if (native_answers()) {
			if (host_record_save(&record) < 0)
				return cli_error("cannot write in %s: %s", host_home(),
						 strerror(errno));
			native_keys_check();
			return 0;
		}
		if (waitpid(record.pid, NULL, WNOHANG) == record.pid)
			return cli_error("the launcher ended at once: niter host log says why");
		usleep(50000);
	}
	(void)kill(record.pid, SIGTERM);
	return cli_error("niterd does not answer: niter host log says why");
}
