/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A launcher that starts nothing but niterd: volumes are empty files, instances are a socket and a few lines of
 * console text. It speaks the real control protocol, so niterd and niter can be tested whole, without a guest.
 *
 *   fake-launcher NITERD STATE_DIR SOCKET CTL_SOCKET
 *
 * SOCKET is niterd's API; CTL_SOCKET leads to a control port, as QEMU's virtserialport does: one client at a time, and
 * niterd does not notice when one goes and another comes. Commands on standard input, each answered by "ok":
 *
 *   kill-niterd      SIGKILL; it is started again
 *   host-crash       all instances vanish without a word, niterd is started again
 *   poweroff ID      the guest powers itself off;   crash ID   it triple-faults
 *   say ID TEXT      the guest prints a line
 *   restart-wire     the wire begins anew and knows nothing
 *   gateway-gone     every gateway ends
 *   lose ID          an instance vanishes while niterd is down; niterd is started again
 *   quit
 *
 * FAKE_TRACE names a file: every message about networks is written there as one line of JSON, as the card, the
 * metadata process, the wire or the gateway it was for has read it. FAKE_PORT_TAKEN is a host port no forward can have; FAKE_NO_UPLINK means no gateway.
 * The wire refuses an interface the first time if FAKE_WIRE_LATE is set, as one whose ring has not come yet.
 *
 * Guests of type c5.large ignore their power button, those of t3a.nano boot in silence. The network card of a t3a.micro breaks the
 * protocol, that of a t3a.small reads nothing. A kernel that begins with "BAD" is refused. FAKE_DISK_BYTES limits
 * the size of a volume, FAKE_RAM_MIB the host's memory. FAKE_API is a port of 127.0.0.1 for the EC2 API. With FAKE_SECURITY
 * niterd has a channel to a security process, whose root key is known to everybody. With FAKE_JAIL=1 (needs root) niterd gets the namespaces, the uid
 * and the detached state directory that the real launcher gives it, and so its empty root.
 */

#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/num.h"
#include "crypto/crypto.h"
#include "fake_network.h"
#include "keys/keys.h"
#include "keys/vault_null.h"
#include "proto/control.h"

enum {
	JAIL_UID = 200002,
	GUESTS_MAX = 32,
	GATEWAYS_MAX = 4,
	POLL_MAX = 5 + 3 * GUESTS_MAX + GATEWAYS_MAX,
	CONSOLE_MAX = 128 * 1024,
	BUTTON_MS = 150,
	ROOT_BYTES = 32,
};

struct guest {
	char id[CTL_ID_MAX]; /* empty: free */
	char type[CTL_NAME_MAX];
	uint64_t ram;
	int svc, svc_niterd; /* both ends: the other one is given to every new niterd */
	int card, card_niterd, meta, meta_niterd; /* -1: it has no network */
	char *console;
	size_t console_len;
	uint64_t off_ns; /* when it heeds its power button; 0: not pressed */
};

static struct {
	const char *program, *state, *api_path, *ctl_path;
	int listener, api_listener, ctl_listener, ctl_client, port, port_niterd, link;
	pid_t niterd;
	struct guest guest[GUESTS_MAX];
	struct {
		char id[CTL_ID_MAX]; /* empty: free */
		int svc, svc_niterd;
	} gateway[GATEWAYS_MAX];
	int wire, wire_niterd;
	bool wire_late;
	uint64_t ram_bytes, disk_bytes;
} f;

static struct ctl_msg msg;

static NORETURN void die(const char *what)
{
	fprintf(stderr, "fake-launcher: %s: %s\n", what, strerrordesc_np(errno));
	exit(1);
}

static int unix_listen(const char *path)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", path);
	(void)unlink(path);
	if (fd < 0 || bind(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0 || listen(fd, 16) < 0)
		die(path);
	return fd;
}

/* The EC2 API's port, on the loopback interface. */
static int tcp_listen(unsigned port)
{
	struct sockaddr_in sa = { .sin_family = AF_INET,
				  .sin_port = htons((uint16_t)port),
				  .sin_addr = { htonl(INADDR_LOOPBACK) } };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) < 0 ||
	    bind(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0 || listen(fd, 1024) < 0)
		die("FAKE_API");
	return fd;
}

