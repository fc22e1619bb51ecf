/* SPDX-License-Identifier: Apache-2.0 */

/*
 * RunInstances: its parameters become one core_launch. What is not offered is refused by name; members that change
 * nothing here (how EC2 bills or monitors) are passed over. Block device mappings and the network interface have
 * files of their own.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controller/ec2/images.h"
#include "controller/ec2/instances_run.h"

enum { RUN_MAX = 1000 };

#define TYPE_DEFAULT "m5.large" /* EC2's own, m1.small, is older than anything here */

static void count_read(struct ec2_call *c, struct core_launch *q)
{
	uint64_t min = query_need_u64(&c->in, "MinCount", 1, RUN_MAX);
	uint64_t max = query_need_u64(&c->in, "MaxCount", 1, RUN_MAX);

	if (!query_failed(&c->q) && min > max)
		query_refuse(&c->in, "InvalidParameterValue",
			     "MinCount (%llu) is greater than MaxCount (%llu)",
			     (unsigned long long)min, (unsigned long long)max);
	q->min = (unsigned)min;
	q->max = (unsigned)max;
}

static void type_read(struct ec2_call *c, struct core_launch *q)
{
	const char *name = query_str(&c->in, "InstanceType");
	struct query_at cpus = query_in(&c->in, "CpuOptions");

	q->type = type_find(name ? name : TYPE_DEFAULT);
	if (q->type)
		instance_cpus_read(&cpus, q->type, &q->cpus);
	else
		query_refuse(&c->in, "InvalidInstanceType",
			     "Invalid value '%.64s' for InstanceType.", name);
}

static const struct image *image_read(struct ec2_call *c, struct core_launch *q)
{
	const char *id = query_need_str(&c->in, "ImageId");
	const struct image *img;

	if (query_failed(&c->q))
		return NULL;
	img = store_find(c->core->st, &tbl_images, id);
	if (!img || !ec2_image_visible(c, img)) {
		(void)!ec2_refuse_id(c, ID_IMAGE, id);
		return NULL;
	}
	snprintf(q->image_id, sizeof(q->image_id), "%s", img->id);
	return img;
}

static void key_read(struct ec2_call *c, struct core_launch *q)
{
	const char *name = query_str(&c->in, "KeyName");
	const struct key_pair *k;
	struct store_iter it;

	if (!name)
		return;
	store_each_of(c->core->st, &tbl_key_pairs, "account", c->account, &it);
	while ((k = store_next(&it)))
		if (strcmp(k->name, name) == 0)
			break;
	if (!k) {
		query_refuse(&c->in, "InvalidKeyPair.NotFound",
			     "The key pair '%.255s' does not exist", name);
		return;
	}
	snprintf(q->key_name, sizeof(q->key_name), "%s", k->name);
	snprintf(q->public_key, sizeof(q->public_key), "%s", k->public_key);
}

static void behaviour_read(struct ec2_call *c, struct core_launch *q)
{
	const char *shutdown = query_str(&c->in, "InstanceInitiatedShutdownBehavior");

	if (shutdown && strcmp(shutdown, "stop") != 0 && strcmp(shutdown, "terminate") != 0)
		query_refuse(&c->in, "InvalidParameterValue",
			     "InstanceInitiatedShutdownBehavior must be stop or terminate");
	q->shutdown_terminates = shutdown && strcmp(shutdown, "terminate") == 0;
	q->keep_termination = query_bool(&c->in, "DisableApiTermination", false);
	q->keep_stop = query_bool(&c->in, "DisableApiStop", false);
}

static void options_read(struct ec2_call *c, struct core_launch *q)
{
	struct query_at at = query_in(&c->in, "MetadataOptions");
	struct query_at monitoring = query_in(&c->in, "Monitoring");
	struct instance i = { .imds_enabled = true, .imds_hop_limit = CORE_HOP_LIMIT };

	instance_options_read(&at, &i);
	q->imds_off = !i.imds_enabled;
	q->imds_tags = i.imds_tags;
	q->imds_hop_limit = i.imds_hop_limit;
	q->monitored = query_bool(&monitoring, "Enabled", false);
}

