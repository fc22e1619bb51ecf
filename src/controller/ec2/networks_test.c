/* SPDX-License-Identifier: Apache-2.0 */

/* Networks, subnets and what belongs to them, through the dispatcher: what is answered, refused, and seen by whom. */

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

static const char *vpc_make(char id[64], const char *cidr)
{
	ec2_done(ec2_askf("Action=CreateVpc&CidrBlock=%s", cidr));
	return ec2_keep(id, "vpcId");
}

/* ---- networks ---- */

static void describe_vpcs__shows_the_default_one_as_ec2_does(void **state)
{
	char id[64], digits[64], want[128];

	(void)state;
	ec2_default_vpc(EC2_A, id);
	(void)snprintf(digits, sizeof(digits), "%s", id + strlen("vpc-"));
	assert_true(ec2_answer_has("<cidrBlock>172.31.0.0/16</cidrBlock>"));
	assert_true(ec2_answer_has("<isDefault>true</isDefault>"));
	assert_true(ec2_answer_has("<ownerId>" EC2_A "</ownerId>"));
	assert_true(ec2_answer_has("<state>available</state>"));
	assert_true(ec2_answer_has("<instanceTenancy>default</instanceTenancy>"));
	assert_true(ec2_answer_has("<cidrBlockState><state>associated</state></cidrBlockState>"));
	(void)snprintf(want, sizeof(want), "<dhcpOptionsId>dopt-%s</dhcpOptionsId>", digits);
	assert_true(ec2_answer_has(want));
	(void)snprintf(want, sizeof(want), "<associationId>vpc-cidr-assoc-%s</associationId>",
		       digits);
	assert_true(ec2_answer_has(want));
}

static void create_vpc__makes_a_network_with_its_default_group(void **state)
{
	char id[64];

	(void)state;
	ec2_done(ec2_askf(
		"Action=CreateVpc&CidrBlock=10.1.2.3/16&TagSpecification.1.ResourceType=vpc&"
		"TagSpecification.1.Tag.1.Key=Name&TagSpecification.1.Tag.1.Value=v"));
	ec2_keep(id, "vpcId");
	assert_true(id_valid(ID_VPC, id));
	assert_true(
		ec2_answer_has("<cidrBlock>10.1.0.0/16</cidrBlock>")); /* host bits are cleared */
	assert_true(ec2_answer_has("<isDefault>false</isDefault>"));
	assert_true(ec2_answer_has("<key>Name</key><value>v</value>"));
	ec2_done(ec2_askf("Action=DescribeSecurityGroups&Filter.1.Name=vpc-id&Filter.1.Value.1=%s",
			  id));
	assert_int_equal(ec2_answer_count("<groupName>default</groupName>"), 1);
	ec2_done(ec2_askf(
		"Action=DescribeVpcs&VpcId.1=%s&Filter.1.Name=tag:Name&Filter.1.Value.1=v", id));
	assert_int_equal(ec2_answer_count("<vpcId>"), 1);
	ec2_done(ec2_askf("Action=DescribeSubnets&Filter.1.Name=vpc-id&Filter.1.Value.1=%s", id));
	assert_false(ec2_answer_has("<subnetId>"));
}

static void create_vpc__takes_blocks_of_16_to_28_bits_that_overlap(void **state)
{
	char id[64];

	(void)state;
	vpc_make(id, "10.0.0.0/16");
	vpc_make(id, "10.0.0.0/16"); /* networks are strangers: they may overlap */
	vpc_make(id, "192.168.7.16/28");
	vpc_make(id, "172.31.0.0/16");
	ec2_refuses("InvalidVpc.Range", "Action=CreateVpc&CidrBlock=10.0.0.0/15");
	ec2_refuses("InvalidVpc.Range", "Action=CreateVpc&CidrBlock=10.0.0.0/29");
	ec2_refuses("InvalidVpc.Range", "Action=CreateVpc&CidrBlock=127.0.0.0/16");
	ec2_refuses("InvalidVpc.Range", "Action=CreateVpc&CidrBlock=169.254.169.0/24");
	ec2_refuses("InvalidVpc.Range", "Action=CreateVpc&CidrBlock=224.0.0.0/16");
	ec2_refuses("InvalidVpc.Range", "Action=CreateVpc&CidrBlock=0.0.0.0/16");
	ec2_refuses("InvalidParameterValue", "Action=CreateVpc&CidrBlock=10.0.0.0");
	ec2_refuses("InvalidParameterValue", "Action=CreateVpc&CidrBlock=10.0.0/16");
	ec2_refuses("MissingParameter", "Action=CreateVpc");
}

