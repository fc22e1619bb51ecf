/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Plays every program the launcher starts, by the name it is started under. It enters its sandbox like the real
 * ones, then answers. niterd's part is played by the test itself: whoever connects to the API socket is given the
 * launcher's control socket.
 *
 * Orders ride on fields the launcher only passes on: device names /dev/bad, /dev/hang, /dev/crash; kernel command
 * lines "bad", "hang", "syscall"; account "refused".
 */

#include <errno.h>
#include <poll.h>
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

/* #syscalls:launcher-stub accept4 poll */
static void niterd_main(void)
{
	struct stat here, up;
	int api = -1;

	next(CTL_FD);
	if (m.type != CTL_L_CONFIG || !m.u.l_config.has_listener || !m.u.l_config.has_state_dir ||
	    m.fds.cnt < 2)
		_exit(5);
	/* Its directory must be no way out of its empty root. */
	if (fstat(m.fds.fd[1], &here) < 0 || fstatat(m.fds.fd[1], "..", &up, 0) < 0 ||
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
	return 0;
}
