/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What the ENA device makes of a packet that asks for segmentation or a checksum, against what Linux makes of it in
 * software, byte for byte.
 *
 *   packet --> packet socket with struct virtio_net_hdr --> TAP without offloads --> kernel segments, adds up --> frames
 *          \-> ENA driver of tests/lib/ena_rig.h --> ENA device ---------------------------------------------> frames
 *
 * All cases come from one seed. The kernel's answers are also kept as one hash per case (tests/golden/offload_kernel.txt,
 * written with --write-golden), so that the device is held against them where no TAP can be made; then only that is done,
 * and said.
 *
 *   offload-oracle-test GOLDEN [--write-golden]
 */

#include "ena_rig.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/fd.h"
#include "vpc/vpc.h"

enum {
	CASES = 400,
	PKT_MAX = 66000,
	FRAMES_MAX = 2200,
	FRAME_ROOM = 9100,
	READ_MS = 2000,
	TXQLEN = 5000
};

static const char *golden_path;
static bool golden_write;
static int tap = -1, packet_sock = -1, ifindex;

/* One case. */
struct packet_case {
	uint8_t b[PKT_MAX];
	size_t len;
	struct ena_driver_offload o;
};

static struct packet_case c;
static uint8_t frames[FRAMES_MAX][FRAME_ROOM]; /* the kernel's */
static size_t frame_len[FRAMES_MAX];
static uint64_t golden[CASES];
static unsigned golden_frames[CASES];

static uint32_t rnd(uint32_t *s)
{
	*s = *s * 1664525 + 1013904223;
	return *s >> 8;
}

/* ---- cases ---- */

static size_t ip_make(uint8_t *ip, bool ipv6, unsigned options, uint8_t proto, size_t l4_len,
		      uint32_t *s)
{
	unsigned i;

	if (ipv6) {
		memset(ip, 0, 40);
		be32_store(ip, 0x60000000 | (rnd(s) & 0xfffff));
		be16_store(ip + 4, (uint16_t)l4_len);
		ip[6] = proto;
		ip[7] = 64;
		for (i = 8; i < 40; i++)
			ip[i] = (uint8_t)rnd(s);
		ip[8] = ip[24] = 0xfd;
		return 40;
	}
	memset(ip, 0, 20);
	ip[0] = (uint8_t)(0x45 + options);
	ip[1] = (uint8_t)(rnd(s) & 3);
	be16_store(ip + 2, (uint16_t)(20 + 4 * options + l4_len));
	be16_store(ip + 4, (uint16_t)(rnd(s) % 4 ? rnd(s) : 0xffff));
	be16_store(ip + 6, rnd(s) % 2 ? 0x4000 : 0);
	ip[8] = 64;
	ip[9] = proto;
	be32_store(ip + 12, 0x0a000000 | (rnd(s) & 0xffffff));
	be32_store(ip + 16, 0x0a000000 | (rnd(s) & 0xffffff));
	memset(ip + 20, 1, 4 * options); /* no operation */
	be16_store(ip + 10, checksum_fold(checksum_add(0, ip, 20 + 4 * options)));
	return 20 + 4 * options;
}

static void l4_make(uint8_t *l4, bool tcp, unsigned words, size_t l4_len, uint32_t *s)
{
	size_t i;

	for (i = 0; i < l4_len; i++)
		l4[i] = (uint8_t)rnd(s);
	if (tcp) {
		be32_store(l4 + 4, rnd(s) % 4 ? rnd(s) << 8 : 0xffffff00);
		l4[12] = (uint8_t)(words << 4);
		l4[13] = (uint8_t)(rnd(s) & 0xf9); /* any flags but SYN and RST */
	} else {
		be16_store(l4 + 4, (uint16_t)l4_len);
	}
}

/* What a stack leaves in the field of a packet whose checksum others finish. */
static void pseudo_store(uint8_t *field, const uint8_t *ip, bool ipv6, uint8_t proto, size_t l4_len)
{
	uint64_t sum = checksum_add(0, ip + (ipv6 ? 8 : 12), ipv6 ? 32 : 8) + proto + l4_len;

	be16_store(field, (uint16_t)~checksum_fold(sum));
}