static void create_vpc__refuses_by_name_what_there_is_not(void **state)
{
	(void)state;
	ec2_refuses("UnsupportedOperation",
		    "Action=CreateVpc&CidrBlock=10.0.0.0/16&InstanceTenancy=dedicated");
	ec2_refuses("UnsupportedOperation",
		    "Action=CreateVpc&CidrBlock=10.0.0.0/16&AmazonProvidedIpv6CidrBlock=true");
	ec2_refuses("UnsupportedOperation",
		    "Action=CreateVpc&CidrBlock=10.0.0.0/16&Ipv4IpamPoolId=ipam-1");
	ec2_refuses("UnknownParameter", "Action=CreateVpc&CidrBlock=10.0.0.0/16&Nonsense=1");
	ec2_refuses("InvalidParameterValue",
		    "Action=CreateVpc&CidrBlock=10.0.0.0/16&TagSpecification.1.ResourceType=subnet&"
		    "TagSpecification.1.Tag.1.Key=a&TagSpecification.1.Tag.1.Value=b");
	ec2_refuses("DryRunOperation", "Action=CreateVpc&CidrBlock=10.0.0.0/16&DryRun=true");
	ec2_done(
		ec2_askf("Action=CreateVpc&CidrBlock=10.0.0.0/16&AmazonProvidedIpv6CidrBlock=false&"
			 "InstanceTenancy=default"));
}

static void vnis__are_never_shared(void **state)
{
	char id[64];
	struct store_iter it, jt;
	const struct vpc *v, *w;
	size_t pairs = 0;

	(void)state;
	for (unsigned k = 0; k < 5; k++) {
		vpc_make(id, "10.0.0.0/24");
		if (k == 2)
			ec2_done(ec2_askf("Action=DeleteVpc&VpcId=%s", id));
	}
	store_each(ew.core.st, &tbl_vpcs, &it);
	while ((v = store_next(&it))) {
		store_each(ew.core.st, &tbl_vpcs, &jt);
		while ((w = store_next(&jt)))
			pairs += w->vni == v->vni;
	}
	assert_int_equal(pairs, 6); /* two default ones and four: each equals itself */
}

static void delete_vpc__waits_until_it_is_empty(void **state)
{
	char vpc[64], subnet[64], group[64];

	(void)state;
	vpc_make(vpc, "10.0.0.0/16");
	ec2_done(ec2_askf("Action=CreateSubnet&VpcId=%s&CidrBlock=10.0.0.0/24", vpc));
	ec2_keep(subnet, "subnetId");
	ec2_done(ec2_askf("Action=CreateSecurityGroup&GroupName=g&GroupDescription=d&VpcId=%s",
			  vpc));
	ec2_keep(group, "groupId");
	ec2_refuses("DependencyViolation", "Action=DeleteVpc&VpcId=%s", vpc);
	ec2_done(ec2_askf("Action=DeleteSubnet&SubnetId=%s", subnet));
	ec2_refuses("DependencyViolation", "Action=DeleteVpc&VpcId=%s", vpc);
	ec2_done(ec2_askf("Action=DeleteSecurityGroup&GroupId=%s", group));
	ec2_done(ec2_askf("Action=DeleteVpc&VpcId=%s", vpc));
	assert_true(ec2_answer_has("<return>true</return>"));
	ec2_refuses("InvalidVpcID.NotFound", "Action=DeleteVpc&VpcId=%s", vpc);
	ec2_refuses("InvalidVpcID.NotFound", "Action=DescribeVpcs&VpcId.1=%s", vpc);
	ec2_refuses("InvalidVpcID.Malformed", "Action=DeleteVpc&VpcId=nonsense");
	ec2_refuses("MissingParameter", "Action=DeleteVpc");
}

