/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What the files of network actions share. Tables of actions: vpcs.c (networks, subnets, routes), groups.c, interfaces.c. */

#include "controller/core_net.h"
#include "controller/ec2/call.h"
#include "controller/ec2/filter.h"
#include "controller/ec2/tags.h"
#include "controller/ids.h"

enum {
	EC2_ID_TEXT = 40, /* "vpc-cidr-assoc-" and 17 digits; with NUL */
	EC2_ARN_MAX = 160
};

/* ---- describe.c: the common part of Describe actions ---- */

/* Ids a request names. */
struct ec2_ids {
	struct {
		const char *id; /* in the query's memory or a row */
		bool seen;
	} v[QUERY_INDEX_MAX * 2];
	size_t cnt;
};
void ec2_ids_add(struct ec2_ids *ids, const char *id);

struct ec2_describe {
	const char *param; /* "VpcId" */
	int kind;          /* enum id_kind: how an absent id is refused */
	const char *set;   /* "vpcSet" */
	const struct store_table *table;
	bool by_account; /* the table has that column; otherwise mine() says whose a row is */
	const struct filter_def *filter;
	/* More ids than @param names; NULL: none. */
	MUST_USE int (*more)(struct ec2_call *c, struct ec2_ids *ids);
	bool (*mine)(struct ec2_call *c, const void *row);
	const char *(*id)(const void *row, char buf[EC2_ID_TEXT]);
	uint64_t (*created_ms)(const void *row); /* NULL: rows have no age and come by id */
	void (*write)(struct ec2_call *c, const void *row); /* the members of one <item> */
};
MUST_USE int ec2_describe(struct ec2_call *c, const struct ec2_describe *d);

/* ec2_derived_id(): an id with the digits of another: "rtb-0123…" of "vpc-0123…". */
const char *ec2_derived_id(char buf[EC2_ID_TEXT], const char *prefix, const char *id);

/* ---- reading ---- */

/* ec2_read_block(): a CIDR block, host bits cleared; absent: prefix 0 and address 0. */
struct net_block ec2_read_block(const struct query_at *at, const char *name, bool need);
/* ec2_read_text(): at most 255 characters of those EC2 allows in names and descriptions; NULL when absent. */
const char *ec2_read_text(const struct query_at *at, const char *name);
/* ec2_read_ids(): Name.N into at most @max pointers; more is InvalidParameterValue. */
size_t ec2_read_ids(const struct query_at *at, const char *name, const char **ret, size_t max);
/* ec2_read_zone(): AvailabilityZone and AvailabilityZoneId: there is one. */
void ec2_read_zone(struct ec2_call *c);
/* ec2_only_one(): how many of @names are given? Not exactly one is refused. */
void ec2_only_one(struct ec2_call *c, const char *const *names, size_t cnt);
/* ec2_read_false(): a boolean of NAME.Value or NAME that can only be false here. */
void ec2_read_false(struct ec2_call *c, const char *name);

/* ec2_group_named(): in the default network. Return: 0, -errno with the fault. */
MUST_USE int ec2_group_named(struct ec2_call *c, const char *name, struct group *ret);

/* ---- answers ---- */

/* ec2_groups_xml(): <groupSet> of an interface. */
void ec2_groups_xml(struct ec2_call *c, const char *interface_id);
/* ec2_private_dns(): "ip-172-31-0-5.ec2.internal". */
const char *ec2_private_dns(struct ec2_call *c, const struct interface *ni, char ret[EC2_ARN_MAX]);
/* ec2_gateway_of(): the way out of a network; NULL: none. */
const struct gateway *ec2_gateway_of(struct ec2_call *c, const char *vpc_id);

/* Actions of subnets.c, routes.c, group_rules.c, for the tables. */
ec2_fn ec2_describe_subnets, ec2_create_subnet, ec2_create_default_subnet, ec2_delete_subnet,
	ec2_modify_subnet_attribute;
ec2_fn ec2_describe_route_tables, ec2_describe_internet_gateways, ec2_describe_network_acls,
	ec2_describe_dhcp_options, ec2_describe_addresses;
ec2_fn ec2_authorize_ingress, ec2_authorize_egress, ec2_revoke_ingress, ec2_revoke_egress,
	ec2_describe_rules, ec2_modify_rules, ec2_update_text_ingress, ec2_update_text_egress;
