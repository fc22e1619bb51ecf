/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Plays every program the launcher starts, by the name it is started under. It enters its sandbox like the real
 * ones, then answers. niterd's part is played by the test itself: whoever connects to the API socket is given the
 * launcher's control socket.
 *
 * Orders ride on fields the launcher only passes on: device names /dev/bad, /dev/hang, /dev/crash; kernel command
 * lines "bad", "hang", "syscall"; account "refused"; MTU 1111 to the network card: it crashes; interfaces and gateways
 * whose id ends in "bad" to the wire: it refuses. On the service sockets: CTL_VPC_STATS_READ tries something and tells
 * of it in the text of a CTL_ACK; CTL_WIRE_PEER_DEL makes the wire crash, CTL_GATEWAY_NAT_DEL the gateway.
 */

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/sandbox.h"
#include "proto/control.h"
#include "seccomp_launcher_stub.h"

enum { NOFILE = 64 };

static struct ctl_msg m;
static union ctl_any out;

static int next(int sock)
{
	int r = ctl_recv(sock, &m);

	if (r <= 0)
		_exit(r == 0 ? 0 : 3);
	return r;
}

static void answer(int err, const char *text)
{
	if (ctl_ack(CTL_FD, m.seq, err, "%s", text) < 0)
		_exit(4);
}

static void security_main(void)
{
	for (;; ctl_msg_done(&m)) {
		next(CTL_FD);
		if (m.type == CTL_SEC_STATUS_READ) {
			memset(&out, 0, sizeof(out));
			strcpy(out.sec_status.tpm_kind, "none");
			strcpy(out.sec_status.root_key, "absent: a stub");
			out.sec_status.lab = 1;
			if (ctl_send(CTL_FD, CTL_SEC_STATUS, m.seq, &out.sec_status, NULL, 0) < 0)
				_exit(4);
		} else if (m.type == CTL_SEC_CHANNEL &&
			   !strcmp(m.u.sec_channel.account_id, "refused")) {
			answer(-EACCES, "the stub refuses this account");
		} else if (m.type == CTL_SEC_CHANNEL &&
			   !strcmp(m.u.sec_channel.account_id, "die")) {
			__builtin_trap();
		} else {
			answer(0, "");
		}
	}
}

/* A listener has no peer to read from, a datagram socket has nothing yet: that tells them apart without more calls. */
static int read_error(int fd)
{
	struct fd_list none;
	char b[16];

	return (int)fd_msg_recv(fd, b, sizeof(b), &none);
}

/* #syscalls:launcher-stub accept4 poll */
static void niterd_main(void)
{
	struct stat here, up;
	int api = -1;

	next(CTL_FD);
	if (m.type != CTL_L_CONFIG || !m.u.l_config.has_listener || !m.u.l_config.has_api ||
	    !m.u.l_config.has_state_dir || m.fds.cnt < 3 || read_error(m.fds.fd[1]) != -ENOTCONN)
		_exit(5);
	/* Its directory must be no way out of its empty root. */
	if (fstat(m.fds.fd[2], &here) < 0 || fstatat(m.fds.fd[2], "..", &up, 0) < 0 ||
	    here.st_ino != up.st_ino)
		_exit(8);
	for (;;) {
		struct pollfd p[] = { { .fd = CTL_FD },
				      { .fd = m.fds.fd[0], .events = POLLIN },
				      { .fd = api, .events = POLLIN } };
		int ctl = CTL_FD;
		char c;

		(void)poll(p, 3, -1);
		if (p[0].revents & POLLHUP)
			_exit(0);
		if (p[2].revents) {
			/* Ends when told to; lives on when the test goes away. */
			if (read(api, &c, 1) == 1)
				_exit(7);
			fd_closep(&api);
		}
		if (!p[1].revents)
			continue;
		api = accept4(m.fds.fd[0], NULL, NULL, SOCK_CLOEXEC);
		if (api >= 0 && fd_msg_send(api, "n", 1, &ctl, 1) < 0)
			_exit(6);
	}
}

