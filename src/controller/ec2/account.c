/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Geography and the account: one region, one zone (struct place), a few numbers. Nothing here has pages or changes
 * anything.
 */

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "controller/ec2/call_priv.h"
#include "controller/ec2/filter.h"

static const struct place *place_of(const struct ec2_call *c)
{
	return &c->core->place;
}

static const char *endpoint_of(const struct ec2_call *c, char *buf, size_t cap)
{
	snprintf(buf, cap, "ec2.%s.amazonaws.com", place_of(c)->region);
	return buf;
}

static void region_name(struct ec2_call *c, const void *o, struct filter_emit *e)
{
	(void)o;
	filter_str(e, place_of(c)->region);
}

static void region_endpoint(struct ec2_call *c, const void *o, struct filter_emit *e)
{
	char buf[96];

	(void)o;
	filter_str(e, endpoint_of(c, buf, sizeof(buf)));
}

static void opt_in_status(struct ec2_call *c, const void *o, struct filter_emit *e)
{
	(void)c;
	(void)o;
	filter_str(e, "opt-in-not-required");
}

static const struct filter_def region_filters[] = {
	{ "region-name", region_name },
	{ "endpoint", region_endpoint },
	{ "opt-in-status", opt_in_status },
	{ .name = NULL },
};

/*
 * Names the caller listed under @param: each must be @name. Return: 1 @name is asked for (also when nothing is listed),
 * -EINVAL with the fault.
 */
static int names_check(struct ec2_call *c, const char *param, const char *name, const char *code,
		       const char *what)
{
	char safe[96];
	const char *s;
	unsigned i = 0;

	while ((s = query_next_str(&c->in, param, &i))) {
		if (strcmp(s, name) == 0)
			continue;
		log_escape(safe, sizeof(safe), s, strlen(s));
		return ec2_refuse(c, code, "Invalid %s: [%s]", what, safe);
	}
	return 1;
}

static int describe_regions(struct ec2_call *c)
{
	CLEANUP(filters_freep) struct filters *f = NULL;
	char buf[96];
	int r;

	(void)query_bool(&c->in, "AllRegions", false); /* there are no others */
	r = names_check(c, "RegionName", place_of(c)->region, "InvalidParameterValue",
			"region name");
	if (r > 0)
		r = filters_read(c, region_filters, false, &f);
	if (r < 0)
		return r;
	xml_open(&c->out, "regionInfo");
	if (filters_match(f, c, NULL, NULL)) {
		xml_open(&c->out, "item");
		xml_str(&c->out, "regionName", place_of(c)->region);
		xml_str(&c->out, "regionEndpoint", endpoint_of(c, buf, sizeof(buf)));
		xml_str(&c->out, "optInStatus", "opt-in-not-required");
		xml_close(&c->out, "item");
	}
	xml_close(&c->out, "regionInfo");
	return 0;
}

static void zone_name(struct ec2_call *c, const void *o, struct filter_emit *e)
{
	(void)o;
	filter_str(e, place_of(c)->zone);
}

static void zone_id(struct ec2_call *c, const void *o, struct filter_emit *e)
{
	(void)o;
	filter_str(e, place_of(c)->zone_id);
}

static void zone_type(struct ec2_call *c, const void *o, struct filter_emit *e)
{
	(void)c;
	(void)o;
	filter_str(e, "availability-zone");
}

static void zone_state(struct ec2_call *c, const void *o, struct filter_emit *e)
{
	(void)c;
	(void)o;
	filter_str(e, "available");
}

static const struct filter_def zone_filters[] = {
	{ "zone-name", zone_name },         { "zone-id", zone_id },
	{ "zone-type", zone_type },         { "state", zone_state },
	{ "region-name", region_name },     { "group-name", region_name },
	{ "opt-in-status", opt_in_status }, { .name = NULL },
};

static void zone_xml(struct ec2_call *c)
{
	struct xml *x = &c->out;

	xml_open(x, "item");
	xml_str(x, "zoneName", place_of(c)->zone);
	xml_str(x, "zoneId", place_of(c)->zone_id);
	xml_str(x, "zoneState", "available");
	xml_str(x, "regionName", place_of(c)->region);
	xml_str(x, "zoneType", "availability-zone");
	xml_str(x, "groupName", place_of(c)->region);
	xml_str(x, "networkBorderGroup", place_of(c)->region);
	xml_str(x, "optInStatus", "opt-in-not-required");
	xml_empty(x, "messageSet");
	xml_close(x, "item");
}

