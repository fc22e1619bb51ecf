/* SPDX-License-Identifier: Apache-2.0 */
#include "card_probe.h"

bool probe_fatal(void)
{
	return nvme_client_reg32(G, NVME_REG_CSTS) & NVME_CSTS_CFS;
}

int probe_teardown(void **state)
{
	if (probe_fatal() || !(nvme_client_reg32(G, NVME_REG_CSTS) & NVME_CSTS_RDY))
		world_reboot();
	world_alive();
	return world_teardown(state);
}

uint16_t io(struct nvme_sqe sqe)
{
	if (!sqe.nsid)
		sqe.nsid = 1;
	return nvme_client_do(G, 1, sqe, NULL);
}

uint16_t read8(uint64_t prp1, uint64_t prp2)
{
	return io((struct nvme_sqe){ .opc = NVME_IO_READ, .cdw12 = 7, .prp1 = prp1, .prp2 = prp2 });
}

uint16_t read_pages(uint64_t prp1, uint64_t prp2, unsigned pages)
{
	return io((struct nvme_sqe){
		.opc = NVME_IO_READ, .cdw12 = pages * 8 - 1, .prp1 = prp1, .prp2 = prp2 });
}

uint16_t admin(uint8_t opc, uint32_t cdw10, uint32_t cdw11, uint64_t prp1)
{
	return world_admin(
		(struct nvme_sqe){ .opc = opc, .cdw10 = cdw10, .cdw11 = cdw11, .prp1 = prp1 },
		NULL);
}

/* A doorbell that breaks the rules: the controller goes to its failed state, or it had no effect. */
void expect_fatal(void)
{
	assert_int_equal(nvme_client_csts_wait(G, NVME_CSTS_CFS, NVME_CSTS_CFS), 0);
}