static void map_write(pid_t pid, const char *name)
{
	char path[64], line[64];
	int fd, len;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	len = snprintf(line, sizeof(line), "0 %d 1\n", JAIL_UID);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, line, (size_t)len) != len)
		die(path);
	close(fd);
}

/* fork() into new namespaces; the child goes on once it has its one user id. */
static pid_t jail_fork(void)
{
	const unsigned long flags = CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC |
				    CLONE_NEWUTS | CLONE_NEWNET | CLONE_NEWCGROUP | SIGCHLD;
	int go[2];
	char c = 0;
	pid_t pid;

	if (pipe2(go, O_CLOEXEC) < 0)
		die("pipe");
	pid = (pid_t)syscall(SYS_clone, flags, 0, 0, 0, 0);
	if (pid < 0)
		die("clone");
	if (pid == 0) {
		close(go[1]);
		if (read(go[0], &c, 1) != 1 || setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0)
			_exit(126);
		close(go[0]);
		return 0;
	}
	map_write(pid, "uid_map");
	map_write(pid, "gid_map");
	if (write(go[1], &c, 1) != 1)
		die("pipe");
	close(go[0]);
	close(go[1]);
	return pid;
}

static void state_chown(const char *name)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/%s", f.state, name);
	if (chown(path, JAIL_UID, JAIL_UID) < 0)
		die(path);
}

/* As src/launcher/state_dir.c: the directory as a mount that hangs nowhere. */
static int state_detach(int fd)
{
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV |
					       MOUNT_ATTR_NOEXEC | MOUNT_ATTR_NOSYMFOLLOW };
	int tree = (int)syscall(SYS_open_tree, fd, "",
				AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);

	if (tree < 0 ||
	    syscall(SYS_mount_setattr, tree, "", AT_EMPTY_PATH, &attr, sizeof(attr)) < 0)
		die("open_tree");
	close(fd);
	return tree;
}

static void wire_announce(void)
{
	(void)!ctl_send(f.link, CTL_L_WIRE_STARTED, 0, NULL, &f.wire_niterd, 1);
}

static void wire_start(void)
{
	fd_closep(&f.wire);
	fd_closep(&f.wire_niterd);
	if (fd_socketpair(SOCK_SEQPACKET, &f.wire, &f.wire_niterd) < 0)
		die("wire");
	f.wire_late = getenv("FAKE_WIRE_LATE") != NULL;
	fake_trace_line("{\"to\":\"wire\",\"what\":\"started\"}");
}

/* Runs until niterd has gone. Keys of the last one open what it sealed, as the root is the same. */
static NORETURN void security_run(int fd)
{
	static struct vault_null vault;
	static struct keys keys;
	struct key *root = NULL;
	int r = 1;

	if (close_range(3, (unsigned)fd - 1, 0) < 0 || close_range((unsigned)fd + 1, ~0U, 0) < 0)
		_exit(1);
	if (crypto_init() < 0 ||
	    key_new_from("known to everybody who can read", ROOT_BYTES, &root) < 0 ||
	    vault_null_init(&vault, root) < 0)
		_exit(1);
	keys_init(&keys, vault.api, &vault.vault);
	while (r > 0)
		r = keys_serve(&keys, fd);
	_exit(r < 0);
}

/* Return: niterd's end; -1: there is none. */
static int security_start(void)
{
	int ours, theirs;
	pid_t pid;

	if (!getenv("FAKE_SECURITY"))
		return -1;
	if (fd_socketpair(SOCK_SEQPACKET, &ours, &theirs) < 0)
		die("security");
	pid = fork();
	if (pid < 0)
		die("fork");
	if (pid == 0)
		security_run(ours);
	close(ours);
	return theirs;
}

