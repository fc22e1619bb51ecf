/* SPDX-License-Identifier: Apache-2.0 */

#include "ec2_expect.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { BODY_MAX = 4096 };

int ec2_test_start(void **state)
{
	(void)state;
	ec2_world_start();
	return 0;
}

int ec2_test_stop(void **state)
{
	(void)state;
	ec2_world_stop();
	return 0;
}

void ec2_done(unsigned status)
{
	if (status != 200)
		fail_msg("%u: %s", status, ew.body);
}

void ec2_refuses(const char *code, const char *fmt, ...)
{
	uint8_t before[32], after[32];
	char body[BODY_MAX];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(body, sizeof(body), fmt, ap);
	va_end(ap);
	assert_true(n > 0 && (size_t)n < sizeof(body));
	ec2_world_digest(before);
	assert_int_not_equal(ec2_ask(EC2_A, body), 200);
	if (!ec2_refused(code))
		fail_msg("%s: not %s but: %s", body, code, ew.body);
	ec2_world_digest(after);
	assert_memory_equal(before, after, sizeof(before));
}

const char *ec2_keep(char buf[EC2_KEEP], const char *name)
{
	int n = snprintf(buf, EC2_KEEP, "%s", ec2_answer_value(name));

	assert_true(n > 0 && n < EC2_KEEP);
	return buf;
}

const char *ec2_coded(char *ret, const char *s)
{
	ret[0] = '\0';
	for (size_t k = 0; s[k]; k++)
		(void)snprintf(ret + 3 * k, 4, "%%%02x", (unsigned char)s[k]);
	return ret;
}

static bool finds(const char *action, const char *name, const char *what, const char *value)
{
	ec2_done(ec2_askf("Action=%s&Filter.1.Name=%s&Filter.1.Value.1=%s", action, name, value));
	return ec2_answer_has(what);
}

void ec2_filter_finds(const char *action, const char *name, const char *what, const char *hit,
		      const char *miss)
{
	if (!finds(action, name, what, hit))
		fail_msg("%s does not find %s by %s=%s", action, what, name, hit);
	if (finds(action, name, what, miss))
		fail_msg("%s finds %s by %s=%s", action, what, name, miss);
}

const char *ec2_default_vpc(const char *account, char buf[EC2_KEEP])
{
	ec2_done(ec2_ask(account,
			 "Action=DescribeVpcs&Filter.1.Name=is-default&Filter.1.Value.1=true"));
	return ec2_keep(buf, "vpcId");
}
