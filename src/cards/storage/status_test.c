/* SPDX-License-Identifier: Apache-2.0 */

#include "cards/storage/status.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void status__of_success_is_zero(void **state)
{
	(void)state;
	assert_int_equal(nvme_status_of(0, 0), 0);
	assert_int_equal(nvme_status_of(0, 1), 0);
}

static void status__media_errors_tell_reads_from_writes(void **state)
{
	(void)state;
	assert_int_equal(nvme_status_of(-EIO, 0), NVME_SC_READ_ERROR);
	assert_int_equal(nvme_status_of(-EIO, 1), NVME_SC_WRITE_FAULT);
}

static void status__what_the_guest_did_wrong_is_not_worth_a_retry(void **state)
{
	static const int err[] = { -EPROTO, -EINVAL, -ERANGE, -EROFS, -ENOSPC };
	unsigned i;

	(void)state;
	for (i = 0; i < 5; i++)
		assert_true(nvme_status_of(err[i], 1) & NVME_SC_DNR);
	/* twin: what may pass is */
	assert_false(nvme_status_of(-ENOMEM, 1) & NVME_SC_DNR);
	assert_false(nvme_status_of(-ECANCELED, 1) & NVME_SC_DNR);
}

static void status__anything_else_is_internal(void **state)
{
	int e;

	(void)state;
	for (e = 1; e < 200; e++)
		assert_true(nvme_status_of(-e, 0) != 0);
	assert_int_equal(nvme_status_of(-EPERM, 0), NVME_SC_INTERNAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(status__of_success_is_zero),
		cmocka_unit_test(status__media_errors_tell_reads_from_writes),
		cmocka_unit_test(status__what_the_guest_did_wrong_is_not_worth_a_retry),
		cmocka_unit_test(status__anything_else_is_internal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
