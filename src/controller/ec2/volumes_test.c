/* SPDX-License-Identifier: Apache-2.0 */

/* Volumes, images, client tokens. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "crypto/crypto.h"
#include "ec2_world.h"

#define ZONE "AvailabilityZone=us-east-1a"
#define CREATE "Action=CreateVolume&" ZONE

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

static void refused_for(const char *account, const char *body, const char *code)
{
	uint8_t before[32], after[32];
	size_t acts = ew.acts.cnt;

	ec2_world_digest(before);
	ec2_ask(account, body);
	if (!ec2_refused(code))
		fail_msg("%s: %s, not %s", body, ew.body, code);
	ec2_world_digest(after);
	assert_memory_equal(before, after, sizeof(before));
	assert_int_equal(ew.acts.cnt, acts);
}

static void refused(const char *body, const char *code)
{
	refused_for(EC2_A, body, code);
}

static void made(const char *body, char ret[32])
{
	if (ec2_ask(EC2_A, body) != 200)
		fail_msg("%s: %s", body, ew.body);
	snprintf(ret, 32, "%s", ec2_answer_value("volumeId"));
}

static void create_volume__asks_the_launcher_for_one(void **state)
{
	char id[32];

	(void)state;
	made(CREATE "&Size=8&TagSpecification.1.ResourceType=volume&TagSpecification.1.Tag.1.Key=a&"
		    "Encrypted=false",
	     id);
	assert_memory_equal(id, "vol-0", 5);
	assert_string_equal(ec2_answer_value("status"), "creating");
	assert_string_equal(ec2_answer_value("size"), "8");
	assert_string_equal(ec2_answer_value("volumeType"), "gp3");
	assert_string_equal(ec2_answer_value("iops"), "3000");
	assert_string_equal(ec2_answer_value("throughput"), "125");
	assert_string_equal(ec2_answer_value("encrypted"), "true");
	assert_true(ec2_answer_has("<kmsKeyId>arn:aws:kms:us-east-1:" EC2_A ":key/"));
	assert_true(ec2_answer_has("<snapshotId/>"));
	assert_true(ec2_answer_has("<attachmentSet/>"));
	assert_true(ec2_answer_has("<key>a</key>"));
	assert_int_equal(ew.acts.cnt, 1);
	assert_int_equal(ew.acts.v[0].kind, CORE_VOLUME_CREATE);
	assert_string_equal(ew.acts.v[0].id, id);
	made("Action=CreateVolume&AvailabilityZoneId=use1-az1&Size=125&VolumeType=st1", id);
	assert_false(ec2_answer_has("<iops>"));
	assert_false(ec2_answer_has("<throughput>"));
	assert_false(ec2_answer_has("tagSet"));
}

static void create_volume__stops_at_the_accounts_quota(void **state)
{
	char id[32];

	(void)state;
	ew.core.limits.volumes = 2;
	made(CREATE "&Size=1", id);
	made(CREATE "&Size=1", id);
	refused(CREATE "&Size=1", "VolumeLimitExceeded");
	refused("Action=RunInstances&ImageId=ami-0123456789abcdef0&MinCount=1&MaxCount=1",
		"VolumeLimitExceeded");
	/* Another's quota is his own. */
	assert_int_equal(ec2_ask(EC2_B, CREATE "&Size=1"), 200);
}