static void default_vpc__comes_back_when_it_is_asked_for(void **state)
{
	char vpc[64], subnet[64];

	(void)state;
	ec2_refuses("DefaultVpcAlreadyExists", "Action=CreateDefaultVpc");
	ec2_default_vpc(EC2_A, vpc);
	ec2_done(ec2_ask(EC2_A, "Action=DescribeSubnets"));
	ec2_keep(subnet, "subnetId");
	assert_true(ec2_answer_has("<defaultForAz>true</defaultForAz>"));
	ec2_refuses("DefaultSubnetAlreadyExistsInAvailabilityZone",
		    "Action=CreateDefaultSubnet&AvailabilityZone=us-east-1a");
	ec2_done(ec2_askf("Action=DeleteSubnet&SubnetId=%s", subnet));
	ec2_done(ec2_askf("Action=CreateDefaultSubnet&AvailabilityZone=us-east-1a"));
	assert_true(ec2_answer_has("<cidrBlock>172.31.0.0/20</cidrBlock>"));
	ec2_keep(subnet, "subnetId");
	ec2_done(ec2_askf("Action=DeleteSubnet&SubnetId=%s", subnet));
	ec2_done(ec2_askf("Action=DeleteVpc&VpcId=%s", vpc));
	/* niterd's next start does not bring it back. */
	assert_int_equal(core_net_init(&ew.core), 0);
	ec2_refuses("DefaultVpcDoesNotExist",
		    "Action=CreateDefaultSubnet&AvailabilityZone=us-east-1a");
	ec2_refuses("VPCIdNotSpecified",
		    "Action=CreateSecurityGroup&GroupName=g&GroupDescription=d");
	ec2_done(ec2_ask(EC2_A, "Action=CreateDefaultVpc"));
	assert_true(ec2_answer_has("<isDefault>true</isDefault>"));
	ec2_done(ec2_ask(EC2_A, "Action=DescribeInternetGateways"));
	assert_int_equal(ec2_answer_count("<internetGatewayId>"), 1);
}

static void vpc_attributes__are_read_and_written_one_by_one(void **state)
{
	char vpc[64];

	(void)state;
	vpc_make(vpc, "10.0.0.0/16");
	ec2_done(ec2_askf("Action=DescribeVpcAttribute&VpcId=%s&Attribute=enableDnsSupport", vpc));
	assert_true(ec2_answer_has("<enableDnsSupport><value>true</value></enableDnsSupport>"));
	ec2_done(
		ec2_askf("Action=DescribeVpcAttribute&VpcId=%s&Attribute=enableDnsHostnames", vpc));
	assert_true(ec2_answer_has("<value>false</value>"));
	ew.acts.cnt = 0;
	ec2_done(ec2_askf("Action=ModifyVpcAttribute&VpcId=%s&EnableDnsSupport.Value=false", vpc));
	assert_int_equal(ew.acts.cnt, 1); /* guests must notice */
	assert_int_equal(ew.acts.v[0].kind, CORE_NETWORK);
	ec2_done(ec2_askf("Action=ModifyVpcAttribute&VpcId=%s&EnableDnsHostnames.Value=true", vpc));
	ec2_done(ec2_askf("Action=DescribeVpcAttribute&VpcId=%s&Attribute=enableDnsSupport", vpc));
	assert_true(ec2_answer_has("<value>false</value>"));
	ec2_done(
		ec2_askf("Action=DescribeVpcAttribute&VpcId=%s&Attribute=enableDnsHostnames", vpc));
	assert_true(ec2_answer_has("<value>true</value>"));
	ec2_done(ec2_askf(
		"Action=DescribeVpcAttribute&VpcId=%s&Attribute=enableNetworkAddressUsageMetrics",
		vpc));
	ec2_refuses("InvalidParameterValue", "Action=DescribeVpcAttribute&VpcId=%s&Attribute=x",
		    vpc);
	ec2_refuses("MissingParameter", "Action=DescribeVpcAttribute&VpcId=%s", vpc);
	ec2_refuses("MissingParameter", "Action=ModifyVpcAttribute&VpcId=%s", vpc);
	ec2_refuses("InvalidParameterCombination",
		    "Action=ModifyVpcAttribute&VpcId=%s&EnableDnsSupport.Value=true&"
		    "EnableDnsHostnames.Value=true",
		    vpc);
	ec2_refuses("InvalidParameterValue",
		    "Action=ModifyVpcAttribute&VpcId=%s&EnableDnsSupport.Value=maybe", vpc);
	ec2_refuses(
		"UnsupportedOperation",
		"Action=ModifyVpcAttribute&VpcId=%s&EnableNetworkAddressUsageMetrics.Value=true",
		vpc);
}