static void case_make(unsigned n)
{
	static const uint16_t mss[] = { 32, 100, 536, 1000, 1440, 1448, 1460, 8940 };
	uint32_t s = n * 7919 + 17;
	bool ipv6 = rnd(&s) % 2, tso = n % 4 != 3, tcp = tso || rnd(&s) % 2, zero = n % 16 == 7;
	unsigned words = tcp ? 5 + rnd(&s) % 11 : 2,
		 options = !ipv6 && rnd(&s) % 4 == 0 ? rnd(&s) % 11 : 0;
	size_t payload = tso ? 1 + rnd(&s) % (n % 8 == 0 ? 64000 : 6000) : rnd(&s) % 1400, l3,
	       l4_len;
	uint8_t *field;

	l4_len = 4 * words + payload;
	memcpy(c.b, "\x06\x0a\x0b\x0c\x0d\x0e\x06\x01\x02\x03\x04\x05", 12);
	be16_store(c.b + 12, ipv6 ? ETHERTYPE_IPV6 : ETHERTYPE_IP);
	l3 = ip_make(c.b + 14, ipv6, options, tcp ? IP_TCP : IP_UDP, l4_len, &s);
	l4_make(c.b + 14 + l3, tcp, words, l4_len, &s);
	field = c.b + 14 + l3 + (tcp ? 16 : 6);
	pseudo_store(field, c.b + 14, ipv6, tcp ? IP_TCP : IP_UDP, l4_len);
	c.len = 14 + l3 + l4_len;
	if (!tso && zero && payload > 2) {
		/* The sum comes out as zero. */
		uint8_t *last = c.b + 14 + l3 + 4 * words;

		be16_store(last, 0);
		be16_store(last, checksum_fold(checksum_add(0, c.b + 14 + l3, l4_len)));
	}
	c.o = (struct ena_driver_offload){
		.tso = tso,
		.l3_csum = tso && !ipv6,
		.l4_csum = true,
		.l4_partial = !tso,
		.ipv6 = ipv6,
		.tcp = tcp,
		.l3_off = 14,
		.l3_len = (uint8_t)l3,
		.l4_words = (uint8_t)(tso ? words : 0),
		.mss = tso ? mss[rnd(&s) % (n % 8 == 0 ? 8 : 7)] : 0,
	};
	if (c.o.mss && c.o.mss < 536 && payload > 20000)
		c.o.mss = 536;
	if (14 + l3 + 4 * words + c.o.mss > ENA_FRAME_MAX)
		c.o.mss = (uint16_t)(ENA_FRAME_MAX - 14 - l3 - 4 * words);
}

/* ---- the kernel ---- */

static int tap_make(void)
{
	struct ifreq r = { .ifr_name = "oracle" };
	struct sockaddr_ll at = { .sll_family = AF_PACKET };
	int one = 1, s;

	if (unshare(CLONE_NEWNET) < 0)
		return -errno;
	tap = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);
	packet_sock = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (tap < 0 || packet_sock < 0 || s < 0)
		return -errno;
	r.ifr_flags = IFF_TAP | IFF_NO_PI;
	if (ioctl(tap, TUNSETIFF, &r) < 0 || ioctl(tap, TUNSETOFFLOAD, 0) < 0)
		return -errno;
	r.ifr_mtu = ENA_MTU_MAX;
	if (ioctl(s, SIOCSIFMTU, &r) < 0)
		return -errno;
	r.ifr_qlen = TXQLEN;
	if (ioctl(s, SIOCSIFTXQLEN, &r) < 0)
		return -errno;
	r.ifr_flags = IFF_UP;
	if (ioctl(s, SIOCSIFFLAGS, &r) < 0 || ioctl(s, SIOCGIFINDEX, &r) < 0)
		return -errno;
	ifindex = at.sll_ifindex = r.ifr_ifindex;
	(void)close(s);
	if (setsockopt(packet_sock, SOL_PACKET, PACKET_VNET_HDR, &one, sizeof(one)) < 0 ||
	    bind(packet_sock, (struct sockaddr *)&at, sizeof(at)) < 0)
		return -errno;
	return 0;
}

static void kernel_send(void)
{
	static uint8_t buf[sizeof(struct virtio_net_hdr) + PKT_MAX];
	struct virtio_net_hdr h = {
		.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
		.csum_start = (uint16_t)(14 + c.o.l3_len),
		.csum_offset = c.o.tcp ? 16 : 6,
	};
	uint8_t cwr = c.b[14 + c.o.l3_len + 13] & 0x80;

	if (c.o.tso) {
		h.gso_type = c.o.ipv6 ? VIRTIO_NET_HDR_GSO_TCPV6 : VIRTIO_NET_HDR_GSO_TCPV4;
		if (cwr)
			h.gso_type |= VIRTIO_NET_HDR_GSO_ECN;
		h.gso_size = c.o.mss;
		h.hdr_len = (uint16_t)(h.csum_start + 4 * c.o.l4_words);
	}
	memcpy(buf, &h, sizeof(h));
	memcpy(buf + sizeof(h), c.b, c.len);
	assert_int_equal(send(packet_sock, buf, sizeof(h) + c.len, 0), sizeof(h) + c.len);
}

