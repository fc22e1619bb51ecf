/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Instances through the dispatcher: what is answered, what is refused and changes nothing then, what is seen by whom.
 * settle() plays the launcher: everything that was asked for happens.
 */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "controller/core_net.h"
#include "controller/core_run.h"
#include "controller/ec2/instances.h"
#include "controller/ids.h"
#include "controller/types.h"
#include "crypto/crypto.h"
#include "ec2_world.h"

#define IMAGE "ami-0123456789abcdef0"
#define RUN "Action=RunInstances&ImageId=" IMAGE "&InstanceType=t3.micro"
#define RUN1 RUN "&MinCount=1&MaxCount=1"

static int start(void **state)
{
	(void)state;
	ec2_world_start();
	return 0;
}

static int stop(void **state)
{
	(void)state;
	ec2_world_stop();
	return 0;
}

static void refused(const char *code, const char *body)
{
	uint8_t before[32], after[32];

	ec2_world_digest(before);
	assert_int_not_equal(ec2_ask(EC2_A, body), 200);
	if (!ec2_refused(code))
		fail_msg("%s: not %s but: %s", body, code, ew.body);
	ec2_world_digest(after);
	assert_memory_equal(before, after, sizeof(before));
}

static void refusedf(const char *code, const char *fmt, ...) PRINTF_LIKE(2, 3);
static void refusedf(const char *code, const char *fmt, ...)
{
	char body[4096];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(body, sizeof(body), fmt, ap);
	va_end(ap);
	refused(code, body);
}

static void done(unsigned status)
{
	if (status != 200)
		fail_msg("%u: %s", status, ew.body);
}

static void happen(const struct core_act *a, struct core_acts *more)
{
	struct ctl_l_instance_started m = { .err = 0 };
	int r = 0;

	switch (a->kind) {
	case CORE_VOLUME_CREATE:
	case CORE_VOLUME_REMAKE:
		r = core_volume_made(&ew.core, a->id, 0, "", 1, more);
		break;
	case CORE_VOLUME_DELETE:
		r = core_volume_deleted(&ew.core, a->id, 0, "", more);
		break;
	case CORE_START:
		snprintf(m.instance_id, sizeof(m.instance_id), "%s", a->id);
		r = core_started(&ew.core, &m, more);
		break;
	case CORE_BUTTON:
		r = core_gone(&ew.core, a->id, CTL_EXIT_SHUTDOWN, "", more);
		break;
	case CORE_KILL:
		r = core_gone(&ew.core, a->id, CTL_EXIT_KILLED, "", more);
		break;
	case CORE_RESET:
	case CORE_SOCKET_DROP:
	case CORE_METADATA:
	case CORE_NETWORK:
		break;
	}
	assert_true(r >= 0);
}

static void settle(void)
{
	while (ew.acts.cnt) {
		struct core_acts now = ew.acts;

		ew.acts = (struct core_acts){ .v = NULL };
		for (size_t k = 0; k < now.cnt; k++)
			happen(&now.v[k], &ew.acts);
		core_acts_done(&now);
	}
}

/* The id of the instance that was run with @more; in a buffer that 8 calls share. */
static const char *run(const char *more)
{
	static char ids[8][CTL_ID_MAX];
	static unsigned next;
	char *id = ids[next++ % ARRAY_SIZE(ids)];

	done(ec2_askf(RUN1 "%s", more));
	snprintf(id, CTL_ID_MAX, "%s", ec2_answer_value("instanceId"));
	assert_true(id_valid(ID_INSTANCE, id));
	return id;
}

static const char *state_of(const char *id)
{
	done(ec2_askf("Action=DescribeInstances&InstanceId.1=%s", id));
	return ec2_answer_value("name");
}

/* ---- RunInstances ---- */

static void run_instances__answers_the_reservation_with_pending_instances(void **state)
{
	static const char *const has[] = {
		"<reservationId>r-",
		"<ownerId>" EC2_A "</ownerId><groupSet/><instancesSet><item>",
		"<instanceState><code>0</code><name>pending</name></instanceState>",
		"<imageId>" IMAGE "</imageId>",
		"<instanceType>t3.micro</instanceType>",
		"<amiLaunchIndex>0</amiLaunchIndex>",
		"<amiLaunchIndex>1</amiLaunchIndex>",
		"<availabilityZone>us-east-1a</availabilityZone>",
		"<tenancy>default</tenancy>",
		"<privateDnsName>ip-172-31-0-4.ec2.internal</privateDnsName>",
		"<privateIpAddress>172.31.0.5</privateIpAddress>",
		"<rootDeviceName>/dev/xvda</rootDeviceName>",
		"<deviceName>/dev/xvda</deviceName>",
		"<groupName>default</groupName>",
		"<deviceIndex>0</deviceIndex>",
		"<networkCardIndex>0</networkCardIndex>",
		"<status>attaching</status>",
		"<coreCount>1</coreCount><threadsPerCore>2</threadsPerCore>",
		"<httpTokens>required</httpTokens>",
		"<hypervisor>xen</hypervisor>",
		"<monitoring><state>disabled</state></monitoring>",
		"<tagSet/>",
		"<enclaveOptions><enabled>false</enabled></enclaveOptions>",
	};

	(void)state;
	done(ec2_askf(RUN "&MinCount=2&MaxCount=2&ClientToken=t"));
	for (size_t k = 0; k < ARRAY_SIZE(has); k++)
		if (!ec2_answer_has(has[k]))
			fail_msg("no %s in %s", has[k], ew.body);
	assert_int_equal(ec2_answer_count("<reservationId>"), 1);
	assert_int_equal(ec2_answer_count("<instanceId>"), 2);
	assert_int_equal(ec2_answer_count("<clientToken>t</clientToken>"), 2);
	settle();
	done(ec2_askf("Action=DescribeInstances"));
	assert_int_equal(ec2_answer_count("<name>running</name>"), 2);
	assert_int_equal(ec2_answer_count("<reservationId>"), 1);
	assert_int_equal(ec2_answer_count("<status>attached</status>"), 4);
}