static void vpc_filters__each_finds_one_and_misses_another(void **state)
{
	static const struct {
		const char *name, *hit, *miss;
	} all[] = {
		{ "cidr", "10.7.*", "10.8.*" },
		{ "cidr-block-association.cidr-block", "10.7.0.0/24", "10.7.0.0/16" },
		{ "cidr-block-association.state", "associated", "failed" },
		{ "is-default", "false", "maybe" },
		{ "isDefault", "false", "maybe" },
		{ "owner-id", EC2_A, EC2_B },
		{ "state", "available", "pending" },
		{ "vpc-id", "vpc-*", "subnet-*" },
		{ "dhcp-options-id", "dopt-*", "vpc-*" },
		{ "cidr-block-association.association-id", "vpc-cidr-assoc-*", "x" },
	};
	char vpc[64];

	(void)state;
	vpc_make(vpc, "10.7.0.0/24");
	for (size_t k = 0; k < ARRAY_SIZE(all); k++)
		ec2_filter_finds("DescribeVpcs", all[k].name, vpc, all[k].hit, all[k].miss);
	ec2_refuses("InvalidParameterValue",
		    "Action=DescribeVpcs&Filter.1.Name=colour&Filter.1.Value.1=x");
}

static void describe_vpcs__comes_in_pages(void **state)
{
	char token[256], text[3 * sizeof(token)], vpc[64];
	size_t cnt = 0, pages = 0;

	(void)state;
	for (unsigned k = 0; k < 11; k++)
		vpc_make(vpc, "10.0.0.0/24");
	ec2_done(ec2_ask(EC2_A, "Action=DescribeVpcs&MaxResults=5"));
	for (;;) {
		cnt += ec2_answer_count("<vpcId>");
		pages++;
		(void)snprintf(token, sizeof(token), "%s", ec2_answer_value("nextToken"));
		if (!token[0])
			break;
		ec2_done(ec2_askf("Action=DescribeVpcs&MaxResults=5&NextToken=%s",
				  ec2_coded(text, token)));
	}
	assert_int_equal(cnt, 12);
	assert_int_equal(pages, 3);
	ec2_refuses("InvalidParameterValue", "Action=DescribeVpcs&MaxResults=4");
	ec2_refuses("InvalidParameterValue", "Action=DescribeVpcs&MaxResults=1001");
}

/* ---- subnets ---- */

