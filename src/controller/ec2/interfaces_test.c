/* SPDX-License-Identifier: Apache-2.0 */

/* Network interfaces through the dispatcher. */

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

static const char *default_subnet(const char *account, char id[EC2_KEEP])
{
	ec2_done(ec2_ask(
		account,
		"Action=DescribeSubnets&Filter.1.Name=default-for-az&Filter.1.Value.1=true"));
	return ec2_keep(id, "subnetId");
}

static const char *interface_make(char id[EC2_KEEP])
{
	char subnet[EC2_KEEP];

	ec2_done(ec2_askf("Action=CreateNetworkInterface&SubnetId=%s",
			  default_subnet(EC2_A, subnet)));
	return ec2_keep(id, "networkInterfaceId");
}

static const char *group_make(char id[EC2_KEEP], const char *name)
{
	ec2_done(ec2_askf("Action=CreateSecurityGroup&GroupName=%s&GroupDescription=d", name));
	return ec2_keep(id, "groupId");
}

/* An instance's row with @eni, as a launch leaves them. */
static void instance_make(const char *id, const char *eni, bool delete_on_termination)
{
	struct instance i = { .state = INSTANCE_PENDING, .cores = 1, .threads = 1 };
	struct interface ni;
	struct fault f;

	(void)snprintf(i.id, sizeof(i.id), "%s", id);
	(void)snprintf(i.account, sizeof(i.account), "%s", EC2_A);
	(void)snprintf(i.image_id, sizeof(i.image_id), "%s", "ami-0123456789abcdef0");
	assert_int_equal(store_put(ew.core.st, &tbl_instances, &i), 0);
	assert_int_equal(core_interface_find(&ew.core, EC2_A, eni, &ni, &f), 0);
	assert_int_equal(core_interface_attach(&ew.core, &ni, &i, 0, delete_on_termination, &f), 0);
}

static bool asked_for(enum core_act_kind kind, const char *id)
{
	for (size_t k = 0; k < ew.acts.cnt; k++)
		if (ew.acts.v[k].kind == kind && strcmp(ew.acts.v[k].id, id) == 0)
			return true;
	return false;
}

static void create_interface__has_an_address_and_the_default_group(void **state)
{
	char subnet[EC2_KEEP], id[EC2_KEEP];

	(void)state;
	default_subnet(EC2_A, subnet);
	ec2_done(ec2_askf("Action=CreateNetworkInterface&SubnetId=%s&Description=my+own&"
			  "TagSpecification.1.ResourceType=network-interface&"
			  "TagSpecification.1.Tag.1.Key=k&TagSpecification.1.Tag.1.Value=v&"
			  "ClientToken=t1",
			  subnet));
	ec2_keep(id, "networkInterfaceId");
	assert_true(id_valid(ID_INTERFACE, id));
	assert_true(ec2_answer_has("<clientToken>t1</clientToken>"));
	assert_true(ec2_answer_has("<status>available</status>"));
	assert_true(ec2_answer_has("<privateIpAddress>172.31.0.4</privateIpAddress>"));
	assert_true(ec2_answer_has("<privateDnsName>ip-172-31-0-4.ec2.internal</privateDnsName>"));
	assert_true(ec2_answer_has("<description>my own</description>"));
	assert_true(ec2_answer_has("<groupName>default</groupName>"));
	assert_true(ec2_answer_has("<macAddress>06:"));
	assert_true(ec2_answer_has("<sourceDestCheck>true</sourceDestCheck>"));
	assert_true(ec2_answer_has("<interfaceType>interface</interfaceType>"));
	assert_false(ec2_answer_has("<attachment>"));
	assert_true(ec2_answer_has("<key>k</key><value>v</value>"));
	/* The token again is the same interface; with something else it is a mistake. */
	ec2_done(ec2_askf("Action=CreateNetworkInterface&SubnetId=%s&Description=my+own&"
			  "TagSpecification.1.ResourceType=network-interface&"
			  "TagSpecification.1.Tag.1.Key=k&TagSpecification.1.Tag.1.Value=v&"
			  "ClientToken=t1",
			  subnet));
	assert_true(ec2_answer_has(id));
	ec2_refuses("IdempotentParameterMismatch",
		    "Action=CreateNetworkInterface&SubnetId=%s&ClientToken=t1", subnet);
	ec2_done(ec2_ask(EC2_A, "Action=DescribeNetworkInterfaces"));
	assert_int_equal(ec2_answer_count("<networkInterfaceId>"), 1);
}

