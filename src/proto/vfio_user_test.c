/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/vfio_user.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "vu_raw.h"

/* Feeds a version message with this text. */
static int version(const char *json, struct vu_version *ret)
{
	static struct vu_raw m;
	struct rd in;

	vu_raw_hello(&m, json);
	in = rd_init(m.buf + VU_HDR_BYTES, m.len - VU_HDR_BYTES);
	return vu_version_parse(&in, ret);
}

static void version_parse__reads_capabilities(void **state UNUSED)
{
	struct vu_version v;

	assert_int_equal(
		version("{\"capabilities\":{\"max_msg_fds\":8,\"max_data_xfer_size\":1048576,"
			"\"migration\":{\"pgsize\":4096},\"max_dma_maps\":3,\"pgsizes\":4096}}",
			&v),
		0);
	assert_int_equal(v.max_msg_fds, 8);
	assert_int_equal(v.max_data_xfer_size, 1048576);
	assert_int_equal(v.max_dma_maps, 3);
	assert_int_equal(v.pgsizes, 4096);
}

static void version_parse__has_defaults(void **state UNUSED)
{
	static const char *const ok[] = {
		NULL, "{}", " { \"capabilities\" : { } } ",
		"{\"x\":[1,-2.5e+3,true,null,\"\\u00e9\\\"\"],\"y\":{\"z\":{}}}",
		"{\"capabilities\":{\"twin_socket\":{\"supported\":false}}}"
	};
	struct vu_version v;
	unsigned i;

	for (i = 0; i < ARRAY_SIZE(ok); i++) {
		assert_int_equal(version(ok[i], &v), 0);
		assert_int_equal(v.max_msg_fds, 1);
		assert_int_equal(v.max_data_xfer_size, 1 << 20);
		assert_int_equal(v.max_dma_maps, 65535);
		assert_int_equal(v.pgsizes, 4096);
	}
}