static void create_volume__refuses(void **state)
{
	(void)state;
	refused("Action=CreateVolume&Size=8", "MissingParameter");
	refused("Action=CreateVolume&AvailabilityZone=us-east-1b&Size=8", "InvalidParameterValue");
	refused("Action=CreateVolume&AvailabilityZoneId=use1-az2&Size=8", "InvalidParameterValue");
	refused(CREATE, "MissingParameter");
	refused(CREATE "&Size=0", "InvalidParameterValue");
	refused(CREATE "&Size=x", "InvalidParameterValue");
	refused(CREATE "&Size=16385", "InvalidParameterValue");
	refused(CREATE "&Size=8&VolumeType=gp9", "UnknownVolumeType");
	refused(CREATE "&Size=8&VolumeType=io1", "MissingParameter");
	refused(CREATE "&Size=8&VolumeType=gp2&Iops=200", "InvalidParameterCombination");
	refused(CREATE "&Size=8&VolumeType=gp2&Throughput=200", "InvalidParameterCombination");
	refused(CREATE "&Size=8&MultiAttachEnabled=true", "InvalidParameterCombination");
	refused(CREATE "&Size=8&VolumeType=io2&Iops=100&MultiAttachEnabled=true",
		"UnsupportedOperation");
	refused(CREATE "&Size=8&SnapshotId=snap-00000000000000000", "UnsupportedOperation");
	refused(CREATE "&Size=8&OutpostArn=x", "UnsupportedOperation");
	refused(CREATE "&Size=8&Encrypted=maybe", "InvalidParameterValue");
	refused(CREATE "&Size=8&TagSpecification.1.ResourceType=instance&"
		       "TagSpecification.1.Tag.1.Key=a",
		"InvalidParameterValue");
	refused(CREATE "&Size=8&TagSpecification.1.Tag.1.Key=a", "MissingParameter");
	refused(CREATE "&Size=8&DryRun=true", "DryRunOperation");
	refused(CREATE "&Size=8&Colour=red", "UnknownParameter");
}

static void create_volume__takes_a_key_of_the_account(void **state)
{
	static const char id[] = "12345678-1234-1234-1234-123456789abc";
	static struct kms_key k = { .account = EC2_A, .state = KMS_KEY_ENABLED, .created_ms = 1 };
	char vol[32], arn[128];

	(void)state;
	snprintf(k.id, sizeof(k.id), "%s", id);
	k.state = KMS_KEY_ENABLED;
	assert_int_equal(store_put(ew.core.st, &tbl_kms_keys, &k), 0);
	made(CREATE "&Size=1&KmsKeyId=12345678-1234-1234-1234-123456789abc", vol);
	assert_string_equal(ec2_answer_value("kmsKeyId"),
			    "arn:aws:kms:us-east-1:" EC2_A
			    ":key/12345678-1234-1234-1234-123456789abc");
	made(CREATE "&Size=1&Encrypted=true&KmsKeyId=arn:aws:kms:us-east-1:" EC2_A
		    ":key/12345678-1234-1234-1234-123456789abc",
	     vol);
	made(CREATE "&Size=1", vol);
	snprintf(arn, sizeof(arn), "%s", ec2_answer_value("kmsKeyId"));
	made(CREATE "&Size=1&KmsKeyId=alias/aws/ebs", vol);
	assert_string_equal(ec2_answer_value("kmsKeyId"), arn);
	assert_string_not_equal(strrchr(arn, '/') + 1, id);
	refused(CREATE "&Size=1&Encrypted=false&KmsKeyId=12345678-1234-1234-1234-123456789abc",
		"InvalidParameterDependency");
	refused(CREATE "&Size=1&KmsKeyId=22345678-1234-1234-1234-123456789abc",
		"InvalidParameterValue");
	refused(CREATE "&Size=1&KmsKeyId=arn:aws:kms:us-east-1:" EC2_B
		       ":key/12345678-1234-1234-1234-123456789abc",
		"InvalidParameterValue");
	refused(CREATE "&Size=1&KmsKeyId=arn:aws:kms:us-east-1:" EC2_A
		       ":12345678-1234-1234-1234-123456789abc",
		"InvalidParameterValue");
	refused(CREATE "&Size=1&KmsKeyId=alias/mine", "InvalidParameterValue");
	refused_for(EC2_B, CREATE "&Size=1&KmsKeyId=12345678-1234-1234-1234-123456789abc",
		    "InvalidParameterValue");
	k.state = KMS_KEY_DISABLED;
	assert_int_equal(store_put(ew.core.st, &tbl_kms_keys, &k), 0);
	refused(CREATE "&Size=1&KmsKeyId=12345678-1234-1234-1234-123456789abc",
		"InvalidParameterValue");
}