static void create_interface__takes_an_address_that_is_free(void **state)
{
	char subnet[EC2_KEEP];

	(void)state;
	default_subnet(EC2_A, subnet);
#define MAKE "Action=CreateNetworkInterface&SubnetId=%s&"
	ec2_done(ec2_askf(MAKE "PrivateIpAddress=172.31.5.6", subnet));
	assert_true(ec2_answer_has("<privateIpAddress>172.31.5.6</privateIpAddress>"));
	ec2_done(ec2_askf(MAKE "PrivateIpAddresses.1.PrivateIpAddress=172.31.5.7&"
			       "PrivateIpAddresses.1.Primary=true",
			  subnet));
	ec2_refuses("InvalidIPAddress.InUse", MAKE "PrivateIpAddress=172.31.5.6", subnet);
	ec2_refuses("InvalidParameterValue", MAKE "PrivateIpAddress=172.31.16.4", subnet);
	ec2_refuses("InvalidParameterValue", MAKE "PrivateIpAddress=172.31.0.3", subnet);
	ec2_refuses("InvalidParameterValue", MAKE "PrivateIpAddress=172.31.15.255", subnet);
	ec2_refuses("InvalidParameterValue", MAKE "PrivateIpAddress=172.31.5", subnet);
	ec2_refuses("UnsupportedOperation", MAKE "SecondaryPrivateIpAddressCount=1", subnet);
	ec2_refuses("UnsupportedOperation",
		    MAKE "PrivateIpAddresses.1.PrivateIpAddress=172.31.5.9&"
			 "PrivateIpAddresses.1.Primary=false",
		    subnet);
	ec2_refuses("InvalidParameterCombination",
		    MAKE "PrivateIpAddress=172.31.5.9&"
			 "PrivateIpAddresses.1.PrivateIpAddress=172.31.5.9&"
			 "PrivateIpAddresses.1.Primary=true",
		    subnet);
	ec2_refuses("UnsupportedOperation", MAKE "Ipv6AddressCount=1", subnet);
	ec2_refuses("UnsupportedOperation", MAKE "InterfaceType=efa", subnet);
	ec2_refuses("InvalidSubnetID.NotFound", MAKE "InterfaceType=interface",
		    "subnet-00000000000000001");
	ec2_refuses("MissingParameter", "Action=CreateNetworkInterface");
	ec2_refuses("DryRunOperation", MAKE "DryRun=true", subnet);
#undef MAKE
}

static void create_interface__ends_when_a_subnet_is_full(void **state)
{
	char vpc[EC2_KEEP], subnet[EC2_KEEP];

	(void)state;
	ec2_done(ec2_askf("Action=CreateVpc&CidrBlock=10.0.0.0/28"));
	ec2_keep(vpc, "vpcId");
	ec2_done(ec2_askf("Action=CreateSubnet&VpcId=%s&CidrBlock=10.0.0.0/28", vpc));
	ec2_keep(subnet, "subnetId");
	for (unsigned k = 0; k < 11; k++)
		ec2_done(ec2_askf("Action=CreateNetworkInterface&SubnetId=%s", subnet));
	ec2_refuses("InsufficientFreeAddressesInSubnet",
		    "Action=CreateNetworkInterface&SubnetId=%s", subnet);
	ec2_done(ec2_askf("Action=DescribeSubnets&SubnetId.1=%s", subnet));
	assert_true(ec2_answer_has("<availableIpAddressCount>0</availableIpAddressCount>"));
}

