/* SPDX-License-Identifier: Apache-2.0 */

/* niter group ls|create|rm|allow|deny: security groups. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/api/ec2.h"
#include "cli/cli.h"

/* "tcp 22 from 0.0.0.0/0", "everything from sg-0123" */
static void rule_cell(struct table *t, const json_t *rule)
{
	const char *proto = text_of(rule, "ipProtocol"), *cidr = text_of(rule, "cidrIpv4");
	const char *group = text_of(json_object_get(rule, "referencedGroupInfo"), "groupId");
	const char *from = text_of(rule, "fromPort"), *to = text_of(rule, "toPort");
	bool out = strcmp(text_of(rule, "isEgress"), "true") == 0;
	char ports[32] = "", cell[160];

	if (strcmp(from, "-") != 0 && strcmp(from, "-1") != 0)
		snprintf(ports, sizeof(ports), strcmp(from, to) == 0 ? " %s" : " %s-%s", from, to);
	snprintf(cell, sizeof(cell), "%s%s %s %s", strcmp(proto, "-1") == 0 ? "everything" : proto,
		 ports, out ? "to" : "from", cidr[0] != '-' ? cidr : group);
	table_add(t, cell);
}

static int rows_print(const json_t *groups)
{
	static const char *const heads[] = { "GROUP", "NAME", "NETWORK", "RULE" };
	struct table t = { .col_cnt = ARRAY_SIZE(heads) };
	json_t *result = NULL, *g, *rule;
	size_t k, n;
	int code;

	code = ec2_call("DescribeSecurityGroupRules", NULL, &result);
	if (code != CLI_OK)
		return code;
	for (k = 0; k < ARRAY_SIZE(heads); k++)
		table_add(&t, heads[k]);
	json_array_foreach(groups, k, g)
	{
		bool first = true;

		json_array_foreach(json_object_get(result, "securityGroupRuleSet"), n, rule)
		{
			if (strcmp(text_of(rule, "groupId"), text_of(g, "groupId")) != 0)
				continue;
			table_add(&t, first ? text_of(g, "groupId") : "");
			table_add(&t, first ? text_of(g, "groupName") : "");
			table_add(&t, first ? text_of(g, "vpcId") : "");
			rule_cell(&t, rule);
			first = false;
		}
		if (!first)
			continue;
		table_add(&t, text_of(g, "groupId"));
		table_add(&t, text_of(g, "groupName"));
		table_add(&t, text_of(g, "vpcId"));
		table_add(&t, "nothing");
	}
	table_print(&t);
	table_done(&t);
	json_decref(result);
	return CLI_OK;
}

int verb_group_ls(const struct verb *v, int argc, char **argv)
{
	json_t *result = NULL;
	int code;

	(void)opts_parse(v, argc, argv, NULL, 0);
	code = ec2_call("DescribeSecurityGroups", NULL, &result);
	if (code == CLI_OK && cli_json)
		json_print(result);
	else if (code == CLI_OK)
		code = rows_print(json_object_get(result, "securityGroupInfo"));
	json_decref(result);
	return code;
}

int verb_group_create(const struct verb *v, int argc, char **argv)
{
	const char *about = NULL, *network = NULL;
	const struct opt opts[] = {
		{ "--about", OPT_TEXT, "TEXT", "what it is for; default: its name", &about },
		{ "--network", OPT_TEXT, "VPC", "default: the default network", &network },
	};
	struct ec2_params q = { .text = NULL };
	json_t *result = NULL;
	int code;

	(void)opts_parse(v, argc, argv, opts, ARRAY_SIZE(opts));
	ec2_add(&q, "GroupName", argv[0]);
	ec2_add(&q, "GroupDescription", about ? about : argv[0]);
	ec2_add(&q, "VpcId", network);
	code = ec2_call("CreateSecurityGroup", &q, &result);
	if (code == CLI_OK && cli_json)
		json_print(result);
	else if (code == CLI_OK)
		puts(text_of(result, "groupId"));
	json_decref(result);
	return code;
}

/* An id stays; a name is looked up in @network (NULL: any). Return: CLI_OK and @ret, or CLI_FAILED with the line printed. */
static int group_find(const char *ref, char *ret, size_t cap)
{
	struct ec2_params q = { .text = NULL };
	json_t *result = NULL, *list;
	int code = CLI_OK;

	snprintf(ret, cap, "%s", ref);
	if (strncmp(ref, "sg-", 3) == 0)
		return CLI_OK;
	ec2_add_filter(&q, 1, "group-name", ref);
	code = ec2_call("DescribeSecurityGroups", &q, &result);
	list = json_object_get(result, "securityGroupInfo");
	if (code == CLI_OK && json_array_size(list) != 1)
		code = cli_error(json_array_size(list)
					 ? "several groups are called \"%s\": give the id"
					 : "no group is called \"%s\": see niter group ls",
				 ref);
	else if (code == CLI_OK)
		snprintf(ret, cap, "%s", text_of(json_array_get(list, 0), "groupId"));
	json_decref(result);
	return code;
}