static void version_parse__rejects_what_is_not_json(void **state UNUSED)
{
	static const char *const bad[] = {
		"",
		"x",
		"{",
		"{}}",
		"{} x",
		"[]",
		"{\"capabilities\":1}",
		"{\"capabilities\":{\"max_msg_fds\":\"8\"}}",
		"{\"capabilities\":{\"max_msg_fds\":-8}}",
		"{\"capabilities\":{\"max_msg_fds\":8.5}}",
		"{\"capabilities\":{\"max_msg_fds\":1e3}}",
		"{\"capabilities\":{\"max_msg_fds\":08}}",
		"{\"capabilities\":{\"max_msg_fds\":}}",
		"{\"capabilities\":{\"max_msg_fds\":99999999999999999999999}}",
		"{\"capabilities\":{\"max_msg_fds\":8,\"max_msg_fds\":8}}",
		"{\"capabilities\":{},\"capabilities\":{}}",
		"{\"capabilities\":{\"max_msg_fds\":8,}}",
		"{\"a\":tru}",
		"{\"a\":01}",
		"{\"a\":1.}",
		"{\"a\":\"\n\"}",
		"{\"a\":\"\\x\"}",
		"{\"a\":\"\\u12g4\"}",
		"{\"a\":\"}",
		"{a:1}",
		"{\"a\":[[[[[[[[[[[[1]]]]]]]]]]]]}",
	};
	struct vu_version v;
	unsigned i;

	for (i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(version(bad[i], &v), -EPROTO);
}

static void version_parse__needs_its_nul(void **state UNUSED)
{
	static const char text[] = { 0, 0, 1, 0, '{', '}' };
	static const char inner[] = { 0, 0, 1, 0, '{', '}', 0, '{', '}', 0 };
	struct vu_version v;
	struct rd in;

	in = rd_init(text, sizeof(text));
	assert_int_equal(vu_version_parse(&in, &v), -EPROTO);
	in = rd_init(inner, sizeof(inner));
	assert_int_equal(vu_version_parse(&in, &v), -EPROTO);
	in = rd_init(text, 3);
	assert_int_equal(vu_version_parse(&in, &v), -EPROTO);
}

static void version_write__is_parsed_again(void **state UNUSED)
{
	struct vu_version v = { 0, 1, 16, 4096, 64, 4096 }, w;
	uint8_t b[300];
	struct wr out = wr_init(b, sizeof(b));
	struct rd in;

	vu_version_write(&out, &v);
	assert_false(out.bad);
	in = rd_init(b, out.len);
	assert_int_equal(vu_version_parse(&in, &w), 0);
	assert_int_equal(w.minor, 1);
	assert_int_equal(w.max_msg_fds, 16);
	assert_int_equal(w.max_data_xfer_size, 4096);
	assert_int_equal(w.max_dma_maps, 64);
	assert_int_equal(w.pgsizes, 4096);
}

static void hdr_parse__bounds_the_size(void **state UNUSED)
{
	uint8_t b[VU_HDR_BYTES] = { 1, 0, 2, 0 };
	struct vu_hdr h;
	struct rd in;

	le32_store(b + 4, VU_HDR_BYTES);
	in = rd_init(b, sizeof(b));
	assert_int_equal(vu_hdr_parse(&in, &h), 0);
	le32_store(b + 4, VU_MSG_MAX_BYTES);
	in = rd_init(b, sizeof(b));
	assert_int_equal(vu_hdr_parse(&in, &h), 0);
	le32_store(b + 4, VU_HDR_BYTES - 1);
	in = rd_init(b, sizeof(b));
	assert_int_equal(vu_hdr_parse(&in, &h), -EPROTO);
	le32_store(b + 4, VU_MSG_MAX_BYTES + 1);
	in = rd_init(b, sizeof(b));
	assert_int_equal(vu_hdr_parse(&in, &h), -EPROTO);
	in = rd_init(b, sizeof(b) - 1);
	assert_int_equal(vu_hdr_parse(&in, &h), -EPROTO);
}

/* Every fixed-size payload: right, one byte short, one byte long. */
#define FIXED(name, bytes, fill)                                                                   \
	static void name##_parse__wants_its_exact_size(void **state UNUSED)                        \
	{                                                                                          \
		uint8_t b[(bytes) + 1];                                                            \
		struct vu_##name v;                                                                \
		struct rd in;                                                                      \
                                                                                                   \
		memset(b, 0, sizeof(b));                                                           \
		le32_store(b, fill);                                                               \
		in = rd_init(b, bytes);                                                            \
		assert_int_equal(vu_##name##_parse(&in, &v), 0);                                   \
		in = rd_init(b, (bytes)-1);                                                        \
		assert_int_equal(vu_##name##_parse(&in, &v), -EPROTO);                             \
		in = rd_init(b, (bytes) + 1);                                                      \
		assert_int_equal(vu_##name##_parse(&in, &v), -EPROTO);                             \
		le32_store(b, (fill)-1); /* argsz too small */                                     \
		in = rd_init(b, bytes);                                                            \
		assert_int_equal(vu_##name##_parse(&in, &v), -EPROTO);                             \
	}

FIXED(dma_map, VU_DMA_MAP_BYTES, VU_DMA_MAP_BYTES)
FIXED(dma_unmap, VU_DMA_UNMAP_BYTES, VU_DMA_UNMAP_BYTES)
FIXED(device_info, VU_DEVICE_INFO_BYTES, VU_DEVICE_INFO_BYTES)
FIXED(irq_info, VU_IRQ_INFO_BYTES, VU_IRQ_INFO_BYTES)
FIXED(irq_set, VU_IRQ_SET_BYTES, VU_IRQ_SET_BYTES)

static void region_info__carries_sparse_areas(void **state UNUSED)
{
	struct vu_region_info v = {
		.argsz = vu_region_info_bytes(2),
		.flags = VU_REGION_F_CAPS | VU_REGION_F_MMAP,
		.index = 2,
		.cap_off = VU_REGION_INFO_BYTES,
		.size = 65536,
		.area_cnt = 2,
		.area = { { 0, 4096 }, { 8192, 4096 } },
	};
	struct vu_region_info w;
	uint8_t b[256];
	struct wr out = wr_init(b, sizeof(b));
	struct rd in;

	vu_region_info_write(&out, &v);
	assert_int_equal(out.len, vu_region_info_bytes(2));
	in = rd_init(b, out.len);
	assert_int_equal(vu_region_info_parse(&in, &w), 0);
	assert_int_equal(w.size, v.size);
	assert_int_equal(w.index, v.index);
	assert_int_equal(w.area_cnt, 2);
	assert_memory_equal(v.area, w.area, sizeof(v.area));
	/* A head without its capabilities says only how long it would be. */
	in = rd_init(b, VU_REGION_INFO_BYTES);
	assert_int_equal(vu_region_info_parse(&in, &w), 0);
	assert_int_equal(w.area_cnt, 0);
}

static void region_info_parse__rejects_capabilities_that_lie(void **state UNUSED)
{
	struct vu_region_info v = {
		.argsz = vu_region_info_bytes(1),
		.flags = VU_REGION_F_CAPS,
		.cap_off = VU_REGION_INFO_BYTES,
		.size = 65536,
		.area_cnt = 1,
		.area = { { 0, 4096 } },
	};
	uint8_t good[256], b[256];
	struct wr out = wr_init(good, sizeof(good));
	struct vu_region_info w;
	static const struct {
		size_t at;
		uint32_t v;
	} edit[] = {
		{ 12, 31 },               /* capability inside the struct */
		{ 12, 4096 },             /* outside the message */
		{ 12, 0xffffffff },       /* far outside */
		{ 36, 32 },               /* next: itself */
		{ 36, 60 },               /* next: no room */
		{ 40, VU_AREAS_MAX + 1 }, /* more areas than we take */
		{ 40, 2 },                /* more areas than there are */
		{ 56, 65537 },            /* area leaves the region */
		{ 52, 1 },                /* area begins beyond 2^32 */
	};
	struct rd in;
	unsigned i;

	vu_region_info_write(&out, &v);
	for (i = 0; i < ARRAY_SIZE(edit); i++) {
		memcpy(b, good, sizeof(b));
		le32_store(b + edit[i].at, edit[i].v);
		in = rd_init(b, out.len);
		assert_int_equal(vu_region_info_parse(&in, &w), -EPROTO);
	}
	in = rd_init(good, VU_REGION_INFO_BYTES - 1);
	assert_int_equal(vu_region_info_parse(&in, &w), -EPROTO);
}

static void io_fds_reply__both_entry_sizes(void **state UNUSED)
{
	struct vu_io_fds v = {
		.argsz = VU_IO_FDS_BYTES + VU_IO_FD_BYTES,
		.cnt = 1,
		.io = { { .off = 4096,
			  .size = 8,
			  .type = VU_IO_FD_SHADOW,
			  .fd_idx = 0,
			  .shadow_fd_idx = 1,
			  .shadow_off = 64,
			  .datamatch = 5 } },
	};
	struct vu_io_fds w;
	uint8_t b[256];
	struct wr out = wr_init(b, sizeof(b));
	struct rd in;

	vu_io_fds_reply_write(&out, &v);
	in = rd_init(b, out.len);
	assert_int_equal(vu_io_fds_reply_parse(&in, &w), 0);
	assert_memory_equal(&v.io[0], &w.io[0], sizeof(v.io[0])); /* no padding in it */
	/* the short form: no shadow */
	le32_store(b, VU_IO_FDS_BYTES + VU_IO_FD_SHORT_BYTES);
	le64_store(b + VU_IO_FDS_BYTES + 32, 5);
	in = rd_init(b, VU_IO_FDS_BYTES + VU_IO_FD_SHORT_BYTES);
	assert_int_equal(vu_io_fds_reply_parse(&in, &w), -EPROTO);
	le32_store(b + VU_IO_FDS_BYTES + 20, VU_IO_FD_IOEVENTFD);
	in = rd_init(b, VU_IO_FDS_BYTES + VU_IO_FD_SHORT_BYTES);
	assert_int_equal(vu_io_fds_reply_parse(&in, &w), 0);
	assert_int_equal(w.io[0].datamatch, 5);
}

static void io_fds_reply_parse__rejects_counts_that_lie(void **state UNUSED)
{
	struct vu_io_fds w;
	uint8_t b[VU_IO_FDS_BYTES + VU_IO_FD_BYTES];
	struct rd in;

	memset(b, 0, sizeof(b));
	le32_store(b, sizeof(b));
	le32_store(b + 12, 2); /* two entries where there is one */
	in = rd_init(b, sizeof(b));
	assert_int_equal(vu_io_fds_reply_parse(&in, &w), -EPROTO);
	le32_store(b + 12, 0xffffffff);
	in = rd_init(b, sizeof(b));
	assert_int_equal(vu_io_fds_reply_parse(&in, &w), -EPROTO);
	le32_store(b + 12, 1);
	in = rd_init(b, sizeof(b) - 1);
	assert_int_equal(vu_io_fds_reply_parse(&in, &w), -EPROTO);
	le32_store(b + 4, 1); /* flags must be zero */
	in = rd_init(b, sizeof(b));
	assert_int_equal(vu_io_fds_reply_parse(&in, &w), -EPROTO);
}

static void irq_set_parse__bools_are_as_many_as_said(void **state UNUSED)
{
	uint8_t b[VU_IRQ_SET_BYTES + 4];
	struct vu_irq_set v;
	struct rd in;

	memset(b, 0, sizeof(b));
	le32_store(b, sizeof(b));
	le32_store(b + 4, VU_IRQ_DATA_BOOL | VU_IRQ_ACTION_TRIGGER);
	le32_store(b + 16, 4);
	in = rd_init(b, sizeof(b));
	assert_int_equal(vu_irq_set_parse(&in, &v), 0);
	assert_ptr_equal(v.bools, b + VU_IRQ_SET_BYTES);
	le32_store(b + 16, 5);
	in = rd_init(b, sizeof(b));
	assert_int_equal(vu_irq_set_parse(&in, &v), -EPROTO);
	le32_store(b + 16, 0xffffffff);
	in = rd_init(b, sizeof(b));
	assert_int_equal(vu_irq_set_parse(&in, &v), -EPROTO);
}

static void region_access_parse__data_is_as_long_as_said(void **state UNUSED)
{
	uint8_t b[VU_REGION_ACCESS_BYTES + 8];
	struct vu_region_access v;
	struct rd in;

	memset(b, 0, sizeof(b));
	le32_store(b + 12, 8);
	in = rd_init(b, sizeof(b));
	assert_int_equal(vu_region_access_parse(&in, true, &v), 0);
	assert_int_equal(v.len, 8);
	in = rd_init(b, sizeof(b));
	assert_int_equal(vu_region_access_parse(&in, false, &v), -EPROTO);
	le32_store(b + 12, 0xffffffff);
	in = rd_init(b, sizeof(b));
	assert_int_equal(vu_region_access_parse(&in, true, &v), -EPROTO);
	le32_store(b + 12, 7);
	in = rd_init(b, sizeof(b));
	assert_int_equal(vu_region_access_parse(&in, true, &v), -EPROTO);
}

static void msg_recv__puts_pieces_together(void **state UNUSED)
{
	static struct vu_raw m;
	static struct vu_msg in;
	int a, b;
	size_t i;

	assert_int_equal(fd_socketpair(SOCK_STREAM | SOCK_NONBLOCK, &a, &b), 0);
	vu_raw_hello(&m, "{}");
	vu_msg_init(&in);
	for (i = 0; i < m.len; i++) {
		assert_int_equal(vu_msg_recv(&in, b), -EAGAIN);
		assert_int_equal(fd_msg_send(a, m.buf + i, 1, NULL, 0), 0);
	}
	assert_int_equal(vu_msg_recv(&in, b), 1);
	assert_int_equal(in.len, m.len);
	vu_msg_done(&in);
	close(a);
	assert_int_equal(vu_msg_recv(&in, b), 0);
	close(b);
}

static void msg_recv__rejects_an_end_inside_a_message(void **state UNUSED)
{
	static struct vu_raw m;
	static struct vu_msg in;
	int a, b;

	assert_int_equal(fd_socketpair(SOCK_STREAM | SOCK_NONBLOCK, &a, &b), 0);
	vu_raw_hello(&m, "{}");
	assert_int_equal(fd_msg_send(a, m.buf, m.len - 1, NULL, 0), 0);
	close(a);
	vu_msg_init(&in);
	assert_int_equal(vu_msg_recv(&in, b), -EPROTO);
	vu_msg_done(&in);
	close(b);
}

/* Row 18: descriptors stay with the message they came with, also when several wait in the socket. */
static void s26_row18__descriptors_are_not_mixed_up(void **state UNUSED)
{
	static struct vu_raw m;
	static struct vu_msg in;
	int a, b, fd = fd_eventfd();
	unsigned before;

	assert_int_equal(fd_socketpair(SOCK_STREAM | SOCK_NONBLOCK, &a, &b), 0);
	before = vu_raw_fd_cnt();
	vu_raw_hello(&m, "{}");
	assert_int_equal(vu_raw_send(a, &m, NULL, 0), 0);
	assert_int_equal(vu_raw_send(a, &m, &fd, 1), 0);
	assert_int_equal(vu_raw_send(a, &m, NULL, 0), 0);
	vu_msg_init(&in);
	assert_int_equal(vu_msg_recv(&in, b), 1);
	assert_int_equal(in.fds.cnt, 0);
	vu_msg_done(&in);
	assert_int_equal(vu_msg_recv(&in, b), 1);
	assert_int_equal(in.fds.cnt, 1);
	vu_msg_done(&in);
	assert_int_equal(vu_msg_recv(&in, b), 1);
	assert_int_equal(in.fds.cnt, 0);
	vu_msg_done(&in);
	assert_int_equal(vu_raw_fd_cnt(), before);
	close(a);
	close(b);
	close(fd);
}

/* Row 18: libvfio-user loses the descriptors of a message that was cut short. We close them. */
static void s26_row18__descriptors_of_a_truncated_message_are_closed(void **state UNUSED)
{
	static struct vu_raw m;
	static struct vu_msg in;
	int a, b, fd = fd_eventfd();
	int many[FD_MSG_FDS_MAX];
	unsigned before, i;

	assert_int_equal(fd_socketpair(SOCK_STREAM | SOCK_NONBLOCK, &a, &b), 0);
	before = vu_raw_fd_cnt();
	vu_raw_hello(&m, "{}");
	assert_int_equal(fd_msg_send(a, m.buf, 4, &fd, 1), 0);
	vu_msg_init(&in);
	assert_int_equal(vu_msg_recv(&in, b), -EAGAIN);
	assert_int_equal(vu_raw_fd_cnt(), before + 1);
	vu_msg_done(&in);
	assert_int_equal(vu_raw_fd_cnt(), before);
	/* more than a message can hold, in two parts */
	for (i = 0; i < FD_MSG_FDS_MAX; i++)
		many[i] = fd;
	assert_int_equal(fd_msg_send(a, m.buf, 4, many, FD_MSG_FDS_MAX), 0);
	assert_int_equal(fd_msg_send(a, m.buf + 4, 4, many, 1), 0);
	assert_int_equal(vu_msg_recv(&in, b), -EPROTO);
	vu_msg_done(&in);
	assert_int_equal(vu_raw_fd_cnt(), before);
	close(a);
	close(b);
	close(fd);
}

/* Row 18: what is not an eventfd is not taken for one. */
static void s26_row18__only_anonymous_descriptors_are_eventfds(void **state UNUSED)
{
	int fd = fd_eventfd(), pipes[2], mem = fd_memfd("x", 4096), a, b;

	assert_int_equal(vu_eventfd_check(fd), 0);
	assert_int_equal(pipe(pipes), 0);
	assert_int_equal(fd_socketpair(SOCK_STREAM, &a, &b), 0);
	assert_int_equal(vu_eventfd_check(pipes[1]), -EPROTO);
	assert_int_equal(vu_eventfd_check(mem), -EPROTO);
	assert_int_equal(vu_eventfd_check(a), -EPROTO);
	assert_int_equal(vu_eventfd_check(-1), -EBADF);
	close(fd);
	close(pipes[0]);
	close(pipes[1]);
	close(mem);
	close(a);
	close(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(version_parse__reads_capabilities),
		cmocka_unit_test(version_parse__has_defaults),
		cmocka_unit_test(version_parse__rejects_what_is_not_json),
		cmocka_unit_test(version_parse__needs_its_nul),
		cmocka_unit_test(version_write__is_parsed_again),
		cmocka_unit_test(hdr_parse__bounds_the_size),
		cmocka_unit_test(dma_map_parse__wants_its_exact_size),
		cmocka_unit_test(dma_unmap_parse__wants_its_exact_size),
		cmocka_unit_test(device_info_parse__wants_its_exact_size),
		cmocka_unit_test(irq_info_parse__wants_its_exact_size),
		cmocka_unit_test(irq_set_parse__wants_its_exact_size),
		cmocka_unit_test(region_info__carries_sparse_areas),
		cmocka_unit_test(region_info_parse__rejects_capabilities_that_lie),
		cmocka_unit_test(io_fds_reply__both_entry_sizes),
		cmocka_unit_test(io_fds_reply_parse__rejects_counts_that_lie),
		cmocka_unit_test(irq_set_parse__bools_are_as_many_as_said),
		cmocka_unit_test(region_access_parse__data_is_as_long_as_said),
		cmocka_unit_test(msg_recv__puts_pieces_together),
		cmocka_unit_test(msg_recv__rejects_an_end_inside_a_message),
		cmocka_unit_test(s26_row18__descriptors_are_not_mixed_up),
		cmocka_unit_test(s26_row18__descriptors_of_a_truncated_message_are_closed),
		cmocka_unit_test(s26_row18__only_anonymous_descriptors_are_eventfds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