static void run_instances__repeats_its_answer_for_a_token(void **state)
{
	char reservation[64];

	(void)state;
	done(ec2_askf(RUN "&MinCount=2&MaxCount=3&ClientToken=again"));
	snprintf(reservation, sizeof(reservation), "%s", ec2_answer_value("reservationId"));
	assert_int_equal(ec2_answer_count("<instanceId>"), 3);
	settle();
	done(ec2_askf(RUN "&MinCount=2&MaxCount=3&ClientToken=again"));
	assert_string_equal(ec2_answer_value("reservationId"), reservation);
	assert_int_equal(ec2_answer_count("<name>running</name>"), 3);
	assert_int_equal(store_cnt(ew.core.st, &tbl_instances), 3);
	assert_int_equal(ew.acts.cnt, 0);
	refused("IdempotentParameterMismatch", RUN "&MinCount=2&MaxCount=2&ClientToken=again");
	/* Another account's token is another token. */
	done(ec2_ask(EC2_B, RUN "&MinCount=2&MaxCount=3&ClientToken=again"));
	assert_string_not_equal(ec2_answer_value("reservationId"), reservation);
	assert_int_equal(store_cnt(ew.core.st, &tbl_instances), 6);
}

static void run_instances__takes_what_the_reference_request_says(void **state)
{
	(void)state;
	done(ec2_askf(
		"Action=ImportKeyPair&KeyName=k&PublicKeyMaterial=%s",
		"c3NoLWVkMjU1MTkgQUFBQUMzTnphQzFsWkRJMU5URTVBQUFBSUVpMjhSQ3l2cEo3WW5qRVZKR2VqV0"
		"44RmxJUDNtaXZVd0p4c1AwbURtNFg%3D"));
	done(ec2_askf(
		"Action=RunInstances&BlockDeviceMapping.1.DeviceName=%%2Fdev%%2Fxvda"
		"&BlockDeviceMapping.1.Ebs.VolumeSize=8&BlockDeviceMapping.1.Ebs.VolumeType=gp3"
		"&BlockDeviceMapping.1.Ebs.Encrypted=true"
		"&BlockDeviceMapping.1.Ebs.DeleteOnTermination=true&ImageId=" IMAGE
		"&InstanceType=c5.large&KeyName=k&UserData=I2Nsb3VkLWNvbmZpZwo%%3D"
		"&TagSpecification.1.ResourceType=instance&TagSpecification.1.Tag.1.Key=Name"
		"&TagSpecification.1.Tag.1.Value=a+b&TagSpecification.1.Tag.2.Key=E"
		"&TagSpecification.1.Tag.2.Value=%%C3%%BC%%2B%%2F%%26%%3D"
		"&MetadataOptions.HttpTokens=required&MetadataOptions.HttpPutResponseHopLimit=2"
		"&MinCount=2&MaxCount=2&ClientToken=4d606936-f141-45e1-bb68-620b46712fca"));
	assert_int_equal(ec2_answer_count("<keyName>k</keyName>"), 2);
	assert_int_equal(ec2_answer_count("<key>Name</key><value>a b</value>"), 2);
	assert_int_equal(ec2_answer_count("<value>\xc3\xbc+/&amp;=</value>"), 2);
	assert_int_equal(ec2_answer_count("<httpPutResponseHopLimit>2</httpPutResponseHopLimit>"),
			 2);
	done(ec2_askf("Action=DescribeInstanceAttribute&Attribute=userData&InstanceId=%s",
		      ec2_answer_value("instanceId")));
	assert_string_equal(ec2_answer_value("value"), "I2Nsb3VkLWNvbmZpZwo=");
}

static void run_instances__gives_volumes_of_every_kind(void **state)
{
	const struct volume *v;
	struct store_iter it;
	const char *id;
	size_t cnt = 0;

	(void)state;
	id = run("&BlockDeviceMapping.3.DeviceName=/dev/sdf"
		 "&BlockDeviceMapping.3.Ebs.VolumeSize=10&BlockDeviceMapping.3.Ebs.VolumeType=io2"
		 "&BlockDeviceMapping.3.Ebs.Iops=500"
		 "&BlockDeviceMapping.3.Ebs.DeleteOnTermination=false"
		 "&BlockDeviceMapping.7.DeviceName=/dev/sdg&BlockDeviceMapping.7.Ebs.VolumeSize=1"
		 "&BlockDeviceMapping.8.DeviceName=/dev/sdh&BlockDeviceMapping.8.NoDevice="
		 "&TagSpecification.1.ResourceType=volume&TagSpecification.1.Tag.1.Key=v"
		 "&TagSpecification.2.ResourceType=network-interface&TagSpecification.2.Tag.1.Key="
		 "n");
	store_each_of(ew.core.st, &tbl_volumes, "instance_id", id, &it);
	while ((v = store_next(&it))) {
		cnt++;
		if (v->device_idx == 0) {
			assert_string_equal(v->device, "/dev/xvda");
			assert_string_equal(v->image_id, IMAGE);
			assert_int_equal(v->size, (uint64_t)3 << 30);
			assert_int_equal(v->iops, 3000);
		} else if (v->device_idx == 1) {
			assert_string_equal(v->device, "/dev/sdf");
			assert_string_equal(v->type, "io2");
			assert_int_equal(v->iops, 500);
			assert_int_equal(v->size, (uint64_t)10 << 30);
			assert_false(v->delete_on_termination);
		} else {
			assert_string_equal(v->device, "/dev/sdg");
		}
	}
	assert_int_equal(cnt, 3);
	assert_int_equal(store_cnt(ew.core.st, &tbl_tags), 4);
	settle();
	assert_string_equal(state_of(id), "running");
	/* The one that shall stay does. */
	done(ec2_askf("Action=TerminateInstances&InstanceId.1=%s", id));
	settle();
	assert_string_equal(state_of(id), "terminated");
	assert_int_equal(store_cnt(ew.core.st, &tbl_volumes), 1);
	store_each(ew.core.st, &tbl_volumes, &it);
	v = store_next(&it);
	assert_int_equal(v->state, VOLUME_AVAILABLE);
	assert_string_equal(v->instance_id, "");
	assert_int_equal(store_cnt(ew.core.st, &tbl_interfaces), 0);
}

