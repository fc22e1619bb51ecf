/* SPDX-License-Identifier: Apache-2.0 */

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "controller/types.h"

/*
 * What EC2 does not publish. A type sends for five minutes at its burst rate, full-sized packets of 1,250 bytes at it,
 * and tracks connections by its vCPUs.
 */
enum {
	BURST_SECONDS = 300,
	PPS_PER_MBIT = 100,
	CONNTRACK_PER_VCPU = 8192,
	CONNTRACK_MAX = 1 << 18,
};

/* spec: ec2-types: the tables of https://aws.amazon.com/ec2/instance-types/, vCPU, memory and network columns. */
/* clang-format off: a table */
const struct instance_type instance_types[] = {
	{ "t3.nano", 2, 512, 32, 5000 },
	{ "t3.micro", 2, 1024, 64, 5000 },
	{ "t3.small", 2, 2048, 128, 5000 },
	{ "t3.medium", 2, 4096, 256, 5000 },
	{ "t3.large", 2, 8192, 512, 5000 },
	{ "t3.xlarge", 4, 16384, 1024, 5000 },
	{ "t3.2xlarge", 8, 32768, 2048, 5000 },
	{ "t3a.nano", 2, 512, 32, 5000 },
	{ "t3a.micro", 2, 1024, 64, 5000 },
	{ "t3a.small", 2, 2048, 128, 5000 },
	{ "t3a.medium", 2, 4096, 256, 5000 },
	{ "t3a.large", 2, 8192, 512, 5000 },
	{ "t3a.xlarge", 4, 16384, 1024, 5000 },
	{ "t3a.2xlarge", 8, 32768, 2048, 5000 },
	{ "m5.large", 2, 8192, 750, 10000 },
	{ "m5.xlarge", 4, 16384, 1250, 10000 },
	{ "m5.2xlarge", 8, 32768, 2500, 10000 },
	{ "m5.4xlarge", 16, 65536, 5000, 10000 },
	{ "m5.8xlarge", 32, 131072, 10000, 10000 },
	{ "m5.12xlarge", 48, 196608, 12000, 12000 },
	{ "m5.16xlarge", 64, 262144, 20000, 20000 },
	{ "m5.24xlarge", 96, 393216, 25000, 25000 },
	{ "m5a.large", 2, 8192, 750, 10000 },
	{ "m5a.xlarge", 4, 16384, 1250, 10000 },
	{ "m5a.2xlarge", 8, 32768, 2500, 10000 },
	{ "m5a.4xlarge", 16, 65536, 5000, 10000 },
	{ "m5a.8xlarge", 32, 131072, 7500, 10000 },
	{ "m5a.12xlarge", 48, 196608, 10000, 10000 },
	{ "m5a.16xlarge", 64, 262144, 12000, 12000 },
	{ "m5a.24xlarge", 96, 393216, 20000, 20000 },
	{ "m6i.large", 2, 8192, 781, 12500 },
	{ "m6i.xlarge", 4, 16384, 1562, 12500 },
	{ "m6i.2xlarge", 8, 32768, 3125, 12500 },
	{ "m6i.4xlarge", 16, 65536, 6250, 12500 },
	{ "m6i.8xlarge", 32, 131072, 12500, 12500 },
	{ "m6i.12xlarge", 48, 196608, 18750, 18750 },
	{ "m6i.16xlarge", 64, 262144, 25000, 25000 },
	{ "m6i.24xlarge", 96, 393216, 37500, 37500 },
	{ "m6i.32xlarge", 128, 524288, 50000, 50000 },
	{ "c5.large", 2, 4096, 750, 10000 },
	{ "c5.xlarge", 4, 8192, 1250, 10000 },
	{ "c5.2xlarge", 8, 16384, 2500, 10000 },
	{ "c5.4xlarge", 16, 32768, 5000, 10000 },
	{ "c5.9xlarge", 36, 73728, 12000, 12000 },
	{ "c5.12xlarge", 48, 98304, 12000, 12000 },
	{ "c5.18xlarge", 72, 147456, 25000, 25000 },
	{ "c5.24xlarge", 96, 196608, 25000, 25000 },
	{ "c5a.large", 2, 4096, 750, 10000 },
	{ "c5a.xlarge", 4, 8192, 1250, 10000 },
	{ "c5a.2xlarge", 8, 16384, 2500, 10000 },
	{ "c5a.4xlarge", 16, 32768, 5000, 10000 },
	{ "c5a.8xlarge", 32, 65536, 10000, 10000 },
	{ "c5a.12xlarge", 48, 98304, 12000, 12000 },
	{ "c5a.16xlarge", 64, 131072, 20000, 20000 },
	{ "c5a.24xlarge", 96, 196608, 20000, 20000 },
	{ "c6i.large", 2, 4096, 781, 12500 },
	{ "c6i.xlarge", 4, 8192, 1562, 12500 },
	{ "c6i.2xlarge", 8, 16384, 3125, 12500 },
	{ "c6i.4xlarge", 16, 32768, 6250, 12500 },
	{ "c6i.8xlarge", 32, 65536, 12500, 12500 },
	{ "c6i.12xlarge", 48, 98304, 18750, 18750 },
	{ "c6i.16xlarge", 64, 131072, 25000, 25000 },
	{ "c6i.24xlarge", 96, 196608, 37500, 37500 },
	{ "c6i.32xlarge", 128, 262144, 50000, 50000 },
	{ "r5.large", 2, 16384, 750, 10000 },
	{ "r5.xlarge", 4, 32768, 1250, 10000 },
	{ "r5.2xlarge", 8, 65536, 2500, 10000 },
	{ "r5.4xlarge", 16, 131072, 5000, 10000 },
	{ "r5.8xlarge", 32, 262144, 10000, 10000 },
	{ "r5.12xlarge", 48, 393216, 12000, 12000 },
	{ "r5.16xlarge", 64, 524288, 20000, 20000 },
	{ "r5.24xlarge", 96, 786432, 25000, 25000 },
	{ "r5a.large", 2, 16384, 750, 10000 },
	{ "r5a.xlarge", 4, 32768, 1250, 10000 },
	{ "r5a.2xlarge", 8, 65536, 2500, 10000 },
	{ "r5a.4xlarge", 16, 131072, 5000, 10000 },
	{ "r5a.8xlarge", 32, 262144, 7500, 10000 },
	{ "r5a.12xlarge", 48, 393216, 10000, 10000 },
	{ "r5a.16xlarge", 64, 524288, 12000, 12000 },
	{ "r5a.24xlarge", 96, 786432, 20000, 20000 },
	{ "r6i.large", 2, 16384, 781, 12500 },
	{ "r6i.xlarge", 4, 32768, 1562, 12500 },
	{ "r6i.2xlarge", 8, 65536, 3125, 12500 },
	{ "r6i.4xlarge", 16, 131072, 6250, 12500 },
	{ "r6i.8xlarge", 32, 262144, 12500, 12500 },
	{ "r6i.12xlarge", 48, 393216, 18750, 18750 },
	{ "r6i.16xlarge", 64, 524288, 25000, 25000 },
	{ "r6i.24xlarge", 96, 786432, 37500, 37500 },
	{ "r6i.32xlarge", 128, 1048576, 50000, 50000 },
};
/* clang-format on */
const size_t instance_type_cnt = sizeof(instance_types) / sizeof(instance_types[0]);

