/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What a client sends after its hello: lines and image frames, in pieces. The daemon is real, with a database in memory
 * and a launcher that says yes to everything but starts. Asserted: every line niterd sends is one JSON object with
 * an answer in it; when the client has gone, no half-made image is left; accounts have usable keys; the database can be read.
 *
 * The first byte chooses unix connection or control port and the size of the pieces.
 */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "controller/core_accounts.h"
#include "controller/core_net.h"
#include "controller/net_text.h"
#include "controller/niterd.h"
#include "controller/security_null.h"
#include "crypto/crypto.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

static struct daemon d;
static int launcher, home, old_cwd;
static uint64_t now_ms, counter;
static struct security_null security;
static struct loop_ref security_null_ref = { .type = REF_SECURITY_NULL };

static uint64_t fake_now(void *ptr)
{
	(void)ptr;
	return now_ms++;
}

/* Unpredictable is not needed here, different is. */
static int fake_random(void *ptr, void *buf, size_t len)
{
	(void)ptr;
	counter++;
	memset(buf, 0, len);
	memcpy(buf, &counter, len < sizeof(counter) ? len : sizeof(counter));
	if (len == NET_MAC_BYTES) /* of which the first one is given */
		((uint8_t *)buf)[len - 1] ^= (uint8_t)counter;
	return 0;
}

static void image_seed(void)
{
	struct image i = { .id = "ami-0123456789abcdef0",
			   .account = MODEL_ACCOUNT_DEFAULT,
			   .name = "debian",
			   .architecture = "x86_64",
			   .cmdline = "x",
			   .kernel_bytes = 1,
			   .disk_bytes = 4096 };
	struct fault f;

	must(core_image_add(&d.core, &i, &f) == 0);
}

/* Once: opening a database costs more than playing an input. */
static void daemon_start(void)
{
	int fd;

	counter = 1 << 20; /* ids of the default network: an input's own begin at 0 */
	d.listener = -1;
	d.core.env = (struct core_env){ fake_now, fake_random, NULL };
	d.recovered = true;
	d.wire.fd = -1;
	must(store_open(":memory:", &d.core.st) == 0);
	must(core_net_init(&d.core) == 0);
	must(core_accounts_init(&d.core) == 0);
	must(loop_init(&d.loop) == 0);
	security_link_init(&d.security);
	d.security_ref.type = REF_SECURITY;
	must(security_null_init(&security, NULL, &fd) == 0);
	must(security_null_open(&security, &d.loop, &security_null_ref) == 0);
	must(security_link_open(&d.security, &d.loop, &d.security_ref, fd) == 0);
	must(fd_socketpair(SOCK_SEQPACKET | SOCK_NONBLOCK, &fd, &launcher) == 0);
	must(link_init(&d, fd) == 0);
	counter = 0;
}

static char dir[] = "/tmp/niter-api-fuzz.XXXXXX";

static void dir_remove(void)
{
	(void)unlinkat(home, "images", AT_REMOVEDIR);
	(void)rmdir(dir);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	must(crypto_init() == 0);
	must(signal(SIGPIPE, SIG_IGN) != SIG_ERR);
	json_object_seed(1);
	must(mkdtemp(dir) != NULL);
	home = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	old_cwd = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	must(home >= 0 && old_cwd >= 0);
	must(mkdirat(home, "images", 0755) == 0);
	must(atexit(dir_remove) == 0);
	daemon_start();
	return 0;
}

/* Return: whether there was a message. */
static bool launcher_answer(void)
{
	static struct ctl_msg m;
	struct ctl_l_host h = { .placement = "shared-core lab",
				.ram_bytes = UINT64_C(1) << 34,
				.ram_free_bytes = UINT64_C(1) << 34 };
	static const struct ctl_l_processes p; /* an empty list */
	int r = ctl_recv(launcher, &m);

	if (r <= 0)
		return false;
	if (m.type == CTL_L_HOST_READ)
		r = ctl_send(launcher, CTL_L_HOST, m.seq, &h, NULL, 0);
	else if (m.type == CTL_L_PROCESSES_READ)
		r = ctl_send(launcher, CTL_L_PROCESSES, m.seq, &p, NULL, 0);
	else if (m.type == CTL_L_INSTANCE_START)
		r = ctl_ack(launcher, m.seq, -EIO, "not here");
	else
		r = ctl_ack(launcher, m.seq, 0, NULL);
	ctl_msg_done(&m);
	return r == 0;
}

