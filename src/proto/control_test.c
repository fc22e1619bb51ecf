/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/control.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "proto/control_sample.h"

enum { SEQ = 0x01020304, HDR = 16 };

/*
 * The golden packets: tests/corpora/control/NNN-NAME, one byte number of descriptors and then the packet, which
 * is also what the fuzz target eats. Set by main(). With a second argument they are written instead of compared.
 */
static const char *golden_dir;
static int golden_write;

static uint8_t packet[CTL_MSG_MAX + 1];
static struct ctl_msg got;

static size_t sample_encode(const struct control_sample *s, unsigned fd_cnt)
{
	int n = ctl_encode(s->type, SEQ, s->body, fd_cnt, packet, CTL_MSG_MAX);

	if (n < HDR)
		fail_msg("%s: ctl_encode: %d", s->name, n);
	return (size_t)n;
}

/* Changes the length in the header along with the bytes, so that only the fields can be wrong. */
static void packet_resize(size_t len)
{
	le32_store(packet + 4, (uint32_t)len);
}

static void ctl__every_message_comes_back_as_it_was_sent(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < control_sample_cnt; i++) {
		const struct control_sample *s = &control_samples[i];
		size_t len = sample_encode(s, s->fd_cnt);

		if (ctl_decode(packet, len, s->fd_cnt, &got) != 0)
			fail_msg("%s is not decoded", s->name);
		assert_int_equal(got.type, s->type);
		assert_int_equal(got.seq, SEQ);
		if (s->body && memcmp(&got.u, s->body, s->body_len) != 0)
			fail_msg("%s came back different", s->name);
		len = sample_encode(s, s->fd_alt);
		assert_int_equal(ctl_decode(packet, len, s->fd_alt, &got), 0);
	}
}

/* The wire does not change by accident: a change is a new CTL_VERSION. */
static void ctl__every_message_has_its_golden_bytes(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < control_sample_cnt; i++) {
		const struct control_sample *s = &control_samples[i];
		size_t len = sample_encode(s, s->fd_cnt);
		CLEANUP(fd_closep) int fd = -1;
		uint8_t fd_cnt = (uint8_t)s->fd_cnt, *file;
		char path[512];

		(void)snprintf(path, sizeof(path), "%s/%03zu-%s", golden_dir, i, s->name);
		if (golden_write) {
			fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
			assert_true(fd >= 0);
			assert_int_equal(fd_write_full(fd, &fd_cnt, 1), 0);
			assert_int_equal(fd_write_full(fd, packet, len), 0);
			continue;
		}
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			fail_msg("%s is missing", path);
		file = malloc(len + 2);
		assert_non_null(file);
		assert_int_equal(read(fd, file, len + 2), len + 1);
		assert_int_equal(file[0], fd_cnt);
		if (memcmp(file + 1, packet, len) != 0)
			fail_msg("%s: the bytes on the wire have changed", s->name);
		free(file);
	}
}

static void ctl_decode__rejects_every_truncation(void **state)
{
	size_t i, cut;

	(void)state;
	for (i = 0; i < control_sample_cnt; i++) {
		const struct control_sample *s = &control_samples[i];
		size_t len = sample_encode(s, s->fd_cnt);

		for (cut = 0; cut < len; cut++) {
			assert_int_equal(ctl_decode(packet, cut, s->fd_cnt, &got), -EPROTO);
			if (cut < HDR)
				continue;
			packet_resize(cut);
			if (ctl_decode(packet, cut, s->fd_cnt, &got) != -EPROTO)
				fail_msg("%s: accepted with %zu of %zu bytes", s->name, cut, len);
			packet_resize(len);
		}
	}
}

static void ctl_decode__rejects_a_byte_too_many(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < control_sample_cnt; i++) {
		const struct control_sample *s = &control_samples[i];
		size_t len = sample_encode(s, s->fd_cnt);

		packet[len] = 0;
		assert_int_equal(ctl_decode(packet, len + 1, s->fd_cnt, &got), -EPROTO);
		packet_resize(len + 1);
		assert_int_equal(ctl_decode(packet, len + 1, s->fd_cnt, &got), -EPROTO);
	}
}

