/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The whole launcher, natively, as root, with stub programs (stub_test.c): the test plays niterd.
 * What only cgroup v2 with its controllers can do (limits, cpusets) is left to the simulated server. All of it happens
 * in a network namespace of the test's own.
 */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <net/if.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fd.h"
#include "base/num.h"
#include "proto/control.h"

static const char *launcher_path, *stub_path;

#define INSTANCE "i-00000000000000001"
#define VOLUME "vol-00000000000000001"
#define IMAGE "ami-00000000000000001"

enum { HOST_PROCESSES = 3 }; /* niter-security, niterd, niter-wire */

struct host {
	char dir[64];
	pid_t pid;
	int api;  /* connection to the stub niterd */
	int ctl;  /* niterd's control socket */
	int wire; /* the wire's service socket that was announced last */
	uint32_t seq;
};

static struct ctl_msg m;
static union ctl_any req;
static struct ctl_l_instance_start start_conf;

static void run_sh(const char *fmt, ...) PRINTF_LIKE(1, 2);
static void run_sh(const char *fmt, ...)
{
	char cmd[1024];
	va_list ap;

	va_start(ap, fmt);
	assert_true(vsnprintf(cmd, sizeof(cmd), fmt, ap) < (int)sizeof(cmd));
	va_end(ap);
	assert_int_equal(system(cmd), 0); /* NOLINT(cert-env33-c): fixed commands of a test */
}

static void niterd_connect(struct host *h)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	struct fd_list fds;
	char c;
	int i;

	(void)snprintf(sa.sun_path, sizeof(sa.sun_path), "%s/run/niterd.sock", h->dir);
	h->api = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	for (i = 0; connect(h->api, (struct sockaddr *)&sa, sizeof(sa)) < 0; i++) {
		assert_true(i < 500);
		usleep(10000);
	}
	assert_int_equal(fd_msg_recv(h->api, &c, 1, &fds), 1);
	h->ctl = fd_list_take(&fds, 0);
	h->wire = -1;
	assert_true(h->ctl >= 0);
}

static void niterd_drop(struct host *h)
{
	fd_closep(&h->api);
	fd_closep(&h->ctl);
	fd_closep(&h->wire);
}

static void launcher_exec(const struct host *h)
{
	char state[96], run[96], libexec[96];

	(void)snprintf(state, sizeof(state), "--state=%s/state", h->dir);
	(void)snprintf(run, sizeof(run), "--run=%s/run", h->dir);
	(void)snprintf(libexec, sizeof(libexec), "--libexec=%s/libexec", h->dir);
	execl(launcher_path, "niter-launcher", "--mode=hosted", "--lab", "--reserve-mib=1",
	      "--overlay=127.0.0.1:0", "--api=127.0.0.1:0", "--uplink=lo", state, run, libexec,
	      NULL);
	_exit(99);
}

static int setup(void **state)
{
	struct host *h = calloc(1, sizeof(*h));

	strcpy(h->dir, "/tmp/niter-launcher-XXXXXX");
	assert_non_null(mkdtemp(h->dir));
	run_sh("chmod 755 %s; mkdir -m 755 %s/libexec; for p in niter-security niterd "
	       "niter-storage-card "
	       "niter-hypervisor niter-volume-format niter-wire niter-network-card niter-metadata "
	       "niter-gateway; do install -m 755 %s %s/libexec/$p; done",
	       h->dir, h->dir, stub_path, h->dir);
	run_sh("mkdir -m 710 %s/state; chgrp 200002 %s/state; mkdir -p %s/state/images/" IMAGE
	       "; cd %s/state/images/" IMAGE "; echo kernel >kernel; truncate -s 8192 disk.raw; cd "
	       "..; chmod -R go= .; chown -R 200002:200002 .",
	       h->dir, h->dir, h->dir, h->dir);
	h->pid = fork();
	if (h->pid == 0)
		launcher_exec(h);
	niterd_connect(h);
	*state = h;
	return 0;
}