/* Everything that is ready now. */
static void turn(void)
{
	struct loop_event ev[LOOP_EVENTS_MAX];
	uint64_t next = UINT64_MAX;
	int n;

	for (int k = 0; k < 1000; k++) {
		bool busy = launcher_answer();

		n = loop_wait(&d.loop, ev, 0);
		for (int j = 0; j < n; j++) {
			if (ev[j].ref->type == REF_LINK)
				must(link_event(&d, ev[j].events) == 0);
			else if (ev[j].ref->type == REF_CONN)
				conn_event(ev[j].ref->ptr, ev[j].events);
			else if (ev[j].ref->type == REF_SECURITY)
				security_link_event(&d.security, ev[j].events);
			else if (ev[j].ref->type == REF_SECURITY_NULL)
				security_null_event(&security);
		}
		net_timers(&d, clock_ns(), &next);
		conn_timers(&d, clock_ns(), &next);
		live_reap(&d);
		if (n <= 0 && !busy)
			return;
	}
}

static void line_check(const char *line, size_t len)
{
	json_t *o;
	int kinds;

	if (len == 0) /* before a hello on a port */
		return;
	o = json_loadb(line, len, JSON_REJECT_DUPLICATES, NULL);
	must(json_is_object(o));
	kinds = (json_object_get(o, "result") != NULL) + (json_object_get(o, "error") != NULL) +
		(json_object_get(o, "progress") != NULL) + (json_object_get(o, "ready") != NULL) +
		(json_object_get(o, "hello") != NULL);
	must(kinds == 1);
	if (json_object_get(o, "error")) {
		must(json_string_length(json_object_get(json_object_get(o, "error"), "code")) > 0);
		must(json_string_length(json_object_get(json_object_get(o, "error"), "message")) >
		     0);
	}
	json_decref(o);
}

/* Reads what niterd said; only whole lines are looked at. */
static void answers_check(int fd)
{
	static char buf[4 * 1024 * 1024];
	static size_t len;
	ssize_t n;
	char *nl;

	if (fd < 0) {
		len = 0;
		return;
	}
	while (len < sizeof(buf) && (n = read(fd, buf + len, sizeof(buf) - len)) > 0)
		len += (size_t)n;
	while (len && (nl = memchr(buf, '\n', len))) {
		line_check(buf, (size_t)(nl - buf));
		len -= (size_t)(nl + 1 - buf);
		memmove(buf, nl + 1, len);
	}
}

static void images_check(void)
{
	struct dirent *e;
	DIR *images = opendir("images");

	must(images != NULL);
	while ((e = readdir(images)))
		must(strncmp(e->d_name, ".new-", 5) != 0);
	closedir(images);
}

/* What a client said of networks: all of it makes sense together, and goes. */
static void networks_removed(void)
{
	struct net n;

	must(net_load(d.core.st, &n) == 0);
	must(n.vpc_cnt == 1 && n.subnet_cnt == 1 && n.group_cnt == 1 && n.gateway_cnt == 1);
	must(n.interface_cnt == 0 && n.membership_cnt == 0 &&
	     n.forward_cnt == 0); /* nothing ever starts */
	for (size_t k = 0; k < n.remote_cnt; k++) {
		must(net_peer_find(&n, n.remote[k].peer) != NULL);
		must(net_inside(n.remote[k].addr, n.vpc[0].addr, n.vpc[0].prefix));
		must((n.remote[k].mac[0] & 1) == 0);
	}
	for (size_t k = 0; k < n.peer_cnt; k++) {
		must(n.peer[k].number != 0 && n.peer[k].port != 0 && n.peer[k].name[0] != '\0');
		must(store_delete(d.core.st, &tbl_peers, &n.peer[k]) == 0);
	}
	net_done(&n);
}

