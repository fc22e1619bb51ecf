/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The simulated server: the very host image that boots on real machines, in QEMU's software emulation of a CPU
 * with AMD-V. It proves logic, never isolation strength or speed. The engine is Debian 12's QEMU 7.2; the CPU model
 * leaves out cmpxchg16b, because 7.2 corrupts flags after it, and xsave, because KVM in there never learns what a
 * guest writes to XCR0 (docs/decisions/0052).
 *
 * A start has three steps. swtpm and QEMU start. PID 1 of the host says "ready" on the port niter.boot; at this
 * point nothing has been unsealed and no disk is mounted, so this is where a snapshot may be taken or resumed. Then
 * PID 1 gets "go" with fresh random bytes and the time, and soon niterd answers on the control ports.
 */
#include "cli/host_sim.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <x86intrin.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/random.h"
#include "cli/cli.h"
#include "cli/host_dirs.h"

enum {
	SIM_TRIES = 3,
	SIM_READY_MS = 60 * 1000,
	SIM_SAVE_POLLS = 1000, /* of 20 ms */
	SIM_ARGS_MAX = 96,
	SIM_ARG_BYTES = 16 * 1024,
	SIM_SEED_BYTES = 32,
	SIM_TB_MIB = 64,
	SIM_LINE_MAX = 2048,
	SIM_TSC_NS = 50 * 1000 * 1000,
	SIM_INITRD_ADDR = 0x10000000, /* guest-physical; above the kernel, inside the smallest memory we allow */
};

/* A command line under construction; strings live in text[]. */
struct sim_args {
	char *argv[SIM_ARGS_MAX + 1];
	unsigned cnt;
	char text[SIM_ARG_BYTES];
	size_t used;
};

static void args_add(struct sim_args *a, const char *fmt, ...) PRINTF_LIKE(2, 3);

static void args_add(struct sim_args *a, const char *fmt, ...)
{
	size_t room = sizeof(a->text) - a->used;
	va_list ap;
	int len;

	va_start(ap, fmt);
	len = vsnprintf(a->text + a->used, room, fmt, ap);
	va_end(ap);
	must(len >= 0 && (size_t)len < room && a->cnt < SIM_ARGS_MAX);
	a->argv[a->cnt++] = a->text + a->used;
	a->used += (size_t)len + 1;
}

/* Runs a program to its end with its output in HOME/run/start.log. Return: its exit code, 127 if it is not there. */
static int sim_run(struct sim_args *a)
{
	char log[HOST_PATH_MAX];
	int status, fd;
	pid_t pid;

	if (host_path(log, "run/start.log") < 0)
		return 126;
	pid = fork();
	if (pid < 0)
		return 126;
	if (pid == 0) {
		fd = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
		if (fd >= 0) {
			dup2(fd, 1);
			dup2(fd, 2);
		}
		execvp(a->argv[0], a->argv);
		_exit(127);
	}
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return 126;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 126;
}

static const char *sim_image_dir(void)
{
	const char *env = getenv("NITER_HOST_IMAGE");

	return env ? env : "/usr/share/niter/host";
}

static int sim_image_path(char buf[HOST_PATH_MAX], const char *name)
{
	int len = snprintf(buf, HOST_PATH_MAX, "%s/%s", sim_image_dir(), name);

	if (len < 0 || len >= HOST_PATH_MAX)
		return -ENAMETOOLONG;
	return access(buf, R_OK) < 0 ? -errno : 0;
}