static void interfaces__have_one_to_five_groups_of_their_network(void **state)
{
	char subnet[EC2_KEEP], id[EC2_KEEP], g[6][EC2_KEEP], vpc[EC2_KEEP], other[EC2_KEEP],
		foreign[EC2_KEEP];

	(void)state;
	default_subnet(EC2_A, subnet);
	for (unsigned k = 0; k < 6; k++) {
		char name[8];

		(void)snprintf(name, sizeof(name), "g%u", k);
		group_make(g[k], name);
	}
	ec2_done(ec2_askf("Action=CreateVpc&CidrBlock=10.0.0.0/28"));
	ec2_keep(vpc, "vpcId");
	ec2_done(ec2_askf("Action=CreateSecurityGroup&GroupName=o&GroupDescription=d&VpcId=%s",
			  vpc));
	ec2_keep(other, "groupId");
	ec2_done(ec2_ask(EC2_B, "Action=DescribeSecurityGroups"));
	ec2_keep(foreign, "groupId");
	ec2_done(ec2_askf("Action=CreateNetworkInterface&SubnetId=%s&SecurityGroupId.1=%s&"
			  "SecurityGroupId.2=%s",
			  subnet, g[0], g[1]));
	ec2_keep(id, "networkInterfaceId");
	assert_int_equal(ec2_answer_count("<groupName>g"), 2);
	assert_false(ec2_answer_has("<groupName>default"));
#define FIVE                                                                                       \
	"SecurityGroupId.1=%s&SecurityGroupId.2=%s&SecurityGroupId.3=%s&SecurityGroupId.4=%s&"     \
	"SecurityGroupId.5=%s"
	ew.acts.cnt = 0;
	ec2_done(ec2_askf("Action=ModifyNetworkInterfaceAttribute&NetworkInterfaceId=%s&" FIVE, id,
			  g[1], g[2], g[3], g[4], g[5]));
	assert_true(ew.acts.cnt > 0); /* in force at once */
	ec2_done(ec2_askf("Action=DescribeNetworkInterfaces&NetworkInterfaceId.1=%s", id));
	assert_int_equal(ec2_answer_count("<groupName>g"), 5);
	assert_false(ec2_answer_has("<groupName>g0"));
	ec2_refuses("SecurityGroupsPerInterfaceLimitExceeded",
		    "Action=ModifyNetworkInterfaceAttribute&NetworkInterfaceId=%s&" FIVE
		    "&SecurityGroupId.6=%s",
		    id, g[0], g[1], g[2], g[3], g[4], g[5]);
	ec2_refuses("InvalidGroup.NotFound",
		    "Action=ModifyNetworkInterfaceAttribute&NetworkInterfaceId=%s&"
		    "SecurityGroupId.1=%s",
		    id, other);
	ec2_refuses("InvalidGroup.NotFound",
		    "Action=ModifyNetworkInterfaceAttribute&NetworkInterfaceId=%s&"
		    "SecurityGroupId.1=%s",
		    id, foreign);
	ec2_refuses("InvalidGroup.NotFound",
		    "Action=CreateNetworkInterface&SubnetId=%s&SecurityGroupId.1=%s", subnet,
		    foreign);
#undef FIVE
}

/* A rule about a group is a rule for each of its members: what no card can be told is refused. */
static void rules__are_refused_before_a_card_would_have_to(void **state)
{
	char g[EC2_KEEP], subnet[EC2_KEEP];
	const unsigned room = CTL_RULES_MAX - NET_FORWARDS_INSTANCE_MAX * 32;
	unsigned k;

	(void)state;
	default_subnet(EC2_A, subnet);
	group_make(g, "g");
	for (k = 0; k < 20; k++)
		ec2_done(ec2_askf("Action=CreateNetworkInterface&SubnetId=%s&SecurityGroupId.1=%s",
				  subnet, g));
	for (k = 0; (k + 1) * 20 + 1 <= room; k++)
		ec2_done(ec2_askf("Action=AuthorizeSecurityGroupIngress&GroupId=%s&"
				  "IpPermissions.1.IpProtocol=tcp&IpPermissions.1.FromPort=%u&"
				  "IpPermissions.1.ToPort=%u&IpPermissions.1.Groups.1.GroupId=%s",
				  g, k, k, g));
	ec2_refuses("RulesPerSecurityGroupLimitExceeded",
		    "Action=AuthorizeSecurityGroupIngress&GroupId=%s&"
		    "IpPermissions.1.IpProtocol=-1&IpPermissions.1.Groups.1.GroupId=%s",
		    g, g);
	/* One more member of the group is as many more rules. */
	ec2_refuses("RulesPerSecurityGroupLimitExceeded",
		    "Action=CreateNetworkInterface&SubnetId=%s&SecurityGroupId.1=%s", subnet, g);
	ec2_done(ec2_askf("Action=CreateNetworkInterface&SubnetId=%s", subnet));
}

