/* SPDX-License-Identifier: Apache-2.0 */
#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

static bool is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

/* The lowest free descriptor: unchanged over a step means that nothing leaked. */
static int lowest_free(void)
{
	int fd = dup(0);

	assert_true(fd >= 0);
	close(fd);
	return fd;
}

struct pair {
	int a, b;
};

static int pair_setup(void **state)
{
	static struct pair p;

	*state = &p;
	return fd_socketpair(SOCK_SEQPACKET, &p.a, &p.b);
}

static int pair_teardown(void **state)
{
	struct pair *p = *state;

	fd_closep(&p->a);
	fd_closep(&p->b);
	return 0;
}

static void fd_closep__keeps_errno_and_marks_closed(void **state)
{
	int fd = dup(0), none = -1, was = fd;

	(void)state;
	errno = ERANGE;
	fd_closep(&fd);
	fd_closep(&none);
	assert_int_equal(errno, ERANGE);
	assert_int_equal(fd, -1);
	assert_false(is_open(was));
}

static void fd_msg__carries_bytes_and_descriptors(void **state)
{
	struct pair *p = *state;
	int send[2] = { 0, p->a };
	struct fd_list l;
	char buf[16];
	int got;

	assert_int_equal(fd_msg_send(p->a, "hello", 5, send, 2), 0);
	assert_int_equal(fd_msg_recv(p->b, buf, sizeof(buf), &l), 5);
	assert_memory_equal(buf, "hello", 5);
	assert_int_equal(l.cnt, 2);
	assert_true(fcntl(l.fd[0], F_GETFD) & FD_CLOEXEC);
	got = fd_list_take(&l, 1);
	assert_true(got >= 0);
	assert_int_equal(fd_list_take(&l, 1), -EPROTO); /* taken already */
	assert_int_equal(fd_list_take(&l, 2), -EPROTO);
	fd_list_done(&l);
	assert_true(is_open(got));
	close(got);
}

static void fd_msg__closes_the_descriptors_of_a_truncated_message(void **state)
{
	struct pair *p = *state;
	int send[1] = { 0 }, before;
	struct fd_list l;
	char buf[4];

	before = lowest_free();
	assert_int_equal(fd_msg_send(p->a, "hello", 5, send, 1), 0);
	assert_int_equal(fd_msg_recv(p->b, buf, sizeof(buf), &l), -EPROTO);
	assert_int_equal(l.cnt, 0);
	assert_int_equal(lowest_free(), before);
}

/* A peer may send up to 253 descriptors; what we have no room for must not stay open in us. */
static void fd_msg__closes_everything_when_too_many_descriptors_come(void **state)
{
	enum { CNT = FD_MSG_FDS_MAX + 8 };
	struct pair *p = *state;
	union {
		struct cmsghdr hdr;
		char b[CMSG_SPACE(sizeof(int) * CNT)];
	} cm;
	char x = 'x';
	struct iovec iov = { &x, 1 };
	struct msghdr mh = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &cm, .msg_controllen = sizeof(cm)
	};
	int i, before, zeroes[CNT] = { 0 };
	struct fd_list l;
	char buf[4];

	memset(&cm, 0, sizeof(cm));
	cm.hdr.cmsg_level = SOL_SOCKET;
	cm.hdr.cmsg_type = SCM_RIGHTS;
	cm.hdr.cmsg_len = CMSG_LEN(sizeof(zeroes));
	for (i = 0; i < CNT; i++)
		memcpy(CMSG_DATA(&cm.hdr) + (size_t)i * sizeof(int), &zeroes[i], sizeof(int));
	before = lowest_free();
	assert_int_equal(sendmsg(p->a, &mh, 0), 1);
	assert_int_equal(fd_msg_recv(p->b, buf, sizeof(buf), &l), -EPROTO);
	assert_int_equal(l.cnt, 0);
	assert_int_equal(lowest_free(), before);
}

static void fd_msg__refuses_to_send_too_many(void **state)
{
	int fds[FD_MSG_FDS_MAX + 1] = { 0 };
	struct pair *p = *state;

	assert_int_equal(fd_msg_send(p->a, "x", 1, fds, FD_MSG_FDS_MAX + 1), -EINVAL);
}