static void run_instances__refuses_wrong_devices(void **state)
{
#define MAP(n, rest) "&BlockDeviceMapping." #n "." rest
	static const struct {
		const char *code, *more;
	} cases[] = {
		{ "InvalidBlockDeviceMapping",
		  MAP(1, "DeviceName=/dev/xvda") MAP(1, "Ebs.VolumeSize=2") },
		{ "InvalidBlockDeviceMapping", MAP(1, "DeviceName=/dev/xvda") MAP(1, "NoDevice=") },
		{ "InvalidBlockDeviceMapping",
		  MAP(1, "DeviceName=/dev/sdf") MAP(1, "Ebs.VolumeSize=2")
			  MAP(2, "DeviceName=/dev/sdf") MAP(2, "Ebs.VolumeSize=2") },
		{ "InvalidBlockDeviceMapping",
		  MAP(1, "DeviceName=/dev/xvda") MAP(2, "DeviceName=/dev/xvda") },
		{ "InvalidBlockDeviceMapping",
		  MAP(1, "DeviceName=a%20b") MAP(1, "Ebs.VolumeSize=2") },
		{ "MissingParameter", MAP(1, "DeviceName=/dev/sdf") },
		{ "MissingParameter", MAP(1, "Ebs.VolumeSize=2") },
		{ "UnsupportedOperation",
		  MAP(1, "DeviceName=/dev/sdf") MAP(1, "Ebs.SnapshotId=snap-0123456789abcdef0") },
		{ "UnsupportedOperation",
		  MAP(1, "DeviceName=/dev/sdf") MAP(1, "VirtualName=ephemeral0") },
		{ "InvalidParameterCombination",
		  MAP(1, "DeviceName=/dev/sdf") MAP(1, "Ebs.VolumeSize=2")
			  MAP(1, "Ebs.VolumeType=gp2") MAP(1, "Ebs.Iops=3000") },
		{ "UnknownVolumeType", MAP(1, "DeviceName=/dev/sdf") MAP(1, "Ebs.VolumeSize=2")
					       MAP(1, "Ebs.VolumeType=gp9") },
		{ "InvalidParameterDependency",
		  MAP(1, "DeviceName=/dev/sdf") MAP(1, "Ebs.VolumeSize=2")
			  MAP(1, "Ebs.Encrypted=false") MAP(1, "Ebs.KmsKeyId=k") },
		{ "InvalidParameterValue", MAP(1, "DeviceName=/dev/sdf") MAP(1, "Ebs.VolumeSize=2")
						   MAP(1, "Ebs.KmsKeyId=k") },
		{ "UnknownParameter", MAP(1, "DeviceName=/dev/sdf") MAP(1, "Ebs.VolumeSize=2")
					      MAP(1, "Ebs.Colour=red") },
	};

	(void)state;
	for (size_t k = 0; k < ARRAY_SIZE(cases); k++)
		refusedf(cases[k].code, RUN1 "%s", cases[k].more);
}

static void run_instances__refuses_what_is_wrong_or_not_offered(void **state)
{
	static const struct {
		const char *code, *body;
	} cases[] = {
		{ "MissingParameter", RUN "&MaxCount=1" },
		{ "MissingParameter", "Action=RunInstances&MinCount=1&MaxCount=1" },
		{ "InvalidParameterValue", RUN "&MinCount=0&MaxCount=1" },
		{ "InvalidParameterValue", RUN "&MinCount=2&MaxCount=1" },
		{ "InvalidAMIID.NotFound",
		  "Action=RunInstances&MinCount=1&MaxCount=1&ImageId=ami-00000000000000000" },
		{ "InvalidAMIID.Malformed", "Action=RunInstances&MinCount=1&MaxCount=1&ImageId=x" },
		{ "InvalidInstanceType", "Action=RunInstances&MinCount=1&MaxCount=1&ImageId=" IMAGE
					 "&InstanceType=t9.huge" },
		{ "InvalidKeyPair.NotFound", RUN1 "&KeyName=nobody" },
		{ "InvalidSubnetID.NotFound", RUN1 "&SubnetId=subnet-00000000000000000" },
		{ "InvalidGroup.NotFound", RUN1 "&SecurityGroupId.1=sg-00000000000000000" },
		{ "InvalidGroup.NotFound", RUN1 "&SecurityGroup.1=nobody" },
		{ "InvalidUserData.Malformed", RUN1 "&UserData=%25" },
		{ "InvalidParameterValue", RUN1 "&Placement.AvailabilityZone=us-east-1b" },
		{ "UnsupportedOperation", RUN1 "&Placement.Tenancy=dedicated" },
		{ "UnsupportedOperation", RUN1 "&EnclaveOptions.Enabled=true" },
		{ "UnsupportedOperation", RUN1 "&MetadataOptions.HttpTokens=optional" },
		{ "InvalidParameterValue", RUN1 "&MetadataOptions.HttpTokens=maybe" },
		{ "InvalidParameterValue", RUN1 "&MetadataOptions.HttpPutResponseHopLimit=65" },
		{ "InvalidParameterValue", RUN1 "&MetadataOptions.HttpPutResponseHopLimit=0" },
		{ "InvalidParameterValue",
		  RUN1 "&CpuOptions.CoreCount=2&CpuOptions.ThreadsPerCore=1" },
		{ "InvalidParameterCombination", RUN1 "&CpuOptions.CoreCount=1" },
		{ "InvalidParameterValue", RUN1 "&InstanceInitiatedShutdownBehavior=explode" },
		{ "UnsupportedOperation", RUN1 "&IamInstanceProfile.Name=x" },
		{ "UnsupportedOperation", RUN1 "&LaunchTemplate.LaunchTemplateId=lt-1" },
		{ "UnsupportedOperation", RUN1 "&HibernationOptions.Configured=true" },
		{ "UnsupportedOperation", RUN1 "&InstanceMarketOptions.MarketType=spot" },
		{ "UnknownParameter", RUN1 "&Colour=red" },
		{ "InvalidParameterValue", RUN1 "&TagSpecification.1.ResourceType=image"
						"&TagSpecification.1.Tag.1.Key=k" },
		{ "InvalidParameterCombination",
		  RUN1 "&NetworkInterface.1.DeviceIndex=0&SecurityGroupId.1=sg-00000000000000000" },
		{ "UnsupportedOperation",
		  RUN1 "&NetworkInterface.1.DeviceIndex=0&NetworkInterface.2.DeviceIndex=1" },
		{ "InvalidParameterValue", RUN1 "&NetworkInterface.1.DeviceIndex=1" },
		{ "UnsupportedOperation",
		  RUN1 "&NetworkInterface.1.DeviceIndex=0"
		       "&NetworkInterface.1.AssociatePublicIpAddress=true" },
		{ "InvalidNetworkInterfaceID.NotFound",
		  RUN1 "&NetworkInterface.1.NetworkInterfaceId=eni-00000000000000000" },
		{ "InvalidParameterCombination", RUN "&MinCount=1&MaxCount=2"
						     "&PrivateIpAddress=172.31.0.9" },
		{ "InvalidParameterValue", RUN1 "&PrivateIpAddress=172.31.0.1" },
		{ "DryRunOperation", RUN1 "&DryRun=true" },
	};

	(void)state;
	for (size_t k = 0; k < ARRAY_SIZE(cases); k++)
		refused(cases[k].code, cases[k].body);
	assert_int_equal(ew.acts.cnt, 0);
}

