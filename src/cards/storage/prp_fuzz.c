/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The PRP walk with lists whose bytes change at every read. Input: prp1, prp2 (8 bytes each), length (3), the rest is
 * what lists read as. Asserted: the pages found are whole, in order of the transfer, and bounded; what is pinned is
 * exactly the transfer; nothing stays pinned.
 */

#include <errno.h>
#include <string.h>

#include "base/bytes.h"
#include "base/fd.h"
#include "cards/storage/prp.h"
#include "proto/gmem_test.h"

enum { RAM_BYTES = 1 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct gmem *memory(void)
{
	static struct gmem *m;
	CLEANUP(fd_closep) int fd = -1;

	if (m)
		return m;
	fd = fd_memfd("fuzz", RAM_BYTES);
	must(fd >= 0 && gmem_new(&m) == 0);
	must(gmem_region_add(m, (gpa_t){ 0 }, RAM_BYTES / 2, GMEM_READ | GMEM_WRITE, fd, 0) == 0);
	must(gmem_region_add(m, (gpa_t){ RAM_BYTES }, RAM_BYTES / 2, GMEM_READ | GMEM_WRITE, fd,
			     RAM_BYTES / 2) == 0);
	return m;
}

static void walk_check(uint64_t prp1, size_t len)
{
	struct gmem *m = memory();
	struct prp_pages pages;
	uint64_t sum = 0;
	unsigned i;
	int r;

	r = prp_walk(m, prp1, 8, len, &pages);
	must(r == 0 || r == -EPROTO || r == -EINVAL);
	if (r < 0)
		return;
	must(pages.cnt >= 1 && pages.cnt <= PRP_PAGES_MAX && pages.page[0].at.v == prp1);
	for (i = 0; i < pages.cnt; i++) {
		uint64_t end = pages.page[i].at.v % NVME_PAGE_BYTES + pages.page[i].len;

		must(pages.page[i].len && end <= NVME_PAGE_BYTES);
		must(i == 0 || pages.page[i].at.v % NVME_PAGE_BYTES == 0);
		must(i == pages.cnt - 1 || end == NVME_PAGE_BYTES);
		sum += pages.page[i].len;
	}
	must(sum == len);
}

static void map_check(uint64_t prp1, uint64_t prp2, size_t len)
{
	struct gmem *m = memory();
	struct prp_spans s;
	uint64_t sum = 0;
	unsigned i;
	int r;

	r = prp_map(m, prp1, prp2, len, GMEM_WRITE, &s);
	if (r == 0) {
		must(s.cnt >= 1 && s.cnt <= PRP_PAGES_MAX && gmem_pins(m) == s.cnt);
		for (i = 0; i < s.cnt; i++) {
			must(s.iov[i].iov_base == s.span[i].p && s.iov[i].iov_len == s.span[i].len);
			memset(s.iov[i].iov_base, 0x5a, s.iov[i].iov_len);
			sum += s.iov[i].iov_len;
		}
		must(sum == len);
		prp_put(m, &s);
	} else {
		must(s.cnt == 0);
	}
	must(gmem_pins(m) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rd in = rd_init(data, size);
	uint64_t prp1 = rd_le64(&in), prp2 = rd_le64(&in);
	uint32_t len = rd_le16(&in);
	static uint8_t buf[PRP_DATA_MAX];

	len = (len | (uint32_t)rd_u8(&in) << 16) % PRP_DATA_MAX + 1;
	gmem_fuzz_feed(in.p, in.left);
	map_check(prp1, prp2, len);
	gmem_fuzz_feed(in.p, in.left);
	walk_check(prp1, len);
	gmem_fuzz_feed(in.p, in.left);
	(void)!prp_copy_in(memory(), prp1, prp2, len, buf, len / 2);
	(void)!prp_copy_out(memory(), prp1, prp2, len, buf, len);
	return 0;
}