/* Reads @want frames of ours; the interface says things of its own, too. */
static void kernel_read(unsigned want)
{
	unsigned n = 0;

	while (n < want) {
		struct pollfd p = { .fd = tap, .events = POLLIN };
		ssize_t r;

		assert_int_equal(poll(&p, 1, READ_MS), 1);
		r = read(tap, frames[n], FRAME_ROOM);
		assert_true(r > 14);
		if (memcmp(frames[n] + 6, c.b + 6, 6) != 0)
			continue;
		frame_len[n++] = (size_t)r;
	}
}

/* ---- comparison ---- */

static uint64_t hash_add(uint64_t h, const uint8_t *p, size_t len)
{
	size_t i;

	h = (h ^ len) * 0x100000001b3;
	for (i = 0; i < len; i++)
		h = (h ^ p[i]) * 0x100000001b3;
	return h;
}

static unsigned frames_expected(void)
{
	size_t payload = c.len - 14 - c.o.l3_len - 4u * c.o.l4_words;

	return c.o.tso ? (unsigned)((payload + c.o.mss - 1) / c.o.mss) : 1;
}

static uint64_t device_hash(void)
{
	uint64_t h = 0xcbf29ce484222325;
	unsigned i;

	rig_frames_clear();
	rig_tx(0, c.b, c.len, 4096, &c.o);
	assert_int_equal(ena_driver_tx_reap(&rig.d, 0), 1);
	for (i = 0; i < rig.frame_cnt; i++)
		h = hash_add(h, rig.frame[i].b, rig.frame[i].len);
	return h;
}

static uint64_t kernel_hash(unsigned cnt)
{
	uint64_t h = 0xcbf29ce484222325;
	unsigned i;

	for (i = 0; i < cnt; i++)
		h = hash_add(h, frames[i], frame_len[i]);
	return h;
}

static void device__makes_what_the_kernel_makes(void **state)
{
	unsigned n, i, total = 0;

	(void)state;
	if (tap < 0)
		skip();
	for (n = 0; n < CASES; n++) {
		unsigned cnt;

		case_make(n);
		cnt = frames_expected();
		assert_true(cnt <= FRAMES_MAX);
		kernel_send();
		kernel_read(cnt);
		(void)device_hash();
		assert_int_equal(rig.frame_cnt, cnt);
		for (i = 0; i < cnt; i++) {
			if (rig.frame[i].len != frame_len[i] ||
			    memcmp(rig.frame[i].b, frames[i], frame_len[i]) != 0)
				fail_msg("case %u, frame %u of %u differs (ipv6 %d tso %d tcp %d "
					 "mss %u)",
					 n, i, cnt, c.o.ipv6, c.o.tso, c.o.tcp, c.o.mss);
		}
		if (golden_write) {
			golden[n] = kernel_hash(cnt);
			golden_frames[n] = cnt;
		} else {
			assert_int_equal(golden[n], kernel_hash(cnt));
		}
		total += cnt;
	}
	print_message("%d packets, %u frames equal to the kernel's\n", CASES, total);
}

static void device__makes_what_a_kernel_made(void **state)
{
	unsigned n;

	(void)state;
	for (n = 0; n < CASES; n++) {
		case_make(n);
		if (device_hash() != golden[n] || rig.frame_cnt != golden_frames[n])
			fail_msg("case %u differs from what the kernel made of it", n);
	}
}

static int golden_io(bool write_it)
{
	FILE *f = fopen(golden_path, write_it ? "w" : "r");
	unsigned n;
	int r = 0;

	if (!f)
		return -errno;
	for (n = 0; n < CASES && r == 0; n++) {
		unsigned long long h;

		if (write_it)
			(void)fprintf(f, "%u %016llx\n", golden_frames[n],
				      (unsigned long long)golden[n]);
		else if (fscanf(f, "%u %llx", &golden_frames[n], &h) ==
			 2) /* NOLINT(cert-err34-c) */
			golden[n] = h;
		else
			r = -EBADMSG;
	}
	return fclose(f) == 0 ? r : -EIO;
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		IN_RIG(device__makes_what_the_kernel_makes),
		IN_RIG(device__makes_what_a_kernel_made),
	};
	int r;

	if (argc < 2)
		return 2;
	golden_path = argv[1];
	golden_write = argc > 2 && !strcmp(argv[2], "--write-golden");
	r = tap_make();
	if (r < 0) {
		print_message("no TAP here (%s): only the recorded answers are asked\n",
			      strerrorname_np(-r));
		fd_closep(&tap);
	}
	if (!golden_write && golden_io(false) < 0)
		return 2;
	r = cmocka_run_group_tests(tests, NULL, NULL);
	if (r == 0 && golden_write)
		r = golden_io(true) < 0;
	return r;
}
