/* SPDX-License-Identifier: Apache-2.0 */

/* Security groups and their rules through the dispatcher. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "controller/core_net.h"
#include "controller/ids.h"
#include "crypto/crypto.h"
#include "ec2_expect.h"

/* One rule of 22 to 23, as the calls below want it. */
#define SSH "IpPermissions.1.IpProtocol=tcp&IpPermissions.1.FromPort=22&IpPermissions.1.ToPort=23&"

static const char *group_make(char id[EC2_KEEP], const char *name)
{
	ec2_done(ec2_askf("Action=CreateSecurityGroup&GroupName=%s&GroupDescription=d", name));
	return ec2_keep(id, "groupId");
}

static const char *default_group(const char *account, char id[EC2_KEEP])
{
	ec2_done(ec2_ask(account, "Action=DescribeSecurityGroups&GroupName.1=default"));
	return ec2_keep(id, "groupId");
}

/* ---- groups ---- */

static void create_group__lets_everything_out_and_nothing_in(void **state)
{
	char id[EC2_KEEP], want[128];

	(void)state;
	ec2_done(ec2_askf("Action=CreateSecurityGroup&GroupName=web+servers&GroupDescription=a(b)&"
			  "VpcId=&TagSpecification.1.ResourceType=security-group&"
			  "TagSpecification.1.Tag.1.Key=k&TagSpecification.1.Tag.1.Value=v"));
	assert_true(ec2_answer_has("<return>true</return>"));
	assert_true(ec2_answer_has("<key>k</key><value>v</value>"));
	ec2_keep(id, "groupId");
	assert_true(id_valid(ID_GROUP, id));
	(void)snprintf(want, sizeof(want), "arn:aws:ec2:us-east-1:" EC2_A ":security-group/%s", id);
	assert_true(ec2_answer_has(want));
	ec2_done(ec2_askf("Action=DescribeSecurityGroups&GroupId.1=%s", id));
	assert_true(ec2_answer_has("<groupName>web servers</groupName>"));
	assert_true(ec2_answer_has("<groupDescription>a(b)</groupDescription>"));
	assert_true(ec2_answer_has("<ipPermissions></ipPermissions>") ||
		    ec2_answer_has("<ipPermissions/>"));
	assert_true(ec2_answer_has("<ipPermissionsEgress><item><ipProtocol>-1</ipProtocol>"));
	assert_true(ec2_answer_has("<cidrIp>0.0.0.0/0</cidrIp>"));
	assert_false(ec2_answer_has("<fromPort>")); /* -1 has no ports */
}

static void create_group__checks_its_words(void **state)
{
	char id[EC2_KEEP], body[512], vpc[EC2_KEEP];
	int n;

	(void)state;
	group_make(id, "g");
	ec2_refuses("InvalidGroup.Duplicate",
		    "Action=CreateSecurityGroup&GroupName=g&GroupDescription=d");
	ec2_refuses("InvalidParameterValue",
		    "Action=CreateSecurityGroup&GroupName=default&GroupDescription=d");
	ec2_refuses("InvalidParameterValue",
		    "Action=CreateSecurityGroup&GroupName=sg-x&GroupDescription=d");
	ec2_refuses("InvalidParameterValue",
		    "Action=CreateSecurityGroup&GroupName=a%%3Cb&GroupDescription=d");
	ec2_refuses("InvalidParameterValue",
		    "Action=CreateSecurityGroup&GroupName=h&GroupDescription=%%C3%%BC");
	ec2_refuses("MissingParameter", "Action=CreateSecurityGroup&GroupName=h");
	ec2_refuses("MissingParameter", "Action=CreateSecurityGroup&GroupDescription=d");
	ec2_refuses("InvalidVpcID.NotFound",
		    "Action=CreateSecurityGroup&GroupName=h&GroupDescription=d&"
		    "VpcId=vpc-00000000000000001");
	ec2_refuses("DryRunOperation",
		    "Action=CreateSecurityGroup&GroupName=h&GroupDescription=d&DryRun=true");
	n = snprintf(body, sizeof(body),
		     "Action=CreateSecurityGroup&GroupDescription=d&GroupName=%0255d", 7);
	assert_int_equal(ec2_ask(EC2_A, body), 200);
	body[n] = '7';
	body[n + 1] = '\0';
	assert_int_equal(ec2_ask(EC2_A, body), 400);
	/* The same name in another network is another group. */
	ec2_done(ec2_askf("Action=CreateVpc&CidrBlock=10.0.0.0/24"));
	ec2_keep(vpc, "vpcId");
	ec2_done(ec2_askf("Action=CreateSecurityGroup&GroupName=g&GroupDescription=d&VpcId=%s",
			  vpc));
	ec2_done(ec2_ask(EC2_A, "Action=DescribeSecurityGroups&GroupName.1=g"));
	assert_int_equal(ec2_answer_count("<groupId>"), 1);
	assert_true(ec2_answer_has(id)); /* names are those of the default network */
}

