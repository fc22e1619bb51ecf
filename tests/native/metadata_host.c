/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The world around niter-metadata: launcher, niterd and niter-security in one, in a network namespace of its own.
 *
 *   metadata-host PROGRAM CERT COMMAND [ARGUMENT]...
 *
 *        namespace of the test: lo with 169.254.169.254 and 169.254.169.253
 *   COMMAND ── TCP 80, UDP and TCP 53 ── PROGRAM (its jail: namespaces of its own, inherited sockets)
 *      └─ descriptor METADATA_CTL, a line each ── metadata-host ── control, service, signing channel ─┘
 *
 * COMMAND runs as "guest" in the same namespace. Its lines, each answered by "ok …" or "err NUMBER TEXT":
 *
 *   options ENABLED HOPS TOKENS_OPTIONAL BLOCK PREFIX DOMAIN
 *   put PATH HEX [more]       no answer of the program is waited for
 *   commit
 *   sign ok|refuse|silent     what the security process does from now on
 *   sign-close                it hangs up
 *   reconnect                 a new niterd: another service socket
 *   restart INSTANCE          the program is ended by hanging up, and started again
 *   sabotage GUARDS           what the program is told to leave out when it is started next (tests/isolation)
 *   pid                       of the program
 *
 * Ends with COMMAND's status. CERT: where the signer's certificate goes. Needs root; 77 without.
 */

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "identity_signer.h"
#include "jailed_program.h"
#include "proto/control.h"

enum { JAIL_UID = 200003, LINE_BYTES = 128 * 1024, SKIPPED = 77 };

enum sign_mode { SIGN_OK, SIGN_REFUSE, SIGN_SILENT };

static struct {
	const char *program;
	char instance_id[CTL_ID_MAX];
	char sabotage[128];         /* its environment */
	int http, dns_udp, dns_tcp; /* ours: every start gets copies */
	pid_t pid;
	int ctl, svc, sign;
	uint32_t seq;
	struct identity_signer *signer;
	enum sign_mode mode;
	FILE *lines;
} h = { .ctl = -1, .svc = -1, .sign = -1 };

static struct ctl_msg msg;

static NORETURN void die(const char *what)
{
	fprintf(stderr, "metadata-host: %s: %s\n", what, strerrordesc_np(errno));
	if (h.pid > 0)
		(void)kill(h.pid, SIGKILL);
	exit(1);
}

/* ---- namespace ---- */

static void address_add(int fd, const char *name, const char *addr)
{
	struct ifreq ifr;
	struct sockaddr_in sa = { .sin_family = AF_INET };

	memset(&ifr, 0, sizeof(ifr));
	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", name);
	sa.sin_addr.s_addr = inet_addr(addr);
	memcpy(&ifr.ifr_addr, &sa, sizeof(sa));
	if (ioctl(fd, SIOCSIFADDR, &ifr) < 0)
		die(addr);
	sa.sin_addr.s_addr = INADDR_BROADCAST; /* /32 */
	memcpy(&ifr.ifr_netmask, &sa, sizeof(sa));
	if (ioctl(fd, SIOCSIFNETMASK, &ifr) < 0)
		die("netmask");
}

static void namespace_make(void)
{
	struct ifreq ifr;
	int fd;

	if (unshare(CLONE_NEWNET) < 0)
		die("unshare");
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		die("socket");
	memset(&ifr, 0, sizeof(ifr));
	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "lo");
	ifr.ifr_flags = IFF_UP;
	if (ioctl(fd, SIOCSIFFLAGS, &ifr) < 0)
		die("lo");
	address_add(fd, "lo:1", "169.254.169.254");
	address_add(fd, "lo:2", "169.254.169.253");
	close(fd);
}

static int bound(int type, const char *addr, uint16_t port)
{
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_port = htons(port) };
	int fd = socket(AF_INET, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1;

	sa.sin_addr.s_addr = inet_addr(addr);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
	    bind(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0)
		die("bind");
	if (type == SOCK_STREAM && listen(fd, 64) < 0)
		die("listen");
	return fd;
}

/* ---- the program ---- */

/* Answers the program's question for a signature, if one is there. */
static void sign_ready(void)
{
	static struct ctl_msg q;
	static struct ctl_signed a;
	int r = ctl_recv(h.sign, &q);

	if (r <= 0 || q.type != CTL_SIGN_IDENTITY) {
		fd_closep(&h.sign);
		return;
	}
	if (h.mode == SIGN_SILENT)
		return;
	if (h.mode == SIGN_REFUSE)
		a = (struct ctl_signed){ .err = -EACCES };
	else
		identity_sign(h.signer, &q.u.sign_identity, &a);
	if (ctl_send(h.sign, CTL_SIGNED, q.seq, &a, NULL, 0) < 0)
		die("sign");
}