static void create_subnet__must_lie_inside_and_apart(void **state)
{
	char vpc[64];

	(void)state;
	vpc_make(vpc, "10.0.0.0/16");
	ec2_done(ec2_askf(
		"Action=CreateSubnet&VpcId=%s&CidrBlock=10.0.1.77/24&AvailabilityZone=us-east-1a",
		vpc));
	assert_true(ec2_answer_has("<cidrBlock>10.0.1.0/24</cidrBlock>"));
	assert_true(ec2_answer_has("<availableIpAddressCount>251</availableIpAddressCount>"));
	assert_true(ec2_answer_has("<availabilityZoneId>use1-az1</availabilityZoneId>"));
	assert_true(ec2_answer_has("<mapPublicIpOnLaunch>false</mapPublicIpOnLaunch>"));
	assert_true(ec2_answer_has("<defaultForAz>false</defaultForAz>"));
	ec2_refuses("InvalidSubnet.Conflict", "Action=CreateSubnet&VpcId=%s&CidrBlock=10.0.1.0/24",
		    vpc);
	ec2_refuses("InvalidSubnet.Conflict",
		    "Action=CreateSubnet&VpcId=%s&CidrBlock=10.0.1.128/28", vpc);
	ec2_refuses("InvalidSubnet.Conflict", "Action=CreateSubnet&VpcId=%s&CidrBlock=10.0.0.0/16",
		    vpc);
	ec2_refuses("InvalidSubnet.Range", "Action=CreateSubnet&VpcId=%s&CidrBlock=10.1.0.0/24",
		    vpc);
	ec2_refuses("InvalidSubnet.Range", "Action=CreateSubnet&VpcId=%s&CidrBlock=10.0.2.0/29",
		    vpc);
	ec2_refuses("InvalidParameterValue", "Action=CreateSubnet&VpcId=%s&CidrBlock=10.0.2.0",
		    vpc);
	ec2_refuses(
		"InvalidParameterValue",
		"Action=CreateSubnet&VpcId=%s&CidrBlock=10.0.2.0/24&AvailabilityZone=us-east-1b",
		vpc);
	ec2_refuses(
		"UnsupportedOperation",
		"Action=CreateSubnet&VpcId=%s&CidrBlock=10.0.2.0/24&Ipv6CidrBlock=2001:db8::/64",
		vpc);
	ec2_refuses("MissingParameter", "Action=CreateSubnet&VpcId=%s", vpc);
	ec2_refuses("InvalidVpcID.NotFound",
		    "Action=CreateSubnet&VpcId=vpc-00000000000000001&CidrBlock=10.0.2.0/24");
	ec2_done(ec2_askf(
		"Action=CreateSubnet&VpcId=%s&CidrBlock=10.0.2.0/28&AvailabilityZoneId=use1-az1",
		vpc));
	assert_true(ec2_answer_has("<availableIpAddressCount>11</availableIpAddressCount>"));
}

static void subnet_filters__each_finds_one_and_misses_another(void **state)
{
	static const struct {
		const char *name, *hit, *miss;
	} all[] = {
		{ "availability-zone", "us-east-1a", "us-east-1b" },
		{ "availabilityZone", "us-east-1a", "us-east-1b" },
		{ "availability-zone-id", "use1-az1", "use1-az2" },
		{ "available-ip-address-count", "11", "12" },
		{ "cidr-block", "10.7.0.0/28", "10.7.0.0/24" },
		{ "cidr", "10.7.0.0/28", "10.7.0.0/24" },
		{ "cidrBlock", "10.7.0.0/28", "10.7.0.0/24" },
		{ "default-for-az", "false", "true" },
		{ "defaultForAz", "false", "true" },
		{ "map-public-ip-on-launch", "false", "true" },
		{ "owner-id", EC2_A, EC2_B },
		{ "state", "available", "pending" },
		{ "subnet-arn", "arn:aws:ec2:us-east-1:" EC2_A ":subnet/*", "arn:aws:s3*" },
		{ "subnet-id", "subnet-*", "vpc-*" },
		{ "vpc-id", "vpc-*", "subnet-*" },
	};
	char vpc[64], subnet[64];

	(void)state;
	vpc_make(vpc, "10.7.0.0/24");
	ec2_done(ec2_askf("Action=CreateSubnet&VpcId=%s&CidrBlock=10.7.0.0/28", vpc));
	ec2_keep(subnet, "subnetId");
	for (size_t k = 0; k < ARRAY_SIZE(all); k++)
		ec2_filter_finds("DescribeSubnets", all[k].name, subnet, all[k].hit, all[k].miss);
}