static void client_token__makes_one_volume_of_two_requests(void **state)
{
	char a[32], b[32], body[256];

	(void)state;
	made(CREATE "&Size=8&ClientToken=t1", a);
	made(CREATE "&Size=8&ClientToken=t1", b);
	assert_string_equal(a, b);
	assert_int_equal(ew.acts.cnt, 1);
	made("Size=8&ClientToken=t1&" CREATE, b); /* the order says nothing */
	assert_string_equal(a, b);
	refused(CREATE "&Size=9&ClientToken=t1", "IdempotentParameterMismatch");
	refused(CREATE "&Size=8&ClientToken=t1&Encrypted=true", "IdempotentParameterMismatch");
	made(CREATE "&Size=8&ClientToken=T1", b);
	assert_string_not_equal(a, b);
	assert_int_equal(ec2_ask(EC2_B, CREATE "&Size=8&ClientToken=t1"), 200);
	assert_string_not_equal(ec2_answer_value("volumeId"), a);
	/* A day later it is the same, two days later another. */
	ew.now_ms += 24 * 3600 * 1000;
	made(CREATE "&Size=8&ClientToken=t1", b);
	assert_string_equal(a, b);
	ew.now_ms += 24 * 3600 * 1000;
	made(CREATE "&Size=8&ClientToken=t1", b);
	assert_string_not_equal(a, b);
	snprintf(body, sizeof(body), CREATE "&Size=8&ClientToken=%065d", 1);
	refused(body, "InvalidParameterValue");
	refused(CREATE "&Size=8&ClientToken=%C3%BC", "InvalidParameterValue");
}

static void client_token__is_not_used_up_by_what_was_refused(void **state)
{
	char id[32];

	(void)state;
	refused(CREATE "&Size=8&ClientToken=t&Colour=red", "UnknownParameter");
	refused(CREATE "&Size=8&ClientToken=t&DryRun=true", "DryRunOperation");
	made(CREATE "&Size=8&ClientToken=t", id);
	refused(CREATE "&Size=8&ClientToken=t&DryRun=true", "DryRunOperation");
}

static void client_token__rows_do_not_stay_for_ever(void **state)
{
	char body[128], id[32];

	(void)state;
	for (int i = 0; i < 20; i++) {
		snprintf(body, sizeof(body), CREATE "&Size=8&ClientToken=t%d", i);
		made(body, id);
	}
	assert_int_equal(store_cnt(ew.core.st, &tbl_client_tokens), 20);
	ew.now_ms += 48 * 3600 * 1000;
	for (int i = 0; i < 3; i++) {
		snprintf(body, sizeof(body), CREATE "&Size=8&ClientToken=u%d", i);
		made(body, id);
	}
	assert_int_equal(store_cnt(ew.core.st, &tbl_client_tokens), 3);
}

static void volume_made(const char *id)
{
	struct core_acts acts = { .v = NULL };

	assert_true(core_volume_made(&ew.core, id, 0, "", 1, &acts) >= 0);
	core_acts_done(&acts);
}

