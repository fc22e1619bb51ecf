/* SPDX-License-Identifier: Apache-2.0 */

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "controller/types.h"

/* spec: ec2-types: the tables of https://aws.amazon.com/ec2/instance-types/, vCPU and memory columns. */
/* clang-format off: a table */
const struct instance_type instance_types[] = {
	{ "t3.nano", 2, 512 },
	{ "t3.micro", 2, 1024 },
	{ "t3.small", 2, 2048 },
	{ "t3.medium", 2, 4096 },
	{ "t3.large", 2, 8192 },
	{ "t3.xlarge", 4, 16384 },
	{ "t3.2xlarge", 8, 32768 },
	{ "t3a.nano", 2, 512 },
	{ "t3a.micro", 2, 1024 },
	{ "t3a.small", 2, 2048 },
	{ "t3a.medium", 2, 4096 },
	{ "t3a.large", 2, 8192 },
	{ "t3a.xlarge", 4, 16384 },
	{ "t3a.2xlarge", 8, 32768 },
	{ "m5.large", 2, 8192 },
	{ "m5.xlarge", 4, 16384 },
	{ "m5.2xlarge", 8, 32768 },
	{ "m5.4xlarge", 16, 65536 },
	{ "m5.8xlarge", 32, 131072 },
	{ "m5.12xlarge", 48, 196608 },
	{ "m5.16xlarge", 64, 262144 },
	{ "m5.24xlarge", 96, 393216 },
	{ "m5a.large", 2, 8192 },
	{ "m5a.xlarge", 4, 16384 },
	{ "m5a.2xlarge", 8, 32768 },
	{ "m5a.4xlarge", 16, 65536 },
	{ "m5a.8xlarge", 32, 131072 },
	{ "m5a.12xlarge", 48, 196608 },
	{ "m5a.16xlarge", 64, 262144 },
	{ "m5a.24xlarge", 96, 393216 },
	{ "m6i.large", 2, 8192 },
	{ "m6i.xlarge", 4, 16384 },
	{ "m6i.2xlarge", 8, 32768 },
	{ "m6i.4xlarge", 16, 65536 },
	{ "m6i.8xlarge", 32, 131072 },
	{ "m6i.12xlarge", 48, 196608 },
	{ "m6i.16xlarge", 64, 262144 },
	{ "m6i.24xlarge", 96, 393216 },
	{ "m6i.32xlarge", 128, 524288 },
	{ "c5.large", 2, 4096 },
	{ "c5.xlarge", 4, 8192 },
	{ "c5.2xlarge", 8, 16384 },
	{ "c5.4xlarge", 16, 32768 },
	{ "c5.9xlarge", 36, 73728 },
	{ "c5.12xlarge", 48, 98304 },
	{ "c5.18xlarge", 72, 147456 },
	{ "c5.24xlarge", 96, 196608 },
	{ "c5a.large", 2, 4096 },
	{ "c5a.xlarge", 4, 8192 },
	{ "c5a.2xlarge", 8, 16384 },
	{ "c5a.4xlarge", 16, 32768 },
	{ "c5a.8xlarge", 32, 65536 },
	{ "c5a.12xlarge", 48, 98304 },
	{ "c5a.16xlarge", 64, 131072 },
	{ "c5a.24xlarge", 96, 196608 },
	{ "c6i.large", 2, 4096 },
	{ "c6i.xlarge", 4, 8192 },
	{ "c6i.2xlarge", 8, 16384 },
	{ "c6i.4xlarge", 16, 32768 },
	{ "c6i.8xlarge", 32, 65536 },
	{ "c6i.12xlarge", 48, 98304 },
	{ "c6i.16xlarge", 64, 131072 },
	{ "c6i.24xlarge", 96, 196608 },
	{ "c6i.32xlarge", 128, 262144 },
	{ "r5.large", 2, 16384 },
	{ "r5.xlarge", 4, 32768 },
	{ "r5.2xlarge", 8, 65536 },
	{ "r5.4xlarge", 16, 131072 },
	{ "r5.8xlarge", 32, 262144 },
	{ "r5.12xlarge", 48, 393216 },
	{ "r5.16xlarge", 64, 524288 },
	{ "r5.24xlarge", 96, 786432 },
	{ "r5a.large", 2, 16384 },
	{ "r5a.xlarge", 4, 32768 },
	{ "r5a.2xlarge", 8, 65536 },
	{ "r5a.4xlarge", 16, 131072 },
	{ "r5a.8xlarge", 32, 262144 },
	{ "r5a.12xlarge", 48, 393216 },
	{ "r5a.16xlarge", 64, 524288 },
	{ "r5a.24xlarge", 96, 786432 },
	{ "r6i.large", 2, 16384 },
	{ "r6i.xlarge", 4, 32768 },
	{ "r6i.2xlarge", 8, 65536 },
	{ "r6i.4xlarge", 16, 131072 },
	{ "r6i.8xlarge", 32, 262144 },
	{ "r6i.12xlarge", 48, 393216 },
	{ "r6i.16xlarge", 64, 524288 },
	{ "r6i.24xlarge", 96, 786432 },
	{ "r6i.32xlarge", 128, 1048576 },
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