static void niterd_start(void)
{
	struct ctl_l_config conf = {
		.host_mode = "simulated", .has_listener = 1, .has_state_dir = 1, .port_cnt = 1
	};
	bool jail = getenv("FAKE_JAIL") != NULL;
	char *const argv[] = { (char *)(uintptr_t) "niterd", NULL };
	int theirs, state, program, fds[5], security = security_start();
	unsigned cnt = 0;

	program = open(f.program, O_RDONLY | O_CLOEXEC);
	if (program < 0 || fd_socketpair(SOCK_SEQPACKET, &f.link, &theirs) < 0)
		die("socketpair");
	f.niterd = jail ? jail_fork() : fork();
	if (f.niterd < 0)
		die("fork");
	if (f.niterd == 0) {
		if (!jail)
			setenv("NITER_UNJAILED", "1", 1);
		if (dup2(theirs, CTL_FD) == CTL_FD)
			fexecve(program, argv, environ);
		_exit(127);
	}
	close(program);
	close(theirs);
	state = open(f.state, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (state < 0)
		die(f.state);
	if (jail) {
		state_chown(".");
		state_chown("niterd");
		state_chown("images");
		state = state_detach(state);
	}
	fds[cnt++] = f.listener;
	conf.has_api = f.api_listener >= 0;
	if (f.api_listener >= 0)
		fds[cnt++] = f.api_listener;
	fds[cnt++] = state;
	conf.has_security = security >= 0;
	if (security >= 0)
		fds[cnt++] = security;
	fds[cnt++] = f.port_niterd;
	if (ctl_send(f.link, CTL_L_CONFIG, 0, &conf, fds, cnt) < 0)
		die("config");
	close(state);
	fd_closep(&security);
	wire_announce();
}

/* At the end: niterd closes its database before somebody removes the directory. */
static void niterd_end(void)
{
	close(f.link);
	(void)waitpid(f.niterd, NULL, 0);
}

static void niterd_restart(void)
{
	close(f.link);
	if (waitpid(f.niterd, NULL, 0) < 0)
		die("waitpid");
	niterd_start();
}

static void link_send(enum ctl_type type, uint32_t seq, const void *body, const int *fds,
		      unsigned cnt)
{
	(void)!ctl_send(f.link, type, seq, body, fds, cnt); /* a dead niterd is started again */
}

static struct guest *guest_find(const char *id)
{
	for (size_t k = 0; k < GUESTS_MAX; k++)
		if (f.guest[k].id[0] && strcmp(f.guest[k].id, id) == 0)
			return &f.guest[k];
	return NULL;
}

static void guest_say(struct guest *g, const char *text)
{
	size_t len = min_u64(strlen(text), CONSOLE_MAX - g->console_len);

	memcpy(g->console + g->console_len, text, len);
	g->console_len += len;
}

static void guest_free(struct guest *g)
{
	fd_closep(&g->svc);
	fd_closep(&g->svc_niterd);
	fd_closep(&g->card);
	fd_closep(&g->card_niterd);
	fd_closep(&g->meta);
	fd_closep(&g->meta_niterd);
	free(g->console);
	memset(g, 0, sizeof(*g));
}

static void console_data(struct guest *g, uint32_t seq, uint64_t off, uint32_t max)
{
	static struct ctl_svc_console_data d;

	d.off = min_u64(off, g->console_len);
	d.end = g->console_len;
	d.data.len = (uint16_t)min_u64(min_u64(max, CTL_CHUNK_MAX), g->console_len - d.off);
	memcpy(d.data.b, g->console + d.off, d.data.len);
	(void)!ctl_send(g->svc, CTL_SVC_CONSOLE_DATA, seq, &d, NULL, 0);
}

static void guest_end(struct guest *g, enum ctl_exit_reason reason)
{
	struct ctl_l_instance_gone m = { .reason = (uint16_t)reason };

	snprintf(m.instance_id, sizeof(m.instance_id), "%s", g->id);
	guest_say(g, "last words\n");
	console_data(g, 0, g->console_len > 64 ? g->console_len - 64 : 0, 64);
	guest_free(g);
	link_send(CTL_L_INSTANCE_GONE, 0, &m, NULL, 0);
}

static uint64_t ram_used(void)
{
	uint64_t sum = 0;

	for (size_t k = 0; k < GUESTS_MAX; k++)
		sum += f.guest[k].ram;
	return sum;
}

static bool kernel_is_good(const char *image_id)
{
	CLEANUP(fd_closep) int fd = -1;
	char path[512], head[3] = "";

	snprintf(path, sizeof(path), "%s/images/%s/kernel", f.state, image_id);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd >= 0 && read(fd, head, sizeof(head)) == sizeof(head) &&
	       memcmp(head, "BAD", 3) != 0;
}

static void started_send(struct guest *g, uint32_t seq)
{
	struct ctl_l_instance_started m = {
		.jail_us = 1000, .key_us = 2000, .attach_us = 3000, .first_run_us = 4000
	};
	int fds[3] = { g->svc_niterd, g->card_niterd, g->meta_niterd };

	snprintf(m.instance_id, sizeof(m.instance_id), "%s", g->id);
	m.has_network = g->card >= 0;
	link_send(CTL_L_INSTANCE_STARTED, seq, &m, fds, m.has_network ? 3 : 1);
}

static void start_refuse(uint32_t seq, const char *id, int err, const char *text)
{
	struct ctl_l_instance_started m = { .err = err };

	snprintf(m.instance_id, sizeof(m.instance_id), "%s", id);
	snprintf(m.text, sizeof(m.text), "%s", text);
	link_send(CTL_L_INSTANCE_STARTED, seq, &m, NULL, 0);
}

static void start(const struct ctl_l_instance_start *s, uint32_t seq)
{
	struct guest *g = NULL;
	char line[256];

	for (size_t k = 0; !g && k < GUESTS_MAX; k++)
		if (!f.guest[k].id[0])
			g = &f.guest[k];
	if (!g || guest_find(s->instance_id)) {
		start_refuse(seq, s->instance_id, -EEXIST, "it runs already");
		return;
	}
	if (!kernel_is_good(s->image_id)) {
		start_refuse(seq, s->instance_id, -EINVAL,
			     "the kernel is neither a bzImage nor a vmlinux");
		return;
	}
	g->console = malloc(CONSOLE_MAX);
	g->card = g->card_niterd = g->meta = g->meta_niterd = -1;
	if (!g->console || fd_socketpair(SOCK_SEQPACKET, &g->svc, &g->svc_niterd) < 0)
		die("guest");
	if (s->interface_cnt && (fd_socketpair(SOCK_SEQPACKET, &g->card, &g->card_niterd) < 0 ||
				 fd_socketpair(SOCK_SEQPACKET, &g->meta, &g->meta_niterd) < 0))
		die("guest");
	fake_trace_start(s);
	snprintf(g->id, sizeof(g->id), "%s", s->instance_id);
	snprintf(g->type, sizeof(g->type), "%s", s->type_name);
	g->ram = s->ram_bytes;
	snprintf(line, sizeof(line), "boot %s type=%s cores=%u threads=%u root=%s uuid=%02x%02x\n",
		 s->instance_id, s->type_name, s->cores, s->threads,
		 s->volume_cnt ? s->volume[0].volume_id : "none", s->uuid[0], s->uuid[1]);
	if (strcmp(g->type, "t3a.nano") != 0)
		guest_say(g, line);
	started_send(g, seq);
}

static void volume_path(char *buf, size_t cap, const char *id)
{
	snprintf(buf, cap, "%s/volumes/%s.luks", f.state, id);
}

static void volume_create(const struct ctl_l_volume_create *v, uint32_t seq)
{
	struct ctl_l_progress p = { .step = "encrypting the disk", .total = v->size };
	CLEANUP(fd_closep) int fd = -1;
	char path[512];

	if (v->size > f.disk_bytes) {
		(void)!ctl_ack(f.link, seq, -ENOSPC,
			       "the state disk is full: remove images, volumes or instances");
		return;
	}
	volume_path(path, sizeof(path), v->volume_id);
	fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0 || ftruncate(fd, (off_t)v->size) < 0) {
		(void)!ctl_ack(f.link, seq, -errno, "cannot make the volume file");
		return;
	}
	for (p.done = 0; p.done <= p.total; p.done += p.total / 2)
		link_send(CTL_L_PROGRESS, seq, &p, NULL, 0);
	(void)!ctl_ack(f.link, seq, 0, NULL);
}

