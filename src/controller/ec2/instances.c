/* SPDX-License-Identifier: Apache-2.0 */

/* The table of instance actions, and what all of them need. */

#include "controller/ec2/instances.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "controller/base64.h"

const struct ec2_action ec2_instance_actions[] = {
	{ "RunInstances", instances_run, instances_replay, true },
	{ "DescribeInstances", instances_describe, NULL, false },
	{ "DescribeInstanceStatus", instances_status, NULL, false },
	{ "StartInstances", instances_start, NULL, true },
	{ "StopInstances", instances_stop, NULL, true },
	{ "TerminateInstances", instances_terminate, NULL, true },
	{ "RebootInstances", instances_reboot, NULL, true },
	{ "DescribeInstanceAttribute", instance_attribute, NULL, false },
	{ "ModifyInstanceAttribute", instance_modify, NULL, true },
	{ "ModifyInstanceMetadataOptions", instance_options, NULL, true },
	{ "GetConsoleOutput", instance_console, NULL, false },
	{ "DescribeInstanceCreditSpecifications", instances_credits, NULL, false },
	{ "MonitorInstances", instances_monitor, NULL, true },
	{ "UnmonitorInstances", instances_unmonitor, NULL, true },
	{ "GetPasswordData", instance_password, NULL, false },
	{ NULL, NULL, NULL, false },
};

static struct ec2_live live;

void ec2_live_set(const struct ec2_live *l)
{
	live = *l;
}

const struct ec2_live *ec2_live(void)
{
	return &live;
}

struct ec2_health instance_health(struct ec2_call *c, const struct instance *i)
{
	struct ec2_health h = { CHECK_OK, CHECK_OK, 0 };

	if (c->d && live.health)
		live.health(c->d, i->id, &h);
	return h;
}

int instance_start_check(struct ec2_call *c)
{
	if (c->d && live.stopping && live.stopping(c->d))
		return ec2_refuse(c, "ServiceUnavailable", "The host is stopping");
	return 0;
}

const struct instance *instance_find(struct ec2_call *c, const char *id)
{
	const struct instance *i = store_find(c->core->st, &tbl_instances, id);

	if (i && strcmp(i->account, c->account) == 0)
		return i;
	(void)!ec2_refuse_id(c, ID_INSTANCE, id);
	return NULL;
}

const struct instance *instance_need(struct ec2_call *c)
{
	const char *id = query_need_str(&c->in, "InstanceId");

	return query_failed(&c->q) ? NULL : instance_find(c, id);
}

size_t instance_ids(struct ec2_call *c, const char *ret[INSTANCE_IDS_MAX])
{
	const char *id;
	unsigned n = 0;
	size_t cnt = 0;

	while ((id = query_next_str(&c->in, "InstanceId", &n))) {
		bool again = false;

		for (size_t k = 0; k < cnt && !again; k++)
			again = strcmp(ret[k], id) == 0;
		if (!again && cnt < INSTANCE_IDS_MAX)
			ret[cnt++] = id;
	}
	return cnt;
}

/* One of two words. Return: @was when absent. */
static bool either(const struct query_at *at, const char *name, const char *yes, const char *no,
		   bool was)
{
	const char *v = query_str(at, name);

	if (!v)
		return was;
	if (strcmp(v, yes) != 0 && strcmp(v, no) != 0)
		query_refuse(at, "InvalidParameterValue", "%s%s must be %s or %s", at->prefix, name,
			     yes, no);
	return strcmp(v, yes) == 0;
}

void instance_options_read(const struct query_at *at, struct instance *i)
{
	if (!either(at, "HttpTokens", "required", "optional", true))
		query_refuse(at, "UnsupportedOperation",
			     "%sHttpTokens=optional is not supported: requests without a token "
			     "(IMDSv1) are not answered here",
			     at->prefix);
	if (either(at, "HttpProtocolIpv6", "enabled", "disabled", false))
		query_refuse(at, "UnsupportedOperation",
			     "%sHttpProtocolIpv6=enabled is not supported", at->prefix);
	i->imds_enabled = either(at, "HttpEndpoint", "enabled", "disabled", i->imds_enabled);
	i->imds_tags = either(at, "InstanceMetadataTags", "enabled", "disabled", i->imds_tags);
	i->imds_hop_limit =
		(unsigned)query_u64(at, "HttpPutResponseHopLimit", 1, 64, i->imds_hop_limit);
}

int instance_user_data(struct ec2_call *c, const struct query_at *at, const char *name,
		       struct user_data **ret)
{
	const char *text = query_str(at, name);
	CLEANUP(free_p) struct user_data *d = NULL;
	ssize_t len;

	*ret = NULL;
	if (!text)
		return query_failed(&c->q) ? -EINVAL : 0;
	d = calloc(1, sizeof(*d));
	if (!d)
		return -ENOMEM;
	len = base64_decode(text, d->b, sizeof(d->b));
	if (len == -EMSGSIZE)
		return ec2_refuse(c, "InvalidParameterValue", "User data is limited to %d bytes",
				  NET_USER_DATA_MAX);
	if (len < 0)
		return ec2_refuse(c, "InvalidUserData.Malformed",
				  "Invalid BASE64 encoding of user data");
	d->len = (uint32_t)len;
	*ret = TAKE_PTR(d);
	return 0;
}

void instance_cpus_read(const struct query_at *at, const struct instance_type *t,
			struct cpu_options *ret)
{
	uint64_t cores = query_u64(at, "CoreCount", 1, 1024, 0);
	uint64_t threads = query_u64(at, "ThreadsPerCore", 1, 2, 0);

	query_unsupported(at, "AmdSevSnp", NULL);
	if (query_failed(at->q) || (!cores && !threads))
		return;
	if (!cores || !threads) {
		query_refuse(at, "InvalidParameterCombination",
			     "CpuOptions needs both CoreCount and ThreadsPerCore");
		return;
	}
	if (cores > t->vcpus / 2U) {
		query_refuse(at, "InvalidParameterValue",
			     "The value %llu for CoreCount is not valid for instance type %s, "
			     "which has %u",
			     (unsigned long long)cores, t->name, t->vcpus / 2U);
		return;
	}
	ret->cores = (uint16_t)cores;
	ret->threads = (uint8_t)threads;
}