static int describe_zones(struct ec2_call *c)
{
	CLEANUP(filters_freep) struct filters *f = NULL;
	int r;

	(void)query_bool(&c->in, "AllAvailabilityZones", false); /* there are no others */
	r = names_check(c, "ZoneName", place_of(c)->zone, "InvalidParameterValue",
			"availability zone");
	if (r > 0)
		r = names_check(c, "ZoneId", place_of(c)->zone_id, "InvalidParameterValue",
				"availability zone-id");
	if (r > 0)
		r = filters_read(c, zone_filters, false, &f);
	if (r < 0)
		return r;
	xml_open(&c->out, "availabilityZoneInfo");
	if (filters_match(f, c, NULL, NULL))
		zone_xml(c);
	xml_close(&c->out, "availabilityZoneInfo");
	return 0;
}

/* What an attribute of the account is now. */
static const char *default_vpc(struct ec2_call *c)
{
	const struct vpc *v;
	struct store_iter i;

	store_each_of(c->core->st, &tbl_vpcs, "account", c->account, &i);
	while ((v = store_next(&i)))
		if (v->is_default)
			return v->id;
	return "none";
}

static const char *const attributes[] = {
	"supported-platforms", "default-vpc",         "max-instances",
	"max-elastic-ips",     "vpc-max-elastic-ips", "vpc-max-security-groups-per-interface",
};

static const char *attribute_value(struct ec2_call *c, const char *name, char *buf, size_t cap)
{
	unsigned max = c->core->limits.instances;

	if (strcmp(name, "supported-platforms") == 0)
		return "VPC";
	if (strcmp(name, "default-vpc") == 0)
		return default_vpc(c);
	if (strcmp(name, "vpc-max-security-groups-per-interface") == 0)
		return "5";
	if (strcmp(name, "max-instances") != 0)
		return "0"; /* elastic addresses: there are none */
	snprintf(buf, cap, "%u", max ? max : (unsigned)CORE_INSTANCES_MAX);
	return buf;
}

static void attribute_xml(struct ec2_call *c, const char *name)
{
	struct xml *x = &c->out;
	char buf[16];

	xml_open(x, "item");
	xml_str(x, "attributeName", name);
	xml_open(x, "attributeValueSet");
	xml_open(x, "item");
	xml_str(x, "attributeValue", attribute_value(c, name, buf, sizeof(buf)));
	xml_close(x, "item");
	xml_close(x, "attributeValueSet");
	xml_close(x, "item");
}

static int describe_attributes(struct ec2_call *c)
{
	bool asked[ARRAY_SIZE(attributes)] = { false }, any = false;
	char safe[96];
	const char *s;
	unsigned i = 0;

	while ((s = query_next_str(&c->in, "AttributeName", &i))) {
		size_t k = 0;

		while (k < ARRAY_SIZE(attributes) && strcmp(attributes[k], s) != 0)
			k++;
		if (k == ARRAY_SIZE(attributes)) {
			log_escape(safe, sizeof(safe), s, strlen(s));
			return ec2_refuse(c, "InvalidParameterValue",
					  "Value (%s) for parameter attribute is invalid.", safe);
		}
		asked[k] = any = true;
	}
	xml_open(&c->out, "accountAttributeSet");
	for (size_t k = 0; k < ARRAY_SIZE(attributes); k++)
		if (!any || asked[k])
			attribute_xml(c, attributes[k]);
	xml_close(&c->out, "accountAttributeSet");
	return 0;
}

/* Every volume is encrypted; it cannot be turned off. */
static int get_encryption(struct ec2_call *c)
{
	xml_bool(&c->out, "ebsEncryptionByDefault", true);
	xml_str(&c->out, "sseType", "sse-kms");
	return 0;
}

static int get_default_key(struct ec2_call *c)
{
	xml_str(&c->out, "kmsKeyId", "alias/aws/ebs");
	return 0;
}

const struct ec2_action ec2_account_actions[] = {
	{ .name = "DescribeAccountAttributes", .fn = describe_attributes },
	{ .name = "DescribeAvailabilityZones", .fn = describe_zones },
	{ .name = "DescribeRegions", .fn = describe_regions },
	{ .name = "GetEbsDefaultKmsKeyId", .fn = get_default_key },
	{ .name = "GetEbsEncryptionByDefault", .fn = get_encryption },
	{ .name = NULL },
};
