/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What tests of EC2 actions expect of an answer; cmocka tests only. The calls are account A's. */

#include "base/attr.h"
#include "ec2_world.h"

enum { EC2_KEEP = 64 };

/* Of a group of tests: each begins with a new world. */
int ec2_test_start(void **state);
int ec2_test_stop(void **state);

/* ec2_done(): @status, of the call just made, is 200; else the test fails and shows the answer. */
void ec2_done(unsigned status);
/* ec2_refuses(): the call is refused with @code and no row has changed. */
void ec2_refuses(const char *code, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* ec2_keep(): a copy of a member of the last answer, which must be there. Return: @buf. */
const char *ec2_keep(char buf[EC2_KEEP], const char *name);
/* ec2_coded(): every byte percent-encoded; @ret has room for three times @s. */
const char *ec2_coded(char *ret, const char *s);
/* ec2_filter_finds(): @action with filter @name finds @what with value @hit and not with @miss. */
void ec2_filter_finds(const char *action, const char *name, const char *what, const char *hit,
		      const char *miss);
/* ec2_default_vpc(): the id of an account's. Return: @buf. */
const char *ec2_default_vpc(const char *account, char buf[EC2_KEEP]);