const struct instance_type *type_find(const char *name)
{
	for (size_t i = 0; i < instance_type_cnt; i++)
		if (strcmp(instance_types[i].name, name) == 0)
			return &instance_types[i];
	return NULL;
}

struct cpu_options type_default_cpus(const struct instance_type *t)
{
	struct cpu_options o = { (uint16_t)(t->vcpus / 2), 2 };

	return o;
}

struct type_network type_network(const struct instance_type *t)
{
	struct type_network n = {
		.bps_baseline = (uint64_t)t->net_mbit_baseline * 1000000,
		.bps_burst = (uint64_t)t->net_mbit_burst * 1000000,
		.burst_seconds = t->net_mbit_burst > t->net_mbit_baseline ? BURST_SECONDS : 0,
		.pps = (uint64_t)t->net_mbit_burst * PPS_PER_MBIT,
		.conntrack_max = (uint32_t)t->vcpus * CONNTRACK_PER_VCPU,
	};

	if (n.conntrack_max > CONNTRACK_MAX)
		n.conntrack_max = CONNTRACK_MAX;
	return n;
}

/* One to three decimal digits, no leading zero. Return: true and *ret, and *s moved behind them. */
static bool digits_take(const char **s, unsigned *ret)
{
	unsigned v = 0;
	size_t n = 0;

	while (n < 3 && (*s)[n] >= '0' && (*s)[n] <= '9')
		v = v * 10 + (unsigned)((*s)[n++] - '0');
	if (n == 0 || (*s)[0] == '0')
		return false;
	*s += n;
	*ret = v;
	return true;
}

int cpus_parse(const struct instance_type *t, const char *s, struct cpu_options *ret)
{
	unsigned cores = 0, threads = 0;

	if (!digits_take(&s, &cores) || *s != 'x')
		return -EINVAL;
	s++;
	if (!digits_take(&s, &threads) || *s != '\0')
		return -EINVAL;
	if (cores > t->vcpus / 2U || threads > 2)
		return -ERANGE;

	ret->cores = (uint16_t)cores;
	ret->threads = (uint8_t)threads;
	return 0;
}