static int launcher_wait(struct host *h)
{
	int status = -1;

	assert_int_equal(waitpid(h->pid, &status, 0), h->pid);
	h->pid = 0;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* Processes of this test's programs that live. */
static unsigned strangers(const struct host *h)
{
	DIR *d = opendir("/proc");
	struct dirent *e;
	unsigned cnt = 0;

	while ((e = readdir(d))) {
		char path[300], exe[300];
		ssize_t n;

		(void)snprintf(path, sizeof(path), "/proc/%s/exe", e->d_name);
		n = e->d_name[0] >= '0' && e->d_name[0] <= '9'
			    ? readlink(path, exe, sizeof(exe) - 1)
			    : 0;
		exe[n > 0 ? n : 0] = 0;
		cnt += strstr(exe, h->dir) != NULL;
	}
	closedir(d);
	return cnt;
}

static int teardown(void **state)
{
	struct host *h = *state;

	if (h->pid) {
		(void)kill(h->pid, SIGTERM);
		assert_int_equal(launcher_wait(h), 0);
	}
	niterd_drop(h);
	assert_int_equal(strangers(h), 0);
	/* What is left of "niter" may belong to another launcher. */
	run_sh("! test -e /sys/fs/cgroup/unified/niter/" INSTANCE);
	run_sh("rmdir /sys/fs/cgroup/unified/niter 2>/dev/null || true");
	run_sh("rm -rf %s", h->dir);
	free(h);
	return 0;
}

static uint32_t ask(struct host *h, enum ctl_type type, const void *body)
{
	assert_int_equal(ctl_send(h->ctl, type, ++h->seq, body, NULL, 0), 0);
	return h->seq;
}

/* Waits for a message of this type; progress and a new wire on the way are passed over. */
static void expect(struct host *h, enum ctl_type type, uint32_t seq)
{
	do {
		ctl_msg_done(&m);
		assert_int_equal(ctl_recv(h->ctl, &m), 1);
		if (m.type == CTL_L_WIRE_STARTED) {
			fd_closep(&h->wire);
			h->wire = fd_list_take(&m.fds, 0);
		}
	} while (m.type != type && (m.type == CTL_L_PROGRESS || m.type == CTL_L_WIRE_STARTED));
	assert_int_equal(m.type, type);
	assert_int_equal(m.seq, seq);
}

static int volume_create(struct host *h, const char *id, uint64_t size, const char *image)
{
	struct ctl_l_volume_create *c = &req.l_volume_create;

	memset(&req, 0, sizeof(req));
	(void)snprintf(c->volume_id, sizeof(c->volume_id), "%s", id);
	(void)snprintf(c->image_id, sizeof(c->image_id), "%s", image);
	strcpy(c->account_id, "123456789012");
	c->size = size;
	expect(h, CTL_ACK, ask(h, CTL_L_VOLUME_CREATE, c));
	return m.u.ack.err;
}

static void instance_conf(struct ctl_l_instance_start *c)
{
	memset(c, 0, sizeof(*c));
	strcpy(c->instance_id, INSTANCE);
	strcpy(c->account_id, "123456789012");
	strcpy(c->image_id, IMAGE);
	strcpy(c->type_name, "t3.nano");
	strcpy(c->cmdline, "quiet");
	c->cores = 1;
	c->threads = 2;
	c->ram_bytes = 64 * MIB;
	c->volume_cnt = 1;
	strcpy(c->volume[0].volume_id, VOLUME);
	strcpy(c->volume[0].device_name, "/dev/xvda");
}

static void kill_conf(void)
{
	memset(&req, 0, sizeof(req));
	strcpy(req.l_instance_kill.instance_id, INSTANCE);
}

static int instance_start(struct host *h, const struct ctl_l_instance_start *c)
{
	expect(h, CTL_L_INSTANCE_STARTED, ask(h, CTL_L_INSTANCE_START, c));
	return m.u.l_instance_started.err;
}

static void expect_gone(struct host *h, uint16_t reason)
{
	expect(h, CTL_L_INSTANCE_GONE, 0);
	assert_string_equal(m.u.l_instance_gone.instance_id, INSTANCE);
	assert_int_equal(m.u.l_instance_gone.reason, reason);
}

static void path_absent(const struct host *h, const char *path)
{
	run_sh("! test -e %s/%s", h->dir, path);
}

static void volume__is_made_once_and_deleted(void **state)
{
	struct host *h = *state;

	assert_int_equal(volume_create(h, VOLUME, 16384, IMAGE), 0);
	run_sh("test \"$(cat %s/state/volumes/" VOLUME ".luks)\" = volume", h->dir);
	run_sh("test \"$(stat -c '%%u %%a' %s/state/volumes/" VOLUME ".luks)\" = '0 600'", h->dir);
	assert_int_equal(volume_create(h, VOLUME, 16384, IMAGE), -EEXIST);
	memset(&req, 0, sizeof(req));
	strcpy(req.l_volume_delete.volume_id, VOLUME);
	expect(h, CTL_ACK, ask(h, CTL_L_VOLUME_DELETE, &req.l_volume_delete));
	assert_int_equal(m.u.ack.err, 0);
	path_absent(h, "state/volumes/" VOLUME ".luks");
}

static void volume__that_fails_leaves_no_file(void **state)
{
	struct host *h = *state;

	assert_int_equal(volume_create(h, VOLUME, 8192, ""), -ENOSPC);
	assert_string_equal(m.u.ack.text, "the disk is full");
	assert_int_equal(volume_create(h, VOLUME, 12288, ""), -EIO);
	assert_non_null(strstr(m.u.ack.text, "niter-volume-format was killed by signal 4"));
	assert_int_equal(volume_create(h, VOLUME, 4096, IMAGE), -EFBIG);
	assert_int_equal(volume_create(h, VOLUME, 16384, "ami-00000000000000002"), -ENOENT);
	assert_int_equal(volume_create(h, "vol-../../../../etc", 16384, ""), -EINVAL);
	assert_int_equal(volume_create(h, VOLUME, 1000, ""), -EINVAL);
	run_sh("test -z \"$(ls -A %s/state/volumes)\"", h->dir);
}

static void image__that_is_a_link_is_refused(void **state)
{
	struct host *h = *state;

	run_sh("cd %s/state/images; mkdir ami-00000002; ln -s /etc/passwd ami-00000002/disk.raw; "
	       "ln -s " IMAGE " ami-00000003; chown -hR 200002:200002 .",
	       h->dir);
	assert_int_equal(volume_create(h, VOLUME, 1 * MIB, "ami-00000002"), -ELOOP);
	assert_int_equal(volume_create(h, VOLUME, 1 * MIB, "ami-00000003"), -ELOOP);
}

static void processes_text(struct host *h, char *ret, size_t cap)
{
	size_t len = 0;

	req.l_processes_read.page = 0;
	do {
		expect(h, CTL_L_PROCESSES, ask(h, CTL_L_PROCESSES_READ, &req.l_processes_read));
		assert_true(len + m.u.l_processes.lines.len < cap);
		memcpy(ret + len, m.u.l_processes.lines.b, m.u.l_processes.lines.len);
		len += m.u.l_processes.lines.len;
		req.l_processes_read.page++;
	} while (m.u.l_processes.more);
	ret[len] = 0;
}

static unsigned long own_namespace(const char *kind)
{
	char path[64];
	struct stat st;

	(void)snprintf(path, sizeof(path), "/proc/self/ns/%s", kind);
	assert_int_equal(stat(path, &st), 0);
	return st.st_ino;
}

/* What every jailed process shows, and exactly these descriptors. */
static void check_line(const char *all, const char *name, const char *fds)
{
	static const char *const spaces[] = { "cgroup", "ipc", "mnt", "net", "pid", "user", "uts" };
	static const char *const wanted[] = { "\"cap_inh\":\"0000000000000000\"",
					      "\"cap_prm\":\"0000000000000000\"",
					      "\"cap_eff\":\"0000000000000000\"",
					      "\"cap_bnd\":\"0000000000000000\"",
					      "\"cap_amb\":\"0000000000000000\"",
					      "\"no_new_privs\":1",
					      "\"seccomp\":2",
					      "\"seccomp_filters\":2",
					      "\"root_entries\":0" };
	char key[64], line[4096];
	const char *p;
	size_t i, n;

	(void)snprintf(key, sizeof(key), "{\"name\":\"%s\"", name);
	p = strstr(all, key);
	if (!p)
		fail_msg("no line for %s", name);
	n = strcspn(p, "\n");
	assert_true(n < sizeof(line));
	memcpy(line, p, n);
	line[n] = 0;
	for (i = 0; i < ARRAY_SIZE(wanted); i++)
		if (!strstr(line, wanted[i]))
			fail_msg("%s is not in %s", wanted[i], line);
	if (!strstr(line, fds))
		fail_msg("%s is not in %s", fds, line);
	for (i = 0; i < ARRAY_SIZE(spaces); i++) {
		(void)snprintf(key, sizeof(key), "\"%s\":%lu", spaces[i], own_namespace(spaces[i]));
		if (strstr(line, key))
			fail_msg("%s shares its %s namespace with the host: %s", name, spaces[i],
				 line);
	}
}

static void instance__runs_shows_its_jail_and_ends_by_itself(void **state)
{
	static char all[65536];
	struct host *h = *state;
	struct ctl_l_instance_start *c = &start_conf;
	int service, i;

	assert_int_equal(volume_create(h, VOLUME, 16384, ""), 0);
	instance_conf(c);
	assert_int_equal(instance_start(h, c), 0);
	assert_int_equal(m.u.l_instance_started.hv_cpu_us, 42);
	assert_true(m.u.l_instance_started.first_run_us >= m.u.l_instance_started.jail_us);
	service = fd_list_take(&m.fds, 0);

	processes_text(h, all, sizeof(all));
	check_line(all, "niter-security", "\"fds\":[\"/dev/null\",\"pipe\",\"pipe\",\"socket\"]");
	check_line(all, "niterd",
		   "\"fds\":[\"/dev/"
		   "null\",\"directory\",\"pipe\",\"pipe\",\"socket\",\"socket\",\"socket\","
		   "\"socket\",\"socket\"]");
	check_line(all, "niter-hypervisor",
		   "\"fds\":[\"/dev/kvm\",\"/dev/"
		   "null\",\"file\",\"memfd:guest-ram\",\"pipe\",\"pipe\",\"socket\",\"socket\","
		   "\"socket\"]");
	check_line(all, "niter-storage-card",
		   "\"fds\":[\"/dev/"
		   "null\",\"file\",\"pipe\",\"pipe\",\"socket\",\"socket\",\"socket\"]");
	assert_non_null(
		strstr(all, "\"cap_eff\":\"0000000000a010c0\"")); /* the launcher: its five */
	assert_non_null(strstr(all, "\"memfd:guest-ram\""));

	assert_int_equal(instance_start(h, c), -EEXIST);
	assert_int_equal(ctl_send(service, CTL_SVC_POWER_BUTTON, 9, NULL, NULL, 0), 0);
	expect_gone(h, CTL_EXIT_SHUTDOWN);
	for (i = 0; i < 3; i++) { /* and again, so that nothing was left behind */
		fd_closep(&service);
		instance_conf(c);
		assert_int_equal(instance_start(h, c), 0);
		service = fd_list_take(&m.fds, 0);
		assert_int_equal(ctl_send(service, CTL_SVC_POWER_BUTTON, 9, NULL, NULL, 0), 0);
		expect_gone(h, CTL_EXIT_SHUTDOWN);
	}
	fd_closep(&service);
}

static void refused(struct host *h, const struct ctl_l_instance_start *c, int err, const char *text)
{
	assert_int_equal(instance_start(h, c), err);
	if (!strstr(m.u.l_instance_started.text, text))
		fail_msg("\"%s\" is not in \"%s\"", text, m.u.l_instance_started.text);
	assert_int_equal(m.fds.cnt, 0);
	assert_int_equal(strangers(h), HOST_PROCESSES);
}

static void instance__that_cannot_start_says_why_and_leaves_nothing(void **state)
{
	struct host *h = *state;
	struct ctl_l_instance_start *c = &start_conf;

	instance_conf(c);
	refused(h, c, -ENOENT, "volume " VOLUME " is not on this host");
	assert_int_equal(volume_create(h, VOLUME, 16384, ""), 0);

	instance_conf(c);
	strcpy(c->instance_id, "i-../../../../..");
	refused(h, c, -EINVAL, "the instance id is malformed");
	instance_conf(c);
	strcpy(c->image_id, "ami-00000000000000009");
	refused(h, c, -ENOENT, "image ami-00000000000000009 has no kernel on this host");
	instance_conf(c);
	c->ram_bytes = 1024 * GIB;
	refused(h, c, -ENOMEM, " MiB free, t3.nano needs 1048576 MiB");
	instance_conf(c);
	strcpy(c->account_id, "refused");
	refused(h, c, -EACCES, "the stub refuses this account");
	instance_conf(c);
	strcpy(c->volume[0].device_name, "/dev/bad");
	refused(h, c, -EKEYREJECTED, "wrong key");
	instance_conf(c);
	strcpy(c->volume[0].device_name, "/dev/crash");
	refused(h, c, -EIO, "niter-storage-card was killed by signal 4");
	instance_conf(c);
	strcpy(c->cmdline, "bad");
	refused(h, c, -EIO, "the kernel is no kernel");
	instance_conf(c);
	strcpy(c->cmdline, "syscall");
	refused(h, c, -EIO,
		"niter-hypervisor was killed: it made a system call that is not on its list");
}

static void instance__is_killed_while_it_starts_and_while_it_runs(void **state)
{
	struct host *h = *state;
	struct ctl_l_instance_start *c = &start_conf;
	uint32_t start, kill_seq;

	assert_int_equal(volume_create(h, VOLUME, 16384, ""), 0);
	instance_conf(c);
	strcpy(c->volume[0].device_name, "/dev/hang");
	start = ask(h, CTL_L_INSTANCE_START, c);
	kill_conf();
	kill_seq = ask(h, CTL_L_INSTANCE_KILL, &req.l_instance_kill);
	expect(h, CTL_ACK, kill_seq);
	expect(h, CTL_L_INSTANCE_STARTED, start);
	assert_int_equal(m.u.l_instance_started.err, -ECANCELED);

	instance_conf(c);
	assert_int_equal(instance_start(h, c), 0);
	kill_conf();
	kill_seq = ask(h, CTL_L_INSTANCE_KILL, &req.l_instance_kill);
	expect(h, CTL_ACK, kill_seq);
	expect_gone(h, CTL_EXIT_KILLED);
	assert_int_equal(strangers(h), HOST_PROCESSES);
	kill_seq = ask(h, CTL_L_INSTANCE_KILL, &req.l_instance_kill);
	expect(h, CTL_ACK, kill_seq);
	assert_int_equal(m.u.ack.err, -ENOENT);
}

static void niterd__restarts_and_finds_its_instances(void **state)
{
	struct host *h = *state;
	struct ctl_l_instance_start *c = &start_conf;
	uint32_t seq;
	int service;

	assert_int_equal(volume_create(h, VOLUME, 16384, ""), 0);
	instance_conf(c);
	assert_int_equal(instance_start(h, c), 0);
	assert_int_equal(write(h->api, "x", 1), 1);
	niterd_drop(h);
	usleep(50000);
	niterd_connect(h);
	seq = ask(h, CTL_L_INSTANCES_READ, NULL);
	expect(h, CTL_L_INSTANCE_STARTED, seq);
	assert_string_equal(m.u.l_instance_started.instance_id, INSTANCE);
	service = fd_list_take(&m.fds, 0);
	expect(h, CTL_ACK, seq);
	assert_int_equal(ctl_send(service, CTL_SVC_POWER_BUTTON, 9, NULL, NULL, 0), 0);
	expect_gone(h, CTL_EXIT_SHUTDOWN);
	close(service);
}

static void security__lost_means_no_more_grants(void **state)
{
	struct host *h = *state;
	struct ctl_l_instance_start *c = &start_conf;
	char other[] = "i-00000000000000002";
	int r;

	assert_int_equal(volume_create(h, VOLUME, 16384, ""), 0);
	instance_conf(c);
	assert_int_equal(instance_start(h, c), 0);
	expect(h, CTL_L_HOST, ask(h, CTL_L_HOST_READ, NULL));
	assert_string_equal(m.u.l_host.security, "running");

	memset(&req, 0, sizeof(req));
	strcpy(req.l_volume_create.volume_id, "vol-00000000000000002");
	strcpy(req.l_volume_create.account_id, "die");
	req.l_volume_create.size = 4096;
	expect(h, CTL_ACK, ask(h, CTL_L_VOLUME_CREATE, &req.l_volume_create));
	assert_true(m.u.ack.err < 0);

	expect(h, CTL_L_HOST, ask(h, CTL_L_HOST_READ, NULL));
	assert_string_equal(m.u.l_host.security, "lost: drain and reboot this host");
	instance_conf(c);
	strcpy(c->instance_id, other);
	strcpy(c->volume[0].volume_id, "vol-00000000000000003");
	r = instance_start(h, c);
	assert_int_equal(r, -ENOKEY);
	/* the running one is still there */
	instance_conf(c);
	kill_conf();
	expect(h, CTL_ACK, ask(h, CTL_L_INSTANCE_KILL, &req.l_instance_kill));
	expect_gone(h, CTL_EXIT_KILLED);
}

static void host__stops_with_everything_on_it(void **state)
{
	struct host *h = *state;
	struct ctl_l_instance_start *c = &start_conf;

	assert_int_equal(volume_create(h, VOLUME, 16384, ""), 0);
	instance_conf(c);
	assert_int_equal(instance_start(h, c), 0);
	expect(h, CTL_ACK, ask(h, CTL_L_HOST_STOP, NULL));
	expect_gone(h, CTL_EXIT_KILLED);
	niterd_drop(h);
	assert_int_equal(launcher_wait(h), 0);
}

/* ---- networks ---- */

static void interfaces_conf_cnt(struct ctl_l_instance_start *c, uint16_t cnt)
{
	static const uint8_t mac[6] = { 6, 1, 2, 3, 4, 5 };
	unsigned k;

	instance_conf(c);
	c->interface_cnt = cnt;
	for (k = 0; k < cnt; k++) {
		(void)snprintf(c->interface[k].interface_id, sizeof(c->interface[k].interface_id),
			       "eni-0000000000000000%u", k + 1);
		memcpy(c->interface[k].mac, mac, sizeof(mac));
		c->interface[k].mac[5] = (uint8_t)k;
		c->interface[k].mtu = 9001;
	}
}

static void interfaces_conf(struct ctl_l_instance_start *c)
{
	interfaces_conf_cnt(c, 2);
}

/* What a stub says of itself. */
static const char *service_text(int service)
{
	static struct ctl_msg answer;

	assert_int_equal(ctl_send(service, CTL_VPC_STATS_READ, 77, NULL, NULL, 0), 0);
	assert_int_equal(ctl_recv(service, &answer), 1);
	assert_int_equal(answer.type, CTL_ACK);
	assert_int_equal(answer.seq, 77);
	return answer.u.ack.text;
}

static unsigned packet_rings(struct host *h)
{
	static char all[65536];
	const char *p, *end;
	unsigned cnt = 0;

	processes_text(h, all, sizeof(all));
	p = strstr(all, "\"name\":\"niter-launcher\"");
	assert_non_null(p);
	end = p + strcspn(p, "\n");
	while ((p = strstr(p, "memfd:niter-packets")) && p < end) {
		p++;
		cnt++;
	}
	return cnt;
}

static void instance__with_interfaces_has_rings_and_a_namespace_for_metadata(void **state)
{
	static char all[65536];
	struct host *h = *state;
	struct ctl_l_instance_start *c = &start_conf;
	int service, net, meta;

	assert_int_equal(volume_create(h, VOLUME, 16384, ""), 0);
	interfaces_conf(c);
	assert_int_equal(instance_start(h, c), 0);
	assert_true(m.u.l_instance_started.has_network);
	service = fd_list_take(&m.fds, 0);
	net = fd_list_take(&m.fds, 1);
	meta = fd_list_take(&m.fds, 2);
	assert_true(service >= 0 && net >= 0 && meta >= 0);
	assert_int_equal(strangers(h), HOST_PROCESSES + 4);
	assert_string_equal(service_text(net), "arp answered");
	assert_string_equal(service_text(h->wire), "ports=2");
	assert_int_equal(packet_rings(h), 2);

	processes_text(h, all, sizeof(all));
	check_line(all, "niter-network-card",
		   "\"fds\":[\"/dev/net/tun\",\"/dev/null\",\"eventfd\",\"eventfd\",\"eventfd\","
		   "\"eventfd\",\"memfd:niter-packets\",\"memfd:niter-packets\",\"pipe\",\"pipe\","
		   "\"socket\",\"socket\",\"socket\",\"socket\"]");
	check_line(all, "niter-metadata",
		   "\"fds\":[\"/dev/"
		   "null\",\"pipe\",\"pipe\",\"socket\",\"socket\",\"socket\",\"socket\","
		   "\"socket\",\"socket\"]");
	check_line(all, "niter-wire",
		   "\"fds\":[\"/dev/null\",\"eventfd\",\"eventfd\",\"eventfd\",\"eventfd\","
		   "\"memfd:niter-packets\",\"memfd:niter-packets\",\"pipe\",\"pipe\",\"socket\","
		   "\"socket\","
		   "\"socket\",\"socket\"]");

	assert_int_equal(ctl_send(service, CTL_SVC_POWER_BUTTON, 9, NULL, NULL, 0), 0);
	expect_gone(h, CTL_EXIT_SHUTDOWN);
	assert_int_equal(strangers(h), HOST_PROCESSES);
	assert_string_equal(service_text(h->wire), "ports=0");
	assert_int_equal(packet_rings(h), 0);
	close(service);
	close(net);
	close(meta);
}

/* Thirty descriptors and more in one process, all functions of one instance. */
static void instance__with_eight_interfaces_is_reported(void **state)
{
	static char all[65536];
	struct host *h = *state;
	struct ctl_l_instance_start *c = &start_conf;

	assert_int_equal(volume_create(h, VOLUME, 16384, ""), 0);
	interfaces_conf_cnt(c, CTL_INTERFACES_MAX);
	assert_int_equal(instance_start(h, c), 0);
	assert_string_equal(service_text(h->wire), "ports=8");
	assert_int_equal(packet_rings(h), 8);
	processes_text(h, all, sizeof(all));
	assert_non_null(strstr(all, "\"niter-network-card\""));
	kill_conf();
	expect(h, CTL_ACK, ask(h, CTL_L_INSTANCE_KILL, &req.l_instance_kill));
	expect_gone(h, CTL_EXIT_KILLED);
	assert_string_equal(service_text(h->wire), "ports=0");
}

static void wire__that_dies_is_started_again_with_every_ring(void **state)
{
	struct host *h = *state;
	struct ctl_l_instance_start *c = &start_conf;
	uint32_t seq;
	int i;

	assert_int_equal(volume_create(h, VOLUME, 16384, ""), 0);
	interfaces_conf(c);
	assert_int_equal(instance_start(h, c), 0);
	for (i = 0; i < 2; i++) {
		req.wire_peer_ref.peer = 1;
		assert_int_equal(
			ctl_send(h->wire, CTL_WIRE_PEER_DEL, 1, &req.wire_peer_ref, NULL, 0), 0);
		expect(h, CTL_L_WIRE_STARTED, 0);
		assert_string_equal(service_text(h->wire), "ports=2");
	}
	expect(h, CTL_L_HOST, ask(h, CTL_L_HOST_READ, NULL));
	assert_string_equal(m.u.l_host.network, "running");
	/* A new niterd is told of the wire, and gets all sockets of the instance. */
	assert_int_equal(write(h->api, "x", 1), 1);
	niterd_drop(h);
	usleep(50000);
	niterd_connect(h);
	seq = ask(h, CTL_L_INSTANCES_READ, NULL);
	expect(h, CTL_L_INSTANCE_STARTED, seq);
	assert_true(m.u.l_instance_started.has_network);
	assert_int_equal(m.fds.cnt, 3);
	expect(h, CTL_ACK, seq);
	kill_conf();
	expect(h, CTL_ACK, ask(h, CTL_L_INSTANCE_KILL, &req.l_instance_kill));
	expect_gone(h, CTL_EXIT_KILLED);
}

static void interface__that_cannot_be_had_ends_the_set_alone(void **state)
{
	struct host *h = *state;
	struct ctl_l_instance_start *c = &start_conf;

	assert_int_equal(volume_create(h, VOLUME, 16384, ""), 0);
	interfaces_conf(c);
	strcpy(c->interface[1].interface_id, "eni-../../../../x");
	refused(h, c, -EINVAL, "an interface id is malformed");
	interfaces_conf(c);
	strcpy(c->interface[1].interface_id, c->interface[0].interface_id);
	refused(h, c, -EINVAL, "an interface is named twice");
	interfaces_conf(c);
	c->interface[0].mac[0] = 1;
	refused(h, c, -EINVAL, "no unicast address");
	interfaces_conf(c);
	c->interface[0].mtu = 9300;
	refused(h, c, -EINVAL, "MTU");
	interfaces_conf(c);
	strcpy(c->interface[1].interface_id, "eni-00000000000000bad");
	refused(h, c, -EEXIST, "the stub wants no such port");
	interfaces_conf(c);
	c->interface[1].mtu = 1111;
	refused(h, c, -EIO, "niter-network-card was killed by signal 4");
	run_sh("rm %s/libexec/niter-metadata", h->dir);
	interfaces_conf(c);
	refused(h, c, -ENOENT, "there is no niter-metadata in ");
	instance_conf(c); /* and without interfaces nothing of it is needed */
	assert_int_equal(instance_start(h, c), 0);
	kill_conf();
	expect(h, CTL_ACK, ask(h, CTL_L_INSTANCE_KILL, &req.l_instance_kill));
	expect_gone(h, CTL_EXIT_KILLED);
}

static void gateway_conf(const char *id)
{
	memset(&req, 0, sizeof(req));
	(void)snprintf(req.l_gateway_start.gateway_id, CTL_ID_MAX, "%s", id);
	strcpy(req.l_gateway_start.vpc_id, "vpc-00000000000000001");
	memcpy(req.l_gateway_start.mac, "\x06\x07\x08\x09\x0a\x0b", 6);
}

#define GATEWAY "igw-00000000000000001"

static int forward_add(struct host *h, uint16_t host_port, uint8_t block, uint8_t last,
		       uint16_t port)
{
	memset(&req, 0, sizeof(req));
	req.l_forward = (struct ctl_l_forward){ .host_port = host_port,
						.outside_addr = { 100, 64, block, last },
						.port = port };
	expect(h, CTL_ACK, ask(h, CTL_L_FORWARD_ADD, &req.l_forward));
	return m.u.ack.err;
}

static void gateway__has_a_device_a_filter_and_forwards_and_leaves_nothing(void **state)
{
	struct host *h = *state;
	uint8_t block;
	int service;

	expect(h, CTL_L_HOST, ask(h, CTL_L_HOST_READ, NULL));
	assert_string_equal(m.u.l_host.way_out, "lo");
	gateway_conf(GATEWAY);
	expect(h, CTL_L_GATEWAY_STARTED, ask(h, CTL_L_GATEWAY_START, &req.l_gateway_start));
	assert_int_equal(m.u.l_gateway_started.err, 0);
	assert_int_equal(m.u.l_gateway_started.outside_prefix, 24);
	block = m.u.l_gateway_started.outside_addr[2];
	run_sh("grep -q nitergw%u: /proc/net/dev && test $(cat "
	       "/proc/sys/net/ipv4/conf/nitergw%u/forwarding "
	       "/proc/sys/net/ipv4/conf/lo/forwarding | tr -d '\\n') = 11 && test $(cat "
	       "/proc/sys/net/ipv4/conf/all/forwarding) = 0",
	       block, block);
	assert_string_equal(service_text(h->wire), "ports=1");
	/* asked again, by a niterd that forgot: the same one */
	gateway_conf(GATEWAY);
	expect(h, CTL_L_GATEWAY_STARTED, ask(h, CTL_L_GATEWAY_START, &req.l_gateway_start));
	assert_int_equal(m.u.l_gateway_started.err, 0);
	assert_int_equal(m.u.l_gateway_started.outside_addr[2], block);
	service = fd_list_take(&m.fds, 0);
	assert_true(service >= 0);

	assert_int_equal(forward_add(h, 2222, block, 2, 22), 0);
	assert_int_equal(forward_add(h, 2222, block, 3, 22), 0);            /* takes its place */
	assert_int_equal(forward_add(h, 2223, block, 1, 22), -ENETUNREACH); /* the host's own end */
	assert_int_equal(forward_add(h, 2223, (uint8_t)(block + 1), 2, 22), -ENETUNREACH);
	assert_int_equal(forward_add(h, 0, block, 2, 22), -EINVAL);
	memset(&req, 0, sizeof(req));
	req.l_forward_ref.host_port = 2222;
	expect(h, CTL_ACK, ask(h, CTL_L_FORWARD_DEL, &req.l_forward_ref));
	assert_int_equal(m.u.ack.err, 0);
	expect(h, CTL_ACK, ask(h, CTL_L_FORWARD_DEL, &req.l_forward_ref));
	assert_int_equal(m.u.ack.err, -ENOENT);

	memset(&req, 0, sizeof(req));
	strcpy(req.l_gateway_ref.gateway_id, GATEWAY);
	expect(h, CTL_ACK, ask(h, CTL_L_GATEWAY_STOP, &req.l_gateway_ref));
	expect(h, CTL_L_GATEWAY_GONE, 0);
	assert_string_equal(m.u.l_gateway_gone.text, "stopped by request");
	run_sh("! grep -q nitergw /proc/net/dev && test $(cat "
	       "/proc/sys/net/ipv4/conf/lo/forwarding) = 0");
	assert_string_equal(service_text(h->wire), "ports=0");
	assert_int_equal(packet_rings(h), 0);
	assert_int_equal(strangers(h), HOST_PROCESSES);
	close(service);
}

static void gateway__that_dies_is_told_and_can_be_had_again(void **state)
{
	struct host *h = *state;
	int i, service;

	gateway_conf("igw-00000000000000bad");
	expect(h, CTL_L_GATEWAY_STARTED, ask(h, CTL_L_GATEWAY_START, &req.l_gateway_start));
	assert_int_equal(m.u.l_gateway_started.err, -EEXIST);
	gateway_conf("igw-/../../x");
	expect(h, CTL_L_GATEWAY_STARTED, ask(h, CTL_L_GATEWAY_START, &req.l_gateway_start));
	assert_int_equal(m.u.l_gateway_started.err, -EINVAL);
	for (i = 0; i < 2; i++) {
		gateway_conf(GATEWAY);
		expect(h, CTL_L_GATEWAY_STARTED, ask(h, CTL_L_GATEWAY_START, &req.l_gateway_start));
		assert_int_equal(m.u.l_gateway_started.err, 0);
		service = fd_list_take(&m.fds, 0);
		memset(&req, 0, sizeof(req));
		assert_int_equal(
			ctl_send(service, CTL_GATEWAY_NAT_DEL, 1, &req.gateway_nat, NULL, 0), 0);
		expect(h, CTL_L_GATEWAY_GONE, 0);
		assert_non_null(
			strstr(m.u.l_gateway_gone.text, "niter-gateway was killed by signal 4"));
		close(service);
	}
	/* one that runs ends with the host */
	gateway_conf(GATEWAY);
	expect(h, CTL_L_GATEWAY_STARTED, ask(h, CTL_L_GATEWAY_START, &req.l_gateway_start));
	assert_int_equal(m.u.l_gateway_started.err, 0);
	expect(h, CTL_ACK, ask(h, CTL_L_HOST_STOP, NULL));
	niterd_drop(h);
	assert_int_equal(launcher_wait(h), 0);
	run_sh("! grep -q nitergw /proc/net/dev && test $(cat "
	       "/proc/sys/net/ipv4/conf/lo/forwarding) = 0");
}

/* A second launcher on the same host is refused before it does anything. Return: its exit code. */
static int launcher_second(struct host *h)
{
	int status;
	pid_t pid = fork();

	if (pid == 0)
		launcher_exec(h);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void launcher__has_its_state_directory_alone(void **state)
{
	struct host *h = *state;

	assert_int_equal(launcher_second(h), 1);
	expect(h, CTL_L_HOST, ask(h, CTL_L_HOST_READ, NULL)); /* the first one did not notice */
	expect(h, CTL_ACK, ask(h, CTL_L_HOST_STOP, NULL));
	niterd_drop(h);
	assert_int_equal(launcher_wait(h), 0);
	/* and now it is free again, also for a launcher that may not override the modes of other users' directories */
	h->pid = fork();
	if (h->pid == 0) {
		if (prctl(PR_CAPBSET_DROP, CAP_DAC_OVERRIDE, 0, 0, 0) < 0 ||
		    prctl(PR_CAPBSET_DROP, CAP_DAC_READ_SEARCH, 0, 0, 0) < 0)
			_exit(98);
		launcher_exec(h);
	}
	niterd_connect(h);
}

static void launcher__needs_limits_outside_the_lab(void **state)
{
	char text[] = "/tmp/niter-launcher-XXXXXX", cmd[512];

	(void)state;
	if (access("/sys/fs/cgroup/cgroup.controllers", F_OK) == 0) {
		print_message("skip: this machine has cgroup v2 with its controllers\n");
		skip();
	}
	assert_non_null(mkdtemp(text));
	(void)snprintf(cmd, sizeof(cmd),
		       "%s --mode=hosted --state=%s/s --run=%s/r --libexec=%s 2>%s/log; test $? = "
		       "1 && grep -q 'cgroup v2 ' %s/log "
		       "&& rm -r %s",
		       launcher_path, text, text, text, text, text, text);
	run_sh("%s", cmd);
}

static void launcher__dies_and_takes_everybody_along(void **state)
{
	struct host *h = *state;
	struct ctl_l_instance_start *c = &start_conf;
	int i;

	assert_int_equal(volume_create(h, VOLUME, 16384, ""), 0);
	instance_conf(c);
	assert_int_equal(instance_start(h, c), 0);
	assert_int_equal(strangers(h), HOST_PROCESSES + 2);
	(void)kill(h->pid, SIGKILL);
	(void)launcher_wait(h);
	for (i = 0; strangers(h) && i < 500; i++)
		usleep(10000);
	/* Nobody is left who could remove these. */
	run_sh("cd /sys/fs/cgroup/unified/niter/" INSTANCE
	       " 2>/dev/null && rmdir * 2>/dev/null; rmdir "
	       "/sys/fs/cgroup/unified/niter/" INSTANCE " 2>/dev/null || true");
}

/* A network namespace with nothing but a loopback device. */
static int alone(void)
{
	struct ifreq lo = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	int fd, r;

	if (unshare(CLONE_NEWNET) < 0)
		return -errno;
	fd = socket(AF_INET, SOCK_DGRAM, 0);
	r = ioctl(fd, SIOCSIFFLAGS, &lo) < 0 ? -errno : 0;
	close(fd);
	return r;
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(volume__is_made_once_and_deleted, setup, teardown),
		cmocka_unit_test_setup_teardown(volume__that_fails_leaves_no_file, setup, teardown),
		cmocka_unit_test_setup_teardown(image__that_is_a_link_is_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(instance__runs_shows_its_jail_and_ends_by_itself,
						setup, teardown),
		cmocka_unit_test_setup_teardown(
			instance__that_cannot_start_says_why_and_leaves_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(
			instance__is_killed_while_it_starts_and_while_it_runs, setup, teardown),
		cmocka_unit_test_setup_teardown(niterd__restarts_and_finds_its_instances, setup,
						teardown),
		cmocka_unit_test_setup_teardown(security__lost_means_no_more_grants, setup,
						teardown),
		cmocka_unit_test_setup_teardown(
			instance__with_interfaces_has_rings_and_a_namespace_for_metadata, setup,
			teardown),
		cmocka_unit_test_setup_teardown(instance__with_eight_interfaces_is_reported, setup,
						teardown),
		cmocka_unit_test_setup_teardown(wire__that_dies_is_started_again_with_every_ring,
						setup, teardown),
		cmocka_unit_test_setup_teardown(interface__that_cannot_be_had_ends_the_set_alone,
						setup, teardown),
		cmocka_unit_test_setup_teardown(
			gateway__has_a_device_a_filter_and_forwards_and_leaves_nothing, setup,
			teardown),
		cmocka_unit_test_setup_teardown(gateway__that_dies_is_told_and_can_be_had_again,
						setup, teardown),
		cmocka_unit_test_setup_teardown(host__stops_with_everything_on_it, setup, teardown),
		cmocka_unit_test_setup_teardown(launcher__has_its_state_directory_alone, setup,
						teardown),
		cmocka_unit_test(launcher__needs_limits_outside_the_lab),
		cmocka_unit_test_setup_teardown(launcher__dies_and_takes_everybody_along, setup,
						teardown),
	};

	if (argc != 3)
		return 2;
	if (geteuid() != 0 || access("/dev/kvm", R_OK | W_OK) < 0) {
		printf("skip: the launcher needs root and a /dev/kvm\n");
		return 77;
	}
	if (alone() < 0 || access("/dev/net/tun", R_OK | W_OK) < 0) {
		printf("skip: the launcher's networks need /dev/net/tun and namespaces\n");
		return 77;
	}
	launcher_path = argv[1];
	stub_path = argv[2];
	return cmocka_run_group_tests_name("launcher", tests, NULL, NULL);
}