static void delete_group__waits_until_nobody_needs_it(void **state)
{
	char a[EC2_KEEP], b[EC2_KEEP], eni[EC2_KEEP], subnet[EC2_KEEP], def[EC2_KEEP];

	(void)state;
	group_make(a, "a");
	group_make(b, "b");
	default_group(EC2_A, def);
	ec2_done(ec2_askf("Action=AuthorizeSecurityGroupIngress&GroupId=%s&" SSH
			  "IpPermissions.1.Groups.1.GroupId=%s",
			  b, a));
	ec2_done(ec2_askf("Action=AuthorizeSecurityGroupIngress&GroupId=%s&" SSH
			  "IpPermissions.1.Groups.1.GroupId=%s",
			  a, a)); /* itself does not count */
	ec2_refuses("DependencyViolation", "Action=DeleteSecurityGroup&GroupId=%s", a);
	ec2_done(ec2_askf("Action=RevokeSecurityGroupIngress&GroupId=%s&" SSH
			  "IpPermissions.1.Groups.1.GroupId=%s",
			  b, a));
	ec2_done(ec2_ask(EC2_A, "Action=DescribeSubnets"));
	ec2_keep(subnet, "subnetId");
	ec2_done(ec2_askf("Action=CreateNetworkInterface&SubnetId=%s&SecurityGroupId.1=%s", subnet,
			  a));
	ec2_keep(eni, "networkInterfaceId");
	ec2_refuses("DependencyViolation", "Action=DeleteSecurityGroup&GroupId=%s", a);
	ec2_done(ec2_askf("Action=DeleteNetworkInterface&NetworkInterfaceId=%s", eni));
	ec2_done(ec2_askf("Action=DeleteSecurityGroup&GroupId=%s", a));
	assert_true(ec2_answer_has("<return>true</return>"));
	ec2_refuses("InvalidGroup.NotFound", "Action=DeleteSecurityGroup&GroupId=%s", a);
	ec2_done(ec2_ask(EC2_A, "Action=DeleteSecurityGroup&GroupName=b"));
	ec2_refuses("CannotDelete", "Action=DeleteSecurityGroup&GroupId=%s", def);
	ec2_refuses("InvalidGroup.NotFound", "Action=DeleteSecurityGroup&GroupName=b");
	ec2_refuses("InvalidGroupId.Malformed", "Action=DeleteSecurityGroup&GroupId=web");
	ec2_refuses("MissingParameter", "Action=DeleteSecurityGroup");
}

/* ---- rules ---- */

static void authorize__makes_a_rule_of_each_peer(void **state)
{
	char id[EC2_KEEP], def[EC2_KEEP];

	(void)state;
	group_make(id, "g");
	default_group(EC2_A, def);
	ew.acts.cnt = 0;
	ec2_done(ec2_askf("Action=AuthorizeSecurityGroupIngress&GroupId=%s&" SSH
			  "IpPermissions.1.IpRanges.1.CidrIp=10.1.2.3/8&"
			  "IpPermissions.1.IpRanges.1.Description=home&"
			  "IpPermissions.1.IpRanges.2.CidrIp=192.0.2.1/32&"
			  "IpPermissions.1.Groups.1.GroupId=%s&"
			  "TagSpecification.1.ResourceType=security-group-rule&"
			  "TagSpecification.1.Tag.1.Key=k&TagSpecification.1.Tag.1.Value=v",
			  id, def));
	assert_true(ew.acts.cnt > 0); /* cards are told at once */
	assert_int_equal(ew.acts.v[0].kind, CORE_NETWORK);
	assert_int_equal(ec2_answer_count("<securityGroupRuleId>sgr-"), 3);
	assert_int_equal(ec2_answer_count("<isEgress>false</isEgress>"), 3);
	assert_int_equal(ec2_answer_count("<key>k</key>"), 3);
	assert_true(ec2_answer_has("<cidrIpv4>10.0.0.0/8</cidrIpv4>"));
	assert_true(ec2_answer_has("<description>home</description>"));
	assert_true(ec2_answer_has("<referencedGroupInfo>"));
	ec2_done(ec2_askf("Action=DescribeSecurityGroups&GroupId.1=%s", id));
	/* One permission: they let the same through. */
	assert_int_equal(ec2_answer_count("<fromPort>22</fromPort>"), 1);
	assert_int_equal(ec2_answer_count("<toPort>23</toPort>"), 1);
	assert_int_equal(ec2_answer_count("<cidrIp>"), 3);
	ec2_done(ec2_askf("Action=DescribeSecurityGroupRules&Filter.1.Name=group-id&"
			  "Filter.1.Value.1=%s",
			  id));
	assert_int_equal(ec2_answer_count("<securityGroupRuleId>"), 4);
}

