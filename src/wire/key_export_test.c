/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fd.h"
#include "wire/key_export.h"

/* What a script turns into a line of tshark's esp_sa table. */
static void key_export__logs_spi_key_and_salt_of_both_directions(void **state)
{
	struct ctl_tun_key k = {
		.peer = 2, .epoch = 3, .vni = 0x1001, .tx.spi = 0x12345678, .rx.spi = 0x100
	};
	int fd = memfd_create("log", MFD_CLOEXEC), old = dup(2);
	static char text[4096];
	ssize_t n;

	(void)state;
	memset(k.tx.key, 0xab, 32);
	memset(k.rx.key, 0xcd, 32);
	memset(k.tx.salt, 0x01, 4);
	memset(k.rx.salt, 0x02, 4);
	assert_true(fd >= 0 && old >= 0 && dup2(fd, 2) == 2);
	key_export(&k);
	assert_int_equal(dup2(old, 2), 2);
	n = pread(fd, text, sizeof(text) - 1, 0);
	assert_true(n > 0);
	assert_non_null(strstr(text,
			       "ev=key_export.sa dir=tx peer=2 epoch=3 vni=4097 spi=0x12345678 "
			       "key=abababababababab"
			       "abababababababababababababababababababababababab salt=01010101\n"));
	assert_non_null(strstr(text,
			       "ev=key_export.sa dir=rx peer=2 epoch=3 vni=4097 spi=0x00000100 "
			       "key=cdcdcdcdcdcdcdcd"
			       "cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd salt=02020202\n"));
	fd_closep(&fd);
	fd_closep(&old);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(key_export__logs_spi_key_and_salt_of_both_directions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