static void modify_interface__changes_one_thing(void **state)
{
	char id[EC2_KEEP], attachment[EC2_KEEP];

	(void)state;
	interface_make(id);
#define MODIFY "Action=ModifyNetworkInterfaceAttribute&NetworkInterfaceId=%s&"
	ec2_done(ec2_askf(MODIFY "Description.Value=new", id));
	ec2_done(ec2_askf("Action=DescribeNetworkInterfaceAttribute&NetworkInterfaceId=%s&"
			  "Attribute=description",
			  id));
	assert_true(ec2_answer_has("<description><value>new</value></description>"));
	ec2_done(ec2_askf(MODIFY "Description.Value=", id));
	ec2_done(ec2_askf("Action=DescribeNetworkInterfaces&NetworkInterfaceId.1=%s", id));
	assert_true(ec2_answer_has("<description/>"));
	ew.acts.cnt = 0;
	ec2_done(ec2_askf(MODIFY "SourceDestCheck.Value=false", id));
	assert_true(ew.acts.cnt > 0);
	ec2_done(ec2_askf("Action=DescribeNetworkInterfaceAttribute&NetworkInterfaceId=%s&"
			  "Attribute=sourceDestCheck",
			  id));
	assert_true(ec2_answer_has("<sourceDestCheck><value>false</value></sourceDestCheck>"));
	ec2_refuses("InvalidAttachmentID.NotFound",
		    MODIFY "Attachment.AttachmentId=eni-attach-00000000000000001&"
			   "Attachment.DeleteOnTermination=false",
		    id);
	instance_make("i-00000000000000001", id, true);
	ec2_done(ec2_askf("Action=DescribeNetworkInterfaces&NetworkInterfaceId.1=%s", id));
	ec2_keep(attachment, "attachmentId");
	assert_true(ec2_answer_has("<deleteOnTermination>true</deleteOnTermination>"));
	ec2_done(ec2_askf(MODIFY "Attachment.AttachmentId=%s&Attachment.DeleteOnTermination=false",
			  id, attachment));
	ec2_done(ec2_askf("Action=DescribeNetworkInterfaceAttribute&NetworkInterfaceId=%s&"
			  "Attribute=attachment",
			  id));
	assert_true(ec2_answer_has("<deleteOnTermination>false</deleteOnTermination>"));
	ec2_refuses("InvalidParameterCombination",
		    MODIFY "Description.Value=x&SourceDestCheck.Value=true", id);
	ec2_refuses("InvalidParameterCombination",
		    MODIFY "Description.Value=&SourceDestCheck.Value=true", id);
	ec2_refuses("MissingParameter",
		    "Action=ModifyNetworkInterfaceAttribute&NetworkInterfaceId=%s", id);
	ec2_refuses("UnsupportedOperation", MODIFY "EnablePrimaryIpv6=true", id);
	ec2_refuses(
		"InvalidParameterValue",
		"Action=DescribeNetworkInterfaceAttribute&NetworkInterfaceId=%s&Attribute=colour",
		id);
#undef MODIFY
}

/* Metadata of an instance shows its groups, and is where it asks for names. */
static void changes__reach_what_an_instance_reads(void **state)
{
	char id[EC2_KEEP], g[EC2_KEEP], vpc[EC2_KEEP];

	(void)state;
	interface_make(id);
	group_make(g, "g");
	instance_make("i-00000000000000001", id, true);
	ew.acts.cnt = 0;
	ec2_done(ec2_askf("Action=ModifyNetworkInterfaceAttribute&NetworkInterfaceId=%s&"
			  "SecurityGroupId.1=%s",
			  id, g));
	assert_true(asked_for(CORE_METADATA, "i-00000000000000001"));
	assert_true(asked_for(CORE_NETWORK, ""));
	ew.acts.cnt = 0;
	ec2_done(ec2_askf("Action=ModifyVpcAttribute&VpcId=%s&EnableDnsSupport.Value=false",
			  ec2_default_vpc(EC2_A, vpc)));
	assert_true(asked_for(CORE_METADATA, "i-00000000000000001"));
	ew.acts.cnt = 0;
	ec2_done(ec2_askf("Action=ModifyVpcAttribute&VpcId=%s&EnableDnsSupport.Value=true&"
			  "DryRun=false",
			  vpc));
	assert_true(asked_for(CORE_METADATA, "i-00000000000000001"));
}