static void modify_subnet__changes_one_thing(void **state)
{
	char subnet[64];

	(void)state;
	ec2_done(ec2_ask(EC2_A, "Action=DescribeSubnets"));
	ec2_keep(subnet, "subnetId");
	ec2_done(ec2_askf("Action=ModifySubnetAttribute&SubnetId=%s&MapPublicIpOnLaunch.Value=true",
			  subnet));
	ec2_done(ec2_askf("Action=DescribeSubnets&SubnetId.1=%s", subnet));
	assert_true(ec2_answer_has("<mapPublicIpOnLaunch>true</mapPublicIpOnLaunch>"));
	ec2_done(ec2_askf("Action=ModifySubnetAttribute&SubnetId=%s&EnableDns64.Value=false",
			  subnet));
	ec2_refuses("UnsupportedOperation",
		    "Action=ModifySubnetAttribute&SubnetId=%s&EnableDns64.Value=true", subnet);
	ec2_refuses(
		"UnsupportedOperation",
		"Action=ModifySubnetAttribute&SubnetId=%s&AssignIpv6AddressOnCreation.Value=true",
		subnet);
	ec2_refuses("MissingParameter", "Action=ModifySubnetAttribute&SubnetId=%s", subnet);
	ec2_refuses("InvalidParameterCombination",
		    "Action=ModifySubnetAttribute&SubnetId=%s&MapPublicIpOnLaunch.Value=true&"
		    "EnableDns64.Value=false",
		    subnet);
	ec2_refuses("InvalidSubnetID.NotFound",
		    "Action=ModifySubnetAttribute&SubnetId=subnet-00000000000000001&"
		    "MapPublicIpOnLaunch.Value=true");
}

static void delete_subnet__waits_until_it_is_empty(void **state)
{
	char vpc[64], subnet[64], eni[64];

	(void)state;
	vpc_make(vpc, "10.0.0.0/24");
	ec2_done(ec2_askf("Action=CreateSubnet&VpcId=%s&CidrBlock=10.0.0.0/28", vpc));
	ec2_keep(subnet, "subnetId");
	ec2_done(ec2_askf("Action=CreateNetworkInterface&SubnetId=%s", subnet));
	ec2_keep(eni, "networkInterfaceId");
	ec2_done(ec2_askf("Action=DescribeSubnets&SubnetId.1=%s", subnet));
	assert_true(ec2_answer_has("<availableIpAddressCount>10</availableIpAddressCount>"));
	ec2_refuses("DependencyViolation", "Action=DeleteSubnet&SubnetId=%s", subnet);
	ec2_done(ec2_askf("Action=DeleteNetworkInterface&NetworkInterfaceId=%s", eni));
	ec2_done(ec2_askf("Action=DeleteSubnet&SubnetId=%s", subnet));
	ec2_refuses("InvalidSubnetID.NotFound", "Action=DeleteSubnet&SubnetId=%s", subnet);
	ec2_refuses("InvalidSubnetID.Malformed", "Action=DeleteSubnet&SubnetId=vpc-1");
}

/* ---- what belongs to a network ---- */