static int sim_state_disk(const struct host_sim_conf *conf)
{
	static struct sim_args a;
	char path[HOST_PATH_MAX], part[HOST_PATH_MAX];
	int err;

	if (host_path(path, "state.raw") < 0 || host_path(part, "state.raw.new") < 0)
		return 1;
	if (access(path, F_OK) == 0)
		return 0;
	memset(&a, 0, sizeof(a));
	args_add(&a, "mke2fs");
	args_add(&a, "-qF");
	args_add(&a, "-text4");
	args_add(&a, "-Lniter-state");
	args_add(&a, "-m0");
	args_add(&a, "-N16384");
	args_add(&a, "-Enodiscard,lazy_itable_init=0,lazy_journal_init=0,root_owner=0:0");
	args_add(&a, "%s", part);
	args_add(&a, "%uG", conf->disk_gib);
	(void)unlink(part);
	err = sim_run(&a);
	if (err == 127)
		return cli_error("no mke2fs for the state disk: apt-get install e2fsprogs");
	if (err != 0 || rename(part, path) < 0) {
		(void)unlink(part);
		return cli_error("cannot make the state disk %s: is the disk full?", path);
	}
	return 0;
}

static int sim_swtpm(void)
{
	static struct sim_args a;
	char dir[HOST_PATH_MAX], sock[HOST_PATH_MAX];
	int err;

	if (host_path(dir, "tpm") < 0 || host_path(sock, "run/swtpm.sock") < 0)
		return 1;
	if (mkdir(dir, 0700) < 0 && errno != EEXIST)
		return cli_error("cannot make %s: %s", dir, strerror(errno));
	memset(&a, 0, sizeof(a));
	args_add(&a, "swtpm");
	args_add(&a, "socket");
	args_add(&a, "--tpm2");
	args_add(&a, "--tpmstate");
	args_add(&a, "dir=%s", dir);
	args_add(&a, "--ctrl");
	args_add(&a, "type=unixio,path=%s", sock);
	args_add(&a, "--terminate");
	args_add(&a, "--pid");
	args_add(&a, "file=%s/run/swtpm.pid", host_home());
	args_add(&a, "--daemon");
	err = sim_run(&a);
	if (err == 127)
		return cli_error("no swtpm, and the simulated server needs a TPM 2.0: apt-get install swtpm");
	if (err != 0)
		return cli_error("swtpm does not start: see %s/run/start.log", host_home());
	return 0;
}

/*
 * tb-size, erms and fsrm: when memory that held a guest's code is used anew, QEMU searches the list of a page's
 * translated blocks at every store. Linux clears pages byte by byte where it sees erms, so a reboot of a guest that
 * had run for a while stood still for minutes. Wider stores and a smaller cache of blocks make it a second.
 */
static void sim_qemu_cpu(struct sim_args *a, const struct host_sim_conf *conf)
{
	args_add(a, "-machine");
	args_add(a, "q35");
	args_add(a, "-accel");
	args_add(a, "tcg,tb-size=%d", SIM_TB_MIB);
	args_add(a, "-cpu");
	args_add(a, "max,+svm,-cx16,-xsave,-erms,-fsrm");
	args_add(a, "-m");
	args_add(a, "%u", conf->memory_mib);
	args_add(a, "-smp");
	if (conf->cpus > 1)
		args_add(a, "%u,sockets=1,cores=%u,threads=2", conf->cpus, conf->cpus / 2);
	else
		args_add(a, "1");
}

static void sim_qemu_devices(struct sim_args *a)
{
	const char *home = host_home();

	args_add(a, "-drive");
	args_add(a, "if=none,id=state,file=%s/state.raw,format=raw,discard=unmap,cache=writeback", home);
	args_add(a, "-device");
	args_add(a, "virtio-blk-pci,drive=state");
	args_add(a, "-chardev");
	args_add(a, "socket,id=tpm,path=%s/run/swtpm.sock", home);
	args_add(a, "-tpmdev");
	args_add(a, "emulator,id=tpm0,chardev=tpm");
	args_add(a, "-device");
	args_add(a, "tpm-crb,tpmdev=tpm0");
	args_add(a, "-device");
	args_add(a, "virtio-serial-pci,max_ports=%d", HOST_CTL_PORTS + 2);
	args_add(a, "-chardev");
	args_add(a, "socket,id=boot,server=on,wait=off,path=%s/run/boot", home);
	args_add(a, "-device");
	args_add(a, "virtserialport,chardev=boot,name=niter.boot,nr=1");
	for (int n = 0; n < HOST_CTL_PORTS; n++) {
		args_add(a, "-chardev");
		args_add(a, "socket,id=ctl%d,server=on,wait=off,path=%s/run/ctl.%d", n, home, n);
		args_add(a, "-device");
		args_add(a, "virtserialport,chardev=ctl%d,name=niter.ctl.%d,nr=%d", n, n, n + 2);
	}
}