static void ctl_decode__rejects_a_wrong_number_of_descriptors(void **state)
{
	unsigned cnt;
	size_t i;

	(void)state;
	for (i = 0; i < control_sample_cnt; i++) {
		const struct control_sample *s = &control_samples[i];
		size_t len = sample_encode(s, s->fd_cnt);

		/* The header tells another number than came. */
		assert_int_equal(ctl_decode(packet, len, s->fd_cnt + 1, &got), -EPROTO);
		/* Both agree, but the message is not one with so many. */
		for (cnt = 0; cnt <= FD_MSG_FDS_MAX + 1; cnt++) {
			le16_store(packet + 12, (uint16_t)cnt);
			if (cnt != s->fd_cnt && cnt != s->fd_alt &&
			    ctl_decode(packet, len, cnt, &got) != -EPROTO)
				fail_msg("%s: accepted with %u descriptors", s->name, cnt);
		}
	}
}

static void ctl_decode__rejects_a_nul_in_any_string(void **state)
{
	size_t i, at, found = 0;

	(void)state;
	for (i = 0; i < control_sample_cnt; i++) {
		const struct control_sample *s = &control_samples[i];
		size_t len = sample_encode(s, s->fd_cnt);

		for (at = HDR; at < len; at++) {
			if (packet[at] != 'Q')
				continue;
			found++;
			packet[at] = '\0';
			if (ctl_decode(packet, len, s->fd_cnt, &got) != -EPROTO)
				fail_msg("%s: NUL accepted at byte %zu", s->name, at);
			packet[at] = 'Q';
		}
	}
	assert_in_range(found, 60, 140); /* the search did find strings */
}

static void ctl_decode__rejects_unknown_types_versions_and_reserved_bits(void **state)
{
	struct ctl_ack a = { 0 };
	int len = ctl_encode(CTL_ACK, 1, &a, 0, packet, CTL_MSG_MAX);

	(void)state;
	assert_int_equal(ctl_decode(packet, (size_t)len, 0, &got), 0);
	le16_store(packet + 2, 0x7777);
	assert_int_equal(ctl_decode(packet, (size_t)len, 0, &got), -EPROTO);
	le16_store(packet + 2, CTL_ACK);
	le16_store(packet, CTL_VERSION + 1);
	assert_int_equal(ctl_decode(packet, (size_t)len, 0, &got), -EPROTO);
	le16_store(packet, CTL_VERSION);
	le16_store(packet + 14, 1);
	assert_int_equal(ctl_decode(packet, (size_t)len, 0, &got), -EPROTO);
}

/* A string is at most its array less the NUL. */
static void ctl_decode__accepts_the_longest_string_and_rejects_one_more(void **state)
{
	struct ctl_card_config c = { .instance_id = "12345678901234567890123" };
	size_t len;

	(void)state;
	_Static_assert(sizeof(c.instance_id) == 24, "the literal above is the longest");
	len = (size_t)ctl_encode(CTL_CARD_CONFIG, 1, &c, 1, packet, CTL_MSG_MAX);
	assert_int_equal(ctl_decode(packet, len, 1, &got), 0);
	assert_string_equal(got.u.card_config.instance_id, c.instance_id);

	le16_store(packet + HDR, 24);
	packet[len++] = '4';
	packet_resize(len);
	assert_int_equal(ctl_decode(packet, len, 1, &got), -EPROTO);
	le16_store(packet + HDR, UINT16_MAX);
	assert_int_equal(ctl_decode(packet, len, 1, &got), -EPROTO);
}

static void ctl_decode__rejects_a_flag_that_is_neither_0_nor_1(void **state)
{
	static struct ctl_l_processes p;
	size_t len = (size_t)ctl_encode(CTL_L_PROCESSES, 1, &p, 0, packet, CTL_MSG_MAX);

	(void)state;
	assert_int_equal(ctl_decode(packet, len, 0, &got), 0);
	packet[HDR] = 2;
	assert_int_equal(ctl_decode(packet, len, 0, &got), -EPROTO);
}

