/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/random.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "init.h"

/*
 * A simulated server may be a copy that was resumed from a snapshot: then its random numbers and its clock are those
 * of the moment the snapshot was taken. So before anything secret exists it stops here until the host has sent it
 * fresh ones. The line comes through a virtio-serial port, which reads as ended while nobody is connected.
 */

enum { FIND_TRIES = 100, GO_LINE_MAX = 128, RETRY_MS = 20, FIND_MS = 100 };

static const char ports_dir[] = "/sys/class/virtio-ports";

static void sleep_ms(long ms)
{
	struct timespec ts = { .tv_nsec = ms * 1000000 };

	(void)nanosleep(&ts, NULL);
}

static bool port_has_name(const char *entry, const char *name)
{
	char path[PORT_PATH_MAX + sizeof(ports_dir)], got[WORD_MAX];

	(void)snprintf(path, sizeof(path), "%s/%.32s/name", ports_dir, entry);
	if (text_read(path, got, sizeof(got)) < 0)
		return false;
	got[strcspn(got, "\n")] = 0;
	return !strcmp(got, name);
}

int port_find(const char *name, char ret[PORT_PATH_MAX])
{
	DIR *d = opendir(ports_dir);
	struct dirent *e;
	int r = -ENOENT;

	if (!d)
		return -errno;
	while (r < 0 && (e = readdir(d))) { /* NOLINT(concurrency-mt-unsafe): one thread */
		if (e->d_name[0] == '.' || !port_has_name(e->d_name, name))
			continue;
		(void)snprintf(ret, PORT_PATH_MAX, "/dev/%.32s", e->d_name);
		r = 0;
	}
	closedir(d);
	return r;
}

/* Return: length of the line with its newline, 0 the other side went away, -errno. */
static int line_read(int fd, char ret[GO_LINE_MAX])
{
	int len = 0;

	while (len < GO_LINE_MAX - 1) {
		ssize_t n = read(fd, ret + len, 1);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : 0;
		len++;
		if (ret[len - 1] == '\n')
			break;
	}
	ret[len] = 0;
	return len;
}

static int seed_set(const uint8_t seed[SEED_BYTES])
{
	struct {
		struct rand_pool_info info;
		uint8_t b[SEED_BYTES];
	} pool = { .info = { .entropy_count = SEED_BYTES * 8, .buf_size = SEED_BYTES } };
	CLEANUP(fd_closep) int fd = -1;
	int r = 0;

	memcpy(pool.b, seed, SEED_BYTES);
	fd = open("/dev/urandom", O_RDWR | O_CLOEXEC);
	if (fd < 0 || ioctl(fd, RNDADDENTROPY, &pool) < 0 || ioctl(fd, RNDRESEEDCRNG) < 0)
		r = -errno;
	mem_wipe(&pool, sizeof(pool));
	return r;
}

static int go_apply(char line[GO_LINE_MAX])
{
	struct timespec now = { 0 };
	uint8_t seed[SEED_BYTES];
	int64_t seconds;
	int r;

	r = go_parse(line, seed, &seconds);
	mem_wipe(line, GO_LINE_MAX);
	if (r < 0)
		return r;
	r = seed_set(seed);
	mem_wipe(seed, sizeof(seed));
	if (r < 0)
		return r;
	now.tv_sec = seconds;
	return clock_settime(CLOCK_REALTIME, &now) < 0 ? -errno : 0;
}

int port_wait_go(void)
{
	CLEANUP(fd_closep) int fd = -1;
	char path[PORT_PATH_MAX], line[GO_LINE_MAX];
	int i, r = -ENOENT;

	for (i = 0; i < FIND_TRIES && r < 0; i++) {
		r = port_find("niter.boot", path);
		if (r < 0)
			sleep_ms(FIND_MS);
	}
	if (r < 0)
		return r;
	fd = open(path, O_RDWR | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		return -errno;
	for (;;) {
		/* Blocks until somebody is connected; each connection hears it. */
		if (fd_write_full(fd, "ready\n", 6) < 0) {
			sleep_ms(RETRY_MS);
			continue;
		}
		r = line_read(fd, line);
		if (r > 0) {
			r = go_apply(line);
			if (r == 0)
				return 0;
			log_err("init.go", "text=\"the host's go was not understood: %s\"",
				strerrordesc_np(-r));
		}
		sleep_ms(RETRY_MS);
	}
}
