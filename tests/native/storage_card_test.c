/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The real niter-storage-card with a guest's driver on its vfio-user socket. argv[1]: the program.
 *
 * As root the card runs in its real jail, otherwise with NITER_UNJAILED=1 (no empty root, all else alike).
 */

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "base/fd.h"
#include "card_host.h"
#include "nvme_client.h"

enum { DEPTH = 64, QUEUES = 4 };
#define VOLUME_BYTES ((uint64_t)64 << 20)
#define RAM_BYTES ((uint64_t)32 << 20)

static const char *program;

/* One card, one volume, one guest. */
static struct world {
	char dir[64];
	struct card_host host;
	struct card_volume volume;
	struct nvme_client guest;
	uint64_t data, list; /* 1 MiB and a page of guest memory */
} w;

static void dir_make(void)
{
	(void)snprintf(w.dir, sizeof(w.dir), "/tmp/niter-card-XXXXXX");
	assert_non_null(mkdtemp(w.dir));
}

static void volume_make(void)
{
	char path[128];

	(void)snprintf(path, sizeof(path), "%s/volume.luks", w.dir);
	assert_int_equal(card_volume_new(&w.volume, path, "vol-0123456789abcdef0", VOLUME_BYTES), 0);
}

static void guest_boot(unsigned queues)
{
	nvme_client_forget(&w.guest);
	assert_int_equal(nvme_client_enable(&w.guest, 32), 0);
	if (queues)
		assert_int_equal(nvme_client_queues(&w.guest, queues, DEPTH), queues);
	w.data = nvme_client_alloc(&w.guest, 1 << 20);
	w.list = nvme_client_alloc(&w.guest, 4096);
	assert_true(w.data && w.list);
}

static void card_start(void)
{
	int sock = -1;

	assert_int_equal(card_host_start(&w.host, program, NULL), 0);
	assert_int_equal(card_host_attach(&w.host, &w.volume, false, -1, CARD_KEY_RIGHT, &sock), 0);
	assert_int_equal(nvme_client_open(&w.guest, sock, RAM_BYTES), 0);
}

static int setup(void **state)
{
	(void)state;
	memset(&w, 0, sizeof(w));
	dir_make();
	volume_make();
	card_start();
	guest_boot(QUEUES);
	return 0;
}

static int teardown(void **state)
{
	int status;

	(void)state;
	nvme_client_close(&w.guest);
	status = card_host_stop(&w.host);
	card_volume_free(&w.volume);
	(void)rmdir(w.dir);
	if (status)
		print_error("card ended with %d\n", status);
	return status;
}

/* ---- data ---- */

static void fill(void *p, size_t len, uint64_t seed)
{
	uint64_t x = seed * 2654435761u + 88172645463325252u, *q = p;
	size_t i;

	for (i = 0; i < len / 8; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		q[i] = x;
	}
}

static void nvme__write_then_read_back(void **state)
{
	static uint8_t want[8192];
	uint8_t *p = nvme_client_p(&w.guest, w.data);

	(void)state;
	fill(want, sizeof(want), 1);
	memcpy(p, want, sizeof(want));
	assert_int_equal(nvme_client_rw(&w.guest, 1, true, 8, 16, w.data, w.list, false), 0);
	memset(p, 0xee, sizeof(want));
	assert_int_equal(nvme_client_rw(&w.guest, 2, false, 8, 16, w.data, w.list, false), 0);
	assert_memory_equal(p, want, sizeof(want));
	assert_int_equal(nvme_client_flush(&w.guest, 1), 0);
}

#define IN_WORLD(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		IN_WORLD(nvme__write_then_read_back),
	};

	if (argc < 2)
		return 2;
	program = argv[1];
	return cmocka_run_group_tests(tests, NULL, NULL);
}