static void ctl_decode__accepts_full_arrays_and_rejects_one_more(void **state)
{
	static struct ctl_l_instance_start s;
	size_t len;
	int i;

	(void)state;
	s.volume_cnt = CTL_VOLUMES_MAX;
	for (i = 0; i < CTL_VOLUMES_MAX; i++)
		(void)snprintf(s.volume[i].volume_id, sizeof(s.volume[i].volume_id), "vol-%d", i);
	len = (size_t)ctl_encode(CTL_L_INSTANCE_START, 1, &s, 0, packet, CTL_MSG_MAX);
	assert_int_equal(ctl_decode(packet, len, 0, &got), 0);
	assert_memory_equal(&got.u.l_instance_start, &s, sizeof(s));

	s.volume_cnt = 0;
	len = (size_t)ctl_encode(CTL_L_INSTANCE_START, 1, &s, 0, packet, CTL_MSG_MAX);
	le16_store(packet + len - 2, CTL_VOLUMES_MAX + 1);
	memset(packet + len, 0, (CTL_VOLUMES_MAX + 1) * 5); /* empty strings, flag 0 */
	len += (CTL_VOLUMES_MAX + 1) * 5;
	packet_resize(len);
	assert_int_equal(ctl_decode(packet, len, 0, &got), -EPROTO);
}

static void ctl_key_data__has_a_whole_key_or_none(void **state)
{
	struct ctl_key_data k = { .key = { .len = CTL_KEY_BYTES } };

	(void)state;
	assert_true(ctl_encode(CTL_KEY_DATA, 1, &k, 0, packet, CTL_MSG_MAX) > 0);
	k.key.len = 0;
	assert_true(ctl_encode(CTL_KEY_DATA, 1, &k, 0, packet, CTL_MSG_MAX) > 0);
	k.key.len = 32;
	assert_int_equal(ctl_encode(CTL_KEY_DATA, 1, &k, 0, packet, CTL_MSG_MAX), -EINVAL);
	k.key.len = CTL_KEY_BYTES + 1;
	assert_int_equal(ctl_encode(CTL_KEY_DATA, 1, &k, 0, packet, CTL_MSG_MAX), -EINVAL);
}

static void ctl_encode__refuses_what_decode_would(void **state)
{
	static struct ctl_hv_config c;
	struct ctl_ack a;

	(void)state;
	memset(&a, 'a', sizeof(a)); /* no NUL at all */
	assert_int_equal(ctl_encode(CTL_ACK, 1, &a, 0, packet, CTL_MSG_MAX), -EINVAL);
	a.text[0] = '\0';
	assert_int_equal(ctl_encode(CTL_ACK, 1, &a, 1, packet, CTL_MSG_MAX), -EINVAL);
	assert_int_equal(ctl_encode(CTL_ACK, 1, NULL, 0, packet, CTL_MSG_MAX), -EINVAL);
	assert_int_equal(ctl_encode((enum ctl_type)0x7777, 1, &a, 0, packet, CTL_MSG_MAX), -EINVAL);
	assert_int_equal(ctl_encode(CTL_ACK, 1, &a, 0, packet, HDR + 5), -EMSGSIZE);
	assert_int_equal(ctl_encode(CTL_ACK, 1, &a, 0, packet, HDR + 6), HDR + 6);
	assert_int_equal(ctl_encode(CTL_HV_CONFIG, 1, &c, 4, packet, CTL_MSG_MAX) > 0, 1);
	c.slot_cnt = CTL_FUNCTIONS_MAX + 1;
	assert_int_equal(ctl_encode(CTL_HV_CONFIG, 1, &c, 4 + CTL_FUNCTIONS_MAX + 1, packet, CTL_MSG_MAX), -EINVAL);
	c.slot_cnt = 0;
	c.has_initrd = 2;
	assert_int_equal(ctl_encode(CTL_HV_CONFIG, 1, &c, 6, packet, CTL_MSG_MAX), -EINVAL);
}

static int lowest_free(void)
{
	int fd = dup(0);

	assert_true(fd >= 0);
	close(fd);
	return fd;
}