static void volume_delete(const struct ctl_l_volume_delete *v, uint32_t seq)
{
	char path[512];

	volume_path(path, sizeof(path), v->volume_id);
	(void)!ctl_ack(f.link, seq, unlink(path) < 0 ? -errno : 0, NULL);
}

static void kill_guest(const struct ctl_l_instance_kill *k, uint32_t seq)
{
	struct guest *g = guest_find(k->instance_id);

	(void)!ctl_ack(f.link, seq, g ? 0 : -ENOENT, NULL);
	if (g)
		guest_end(g, CTL_EXIT_KILLED);
}

static void host(uint32_t seq)
{
	struct ctl_l_host h = { .mode = "simulated",
				.placement = "shared-core lab",
				.cores = 1,
				.threads = 1,
				.cores_free = 1,
				.tpm_kind = "swtpm",
				.root_key = "sealed (lab)",
				.lab = 1,
				.security = "running" };

	h.ram_bytes = f.ram_bytes;
	h.ram_free_bytes = f.ram_bytes - min_u64(ram_used(), f.ram_bytes);
	link_send(CTL_L_HOST, seq, &h, NULL, 0);
}

static void processes(uint32_t page, uint32_t seq)
{
	static struct ctl_l_processes p;

	p.more = page == 0;
	p.lines.len = (uint16_t)snprintf(
		(char *)p.lines.b, sizeof(p.lines.b),
		"{\"name\":\"%s\",\"pid\":%u,\"uid\":%u,\"cap_eff\":\"0000000000000000\","
		"\"syscalls_allowed\":42,\"rss_kib\":2048,\"cpu_ms\":7,\"instance\":\"\"}\n",
		page ? "niter-security" : "niterd", 10 + page, 200002 - page);
	link_send(CTL_L_PROCESSES, seq, &p, NULL, 0);
}