int verb_group_rm(const struct verb *v, int argc, char **argv)
{
	int cnt = opts_parse(v, argc, argv, NULL, 0), code = CLI_OK;

	for (int k = 0; k < cnt; k++) {
		struct ec2_params q = { .text = NULL };
		char id[64];

		if (group_find(argv[k], id, sizeof(id)) != CLI_OK) {
			code = CLI_FAILED;
			continue;
		}
		ec2_add(&q, "GroupId", id);
		if (ec2_call("DeleteSecurityGroup", &q, NULL) != CLI_OK)
			code = CLI_FAILED;
		else if (!cli_json)
			puts(id);
	}
	return code;
}

/* "all", "icmp", "tcp/22", "udp/5000-6000". Return: CLI_OK, CLI_USAGE. */
static int what_add(struct ec2_params *q, const char *what)
{
	const char *slash = strchr(what, '/'), *dash = slash ? strchr(slash, '-') : NULL;
	char proto[16], from[16] = "-1", to[16] = "-1";

	if (strcmp(what, "all") == 0) {
		ec2_add(q, "IpPermissions.1.IpProtocol", "-1");
		return CLI_OK;
	}
	snprintf(proto, sizeof(proto), "%.*s", (int)(slash ? (size_t)(slash - what) : strlen(what)),
		 what);
	if (slash) {
		snprintf(from, sizeof(from), "%.*s",
			 (int)(dash ? (size_t)(dash - slash - 1) : strlen(slash + 1)), slash + 1);
		snprintf(to, sizeof(to), "%s", dash ? dash + 1 : slash + 1);
	} else if (strcmp(proto, "icmp") != 0) {
		return cli_usage("say which ports, as in %s/22 or %s/5000-6000", proto, proto);
	}
	ec2_add(q, "IpPermissions.1.IpProtocol", proto);
	ec2_add(q, "IpPermissions.1.FromPort", from);
	ec2_add(q, "IpPermissions.1.ToPort", to);
	return CLI_OK;
}

static int side_add(struct ec2_params *q, const char *side)
{
	char id[64];

	if (!side || strchr(side, '/')) {
		ec2_add(q, "IpPermissions.1.IpRanges.1.CidrIp", side ? side : "0.0.0.0/0");
		return CLI_OK;
	}
	if (group_find(side, id, sizeof(id)) != CLI_OK)
		return CLI_FAILED;
	ec2_add(q, "IpPermissions.1.Groups.1.GroupId", id);
	return CLI_OK;
}

static int rule_change(const struct verb *v, int argc, char **argv, bool allow)
{
	const char *from = NULL, *to = NULL;
	const struct opt opts[] = {
		{ "--from", OPT_TEXT, "CIDR|GROUP", "who may come in; default 0.0.0.0/0", &from },
		{ "--to", OPT_TEXT, "CIDR|GROUP", "a rule about the way out, instead", &to },
	};
	struct ec2_params q = { .text = NULL };
	json_t *result = NULL;
	char id[64], action[48];
	int code;

	(void)opts_parse(v, argc, argv, opts, ARRAY_SIZE(opts));
	if (from && to)
		return cli_usage("a rule is about one way: give --from or --to");
	code = group_find(argv[0], id, sizeof(id));
	ec2_add(&q, "GroupId", id);
	if (code == CLI_OK)
		code = what_add(&q, argv[1]);
	if (code == CLI_OK)
		code = side_add(&q, to ? to : from);
	if (code != CLI_OK) {
		free(q.text);
		return code;
	}
	snprintf(action, sizeof(action), "%sSecurityGroup%s", allow ? "Authorize" : "Revoke",
		 to ? "Egress" : "Ingress");
	code = ec2_call(action, &q, &result);
	if (code == CLI_OK && cli_json)
		json_print(result);
	json_decref(result);
	return code;
}

int verb_group_allow(const struct verb *v, int argc, char **argv)
{
	return rule_change(v, argc, argv, true);
}

int verb_group_deny(const struct verb *v, int argc, char **argv)
{
	return rule_change(v, argc, argv, false);
}