static void describe_volumes__filters_and_pages(void **state)
{
	char id[12][32], body[1024], token[256];
	size_t n;

	(void)state;
	for (int i = 0; i < 12; i++) {
		snprintf(body, sizeof(body), CREATE "&Size=%d&VolumeType=gp2", i + 1);
		made(body, id[i]);
		volume_made(id[i]);
	}
	ec2_askf("Action=DescribeVolumes");
	assert_int_equal(ec2_answer_count("<volumeId>"), 12);
	ec2_askf("Action=DescribeVolumes&VolumeId.1=%s&VolumeId.2=%s", id[3], id[5]);
	assert_int_equal(ec2_answer_count("<volumeId>"), 2);
	assert_string_equal(ec2_answer_value("status"), "available");
	ec2_askf("Action=DescribeVolumes&Filter.1.Name=size&Filter.1.Value.1=4&Filter.1.Value.2=1*&"
		 "Filter.2.Name=volume-type&Filter.2.Value.1=gp?&Filter.3.Name=encrypted&"
		 "Filter.3.Value.1=true");
	assert_int_equal(ec2_answer_count("<volumeId>"), 1);
	ec2_askf("Action=DescribeVolumes&Filter.1.Name=status&Filter.1.Value.1=in-use");
	assert_int_equal(ec2_answer_count("<volumeId>"), 0);
	ec2_askf(
		"Action=DescribeVolumes&Filter.1.Name=create-time&Filter.1.Value.1=2026-11-22T09*");
	assert_int_equal(ec2_answer_count("<volumeId>"), 12);
	ec2_askf("Action=DescribeVolumes&Filter.1.Name=attachment.status&Filter.1.Value.1=*");
	assert_int_equal(ec2_answer_count("<volumeId>"), 0);
	ec2_askf("Action=DescribeVolumes&MaxResults=5");
	assert_int_equal(ec2_answer_count("<volumeId>"), 5);
	assert_string_equal(ec2_answer_value("volumeId"), id[0]);
	snprintf(token, sizeof(token), "%s", ec2_answer_value("nextToken"));
	assert_true(token[0]);
	/* What goes and comes meanwhile shifts nothing. */
	assert_int_equal(store_delete_id(ew.core.st, &tbl_volumes, id[4]), 0);
	n = (size_t)snprintf(body, sizeof(body), "Action=DescribeVolumes&MaxResults=5&NextToken=");
	for (const char *p = token; *p; p++)
		n += (size_t)snprintf(body + n, sizeof(body) - n, "%%%02x", (unsigned char)*p);
	assert_int_equal(ec2_ask(EC2_A, body), 200);
	assert_string_equal(ec2_answer_value("volumeId"), id[5]);
	refused("Action=DescribeVolumes&VolumeId.1=vol-00000000000000000",
		"InvalidVolume.NotFound");
	refused("Action=DescribeVolumes&VolumeId.1=vol", "InvalidParameterValue");
	refused("Action=DescribeVolumes&Filter.1.Name=colour&Filter.1.Value.1=x",
		"InvalidParameterValue");
	snprintf(body, sizeof(body), "Action=DescribeVolumes&MaxResults=5&VolumeId.1=%s", id[0]);
	refused(body, "InvalidParameterCombination");
	snprintf(body, sizeof(body), "Action=DescribeVolumes&VolumeId.1=%s", id[0]);
	refused_for(EC2_B, body, "InvalidVolume.NotFound");
	ec2_ask(EC2_B, "Action=DescribeVolumes");
	assert_int_equal(ec2_answer_count("<item>"), 0);
}

/* What a restart keeps is the database: a token is good where its key is, and nowhere else. */
static void page_token__outlives_a_restart(void **state)
{
	struct setting key = { .name = "page-key" }, other;
	char body[1024], id[32];
	size_t n;

	(void)state;
	for (int i = 0; i < 6; i++)
		made(CREATE "&Size=1", id);
	ec2_askf("Action=DescribeVolumes&MaxResults=5");
	n = (size_t)snprintf(body, sizeof(body), "Action=DescribeVolumes&NextToken=");
	for (const char *p = ec2_answer_value("nextToken"); *p; p++)
		n += (size_t)snprintf(body + n, sizeof(body) - n, "%%%02x", (unsigned char)*p);
	assert_int_equal(store_get(ew.core.st, &tbl_settings, &key), 0);
	ec2_world_start();
	ew.rnd ^= 0x5555;
	ec2_askf("Action=DescribeVolumes&NextToken=AAAA"); /* too short to need a key */
	made(CREATE "&Size=1", id);
	refused(CREATE "&Size=0", "InvalidParameterValue");
	ec2_ask(EC2_A, body);
	assert_true(ec2_refused("InvalidNextToken"));
	ec2_askf("Action=DescribeTags&MaxResults=5");
	assert_int_equal(store_put(ew.core.st, &tbl_settings, &key), 0);
	assert_int_equal(ec2_ask(EC2_A, body), 200);
	other = key;
	other.value[0] = other.value[0] == '0' ? '1' : '0';
	assert_int_equal(store_put(ew.core.st, &tbl_settings, &other), 0);
	refused(body, "InvalidNextToken");
}

