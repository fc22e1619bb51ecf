/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What a hostile guest tries with descriptors of the ENA device: lies about offloads, chains that are none. Each probe runs
 * in a process of its own, against the device with its driver in one thread (tests/lib/ena_rig.h).
 *
 *   ena_probes_test            every probe must be denied: no frame leaves, the device counts or fails, and works again
 *   ena_probes_GUARD           the same, linked with tests/isolation/open-ena/GUARD.c in the place of one guard: the probes
 *                              which that guard stops must get through (a frame leaves, or the process dies of it), all
 *                              others must not
 */

#include "ena_rig.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/bytes.h"

enum { DENIED = 0, THROUGH = 1, TIME_S = 3 };

static uint8_t pkt[70000];

static struct ena_driver_offload tso(uint16_t mss)
{
	return (struct ena_driver_offload){ .tso = true,
					    .l3_csum = true,
					    .l4_csum = true,
					    .tcp = true,
					    .l3_off = 14,
					    .l3_len = 20,
					    .l4_words = 8,
					    .mss = mss };
}

static struct ena_driver_offload partial(bool tcp)
{
	return (struct ena_driver_offload){
		.l4_csum = true, .l4_partial = true, .tcp = tcp, .l3_off = 14, .l3_len = 20
	};
}

static void desc_put(uint32_t flags, uint64_t at, uint32_t len, unsigned req_id)
{
	struct ena_driver_ring *r = &rig.d.q[0].tx;
	struct ena_tx_desc d = {
		{ len | flags | (ena_driver_phase(r) ? ENA_TX0_PHASE : 0) | (req_id >> 10) << 16,
		  (req_id & 0x3ff) << 22, (uint32_t)at, (uint32_t)(at >> 32) & 0xffff }
	};

	ena_driver_desc(r, &d);
}

static void ring(void)
{
	ena_driver_ring_db(&rig.d, &rig.d.q[0].tx);
	rig_turn();
}

/* ---- probes ---- */

static void mss_zero(void)
{
	struct ena_driver_offload o = tso(0);

	rig_tx(0, pkt, rig_packet(pkt, false, true, 3000, 1), 4096, &o);
}

static void mss_one(void)
{
	struct ena_driver_offload o = tso(1);

	rig_tx(0, pkt, rig_packet(pkt, false, true, 3000, 1), 4096, &o);
}

static void segments_longer_than_any_frame(void)
{
	struct ena_driver_offload o = tso(16383);

	rig_tx(0, pkt, rig_packet(pkt, false, true, 40000, 1), 4096, &o);
}

static void segments_of_nothing(void)
{
	struct ena_driver_offload o = tso(1000);

	rig_tx(0, pkt, rig_packet(pkt, false, true, 0, 1), 4096, &o);
	/* Without the guard no frame comes out, and the packet never ends. */
	if (rig.e->stats.tx_drops == 0)
		_exit(THROUGH);
}

static void header_words_that_lie(void)
{
	struct ena_driver_offload o = tso(1000);

	o.l4_words = 6; /* the header says 8 */
	rig_tx(0, pkt, rig_packet(pkt, false, true, 3000, 1), 4096, &o);
}

static void headers_beyond_the_packet(void)
{
	struct ena_driver_offload o = tso(1000);

	(void)rig_packet(pkt, false, true, 3000, 1);
	rig_tx(0, pkt, 60, 4096, &o);
}

/* CVE-2024-3567 class: the checksum field is not in the packet. */
static void checksum_beyond_the_packet(void)
{
	struct ena_driver_offload o = partial(false);

	(void)rig_packet(pkt, false, false, 100, 1);
	rig_tx(0, pkt, 14 + 20 + 4, 4096, &o);
}

static void checksum_into_tcp_flags(void)
{
	struct ena_driver_offload o = partial(false);
	size_t len = rig_packet(pkt, false, true, 200, 1);

	be16_store(pkt + 18, 0x4500); /* an identification that looks like a header */
	o.l3_off = 18;
	rig_tx(0, pkt, len, 4096, &o);
}

static void checksum_of_a_fragment(void)
{
	struct ena_driver_offload o = partial(false);
	size_t len = rig_packet(pkt, false, false, 200, 1);

	be16_store(pkt + 20, 0x2000);
	rig_tx(0, pkt, len, 4096, &o);
}

static void checksum_of_icmp(void)
{
	struct ena_driver_offload o = partial(false);
	size_t len = rig_packet(pkt, false, false, 200, 1);

	pkt[23] = 1;
	rig_tx(0, pkt, len, 4096, &o);
}