/* What Terraform's aws_vpc reads. */
static void route_tables_and_acls__are_one_of_each_vpc(void **state)
{
	char vpc[64], id[64], want[128];

	(void)state;
	vpc_make(vpc, "10.0.0.0/24");
	ec2_done(ec2_askf(
		"Action=DescribeRouteTables&Filter.1.Name=association.main&Filter.1.Value.1=true&"
		"Filter.2.Name=vpc-id&Filter.2.Value.1=%s",
		vpc));
	assert_int_equal(ec2_answer_count("<destinationCidrBlock>"), 1); /* no way out */
	assert_true(ec2_answer_has("<gatewayId>local</gatewayId>"));
	(void)snprintf(want, sizeof(want), "rtb-%s", vpc + strlen("vpc-"));
	assert_string_equal(ec2_keep(id, "routeTableId"), want);
	ec2_done(ec2_askf("Action=DescribeRouteTables&RouteTableId.1=%s", id));
	assert_int_equal(ec2_answer_count("<main>true</main>"), 1);
	ec2_done(ec2_askf("Action=DescribeNetworkAcls&Filter.1.Name=default&Filter.1.Value.1=true&"
			  "Filter.2.Name=vpc-id&Filter.2.Value.1=%s",
			  vpc));
	assert_int_equal(ec2_answer_count("<networkAclId>acl-"), 1);
	assert_int_equal(ec2_answer_count("<ruleAction>allow</ruleAction>"), 2);
	ec2_done(ec2_askf("Action=DescribeDhcpOptions&DhcpOptionsId.1=dopt-%s",
			  vpc + strlen("vpc-")));
	assert_true(ec2_answer_has("<value>ec2.internal</value>"));
	ec2_done(ec2_ask(EC2_A, "Action=DescribeRouteTables&Filter.1.Name=route.gateway-id&"
				"Filter.1.Value.1=igw-*"));
	assert_true(ec2_answer_has("<destinationCidrBlock>0.0.0.0/0</destinationCidrBlock>"));
	assert_false(ec2_answer_has(vpc));
	ec2_refuses("InvalidRouteTableID.NotFound",
		    "Action=DescribeRouteTables&RouteTableId.1=rtb-00000000000000001");
	ec2_refuses("InvalidNetworkAclID.NotFound",
		    "Action=DescribeNetworkAcls&NetworkAclId.1=acl-00000000000000001");
	ec2_refuses("InvalidDhcpOptionID.NotFound",
		    "Action=DescribeDhcpOptions&DhcpOptionsId.1=dopt-00000000000000001");
	ec2_refuses("InvalidInternetGatewayID.NotFound",
		    "Action=DescribeInternetGateways&InternetGatewayId.1=igw-00000000000000001");
}

static void addresses__there_are_none(void **state)
{
	(void)state;
	ec2_done(ec2_ask(EC2_A, "Action=DescribeAddresses"));
	assert_true(ec2_answer_has("<addressesSet/>"));
	ec2_done(ec2_ask(EC2_A,
			 "Action=DescribeAddresses&Filter.1.Name=domain&Filter.1.Value.1=vpc"));
	ec2_refuses("InvalidAllocationID.NotFound",
		    "Action=DescribeAddresses&AllocationId.1=eipalloc-1");
	ec2_refuses("InvalidAddress.NotFound", "Action=DescribeAddresses&PublicIp.1=192.0.2.1");
	ec2_refuses("InvalidParameterValue",
		    "Action=DescribeAddresses&Filter.1.Name=colour&Filter.1.Value.1=x");
}

/* ---- two accounts ---- */

