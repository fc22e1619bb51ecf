/* SPDX-License-Identifier: Apache-2.0 */

/*
 * niter-volume-format as the launcher starts it, without the jail: the test is launcher and security process.
 *   format_test PROGRAM
 */

#include "volume/volume_test.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "proto/control.h"

static const char *program;
static char dir[64];

enum { MIB_BYTES = 1 << 20 };

struct job {
	int ctl, keys; /* our ends */
	pid_t pid;
	int err; /* of the CTL_ACK */
	char text[CTL_TEXT_MAX];
	uint64_t progress; /* the last */
	unsigned progress_cnt;
	bool key_refused; /* what the security process is to do */
	bool key_short;
	struct ctl_key_request asked;
};

static int file_new(const char *name, uint64_t size)
{
	char path[128];
	int fd;

	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)size), 0);
	return fd;
}

static void start(struct job *j)
{
	int theirs;

	assert_int_equal(fd_socketpair(SOCK_SEQPACKET, &j->ctl, &theirs), 0);
	j->pid = fork();
	assert_true(j->pid >= 0);
	if (j->pid == 0) {
		(void)setenv("NITER_UNJAILED", "1", 1);
		if (dup2(theirs, CTL_FD) == CTL_FD)
			(void)execl(program, program, (char *)NULL);
		_exit(127);
	}
	close(theirs);
}

static void answer_key(struct job *j)
{
	static struct ctl_msg m;
	static struct ctl_key_data d;

	assert_int_equal(ctl_recv(j->keys, &m), 1);
	assert_int_equal(m.type, CTL_KEY_CREATE);
	j->asked = m.u.key_request;
	memset(&d, 0, sizeof(d));
	memcpy(d.volume_id, j->asked.volume_id, sizeof(d.volume_id));
	if (j->key_refused) {
		d.err = -EEXIST;
		(void)snprintf(d.text, sizeof(d.text),
			       "the volume already has a key: delete it first");
	} else {
		struct key *k = test_key(1);

		d.key.len = j->key_short ? 32 : 64;
		memcpy(d.key.b, key_bytes(k), d.key.len);
		d.wrapped.len = 100;
		memset(d.wrapped.b, 0x42, 100);
		key_free(k);
	}
	/* A key of 32 bytes does not pass the codec: send the packet as it would be. */
	if (j->key_short)
		d.key.len = 0;
	assert_int_equal(ctl_send(j->keys, CTL_KEY_DATA, m.seq, &d, NULL, 0), 0);
	ctl_msg_done(&m);
}