static void authorize__knows_protocols_by_name_and_number(void **state)
{
	static const struct {
		const char *what, *shown;
	} all[] = {
		{ "IpProtocol=6&FromPort=1&ToPort=1", "<ipProtocol>tcp</ipProtocol><fromPort>1<" },
		{ "IpProtocol=17&FromPort=0&ToPort=65535",
		  "<ipProtocol>udp</ipProtocol><fromPort>0</fromPort><toPort>65535<" },
		{ "IpProtocol=icmp&FromPort=8&ToPort=-1",
		  "<ipProtocol>icmp</ipProtocol><fromPort>8</fromPort><toPort>-1<" },
		{ "IpProtocol=1&FromPort=-1&ToPort=-1",
		  "<ipProtocol>icmp</ipProtocol><fromPort>-1</fromPort><toPort>-1<" },
		{ "IpProtocol=50", "<ipProtocol>50</ipProtocol><fromPort>-1<" },
		{ "IpProtocol=-1&FromPort=0&ToPort=0", "<ipProtocol>-1</ipProtocol><fromPort>-1<" },
	};
	static const struct {
		const char *what, *code;
	} bad[] = {
		{ "IpProtocol=tcp", "InvalidParameterValue" },
		{ "IpProtocol=tcp&FromPort=2&ToPort=1", "InvalidParameterValue" },
		{ "IpProtocol=tcp&FromPort=-1&ToPort=-1", "InvalidParameterValue" },
		{ "IpProtocol=udp&FromPort=1&ToPort=65536", "InvalidParameterValue" },
		{ "IpProtocol=icmp", "MissingParameter" },
		{ "IpProtocol=icmp&FromPort=-1&ToPort=0", "InvalidParameterValue" },
		{ "IpProtocol=icmp&FromPort=256&ToPort=0", "InvalidParameterValue" },
		{ "IpProtocol=TCP&FromPort=1&ToPort=1", "InvalidParameterValue" },
		{ "IpProtocol=255", "InvalidParameterValue" },
		{ "IpProtocol=0x6&FromPort=1&ToPort=1", "InvalidParameterValue" },
		{ "FromPort=1&ToPort=1", "MissingParameter" },
	};
	char id[EC2_KEEP];

	(void)state;
	group_make(id, "g");
	for (size_t k = 0; k < ARRAY_SIZE(all); k++) {
		ec2_done(ec2_askf(
			"Action=AuthorizeSecurityGroupIngress&GroupId=%s&%s&CidrIp=10.0.0.0/8", id,
			all[k].what));
		if (!ec2_answer_has(all[k].shown))
			fail_msg("%s: %s", all[k].what, ew.body);
	}
	for (size_t k = 0; k < ARRAY_SIZE(bad); k++)
		ec2_refuses(bad[k].code,
			    "Action=AuthorizeSecurityGroupIngress&GroupId=%s&%s&CidrIp=0.0.0.0/0",
			    id, bad[k].what);
}