static void card_main(void)
{
	struct ctl_card_volume_add *add = &m.u.card_volume_add;

	for (;; ctl_msg_done(&m)) {
		next(CTL_FD);
		if (m.type == CTL_CARD_CONFIG) {
			m.fds.cnt = 0; /* keep it */
			continue;
		}
		if (m.fds.cnt != 2)
			_exit(5);
		if (!strcmp(add->device_name, "/dev/bad"))
			answer(-EKEYREJECTED, "wrong key");
		else if (!strcmp(add->device_name, "/dev/crash"))
			__builtin_trap();
		else if (strcmp(add->device_name, "/dev/hang") != 0)
			answer(0, "");
		m.fds.cnt = 0; /* keep them */
	}
}

/* #syscalls:launcher-stub fcntl(F_GETFL) */
static void hypervisor_main(void)
{
	struct ctl_hv_config conf;
	int service;

	next(CTL_FD);
	conf = m.u.hv_config;
	if (m.type != CTL_HV_CONFIG || m.fds.cnt != 4U + conf.has_initrd + conf.slot_cnt)
		_exit(5);
	if (conf.slot[0] != 4 || (conf.slot_cnt == 3 && (conf.slot[1] != 5 || conf.slot[2] != 6)))
		_exit(5);
	service = m.fds.fd[3];
	m.fds.cnt = 0;
	memset(&out, 0, sizeof(out));
	if (!strcmp(conf.cmdline, "bad")) {
		out.hv_exit.reason = CTL_EXIT_INTERNAL;
		strcpy(out.hv_exit.text, "the kernel is no kernel");
		(void)!ctl_send(CTL_FD, CTL_HV_EXIT, 0, &out.hv_exit, NULL, 0);
		_exit(1);
	}
	if (!strcmp(conf.cmdline, "syscall"))
		syscall(SYS_getppid);
	if (fd_memfd_check(m.fds.fd[1], conf.ram_bytes) < 0)
		_exit(6);
	out.hv_ready.cpu_us = 42;
	if (strcmp(conf.cmdline, "hang") != 0 &&
	    ctl_send(CTL_FD, CTL_HV_READY, 0, &out.hv_ready, NULL, 0) < 0)
		_exit(7);
	next(service); /* the power button */
	if (ctl_ack(service, m.seq, 0, NULL) < 0)
		_exit(8);
	memset(&out, 0, sizeof(out));
	out.hv_exit.reason = CTL_EXIT_SHUTDOWN;
	strcpy(out.hv_exit.text, "power off");
	if (ctl_send(CTL_FD, CTL_HV_EXIT, 0, &out.hv_exit, NULL, 0) < 0)
		_exit(9);
}

/* The next message on either socket is in m. Return: it came on the service socket. */
static bool next_of(int service)
{
	struct pollfd p[] = { { .fd = CTL_FD, .events = POLLIN },
			      { .fd = service, .events = POLLIN } };

	(void)poll(p, service >= 0 ? 2 : 1, -1);
	if (p[0].revents) {
		next(CTL_FD);
		return false;
	}
	if (ctl_recv(service, &m) != 1)
		_exit(10);
	return true;
}

static void wire_main(void)
{
	int service = -1, ports = 0;

	for (;; m.fds.cnt = 0) { /* keeps every descriptor */
		if (next_of(service)) {
			if (m.type == CTL_WIRE_PEER_DEL)
				__builtin_trap();
			if (ctl_ack(service, m.seq, 0, "ports=%d", ports) < 0)
				_exit(4);
		} else if (m.type == CTL_WIRE_CONFIG) {
			service = m.fds.fd[2];
			answer(0, "");
		} else if (m.type == CTL_WIRE_PORT_ADD) {
			const char *id = m.u.wire_port_ref.interface_id;

			if (fd_memfd_check(m.fds.fd[0], 1 << 20) < 0)
				_exit(6);
			if (!strcmp(id + strlen(id) - 3, "bad")) {
				answer(-EEXIST, "the stub wants no such port");
				continue;
			}
			ports++;
			answer(0, "");
		} else if (m.type == CTL_WIRE_PORT_DEL) {
			ports--;
			answer(0, "");
		} else {
			_exit(5);
		}
	}
}