/*
 * QEMU's emulated time stamp counter is this machine's own. Linux measures it against emulated timers when it boots, and
 * on a loaded machine it came out at a tenth: every clock in the server ran ten times too fast. So it is told.
 * Return: kHz, in steps of a MHz, so that a snapshot's name does not change with every start.
 */
static unsigned sim_tsc_khz(void)
{
	static unsigned khz;
	uint64_t ns, ticks, end;

	if (khz)
		return khz;
	ns = clock_ns();
	ticks = __rdtsc();
	end = ns + SIM_TSC_NS;
	while (clock_ns() < end)
		;
	ticks = __rdtsc() - ticks;
	ns = clock_ns() - ns;
	khz = (unsigned)((ticks * 1000000 / ns + 500) / 1000 * 1000);
	return khz;
}

/*
 * eth0 leads out by QEMU's own user-mode network: no rights are needed, and the server is reached by forwarded ports
 * only. eth1, if wanted, is a cable to another simulated server.
 */
static void sim_qemu_network(struct sim_args *a, const struct host_sim_conf *conf)
{
	unsigned b[4] = { 0 };

	args_add(a, "-netdev");
	args_add(a, "user,id=uplink,ipv6=off,hostfwd=tcp:127.0.0.1:%u-:%d", conf->api_port, HOST_API_PORT);
	args_add(a, "-device");
	args_add(a, "virtio-net-pci,netdev=uplink,romfile=,mac=52:54:00:12:34:56");
	if (!conf->link)
		return;
	/* The address makes the MAC, so that the two ends differ. */
	(void)sscanf(conf->link_address, "%3u.%3u.%3u.%3u", &b[0], &b[1], &b[2], &b[3]);
	args_add(a, "-netdev");
	args_add(a, "stream,id=link,server=%s,addr.type=unix,addr.path=%s", conf->link_listen ? "on" : "off",
		 conf->link);
	args_add(a, "-device");
	args_add(a, "virtio-net-pci,netdev=link,romfile=,mac=52:4e:%02x:%02x:%02x:%02x", b[0], b[1], b[2], b[3]);
	if (!conf->link_capture)
		return;
	args_add(a, "-object");
	args_add(a, "filter-dump,id=capture,netdev=link,file=%s", conf->link_capture);
}

/*
 * HOME/ready-KEY.snapshot: the key holds everything the machine was made of, so that a snapshot of another image or
 * another size is never resumed.
 */
static MUST_USE int sim_snapshot_path(const struct host_sim_conf *conf, char ret[HOST_PATH_MAX])
{
	char name[HOST_PATH_MAX], kernel[HOST_PATH_MAX], initrd[HOST_PATH_MAX], link[40] = "";
	struct stat k, i;
	char *slash;

	if (sim_image_path(kernel, "vmlinux") < 0 || sim_image_path(initrd, "initramfs.cpio") < 0 ||
	    stat(kernel, &k) < 0 || stat(initrd, &i) < 0)
		return -ENOENT;
	if (conf->link)
		snprintf(link, sizeof(link), "-%.32s", conf->link_address);
	slash = strchr(link, '/');
	if (slash)
		*slash = '_';
	snprintf(name, sizeof(name), "ready-%u-%u-%u-%llx.%llx-%llx.%llx%s.snapshot", conf->memory_mib, conf->cpus,
		 sim_tsc_khz() / 1000,
		 (unsigned long long)k.st_size, (unsigned long long)k.st_mtime, (unsigned long long)i.st_size,
		 (unsigned long long)i.st_mtime, link);
	return host_path(ret, name);
}