static void authorize__refuses_what_is_there_and_what_cannot_be(void **state)
{
	char id[EC2_KEEP], b[EC2_KEEP], vpc[EC2_KEEP], other[EC2_KEEP];

	(void)state;
	group_make(id, "g");
	ec2_done(ec2_ask(EC2_B, "Action=DescribeSecurityGroups"));
	ec2_keep(b, "groupId");
	ec2_done(ec2_askf("Action=CreateVpc&CidrBlock=10.0.0.0/24"));
	ec2_keep(vpc, "vpcId");
	ec2_done(ec2_askf("Action=CreateSecurityGroup&GroupName=o&GroupDescription=d&VpcId=%s",
			  vpc));
	ec2_keep(other, "groupId");
#define IN "Action=AuthorizeSecurityGroupIngress&GroupId=%s&" SSH
	ec2_done(ec2_askf(IN "IpPermissions.1.IpRanges.1.CidrIp=10.0.0.0/8", id));
	ec2_refuses("InvalidPermission.Duplicate",
		    IN "IpPermissions.1.IpRanges.1.CidrIp=10.9.0.0/8", id);
	ec2_refuses("InvalidParameterValue",
		    IN "IpPermissions.1.IpRanges.1.CidrIp=1.0.0.0/8&"
		       "IpPermissions.1.IpRanges.2.CidrIp=1.0.0.0/8",
		    id);
	/* All or nothing: the first would do. */
	ec2_refuses("InvalidPermission.Duplicate",
		    IN "IpPermissions.1.IpRanges.1.CidrIp=1.0.0.0/8&"
		       "IpPermissions.1.IpRanges.2.CidrIp=10.0.0.0/8",
		    id);
	ec2_refuses("UnsupportedOperation", IN "IpPermissions.1.Ipv6Ranges.1.CidrIpv6=::/0", id);
	ec2_refuses("UnsupportedOperation",
		    IN "IpPermissions.1.PrefixListIds.1.PrefixListId=pl-12345678", id);
	ec2_refuses("InvalidGroup.NotFound", IN "IpPermissions.1.Groups.1.GroupId=%s", id, b);
	ec2_refuses("InvalidGroup.NotFound", IN "IpPermissions.1.Groups.1.GroupId=%s", id, other);
	ec2_refuses("InvalidGroup.NotFound",
		    IN "IpPermissions.1.Groups.1.GroupId=%s&IpPermissions.1.Groups.1.UserId=" EC2_B,
		    id, id);
	ec2_done(ec2_askf(
		IN "IpPermissions.1.Groups.1.GroupId=%s&IpPermissions.1.Groups.1.UserId=" EC2_A, id,
		id));
	ec2_refuses("InvalidParameterValue", IN "IpPermissions.1.IpRanges.1.CidrIp=10.0.0.0", id);
	ec2_refuses("InvalidParameterValue",
		    IN "IpPermissions.1.IpRanges.1.CidrIp=1.0.0.0/8&"
		       "IpPermissions.1.IpRanges.1.Description=%%3C",
		    id);
	ec2_refuses("MissingParameter",
		    "Action=AuthorizeSecurityGroupIngress&GroupId=%s&IpPermissions.1.IpProtocol=-1",
		    id);
	ec2_refuses("MissingParameter", "Action=AuthorizeSecurityGroupIngress&GroupId=%s", id);
	ec2_refuses("InvalidParameterCombination",
		    IN "IpPermissions.1.IpRanges.1.CidrIp=1.0.0.0/8&CidrIp=1.0.0.0/8", id);
	ec2_refuses("DryRunOperation", IN "IpPermissions.1.IpRanges.1.CidrIp=1.0.0.0/8&DryRun=true",
		    id);
#undef IN
	ec2_refuses(
		"InvalidGroup.NotFound",
		"Action=AuthorizeSecurityGroupIngress&GroupId=%s&IpProtocol=-1&CidrIp=1.0.0.0/8",
		b);
}

static void authorize__stops_at_sixty_rules_a_direction(void **state)
{
	char id[EC2_KEEP];

	(void)state;
	group_make(id, "g");
	for (unsigned k = 0; k < NET_RULES_MAX; k++)
		ec2_done(ec2_askf("Action=AuthorizeSecurityGroupIngress&GroupId=%s&IpProtocol=tcp&"
				  "FromPort=%u&ToPort=%u&CidrIp=0.0.0.0/0",
				  id, k, k));
	ec2_refuses(
		"RulesPerSecurityGroupLimitExceeded",
		"Action=AuthorizeSecurityGroupIngress&GroupId=%s&IpProtocol=-1&CidrIp=0.0.0.0/0",
		id);
	ec2_done(ec2_askf("Action=AuthorizeSecurityGroupEgress&GroupId=%s&IpProtocol=tcp&"
			  "FromPort=1&ToPort=1&CidrIp=0.0.0.0/0",
			  id));
}

