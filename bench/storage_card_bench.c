/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Plays a guest's NVMe driver against the real niter-storage-card, for bench/storage.py.
 *
 *   storage-card-bench CARD FILE MIB
 *
 * Makes a volume of MIB MiB at FILE, attaches it, writes all of it once, prints
 *   {"ready":true,"pid":N}
 * and then answers each line "OP BYTES DEPTH SECONDS" on standard input with a line of JSON. OP is randread, randwrite,
 * read or write. Ends at the end of input and removes FILE. Doorbells are as a Linux guest uses them: Doorbell Buffer
 * Config is on, so most submissions ring nothing.
 */

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "card_host.h"
#include "nvme_client.h"

enum { DEPTH_MAX = 128, IO_MAX = 256 << 10, QUEUE = 256, STUCK_MS = 30000 };

struct slot {
	uint64_t at, list_at; /* guest memory */
	uint16_t cid;
};

struct pattern {
	bool write, random;
	uint32_t bytes;
	unsigned depth;
	double seconds;
};

struct bench {
	struct card_host host;
	struct card_volume volume;
	struct nvme_client guest;
	struct slot slot[DEPTH_MAX];
	uint64_t rnd, next; /* next: of a sequential pattern, in ios */
};

static struct bench b;

/* CPU time of the card so far, ns. */
static uint64_t card_cpu_ns(void)
{
	char path[64];
	uint64_t ns = 0;
	FILE *f;

	(void)snprintf(path, sizeof(path), "/proc/%d/schedstat", b.host.pid);
	f = fopen(path, "re");
	if (!f)
		return 0;
	if (fscanf(f, "%" SCNu64, &ns) != 1) /* NOLINT(cert-err34-c): the kernel wrote it */
		ns = 0;
	(void)fclose(f);
	return ns;
}

static uint64_t offset_next(const struct pattern *p)
{
	uint64_t span = b.volume.size / p->bytes;

	if (!p->random)
		return b.next++ % span * p->bytes;
	b.rnd ^= b.rnd << 13;
	b.rnd ^= b.rnd >> 7;
	b.rnd ^= b.rnd << 17;
	return b.rnd % span * p->bytes;
}

static void slot_submit(struct slot *s, const struct pattern *p, uint64_t off)
{
	struct nvme_sqe e = { .opc = p->write ? NVME_IO_WRITE : NVME_IO_READ, .nsid = 1 };

	e.cdw10 = (uint32_t)(off / 512);
	e.cdw11 = (uint32_t)(off / 512 >> 32);
	e.cdw12 = p->bytes / 512 - 1;
	nvme_client_prps(&b.guest, &e, s->at, p->bytes, s->list_at);
	s->cid = nvme_client_put(&b.guest, 1, e);
}

static struct slot *slot_of(uint16_t cid, unsigned depth)
{
	for (unsigned i = 0; i < depth; i++) {
		if (b.slot[i].cid == cid)
			return &b.slot[i];
	}
	return NULL;
}

/* reap_wait() - at least one completion. Return: how many, -ETIMEDOUT. */
static int reap_wait(struct nvme_cqe *cqe, unsigned max)
{
	struct pollfd p = { .fd = b.guest.q[1].irq_fd, .events = POLLIN };
	unsigned n;

	for (;;) {
		n = nvme_client_reap(&b.guest, 1, cqe, max);
		if (n)
			return (int)n;
		if (poll(&p, 1, STUCK_MS) != 1)
			return -ETIMEDOUT;
		fd_event_clear(p.fd);
	}
}

/* pattern_run() - @total ios, or as many as fit into the pattern's time when it is 0 */
static int pattern_run(const struct pattern *p, uint64_t total, uint64_t *ret_cnt,
		       double *ret_seconds)
{
	uint64_t t0 = clock_ns(), end = t0 + (uint64_t)(p->seconds * 1e9), cnt = 0, made = 0;
	struct nvme_cqe cqe[DEPTH_MAX];
	unsigned flying = 0;

	for (; flying < p->depth && (!total || made < total); flying++, made++)
		slot_submit(&b.slot[flying], p, offset_next(p));
	nvme_client_ring(&b.guest, 1);
	while (flying) {
		int n = reap_wait(cqe, DEPTH_MAX);

		if (n < 0)
			return n;
		for (int i = 0; i < n; i++) {
			struct slot *s = slot_of(cqe[i].cid, p->depth);

			if (!s || nvme_client_status(&cqe[i]) != 0)
				return -EIO;
			cnt++;
			if (total ? made < total : clock_ns() < end) {
				slot_submit(s, p, offset_next(p));
				made++;
			} else {
				flying--;
			}
		}
		nvme_client_ring(&b.guest, 1);
	}
	*ret_cnt = cnt;
	*ret_seconds = (double)(clock_ns() - t0) / 1e9;
	return 0;
}