static void placement_read(struct ec2_call *c)
{
	static const char *const absent[] = { "GroupName",       "GroupId",
					      "HostId",          "HostResourceGroupArn",
					      "PartitionNumber", "Affinity",
					      "SpreadDomain" };
	struct query_at at = query_in(&c->in, "Placement");
	const char *zone = query_str(&at, "AvailabilityZone"), *tenancy = query_str(&at, "Tenancy");
	const char *zone_id = query_str(&at, "AvailabilityZoneId");

	if ((zone && strcmp(zone, c->core->place.zone) != 0) ||
	    (zone_id && strcmp(zone_id, c->core->place.zone_id) != 0))
		query_refuse(&at, "InvalidParameterValue", "Invalid availability zone: [%.64s]",
			     zone ? zone : zone_id);
	if (tenancy && strcmp(tenancy, "default") != 0)
		query_refuse(&at, "UnsupportedOperation",
			     "Placement.Tenancy=%.32s is not supported", tenancy);
	for (size_t k = 0; k < ARRAY_SIZE(absent); k++)
		query_unsupported(&at, absent[k], NULL);
}

/* A member that may only say what is so anyway. */
static void only(struct ec2_call *c, const char *in, const char *name, const char *value)
{
	struct query_at at = query_in(&c->in, in);
	const char *v = query_str(&at, name);

	if (v && strcmp(v, value) != 0)
		query_refuse(&at, "UnsupportedOperation", "%s.%s=%.64s is not supported", in, name,
			     v);
}

static void others_read(struct ec2_call *c)
{
	static const char *const absent[] = {
		"IamInstanceProfile",
		"LaunchTemplate",
		"InstanceMarketOptions",
		"ElasticGpuSpecification",
		"ElasticInferenceAccelerator",
		"LicenseSpecification",
		"KernelId",
		"RamdiskId",
		"Ipv6Address",
		"Ipv6AddressCount",
		"EnablePrimaryIpv6",
		"CapacityReservationSpecification.CapacityReservationTarget",
		"Operator",
		"NetworkPerformanceOptions",
		"SecondaryInterface",
	};

	for (size_t k = 0; k < ARRAY_SIZE(absent); k++)
		query_unsupported(&c->in, absent[k], NULL);
	if (query_any(&c->in, "EnclaveOptions")) {
		struct query_at at = query_in(&c->in, "EnclaveOptions");

		if (query_bool(&at, "Enabled", false))
			query_refuse(&at, "UnsupportedOperation",
				     "EnclaveOptions.Enabled is not supported yet");
	}
	only(c, "HibernationOptions", "Configured", "false");
	only(c, "MaintenanceOptions", "AutoRecovery", "default");
	only(c, "PrivateDnsNameOptions", "HostnameType", "ip-name");
	only(c, "PrivateDnsNameOptions", "EnableResourceNameDnsARecord", "false");
	only(c, "PrivateDnsNameOptions", "EnableResourceNameDnsAAAARecord", "false");
	only(c, "CapacityReservationSpecification", "CapacityReservationPreference", "open");
	query_ignore(&c->in, "EbsOptimized");
	query_ignore(&c->in, "CreditSpecification");
	query_ignore(&c->in, "AdditionalInfo");
}

/* Tags for what a launch makes. */
struct run_tags {
	struct tag_list instance, volume, interface;
};

static void tags_of(struct ec2_call *c, struct run_tags *t)
{
	static const char allowed[] = "instance volume network-interface spot-instances-request "
				      "elastic-gpu";

	tags_read_spec(c, "instance", allowed, &t->instance);
	tags_read_spec(c, "volume", allowed, &t->volume);
	tags_read_spec(c, "network-interface", allowed, &t->interface);
}

static int tags_of_rows(struct ec2_call *c, const struct store_table *t, const char *instance_id,
			const struct tag_list *l)
{
	char id[CTL_VOLUMES_MAX][CTL_ID_MAX];
	struct store_iter it;
	const void *row;
	size_t cnt = 0;
	int r = 0;

	if (l->cnt == 0)
		return 0;
	store_each_of(c->core->st, t, "instance_id", instance_id, &it);
	while (cnt < CTL_VOLUMES_MAX && (row = store_next(&it)))
		snprintf(id[cnt++], CTL_ID_MAX, "%s",
			 (const char *)row); /* ids come first in rows */
	for (size_t k = 0; r == 0 && k < cnt; k++)
		r = tags_put(c, id[k], l);
	return r;
}

