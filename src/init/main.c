/* SPDX-License-Identifier: Apache-2.0 */

/*
 * niter-init: PID 1 of the host image. It makes a running system out of a kernel (mounts, modules, settings, the
 * state disk), starts the launcher, reaps, and switches the machine off when the launcher has ended. It reads nothing
 * a tenant sent: the kernel's command line and, in a simulated server, one line on the port niter.boot are all it hears.
 * There is no way to log in, no shell to start, and no second chance: when a step fails, it says so and powers off.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/reboot.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "init.h"

enum { PORT_WAIT_TRIES = 100, LAUNCHER_ARGS_MAX = 32 };

NORETURN static void power_off(void)
{
	init_unmount_state();
	sync();
	(void)reboot(RB_POWER_OFF);
	for (;;)
		pause();
}

NORETURN static void give_up(const char *what, int err)
{
	log_err("init.failed", "step=\"%s\" err=%d text=\"%s\"", what, err, strerror(-err));
	power_off();
}

static void step(const char *what, int r)
{
	if (r < 0)
		give_up(what, r);
}

static void read_cmdline(struct init_conf *ret)
{
	char text[4096] = "";
	CLEANUP(fd_closep) int fd = open("/proc/cmdline", O_RDONLY | O_CLOEXEC);
	ssize_t len;

	if (fd < 0)
		give_up("read the kernel command line", -errno);
	len = read(fd, text, sizeof(text) - 1);
	if (len < 0)
		give_up("read the kernel command line", -errno);
	step("understand the kernel command line's niter.* words", init_cmdline_parse(text, ret));
}

static void wait_for_go(void)
{
	char port[INIT_WORD_MAX];
	int r = -ENOENT;

	for (int n = 0; n < PORT_WAIT_TRIES && r < 0; n++) {
		r = init_port_find("niter.boot", port);
		if (r < 0)
			usleep(20000);
	}
	step("find the port niter.boot", r);
	step("wait for go", init_go_wait(port));
}

/* The rest of the bounding set is the launcher's to close: it needs some of it while it sets itself up. */
static void drop_bounding_set(void)
{
	static const int nobody_needs[] = {
		CAP_SYS_MODULE, CAP_SYS_BOOT,	     CAP_SYS_TIME,  CAP_SYS_RAWIO,	    CAP_MKNOD,
		CAP_NET_RAW,	CAP_SYSLOG,	     CAP_MAC_ADMIN, CAP_MAC_OVERRIDE,	    CAP_AUDIT_CONTROL,
		CAP_AUDIT_READ, CAP_AUDIT_WRITE,     CAP_BPF,	    CAP_PERFMON,	    CAP_CHECKPOINT_RESTORE,
		CAP_WAKE_ALARM, CAP_BLOCK_SUSPEND,   CAP_LEASE,	    CAP_LINUX_IMMUTABLE,    CAP_SYS_TTY_CONFIG,
		CAP_SYS_PACCT,	CAP_IPC_OWNER,	     CAP_NET_BIND_SERVICE, CAP_NET_BROADCAST,
	};

	for (size_t n = 0; n < ARRAY_SIZE(nobody_needs); n++)
		if (prctl(PR_CAPBSET_DROP, nobody_needs[n], 0, 0, 0) < 0)
			give_up("drop a capability", -errno);
}

NORETURN static void launcher_exec(const struct init_conf *c)
{
	static char text[LAUNCHER_ARGS_MAX][INIT_WORD_MAX + 32];
	char *argv[LAUNCHER_ARGS_MAX + 1] = { NULL };
	char port[INIT_WORD_MAX], name[32];
	char *const envp[] = { NULL };
	int n = 0;

	snprintf(text[n++], sizeof(text[0]), "niter-launcher");
	snprintf(text[n++], sizeof(text[0]), "--mode=%s", c->mode);
	snprintf(text[n++], sizeof(text[0]), "--state=/var/lib/niter");
	snprintf(text[n++], sizeof(text[0]), "--run=/run/niter");
	snprintf(text[n++], sizeof(text[0]), "--libexec=/usr/lib/niter");
	if (c->lab)
		snprintf(text[n++], sizeof(text[0]), "--lab");
	if (access("/dev/tpmrm0", F_OK) == 0) {
		snprintf(text[n++], sizeof(text[0]), "--tpm=/dev/tpmrm0");
		snprintf(text[n++], sizeof(text[0]), "--tpm-kind=%s", c->tpm_kind);
	}
	for (int k = 0; k < INIT_PORTS_MAX; k++) {
		snprintf(name, sizeof(name), "niter.ctl.%d", k);
		if (init_port_find(name, port) == 0)
			snprintf(text[n++], sizeof(text[0]), "--control-port=%s", port);
	}
	for (int k = 0; k < n; k++)
		argv[k] = text[k];
	drop_bounding_set();
	execve("/usr/lib/niter/niter-launcher", argv, envp);
	log_err("init.launcher.exec", "err=%d", -errno);
	_exit(127);
}

/* Everything whose parent died is ours to reap. Return: the launcher's wait status. */
static int reap_until(pid_t launcher)
{
	int status;
	pid_t pid;

	for (;;) {
		pid = wait(&status);
		if (pid == launcher)
			return status;
		if (pid < 0 && errno != EINTR)
			return -1;
	}
}

int main(void)
{
	struct init_conf conf;
	pid_t launcher;
	int status;

	log_init("niter-init");
	if (getpid() != 1) {
		fputs("niter-init: this is the host image's PID 1; on a running Linux use: niter host start\n", stderr);
		return 2;
	}
	step("mount the kernel's file systems", init_mount_kernel());
	read_cmdline(&conf);
	step("leave the initramfs", init_move_root());
	step("read the list of kernel modules", init_modules_load("/etc/niter/modules"));
	init_settings();
	if (strcmp(conf.mode, "simulated") == 0)
		step("hold the keeper VM", init_keeper());
	if (conf.wait_go)
		wait_for_go();
	if (!conf.state[0])
		give_up("find the state disk: say niter.state=/dev/… on the kernel command line", -ENOENT);
	step("mount the state disk", init_mount_state(conf.state));

	launcher = fork();
	if (launcher < 0)
		give_up("start the launcher", -errno);
	if (launcher == 0)
		launcher_exec(&conf);
	status = reap_until(launcher);
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		log_err("init.launcher.ended", "status=%#x", (unsigned)status);
	else
		log_info("init.poweroff", NULL);
	power_off();
}
