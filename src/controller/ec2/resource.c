/* SPDX-License-Identifier: Apache-2.0 */

#include "controller/ec2/resource.h"

#include <string.h>

#include "base/log.h"
#include "controller/ids.h"

static const char *account_volume(struct ec2_call *c, const void *row)
{
	(void)c;
	return ((const struct volume *)row)->account;
}

static const char *account_instance(struct ec2_call *c, const void *row)
{
	(void)c;
	return ((const struct instance *)row)->account;
}

static const char *account_image(struct ec2_call *c, const void *row)
{
	(void)c;
	return ((const struct image *)row)->account;
}

static const char *account_key(struct ec2_call *c, const void *row)
{
	(void)c;
	return ((const struct key_pair *)row)->account;
}

static const char *account_vpc(struct ec2_call *c, const void *row)
{
	(void)c;
	return ((const struct vpc *)row)->account;
}

static const char *vpc_account(struct ec2_call *c, const char *vpc_id)
{
	const struct vpc *v = store_find(c->core->st, &tbl_vpcs, vpc_id);

	return v ? v->account : "";
}

static const char *account_subnet(struct ec2_call *c, const void *row)
{
	return vpc_account(c, ((const struct subnet *)row)->vpc_id);
}

static const char *account_gateway(struct ec2_call *c, const void *row)
{
	return vpc_account(c, ((const struct gateway *)row)->vpc_id);
}

static const char *account_group(struct ec2_call *c, const void *row)
{
	(void)c;
	return ((const struct group *)row)->account;
}

static const char *account_rule(struct ec2_call *c, const void *row)
{
	const char *group_id = ((const struct group_rule *)row)->group_id;
	const struct group *g = store_find(c->core->st, &tbl_groups, group_id);

	return g ? g->account : "";
}

static const char *account_interface(struct ec2_call *c, const void *row)
{
	(void)c;
	return ((const struct interface *)row)->account;
}

/* Kinds that have tags. */
static const struct kind {
	enum id_kind kind;
	const char *type;
	const struct store_table *table;
	const char *(*account)(struct ec2_call *c, const void *row);
} kinds[] = {
	{ ID_INSTANCE, "instance", &tbl_instances, account_instance },
	{ ID_VOLUME, "volume", &tbl_volumes, account_volume },
	{ ID_IMAGE, "image", &tbl_images, account_image },
	{ ID_KEY_PAIR, "key-pair", &tbl_key_pairs, account_key },
	{ ID_VPC, "vpc", &tbl_vpcs, account_vpc },
	{ ID_SUBNET, "subnet", &tbl_subnets, account_subnet },
	{ ID_GROUP_RULE, "security-group-rule", &tbl_group_rules, account_rule },
	{ ID_GROUP, "security-group", &tbl_groups, account_group },
	{ ID_INTERFACE, "network-interface", &tbl_interfaces, account_interface },
	{ ID_GATEWAY, "internet-gateway", &tbl_gateways, account_gateway },
};

/* By the prefix, whatever follows it. No prefix begins with another and its dash: "eni-attach-" is of no kind here. */
static const struct kind *kind_of(const char *id)
{
	if (strncmp(id, "eni-attach-", 11) == 0)
		return NULL;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		const char *prefix = id_prefix(kinds[i].kind);

		if (strncmp(id, prefix, strlen(prefix)) == 0)
			return &kinds[i];
	}
	return NULL;
}

const char *ec2_resource_type(const char *id)
{
	const struct kind *k = kind_of(id);

	return k ? k->type : NULL;
}

int ec2_resource_check(struct ec2_call *c, const char *id)
{
	const struct kind *k = kind_of(id);
	const void *row;
	char safe[96];

	if (!k) {
		log_escape(safe, sizeof(safe), id, strlen(id));
		return ec2_refuse(c, "InvalidID", "The ID '%s' is not valid", safe);
	}
	row = store_find(c->core->st, k->table, id);
	if (!row || strcmp(k->account(c, row), c->account) != 0)
		return ec2_refuse_id(c, (int)k->kind, id);
	return 0;
}