/* Accounts have keys that the security process can use, and nothing that keeps them; they go, the first one stays. */
static void accounts_removed(void)
{
	struct access_key *keys = NULL;
	struct account *all = NULL;
	struct fault f;
	struct vpc v;
	size_t cnt = 0;

	must(store_list(d.core.st, &tbl_access_keys, (void **)&keys, &cnt) == 0);
	for (size_t k = 0; k < cnt; k++) {
		must(strlen(keys[k].id) == ACCESS_KEY_CHARS && keys[k].sealed_len > 0);
		must(store_find(d.core.st, &tbl_accounts, keys[k].account) != NULL);
		must(store_delete_id(d.core.st, &tbl_access_keys, keys[k].id) == 0);
	}
	free(keys);
	must(store_list(d.core.st, &tbl_accounts, (void **)&all, &cnt) == 0);
	must(cnt >= 1);
	for (size_t k = 0; k < cnt; k++) {
		must(strlen(all[k].id) == ACCOUNT_DIGITS && all[k].name[0] != '\0');
		must(core_vpc_default(&d.core, all[k].id, &v) == 0);
		must((core_account_rm(&d.core, &all[k], &f) == 0) ==
		     (strcmp(all[k].id, MODEL_ACCOUNT_DEFAULT) != 0));
	}
	free(all);
}

/* As if nothing had been; on the way, everything that is stored can be read. */
static void everything_removed(void)
{
	struct image *list = NULL;
	struct volume *v = NULL;
	struct instance *n = NULL;
	size_t cnt = 0;

	must(store_list(d.core.st, &tbl_volumes, (void **)&v, &cnt) == 0);
	for (size_t k = 0; k < cnt; k++)
		must(store_delete_id(d.core.st, &tbl_volumes, v[k].id) == 0);
	free(v);
	accounts_removed();
	networks_removed();
	must(store_list(d.core.st, &tbl_instances, (void **)&n, &cnt) == 0);
	for (size_t k = 0; k < cnt; k++)
		must(store_delete_id(d.core.st, &tbl_instances, n[k].id) == 0);
	free(n);
	must(store_list(d.core.st, &tbl_images, (void **)&list, &cnt) == 0);
	for (size_t k = 0; k < cnt; k++) {
		must(upload_remove(list[k].id) == 0);
		must(store_delete_id(d.core.st, &tbl_images, list[k].id) == 0);
	}
	free(list);
	conn_free_all(&d);
	live_free_all(&d);
	d.host_stopping = false;
	counter = 0;
}

static void play(const uint8_t *data, size_t size)
{
	static const char hello[] = "{\"hello\":\"f\",\"version\":1}\n";
	size_t piece = size ? 1U + (data[0] >> 1) * 16U + size / 16 : 1;
	bool port = size && (data[0] & 1);
	int client, server;

	must(fd_socketpair(SOCK_STREAM | SOCK_NONBLOCK, &client, &server) == 0);
	must(conn_add(&d, server, port) == 0);
	answers_check(-1);
	must(write(client, hello, sizeof(hello) - 1) == (ssize_t)sizeof(hello) - 1);
	turn();
	for (size_t at = 1; at < size; at += piece) {
		size_t n = size - at < piece ? size - at : piece;

		if (write(client, data + at, n) < 0) /* niterd has had enough */
			break;
		turn();
		answers_check(client);
	}
	turn();
	answers_check(client);
	close(client);
	turn();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	must(fchdir(home) == 0);
	now_ms = 1795370000000;
	image_seed();
	play(data, size);
	images_check();
	everything_removed();
	must(fchdir(old_cwd) == 0);
	return 0;
}