static void instances(uint32_t seq)
{
	for (size_t k = 0; k < GUESTS_MAX; k++)
		if (f.guest[k].id[0])
			started_send(&f.guest[k], seq);
	(void)!ctl_ack(f.link, seq, 0, NULL);
}

static void gateway_start(const struct ctl_l_gateway_start *s, uint32_t seq)
{
	struct ctl_l_gateway_started m = { .outside_prefix = 24 };
	size_t at = GATEWAYS_MAX;

	if (getenv("FAKE_NO_UPLINK")) {
		m.err = -ENETUNREACH;
		snprintf(m.gateway_id, sizeof(m.gateway_id), "%s", s->gateway_id);
		snprintf(m.text, sizeof(m.text), "no uplink here");
		link_send(CTL_L_GATEWAY_STARTED, seq, &m, NULL, 0);
		return;
	}
	for (size_t k = GATEWAYS_MAX; k-- > 0;) {
		if (strcmp(f.gateway[k].id, s->gateway_id) == 0) {
			at = k;
			break;
		}
		if (!f.gateway[k].id[0])
			at = k;
	}
	if (at == GATEWAYS_MAX)
		die("too many gateways");
	snprintf(m.gateway_id, sizeof(m.gateway_id), "%s", s->gateway_id);
	if (!f.gateway[at].id[0]) {
		snprintf(f.gateway[at].id, CTL_ID_MAX, "%s", s->gateway_id);
		if (fd_socketpair(SOCK_SEQPACKET, &f.gateway[at].svc, &f.gateway[at].svc_niterd) <
		    0)
			die("gateway");
	}
	fake_trace_gateway(s);
	m.outside_addr[0] = 100;
	m.outside_addr[1] = 64;
	m.outside_addr[2] = (uint8_t)at;
	link_send(CTL_L_GATEWAY_STARTED, seq, &m, &f.gateway[at].svc_niterd, 1);
}

static void gateway_end(size_t k, const char *text)
{
	struct ctl_l_gateway_gone m = { .gateway_id = "" };

	snprintf(m.gateway_id, sizeof(m.gateway_id), "%s", f.gateway[k].id);
	snprintf(m.text, sizeof(m.text), "%s", text);
	fd_closep(&f.gateway[k].svc);
	fd_closep(&f.gateway[k].svc_niterd);
	f.gateway[k].id[0] = '\0';
	link_send(CTL_L_GATEWAY_GONE, 0, &m, NULL, 0);
}

