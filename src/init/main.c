/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <linux/reboot.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/log.h"
#include "init.h"

/*
 * niter-init: PID 1 of the host image, and with the launcher the only code that is ever root there. It brings the
 * machine up, starts the launcher, reaps, and powers the machine off when the launcher ends, however it ended:
 * there is no login, no shell and no second try. Errors are one line on the console.
 */

enum { CMDLINE_TEXT_MAX = 4096 };

static int bring_up(struct cmdline *c)
{
	static char text[CMDLINE_TEXT_MAX];
	char bad[WORD_MAX] = "";
	int r;

	r = root_move();
	if (r == 0)
		r = mounts_make();
	if (r < 0)
		return r;
	(void)syscall(SYS_reboot, LINUX_REBOOT_MAGIC1, LINUX_REBOOT_MAGIC2,
		      LINUX_REBOOT_CMD_CAD_OFF, NULL);
	r = text_read("/proc/cmdline", text, sizeof(text));
	if (r == 0)
		r = cmdline_parse(text, c, bad, sizeof(bad));
	if (r < 0) {
		log_err("init.cmdline", "text=\"the kernel command line has a wrong word: %s\"",
			bad);
		return r;
	}
	modules_load("/etc/niter/modules", "/lib/modules");
	sysctls_set();
	net_up(c);
	r = root_seal();
	if (r < 0)
		return r;
	if (!strcmp(c->mode, "simulated")) {
		r = keeper_start();
		if (r < 0)
			log_err("init.keeper", "text=\"no keeper machine: %s\"",
				strerrordesc_np(-r));
	}
	return 0;
}

static int serve(const struct cmdline *c)
{
	int r;

	if (c->wait_go) {
		r = port_wait_go();
		if (r < 0) {
			log_err("init.go", "text=\"no port niter.boot: %s\"", strerrordesc_np(-r));
			return r;
		}
	}
	if (!c->state[0]) {
		log_err("init.state", "text=\"no state disk: put niter.state=/dev/... on the "
				      "kernel command line\"");
		return -ENODEV;
	}
	r = state_mount(c->state);
	if (r < 0) {
		log_err("init.state", "text=\"cannot mount the state disk %s as ext4: %s\"",
			c->state, strerrordesc_np(-r));
		return r;
	}
	sysctls_close();
	r = launcher_run(c);
	if (r != 0)
		log_err("init.launcher",
			"code=%d text=\"the launcher ended by itself: powering off\"", r);
	return r;
}

int main(void)
{
	struct cmdline c;

	log_init("niter-init");
	if (getpid() != 1) {
		(void)fputs("niter-init: only as the first process of the host image\n", stderr);
		return 2;
	}
	umask(022);
	if (bring_up(&c) == 0 && serve(&c) == 0)
		log_info("init.end", "text=\"powering off\"");
	else
		log_err("init.failed", "text=\"powering off\"");
	power_off();
}
