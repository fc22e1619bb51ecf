/* SPDX-License-Identifier: Apache-2.0 */
#include "security/swtpm_test.h"

#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "base/fd.h"

enum {
	TPM_CC_CLEAR = 0x126,
	TPM_CC_PCR_EXTEND = 0x182,
	TPM_RH_LOCKOUT = 0x4000000a,
	TPM_RS_PW = 0x40000009
};

int swtpm_found(void)
{
	return access("/usr/bin/swtpm", X_OK) == 0;
}

void swtpm_boot(struct swtpm *t, const char *state)
{
	char fd_arg[16], state_arg[256];
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	(void)snprintf(fd_arg, sizeof(fd_arg), "%d", pair[1]);
	(void)snprintf(state_arg, sizeof(state_arg), "dir=%s", state);
	t->pid = fork();
	assert_true(t->pid >= 0);
	if (t->pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		(void)fcntl(pair[1], F_SETFD, 0);
		execl("/usr/bin/swtpm", "swtpm", "socket", "--tpm2", "--tpmstate", state_arg,
		      "--fd", fd_arg, "--flags", "not-need-init,startup-clear", (char *)NULL);
		_exit(127);
	}
	close(pair[1]);
	t->fd = pair[0];
}

void swtpm_off(struct swtpm *t)
{
	fd_closep(&t->fd);
	if (t->pid > 0) {
		(void)kill(t->pid, SIGTERM);
		(void)waitpid(t->pid, NULL, 0);
	}
	t->pid = -1;
}

/* A command with one handle, an empty password, and parameters. */
static void command(struct swtpm *t, uint32_t code, uint32_t handle, const void *params, size_t len)
{
	uint8_t b[256];
	struct wr out = wr_init(b, sizeof(b));
	struct rd in;
	ssize_t n;

	wr_be16(&out, 0x8002); /* TPM_ST_SESSIONS */
	wr_be32(&out, (uint32_t)(27 + len));
	wr_be32(&out, code);
	wr_be32(&out, handle);
	wr_be32(&out, 9);
	wr_be32(&out, TPM_RS_PW);
	wr_be16(&out, 0);
	wr_u8(&out, 0);
	wr_be16(&out, 0);
	wr_bytes(&out, params, len);
	assert_false(out.bad);
	assert_int_equal(fd_write_full(t->fd, b, out.len), 0);
	n = read(t->fd, b, sizeof(b));
	assert_true(n >= 10);
	in = rd_init(b, (size_t)n);
	rd_skip(&in, 6);
	assert_int_equal(rd_be32(&in), 0);
}

void swtpm_extend(struct swtpm *t, unsigned pcr)
{
	uint8_t b[38] = { 0, 0, 0, 1, 0, 0x0b, 'x' }; /* one digest, SHA-256 */

	command(t, TPM_CC_PCR_EXTEND, pcr, b, sizeof(b));
}

void swtpm_clear_owner(struct swtpm *t)
{
	command(t, TPM_CC_CLEAR, TPM_RH_LOCKOUT, NULL, 0);
}

void test_dir_new(char *ret, size_t cap)
{
	(void)snprintf(ret, cap, "/tmp/niter-test-XXXXXX");
	assert_non_null(mkdtemp(ret));
}

void test_dir_remove(const char *path)
{
	char file[512];
	struct dirent *e;
	DIR *d = opendir(path);

	while (d && (e = readdir(d))) {
		(void)snprintf(file, sizeof(file), "%s/%s", path, e->d_name);
		(void)unlink(file);
	}
	if (d)
		(void)closedir(d);
	(void)rmdir(path);
}