static void gateway_stop(const struct ctl_l_gateway_ref *ref, uint32_t seq)
{
	for (size_t k = 0; k < GATEWAYS_MAX; k++) {
		if (strcmp(f.gateway[k].id, ref->gateway_id) != 0)
			continue;
		(void)!ctl_ack(f.link, seq, 0, NULL);
		fake_trace_gateway_stop(ref->gateway_id);
		gateway_end(k, "stopped by request");
		return;
	}
	(void)!ctl_ack(f.link, seq, -ENOENT, "no such gateway");
}

static void gateways_gone(void)
{
	for (size_t k = 0; k < GATEWAYS_MAX; k++)
		if (f.gateway[k].id[0])
			gateway_end(k, "it was told to");
}

static void forward_add(const struct ctl_l_forward *w, uint32_t seq)
{
	const char *taken = getenv("FAKE_PORT_TAKEN");

	fake_trace_message("launcher", "", &msg);
	if (taken && strtoul(taken, NULL, 10) == w->host_port)
		(void)!ctl_ack(f.link, seq, -EADDRINUSE,
			       "another program of the host listens there");
	else
		(void)!ctl_ack(f.link, seq, 0, NULL);
}

/* Every guest answers its card. */
static void probed(int fd)
{
	static uint64_t frames;
	struct ctl_vpc_probed m = { .frames = ++frames, .asked = 1 };

	memcpy(m.interface_id, msg.u.vpc_probe.interface_id, sizeof(m.interface_id));
	(void)!ctl_send(fd, CTL_VPC_PROBED, msg.seq, &m, NULL, 0);
	ctl_msg_done(&msg);
}

/* What a card, a metadata process, the wire or a gateway was told. */
static void told(int fd, const char *who, const char *id)
{
	int err = 0;

	if (ctl_recv(fd, &msg) <= 0)
		return;
	if (msg.type == CTL_VPC_PROBE) { /* a matter of its own, and of the clock */
		probed(fd);
		return;
	}
	fake_trace_message(who, id, &msg);
	if (f.wire_late && fd == f.wire && msg.type == CTL_VPC_INTERFACE_SET) {
		f.wire_late = false;
		err = -ENOENT;
	}
	if (msg.type != CTL_METADATA_PUT)
		(void)!ctl_ack(fd, msg.seq, err, err ? "no such port yet" : NULL);
	ctl_msg_done(&msg);
}

static void link_message(void)
{
	uint32_t seq = msg.seq;

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wswitch-enum"
	switch (msg.type) {
	case CTL_L_VOLUME_CREATE:
		volume_create(&msg.u.l_volume_create, seq);
		break;
	case CTL_L_VOLUME_DELETE:
		volume_delete(&msg.u.l_volume_delete, seq);
		break;
	case CTL_L_INSTANCE_START:
		start(&msg.u.l_instance_start, seq);
		break;
	case CTL_L_INSTANCE_KILL:
		kill_guest(&msg.u.l_instance_kill, seq);
		break;
	case CTL_L_HOST_READ:
		host(seq);
		break;
	case CTL_L_PROCESSES_READ:
		processes(msg.u.l_processes_read.page, seq);
		break;
	case CTL_L_INSTANCES_READ:
		instances(seq);
		break;
	case CTL_L_GATEWAY_START:
		gateway_start(&msg.u.l_gateway_start, seq);
		break;
	case CTL_L_GATEWAY_STOP:
		gateway_stop(&msg.u.l_gateway_ref, seq);
		break;
	case CTL_L_FORWARD_ADD:
		forward_add(&msg.u.l_forward, seq);
		break;
	case CTL_L_FORWARD_DEL:
		fake_trace_message("launcher", "", &msg);
		(void)!ctl_ack(f.link, seq, 0, NULL);
		break;
	case CTL_L_HOST_STOP:
		(void)!ctl_ack(f.link, seq, 0, NULL);
		exit(0);
	default:
		fprintf(stderr, "fake-launcher: niterd sent type %#x\n", (unsigned)msg.type);
		exit(1);
	}
#pragma GCC diagnostic pop
}