static void run(struct job *j, int file, uint64_t size, int image)
{
	struct ctl_format_job q = { .volume_id = "vol-0123456789abcdef0",
				    .size = size,
				    .has_image = image >= 0 };
	static struct ctl_msg m;
	int theirs, fds[3], status;

	start(j);
	assert_int_equal(fd_socketpair(SOCK_SEQPACKET, &j->keys, &theirs), 0);
	fds[0] = file;
	fds[1] = theirs;
	fds[2] = image;
	assert_int_equal(ctl_send(j->ctl, CTL_FORMAT_JOB, 9, &q, fds, image >= 0 ? 3 : 2), 0);
	close(theirs);
	if (size % 4096 == 0 && (image < 0 || lseek(image, 0, SEEK_END) % 512 == 0) &&
	    lseek(image, 0, SEEK_END) <= (off_t)size)
		answer_key(j);
	for (;;) {
		assert_int_equal(ctl_recv(j->ctl, &m), 1);
		assert_int_equal(m.seq, 9);
		if (m.type == CTL_ACK)
			break;
		assert_int_equal(m.type, CTL_FORMAT_PROGRESS);
		assert_true(m.u.format_progress.done >= j->progress);
		j->progress = m.u.format_progress.done;
		j->progress_cnt++;
		ctl_msg_done(&m);
	}
	j->err = m.u.ack.err;
	memcpy(j->text, m.u.ack.text, sizeof(j->text));
	ctl_msg_done(&m);
	assert_int_equal(waitpid(j->pid, &status, 0), j->pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	close(j->ctl);
	close(j->keys);
}

static struct vol *open_made(int file)
{
	struct vol_backing *b;
	struct vol_params p;
	struct key *k = test_key(1);
	struct vol *v;

	assert_int_equal(vol_backing_file_new(dup(file), 8, &b), 0);
	assert_int_equal(vol_params_read(b, &p), 0);
	assert_string_equal(p.volume_id, "vol-0123456789abcdef0");
	assert_string_equal(p.key_id, "vol-0123456789abcdef0.1");
	assert_int_equal(p.wrapped_len, 100);
	assert_int_equal(p.wrapped[99], 0x42);
	assert_int_equal(vol_open(b, &p, k, NULL, &v), 0);
	key_free(k);
	return v;
}

static void volume_format__makes_a_blank_volume(void **state)
{
	struct job j = { 0 };
	struct stat st;
	struct vol *v;
	int file = file_new("v.luks", 0);

	(void)state;
	run(&j, file, 1ULL << 30, -1);
	assert_int_equal(j.err, 0);
	assert_string_equal(j.text, "");
	assert_string_equal(j.asked.cipher, "aes-xts-plain64");
	assert_int_equal(j.asked.sector_bytes, 4096);
	assert_int_equal(j.asked.payload_off, 16 << 20);
	assert_int_equal(j.asked.size, 1ULL << 30);
	assert_int_equal(fstat(file, &st), 0);
	assert_int_equal(st.st_size, (16 << 20) + (1ULL << 30));
	assert_true(st.st_blocks * 512 < 256 * 1024);
	v = open_made(file);
	assert_int_equal(vol_size(v), 1ULL << 30);
	vol_free(v);
	close(file);
}

static void volume_format__copies_an_image_and_keeps_it_sparse(void **state)
{
	static uint8_t in[3 * MIB_BYTES + 1536], out[3 * MIB_BYTES + 4096];
	const uint64_t size = 64ULL * MIB_BYTES, far = 40ULL * MIB_BYTES;
	struct job j = { 0 };
	struct stat st;
	struct vol *v;
	int file = file_new("v.luks", 0), image = file_new("image", far + sizeof(in));

	(void)state;
	for (size_t i = 0; i < sizeof(in); i++)
		in[i] = i / 4096 % 3 == 1 ? 0 : (uint8_t)(i * 31 + i / 4096);
	/* Data at the start, with units of zeroes in it; a hole; data to an end in the middle of a unit. */
	assert_int_equal(fd_pwrite_full(image, in, sizeof(in), 0), 0);
	assert_int_equal(fd_pwrite_full(image, in, sizeof(in), far), 0);
	run(&j, file, size, image);
	assert_int_equal(j.err, 0);
	assert_int_equal(j.progress, far + sizeof(in));

	v = open_made(file);
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(
			test_run(v, VOL_READ, i ? far : 0, out, 3 * MIB_BYTES + 4096, false), 0);
		assert_memory_equal(out, in, sizeof(in));
		for (size_t z = sizeof(in); z < sizeof(out); z++)
			assert_int_equal(out[z], 0);
	}
	vol_free(v);
	/* Two thirds of 2 x 3 MiB; neither the hole nor the zero units are on the disk. */
	assert_int_equal(fstat(file, &st), 0);
	assert_true(st.st_blocks * 512 < 4 * MIB_BYTES + 512 * 1024);
	close(file);
	close(image);
}

static void volume_format__refuses_an_image_that_does_not_fit(void **state)
{
	struct job j = { 0 };
	int file = file_new("v.luks", 0), image = file_new("image", 2 * MIB_BYTES + 512);

	(void)state;
	run(&j, file, 2ULL * MIB_BYTES, image);
	assert_int_equal(j.err, -EFBIG);
	assert_non_null(strstr(j.text, "--disk"));
	close(image);
	close(file);

	/* Its twin fits exactly. */
	j = (struct job){ 0 };
	file = file_new("v.luks", 0);
	image = file_new("image", 2 * MIB_BYTES);
	run(&j, file, 2ULL * MIB_BYTES, image);
	assert_int_equal(j.err, 0);
	close(image);
	close(file);
}

