/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"

/*
 * Plays a fuzz target's committed corpus as an ordinary test: every file of the folders given as arguments, and
 * the empty input. A finding ends the process, as it does under libFuzzer. A folder that is missing is empty.
 */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
/* A target that needs set-up defines it; others leave it out. */
int LLVMFuzzerInitialize(int *argc, char ***argv) __attribute__((weak));

enum { SEED_MAX = 1 << 20 }; /* bytes of one corpus file */

/* Return: 1 replayed, 0 not a file, -errno. */
static int file_replay(int dir, const char *name)
{
	CLEANUP(fd_closep) int fd = -1;
	CLEANUP(free_p) uint8_t *buf = NULL;
	struct stat st;
	int r;

	fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return 0;
	if (st.st_size > SEED_MAX)
		return -EFBIG;
	/* An exact allocation, so that a sanitizer sees the first byte read too far. */
	buf = malloc(st.st_size ? (size_t)st.st_size : 1);
	if (!buf)
		return -ENOMEM;
	r = fd_read_full(fd, buf, (size_t)st.st_size);
	if (r < 0)
		return r;
	(void)LLVMFuzzerTestOneInput(buf, (size_t)st.st_size);
	return 1;
}

static int dir_replay(const char *path)
{
	struct dirent *e;
	int cnt = 0, r = 0;
	DIR *d = opendir(path);

	if (!d)
		return errno == ENOENT ? 0 : -errno;
	while (r >= 0 && (e = readdir(d))) { /* NOLINT(concurrency-mt-unsafe): one thread */
		r = file_replay(dirfd(d), e->d_name);
		if (r < 0)
			(void)fprintf(stderr, "%s/%s: error %d\n", path, e->d_name, -r);
		else
			cnt += r;
	}
	closedir(d);
	return r < 0 ? r : cnt;
}

int main(int argc, char **argv)
{
	uint8_t nothing = 0;
	int i, r, cnt = 0;

	if (LLVMFuzzerInitialize)
		(void)LLVMFuzzerInitialize(&argc, &argv);
	(void)LLVMFuzzerTestOneInput(&nothing, 0);
	for (i = 1; i < argc; i++) {
		r = dir_replay(argv[i]);
		if (r < 0)
			return 1;
		cnt += r;
	}
	(void)printf("%d corpus files replayed\n", cnt);
	return 0;
}
