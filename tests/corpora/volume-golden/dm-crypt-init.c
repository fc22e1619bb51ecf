/* SPDX-License-Identifier: Apache-2.0 */

/*
 * PID 1 of the small machine of dm-crypt.sh. On /dev/vda is a fresh container of ours: dm-crypt writes /plaintext into
 * it. On /dev/vdb is one that our code filled with the same plaintext: dm-crypt reads it. Says how it went on the
 * console, and powers off.
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

enum { BYTES = 262144 };

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
	must_be(fd >= 0 && syscall(SYS_finit_module, fd, "", 0) == 0, path);
	close(fd);
}

static void map(const char *device, const char *name)
{
	int status;
	pid_t pid = fork();

	must_be(pid >= 0, "fork");
	if (pid == 0) {
		execl("/sbin/cryptsetup", "cryptsetup", "open", "--key-size", "512",
		      "--volume-key-file", "/key", device, name, (char *)NULL);
		_exit(127);
	}
	must_be(waitpid(pid, &status, 0) == pid && status == 0, "cryptsetup open");
}

static void all_read(const char *path, char *to)
{
	int fd = open(path, O_RDONLY);

	must_be(fd >= 0 && read(fd, to, BYTES) == BYTES, path);
	close(fd);
}

int main(void)
{
	int fd;

	setenv("DM_DISABLE_UDEV", "1", 1);
	mkdir("/proc", 0755), mkdir("/sys", 0755), mkdir("/dev", 0755), mkdir("/run", 0755);
	mount("proc", "/proc", "proc", 0, NULL);
	mount("sysfs", "/sys", "sysfs", 0, NULL);
	mount("devtmpfs", "/dev", "devtmpfs", 0, NULL);
	mount("run", "/run", "tmpfs", 0, NULL);
	module_load("virtio_blk");
	module_load("xts");
	module_load("dm-mod");
	module_load("dm-crypt");
	all_read("/plaintext", plain);

	map("/dev/vdb", "ours");
	all_read("/dev/mapper/ours", got);
	must_be(memcmp(plain, got, BYTES) == 0, "dm-crypt reads something else");

	map("/dev/vda", "golden");
	fd = open("/dev/mapper/golden", O_RDWR);
	must_be(fd >= 0 && write(fd, plain, BYTES) == BYTES && fsync(fd) == 0, "write");
	must_be(lseek(fd, 0, SEEK_END) == BYTES, "the size of the mapping");
	close(fd);
	end("good");
}