static void volume_format__refuses_an_image_of_odd_size(void **state)
{
	struct job j = { 0 };
	int file = file_new("v.luks", 0), image = file_new("image", 1000);

	(void)state;
	run(&j, file, 2ULL * MIB_BYTES, image);
	assert_int_equal(j.err, -EINVAL);
	assert_non_null(strstr(j.text, "multiple of 512"));
	close(image);
	close(file);
}

static void volume_format__refuses_an_odd_volume_size(void **state)
{
	struct job j = { 0 };
	int file = file_new("v.luks", 0);
	struct stat st;

	(void)state;
	run(&j, file, 4097, -1);
	assert_int_equal(j.err, -EINVAL);
	assert_int_equal(fstat(file, &st), 0);
	assert_int_equal(st.st_size, 0);
	close(file);
}

static void volume_format__passes_on_why_there_is_no_key(void **state)
{
	struct job j = { .key_refused = true };
	int file = file_new("v.luks", 0);
	struct stat st;

	(void)state;
	run(&j, file, 2ULL * MIB_BYTES, -1);
	assert_int_equal(j.err, -EEXIST);
	assert_string_equal(j.text, "the volume already has a key: delete it first");
	assert_int_equal(fstat(file, &st), 0);
	assert_int_equal(st.st_size, 0);
	close(file);
}

static void volume_format__refuses_an_answer_without_key(void **state)
{
	struct job j = { .key_short = true };
	int file = file_new("v.luks", 0);

	(void)state;
	run(&j, file, 2ULL * MIB_BYTES, -1);
	assert_int_equal(j.err, -EPROTO);
	close(file);
}

/* Takes a mount namespace of its own; last, because the process stays in it. */
static void volume_format__says_that_the_disk_is_full(void **state)
{
	static uint8_t data[8 * MIB_BYTES];
	struct job j = { 0 };
	char path[128];
	int file, image = file_new("image", sizeof(data));

	(void)state;
	memset(data, 1, sizeof(data));
	assert_int_equal(fd_pwrite_full(image, data, sizeof(data), 0), 0);
	(void)snprintf(path, sizeof(path), "%s/full", dir);
	assert_int_equal(mkdir(path, 0700), 0);
	if ((unshare(CLONE_NEWNS) < 0 && unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0) ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("full", path, "tmpfs", 0, "size=4m") < 0) {
		print_message("skipped: no mount namespace for a small disk (needs root or user "
			      "namespaces)\n");
		close(image);
		skip();
	}
	file = file_new("full/v.luks", 0);
	run(&j, file, 64ULL * MIB_BYTES, image);
	assert_int_equal(j.err, -ENOSPC);
	assert_non_null(strstr(j.text, "full"));
	close(file);
	close(image);
	assert_int_equal(umount2(path, MNT_DETACH), 0);
}

static int group_done(void **state)
{
	char cmd[128];

	(void)state;
	(void)snprintf(cmd, sizeof(cmd), "rm -rf %s", dir);
	return system(cmd); /* NOLINT(cert-env33-c): a path of our own making */
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(volume_format__makes_a_blank_volume),
		cmocka_unit_test(volume_format__copies_an_image_and_keeps_it_sparse),
		cmocka_unit_test(volume_format__refuses_an_image_that_does_not_fit),
		cmocka_unit_test(volume_format__refuses_an_image_of_odd_size),
		cmocka_unit_test(volume_format__refuses_an_odd_volume_size),
		cmocka_unit_test(volume_format__passes_on_why_there_is_no_key),
		cmocka_unit_test(volume_format__refuses_an_answer_without_key),
		cmocka_unit_test(volume_format__says_that_the_disk_is_full),
	};

	if (argc != 2)
		return 2;
	program = argv[1];
	(void)snprintf(dir, sizeof(dir), "/tmp/niter-format-XXXXXX");
	if (!mkdtemp(dir))
		return 2;
	return cmocka_run_group_tests(tests, NULL, group_done);
}