static void delete_interface__needs_it_free(void **state)
{
	char id[EC2_KEEP], kept[EC2_KEEP];

	(void)state;
	interface_make(id);
	interface_make(kept);
	instance_make("i-00000000000000001", id, true);
	instance_make("i-00000000000000002", kept, false);
	ec2_refuses("InvalidNetworkInterface.InUse",
		    "Action=DeleteNetworkInterface&NetworkInterfaceId=%s", id);
	/* Terminated, each goes as it was told. */
	assert_int_equal(core_net_release(&ew.core, "i-00000000000000001"), 0);
	assert_int_equal(core_net_release(&ew.core, "i-00000000000000002"), 0);
	ec2_refuses("InvalidNetworkInterfaceID.NotFound",
		    "Action=DeleteNetworkInterface&NetworkInterfaceId=%s", id);
	ec2_done(ec2_askf("Action=DescribeNetworkInterfaces&NetworkInterfaceId.1=%s", kept));
	assert_true(ec2_answer_has("<status>available</status>"));
	assert_false(ec2_answer_has("<attachment>"));
	ec2_done(ec2_askf("Action=DeleteNetworkInterface&NetworkInterfaceId=%s", kept));
	ec2_refuses("InvalidNetworkInterfaceId.Malformed",
		    "Action=DeleteNetworkInterface&NetworkInterfaceId=eni-attach-1");
	ec2_refuses("MissingParameter", "Action=DeleteNetworkInterface");
}

static void attach_and_detach__are_refused_by_name(void **state)
{
	char id[EC2_KEEP], used[EC2_KEEP], attachment[EC2_KEEP];

	(void)state;
	interface_make(id);
	interface_make(used);
	instance_make("i-00000000000000001", used, true);
	ec2_done(ec2_askf("Action=DescribeNetworkInterfaces&NetworkInterfaceId.1=%s", used));
	ec2_keep(attachment, "attachmentId");
	ec2_refuses("UnsupportedOperation",
		    "Action=AttachNetworkInterface&NetworkInterfaceId=%s&"
		    "InstanceId=i-00000000000000001&DeviceIndex=1",
		    id);
	ec2_refuses("InvalidNetworkInterface.InUse",
		    "Action=AttachNetworkInterface&NetworkInterfaceId=%s&"
		    "InstanceId=i-00000000000000001&DeviceIndex=1",
		    used);
	ec2_refuses("InvalidInstanceID.NotFound",
		    "Action=AttachNetworkInterface&NetworkInterfaceId=%s&"
		    "InstanceId=i-00000000000000009&DeviceIndex=1",
		    id);
	ec2_refuses("OperationNotPermitted", "Action=DetachNetworkInterface&AttachmentId=%s",
		    attachment);
	ec2_refuses("InvalidAttachmentID.NotFound",
		    "Action=DetachNetworkInterface&AttachmentId=eni-attach-00000000000000001");
}