static int pattern_parse(char *line, struct pattern *ret)
{
	struct pattern p = { 0 };
	char op[16];

	if (sscanf(line, "%15s %" SCNu32 " %u %lf", op, &p.bytes, &p.depth, &p.seconds) !=
	    4) /* NOLINT(cert-err34-c) */
		return -EINVAL;
	p.random = strncmp(op, "rand", 4) == 0;
	p.write = strcmp(p.random ? op + 4 : op, "write") == 0;
	if (!p.bytes || p.bytes % 512 || p.bytes > IO_MAX || !p.depth || p.depth > DEPTH_MAX)
		return -EINVAL;
	*ret = p;
	return 0;
}

static int pattern_answer(const struct pattern *p)
{
	uint64_t cpu = card_cpu_ns(), rings = b.guest.rings, cnt;
	double t;
	int r;

	b.next = 0;
	r = pattern_run(p, 0, &cnt, &t);
	if (r < 0)
		return r;
	(void)printf("{\"iops\":%.1f,\"mib_s\":%.2f,\"cpu_us_per_io\":%.3f,\"cores\":%.3f,\"rings_"
		     "per_io\":%.4f}\n",
		     (double)cnt / t, (double)cnt * p->bytes / t / 1048576,
		     (double)(card_cpu_ns() - cpu) / 1e3 / (double)cnt,
		     (double)(card_cpu_ns() - cpu) / 1e9 / t,
		     (double)(b.guest.rings - rings) / (double)cnt);
	return fflush(stdout) == 0 ? 0 : -EIO;
}

static int guest_boot(void)
{
	int r;

	r = nvme_client_enable(&b.guest, 32);
	if (r < 0)
		return r;
	r = nvme_client_queues(&b.guest, 1, QUEUE);
	if (r < 0)
		return r;
	if (nvme_client_dbbuf(&b.guest) != 0)
		return -EIO;
	for (unsigned i = 0; i < DEPTH_MAX; i++) {
		b.slot[i].at = nvme_client_alloc(&b.guest, IO_MAX);
		b.slot[i].list_at = nvme_client_alloc(&b.guest, 4096);
		if (!b.slot[i].at || !b.slot[i].list_at)
			return -ENOMEM;
		memset(nvme_client_p(&b.guest, b.slot[i].at), (int)i + 1, IO_MAX);
	}
	return 0;
}

static int serve(void)
{
	struct pattern p = { .write = true, .bytes = IO_MAX, .depth = 16, .seconds = 1e6 };
	uint64_t cnt;
	char line[128];
	double t;
	int r;

	r = guest_boot();
	if (r == 0)
		r = pattern_run(&p, b.volume.size / IO_MAX, &cnt, &t);
	if (r < 0)
		return r;
	(void)printf("{\"ready\":true,\"pid\":%d}\n", b.host.pid);
	(void)fflush(stdout);
	while (r == 0 && fgets(line, sizeof(line), stdin)) {
		r = pattern_parse(line, &p);
		if (r == 0)
			r = pattern_answer(&p);
	}
	return r;
}

int main(int argc, char **argv)
{
	int r, sock;

	if (argc != 4)
		return 2;
	log_init("storage-card-bench");
	(void)signal(SIGPIPE, SIG_IGN);
	b.rnd = 88172645463325252ULL;
	r = card_volume_new(&b.volume, argv[2], "vol-0123456789abcdef0",
			    strtoull(argv[3], NULL, 10) << 20);
	if (r == 0)
		r = card_host_start(&b.host, argv[1], NULL);
	if (r == 0)
		r = card_host_attach(&b.host, &b.volume, false, -1, CARD_KEY_RIGHT, &sock);
	if (r == 0)
		r = nvme_client_open(&b.guest, sock, 128 << 20);
	if (r == 0)
		r = serve();
	if (r < 0)
		(void)fprintf(stderr, "storage-card-bench: %s\n", strerrordesc_np(-r));
	nvme_client_close(&b.guest);
	(void)card_host_stop(&b.host);
	card_volume_free(&b.volume);
	return r < 0;
}