static void run_instances__refuses_user_data_of_one_byte_too_many(void **state)
{
	static char body[40000];
	size_t at;

	(void)state;
	/* 16384 bytes are 21846 characters and two of "=". */
	at = (size_t)snprintf(body, sizeof(body), RUN1 "&UserData=");
	memset(body + at, 'A', 21846);
	memcpy(body + at + 21846, "%3D%3D", 7);
	done(ec2_ask(EC2_A, body));
	memset(body + at, 'A', 21848);
	memcpy(body + at + 21847, "%3D", 4);
	assert_int_equal(ec2_ask(EC2_A, body), 400);
	assert_true(ec2_refused("InvalidParameterValue"));
}

static void run_instances__uses_an_interface_that_exists(void **state)
{
	char eni[64], body[256];
	const char *id;

	(void)state;
	done(ec2_askf("Action=DescribeSubnets"));
	done(ec2_askf("Action=CreateNetworkInterface&SubnetId=%s&Description=mine",
		      ec2_answer_value("subnetId")));
	snprintf(eni, sizeof(eni), "%s", ec2_answer_value("networkInterfaceId"));
	snprintf(body, sizeof(body),
		 "&NetworkInterface.1.DeviceIndex=0&NetworkInterface.1.NetworkInterfaceId=%s", eni);
	refusedf("InvalidParameterCombination", RUN "&MinCount=1&MaxCount=2%s", body);
	id = run(body);
	assert_true(ec2_answer_has("<description>mine</description>"));
	assert_true(ec2_answer_has("<deleteOnTermination>false</deleteOnTermination>"));
	refusedf("InvalidNetworkInterface.InUse", RUN1 "%s", body);
	settle();
	done(ec2_askf("Action=TerminateInstances&InstanceId.1=%s", id));
	settle();
	done(ec2_askf("Action=DescribeNetworkInterfaces&NetworkInterfaceId.1=%s", eni));
	assert_true(ec2_answer_has("<status>available</status>"));
}

/* ---- room ---- */

static void run_instances__takes_as_many_as_there_is_room_for(void **state)
{
	(void)state;
	ew.core.capacity = (struct core_capacity){
		.known = true, .whole_cores = true, .cores = 4, .ram_bytes = (uint64_t)64 << 30
	};
	done(ec2_askf(RUN "&MinCount=1&MaxCount=3"));
	assert_int_equal(ec2_answer_count("<instanceId>"), 3);
	refused("InsufficientInstanceCapacity", RUN "&MinCount=2&MaxCount=3");
	assert_int_equal(ew.status, 500);
	done(ec2_askf(RUN "&MinCount=1&MaxCount=3"));
	assert_int_equal(ec2_answer_count("<instanceId>"), 1);
	refused("InsufficientInstanceCapacity", RUN1);
}

static void run_instances__counts_memory(void **state)
{
	(void)state;
	/* Two of 1024 MiB with what each costs besides, and not a byte more. */
	ew.core.capacity = (struct core_capacity){ .known = true,
						   .cores = 1,
						   .ram_bytes = ((uint64_t)2048 + 24 + 4) << 20 };
	done(ec2_askf(RUN "&MinCount=1&MaxCount=5"));
	assert_int_equal(ec2_answer_count("<instanceId>"), 2);
	ec2_world_start();
	ew.core.capacity = (struct core_capacity){
		.known = true, .cores = 1, .ram_bytes = (((uint64_t)2048 + 24 + 4) << 20) - 1
	};
	refused("InsufficientInstanceCapacity", RUN "&MinCount=2&MaxCount=2");
	done(ec2_askf(RUN1));
}

static void stopped_instances__give_their_room_back(void **state)
{
	const char *a, *b;

	(void)state;
	ew.core.capacity = (struct core_capacity){
		.known = true, .whole_cores = true, .cores = 1, .ram_bytes = (uint64_t)64 << 30
	};
	a = run("");
	settle();
	done(ec2_askf("Action=StopInstances&InstanceId.1=%s", a));
	settle();
	b = run("");
	settle();
	refusedf("InsufficientInstanceCapacity", "Action=StartInstances&InstanceId.1=%s", a);
	done(ec2_askf("Action=TerminateInstances&InstanceId.1=%s", b));
	settle();
	done(ec2_askf("Action=StartInstances&InstanceId.1=%s", a));
}

static void run_instances__obeys_limits(void **state)
{
	(void)state;
	ew.core.limits = (struct core_limits){ .instances = 2, .vcpus = 4 };
	refused("InstanceLimitExceeded", RUN "&MinCount=3&MaxCount=3");
	ew.core.limits.instances = 100;
	refused("VcpuLimitExceeded", RUN "&MinCount=3&MaxCount=3");
	done(ec2_askf(RUN "&MinCount=2&MaxCount=2"));
	refused("VcpuLimitExceeded", RUN1);
}

static void run_instances__launches_as_many_as_limits_leave(void **state)
{
	(void)state;
	ew.core.limits = (struct core_limits){ .instances = 2 };
	done(ec2_askf(RUN "&MinCount=1&MaxCount=5"));
	assert_int_equal(ec2_answer_count("<instanceId>"), 2);
	refused("InstanceLimitExceeded", RUN1);
	ew.core.limits = (struct core_limits){ .vcpus = 9 };
	done(ec2_askf(RUN "&MinCount=1&MaxCount=5"));
	assert_int_equal(ec2_answer_count("<instanceId>"), 2);
	refused("VcpuLimitExceeded", RUN1);
}

/* ---- life ---- */