static void interface_filters__each_finds_one_and_misses_another(void **state)
{
	static const struct {
		const char *name, *hit, *miss;
	} all[] = {
		{ "addresses.primary", "true", "false" },
		{ "addresses.private-ip-address", "172.31.9.9", "172.31.9.8" },
		{ "attachment.attachment-id", "eni-attach-*", "eni-0*" },
		{ "attachment.delete-on-termination", "true", "false" },
		{ "attachment.device-index", "0", "1" },
		{ "attachment.instance-id", "i-00000000000000001", "i-00000000000000002" },
		{ "attachment.instance-owner-id", EC2_A, EC2_B },
		{ "attachment.status", "attached", "detached" },
		{ "availability-zone", "us-east-1a", "us-east-1b" },
		{ "description", "d?scr*", "d" },
		{ "group-id", "sg-*", "x" },
		{ "group-name", "default", "other" },
		{ "interface-type", "interface", "efa" },
		{ "mac-address", "06:*", "02:*" },
		{ "network-interface-id", "eni-*", "i-*" },
		{ "owner-id", EC2_A, EC2_B },
		{ "private-dns-name", "ip-172-31-9-9.ec2.internal", "ip-172-31-9-9" },
		{ "private-ip-address", "172.31.9.9", "172.31.9.8" },
		{ "requester-managed", "false", "true" },
		{ "source-dest-check", "true", "false" },
		{ "status", "in-use", "available" },
		{ "subnet-id", "subnet-*", "vpc-*" },
		{ "vpc-id", "vpc-*", "subnet-*" },
		{ "tag:k", "v", "w" },
	};
	char subnet[EC2_KEEP], id[EC2_KEEP];

	(void)state;
	ec2_done(ec2_askf("Action=CreateNetworkInterface&SubnetId=%s&PrivateIpAddress=172.31.9.9&"
			  "Description=descr&TagSpecification.1.ResourceType=network-interface&"
			  "TagSpecification.1.Tag.1.Key=k&TagSpecification.1.Tag.1.Value=v",
			  default_subnet(EC2_A, subnet)));
	ec2_keep(id, "networkInterfaceId");
	instance_make("i-00000000000000001", id, true);
	for (size_t k = 0; k < ARRAY_SIZE(all); k++)
		ec2_filter_finds("DescribeNetworkInterfaces", all[k].name, id, all[k].hit,
				 all[k].miss);
}

static void another_accounts_interfaces__are_not_there(void **state)
{
	char subnet[EC2_KEEP], id[EC2_KEEP], body[256];

	(void)state;
	(void)snprintf(body, sizeof(body), "Action=CreateNetworkInterface&SubnetId=%s",
		       default_subnet(EC2_B, subnet));
	ec2_done(ec2_ask(EC2_B, body));
	ec2_keep(id, "networkInterfaceId");
	ec2_refuses("InvalidNetworkInterfaceID.NotFound",
		    "Action=DescribeNetworkInterfaces&NetworkInterfaceId.1=%s", id);
	ec2_refuses("InvalidNetworkInterfaceID.NotFound",
		    "Action=DescribeNetworkInterfaceAttribute&NetworkInterfaceId=%s&"
		    "Attribute=description",
		    id);
	ec2_refuses("InvalidNetworkInterfaceID.NotFound",
		    "Action=DeleteNetworkInterface&NetworkInterfaceId=%s", id);
	ec2_refuses("InvalidNetworkInterfaceID.NotFound",
		    "Action=ModifyNetworkInterfaceAttribute&NetworkInterfaceId=%s&"
		    "Description.Value=x",
		    id);
	ec2_refuses("InvalidNetworkInterfaceID.NotFound",
		    "Action=AttachNetworkInterface&NetworkInterfaceId=%s&"
		    "InstanceId=i-00000000000000001&DeviceIndex=1",
		    id);
	ec2_done(ec2_ask(EC2_A, "Action=DescribeNetworkInterfaces"));
	assert_false(ec2_answer_has("<networkInterfaceId>"));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, ec2_test_start, ec2_test_stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(create_interface__has_an_address_and_the_default_group),
		TEST(create_interface__takes_an_address_that_is_free),
		TEST(create_interface__ends_when_a_subnet_is_full),
		TEST(interfaces__have_one_to_five_groups_of_their_network),
		TEST(rules__are_refused_before_a_card_would_have_to),
		TEST(modify_interface__changes_one_thing),
		TEST(changes__reach_what_an_instance_reads),
		TEST(delete_interface__needs_it_free),
		TEST(attach_and_detach__are_refused_by_name),
		TEST(interface_filters__each_finds_one_and_misses_another),
		TEST(another_accounts_interfaces__are_not_there),
	};

	if (crypto_init() < 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
