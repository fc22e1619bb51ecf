/* SPDX-License-Identifier: Apache-2.0 */

#include "cli/host_port.h"

#include <arpa/inet.h>
#include <errno.h>
#include <jansson.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fd.h"
#include "cli/cli.h"
#include "cli/host_dirs.h"

enum { MONITOR_S = 10, LINE_BYTES = 64 * 1024 };

static bool host_is_simulated(void)
{
	struct host_record record;

	host_record_load(&record);
	return record.mode == HOST_SIMULATED;
}

static FILE *monitor_open(void)
{
	const struct timeval patience = { .tv_sec = MONITOR_S };
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	CLEANUP(fd_closep) int fd = -1;
	char path[HOST_PATH_MAX];
	FILE *f;

	if (host_path(path, "run/qmp") < 0 || strlen(path) >= sizeof(sa.sun_path))
		return NULL;
	memcpy(sa.sun_path, path, strlen(path) + 1);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) < 0 ||
	    connect(fd, (const struct sockaddr *)&sa, sizeof(sa)) < 0)
		return NULL;
	f = fdopen(fd, "r+");
	if (f)
		(void)TAKE_FD(fd);
	return f;
}

/* One command; events before its answer are passed over. Return: its "return", owned; NULL: an error, or nothing. */
static json_t *monitor_ask(FILE *f, json_t *command)
{
	static char line[LINE_BYTES]; /* one thread */
	char *text = json_dumps(command, JSON_COMPACT);
	json_t *ret = NULL;

	json_decref(command);
	if (!text || fprintf(f, "%s\n", text) < 0 || fflush(f) != 0) {
		free(text);
		return NULL;
	}
	free(text);
	while (!ret && fgets(line, sizeof(line), f)) {
		json_t *o = json_loads(line, 0, NULL);
		bool failed = !o || json_object_get(o, "error");

		ret = json_incref(json_object_get(o, "return"));
		json_decref(o);
		if (failed)
			break;
	}
	return ret;
}

/* A line for QEMU's human monitor. Return: 0 and its answer in @ret (cut), -EIO. */
static int monitor_line(const char *command, char *ret, size_t cap)
{
	FILE *f = monitor_open();
	json_t *answer = NULL;

	if (!f)
		return -EIO;
	answer = monitor_ask(f, json_pack("{s:s}", "execute", "qmp_capabilities"));
	if (answer) {
		json_decref(answer);
		answer = monitor_ask(f,
				     json_pack("{s:s,s:{s:s}}", "execute", "human-monitor-command",
					       "arguments", "command-line", command));
	}
	(void)fclose(f);
	if (!json_is_string(answer)) {
		json_decref(answer);
		return -EIO;
	}
	snprintf(ret, cap, "%s", json_string_value(answer));
	json_decref(answer);
	return 0;
}

/* "  TCP[HOST_FORWARD]  12  127.0.0.1  20000  10.0.2.15  20000  0  0" */
static bool port_is_open(unsigned port)
{
	static char text[LINE_BYTES];
	char want[48], *save = NULL;

	if (monitor_line("info usernet", text, sizeof(text)) < 0)
		return false;
	for (char *l = strtok_r(text, "\r\n", &save); l; l = strtok_r(NULL, "\r\n", &save)) {
		char state[32], addr[32];
		unsigned fd, at;

		snprintf(want, sizeof(want), "TCP[HOST_FORWARD]");
		if (sscanf(l, " %31s %u %31s %u", state, &fd, addr, &at) == 4 &&
		    strcmp(state, want) == 0 && strcmp(addr, "127.0.0.1") == 0 && at == port)
			return true;
	}
	return false;
}

int host_port_open(unsigned port)
{
	char command[64], answer[256] = "";

	if (!host_is_simulated() || port_is_open(port))
		return CLI_OK;
	snprintf(command, sizeof(command), "hostfwd_add tcp:127.0.0.1:%u-:%u", port, port);
	if (monitor_line(command, answer, sizeof(answer)) < 0)
		return cli_error("the simulated server's monitor does not answer: niter host stop, "
				 "then niter host start");
	if (answer[0] == '\0')
		return CLI_OK;
	return cli_error("port %u of this machine cannot be opened, perhaps another program is "
			 "there: choose another with "
			 "--host-port",
			 port);
}

void host_port_close(unsigned port)
{
	char command[64], answer[256];

	if (!host_is_simulated())
		return;
	snprintf(command, sizeof(command), "hostfwd_remove tcp:127.0.0.1:%u", port);
	(void)!monitor_line(command, answer, sizeof(answer));
}

int host_port_check(unsigned port)
{
	const struct sockaddr_in sa = { .sin_family = AF_INET,
					.sin_port = htons((uint16_t)port),
					.sin_addr.s_addr = htonl(INADDR_ANY) };
	CLEANUP(fd_closep) int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	const int on = 1; /* ends of old connections do not count, listeners do */

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0)
		return CLI_OK; /* nobody can say */
	if (bind(fd, (const struct sockaddr *)&sa, sizeof(sa)) < 0 && errno == EADDRINUSE &&
	    !(host_is_simulated() && port_is_open(port)))
		return cli_error("a program of this machine listens on port %u: choose another "
				 "with --host-port",
				 port);
	return CLI_OK;
}

/* A port of 127.0.0.1 that nobody has. @want 0: any. Return: the port, 0: there is none. */
static unsigned loopback_port(unsigned want)
{
	struct sockaddr_in sa = { .sin_family = AF_INET,
				  .sin_port = htons((uint16_t)want),
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	CLEANUP(fd_closep) int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	const int on = 1; /* ends of old connections do not count, listeners do */
	socklen_t len = sizeof(sa);

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
	    bind(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0 ||
	    getsockname(fd, (struct sockaddr *)&sa, &len) < 0)
		return 0;
	return ntohs(sa.sin_port);
}

unsigned host_port_free(void)
{
	return host_is_simulated() ? loopback_port(0) : 0;
}

unsigned host_port_api(unsigned want)
{
	unsigned port = loopback_port(want ? want : HOST_API_PORT);

	if (port == 0 && !want)
		port = loopback_port(0);
	if (port == 0)
		(void)cli_error("port %u of 127.0.0.1 is taken: choose another with --api",
				want ? want : HOST_API_PORT);
	return port;
}