static void svc_message(struct guest *g)
{
	if (msg.type == CTL_SVC_CONSOLE_READ) {
		console_data(g, msg.seq, msg.u.svc_console_read.off, msg.u.svc_console_read.max);
		return;
	}
	if (msg.type == CTL_SVC_STATS_READ) {
		struct ctl_svc_stats stats = { .exits = 1 };

		(void)!ctl_send(g->svc, CTL_SVC_STATS, msg.seq, &stats, NULL, 0);
		return;
	}
	(void)!ctl_ack(g->svc, msg.seq, 0, NULL);
	if (msg.type == CTL_SVC_RESET) {
		guest_say(g, "reset\n");
	} else if (msg.type == CTL_SVC_POWER_BUTTON && strcmp(g->type, "c5.large") != 0) {
		guest_say(g, "power button\n");
		g->off_ns = clock_ns() + BUTTON_MS * 1000000ULL;
	}
}

static void command(char *line)
{
	char *save = NULL, *word = strtok_r(line, " \n", &save), *id = strtok_r(NULL, " \n", &save);
	struct guest *g = id ? guest_find(id) : NULL;

	if (!word || strcmp(word, "quit") == 0)
		exit(0);
	if (strcmp(word, "kill-niterd") == 0 || strcmp(word, "host-crash") == 0) {
		(void)kill(f.niterd, SIGKILL);
		for (size_t k = 0; word[0] == 'h' && k < GUESTS_MAX; k++)
			if (f.guest[k].id[0])
				guest_free(&f.guest[k]);
		if (word[0] == 'h') {
			gateways_gone();
			wire_start();
		}
		niterd_restart();
	} else if (strcmp(word, "restart-wire") == 0) {
		wire_start();
		wire_announce();
	} else if (g && strcmp(word, "lose") == 0) {
		(void)kill(f.niterd, SIGKILL);
		guest_free(g);
		niterd_restart();
	} else if (strcmp(word, "gateway-gone") == 0) {
		gateways_gone();
	} else if (g && strcmp(word, "say") == 0) {
		guest_say(g, save);
	} else if (g) {
		guest_end(g, word[0] == 'p' ? CTL_EXIT_SHUTDOWN : CTL_EXIT_TRIPLE_FAULT);
	}
	puts("ok");
	fflush(stdout);
}

/* Bytes from one descriptor to another. Return: whether both still live. */
static bool pump(int from, int to)
{
	static char buf[65536];
	ssize_t n = read(from, buf, sizeof(buf));

	return n > 0 && fd_write_full(to, buf, (size_t)n) == 0;
}

static void turn(struct pollfd *p, nfds_t cnt)
{
	char line[512];

	for (size_t k = 5; k < cnt; k++) {
		struct guest *g = &f.guest[(k - 5) % GUESTS_MAX];
		size_t gw = k - 5 - 3 * GUESTS_MAX;

		if (p[k].fd < 0 || !(p[k].revents & POLLIN))
			continue;
		if (k - 5 >= 3 * GUESTS_MAX) {
			if (p[k].fd == f.gateway[gw].svc)
				told(p[k].fd, "gateway", f.gateway[gw].id);
		} else if (p[k].fd == g->card) {
			if (strcmp(g->type, "t3a.micro") == 0)
				(void)!ctl_send(g->card, CTL_L_HOST_READ, 1, NULL, NULL, 0);
			told(g->card, "card", g->id);
		} else if (p[k].fd == g->meta) {
			told(g->meta, "metadata", g->id);
		} else if (p[k].fd == g->svc && ctl_recv(g->svc, &msg) > 0) {
			svc_message(g);
		}
	}
	if (p[4].fd == f.wire && (p[4].revents & POLLIN))
		told(f.wire, "wire", "");
	if ((p[1].revents & (POLLIN | POLLHUP)) && p[1].fd == f.link) {
		int r = ctl_recv(f.link, &msg);

		if (r > 0)
			link_message();
		else
			niterd_restart();
	}
	if (p[2].revents & (POLLIN | POLLHUP)) {
		if (f.ctl_client < 0)
			f.ctl_client = accept4(f.ctl_listener, NULL, NULL, SOCK_CLOEXEC);
		else if (!pump(f.ctl_client, f.port))
			fd_closep(&f.ctl_client);
	}
	/* What nobody reads is lost, as in a virtio port without a host side. */
	if ((p[3].revents & POLLIN) && (f.ctl_client < 0 || !pump(f.port, f.ctl_client))) {
		if (f.ctl_client < 0)
			(void)!read(f.port, line, sizeof(line));
		fd_closep(&f.ctl_client);
	}
	if (p[0].revents & (POLLIN | POLLHUP)) {
		if (!fgets(line, sizeof(line), stdin))
			exit(0);
		command(line);
	}
}