/* Who has 169.254.169.254? The kernel at the other end of the TAP. */
static const char *arp_try(int tap)
{
	static const uint8_t question[42] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2,    0,    0xa9,
					      0xfe, 0xa9, 1,    8,    6,    0,    1,    8,    0,
					      6,    4,    0,    1,    2,    0,    0xa9, 0xfe, 0xa9,
					      1,    172,  31,   0,    5,    0,    0,    0,    0,
					      0,    0,    169,  254,  169,  254 };
	static const uint8_t from[] = { 2, 0, 0xa9, 0xfe, 0xa9, 0xfe };
	struct pollfd p = { .fd = tap, .events = POLLIN };
	uint8_t f[2048];
	int i;

	if (write(tap, question, sizeof(question)) != sizeof(question))
		return "no write";
	for (i = 0; i < 100 && poll(&p, 1, 2000) == 1; i++)
		if (read(tap, f, sizeof(f)) >= 42 && f[12] == 8 && f[13] == 6 && f[21] == 2 &&
		    !memcmp(f + 6, from, 6))
			return "arp answered";
	return "no answer";
}

static void netcard_main(void)
{
	int service = -1, tap = -1;

	for (;; m.fds.cnt = 0) {
		if (next_of(service)) {
			if (ctl_ack(service, m.seq, 0, "%s", arp_try(tap)) < 0)
				_exit(4);
		} else if (m.type == CTL_NETCARD_CONFIG) {
			service = m.fds.fd[0];
			tap = m.fds.fd[1];
			answer(0, "");
		} else if (m.type == CTL_NETCARD_INTERFACE_ADD &&
			   m.u.netcard_interface_add.mtu != 1111) {
			answer(fd_memfd_check(m.fds.fd[0], 1 << 20), "");
		} else {
			__builtin_trap();
		}
	}
}

static void metadata_main(void)
{
	next(CTL_FD);
	if (m.type != CTL_METADATA_CONFIG)
		_exit(5);
	if (read_error(m.fds.fd[0]) != -ENOTCONN || read_error(m.fds.fd[1]) != -EAGAIN ||
	    read_error(m.fds.fd[2]) != -ENOTCONN)
		answer(-EBADF, "the listeners are not in their order");
	else
		answer(0, "");
	m.fds.cnt = 0;
	next(CTL_FD);
}

static void gateway_main(void)
{
	int service = -1;

	for (;; m.fds.cnt = 0) {
		if (next_of(service)) {
			if (m.type == CTL_GATEWAY_NAT_DEL)
				__builtin_trap();
			if (ctl_ack(service, m.seq, 0, NULL) < 0)
				_exit(4);
		} else if (m.type == CTL_GATEWAY_CONFIG) {
			service = m.fds.fd[4];
			answer(fd_memfd_check(m.fds.fd[0], 1 << 20), "");
		} else {
			_exit(5);
		}
	}
}

static void format_main(void)
{
	next(CTL_FD);
	if (m.type != CTL_FORMAT_JOB || m.fds.cnt != 2U + m.u.format_job.has_image)
		_exit(5);
	out.format_progress = (struct ctl_format_progress){ .done = 1, .total = 2 };
	if (ctl_send(CTL_FD, CTL_FORMAT_PROGRESS, m.seq, &out.format_progress, NULL, 0) < 0)
		_exit(6);
	if (m.u.format_job.size == 8192)
		answer(-ENOSPC, "the disk is full");
	else if (m.u.format_job.size == 12288)
		__builtin_trap();
	else if (fd_pwrite_full(m.fds.fd[0], "volume", 6, 0) == 0)
		answer(0, "");
	next(CTL_FD);
}

int main(int argc, char **argv)
{
	static const int keep[] = { CTL_FD };
	struct sandbox_conf conf = {
		.profile = &sandbox_profile_launcher_stub,
		.nofile_max = NOFILE,
		.keep_fds = keep,
		.keep_cnt = ARRAY_SIZE(keep),
	};

	log_init(argc ? argv[0] : "stub");
	if (sandbox_enter(&conf) < 0)
		return 2;
	log_info("stub.start", NULL);
	if (!strcmp(argv[0], "niter-security"))
		security_main();
	else if (!strcmp(argv[0], "niterd"))
		niterd_main();
	else if (!strcmp(argv[0], "niter-storage-card"))
		card_main();
	else if (!strcmp(argv[0], "niter-hypervisor"))
		hypervisor_main();
	else if (!strcmp(argv[0], "niter-volume-format"))
		format_main();
	else if (!strcmp(argv[0], "niter-wire"))
		wire_main();
	else if (!strcmp(argv[0], "niter-network-card"))
		netcard_main();
	else if (!strcmp(argv[0], "niter-metadata"))
		metadata_main();
	else if (!strcmp(argv[0], "niter-gateway"))
		gateway_main();
	return 0;
}
