/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fd.h"
#include "base/num.h"
#include "cgroup.h"
#include "cores.h"
#include "ids.h"
#include "jail_path.h"
#include "launcher.h"
#include "memory.h"
#include "nic.h"

static void ids__accept_ec2_shapes(void **state)
{
	(void)state;
	assert_true(id_instance_ok("i-0123456789abcdef0"));
	assert_true(id_instance_ok("i-0a1b2c3d"));
	assert_true(id_volume_ok("vol-0123456789abcdef0"));
	assert_true(id_image_ok("ami-0123456789abcdef0"));
	assert_true(id_interface_ok("eni-0123456789abcdef0"));
	assert_true(id_gateway_ok("igw-0123456789abcdef0"));
	assert_true(id_account_ok("123456789012"));
	assert_true(name_ok("/dev/xvda") && name_ok("t3.nano") && name_ok(""));
}

static void ids__reject_anything_that_could_be_a_path(void **state)
{
	static const char *const bad[] = { "",
					   "i-",
					   "i-..",
					   "i-../../../../etc/x",
					   "i-0123456789abcdef/",
					   "i-0123456789abcdeF0",
					   "i-0123456789abcdef",
					   "i-0123456789abcdef01",
					   "vol-0123456789abcdef0",
					   " i-0123456789abcdef0",
					   "i-0123456789abcdef0\n" };
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(bad); i++)
		assert_false(id_instance_ok(bad[i]));
	assert_false(id_volume_ok("i-0123456789abcdef0"));
	assert_false(id_interface_ok("igw-0123456789abcdef0"));
	assert_false(id_gateway_ok("igw-../.."));
	assert_false(id_image_ok("vol-0123456789abcdef0"));
	assert_false(id_account_ok(""));
	assert_false(id_account_ok("12/3"));
	assert_false(name_ok("two words"));
	assert_false(name_ok("quote\""));
	assert_false(name_ok("bell\a"));
}

/* @cores cores of @threads threads; siblings are numbered apart, as on real machines. */
static void host(struct cores *c, unsigned cores, unsigned threads, enum cores_policy policy)
{
	unsigned i, t;

	memset(c, 0, sizeof(*c));
	for (t = 0; t < threads; t++)
		for (i = 0; i < cores; i++)
			assert_int_equal(cores_add(c, i, i + t * cores), 0);
	cores_policy_set(c, policy);
}

static void cores__small_hosts_are_shared(void **state)
{
	static struct cores c;

	(void)state;
	host(&c, 1, 1, CORES_AUTO);
	assert_true(c.shared);
	host(&c, 1, 2, CORES_AUTO);
	assert_true(c.shared);
	host(&c, 1, 2, CORES_WHOLE); /* one core cannot be given away whole */
	assert_true(c.shared);
	host(&c, 2, 1, CORES_AUTO); /* two vCPUs would need both */
	assert_true(c.shared);
	host(&c, 2, 1, CORES_WHOLE);
	assert_false(c.shared);
	host(&c, 2, 2, CORES_AUTO);
	assert_false(c.shared);
	host(&c, 3, 1, CORES_AUTO);
	assert_false(c.shared);
	host(&c, 8, 2, CORES_SHARED);
	assert_true(c.shared);
}

static void cores__give_both_siblings_and_never_the_host_core(void **state)
{
	static struct cores c;
	char text[64];

	(void)state;
	host(&c, 4, 2, CORES_AUTO);
	assert_int_equal(cores_free(&c), 3);
	assert_int_equal(cores_text(&c, CORE_OWNER_HOST, text, sizeof(text)), 0);
	assert_string_equal(text, "0,4");
	assert_int_equal(cores_take(&c, 7, 2, 2), 0);
	assert_int_equal(cores_text(&c, 7, text, sizeof(text)), 0);
	assert_string_equal(text, "1,5,2,6");
	assert_int_equal(cores_text(&c, 7, text, 4), -EMSGSIZE);
	assert_int_equal(cores_take(&c, 8, 2, 2), -ENOSPC);
	assert_int_equal(cores_free(&c), 1);
	assert_int_equal(cores_take(&c, 8, 1, 1),
			 0); /* one thread per core: still the whole core */
	assert_int_equal(cores_free(&c), 0);
	cores_give(&c, 7);
	assert_int_equal(cores_free(&c), 2);
}

