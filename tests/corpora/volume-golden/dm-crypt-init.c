/* SPDX-License-Identifier: Apache-2.0 */

/*
 * PID 1 of the small machine of dm-crypt.sh. NVMe namespace 1 is a fresh container of ours: dm-crypt writes /plaintext
 * into it. Namespace 2 is one that our code filled with the same plaintext: dm-crypt reads it. 3 and 4: the same again at
 * HIGH_OFF. Says how it went on the console, and powers off.
 */

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { BYTES = 262144, HIGH_BYTES = 12288 };
#define HIGH_OFF (((off_t)1 << 41) - 4096)

static char plain[BYTES], got[BYTES];

static void end(const char *what)
{
	printf("RESULT %s\n", what);
	fflush(stdout);
	sync();
	reboot(RB_POWER_OFF);
	for (;;)
		pause();
}

static void must_be(int good, const char *what)
{
	if (!good) {
		perror(what);
		end(what);
	}
}

static void module_load(const char *name)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/modules/%s.ko", name);
	fd = open(path, O_RDONLY);
	if (fd < 0)
		return; /* built in */
	must_be(syscall(SYS_finit_module, fd, "", 0) == 0, path);
	close(fd);
}

/* Linux numbers its devices in the order in which it found them; the namespace's own number is ours. */
static void namespace_find(char nsid, char ret[32])
{
	char path[64], id;
	int n, fd;

	for (n = 1; n <= 4; n++) {
		snprintf(path, sizeof(path), "/sys/block/nvme0n%d/nsid", n);
		fd = open(path, O_RDONLY);
		must_be(fd >= 0 && read(fd, &id, 1) == 1, path);
		close(fd);
		if (id == nsid)
			snprintf(ret, 32, "/dev/nvme0n%d", n);
	}
}

static void map(char nsid, const char *name)
{
	char device[32];
	int status;
	pid_t pid;

	namespace_find(nsid, device);
	pid = fork();

	must_be(pid >= 0, "fork");
	if (pid == 0) {
		execl("/sbin/cryptsetup", "cryptsetup", "open", "--key-size", "512",
		      "--volume-key-file", "/key", device, name, (char *)NULL);
		_exit(127);
	}
	must_be(waitpid(pid, &status, 0) == pid && status == 0, "cryptsetup open");
}

static void part_read(const char *path, char *to, size_t len, off_t off)
{
	int fd = open(path, O_RDONLY);

	must_be(fd >= 0 && pread(fd, to, len, off) == (ssize_t)len, path);
	close(fd);
}

static void must_read(char nsid, const char *name, size_t len, off_t off)
{
	char path[64];

	map(nsid, name);
	snprintf(path, sizeof(path), "/dev/mapper/%s", name);
	part_read(path, got, len, off);
	must_be(memcmp(plain, got, len) == 0, "dm-crypt reads something else");
}

static void must_write(char nsid, const char *name, size_t len, off_t off, off_t size)
{
	char path[64];
	int fd;

	map(nsid, name);
	snprintf(path, sizeof(path), "/dev/mapper/%s", name);
	fd = open(path, O_RDWR);
	must_be(fd >= 0 && pwrite(fd, plain, len, off) == (ssize_t)len && fsync(fd) == 0, "write");
	must_be(lseek(fd, 0, SEEK_END) == size, "the size of the mapping");
	close(fd);
}

int main(void)
{
	setenv("DM_DISABLE_UDEV", "1", 1);
	mkdir("/proc", 0755), mkdir("/sys", 0755), mkdir("/dev", 0755), mkdir("/run", 0755);
	mount("proc", "/proc", "proc", 0, NULL);
	mount("sysfs", "/sys", "sysfs", 0, NULL);
	mount("devtmpfs", "/dev", "devtmpfs", 0, NULL);
	mount("run", "/run", "tmpfs", 0, NULL);
	module_load("ecb");
	module_load("xts");
	module_load("dm-mod");
	module_load("dm-crypt");
	part_read("/plaintext", plain, BYTES, 0);

	must_read('2', "ours", BYTES, 0);
	must_read('4', "ours-high", HIGH_BYTES, HIGH_OFF);
	must_write('1', "golden", BYTES, 0, BYTES);
	must_write('3', "golden-high", HIGH_BYTES, HIGH_OFF, ((off_t)1 << 41) + (1 << 20));
	end("good");
}