/* Each of B's ids is to A as one that never was. */
static void another_account__is_not_there(void **state)
{
	static const struct {
		const char *fmt, *code;
		char what; /* v, s, r, a, d, g: whose id goes in */
	} all[] = {
		{ "Action=DescribeVpcs&VpcId.1=%s", "InvalidVpcID.NotFound", 'v' },
		{ "Action=DeleteVpc&VpcId=%s", "InvalidVpcID.NotFound", 'v' },
		{ "Action=DescribeVpcAttribute&VpcId=%s&Attribute=enableDnsSupport",
		  "InvalidVpcID.NotFound", 'v' },
		{ "Action=ModifyVpcAttribute&VpcId=%s&EnableDnsSupport.Value=false",
		  "InvalidVpcID.NotFound", 'v' },
		{ "Action=CreateSubnet&VpcId=%s&CidrBlock=172.31.64.0/20", "InvalidVpcID.NotFound",
		  'v' },
		{ "Action=CreateSecurityGroup&GroupName=g&GroupDescription=d&VpcId=%s",
		  "InvalidVpcID.NotFound", 'v' },
		{ "Action=DescribeSubnets&SubnetId.1=%s", "InvalidSubnetID.NotFound", 's' },
		{ "Action=DeleteSubnet&SubnetId=%s", "InvalidSubnetID.NotFound", 's' },
		{ "Action=ModifySubnetAttribute&SubnetId=%s&MapPublicIpOnLaunch.Value=true",
		  "InvalidSubnetID.NotFound", 's' },
		{ "Action=CreateNetworkInterface&SubnetId=%s", "InvalidSubnetID.NotFound", 's' },
		{ "Action=DescribeRouteTables&RouteTableId.1=%s", "InvalidRouteTableID.NotFound",
		  'r' },
		{ "Action=DescribeNetworkAcls&NetworkAclId.1=%s", "InvalidNetworkAclID.NotFound",
		  'a' },
		{ "Action=DescribeDhcpOptions&DhcpOptionsId.1=%s", "InvalidDhcpOptionID.NotFound",
		  'd' },
		{ "Action=DescribeInternetGateways&InternetGatewayId.1=%s",
		  "InvalidInternetGatewayID.NotFound", 'g' },
	};
	static const char *const lists[] = { "DescribeVpcs",        "DescribeSubnets",
					     "DescribeRouteTables", "DescribeInternetGateways",
					     "DescribeNetworkAcls", "DescribeDhcpOptions" };
	char vpc[64], subnet[64], gateway[64], derived[96];

	(void)state;
	ec2_default_vpc(EC2_B, vpc);
	ec2_done(ec2_ask(EC2_B, "Action=DescribeSubnets"));
	ec2_keep(subnet, "subnetId");
	ec2_done(ec2_ask(EC2_B, "Action=DescribeInternetGateways"));
	ec2_keep(gateway, "internetGatewayId");
	for (size_t k = 0; k < ARRAY_SIZE(all); k++) {
		const char *id = all[k].what == 'v'   ? vpc
				 : all[k].what == 's' ? subnet
				 : all[k].what == 'g' ? gateway
						      : derived;
		char body[512];
		size_t at = (size_t)(strstr(all[k].fmt, "%s") - all[k].fmt);

		(void)snprintf(derived, sizeof(derived), "%s-%s",
			       all[k].what == 'r'   ? "rtb"
			       : all[k].what == 'a' ? "acl"
						    : "dopt",
			       vpc + strlen("vpc-"));
		(void)snprintf(body, sizeof(body), "%.*s%s%s", (int)at, all[k].fmt, id,
			       all[k].fmt + at + 2);
		ec2_refuses(all[k].code, "%s", body);
		assert_false(ec2_answer_has(EC2_B));
	}
	for (size_t k = 0; k < ARRAY_SIZE(lists); k++) {
		ec2_done(ec2_askf("Action=%s", lists[k]));
		assert_true(ec2_answer_has("<item>"));
		assert_false(ec2_answer_has(EC2_B));
		assert_false(ec2_answer_has(vpc + strlen("vpc-")));
	}
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, ec2_test_start, ec2_test_stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(describe_vpcs__shows_the_default_one_as_ec2_does),
		TEST(create_vpc__makes_a_network_with_its_default_group),
		TEST(create_vpc__takes_blocks_of_16_to_28_bits_that_overlap),
		TEST(create_vpc__refuses_by_name_what_there_is_not),
		TEST(vnis__are_never_shared),
		TEST(delete_vpc__waits_until_it_is_empty),
		TEST(default_vpc__comes_back_when_it_is_asked_for),
		TEST(vpc_attributes__are_read_and_written_one_by_one),
		TEST(vpc_filters__each_finds_one_and_misses_another),
		TEST(describe_vpcs__comes_in_pages),
		TEST(create_subnet__must_lie_inside_and_apart),
		TEST(subnet_filters__each_finds_one_and_misses_another),
		TEST(modify_subnet__changes_one_thing),
		TEST(delete_subnet__waits_until_it_is_empty),
		TEST(route_tables_and_acls__are_one_of_each_vpc),
		TEST(addresses__there_are_none),
		TEST(another_account__is_not_there),
	};

	if (crypto_init() < 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