static void delete_volume__only_when_nobody_has_it(void **state)
{
	char id[32], body[128];

	(void)state;
	made(CREATE "&Size=1", id);
	snprintf(body, sizeof(body), "Action=DeleteVolume&VolumeId=%s", id);
	refused(body, "IncorrectState"); /* creating */
	volume_made(id);
	refused_for(EC2_B, body, "InvalidVolume.NotFound");
	refused("Action=DeleteVolume", "MissingParameter");
	refused("Action=DeleteVolume&VolumeId=vol-00000000000000000", "InvalidVolume.NotFound");
	assert_int_equal(ec2_ask(EC2_A, body), 200);
	assert_string_equal(ec2_answer_value("return"), "true");
	assert_int_equal(ew.acts.v[1].kind, CORE_VOLUME_DELETE);
	ec2_askf("Action=DescribeVolumes&VolumeId.1=%s", id);
	assert_string_equal(ec2_answer_value("status"), "deleting");
	refused(body, "IncorrectState");
}

static void volumes_of_an_instance__are_in_use(void **state)
{
	char id[32], instance[32], body[128];

	(void)state;
	if (ec2_ask(EC2_A,
		    "Action=RunInstances&ImageId=ami-0123456789abcdef0&MinCount=1&MaxCount=1&"
		    "InstanceType=t3.micro") != 200)
		fail_msg("%s", ew.body);
	snprintf(instance, sizeof(instance), "%s", ec2_answer_value("instanceId"));
	ec2_askf("Action=DescribeVolumes&Filter.1.Name=attachment.instance-id&Filter.1.Value.1=%s&"
		 "Filter.2.Name=attachment.delete-on-termination&Filter.2.Value.1=true&"
		 "Filter.3.Name=attachment.device&Filter.3.Value.1=/dev/*&"
		 "Filter.4.Name=attachment.status&Filter.4.Value.1=attaching",
		 instance);
	assert_int_equal(ec2_answer_count("<attachTime>"), 1);
	snprintf(id, sizeof(id), "%s", ec2_answer_value("volumeId"));
	snprintf(body, sizeof(body), "Action=DeleteVolume&VolumeId=%s", id);
	refused(body, "VolumeInUse");
	volume_made(id);
	refused(body, "VolumeInUse");
	ec2_askf("Action=DescribeVolumes&VolumeId.1=%s", id);
	assert_string_equal(ec2_answer_value("instanceId"), instance);
	assert_true(ec2_answer_has("<status>in-use</status>"));
	assert_true(ec2_answer_has("<status>attached</status>"));
}

static void describe_images__shows_the_operators_to_everybody(void **state)
{
	static const struct image mine = { .id = "ami-0123456789abcdef1",
					   .account = EC2_B,
					   .name = "mine",
					   .architecture = "x86_64",
					   .disk_bytes = 4096,
					   .created_ms = 5 };

	(void)state;
	assert_int_equal(store_put(ew.core.st, &tbl_images, &mine), 0);
	assert_int_equal(ec2_ask(EC2_A, "Action=DescribeImages"), 200);
	assert_int_equal(ec2_answer_count("<imageId>"), 1);
	assert_string_equal(ec2_answer_value("imageLocation"), EC2_A "/debian");
	assert_string_equal(ec2_answer_value("isPublic"), "true");
	assert_string_equal(ec2_answer_value("volumeSize"), "3");
	assert_string_equal(ec2_answer_value("deviceName"), ec2_answer_value("rootDeviceName"));
	ec2_ask(EC2_B, "Action=DescribeImages");
	assert_int_equal(ec2_answer_count("<imageId>"), 2);
	ec2_ask(EC2_B, "Action=DescribeImages&Owner.1=self");
	assert_string_equal(ec2_answer_value("imageId"), "ami-0123456789abcdef1");
	assert_int_equal(ec2_answer_count("<imageId>"), 1);
	ec2_ask(EC2_B, "Action=DescribeImages&Owner.1=amazon&ExecutableBy.1=all");
	assert_string_equal(ec2_answer_value("imageOwnerId"), EC2_A);
	assert_int_equal(ec2_answer_count("<imageId>"), 1);
	ec2_ask(EC2_B, "Action=DescribeImages&Owner.1=" EC2_A "&Owner.2=self");
	assert_int_equal(ec2_answer_count("<imageId>"), 2);
	ec2_ask(EC2_B, "Action=DescribeImages&ExecutableBy.1=self");
	assert_int_equal(ec2_answer_count("<imageId>"), 0);
	ec2_ask(EC2_B, "Action=DescribeImages&Owner.1=999999999999");
	assert_int_equal(ec2_answer_count("<imageId>"), 0);
	ec2_ask(EC2_B, "Action=DescribeImages&Filter.1.Name=name&Filter.1.Value.1=deb*&"
		       "Filter.2.Name=state&Filter.2.Value.1=available&Filter.3.Name=owner-alias&"
		       "Filter.3.Value.1=niter");
	assert_int_equal(ec2_answer_count("<imageId>"), 1);
	ec2_ask(EC2_B, "Action=DescribeImages&Filter.1.Name=is-public&Filter.1.Value.1=false");
	assert_string_equal(ec2_answer_value("name"), "mine");
	ec2_ask(EC2_B, "Action=DescribeImages&ImageId.1=ami-0123456789abcdef0");
	assert_int_equal(ec2_answer_count("<imageId>"), 1);
}

