/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A simulated server waits here before it unseals, mounts or draws anything: a snapshot taken now holds no secret,
 * and every copy that is resumed gets random bytes and a time of its own.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/random.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "init.h"

enum { GO_LINE_MAX = 256 };

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

int init_go_parse(const char *line, uint8_t ret_seed[INIT_SEED_BYTES], int64_t *ret_seconds)
{
	uint8_t seed[INIT_SEED_BYTES];
	long long seconds;
	char *end;

	if (strncmp(line, "go ", 3) != 0 || strlen(line) < 3 + 2 * INIT_SEED_BYTES + 2)
		return -EPROTO;
	line += 3;
	for (size_t n = 0; n < INIT_SEED_BYTES; n++, line += 2) {
		int high = hex_digit(line[0]), low = hex_digit(line[1]);

		if (high < 0 || low < 0)
			return -EPROTO;
		seed[n] = (uint8_t)(high << 4 | low);
	}
	if (*line != ' ')
		return -EPROTO;
	errno = 0;
	seconds = strtoll(line + 1, &end, 10);
	if (errno || end == line + 1 || *end != '\n' || seconds <= 0)
		return -EPROTO;
	memcpy(ret_seed, seed, sizeof(seed));
	*ret_seconds = seconds;
	return 0;
}

static int entropy_add(const uint8_t seed[INIT_SEED_BYTES])
{
	CLEANUP(fd_closep) int fd = open("/dev/random", O_WRONLY | O_CLOEXEC);
	union {
		struct rand_pool_info info;
		uint8_t room[sizeof(struct rand_pool_info) + INIT_SEED_BYTES];
	} u;
	int r = 0;

	if (fd < 0)
		return -errno;
	u.info.entropy_count = INIT_SEED_BYTES * 8;
	u.info.buf_size = INIT_SEED_BYTES;
	memcpy(u.info.buf, seed, INIT_SEED_BYTES);
	if (ioctl(fd, RNDADDENTROPY, &u.info) < 0 || ioctl(fd, RNDRESEEDCRNG) < 0)
		r = -errno;
	mem_wipe(&u, sizeof(u));
	return r;
}

static int line_read(int fd, char line[GO_LINE_MAX])
{
	size_t len = 0;
	ssize_t n;

	while (len < GO_LINE_MAX - 1) {
		n = read(fd, line + len, 1);
		if (n < 0 && errno != EINTR && errno != EAGAIN)
			return -errno;
		if (n == 1 && line[len++] == '\n') {
			line[len] = '\0';
			return 0;
		}
		if (n <= 0) /* nobody is at the other end yet */
			usleep(2000);
	}
	return -EPROTO;
}

int init_go_wait(const char *port)
{
	CLEANUP(fd_closep) int fd = open(port, O_RDWR | O_CLOEXEC);
	struct timespec now = { 0 };
	uint8_t seed[INIT_SEED_BYTES];
	char line[GO_LINE_MAX];
	int64_t seconds;
	int r;

	if (fd < 0)
		return -errno;
	r = fd_write_full(fd, "ready\n", 6);
	if (r == 0)
		r = line_read(fd, line);
	if (r == 0)
		r = init_go_parse(line, seed, &seconds);
	if (r == 0) {
		now.tv_sec = seconds;
		if (clock_settime(CLOCK_REALTIME, &now) < 0)
			r = -errno;
	}
	if (r == 0)
		r = entropy_add(seed);
	mem_wipe(seed, sizeof(seed));
	mem_wipe(line, sizeof(line));
	return r;
}