static int sim_qemu(const struct host_sim_conf *conf, const char *resume)
{
	static struct sim_args a;
	char kernel[HOST_PATH_MAX], initrd[HOST_PATH_MAX];
	const char *home = host_home();
	const char *qemu = getenv("NITER_QEMU");
	struct stat st;
	int err;

	if (sim_image_path(kernel, "vmlinux") < 0 || sim_image_path(initrd, "initramfs.cpio") < 0 ||
	    stat(initrd, &st) < 0)
		return cli_error("the host image in %s went away", sim_image_dir());
	memset(&a, 0, sizeof(a));
	args_add(&a, "%s", qemu ? qemu : "qemu-system-x86_64");
	sim_qemu_cpu(&a, conf);
	args_add(&a, "-nodefaults");
	args_add(&a, "-no-user-config");
	args_add(&a, "-vga");
	args_add(&a, "none");
	args_add(&a, "-display");
	args_add(&a, "none");
	args_add(&a, "-nic");
	args_add(&a, "none");
	args_add(&a, "-no-reboot");
	args_add(&a, "-kernel");
	args_add(&a, "%s", kernel);
	/*
	 * Not -initrd: with a TPM, QEMU 7.2's ACPI tables outgrow the room it keeps free above the initrd.
	 * initrdmem= tells Linux where the loader put it; memmap= keeps Linux from handing that memory out before
	 * it has copied the initramfs away.
	 */
	args_add(&a, "-device");
	args_add(&a, "loader,file=%s,addr=%#x,force-raw=on", initrd, (unsigned)SIM_INITRD_ADDR);
	args_add(&a, "-append");
	args_add(&a,
		 "console=ttyS0 panic=-1 quiet mitigations=off tsc=reliable tsc_early_khz=%u initrdmem=%#x,%lld memmap=%lldM$%#x "
		 "niter.mode=simulated niter.state=/dev/vda niter.lab=1 niter.tpm-kind=swtpm niter.wait-go=1 "
		 "niter.uplink=eth0,10.0.2.15/24,10.0.2.2%s%s",
		 sim_tsc_khz(), (unsigned)SIM_INITRD_ADDR, (long long)st.st_size, (long long)(st.st_size / (1024 * 1024) + 1),
		 (unsigned)SIM_INITRD_ADDR, conf->link ? " niter.link=eth1," : "", conf->link ? conf->link_address : "");
	sim_qemu_devices(&a);
	sim_qemu_network(&a, conf);
	args_add(&a, "-serial");
	args_add(&a, "file:%s/run/console.log", home);
	args_add(&a, "-qmp");
	args_add(&a, "unix:%s/run/qmp,server=on,wait=off", home);
	args_add(&a, "-pidfile");
	args_add(&a, "%s/run/qemu.pid", home);
	args_add(&a, "-daemonize");
	if (resume) {
		args_add(&a, "-incoming");
		args_add(&a, "exec:cat %s", resume);
	}
	err = sim_run(&a);
	if (err == 127)
		return cli_error("no %s: apt-get install qemu-system-x86 (version 7.2), or set NITER_QEMU", a.argv[0]);
	if (err != 0)
		return cli_error("QEMU does not start: see %s/run/start.log", home);
	return 0;
}

static int sim_pid(const char *name)
{
	char path[HOST_PATH_MAX], text[32] = "";
	CLEANUP(fd_closep) int fd = -1;

	if (host_path(path, name) < 0)
		return -1;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || read(fd, text, sizeof(text) - 1) <= 0)
		return -1;
	return atoi(text);
}

static MUST_USE int sim_connect(const char *name)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	CLEANUP(fd_closep) int fd = -1;
	int len = snprintf(sa.sun_path, sizeof(sa.sun_path), "%s/run/%s", host_home(), name);

	if (len < 0 || (size_t)len >= sizeof(sa.sun_path))
		return -ENAMETOOLONG;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0)
		return -errno;
	return TAKE_FD(fd);
}