static void images__are_launched_by_who_sees_them(void **state)
{
	static const struct image mine = { .id = "ami-0123456789abcdef1",
					   .account = EC2_B,
					   .name = "mine",
					   .architecture = "x86_64",
					   .cmdline = "x",
					   .kernel_bytes = 1,
					   .disk_bytes = 4096,
					   .created_ms = 5 };
	static const char run[] = "Action=RunInstances&MinCount=1&MaxCount=1&InstanceType=t3.micro&"
				  "ImageId=ami-0123456789abcdef";
	char body[128];

	(void)state;
	assert_int_equal(store_put(ew.core.st, &tbl_images, &mine), 0);
	snprintf(body, sizeof(body), "%s0", run);
	assert_int_equal(ec2_ask(EC2_B, body), 200);
	snprintf(body, sizeof(body), "%s1", run);
	assert_int_equal(ec2_ask(EC2_B, body), 200);
	refused(body, "InvalidAMIID.NotFound");
}

static void describe_images__refuses(void **state)
{
	static const struct image theirs = { .id = "ami-0123456789abcdef1",
					     .account = EC2_B,
					     .name = "theirs",
					     .architecture = "x86_64",
					     .disk_bytes = 4096,
					     .created_ms = 5 };

	(void)state;
	assert_int_equal(store_put(ew.core.st, &tbl_images, &theirs), 0);
	refused("Action=DescribeImages&ImageId.1=ami-0123456789abcdef1", "InvalidAMIID.NotFound");
	refused("Action=DescribeImages&ImageId.1=ami-0123456789abcdef2", "InvalidAMIID.NotFound");
	refused("Action=DescribeImages&ImageId.1=debian", "InvalidAMIID.Malformed");
	refused("Action=DescribeImages&Owner.1=someone", "InvalidUserID.Malformed");
	refused("Action=DescribeImages&ExecutableBy.1=someone", "InvalidUserID.Malformed");
	refused("Action=DescribeImages&Filter.1.Name=x&Filter.1.Value.1=x",
		"InvalidParameterValue");
	refused("Action=DescribeImages&IncludeDeprecated=x", "InvalidParameterValue");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(t) cmocka_unit_test_setup_teardown(t, start, stop)
		T(create_volume__asks_the_launcher_for_one),
		T(create_volume__refuses),
		T(create_volume__stops_at_the_accounts_quota),
		T(create_volume__takes_a_key_of_the_account),
		T(client_token__makes_one_volume_of_two_requests),
		T(client_token__is_not_used_up_by_what_was_refused),
		T(client_token__rows_do_not_stay_for_ever),
		T(describe_volumes__filters_and_pages),
		T(page_token__outlives_a_restart),
		T(delete_volume__only_when_nobody_has_it),
		T(volumes_of_an_instance__are_in_use),
		T(describe_images__shows_the_operators_to_everybody),
		T(images__are_launched_by_who_sees_them),
		T(describe_images__refuses),
	};

	if (crypto_init() < 0)
		return 1;
	return cmocka_run_group_tests_name("controller/ec2/volumes", tests, NULL, NULL);
}