/* Waits for the CTL_ACK of the last message on @fd; signs meanwhile. */
static int ack_wait(int fd)
{
	for (;;) {
		struct pollfd p[2] = { { .fd = fd, .events = POLLIN },
				       { .fd = h.sign, .events = POLLIN } };

		if (poll(p, 2, 10000) <= 0)
			die("no answer");
		if (p[1].revents)
			sign_ready();
		if (!p[0].revents)
			continue;
		if (ctl_recv(fd, &msg) != 1 || msg.type != CTL_ACK || msg.seq != h.seq)
			die("not an answer");
		return msg.u.ack.err;
	}
}

/* Tells the program of its sockets; a further time: only of a new service socket. */
static void configure(void)
{
	struct ctl_metadata_config c;
	int svc = -1, sign = -1, unused = -1;

	memcpy(c.instance_id, h.instance_id, sizeof(c.instance_id));
	fd_closep(&h.svc);
	if (fd_socketpair(SOCK_SEQPACKET, &h.svc, &svc) < 0 ||
	    fd_socketpair(SOCK_SEQPACKET, h.sign < 0 ? &h.sign : &unused, &sign) < 0)
		die("socketpair");
	const int fds[5] = { h.http, h.dns_udp, h.dns_tcp, svc, sign };

	if (ctl_send(h.ctl, CTL_METADATA_CONFIG, ++h.seq, &c, fds, 5) < 0)
		die("config");
	if (ack_wait(h.ctl) != 0)
		die(msg.u.ack.text);
	fd_closep(&svc);
	fd_closep(&sign);
	fd_closep(&unused);
}

static void program_start(void)
{
	int ctl = -1, r;

	if (fd_socketpair(SOCK_SEQPACKET, &h.ctl, &ctl) < 0)
		die("socketpair");
	r = jailed_start(h.program, "niter-metadata", JAIL_UID, ctl,
			 (const char *[]){ h.sabotage[0] ? h.sabotage : NULL, NULL }, &h.pid);
	if (r < 0) {
		errno = -r;
		die("start");
	}
	close(ctl);
	configure();
}

/* It has to end by itself, with 0, once the launcher hangs up. */
static int program_end(void)
{
	int status = 0;

	fd_closep(&h.ctl);
	if (waitpid(h.pid, &status, 0) != h.pid)
		die("waitpid");
	h.pid = -1;
	fd_closep(&h.svc);
	fd_closep(&h.sign);
	return status;
}

/* ---- lines ---- */

static void say(const char *text)
{
	fprintf(h.lines, "%s\n", text);
	fflush(h.lines);
}

static void say_ack(int err)
{
	if (err == 0)
		say("ok");
	else
		fprintf(h.lines, "err %d %s\n", err, msg.u.ack.text);
	fflush(h.lines);
}

static void ask(enum ctl_type type, const void *body)
{
	if (ctl_send(h.svc, type, ++h.seq, body, NULL, 0) < 0)
		die("send");
	say_ack(ack_wait(h.svc));
}

static void line_options(const char *args)
{
	struct ctl_metadata_options o;
	unsigned enabled, hops, optional, prefix, dns_off = 0;
	char block[32];

	memset(&o, 0, sizeof(o));
	if (sscanf(args, "%u %u %u %31s %u %u %63s", &enabled, &hops, &optional, block, &prefix,
		   &dns_off, o.domain) < 6)
		die("options");
	o.enabled = (uint8_t)enabled;
	o.hop_limit = (uint8_t)hops;
	o.tokens_optional = (uint8_t)optional;
	o.dns_off = (uint8_t)dns_off;
	o.vpc_prefix = (uint8_t)prefix;
	if (inet_pton(AF_INET, block, o.vpc_addr) != 1)
		die("block");
	ask(CTL_METADATA_OPTIONS_SET, &o);
}

