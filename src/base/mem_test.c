/* SPDX-License-Identifier: Apache-2.0 */
#include "base/mem.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* The flags of the mapping at @p: "rd wr mr mw me lo dd dc " */
static void map_flags(const void *p, char ret[256])
{
	char line[512], want[32];
	FILE *f = fopen("/proc/self/smaps", "re");
	int found = 0;

	assert_non_null(f);
	ret[0] = '\0';
	(void)snprintf(want, sizeof(want), "%lx-", (unsigned long)(uintptr_t)p);
	while (fgets(line, sizeof(line), f)) {
		if (!strncmp(line, want, strlen(want)))
			found = 1;
		if (found && !strncmp(line, "VmFlags: ", 9)) {
			(void)snprintf(ret, 256, "%.250s", line + 9);
			break;
		}
	}
	(void)fclose(f);
}

static void secret__is_zeroed_locked_and_left_out_of_dumps_and_children(void **state)
{
	char flags[256];
	uint8_t *p;
	void *v;
	int i;

	(void)state;
	assert_int_equal(secret_new(5000, &v), 0);
	p = v;
	for (i = 0; i < 5000; i++)
		assert_int_equal(p[i], 0);
	memset(p, 0x5a, 5000);
	map_flags(p, flags);
	assert_non_null(strstr(flags, "lo "));
	assert_non_null(strstr(flags, "dd "));
	assert_non_null(strstr(flags, "dc "));
	secret_free(p, 5000);
	secret_free(NULL, 5000);
}

static void secret__is_not_there_in_a_forked_child(void **state)
{
	int status;
	void *v;
	pid_t pid;

	(void)state;
	assert_int_equal(secret_new(64, &v), 0);
	pid = fork();
	if (pid == 0) {
		int pipefd[2];

		/* write() of unmapped memory fails with EFAULT, without a signal. */
		if (pipe(pipefd) < 0)
			_exit(2);
		_exit(write(pipefd[1], v, 64) == -1 && errno == EFAULT ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	secret_free(v, 64);
}

static void secret_new__rejects_nothing_and_too_much(void **state)
{
	void *v = NULL;

	(void)state;
	assert_int_equal(secret_new(0, &v), -EINVAL);
	assert_int_equal(secret_new(SIZE_MAX, &v), -EINVAL);
	assert_int_equal(mem_zalloc_pages(SIZE_MAX - 1, &v), -EINVAL);
	assert_null(v);
}

static void mem_wipe__leaves_zeroes(void **state)
{
	uint8_t b[33];
	size_t i;

	(void)state;
	memset(b, 0xff, sizeof(b));
	mem_wipe(b, 32);
	for (i = 0; i < 32; i++)
		assert_int_equal(b[i], 0);
	assert_int_equal(b[32], 0xff);
}

static void mem_equal_ct__finds_any_difference(void **state)
{
	uint8_t a[16] = { 0 }, b[16] = { 0 };
	int bit;

	(void)state;
	assert_int_equal(mem_equal_ct(a, b, 16), 1);
	for (bit = 0; bit < 128; bit++) {
		b[bit / 8] = (uint8_t)(1 << bit % 8);
		assert_int_equal(mem_equal_ct(a, b, 16), 0);
		b[bit / 8] = 0;
	}
	assert_int_equal(mem_equal_ct(a, "x", 0), 1);
}

static void mem_zalloc_pages__is_aligned_and_zeroed(void **state)
{
	uint8_t *p;
	void *v;

	(void)state;
	assert_int_equal(mem_zalloc_pages(1, &v), 0);
	p = v;
	assert_int_equal((uintptr_t)v % 4096, 0);
	assert_int_equal(p[0] | p[4095], 0);
	mem_free_pages(v, 1);
	mem_free_pages(NULL, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(secret__is_zeroed_locked_and_left_out_of_dumps_and_children),
		cmocka_unit_test(secret__is_not_there_in_a_forked_child),
		cmocka_unit_test(secret_new__rejects_nothing_and_too_much),
		cmocka_unit_test(mem_wipe__leaves_zeroes),
		cmocka_unit_test(mem_equal_ct__finds_any_difference),
		cmocka_unit_test(mem_zalloc_pages__is_aligned_and_zeroed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