/* Copies of the ids of a reservation's instances. Return: how many. */
static size_t reservation_ids(struct ec2_call *c, const char *reservation, char (*ret)[CTL_ID_MAX],
			      size_t max)
{
	const struct instance *i;
	struct store_iter it;
	size_t cnt = 0;

	store_each_of(c->core->st, &tbl_instances, "reservation_id", reservation, &it);
	while (cnt < max && (i = store_next(&it)))
		snprintf(ret[cnt++], CTL_ID_MAX, "%s", i->id);
	return cnt;
}

static int tags_write(struct ec2_call *c, const char *reservation, const struct run_tags *t)
{
	CLEANUP(free_p) char(*id)[CTL_ID_MAX] = calloc(RUN_MAX, sizeof(*id));
	size_t cnt;
	int r = 0;

	if (!id)
		return -ENOMEM;
	cnt = reservation_ids(c, reservation, id, RUN_MAX);
	for (size_t k = 0; r == 0 && k < cnt; k++) {
		r = tags_put(c, id[k], &t->instance);
		if (r == 0)
			r = tags_of_rows(c, &tbl_volumes, id[k], &t->volume);
		if (r == 0)
			r = tags_of_rows(c, &tbl_interfaces, id[k], &t->interface);
	}
	return r;
}

int instances_replay(struct ec2_call *c, const char *result)
{
	const struct instance *i;
	struct store_iter it;
	bool begun = false;

	store_each_of(c->core->st, &tbl_instances, "reservation_id", result, &it);
	while ((i = store_next(&it))) {
		if (strcmp(i->account, c->account) != 0)
			continue;
		if (!begun)
			reservation_begin(c, i);
		begun = true;
		instance_xml(c, i);
	}
	if (begun)
		reservation_end(c);
	else
		return ec2_refuse(c, "InvalidInstanceID.NotFound",
				  "The instances of reservation %s are gone", result);
	return 0;
}

static int launch_read(struct ec2_call *c, struct core_launch *q, struct run_tags *tags,
		       struct user_data **ret_data)
{
	const char *token = query_str(&c->in, "ClientToken");
	const struct image *img;
	int r;

	snprintf(q->account, sizeof(q->account), "%s", c->account);
	snprintf(q->client_token, sizeof(q->client_token), "%s", token ? token : "");
	count_read(c, q);
	img = image_read(c, q);
	type_read(c, q);
	key_read(c, q);
	behaviour_read(c, q);
	options_read(c, q);
	placement_read(c);
	others_read(c);
	tags_of(c, tags);
	if (query_failed(&c->q))
		return -EINVAL;
	r = instance_user_data(c, &c->in, "UserData", ret_data);
	if (r == 0)
		r = run_disks_read(c, img, q);
	q->user_data = *ret_data;
	return r;
}

int instances_run(struct ec2_call *c)
{
	static struct core_launch q; /* one thread */
	static struct run_tags tags; /* ... and too big for the stack */
	CLEANUP(free_p) struct user_data *data = NULL;
	struct run_network net = { .group_cnt = 0 };
	char reservation[CTL_ID_MAX];
	int r;

	memset(&q, 0, sizeof(q));
	r = instance_start_check(c);
	if (r < 0)
		return r;
	r = launch_read(c, &q, &tags, &data);
	if (r == 0)
		r = run_network_read(c, &q, &net);
	/* Nothing may be made of a request that would be refused at its end. */
	if (r == 0)
		r = query_leftovers(&c->q);
	if (r == 0)
		r = core_launch(c->core, &q, &c->acts, reservation, &c->fault);
	if (r == 0)
		r = tags_write(c, reservation, &tags);
	if (r < 0)
		return r;
	ec2_token_result(c, reservation);
	return instances_replay(c, reservation);
}
