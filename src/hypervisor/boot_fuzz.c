/* SPDX-License-Identifier: Apache-2.0 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/bytes.h"
#include "base/num.h"
#include "hypervisor/boot.h"
#include "hypervisor/map.h"

/*
 * Kernel files. Input: how long the file claims to be (8 bytes), MiB of low RAM (2), the head of the file. Whatever
 * boot_parse() accepts must be loadable without another check: inside the file, inside RAM above the tables, nothing
 * over anything else, and so must the initrd's place.
 */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void check_plan(const struct boot_plan *p, uint64_t file_len, uint64_t low_bytes)
{
	unsigned i, k, entry_in = 0;

	must(p->seg_cnt >= 1 && p->seg_cnt <= BOOT_SEGMENTS_MAX);
	must(p->hdr_len <= BOOT_HDR_MAX && p->end <= low_bytes);
	for (i = 0; i < p->seg_cnt; i++) {
		const struct boot_segment *s = &p->seg[i];

		must(range_ok(s->off, s->len, file_len));
		must(s->gpa >= MAP_HIMEM && range_ok(s->gpa, s->len, low_bytes));
		must(s->gpa + s->len <= p->end);
		entry_in += p->entry >= s->gpa && p->entry < s->gpa + s->len;
		for (k = 0; k < i; k++)
			must(s->gpa >= p->seg[k].gpa + p->seg[k].len ||
			     p->seg[k].gpa >= s->gpa + s->len);
	}
	must(entry_in == 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct rd in = rd_init(data, len);
	uint64_t file_len = rd_le64(&in), low_bytes = (16 + (uint64_t)rd_le16(&in) % 3056) * MIB,
		 at;
	struct boot_plan p, untouched;
	enum boot_fault f;
	size_t head_len;

	if (in.bad)
		return 0;
	head_len = (size_t)min_u64(min_u64(in.left, BOOT_HEAD_BYTES), file_len);
	memset(&p, 0xa5, sizeof(p));
	untouched = p;
	f = boot_parse(in.p, head_len, file_len, low_bytes, &p);
	must(f < BOOT_FAULTS && boot_fault_text(f));
	if (f != BOOT_OK) {
		must(!memcmp(&p, &untouched, sizeof(p)));
		return 0;
	}
	check_plan(&p, file_len, low_bytes);
	at = boot_place_initrd(&p, file_len);
	if (at)
		must(at >= p.end && range_ok(at, file_len, low_bytes) && at % 4096 == 0);
	return 0;
}