/* Right after it made a group, it takes the rule away that lets everything out; then its IPv6 twin, which is not there. */
static void revoke__works_as_terraform_expects(void **state)
{
	char id[EC2_KEEP];

	(void)state;
	group_make(id, "g");
	ec2_done(ec2_askf(
		"Action=RevokeSecurityGroupEgress&GroupId=%s&IpPermissions.1.IpProtocol=-1&"
		"IpPermissions.1.FromPort=0&IpPermissions.1.ToPort=0&"
		"IpPermissions.1.IpRanges.1.CidrIp=0.0.0.0/0",
		id));
	assert_true(ec2_answer_has("<return>true</return>"));
	assert_int_equal(ec2_answer_count("<securityGroupRuleId>sgr-"), 1);
	ec2_refuses("InvalidPermission.NotFound",
		    "Action=RevokeSecurityGroupEgress&GroupId=%s&IpPermissions.1.IpProtocol=-1&"
		    "IpPermissions.1.FromPort=0&IpPermissions.1.ToPort=0&"
		    "IpPermissions.1.Ipv6Ranges.1.CidrIpv6=::/0",
		    id);
	ec2_done(ec2_askf("Action=DescribeSecurityGroupRules&Filter.1.Name=group-id&"
			  "Filter.1.Value.1=%s",
			  id));
	assert_false(ec2_answer_has("<item>"));
}

static void revoke__takes_away_exactly_what_is_named(void **state)
{
	char id[EC2_KEEP], rule[EC2_KEEP], egress[EC2_KEEP];

	(void)state;
	group_make(id, "g");
	ec2_done(ec2_askf("Action=DescribeSecurityGroupRules&Filter.1.Name=group-id&"
			  "Filter.1.Value.1=%s",
			  id));
	ec2_keep(egress, "securityGroupRuleId");
	ec2_done(ec2_askf("Action=AuthorizeSecurityGroupIngress&GroupId=%s&" SSH
			  "IpPermissions.1.IpRanges.1.CidrIp=10.0.0.0/8&"
			  "IpPermissions.1.IpRanges.1.Description=kept&"
			  "IpPermissions.1.IpRanges.2.CidrIp=11.0.0.0/8",
			  id));
	ec2_keep(rule, "securityGroupRuleId");
	ec2_refuses("InvalidPermission.NotFound",
		    "Action=RevokeSecurityGroupIngress&GroupId=%s&" SSH
		    "IpPermissions.1.IpRanges.1.CidrIp=11.0.0.0/8&"
		    "IpPermissions.1.IpRanges.2.CidrIp=12.0.0.0/8",
		    id);
	ec2_refuses("InvalidPermission.NotFound",
		    "Action=RevokeSecurityGroupIngress&GroupId=%s&IpProtocol=tcp&FromPort=22&"
		    "ToPort=22&CidrIp=11.0.0.0/8",
		    id);
	ec2_refuses("InvalidPermission.NotFound",
		    "Action=RevokeSecurityGroupEgress&GroupId=%s&" SSH
		    "IpPermissions.1.IpRanges.1.CidrIp=11.0.0.0/8",
		    id);
	ec2_done(ec2_askf("Action=RevokeSecurityGroupIngress&GroupId=%s&" SSH
			  "IpPermissions.1.IpRanges.1.CidrIp=11.0.0.0/8",
			  id));
	ec2_refuses("InvalidSecurityGroupRuleId.NotFound",
		    "Action=RevokeSecurityGroupIngress&GroupId=%s&SecurityGroupRuleId.1=%s", id,
		    egress);
	ec2_done(ec2_askf("Action=RevokeSecurityGroupIngress&GroupId=%s&SecurityGroupRuleId.1=%s",
			  id, rule));
	ec2_refuses("InvalidSecurityGroupRuleId.NotFound",
		    "Action=RevokeSecurityGroupIngress&GroupId=%s&SecurityGroupRuleId.1=%s", id,
		    rule);
	ec2_refuses("MissingParameter", "Action=RevokeSecurityGroupIngress&GroupId=%s", id);
	ec2_refuses("InvalidGroup.NotFound",
		    "Action=RevokeSecurityGroupIngress&GroupId=sg-00000000000000001&IpProtocol=-1&"
		    "CidrIp=0.0.0.0/0");
}