static void timers(void)
{
	uint64_t now = clock_ns();

	for (size_t k = 0; k < GUESTS_MAX; k++)
		if (f.guest[k].id[0] && f.guest[k].off_ns && now >= f.guest[k].off_ns)
			guest_end(&f.guest[k], CTL_EXIT_SHUTDOWN);
}

static uint64_t env_number(const char *name, uint64_t otherwise)
{
	const char *s = getenv(name);

	return s ? strtoull(s, NULL, 10) : otherwise;
}

int main(int argc, char **argv)
{
	if (argc != 5)
		return 2;
	f.program = argv[1];
	f.state = argv[2];
	f.api_path = argv[3];
	f.ctl_path = argv[4];
	f.ctl_client = -1;
	f.ram_bytes = env_number("FAKE_RAM_MIB", 6144) * MIB;
	f.disk_bytes = env_number("FAKE_DISK_BYTES", UINT64_MAX);
	log_init("fake-launcher");
	(void)signal(SIGPIPE, SIG_IGN);
	setvbuf(stdin, NULL, _IONBF, 0);
	f.listener = unix_listen(f.api_path);
	f.api_listener = getenv("FAKE_API")
				 ? tcp_listen((unsigned)strtoul(getenv("FAKE_API"), NULL, 10))
				 : -1;
	f.ctl_listener = unix_listen(f.ctl_path);
	if (fd_socketpair(SOCK_STREAM, &f.port, &f.port_niterd) < 0)
		die("port");
	f.wire = f.wire_niterd = -1;
	fake_trace_open(getenv("FAKE_TRACE"));
	wire_start();
	niterd_start();
	if (atexit(niterd_end) != 0)
		die("atexit");
	for (;;) {
		struct pollfd p[POLL_MAX];

		p[0] = (struct pollfd){ .fd = STDIN_FILENO, .events = POLLIN };
		p[1] = (struct pollfd){ .fd = f.link, .events = POLLIN };
		p[2] = (struct pollfd){ .fd = f.ctl_client < 0 ? f.ctl_listener : f.ctl_client,
					.events = POLLIN };
		p[3] = (struct pollfd){ .fd = f.port, .events = POLLIN };
		p[4] = (struct pollfd){ .fd = f.wire, .events = POLLIN };
		for (size_t k = 0; k < GUESTS_MAX; k++) {
			const struct guest *g = &f.guest[k];
			bool there = g->id[0] != '\0',
			     hears = there && strcmp(g->type, "t3a.small") != 0;

			p[5 + k] = (struct pollfd){ .fd = there ? g->svc : -1, .events = POLLIN };
			p[5 + GUESTS_MAX + k] =
				(struct pollfd){ .fd = hears ? g->card : -1, .events = POLLIN };
			p[5 + 2 * GUESTS_MAX + k] =
				(struct pollfd){ .fd = there ? g->meta : -1, .events = POLLIN };
		}
		for (size_t k = 0; k < GATEWAYS_MAX; k++)
			p[5 + 3 * GUESTS_MAX + k] =
				(struct pollfd){ .fd = f.gateway[k].id[0] ? f.gateway[k].svc : -1,
						 .events = POLLIN };
		if (poll(p, POLL_MAX, 20) < 0 && errno != EINTR)
			die("poll");
		turn(p, POLL_MAX);
		timers();
	}
}
