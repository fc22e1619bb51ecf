/* SPDX-License-Identifier: Apache-2.0 */

#include "card_world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct world world;
const char *world_program;

void world_card_start(bool read_only)
{
	int sock = -1;

	assert_int_equal(card_host_start(&world.host, world_program, NULL), 0);
	assert_int_equal(
		card_host_attach(&world.host, &world.volume, read_only, -1, CARD_KEY_RIGHT, &sock),
		0);
	assert_int_equal(nvme_client_open(&world.guest, sock, WORLD_RAM_BYTES), 0);
}

void world_card_stop(void)
{
	nvme_client_close(&world.guest);
	assert_int_equal(card_host_stop(&world.host), 0);
}

void world_boot(unsigned queues)
{
	nvme_client_forget(&world.guest);
	assert_int_equal(nvme_client_enable(&world.guest, 32), 0);
	if (queues)
		assert_int_equal(nvme_client_queues(&world.guest, queues, WORLD_DEPTH), queues);
	world.data = nvme_client_alloc(&world.guest, WORLD_DATA_BYTES);
	world.list = nvme_client_alloc(&world.guest, 4096);
	assert_true(world.data && world.list);
	world.p = nvme_client_p(&world.guest, world.data);
}

void world_reboot(void)
{
	assert_int_equal(nvme_client_disable(&world.guest), 0);
	world_boot(WORLD_QUEUES);
}

int world_setup(void **state)
{
	char path[128];

	(void)state;
	memset(&world, 0, sizeof(world));
	(void)snprintf(world.dir, sizeof(world.dir), "/tmp/niter-card-XXXXXX");
	assert_non_null(mkdtemp(world.dir));
	(void)snprintf(path, sizeof(path), "%s/volume.luks", world.dir);
	assert_int_equal(
		card_volume_new(&world.volume, path, "vol-0123456789abcdef0", WORLD_VOLUME_BYTES),
		0);
	world_card_start(false);
	world_boot(WORLD_QUEUES);
	return 0;
}

int world_teardown(void **state)
{
	int status;

	(void)state;
	nvme_client_close(&world.guest);
	status = card_host_stop(&world.host);
	card_volume_free(&world.volume);
	(void)rmdir(world.dir);
	if (status)
		print_error("the card ended with %d\n", status);
	return status;
}

void world_fill(void *p, size_t len, uint64_t seed)
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

uint16_t world_read(unsigned qid, uint64_t lba, uint32_t cnt, uint32_t off)
{
	return nvme_client_rw(&world.guest, qid, false, lba, cnt, world.data + off, world.list,
			      false);
}

uint16_t world_write(unsigned qid, uint64_t lba, uint32_t cnt, uint32_t off)
{
	return nvme_client_rw(&world.guest, qid, true, lba, cnt, world.data + off, world.list,
			      false);
}

void world_alive(void)
{
	static uint64_t seed = 1000;
	uint8_t want[NVME_LBA_BYTES];

	world_fill(want, sizeof(want), ++seed);
	memcpy(world.p, want, sizeof(want));
	assert_int_equal(world_write(1, WORLD_LBAS - 1, 1, 0), 0);
	memset(world.p, 0, sizeof(want));
	assert_int_equal(world_read(1, WORLD_LBAS - 1, 1, 0), 0);
	assert_memory_equal(world.p, want, sizeof(want));
}

uint16_t world_admin(struct nvme_sqe sqe, uint32_t *ret_dw0)
{
	return nvme_client_do(&world.guest, 0, sqe, ret_dw0);
}