static void modify_rules__replaces_one(void **state)
{
	char id[EC2_KEEP], rule[EC2_KEEP];

	(void)state;
	group_make(id, "g");
	ec2_done(ec2_askf("Action=AuthorizeSecurityGroupIngress&GroupId=%s&" SSH
			  "IpPermissions.1.IpRanges.1.CidrIp=10.0.0.0/8&"
			  "IpPermissions.1.IpRanges.2.CidrIp=11.0.0.0/8",
			  id));
	ec2_keep(rule, "securityGroupRuleId");
#define MODIFY                                                                                     \
	"Action=ModifySecurityGroupRules&GroupId=%s&SecurityGroupRule.1.SecurityGroupRuleId=%s&"   \
	"SecurityGroupRule.1.SecurityGroupRule."
#define REST                                                                                       \
	"&SecurityGroupRule.1.SecurityGroupRule.FromPort=80&"                                      \
	"SecurityGroupRule.1.SecurityGroupRule.ToPort=81&"                                         \
	"SecurityGroupRule.1.SecurityGroupRule."
	ec2_done(ec2_askf(MODIFY "IpProtocol=udp" REST "CidrIpv4=12.0.0.0/8", id, rule));
	ec2_done(ec2_askf("Action=DescribeSecurityGroupRules&SecurityGroupRuleId.1=%s", rule));
	assert_true(ec2_answer_has("<ipProtocol>udp</ipProtocol><fromPort>80</fromPort>"));
	assert_true(ec2_answer_has("<cidrIpv4>12.0.0.0/8</cidrIpv4>"));
	ec2_done(ec2_askf(MODIFY "IpProtocol=udp" REST "ReferencedGroupId=%s", id, rule, id));
	ec2_done(ec2_askf("Action=DescribeSecurityGroupRules&SecurityGroupRuleId.1=%s", rule));
	assert_true(ec2_answer_has("<referencedGroupInfo>"));
	ec2_refuses("UnsupportedOperation", MODIFY "IpProtocol=udp" REST "CidrIpv6=::/0", id, rule);
	ec2_refuses("InvalidPermission.Duplicate",
		    MODIFY "IpProtocol=tcp&SecurityGroupRule.1.SecurityGroupRule.FromPort=22&"
			   "SecurityGroupRule.1.SecurityGroupRule.ToPort=23&"
			   "SecurityGroupRule.1.SecurityGroupRule.CidrIpv4=11.0.0.0/8",
		    id, rule);
	ec2_refuses("InvalidSecurityGroupRuleId.NotFound",
		    MODIFY "IpProtocol=udp" REST "CidrIpv4=12.0.0.0/8", id,
		    "sgr-00000000000000001");
	ec2_refuses("MissingParameter", "Action=ModifySecurityGroupRules&GroupId=%s", id);
#undef MODIFY
#undef REST
}

static void update_descriptions__change_only_them(void **state)
{
	char id[EC2_KEEP], rule[EC2_KEEP];

	(void)state;
	group_make(id, "g");
	ec2_done(ec2_askf("Action=AuthorizeSecurityGroupIngress&GroupId=%s&" SSH
			  "IpPermissions.1.IpRanges.1.CidrIp=10.0.0.0/8",
			  id));
	ec2_keep(rule, "securityGroupRuleId");
	ec2_done(ec2_askf("Action=UpdateSecurityGroupRuleDescriptionsIngress&GroupId=%s&" SSH
			  "IpPermissions.1.IpRanges.1.CidrIp=10.0.0.0/8&"
			  "IpPermissions.1.IpRanges.1.Description=one",
			  id));
	ec2_done(ec2_askf("Action=DescribeSecurityGroupRules&SecurityGroupRuleId.1=%s", rule));
	assert_true(ec2_answer_has("<description>one</description>"));
	ec2_done(ec2_askf("Action=UpdateSecurityGroupRuleDescriptionsIngress&GroupId=%s&"
			  "SecurityGroupRuleDescription.1.SecurityGroupRuleId=%s&"
			  "SecurityGroupRuleDescription.1.Description=two",
			  id, rule));
	ec2_done(ec2_askf("Action=DescribeSecurityGroupRules&SecurityGroupRuleId.1=%s", rule));
	assert_true(ec2_answer_has("<description>two</description>"));
	assert_true(ec2_answer_has("<fromPort>22</fromPort>"));
	ec2_refuses("InvalidPermission.NotFound",
		    "Action=UpdateSecurityGroupRuleDescriptionsIngress&GroupId=%s&" SSH
		    "IpPermissions.1.IpRanges.1.CidrIp=11.0.0.0/8",
		    id);
	ec2_refuses("InvalidSecurityGroupRuleId.NotFound",
		    "Action=UpdateSecurityGroupRuleDescriptionsEgress&GroupId=%s&"
		    "SecurityGroupRuleDescription.1.SecurityGroupRuleId=%s",
		    id, rule);
}