static void ctl_send__and_recv_carry_descriptors(void **state)
{
	struct ctl_card_volume_add v = { .volume_id = "vol-1", .device_name = "/dev/xvda" };
	int a, b, fds[2], before;

	(void)state;
	assert_int_equal(fd_socketpair(SOCK_SEQPACKET, &a, &b), 0);
	fds[0] = 0;
	fds[1] = a;
	before = lowest_free();
	assert_int_equal(ctl_send(a, CTL_CARD_VOLUME_ADD, 7, &v, fds, 2), 0);
	assert_int_equal(ctl_recv(b, &got), 1);
	assert_int_equal(got.seq, 7);
	assert_string_equal(got.u.card_volume_add.volume_id, "vol-1");
	assert_int_equal(got.fds.cnt, 2);
	ctl_msg_done(&got);
	assert_int_equal(lowest_free(), before);

	assert_int_equal(ctl_ack(b, 7, -ENOSPC, "volume %s: full", "vol-1"), 0);
	assert_int_equal(ctl_recv(a, &got), 1);
	assert_int_equal(got.type, CTL_ACK);
	assert_int_equal(got.u.ack.err, -ENOSPC);
	assert_string_equal(got.u.ack.text, "volume vol-1: full");
	close(b);
	assert_int_equal(ctl_recv(a, &got), 0);
	close(a);
}

static void ctl_recv__closes_the_descriptors_of_a_rejected_message(void **state)
{
	int a, b, before, fds[2] = { 0, 0 };
	struct ctl_ack ack = { 0 };
	int len;

	(void)state;
	assert_int_equal(fd_socketpair(SOCK_SEQPACKET, &a, &b), 0);
	len = ctl_encode(CTL_ACK, 1, &ack, 0, packet, CTL_MSG_MAX);
	before = lowest_free();
	assert_int_equal(fd_msg_send(a, packet, (size_t)len, fds, 2), 0);
	assert_int_equal(ctl_recv(b, &got), -EPROTO);
	assert_int_equal(lowest_free(), before);
	assert_int_equal(fd_msg_send(a, packet, CTL_MSG_MAX + 1, fds, 2), 0);
	assert_int_equal(ctl_recv(b, &got), -EPROTO);
	assert_int_equal(lowest_free(), before);
	close(a);
	close(b);
}

static void ctl_msg_done__wipes_a_key(void **state)
{
	static const struct ctl_key_data zero;
	const struct control_sample *s = control_samples;
	size_t len;

	(void)state;
	while (s->type != CTL_KEY_DATA)
		s++;
	len = sample_encode(s, 0);
	assert_int_equal(ctl_decode(packet, len, 0, &got), 0);
	assert_int_equal(got.u.key_data.key.len, CTL_KEY_BYTES);
	ctl_msg_done(&got);
	assert_memory_equal(&got.u.key_data, &zero, sizeof(zero));
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ctl__every_message_comes_back_as_it_was_sent),
		cmocka_unit_test(ctl__every_message_has_its_golden_bytes),
		cmocka_unit_test(ctl_decode__rejects_every_truncation),
		cmocka_unit_test(ctl_decode__rejects_a_byte_too_many),
		cmocka_unit_test(ctl_decode__rejects_a_wrong_number_of_descriptors),
		cmocka_unit_test(ctl_decode__rejects_a_nul_in_any_string),
		cmocka_unit_test(ctl_decode__rejects_unknown_types_versions_and_reserved_bits),
		cmocka_unit_test(ctl_decode__accepts_the_longest_string_and_rejects_one_more),
		cmocka_unit_test(ctl_decode__rejects_a_flag_that_is_neither_0_nor_1),
		cmocka_unit_test(ctl_decode__accepts_full_arrays_and_rejects_one_more),
		cmocka_unit_test(ctl_key_data__has_a_whole_key_or_none),
		cmocka_unit_test(ctl_encode__refuses_what_decode_would),
		cmocka_unit_test(ctl_send__and_recv_carry_descriptors),
		cmocka_unit_test(ctl_recv__closes_the_descriptors_of_a_rejected_message),
		cmocka_unit_test(ctl_msg_done__wipes_a_key),
	};

	golden_dir = argc > 1 ? argv[1] : "tests/corpora/control";
	golden_write = argc > 2 && !strcmp(argv[2], "--write-golden");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