static void cores__without_siblings_count_a_core_per_vcpu(void **state)
{
	static struct cores c;

	(void)state;
	host(&c, 4, 1, CORES_AUTO);
	assert_int_equal(cores_needed(&c, 1, 2), 2);
	assert_int_equal(cores_needed(&c, 2, 1), 2);
	assert_int_equal(cores_take(&c, 0, 2, 2), -ENOSPC);
	assert_int_equal(cores_take(&c, 0, 1, 2), 0);
	assert_int_equal(cores_free(&c), 1);
}

/* Every CPU is in at most one owner's list, and no instance has the host's. */
static void check_owners(const struct cores *c, const bool *lives, short sets)
{
	static bool seen[CORE_CPU_MAX];
	short cpu[64];
	unsigned cnt, i;
	short s;

	memset(seen, 0, sizeof(seen));
	for (s = CORE_OWNER_HOST; s < sets; s++) {
		if (s == CORE_OWNER_NONE || (s >= 0 && !lives[s]))
			continue;
		cnt = cores_cpus(c, s, cpu, ARRAY_SIZE(cpu));
		assert_true(cnt && cnt <= ARRAY_SIZE(cpu));
		for (i = 0; i < cnt; i++) {
			assert_false(seen[cpu[i]]);
			seen[cpu[i]] = true;
		}
	}
}

static void cores__ten_thousand_placements_never_share_a_core(void **state)
{
	enum { SETS = 24, ROUNDS = 10000 };
	static struct cores c;
	bool lives[SETS] = { false };
	unsigned seed = 1, i, placed = 0;

	(void)state;
	host(&c, 24, 2, CORES_AUTO);
	for (i = 0; i < ROUNDS; i++) {
		short s;

		seed = seed * 1103515245 + 12345;
		s = (short)(seed >> 16 & 0x7fff) % SETS;
		if (lives[s]) {
			cores_give(&c, s);
			lives[s] = false;
		} else if (cores_take(&c, s, 1 + (seed >> 8) % 5, 1 + (seed >> 4) % 2) == 0) {
			lives[s] = true;
			placed++;
		}
		check_owners(&c, lives, SETS);
	}
	assert_true(placed > ROUNDS / 10);
}