static void group_filters__each_finds_one_and_misses_another(void **state)
{
	static const struct {
		const char *name, *hit, *miss;
	} all[] = {
		{ "description", "d", "e" },
		{ "egress.ip-permission.cidr", "10.0.0.0/8", "11.0.0.0/8" },
		{ "egress.ip-permission.from-port", "53", "54" },
		{ "egress.ip-permission.to-port", "54", "53" },
		{ "egress.ip-permission.protocol", "udp", "icmp" },
		{ "group-id", "sg-*", "vpc-*" },
		{ "group-name", "mine", "m" },
		{ "ip-permission.cidr", "192.0.2.0/24", "10.0.0.0/8" },
		{ "ip-permission.from-port", "22", "23" },
		{ "ip-permission.to-port", "23", "22" },
		{ "ip-permission.protocol", "tcp", "udp" },
		{ "ip-permission.group-name", "mine", "yours" },
		{ "ip-permission.group-id", "sg-*", "x" },
		{ "ip-permission.user-id", EC2_A, EC2_B },
		{ "owner-id", EC2_A, EC2_B },
		{ "vpc-id", "vpc-*", "sg-*" },
		{ "tag:k", "v", "w" },
		{ "tag-key", "k", "l" },
	};
	char id[EC2_KEEP];

	(void)state;
	ec2_done(ec2_askf("Action=CreateSecurityGroup&GroupName=mine&GroupDescription=d&"
			  "TagSpecification.1.ResourceType=security-group&"
			  "TagSpecification.1.Tag.1.Key=k&TagSpecification.1.Tag.1.Value=v"));
	ec2_keep(id, "groupId");
	ec2_done(ec2_askf(
		"Action=AuthorizeSecurityGroupEgress&GroupId=%s&IpProtocol=udp&FromPort=53&"
		"ToPort=54&CidrIp=10.0.0.0/8",
		id));
	ec2_done(ec2_askf("Action=AuthorizeSecurityGroupIngress&GroupId=%s&" SSH
			  "IpPermissions.1.IpRanges.1.CidrIp=192.0.2.0/24&"
			  "IpPermissions.1.Groups.1.GroupName=mine",
			  id));
	for (size_t k = 0; k < ARRAY_SIZE(all); k++)
		ec2_filter_finds("DescribeSecurityGroups", all[k].name, id, all[k].hit,
				 all[k].miss);
	ec2_refuses("InvalidParameterValue",
		    "Action=DescribeSecurityGroups&Filter.1.Name=colour&Filter.1.Value.1=x");
}

static void another_accounts_groups__are_not_there(void **state)
{
	char id[EC2_KEEP], rule[EC2_KEEP];

	(void)state;
	default_group(EC2_B, id);
	ec2_done(ec2_ask(EC2_B, "Action=DescribeSecurityGroupRules"));
	ec2_keep(rule, "securityGroupRuleId");
	ec2_refuses("InvalidGroup.NotFound", "Action=DescribeSecurityGroups&GroupId.1=%s", id);
	ec2_refuses("InvalidGroup.NotFound", "Action=DeleteSecurityGroup&GroupId=%s", id);
	ec2_refuses("InvalidGroup.NotFound",
		    "Action=AuthorizeSecurityGroupEgress&GroupId=%s&IpProtocol=-1&CidrIp=1.0.0.0/8",
		    id);
	ec2_refuses("InvalidGroup.NotFound",
		    "Action=RevokeSecurityGroupEgress&GroupId=%s&IpProtocol=-1&CidrIp=0.0.0.0/0",
		    id);
	ec2_refuses("InvalidGroup.NotFound",
		    "Action=RevokeSecurityGroupIngress&GroupId=%s&SecurityGroupRuleId.1=%s", id,
		    rule);
	ec2_refuses("InvalidSecurityGroupRuleId.NotFound",
		    "Action=DescribeSecurityGroupRules&SecurityGroupRuleId.1=%s", rule);
	ec2_refuses("InvalidGroup.NotFound",
		    "Action=ModifySecurityGroupRules&GroupId=%s&"
		    "SecurityGroupRule.1.SecurityGroupRuleId=%s",
		    id, rule);
	ec2_refuses("InvalidGroup.NotFound",
		    "Action=UpdateSecurityGroupRuleDescriptionsIngress&GroupId=%s&"
		    "SecurityGroupRuleDescription.1.SecurityGroupRuleId=%s",
		    id, rule);
	ec2_done(ec2_ask(EC2_A, "Action=DescribeSecurityGroups"));
	assert_false(ec2_answer_has(EC2_B));
	assert_false(ec2_answer_has(id));
	ec2_done(ec2_ask(EC2_A, "Action=DescribeSecurityGroupRules"));
	assert_false(ec2_answer_has(rule));
	assert_true(ec2_answer_has("<securityGroupRuleId>"));
}

