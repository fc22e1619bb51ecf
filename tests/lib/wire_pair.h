/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Two hosts' wires for a unit test: a1 and a2 on host 1, b1 on host 2, one network. Its functions live here, because each
 * test file is a program of its own.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "wire_rig.h"

#define MS ((uint64_t)1000000)
#define CHECK CTL_VPC_SOURCE_DEST_CHECK

static struct rig a, b;
static struct rig_port *a1, *a2, *b1;

static int setup(void **state)
{
	(void)state;
	rig_init(&a, 1);
	rig_init(&b, 2);
	a1 = rig_port(&a, 1, RIG_VNI, CHECK);
	a2 = rig_port(&a, 2, RIG_VNI, CHECK);
	b1 = rig_port(&b, 1, RIG_VNI, CHECK);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	rig_done(&a);
	rig_done(&b);
	return 0;
}

/* Everybody knows everybody. */
static void map_all(void)
{
	rig_peer(&a, &b);
	rig_peer(&b, &a);
	assert_int_equal(rig_map(&a, a1, 4, 0), 0);
	assert_int_equal(rig_map(&a, a2, 4, 0), 0);
	assert_int_equal(rig_map(&a, b1, 4, 2), 0);
	assert_int_equal(rig_map(&b, b1, 4, 0), 0);
	assert_int_equal(rig_map(&b, a1, 4, 1), 0);
	assert_int_equal(rig_map(&b, a2, 4, 1), 0);
}

static void settle(void)
{
	unsigned i;

	for (i = 0; i < 20; i++)
		rig_run(&a, &b, 10 * MS);
}