/* Waits until @text came on @fd, or the deadline passed, or QEMU died. Return: 0, -ETIMEDOUT, -EPIPE. */
static MUST_USE int sim_await(int fd, const char *text, int timeout_ms)
{
	uint64_t end = clock_ns() + (uint64_t)timeout_ms * 1000000u;
	char buf[SIM_LINE_MAX] = "";
	size_t len = 0;

	while (clock_ns() < end) {
		struct pollfd p = { .fd = fd, .events = POLLIN };
		ssize_t n;

		if (poll(&p, 1, 100) <= 0)
			continue;
		n = read(fd, buf + len, sizeof(buf) - 1 - len);
		if (n <= 0)
			return -EPIPE;
		len += (size_t)n;
		buf[len] = '\0';
		if (strstr(buf, text))
			return 0;
		if (len == sizeof(buf) - 1)
			len = 0;
	}
	return -ETIMEDOUT;
}

/* One command; @ret_reply gets its answer's line. Events that come in between are passed over. */
static MUST_USE int qmp_command(FILE *qmp, const char *json, char ret_reply[SIM_LINE_MAX])
{
	if (fputs(json, qmp) == EOF || fflush(qmp) == EOF)
		return -EPIPE;
	do {
		if (!fgets(ret_reply, SIM_LINE_MAX, qmp))
			return -EPIPE;
	} while (!strstr(ret_reply, "\"return\"") && !strstr(ret_reply, "\"error\""));
	return strstr(ret_reply, "\"error\"") ? -EIO : 0;
}

static MUST_USE int qmp_save(FILE *qmp, const char *path)
{
	char line[SIM_LINE_MAX], reply[SIM_LINE_MAX];
	int r;

	r = qmp_command(qmp, "{\"execute\":\"qmp_capabilities\"}\n", reply);
	if (r < 0)
		return r;
	snprintf(line, sizeof(line),
		 "{\"execute\":\"migrate-set-parameters\",\"arguments\":{\"max-bandwidth\":17179869184}}\n");
	r = qmp_command(qmp, line, reply);
	if (r < 0)
		return r;
	snprintf(line, sizeof(line), "{\"execute\":\"migrate\",\"arguments\":{\"uri\":\"exec:cat > %s\"}}\n", path);
	r = qmp_command(qmp, line, reply);
	for (int n = 0; r == 0 && n < SIM_SAVE_POLLS; n++) {
		r = qmp_command(qmp, "{\"execute\":\"query-migrate\"}\n", reply);
		if (r < 0 || strstr(reply, "\"failed\""))
			return -EIO;
		if (strstr(reply, "\"completed\""))
			return qmp_command(qmp, "{\"execute\":\"cont\"}\n", reply);
		usleep(20000);
	}
	return r < 0 ? r : -ETIMEDOUT;
}

/* Saves the machine as it is, waiting for "go", into @path, and lets it run on. */
static MUST_USE int sim_snapshot(const char *path)
{
	char part[HOST_PATH_MAX];
	int fd = sim_connect("qmp");
	FILE *qmp;
	int r;

	if (fd < 0)
		return fd;
	qmp = fdopen(fd, "r+");
	if (!qmp) {
		close(fd);
		return -ENOMEM;
	}
	r = host_path(part, "ready.new");
	if (r == 0)
		r = qmp_save(qmp, part);
	fclose(qmp);
	if (r < 0)
		return r;
	return rename(part, path) < 0 ? -errno : 0;
}

/* "go": fresh random bytes, so that no two copies of a snapshot draw the same numbers, and the time. */
static MUST_USE int sim_go(int boot)
{
	uint8_t seed[SIM_SEED_BYTES];
	char line[128], hex[2 * SIM_SEED_BYTES + 1];
	int len;

	if (random_bytes(seed, sizeof(seed)) < 0)
		return -EIO;
	for (size_t n = 0; n < sizeof(seed); n++)
		snprintf(hex + 2 * n, 3, "%02x", seed[n]);
	len = snprintf(line, sizeof(line), "go %s %lld\n", hex, (long long)time(NULL));
	return fd_write_full(boot, line, (size_t)len);
}