static void put_file(const char *dir, const char *name, const char *text)
{
	char path[256];
	FILE *f;

	assert_true(snprintf(path, sizeof(path), "%s/%s", dir, name) < (int)sizeof(path));
	f = fopen(path, "we");
	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static void cores__are_read_as_the_kernel_shows_them(void **state)
{
	char dir[] = "/tmp/niter-cores-XXXXXX", cmd[128];
	static struct cores c;
	int i;

	(void)state;
	assert_non_null(mkdtemp(dir));
	for (i = 0; i < 4; i++) {
		char name[64];

		(void)snprintf(name, sizeof(name), "mkdir -p %s/cpu%d/topology", dir, i);
		assert_int_equal(system(name),
				 0); /* NOLINT(cert-env33-c): fixed command of a test */
		(void)snprintf(name, sizeof(name), "cpu%d/topology/thread_siblings_list", i);
		put_file(dir, name, i < 2 ? "0-1\n" : "2-3\n");
	}
	put_file(dir, "online", "0-3\n");
	assert_int_equal(cores_read(&c, dir, CORES_AUTO), 0);
	assert_int_equal(c.core_cnt, 2);
	assert_int_equal(c.threads, 2);
	put_file(dir, "online", "0,2-3\n");
	assert_int_equal(cores_read(&c, dir, CORES_AUTO), 0);
	assert_int_equal(c.core_cnt, 2);
	assert_int_equal(c.threads, 1);
	put_file(dir, "online", "3-0\n");
	assert_int_equal(cores_read(&c, dir, CORES_AUTO), -EINVAL);
	put_file(dir, "online", "\n");
	assert_int_equal(cores_read(&c, dir, CORES_AUTO), -ENODATA);
	assert_int_equal(cpu_list_first("5-7,9\n"), 5);
	assert_int_equal(cpu_list_first("x"), -EINVAL);
	assert_int_equal(cpu_list_first("99999"), -EINVAL);
	(void)snprintf(cmd, sizeof(cmd), "rm -r %s", dir);
	assert_int_equal(system(cmd), 0); /* NOLINT(cert-env33-c): fixed command of a test */
}

static void memory__is_promised_once(void **state)
{
	struct memory m = { .total = 4 * GIB, .for_sets = 3 * GIB };
	uint64_t left = memory_free(&m);

	(void)state;
	assert_true(left > 2 * GIB && left < 3 * GIB);
	assert_int_equal(memory_take(&m, left), 0); /* what is said to be free can be had */
	assert_int_equal(memory_take(&m, 64 * MIB), -ENOSPC);
	memory_give(&m, left);
	assert_int_equal(m.used, 0);
	assert_int_equal(memory_take(&m, left + 64 * MIB), -ENOSPC);
	assert_int_equal(memory_take(&m, UINT64_MAX - 4096), -ENOSPC);
	assert_int_equal(m.used, 0);
}

static void memory__reads_the_kernels_table(void **state)
{
	static const char text[] =
		"MemTotal:        2048 kB\nMemFree: 1 kB\nMemAvailable:   1024 kB\nBad: x kB\n"
		"Big: 99999999999999999999 kB\n";
	uint64_t v;

	(void)state;
	assert_int_equal(memory_parse(text, "MemTotal:", &v), 0);
	assert_int_equal(v, 2 * MIB);
	assert_int_equal(memory_parse(text, "MemAvailable:", &v), 0);
	assert_int_equal(v, 1 * MIB);
	assert_int_equal(memory_parse(text, "SwapTotal:", &v), -ENODATA);
	assert_int_equal(memory_parse(text, "Bad:", &v), -ENODATA);
	assert_int_equal(memory_parse(text, "Big:", &v), -ENODATA);
	assert_int_equal(memory_parse("", "MemTotal:", &v), -ENODATA);
}

static void cgroup__words_are_whole_words(void **state)
{
	(void)state;
	assert_true(cgroup_has_word("cpuset cpu io memory pids\n", "cpu"));
	assert_true(cgroup_has_word("cpuset cpu io memory pids\n", "pids"));
	assert_false(cgroup_has_word("cpuset io memory\n", "cpu"));
	assert_false(cgroup_has_word("", "cpu"));
}

/* The whole table, once more and by hand: what is not written here must not be possible. */
static void set__moves_only_forward(void **state)
{
	static const struct {
		enum set_state from;
		enum set_event ev;
		enum set_state to;
	} rows[] = {
		{ SET_FREE, SET_EV_STARTED, SET_ATTACHING },
		{ SET_ATTACHING, SET_EV_ATTACHED, SET_BOOTING },
		{ SET_ATTACHING, SET_EV_END, SET_ENDING },
		{ SET_BOOTING, SET_EV_READY, SET_RUNNING },
		{ SET_BOOTING, SET_EV_END, SET_ENDING },
		{ SET_RUNNING, SET_EV_END, SET_ENDING },
		{ SET_ENDING, SET_EV_END, SET_ENDING },
		{ SET_ENDING, SET_EV_REAPED, SET_CLEANING },
		{ SET_CLEANING, SET_EV_END, SET_CLEANING },
		{ SET_CLEANING, SET_EV_CLEAN, SET_FREE },
	};
	unsigned from, ev;
	size_t i;

	(void)state;
	for (from = 0; from < SET_STATES; from++) {
		for (ev = 0; ev < SET_EVENTS; ev++) {
			enum set_state want = SET_STATES;

			for (i = 0; i < ARRAY_SIZE(rows); i++)
				if (rows[i].from == from && rows[i].ev == ev)
					want = rows[i].to;
			assert_int_equal(set_next(from, ev), want);
		}
	}
}

static void jail_path__follows_no_link_and_never_leaves(void **state)
{
	char dir[] = "/tmp/niter-jail-XXXXXX", cmd[256];
	int top, fd;

	(void)state;
	assert_non_null(mkdtemp(dir));
	(void)snprintf(cmd, sizeof(cmd),
		       "cd %s && mkdir d && echo x >d/file && ln -s file d/link && ln -s d dirlink "
		       "&& ln -s /etc abs && "
		       "mkfifo d/fifo",
		       dir);
	assert_int_equal(system(cmd), 0); /* NOLINT(cert-env33-c): fixed command of a test */
	top = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(top >= 0);
	fd = jail_open_file(top, "d/file", O_RDONLY);
	assert_true(fd >= 0);
	assert_int_equal(fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
	close(fd);
	assert_int_equal(jail_open_file(top, "d/link", O_RDONLY), -ELOOP);
	assert_int_equal(jail_open_file(top, "dirlink/file", O_RDONLY), -ELOOP);
	assert_int_equal(jail_open_file(top, "abs/passwd", O_RDONLY), -ELOOP);
	assert_int_equal(jail_open_file(top, "../../etc/passwd", O_RDONLY), -EXDEV);
	assert_int_equal(jail_open_file(top, "/etc/passwd", O_RDONLY), -EXDEV);
	assert_int_equal(jail_open_file(top, "d/fifo", O_RDONLY), -EPROTO);
	assert_int_equal(jail_open_file(top, "d", O_RDONLY), -EPROTO);
	assert_int_equal(jail_open_file(top, "d/none", O_RDONLY), -ENOENT);
	/* a new file never reuses what is there, link or not */
	assert_int_equal(jail_open(top, "d/file", O_CREAT | O_WRONLY, 0600), -EEXIST);
	assert_int_equal(jail_open(top, "d/link", O_CREAT | O_WRONLY, 0600), -EEXIST);
	fd = jail_open(top, "d/new", O_CREAT | O_WRONLY, 0600);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(jail_dir(top, "dirlink", 0700, getuid(), getgid()), -ENOTDIR);
	fd = jail_dir(top, "newdir", 0700, getuid(), getgid());
	assert_true(fd >= 0);
	close(fd);
	close(top);
	(void)snprintf(cmd, sizeof(cmd), "rm -r %s", dir);
	assert_int_equal(system(cmd), 0); /* NOLINT(cert-env33-c): fixed command of a test */
}

static void default_route__is_found_among_others(void **state)
{
	static const char text[] =
		"Iface\tDestination\tGateway "
		"\tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n"
		"docker0\t000011AC\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0\n"
		"lo\t00000000\t00000000\t0200\t0\t0\t0\t00000000\t0\t0\t0\n" /* rejects */
		"eth0\t00000000\t0202000A\t0003\t0\t0\t0\t00000000\t0\t0\t0\n";
	char name[NIC_NAME_MAX];

	(void)state;
	assert_int_equal(nic_default_parse(text, name), 0);
	assert_string_equal(name, "eth0");
}

static void default_route__that_is_not_there_is_not_made_up(void **state)
{
	char name[NIC_NAME_MAX];

	(void)state;
	assert_int_equal(nic_default_parse("", name), -ENETUNREACH);
	assert_int_equal(nic_default_parse("Iface Destination", name), -ENETUNREACH);
	assert_int_equal(
		nic_default_parse("x\neth0 0002000A 00000000 0001 0 0 0 00FFFFFF 0 0 0\n", name),
		-ENETUNREACH);
	assert_int_equal(
		nic_default_parse("x\neth0 00000000 0202000A 0003 0 0 0 00000080 0 0 0\n", name),
		-ENETUNREACH);
	assert_int_equal(nic_default_parse("x\neth0 00000000 0202000A", name), -ENETUNREACH);
}

/* Every attribute and message ends where its length says, and the kernel's walk over them ends at the end. */
static void nft__messages_follow_each_other_without_a_gap(void **state)
{
	static uint8_t buf[NFT_BATCH_MAX];
	static struct nft_rules rules;
	unsigned i, messages = 0;
	uint32_t bytes;
	int len, at;

	(void)state;
	strcpy(rules.uplink, "eth0");
	for (i = 0; i < NFT_FORWARDS_MAX; i++)
		rules.forward[rules.forward_cnt++] =
			(struct nft_forward){ .host_port = (uint16_t)(i + 1), .port = 22 };
	len = nft_build(&rules, buf, sizeof(buf));
	assert_true(len > 0);
	for (at = 0; at < len; at += (int)bytes) {
		memcpy(&bytes, buf + at, sizeof(bytes));
		assert_true(bytes >= 20 && bytes % 4 == 0 && bytes <= (uint32_t)(len - at));
		messages++;
	}
	assert_int_equal(at, len);
	assert_true(messages > 2 * NFT_FORWARDS_MAX);
	assert_int_equal(nft_build(&rules, buf, (size_t)len - 1), -EMSGSIZE);
}

/* Return: how many ports a socket takes that nobody reads, up to all a host can have. */
static unsigned ports_taken(int bytes)
{
	const unsigned all = SETS_MAX * CTL_INTERFACES_MAX + GATEWAYS_MAX;
	struct ctl_wire_port_ref ref = { .interface_id = "eni-0123456789abcdef0" };
	struct wire_port p;
	unsigned cnt = 0;
	int a, b;

	wire_port_init(&p);
	assert_int_equal(wire_port_new(&p, ref.interface_id), 0);
	assert_int_equal(fd_socketpair(SOCK_SEQPACKET, &a, &b), 0);
	assert_int_equal(fcntl(a, F_SETFL, O_RDWR | O_NONBLOCK), 0);
	assert_int_equal(setsockopt(a, SOL_SOCKET, bytes ? SO_SNDBUFFORCE : SO_PRIORITY, &bytes,
				    sizeof(bytes)),
			 0);
	while (cnt < all && ctl_send(a, CTL_WIRE_PORT_ADD, cnt, &ref,
				     (int[]){ p.ring, p.wire_kick, p.user_kick }, 3) == 0)
		cnt++;
	close(a);
	close(b);
	close(p.ring);
	close(p.wire_kick);
	close(p.user_kick);
	return cnt;
}

static void wire__gets_all_ports_of_a_full_host_at_once(void **state)
{
	(void)state;
	if (geteuid() != 0)
		skip(); /* only root may have so large a buffer */
	assert_int_equal(ports_taken(WIRE_CTL_BYTES), SETS_MAX * CTL_INTERFACES_MAX + GATEWAYS_MAX);
	assert_true(ports_taken(0) < SETS_MAX * CTL_INTERFACES_MAX +
					     GATEWAYS_MAX); /* an ordinary one is too small */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ids__accept_ec2_shapes),
		cmocka_unit_test(ids__reject_anything_that_could_be_a_path),
		cmocka_unit_test(cores__small_hosts_are_shared),
		cmocka_unit_test(cores__give_both_siblings_and_never_the_host_core),
		cmocka_unit_test(cores__without_siblings_count_a_core_per_vcpu),
		cmocka_unit_test(cores__ten_thousand_placements_never_share_a_core),
		cmocka_unit_test(cores__are_read_as_the_kernel_shows_them),
		cmocka_unit_test(memory__is_promised_once),
		cmocka_unit_test(memory__reads_the_kernels_table),
		cmocka_unit_test(cgroup__words_are_whole_words),
		cmocka_unit_test(set__moves_only_forward),
		cmocka_unit_test(jail_path__follows_no_link_and_never_leaves),
		cmocka_unit_test(default_route__is_found_among_others),
		cmocka_unit_test(default_route__that_is_not_there_is_not_made_up),
		cmocka_unit_test(wire__gets_all_ports_of_a_full_host_at_once),
		cmocka_unit_test(nft__messages_follow_each_other_without_a_gap),
	};

	return cmocka_run_group_tests_name("launcher units", tests, NULL, NULL);
}
