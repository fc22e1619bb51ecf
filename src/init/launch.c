/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <linux/capability.h>
#include <linux/reboot.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "base/num.h"
#include "init.h"

enum {
	DEVICE_TRIES = 200,
	DEVICE_MS = 50,
	UMOUNT_TRIES = 50,
	UMOUNT_MS = 100,
	ARG_MAX_BYTES = 96,
	ARGS_MAX = 32,
	API_PORT = 8773, /* of the uplink's address */
};

static const char state_dir[] = "/var/lib/niter";

static void sleep_ms(long ms)
{
	struct timespec ts = { .tv_nsec = ms * 1000000 };

	(void)nanosleep(&ts, NULL);
}

int state_mount(const char *device)
{
	struct stat st;
	int i;

	for (i = 0; i < DEVICE_TRIES && stat(device, &st) < 0; i++)
		sleep_ms(DEVICE_MS);
	if (i == DEVICE_TRIES)
		return -ENODEV;
	if (!S_ISBLK(st.st_mode))
		return -ENOTBLK;
	if (mount(device, state_dir, "ext4", MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_NOATIME,
		  "errors=remount-ro,discard") < 0)
		return -errno;
	return 0;
}

static void caps_only(const int *keep, size_t cnt)
{
	struct __user_cap_header_struct hdr = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];
	size_t i;

	memset(data, 0, sizeof(data));
	for (i = 0; i < cnt; i++) {
		data[CAP_TO_INDEX(keep[i])].permitted |= CAP_TO_MASK(keep[i]);
		data[CAP_TO_INDEX(keep[i])].effective |= CAP_TO_MASK(keep[i]);
	}
	if (syscall(SYS_capset, &hdr, data) < 0)
		log_err("init.capabilities", "text=\"%s\"", strerrordesc_np(errno));
}

/*
 * What nobody needs after this leaves the bounding set. The launcher drops the last three itself once it has made its
 * directories; PID 1 keeps what ending needs.
 */
static void caps_drop(void)
{
	static const int launcher[] = { CAP_SYS_ADMIN, CAP_SETUID,  CAP_SETGID, CAP_NET_ADMIN,
					CAP_SYS_NICE,  CAP_SETPCAP, CAP_CHOWN };
	unsigned long cap;
	size_t i;

	for (cap = 0; prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++) {
		for (i = 0; i < ARRAY_SIZE(launcher) && (unsigned long)launcher[i] != cap; i++)
			;
		if (i == ARRAY_SIZE(launcher) && prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0)
			log_err("init.bounding_set", "cap=%lu text=\"%s\"", cap,
				strerrordesc_np(errno));
	}
}

/* The launcher's arguments; strings live in text[]. */
struct args {
	char text[ARGS_MAX][ARG_MAX_BYTES];
	char *argv[ARGS_MAX + 1];
	unsigned cnt;
};

static void arg_add(struct args *a, const char *key, const char *value)
{
	int n;

	if (a->cnt == ARGS_MAX)
		return;
	n = snprintf(a->text[a->cnt], ARG_MAX_BYTES, "%s%s", key, value);
	must(n > 0 && n < ARG_MAX_BYTES);
	a->argv[a->cnt] = a->text[a->cnt];
	a->cnt++;
}

static void args_make(struct args *a, const struct cmdline *c)
{
	char name[WORD_MAX], path[PORT_PATH_MAX];
	struct stat st;
	int i;

	memset(a, 0, sizeof(*a));
	arg_add(a, "niter-launcher", "");
	arg_add(a, "--mode=", c->mode);
	arg_add(a, "--state=", state_dir);
	arg_add(a, "--run=", "/run/niter");
	arg_add(a, "--libexec=", "/usr/lib/niter");
	arg_add(a, "--placement=", c->placement);
	if (c->lab)
		arg_add(a, "--lab", "");
	if (c->uplink.name[0]) {
		arg_add(a, "--uplink=", c->uplink.name);
		(void)snprintf(name, sizeof(name), "%u.%u.%u.%u:%d", c->uplink.addr[0],
			       c->uplink.addr[1], c->uplink.addr[2], c->uplink.addr[3], API_PORT);
		arg_add(a, "--api=", name);
	}
	if (stat("/dev/tpmrm0", &st) == 0) {
		arg_add(a, "--tpm=", "/dev/tpmrm0");
		arg_add(a, "--tpm-kind=", c->tpm_kind);
	}
	for (i = 0; i < PORTS_MAX; i++) {
		(void)snprintf(name, sizeof(name), "niter.ctl.%d", i);
		if (port_find(name, path) == 0)
			arg_add(a, "--control-port=", path);
	}
}

static pid_t launcher_start(const struct cmdline *c)
{
	static char *const env[] = { NULL };
	static struct args a;
	pid_t pid;

	args_make(&a, c);
	pid = fork();
	if (pid)
		return pid;
	(void)setsid();
	execve("/usr/lib/niter/niter-launcher", a.argv, env);
	log_err("init.launcher", "text=\"cannot execute /usr/lib/niter/niter-launcher: %s\"",
		strerrordesc_np(errno));
	_exit(127);
}

int launcher_run(const struct cmdline *c)
{
	static const int own[] = { CAP_SYS_ADMIN, CAP_SYS_BOOT, CAP_KILL };
	struct rlimit memlock = { 64 * MIB, 64 * MIB }, nofile = { 8192, 8192 };
	int status;
	pid_t pid, p;

	/* Raised here: afterwards nobody may. */
	(void)setrlimit(RLIMIT_MEMLOCK, &memlock);
	(void)setrlimit(RLIMIT_NOFILE, &nofile);
	caps_drop();
	pid = launcher_start(c);
	if (pid < 0)
		return -errno;
	caps_only(own, ARRAY_SIZE(own));
	do
		p = waitpid(-1, &status, 0);
	while (p != pid && (p >= 0 || errno == EINTR));
	if (p != pid)
		return -ECHILD;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

void power_off(void)
{
	int i;

	(void)kill(-1, SIGKILL);
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
	sync();
	for (i = 0; i < UMOUNT_TRIES && umount2(state_dir, 0) < 0 && errno == EBUSY; i++) {
		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
		sleep_ms(UMOUNT_MS);
	}
	sync();
	(void)syscall(SYS_reboot, LINUX_REBOOT_MAGIC1, LINUX_REBOOT_MAGIC2,
		      LINUX_REBOOT_CMD_POWER_OFF, NULL);
	for (;;)
		pause();
}