static void instances__go_through_ec2s_states(void **state)
{
	const char *id = run("");

	(void)state;
	refusedf("IncorrectInstanceState", "Action=StopInstances&InstanceId.1=%s", id);
	settle();
	assert_string_equal(state_of(id), "running");
	done(ec2_askf("Action=StartInstances&InstanceId.1=%s", id));
	assert_true(
		ec2_answer_has("<currentState><code>16</code><name>running</name></currentState>"
			       "<previousState><code>16</code>"));
	done(ec2_askf("Action=RebootInstances&InstanceId.1=%s", id));
	assert_true(ec2_answer_has("<return>true</return>"));
	done(ec2_askf("Action=StopInstances&InstanceId.1=%s", id));
	assert_true(
		ec2_answer_has("<currentState><code>64</code><name>stopping</name></currentState>"
			       "<previousState><code>16</code><name>running</name>"));
	refusedf("IncorrectInstanceState", "Action=StartInstances&InstanceId.1=%s", id);
	settle();
	assert_string_equal(state_of(id), "stopped");
	assert_true(ec2_answer_has("<stateReason><code>Client.UserInitiatedShutdown</code>"));
	assert_true(ec2_answer_has("<reason>User initiated ("));
	assert_true(ec2_answer_has("<privateIpAddress>"));
	refusedf("IncorrectInstanceState", "Action=RebootInstances&InstanceId.1=%s", id);
	done(ec2_askf("Action=StartInstances&InstanceId.1=%s", id));
	assert_true(ec2_answer_has("<currentState><code>0</code><name>pending</name>"));
	settle();
	assert_string_equal(state_of(id), "running");
	assert_true(ec2_answer_has("<reason/>"));
	done(ec2_askf("Action=TerminateInstances&InstanceId.1=%s&InstanceId.2=%s", id, id));
	assert_int_equal(ec2_answer_count("<item>"), 1);
	assert_true(ec2_answer_has("<code>32</code><name>shutting-down</name>"));
	settle();
	assert_string_equal(state_of(id), "terminated");
	assert_false(ec2_answer_has("<privateIpAddress>"));
	assert_true(ec2_answer_has("<blockDeviceMapping></blockDeviceMapping>"));
	done(ec2_askf("Action=TerminateInstances&InstanceId.1=%s", id));
	assert_true(ec2_answer_has("<previousState><code>48</code>"));
	refusedf("IncorrectInstanceState", "Action=StopInstances&InstanceId.1=%s", id);
	ew.now_ms += CORE_TERMINATED_MS + 60000;
	assert_int_equal(core_expire(&ew.core), 0);
	refusedf("InvalidInstanceID.NotFound", "Action=DescribeInstances&InstanceId.1=%s", id);
}

static void several_instances__change_all_or_none(void **state)
{
	const char *a = run(""), *b = run("");

	(void)state;
	settle();
	refusedf("InvalidInstanceID.NotFound",
		 "Action=TerminateInstances&InstanceId.1=%s&InstanceId.2=i-00000000000000000", a);
	refusedf("InvalidInstanceID.Malformed",
		 "Action=StopInstances&InstanceId.1=%s&InstanceId.2=i-x", a);
	refused("MissingParameter", "Action=StopInstances");
	assert_string_equal(state_of(a), "running");
	done(ec2_askf("Action=StopInstances&Force=true&InstanceId.1=%s&InstanceId.2=%s", a, b));
	assert_int_equal(ec2_answer_count("<name>stopping</name>"), 2);
}

static void protection__is_obeyed(void **state)
{
	const char *id = run("&DisableApiTermination=true&DisableApiStop=true");

	(void)state;
	settle();
	refusedf("OperationNotPermitted", "Action=TerminateInstances&InstanceId.1=%s", id);
	refusedf("OperationNotPermitted", "Action=StopInstances&InstanceId.1=%s", id);
	done(ec2_askf("Action=ModifyInstanceAttribute&InstanceId=%s&DisableApiStop.Value=false",
		      id));
	done(ec2_askf("Action=StopInstances&InstanceId.1=%s", id));
	settle();
	done(ec2_askf("Action=ModifyInstanceAttribute&InstanceId=%s"
		      "&Attribute=disableApiTermination&Value=false",
		      id));
	done(ec2_askf("Action=TerminateInstances&InstanceId.1=%s", id));
}

/* A guest that powers off by itself. */
static void power_off(const char *id)
{
	assert_true(core_gone(&ew.core, id, CTL_EXIT_SHUTDOWN, "", &ew.acts) >= 0);
	settle();
}

static void shutdown_behaviour__is_obeyed(void **state)
{
	const char *stops = run(""), *ends = run("&InstanceInitiatedShutdownBehavior=terminate"),
		   *asked = run("&InstanceInitiatedShutdownBehavior=terminate");

	(void)state;
	settle();
	power_off(stops);
	assert_string_equal(state_of(stops), "stopped");
	assert_true(ec2_answer_has("<code>Client.InstanceInitiatedShutdown</code>"));
	power_off(ends);
	assert_string_equal(state_of(ends), "terminated");
	assert_true(ec2_answer_has("<code>Client.InstanceInitiatedShutdown</code>"));
	/* Who was asked to stop stops. */
	done(ec2_askf("Action=StopInstances&InstanceId.1=%s", asked));
	settle();
	assert_string_equal(state_of(asked), "stopped");
}

static void a_launch_that_fails__is_terminated_with_its_reason(void **state)
{
	struct ctl_l_instance_started m = { .err = -ENOMEM, .text = "no memory" };
	const char *id = run("");

	(void)state;
	while (ew.acts.cnt && ew.acts.v[0].kind != CORE_START) {
		struct core_acts now = ew.acts;

		ew.acts = (struct core_acts){ .v = NULL };
		for (size_t k = 0; k < now.cnt; k++)
			happen(&now.v[k], &ew.acts);
		core_acts_done(&now);
	}
	core_acts_done(&ew.acts);
	snprintf(m.instance_id, sizeof(m.instance_id), "%s", id);
	assert_true(core_started(&ew.core, &m, &ew.acts) >= 0);
	settle();
	assert_string_equal(state_of(id), "terminated");
	assert_true(ec2_answer_has("<code>Server.InsufficientInstanceCapacity</code>"));
}