/* niterd answers the hello of a first client. */
static MUST_USE int sim_await_niterd(void)
{
	static const char hello[] = "\n{\"hello\":\"start\",\"version\":1}\n";
	CLEANUP(fd_closep) int fd = sim_connect("ctl.0");
	int r;

	if (fd < 0)
		return fd;
	r = fd_write_full(fd, hello, sizeof(hello) - 1);
	return r < 0 ? r : sim_await(fd, "\"start\"", SIM_READY_MS);
}

static MUST_USE int sim_boot(const char *resume, const char *save)
{
	CLEANUP(fd_closep) int boot = sim_connect("boot");
	int r;

	if (boot < 0)
		return boot;
	if (!resume) {
		r = sim_await(boot, "ready", SIM_READY_MS);
		if (r < 0)
			return r;
		if (save && sim_snapshot(save) < 0)
			cli_error("no snapshot of the ready server could be made; going on without");
	}
	r = sim_go(boot);
	return r < 0 ? r : sim_await_niterd();
}

void host_sim_kill(int pid)
{
	if (pid <= 1 || kill(pid, SIGTERM) < 0)
		return;
	for (int n = 0; n < 100; n++) {
		if (kill(pid, 0) < 0)
			return;
		usleep(50000);
	}
	(void)kill(pid, SIGKILL);
}

static int sim_prepare(const struct host_sim_conf *conf)
{
	char path[HOST_PATH_MAX];

	if (mkdir(host_home(), 0700) < 0 && errno != EEXIST)
		return cli_error("cannot make %s: %s", host_home(), strerror(errno));
	if (host_path(path, "run") < 0)
		return cli_error("the path of NITER_HOME is too long");
	if (strlen(path) > 80)
		return cli_error("the path of NITER_HOME is too long for sockets: %s", host_home());
	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		return cli_error("cannot make %s: %s", path, strerror(errno));
	if (host_path(path, "run/start.log") == 0)
		(void)unlink(path);
	return sim_state_disk(conf);
}

int host_sim_start(const struct host_sim_conf *conf, unsigned *ret_retries)
{
	char snapshot[HOST_PATH_MAX];
	const char *resume, *save;
	int r;

	if (sim_snapshot_path(conf, snapshot) < 0)
		return cli_error("no host image in %s: build one with ./run, or set NITER_HOST_IMAGE",
				  sim_image_dir());
	if (sim_prepare(conf) != 0)
		return 1;
	for (unsigned try = 0; try < SIM_TRIES; try++) {
		resume = conf->snapshot && access(snapshot, R_OK) == 0 ? snapshot : NULL;
		save = conf->snapshot && !resume ? snapshot : NULL;
		if (sim_swtpm() != 0)
			return 1;
		if (sim_qemu(conf, resume) != 0) {
			host_sim_kill(sim_pid("run/swtpm.pid"));
			return 1;
		}
		r = sim_boot(resume, save);
		*ret_retries = try;
		if (r == 0) {
			struct host_record record = {
				.mode = HOST_SIMULATED,
				.pid = sim_pid("run/qemu.pid"),
				.retries = try,
				.api_port = conf->api_port,
			};
			return host_record_save(&record) < 0 ? 1 : 0;
		}
		host_sim_kill(sim_pid("run/qemu.pid"));
		host_sim_kill(sim_pid("run/swtpm.pid"));
		fprintf(stderr, "niter: the simulated server did not come up (%s), try %u of %d\n", strerror(-r), try + 1,
			SIM_TRIES);
		/* Perhaps the snapshot is at fault: the next try boots from the start. */
		if (resume)
			(void)unlink(snapshot);
	}
	return cli_error("the simulated server does not start: niter host log says why");
}