static void line_put(char *args)
{
	static struct ctl_metadata_item item;
	char *path = strtok(args, "\t"), *hex = strtok(NULL, "\t"), *more = strtok(NULL, "\t");
	size_t i, len = hex && *hex != '-' ? strlen(hex) / 2 : 0;

	memset(&item, 0, sizeof(item));
	snprintf(item.path, sizeof(item.path), "%s", path);
	item.more = more != NULL;
	item.data.len = (uint16_t)len;
	for (i = 0; i < len; i++) {
		unsigned v;

		if (sscanf(hex + 2 * i, "%2x", &v) != 1)
			die("hex");
		item.data.b[i] = (uint8_t)v;
	}
	if (ctl_send(h.svc, CTL_METADATA_PUT, 0, &item, NULL, 0) < 0)
		die("put");
	say("ok");
}

static void line_restart(const char *id)
{
	int status = program_end();

	snprintf(h.instance_id, sizeof(h.instance_id), "%s", id);
	program_start();
	fprintf(h.lines, "ok %d\n", status);
	fflush(h.lines);
}

static void line_sign(const char *how)
{
	h.mode = !strcmp(how, "ok") ? SIGN_OK : !strcmp(how, "refuse") ? SIGN_REFUSE : SIGN_SILENT;
	say("ok");
}

static void line_do(char *line)
{
	char *args = strchr(line, ' ');

	line[strcspn(line, "\n")] = '\0';
	args = args ? args + 1 : line + strlen(line);
	if (!strncmp(line, "options ", 8)) {
		line_options(args);
	} else if (!strncmp(line, "put ", 4)) {
		line_put(args);
	} else if (!strcmp(line, "commit")) {
		ask(CTL_METADATA_COMMIT, NULL);
	} else if (!strncmp(line, "sign ", 5)) {
		line_sign(args);
	} else if (!strcmp(line, "sign-close")) {
		fd_closep(&h.sign);
		say("ok");
	} else if (!strcmp(line, "reconnect")) {
		configure();
		say("ok");
	} else if (!strncmp(line, "restart ", 8)) {
		line_restart(args);
	} else if (!strncmp(line, "sabotage ", 9)) {
		snprintf(h.sabotage, sizeof(h.sabotage), "NITER_SABOTAGE=%s", args);
		say("ok");
	} else if (!strcmp(line, "pid")) {
		fprintf(h.lines, "ok %d\n", (int)h.pid);
		fflush(h.lines);
	} else {
		die(line);
	}
}

static pid_t command_start(char **argv, int *ret_fd)
{
	int a = -1, b = -1;
	char number[16];
	pid_t pid;

	if (fd_socketpair(SOCK_STREAM, &a, &b) < 0)
		die("socketpair");
	pid = fork();
	if (pid < 0)
		die("fork");
	if (pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		(void)fcntl(b, F_SETFD, 0);
		snprintf(number, sizeof(number), "%d", b);
		(void)setenv("METADATA_CTL", number, 1);
		execvp(argv[0], argv);
		_exit(127);
	}
	close(b);
	*ret_fd = a;
	return pid;
}

/* Serves lines until the command hangs up. */
static void serve(int fd)
{
	static char line[LINE_BYTES];

	h.lines = fdopen(fd, "r+");
	if (!h.lines)
		die("fdopen");
	for (;;) {
		struct pollfd p[2] = { { .fd = fd, .events = POLLIN },
				       { .fd = h.sign, .events = POLLIN } };

		if (poll(p, 2, -1) < 0)
			die("poll");
		if (p[1].revents)
			sign_ready();
		if (!p[0].revents)
			continue;
		if (!fgets(line, sizeof(line), h.lines))
			return;
		line_do(line);
	}
}

int main(int argc, char **argv)
{
	int status = 0, fd = -1, ended;
	pid_t command;

	if (argc < 4)
		return 2;
	if (geteuid() != 0) {
		fprintf(stderr, "metadata-host: namespaces need root\n");
		return SKIPPED;
	}
	h.program = argv[1];
	snprintf(h.instance_id, sizeof(h.instance_id), "i-0123456789abcdef0");
	h.signer = identity_signer_new(argv[2]);
	namespace_make();
	h.http = bound(SOCK_STREAM, "169.254.169.254", 80);
	h.dns_udp = bound(SOCK_DGRAM, "169.254.169.253", 53);
	h.dns_tcp = bound(SOCK_STREAM, "169.254.169.253", 53);
	program_start();

	command = command_start(argv + 3, &fd);
	serve(fd);
	if (waitpid(command, &status, 0) != command)
		die("waitpid");
	ended = program_end();
	if (ended != 0)
		fprintf(stderr, "metadata-host: niter-metadata ended with status %#x\n",
			(unsigned)ended);
	identity_signer_free(h.signer);
	if (!WIFEXITED(status) || ended != 0)
		return 1;
	return WEXITSTATUS(status);
}