/* One volume of several that cannot be made spoils the launch, once the others have been. */
static void a_launch_without_one_volume__is_terminated(void **state)
{
	const char *id = run("&BlockDeviceMapping.1.DeviceName=/dev/sdf"
			     "&BlockDeviceMapping.1.Ebs.VolumeSize=1");
	char first[CTL_ID_MAX], second[CTL_ID_MAX];

	(void)state;
	assert_true(ew.acts.cnt >= 2);
	memcpy(first, ew.acts.v[0].id, CTL_ID_MAX);
	memcpy(second, ew.acts.v[1].id, CTL_ID_MAX);
	core_acts_done(&ew.acts);
	assert_true(core_volume_made(&ew.core, first, -EIO, "broken disk", 1, &ew.acts) >= 0);
	assert_int_equal(ew.acts.cnt, 0);
	assert_string_equal(state_of(id), "pending");
	assert_true(core_volume_made(&ew.core, second, 0, "", 1, &ew.acts) >= 0);
	settle();
	assert_string_equal(state_of(id), "terminated");
	assert_true(ec2_answer_has("broken disk"));
	assert_int_equal(store_cnt(ew.core.st, &tbl_volumes), 0);
}

/* ---- describe ---- */

static void describe_instances__pages_and_filters(void **state)
{
	char token[512], first[64];

	(void)state;
	done(ec2_askf(RUN
		      "&MinCount=7&MaxCount=7&TagSpecification.1.ResourceType=instance"
		      "&TagSpecification.1.Tag.1.Key=Name&TagSpecification.1.Tag.1.Value=web-1"));
	(void)run("");
	done(ec2_askf("Action=DescribeInstances&MaxResults=5"));
	assert_int_equal(ec2_answer_count("<instanceId>"), 5);
	snprintf(token, sizeof(token), "%s", ec2_answer_value("nextToken"));
	snprintf(first, sizeof(first), "%s", ec2_answer_value("instanceId"));
	assert_true(
		strspn(token, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789/=") ==
			strlen(token) ||
		strchr(token, '+'));
	{
		char enc[1024], *o = enc;

		for (const char *p = token; *p; p++)
			o += sprintf(o, *p == '+' ? "%%2B" : "%c", *p);
		*o = '\0';
		done(ec2_askf("Action=DescribeInstances&MaxResults=5&NextToken=%s", enc));
		assert_int_equal(ec2_answer_count("<instanceId>"), 3);
		assert_int_equal(ec2_answer_count("<reservationId>"), 2);
		assert_false(ec2_answer_has("<nextToken>"));
		assert_false(ec2_answer_has(first));
		refusedf("InvalidNextToken",
			 "Action=DescribeInstances&MaxResults=5&NextToken=%s&"
			 "Filter.1.Name=vpc-id&Filter.1.Value.1=x",
			 enc);
	}
	refusedf("InvalidParameterCombination",
		 "Action=DescribeInstances&MaxResults=5&InstanceId.1=%s", first);
	refused("InvalidParameterValue", "Action=DescribeInstances&MaxResults=4");
	refused("InvalidParameterValue", "Action=DescribeInstances&MaxResults=1001");
	refused("InvalidParameterValue",
		"Action=DescribeInstances&Filter.1.Name=colour&Filter.1.Value.1=red");
	done(ec2_askf("Action=DescribeInstances&Filter.1.Name=tag:Name&Filter.1.Value.1=web*"));
	assert_int_equal(ec2_answer_count("<instanceId>"), 7);
	done(ec2_askf("Action=DescribeInstances&Filter.1.Name=instance-state-name"
		      "&Filter.1.Value.1=running&Filter.1.Value.2=pending"
		      "&Filter.2.Name=private-ip-address&Filter.2.Value.1=172.31.0.4"));
	assert_int_equal(ec2_answer_count("<instanceId>"), 1);
}

/* Every filter finds the one instance by its own value, and does not find it by another. */
static void describe_instances__knows_every_filter(void **state)
{

	size_t found = 0;

	(void)state;
	(void)run("&ClientToken=c");
	settle();
	for (const struct filter_def *d = instance_filters; d->name; d++) {
		done(ec2_askf("Action=DescribeInstances&Filter.1.Name=%s&Filter.1.Value.1=*"
			      "&Filter.1.Value.2=true&Filter.1.Value.3=false&Filter.1.Value.4=0"
			      "&Filter.1.Value.5=1&Filter.1.Value.6=16",
			      d->name));
		found += ec2_answer_count("<instanceId>");
		done(ec2_askf("Action=DescribeInstances&Filter.1.Name=%s"
			      "&Filter.1.Value.1=no-such-thing",
			      d->name));
		assert_int_equal(ec2_answer_count("<instanceId>"), 0);
	}
	assert_true(found > 50);
}

static void describe_instance_status__shows_the_running(void **state)
{
	const char *a = run(""), *b = run("");

	(void)state;
	settle();
	done(ec2_askf("Action=StopInstances&InstanceId.1=%s", b));
	settle();
	done(ec2_askf("Action=DescribeInstanceStatus"));
	assert_int_equal(ec2_answer_count("<instanceId>"), 1);
	assert_true(ec2_answer_has(a));
	assert_true(ec2_answer_has("<systemStatus><status>ok</status><details><item>"
				   "<name>reachability</name><status>passed</status>"));
	done(ec2_askf("Action=DescribeInstanceStatus&IncludeAllInstances=true"));
	assert_int_equal(ec2_answer_count("<instanceId>"), 2);
	assert_true(
		ec2_answer_has("<instanceStatus><status>not-applicable</status></instanceStatus>"));
	done(ec2_askf("Action=DescribeInstanceStatus&Filter.1.Name=instance-status.status"
		      "&Filter.1.Value.1=impaired"));
	assert_int_equal(ec2_answer_count("<instanceId>"), 0);
}

static void another_account__sees_nothing(void **state)
{
	static const char *const actions[] = {
		"StartInstances&InstanceId.1=%s",
		"StopInstances&InstanceId.1=%s",
		"TerminateInstances&InstanceId.1=%s",
		"RebootInstances&InstanceId.1=%s",
		"DescribeInstances&InstanceId.1=%s",
		"DescribeInstanceStatus&InstanceId.1=%s",
		"GetConsoleOutput&InstanceId=%s",
		"MonitorInstances&InstanceId.1=%s",
		"ModifyInstanceMetadataOptions&InstanceId=%s&HttpEndpoint=disabled",
		"DescribeInstanceAttribute&Attribute=userData&InstanceId=%s",
		"ModifyInstanceAttribute&DisableApiStop.Value=true&InstanceId=%s",
		"GetPasswordData&InstanceId=%s",
		"UnmonitorInstances&InstanceId.1=%s",
		"DescribeInstanceCreditSpecifications&InstanceId.1=%s",
	};
	const char *id = run("");
	char body[256], absent[256], theirs[2048];

	(void)state;
	settle();
	for (size_t k = 0; k < ARRAY_SIZE(actions); k++) {
		int at = snprintf(body, sizeof(body), "Action=");

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
		(void)snprintf(body + at, sizeof(body) - (size_t)at, actions[k], id);
		at = snprintf(absent, sizeof(absent), "Action=");
		(void)snprintf(absent + at, sizeof(absent) - (size_t)at, actions[k],
			       "i-0fedcba9876543210");
#pragma GCC diagnostic pop
		assert_int_equal(ec2_ask(EC2_B, body), 400);
		assert_true(ec2_refused("InvalidInstanceID.NotFound"));
		snprintf(theirs, sizeof(theirs), "%s", ec2_answer_value("Message"));
		assert_int_equal(ec2_ask(EC2_B, absent), 400);
		assert_true(ec2_refused("InvalidInstanceID.NotFound"));
		assert_int_equal(strlen(theirs), strlen(ec2_answer_value("Message")));
	}
	done(ec2_ask(EC2_B, "Action=DescribeInstances"));
	assert_false(ec2_answer_has("<instanceId>"));
	assert_string_equal(state_of(id), "running");
}

/* ---- attributes ---- */

static void attributes__are_described_and_modified(void **state)
{
	static const char *const attribute[][2] = {
		{ "instanceType", "t3.micro" },
		{ "disableApiTermination", "false" },
		{ "disableApiStop", "false" },
		{ "instanceInitiatedShutdownBehavior", "stop" },
		{ "rootDeviceName", "/dev/xvda" },
		{ "sourceDestCheck", "true" },
		{ "ebsOptimized", "false" },
		{ "enaSupport", "true" },
		{ "userData", "" },
		{ "sriovNetSupport", "" },
		{ "kernel", "" },
		{ "ramdisk", "" },
	};
	const char *id = run("");

	(void)state;
	settle();
	for (size_t k = 0; k < ARRAY_SIZE(attribute); k++) {
		done(ec2_askf("Action=DescribeInstanceAttribute&InstanceId=%s&Attribute=%s", id,
			      attribute[k][0]));
		assert_string_equal(ec2_answer_value("value"), attribute[k][1]);
		assert_true(ec2_answer_has(attribute[k][0]));
	}
	done(ec2_askf("Action=DescribeInstanceAttribute&InstanceId=%s&Attribute=groupSet", id));
	assert_true(ec2_answer_has("<groupId>sg-"));
	done(ec2_askf("Action=DescribeInstanceAttribute&InstanceId=%s&Attribute=blockDeviceMapping",
		      id));
	assert_true(ec2_answer_has("<volumeId>vol-"));
	refusedf("InvalidParameterValue",
		 "Action=DescribeInstanceAttribute&InstanceId=%s&Attribute=colour", id);

	refusedf("IncorrectInstanceState",
		 "Action=ModifyInstanceAttribute&InstanceId=%s&InstanceType.Value=c5.large", id);
	refusedf("IncorrectInstanceState",
		 "Action=ModifyInstanceAttribute&InstanceId=%s&UserData.Value=YQ%%3D%%3D", id);
	refusedf("InvalidParameterCombination", "Action=ModifyInstanceAttribute&InstanceId=%s", id);
	refusedf("InvalidParameterCombination",
		 "Action=ModifyInstanceAttribute&InstanceId=%s&DisableApiStop.Value=true"
		 "&SourceDestCheck.Value=false",
		 id);
	refusedf("InvalidParameterValue",
		 "Action=ModifyInstanceAttribute&InstanceId=%s&DisableApiStop.Value=2", id);
	done(ec2_askf("Action=ModifyInstanceAttribute&InstanceId=%s&SourceDestCheck.Value=false",
		      id));
	done(ec2_askf("Action=DescribeInstanceAttribute&InstanceId=%s&Attribute=sourceDestCheck",
		      id));
	assert_string_equal(ec2_answer_value("value"), "false");
	done(ec2_askf("Action=ModifyInstanceAttribute&InstanceId=%s"
		      "&BlockDeviceMapping.1.DeviceName=/dev/xvda"
		      "&BlockDeviceMapping.1.Ebs.DeleteOnTermination=false",
		      id));
	refusedf("InvalidInstanceAttributeValue",
		 "Action=ModifyInstanceAttribute&InstanceId=%s"
		 "&BlockDeviceMapping.1.DeviceName=/dev/sdz"
		 "&BlockDeviceMapping.1.Ebs.DeleteOnTermination=false",
		 id);
	done(ec2_askf("Action=StopInstances&InstanceId.1=%s", id));
	settle();
	done(ec2_askf("Action=ModifyInstanceAttribute&InstanceId=%s&InstanceType.Value=c5.xlarge",
		      id));
	done(ec2_askf("Action=ModifyInstanceAttribute&InstanceId=%s&UserData.Value=YWI%%3D", id));
	done(ec2_askf("Action=DescribeInstances&InstanceId.1=%s", id));
	assert_true(ec2_answer_has("<instanceType>c5.xlarge</instanceType>"));
	assert_true(ec2_answer_has("<coreCount>2</coreCount>"));
	done(ec2_askf("Action=DescribeInstanceAttribute&InstanceId=%s&Attribute=userData", id));
	assert_string_equal(ec2_answer_value("value"), "YWI=");
}

static void metadata_options__are_kept_and_told(void **state)
{
	const char *id = run("&MetadataOptions.InstanceMetadataTags=enabled");
	bool told = false;

	(void)state;
	settle();
	assert_true(ec2_answer_has("<instanceMetadataTags>enabled</instanceMetadataTags>"));
	done(ec2_askf("Action=ModifyInstanceMetadataOptions&InstanceId=%s&HttpEndpoint=disabled"
		      "&HttpPutResponseHopLimit=64",
		      id));
	assert_true(ec2_answer_has("<httpEndpoint>disabled</httpEndpoint>"));
	assert_true(ec2_answer_has("<httpPutResponseHopLimit>64</httpPutResponseHopLimit>"));
	assert_true(ec2_answer_has("<instanceMetadataTags>enabled</instanceMetadataTags>"));
	for (size_t k = 0; k < ew.acts.cnt; k++)
		told = told ||
		       (ew.acts.v[k].kind == CORE_METADATA && strcmp(ew.acts.v[k].id, id) == 0);
	assert_true(told);
	/* A tag that could not be read there is none that may be set. */
	core_acts_done(&ew.acts);
	done(ec2_askf("Action=CreateTags&ResourceId.1=%s&Tag.1.Key=a:b&Tag.1.Value=x", id));
	assert_int_equal(ew.acts.cnt, 1);
	assert_int_equal(ew.acts.v[0].kind, CORE_METADATA);
	refusedf("InvalidParameterValue",
		 "Action=CreateTags&ResourceId.1=%s&Tag.1.Key=a%%2Fb&Tag.1.Value=x", id);
	done(ec2_askf("Action=DeleteTags&ResourceId.1=%s&Tag.1.Key=a:b", id));
	assert_int_equal(ew.acts.cnt, 2);
	done(ec2_askf("Action=ModifyInstanceMetadataOptions&InstanceId=%s"
		      "&InstanceMetadataTags=disabled",
		      id));
	done(ec2_askf("Action=CreateTags&ResourceId.1=%s&Tag.1.Key=a%%2Fb&Tag.1.Value=x", id));
	refusedf("InvalidParameterValue",
		 "Action=ModifyInstanceMetadataOptions&InstanceId=%s"
		 "&InstanceMetadataTags=enabled",
		 id);
	refusedf("UnsupportedOperation",
		 "Action=ModifyInstanceMetadataOptions&InstanceId=%s&HttpTokens=optional", id);
	refusedf("InvalidParameterValue",
		 "Action=ModifyInstanceMetadataOptions&InstanceId=%s&HttpEndpoint=perhaps", id);
}

static void console_output__is_what_was_kept(void **state)
{
	static struct console_tail t;
	const char *id = run("");

	(void)state;
	settle();
	done(ec2_askf("Action=GetConsoleOutput&InstanceId=%s", id));
	assert_false(ec2_answer_has("<output>"));
	snprintf(t.instance_id, sizeof(t.instance_id), "%s", id);
	t.len = 5;
	t.end = 5;
	memcpy(t.data, "hello", 5);
	assert_int_equal(store_put(ew.core.st, &tbl_consoles, &t), 0);
	done(ec2_askf("Action=GetConsoleOutput&Latest=true&InstanceId=%s", id));
	assert_string_equal(ec2_answer_value("output"), "aGVsbG8=");
	refused("MissingParameter", "Action=GetConsoleOutput");
}

/* ---- types ---- */

static void instance_types__are_described(void **state)
{
	(void)state;
	done(ec2_askf("Action=DescribeInstanceTypes&InstanceType.1=c5.xlarge"));
	assert_int_equal(ec2_answer_count("<instanceType>"), 1);
	assert_string_equal(ec2_answer_value("defaultVCpus"), "4");
	assert_string_equal(ec2_answer_value("sizeInMiB"), "8192");
	assert_true(ec2_answer_has("<hypervisor>nitro</hypervisor>"));
	assert_true(ec2_answer_has("<networkPerformance>Up to 10 Gigabit</networkPerformance>"));
	done(ec2_askf("Action=DescribeInstanceTypes&Filter.1.Name=vcpu-info.default-vcpus"
		      "&Filter.1.Value.1=128"));
	assert_int_equal(ec2_answer_count("<instanceType>"), 3);
	done(ec2_askf("Action=DescribeInstanceTypes&MaxResults=100"));
	assert_int_equal(ec2_answer_count("<instanceType>"), instance_type_cnt);
	done(ec2_askf("Action=DescribeInstanceTypes&MaxResults=50"));
	assert_int_equal(ec2_answer_count("<instanceType>"), 50);
	assert_true(ec2_answer_has("<nextToken>"));
	refused("InvalidInstanceType", "Action=DescribeInstanceTypes&InstanceType.1=t9.huge");
	refused("InvalidParameterValue", "Action=DescribeInstanceTypes&MaxResults=101");
	done(ec2_askf("Action=DescribeInstanceTypeOfferings&LocationType=availability-zone"
		      "&Filter.1.Name=instance-type&Filter.1.Value.1=t3.micro"));
	assert_string_equal(ec2_answer_value("location"), "us-east-1a");
	refused("InvalidParameterValue", "Action=DescribeInstanceTypeOfferings&LocationType=moon");
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, start, stop)
	const struct CMUnitTest tests[] = {
		TEST(run_instances__answers_the_reservation_with_pending_instances),
		TEST(run_instances__repeats_its_answer_for_a_token),
		TEST(run_instances__takes_what_the_reference_request_says),
		TEST(run_instances__gives_volumes_of_every_kind),
		TEST(run_instances__refuses_wrong_devices),
		TEST(run_instances__refuses_what_is_wrong_or_not_offered),
		TEST(run_instances__refuses_user_data_of_one_byte_too_many),
		TEST(run_instances__uses_an_interface_that_exists),
		TEST(run_instances__takes_as_many_as_there_is_room_for),
		TEST(run_instances__counts_memory),
		TEST(stopped_instances__give_their_room_back),
		TEST(run_instances__obeys_limits),
		TEST(run_instances__launches_as_many_as_limits_leave),
		TEST(instances__go_through_ec2s_states),
		TEST(several_instances__change_all_or_none),
		TEST(protection__is_obeyed),
		TEST(shutdown_behaviour__is_obeyed),
		TEST(a_launch_that_fails__is_terminated_with_its_reason),
		TEST(a_launch_without_one_volume__is_terminated),
		TEST(describe_instances__pages_and_filters),
		TEST(describe_instances__knows_every_filter),
		TEST(describe_instance_status__shows_the_running),
		TEST(another_account__sees_nothing),
		TEST(attributes__are_described_and_modified),
		TEST(metadata_options__are_kept_and_told),
		TEST(console_output__is_what_was_kept),
		TEST(instance_types__are_described),
	};

	if (crypto_init() < 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