static void groups_of_many_rules(unsigned cnt)
{
	char vpc[EC2_KEEP];
	struct group_rule rule = { .proto = 6, .prefix = 32 };
	struct group g = { .name = "many", .account = EC2_A };

	ec2_done(ec2_ask(EC2_A, "Action=DescribeVpcs"));
	(void)snprintf(g.vpc_id, sizeof(g.vpc_id), "%s", ec2_keep(vpc, "vpcId"));
	assert_int_equal(store_begin(ew.core.st), 0);
	for (unsigned k = 0; k < cnt; k++) {
		(void)snprintf(g.id, sizeof(g.id), "sg-%017x", k);
		(void)snprintf(g.name, sizeof(g.name), "many%u", k);
		assert_int_equal(store_put(ew.core.st, &tbl_groups, &g), 0);
		(void)snprintf(rule.group_id, sizeof(rule.group_id), "%s", g.id);
		for (rule.addr = 0; rule.addr < NET_RULES_MAX; rule.addr++) {
			(void)snprintf(rule.id, sizeof(rule.id), "sgr-%017x",
				       k * NET_RULES_MAX + rule.addr);
			assert_int_equal(store_put(ew.core.st, &tbl_group_rules, &rule), 0);
		}
	}
	assert_int_equal(store_commit(ew.core.st), 0);
}

/* Two hundred filters that each look at all rules, and find what they want in the first one. */
static void group_filters__may_not_take_long(void **state)
{
	enum { FILTERS = 200, GROUPS = 150 };
	static char body[FILTERS * 80];
	size_t len = 0;

	(void)state;
	groups_of_many_rules(GROUPS);
	len = (size_t)snprintf(body, sizeof(body), "Action=DescribeSecurityGroups");
	for (unsigned k = 1; k <= FILTERS; k++)
		len += (size_t)snprintf(body + len, sizeof(body) - len,
					"&Filter.%u.Name=ip-permission.cidr&Filter.%u.Value.1=*", k,
					k);
	assert_int_equal(ec2_ask(EC2_A, body), 400);
	assert_true(ec2_refused("FilterLimitExceeded"));
	ec2_done(ec2_ask(EC2_A, "Action=DescribeSecurityGroups&Filter.1.Name=ip-permission.cidr&"
				"Filter.1.Value.1=0.0.0.59/32"));
	assert_int_equal(ec2_answer_count("<groupName>many"), GROUPS);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, ec2_test_start, ec2_test_stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(create_group__lets_everything_out_and_nothing_in),
		TEST(create_group__checks_its_words),
		TEST(delete_group__waits_until_nobody_needs_it),
		TEST(authorize__makes_a_rule_of_each_peer),
		TEST(authorize__knows_protocols_by_name_and_number),
		TEST(authorize__refuses_what_is_there_and_what_cannot_be),
		TEST(authorize__stops_at_sixty_rules_a_direction),
		TEST(revoke__works_as_terraform_expects),
		TEST(revoke__takes_away_exactly_what_is_named),
		TEST(modify_rules__replaces_one),
		TEST(update_descriptions__change_only_them),
		TEST(group_filters__each_finds_one_and_misses_another),
		TEST(group_filters__may_not_take_long),
		TEST(another_accounts_groups__are_not_there),
	};

	if (crypto_init() < 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
