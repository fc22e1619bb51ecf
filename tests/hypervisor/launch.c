/* SPDX-License-Identifier: Apache-2.0 */
#include "launch.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"

static struct ctl_msg msg;

static const uint8_t uuid[16] = { 0xec, 0x2d, 0x1e, 0x2f, 0xaa, 0xbb, 0x4c, 0xdd,
				  0x81, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08 };

static void child(const struct launch_conf *c, int ctl)
{
	int null = open("/dev/null", O_RDWR);

	dup2(null, 0);
	if (c->quiet)
		dup2(null, 2);
	if (ctl == CTL_FD)
		fcntl(ctl, F_SETFD, 0);
	else
		dup2(ctl, CTL_FD);
	setenv("NITER_UNJAILED", "1", 1);
	execl(c->program, c->program, (char *)NULL);
	_exit(127);
}

static int config_send(const struct launch_conf *c, struct launched *l, int svc_peer)
{
	static struct ctl_hv_config conf;
	CLEANUP(fd_closep) int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	CLEANUP(fd_closep) int kernel = open(c->kernel, O_RDONLY | O_CLOEXEC);
	CLEANUP(fd_closep) int initrd = c->initrd ? open(c->initrd, O_RDONLY | O_CLOEXEC) : -1;
	int fds[FD_MSG_FDS_MAX] = { kvm, l->ram, kernel, svc_peer };
	unsigned n = 4, i;

	if (kvm < 0 || kernel < 0 || (c->initrd && initrd < 0))
		return -ENOENT;
	memset(&conf, 0, sizeof(conf));
	(void)snprintf(conf.instance_id, sizeof(conf.instance_id), "i-0123456789abcdef0");
	(void)snprintf(conf.type_name, sizeof(conf.type_name), "t3.micro");
	(void)snprintf(conf.cmdline, sizeof(conf.cmdline), "%s", c->cmdline);
	memcpy(conf.uuid, uuid, sizeof(conf.uuid));
	conf.cores = (uint16_t)c->cores;
	conf.threads = (uint8_t)c->threads;
	conf.ram_bytes = c->ram_bytes;
	conf.has_initrd = c->initrd != NULL;
	if (c->initrd)
		fds[n++] = initrd;
	conf.slot_cnt = (uint16_t)c->function_cnt;
	for (i = 0; i < c->function_cnt; i++) {
		conf.slot[i] = c->slots[i];
		fds[n++] = c->function_socks[i];
	}
	return ctl_send(l->ctl, CTL_HV_CONFIG, 1, &conf, fds, n);
}

static int wait_readable(int fd, int timeout_ms)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	int r = poll(&p, 1, timeout_ms);

	return r < 0 ? -errno : r == 0 ? -ETIMEDOUT : 0;
}

int launch(const struct launch_conf *c, struct launched *ret)
{
	CLEANUP(fd_closep) int ctl_peer = -1;
	CLEANUP(fd_closep) int svc_peer = -1;
	int r;

	memset(ret, 0, sizeof(*ret));
	ret->ctl = ret->svc = ret->ram = -1;
	r = fd_socketpair(SOCK_SEQPACKET, &ret->ctl, &ctl_peer);
	if (r == 0)
		r = fd_socketpair(SOCK_SEQPACKET, &ret->svc, &svc_peer);
	if (r < 0)
		return r;
	ret->ram = fd_memfd("guest-ram", c->ram_bytes);
	if (ret->ram < 0)
		return ret->ram;
	ret->pid = fork();
	if (ret->pid < 0)
		return -errno;
	if (ret->pid == 0)
		child(c, ctl_peer);
	r = config_send(c, ret, svc_peer);
	fd_closep(&ctl_peer);
	if (r == 0)
		r = wait_readable(ret->ctl, 30000);
	if (r == 0)
		r = ctl_recv(ret->ctl, &msg);
	if (r <= 0)
		return r < 0 ? r : -EPIPE;
	if (msg.type == CTL_HV_READY) {
		ret->ready_cpu_us = msg.u.hv_ready.cpu_us;
		r = 0;
	} else {
		if (msg.type == CTL_ACK)
			memcpy(ret->refusal, msg.u.ack.text, sizeof(ret->refusal));
		r = -ECHILD;
	}
	ctl_msg_done(&msg);
	return r;
}

static int service_call(struct launched *l, enum ctl_type type, const void *body)
{
	int r = ctl_send(l->svc, type, 7, body, NULL, 0);

	/* A guest that has ended left its last words in the socket. */
	if (r == 0 || r == -EPIPE)
		r = wait_readable(l->svc, 10000);
	if (r == 0)
		r = ctl_recv(l->svc, &msg);
	return r > 0 ? 0 : r < 0 ? r : -EPIPE;
}

/* Console data in msg: what is new of it. */
static size_t data_take(struct launched *l, char *buf, size_t cap)
{
	const struct ctl_svc_console_data *d = &msg.u.svc_console_data;
	uint64_t skip = d->off < l->console_off ? l->console_off - d->off : 0;
	size_t n = skip < d->data.len ? d->data.len - (size_t)skip : 0;

	n = n < cap ? n : cap;
	memcpy(buf, d->data.b + skip, n);
	l->console_off = d->off + skip + n;
	return n;
}

size_t launched_console(struct launched *l, char *buf, size_t cap)
{
	struct ctl_svc_console_read req = { .off = l->console_off, .max = (uint32_t)(cap - 1) };
	size_t n = 0;

	if (service_call(l, CTL_SVC_CONSOLE_READ, &req) == 0) {
		n = data_take(l, buf, cap - 1);
		ctl_msg_done(&msg);
	}
	buf[n] = '\0';
	return n;
}

int launched_expect(struct launched *l, char *buf, size_t cap, const char *text, int timeout_ms)
{
	uint64_t end = clock_ns() + (uint64_t)timeout_ms * 1000000;
	size_t len = 0;

	buf[0] = '\0';
	for (;;) {
		len += launched_console(l, buf + len, cap - len);
		if (strstr(buf, text))
			return 0;
		if (clock_ns() > end || len + 1 >= cap)
			return -ETIMEDOUT;
		usleep(5000);
	}
}

int launched_ask(struct launched *l, enum ctl_type type, struct ctl_svc_stats *ret_stats)
{
	int r = service_call(l, type, NULL);

	if (r < 0)
		return r;
	if (msg.type == CTL_SVC_STATS && ret_stats)
		*ret_stats = msg.u.svc_stats;
	else if (msg.type == CTL_ACK)
		r = msg.u.ack.err;
	ctl_msg_done(&msg);
	return r;
}

int launched_exit(struct launched *l, int timeout_ms, char text[CTL_TEXT_MAX])
{
	int r = wait_readable(l->ctl, timeout_ms);

	if (r == 0)
		r = ctl_recv(l->ctl, &msg);
	if (r <= 0)
		return r < 0 ? r : -EPIPE;
	if (msg.type != CTL_HV_EXIT)
		return -EPROTO;
	memcpy(text, msg.u.hv_exit.text, CTL_TEXT_MAX);
	r = msg.u.hv_exit.reason;
	ctl_msg_done(&msg);
	return r;
}

void launched_end(struct launched *l)
{
	if (l->pid > 0) {
		kill(l->pid, SIGKILL);
		waitpid(l->pid, NULL, 0);
		l->pid = 0;
	}
	fd_closep(&l->ctl);
	fd_closep(&l->svc);
	fd_closep(&l->ram);
}