static void fd_msg__tells_end_of_file_and_a_gone_peer(void **state)
{
	struct pair *p = *state;
	struct fd_list l;
	char buf[4];

	fd_closep(&p->b);
	assert_int_equal(fd_msg_recv(p->a, buf, sizeof(buf), &l), 0);
	assert_int_equal(fd_msg_send(p->a, "x", 1, NULL, 0), -EPIPE);
}

static void fd_memfd_check__accepts_our_sealed_memory(void **state)
{
	int fd = fd_memfd("test", 8192);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(fd_memfd_check(fd, 8192), 0);
	assert_int_equal(ftruncate(fd, 4096), -1);
	assert_int_equal(ftruncate(fd, 16384), -1);
	close(fd);
}

static void fd_memfd_check__rejects_short_unsealed_and_foreign_files(void **state)
{
	int fd = fd_memfd("test", 8192);

	(void)state;
	assert_int_equal(fd_memfd_check(fd, 8193), -EPROTO);
	close(fd);
	fd = memfd_create("open", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	assert_int_equal(ftruncate(fd, 8192), 0);
	assert_int_equal(fd_memfd_check(fd, 4096), -EPROTO);
	close(fd);
	fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	assert_int_equal(fd_memfd_check(fd, 0), -EPROTO);
	close(fd);
}

static void fd_pread_full__and_pwrite_full_meet_again(void **state)
{
	int fd = fd_memfd("test", 4096);
	char buf[8];

	(void)state;
	assert_int_equal(fd_pwrite_full(fd, "niter", 5, 4000), 0);
	assert_int_equal(fd_pread_full(fd, buf, 5, 4000), 0);
	assert_memory_equal(buf, "niter", 5);
	assert_int_equal(fd_pread_full(fd, buf, 8, 4090), -ENODATA); /* ends early */
	assert_int_equal(fd_pread_full(fd, buf, 8, UINT64_MAX - 3), -EINVAL);
	assert_int_equal(fd_pwrite_full(fd, buf, 8, INT64_MAX), -EINVAL);
	close(fd);
}

static void fd_read_full__says_when_the_file_ends_early(void **state)
{
	struct pair *p = *state;
	char buf[8];

	assert_int_equal(fd_write_full(p->a, "abc", 3), 0);
	fd_closep(&p->a);
	assert_int_equal(fd_read_full(p->b, buf, 4), -ENODATA);
}

static void fd_event__counts_and_clears_without_blocking(void **state)
{
	uint64_t v;
	int fd = fd_eventfd();

	(void)state;
	assert_true(fd >= 0);
	fd_event_clear(fd); /* nothing there */
	fd_event_signal(fd);
	fd_event_signal(fd);
	assert_int_equal(read(fd, &v, sizeof(v)), sizeof(v));
	assert_true(v == 2);
	fd_event_signal(fd);
	fd_event_clear(fd);
	assert_int_equal(read(fd, &v, sizeof(v)), -1);
	close(fd);
}

#define PAIR(f) cmocka_unit_test_setup_teardown(f, pair_setup, pair_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fd_closep__keeps_errno_and_marks_closed),
		PAIR(fd_msg__carries_bytes_and_descriptors),
		PAIR(fd_msg__closes_the_descriptors_of_a_truncated_message),
		PAIR(fd_msg__closes_everything_when_too_many_descriptors_come),
		PAIR(fd_msg__refuses_to_send_too_many),
		PAIR(fd_msg__tells_end_of_file_and_a_gone_peer),
		cmocka_unit_test(fd_memfd_check__accepts_our_sealed_memory),
		cmocka_unit_test(fd_memfd_check__rejects_short_unsealed_and_foreign_files),
		cmocka_unit_test(fd_pread_full__and_pwrite_full_meet_again),
		PAIR(fd_read_full__says_when_the_file_ends_early),
		cmocka_unit_test(fd_event__counts_and_clears_without_blocking),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