static void checksum_of_arp(void)
{
	struct ena_driver_offload o = partial(false);

	(void)rig_packet(pkt, false, false, 200, 1);
	be16_store(pkt + 12, 0x0806);
	rig_tx(0, pkt, 60, 4096, &o);
}

static void chain_longer_than_any_packet(void)
{
	uint64_t at = rig_alloc(4096);
	unsigned i;

	rig.same_memory = true;
	for (i = 0; i <= ENA_TX_DESCS_MAX; i++)
		desc_put((i ? 0 : ENA_TX0_FIRST) | (i == ENA_TX_DESCS_MAX ? ENA_TX0_LAST : 0), at,
			 30, i ? 0 : 1);
	ring();
}

static void chain_that_begins_twice(void)
{
	uint64_t at = rig_alloc(4096);

	desc_put(ENA_TX0_FIRST, at, 60, 1);
	desc_put(ENA_TX0_FIRST | ENA_TX0_LAST, at + 60, 60, 2);
	ring();
}

static void chain_that_never_began(void)
{
	desc_put(ENA_TX0_LAST, rig_alloc(4096), 60, 1);
	ring();
}

static void request_id_beyond_the_ring(void)
{
	desc_put(ENA_TX0_FIRST | ENA_TX0_LAST, rig_alloc(4096), 60, RIG_DEPTH);
	ring();
}

static const struct probe {
	const char *name, *guard;
	void (*run)(void);
} probe[] = {
	{ "mss zero", "offload_guard_tso", mss_zero },
	{ "mss one", "offload_guard_tso", mss_one },
	{ "segments longer than any frame", "offload_guard_tso", segments_longer_than_any_frame },
	{ "segments of nothing", "offload_guard_tso", segments_of_nothing },
	{ "header words that lie", "offload_guard_tso", header_words_that_lie },
	{ "headers beyond the packet", "ena_guard_headers", headers_beyond_the_packet },
	{ "checksum beyond the packet", "offload_guard_l4", checksum_beyond_the_packet },
	{ "checksum into TCP flags", "offload_guard_l3", checksum_into_tcp_flags },
	{ "checksum of a fragment", "offload_guard_l3", checksum_of_a_fragment },
	{ "checksum of ICMP", "offload_guard_l3", checksum_of_icmp },
	{ "checksum of ARP", "offload_guard_l3", checksum_of_arp },
	{ "chain longer than any packet", "ena_guard_chain", chain_longer_than_any_packet },
	{ "chain that begins twice", "ena_guard_chain", chain_that_begins_twice },
	{ "chain that never began", "ena_guard_chain", chain_that_never_began },
	{ "request id beyond the ring", "ena_guard_req_id", request_id_beyond_the_ring },
};

/* ---- judgement ---- */

static void attack(const struct probe *p)
{
	(void)prctl(PR_SET_DUMPABLE, 0); /* dying is one of the answers */
	(void)alarm(TIME_S);
	(void)rig_setup(NULL);
	p->run();
	if (rig.frame_cnt)
		_exit(THROUGH);
	if (rig.e->state == ENA_FATAL)
		rig_assert_fatal_and_recover();
	else if (rig.e->stats.tx_drops != 1)
		_exit(THROUGH);
	rig_frames_clear();
	(void)ena_driver_tx_reap(&rig.d, 0);
	rig_alive();
	_exit(DENIED);
}

/* Return: true when the device denied it. */
static bool denied(const struct probe *p)
{
	int status = 0;
	pid_t pid;

	(void)fflush(stdout);
	pid = fork();
	must(pid >= 0);
	if (!pid)
		attack(p);
	must(waitpid(pid, &status, 0) == pid);
	return WIFEXITED(status) && WEXITSTATUS(status) == DENIED;
}

int main(int argc, char **argv)
{
	const char *open = argc > 1 ? argv[1] : "";
	unsigned i, wrong = 0, through = 0;

	for (i = 0; i < ARRAY_SIZE(probe); i++) {
		bool want = strcmp(probe[i].guard, open) != 0, got = denied(&probe[i]);

		if (got != want)
			(void)printf("%s: %s\n", probe[i].name,
				     got ? "denied, though its guard is gone" : "got through");
		wrong += got != want;
		through += !got;
	}
	(void)printf("%u probes, %u got through%s%s, %u not as they should\n",
		     (unsigned)ARRAY_SIZE(probe), through, *open ? " without " : "", open, wrong);
	return wrong != 0 || (*open && !through);
}
