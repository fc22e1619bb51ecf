/* SPDX-License-Identifier: Apache-2.0 */

/* The dispatcher and what every action has in common, with the simplest actions. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "controller/ec2/filter.h"
#include "crypto/crypto.h"
#include "ec2_world.h"

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

static void refused_and_unchanged(const char *body, const char *code, unsigned status)
{
	uint8_t before[32], after[32];

	ec2_world_digest(before);
	assert_int_equal(ec2_ask(EC2_A, body), status);
	if (!ec2_refused(code))
		fail_msg("%s: %s, not %s", body, ew.body, code);
	ec2_world_digest(after);
	assert_memory_equal(before, after, sizeof(before));
	assert_int_equal(ew.acts.cnt, 0);
}

static void ec2_handle__answers_in_the_frame_of_the_action(void **state)
{
	static const char head[] =
		"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<DescribeRegionsResponse "
		"xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\"><requestId>";

	(void)state;
	assert_int_equal(ec2_ask(EC2_A, "Action=DescribeRegions"), 200);
	assert_memory_equal(ew.body, head, sizeof(head) - 1);
	assert_int_equal(strlen(ec2_answer_value("requestId")), 36);
	assert_string_equal(ew.body + ew.len - 26, "</DescribeRegionsResponse>");
	assert_string_equal(ec2_answer_value("regionName"), "us-east-1");
}

static void ec2_handle__errors_have_the_shape_clients_read(void **state)
{
	(void)state;
	assert_int_equal(ec2_ask(EC2_A, "Action=Nonsense%3C"), 400);
	assert_true(
		ec2_answer_has("<Response><Errors><Error><Code>InvalidAction</Code><Message>The "
			       "action Nonsense&lt; is not valid for this web service."
			       "</Message></Error></Errors><RequestID>"));
	assert_int_equal(strlen(ec2_answer_value("RequestID")), 36);
}

static void ec2_handle__refuses_what_is_no_request(void **state)
{
	(void)state;
	refused_and_unchanged("A=%", "MalformedQueryString", 400);
	refused_and_unchanged("DryRun=true", "MissingAction", 400);
	refused_and_unchanged("Action=describeRegions", "InvalidAction", 400);
	refused_and_unchanged("Action=AttachVolume", "UnsupportedOperation", 400);
	refused_and_unchanged("Action=DescribeRegions&X=1", "UnknownParameter", 400);
	refused_and_unchanged("Action=DescribeRegions&DryRun=yes", "InvalidParameterValue", 400);
	/* Where no token is taken, one is a parameter like any other. */
	refused_and_unchanged("Action=DescribeRegions&ClientToken=t", "UnknownParameter", 400);
}

static void ec2_handle__knows_one_version(void **state)
{
	static const char *const bad[] = { "Action=DescribeRegions&Version=2014-10-01",
					   "Action=DescribeRegions&Version=",
					   "Action=DescribeRegions" };
	char *body;
	size_t len;
	unsigned status;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_int_equal(ec2_handle(NULL, &ew.core, EC2_A, bad[i], strlen(bad[i]), NULL,
					    &status, &body, &len),
				 0);
		assert_int_equal(status, 400);
		assert_non_null(memmem(body, len, i ? "MissingParameter" : "NoSuchVersion", 13));
		free(body);
	}
}

static void ec2_handle__dry_run_changes_nothing(void **state)
{
	(void)state;
	refused_and_unchanged("Action=CreateKeyPair&KeyName=k&KeyType=ed25519&DryRun=true",
			      "DryRunOperation", 412);
	refused_and_unchanged("Action=DescribeRegions&DryRun=true", "DryRunOperation", 412);
	/* What would be refused anyway is refused for that. */
	refused_and_unchanged("Action=CreateKeyPair&DryRun=true", "MissingParameter", 400);
	assert_int_equal(
		ec2_ask(EC2_A, "Action=CreateKeyPair&KeyName=k&KeyType=ed25519&DryRun=false"), 200);
}

static void ec2_handle__ignores_a_signature_in_the_query(void **state)
{
	(void)state;
	assert_int_equal(ec2_ask(EC2_A, "Action=DescribeRegions&X-Amz-Algorithm=AWS4-HMAC-SHA256&"
					"X-Amz-Signature=00"),
			 200);
}

static void filter_pattern_match__knows_wildcards(void **state)
{
	static const struct {
		const char *pattern, *value;
		bool is;
	} cases[] = {
		{ "abc", "abc", true },
		{ "abc", "abd", false },
		{ "abc", "ab", false },
		{ "ab", "abc", false },
		{ "", "", true },
		{ "", "a", false },
		{ "*", "", true },
		{ "*", "abc", true },
		{ "a*", "abc", true },
		{ "*c", "abc", true },
		{ "a*c", "abbbc", true },
		{ "a*c", "abbbd", false },
		{ "*b*", "abc", true },
		{ "*x*", "abc", false },
		{ "a?c", "abc", true },
		{ "a?c", "ac", false },
		{ "?", "\xc3\xbc", true },
		{ "??", "\xc3\xbc", false },
		{ "\\*", "*", true },
		{ "\\*", "a", false },
		{ "\\?", "?", true },
		{ "\\?", "a", false },
		{ "\\\\", "\\", true },
		{ "a\\", "a\\", true },
		{ "**a**b", "xaxb", true },
		{ "*ab", "aab", true },
		{ "A", "a", false },
		{ "*a*b*c*", "abcabc", true },
		{ "a*a*a*b", "aaaaaaaaaaaaaa", false },
		{ "*\xc3\xbc", "\xc3\xbc\xc3\xbc", true },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		if (filter_pattern_match(cases[i].pattern, cases[i].value) != cases[i].is)
			fail_msg("%s %s", cases[i].pattern, cases[i].value);
}

static void filters__are_anded_and_their_values_ored(void **state)
{
	(void)state;
	ec2_ask(EC2_A,
		"Action=DescribeAvailabilityZones&Filter.1.Name=zone-name&Filter.1.Value.1=x&"
		"Filter.1.Value.2=us-east-1?&Filter.2.Name=state&Filter.2.Value.1=available");
	assert_string_equal(ec2_answer_value("zoneName"), "us-east-1a");
	ec2_ask(EC2_A,
		"Action=DescribeAvailabilityZones&Filter.1.Name=zone-name&Filter.1.Value.1=x&"
		"Filter.1.Value.2=us-east-1?&Filter.2.Name=state&Filter.2.Value.1=impaired");
	assert_true(ec2_answer_has("<availabilityZoneInfo></availabilityZoneInfo>"));
	refused_and_unchanged(
		"Action=DescribeAvailabilityZones&Filter.1.Name=zone&Filter.1.Value.1=x",
		"InvalidParameterValue", 400);
	refused_and_unchanged(
		"Action=DescribeAvailabilityZones&Filter.1.Name=tag:a&Filter.1.Value.1=x",
		"InvalidParameterValue", 400);
	refused_and_unchanged("Action=DescribeAvailabilityZones&Filter.1.Name=state",
			      "InvalidParameterValue", 400);
	refused_and_unchanged("Action=DescribeAvailabilityZones&Filter.1.Value.1=x",
			      "MissingParameter", 400);
	refused_and_unchanged(
		"Action=DescribeAvailabilityZones&Filter.1.Name=state&Filter.1.Value=x",
		"InvalidParameterValue", 400);
}

static void filters__take_200_values(void **state)
{
	static char body[16384];
	size_t n = (size_t)snprintf(body, sizeof(body),
				    "Action=DescribeRegions&Filter.1.Name=region-name");

	(void)state;
	for (int i = 1; i <= 200; i++)
		n += (size_t)snprintf(body + n, sizeof(body) - n, "&Filter.1.Value.%d=%d", i, i);
	assert_int_equal(ec2_ask(EC2_A, body), 200);
	snprintf(body + n, sizeof(body) - n, "&Filter.1.Value.201=x");
	refused_and_unchanged(body, "FilterLimitExceeded", 400);
}

/* Tags that begin alike, as long as they may be. */
static void tags_make(const char *id, int from, int to)
{
	static char body[16384];
	size_t n = (size_t)snprintf(body, sizeof(body), "Action=CreateTags&ResourceId.1=%s", id);

	for (int i = from; i < to; i++) {
		n += (size_t)snprintf(body + n, sizeof(body) - n,
				      "&Tag.%d.Key=%d&Tag.%d.Value=", i + 1, i, i + 1);
		memset(body + n, 'a', 255);
		n += 255;
	}
	body[n] = '\0';
	assert_int_equal(ec2_ask(EC2_A, body), 200);
}

/* Wildcards that nearly match, again and again: refused before everybody waits too long. */
static void filters__have_a_price(void **state)
{
	static char body[60000];
	char id[32];
	size_t n;

	(void)state;
	assert_int_equal(ec2_askf("Action=CreateKeyPair&KeyName=k&KeyType=ed25519"), 200);
	snprintf(id, sizeof(id), "%s", ec2_answer_value("keyPairId"));
	n = (size_t)snprintf(body, sizeof(body), "Action=DescribeTags&Filter.1.Name=value");
	for (int i = 1; i <= 200; i++) {
		n += (size_t)snprintf(body + n, sizeof(body) - n, "&Filter.1.Value.%d=%%2a", i);
		memset(body + n, 'a', 127);
		n += 127;
		body[n++] = 'b';
	}
	body[n] = '\0';
	tags_make(id, 0, 10);
	assert_int_equal(ec2_ask(EC2_A, body), 200);
	assert_int_equal(ec2_answer_count("<item>"), 0);
	tags_make(id, 10, 45);
	refused_and_unchanged(body, "FilterLimitExceeded", 400);
}

static void account__describes_one_region_and_zone(void **state)
{
	(void)state;
	assert_int_equal(
		ec2_ask(EC2_A, "Action=DescribeRegions&RegionName.1=us-east-1&AllRegions=true"),
		200);
	assert_string_equal(ec2_answer_value("regionEndpoint"), "ec2.us-east-1.amazonaws.com");
	refused_and_unchanged("Action=DescribeRegions&RegionName.1=mars-1", "InvalidParameterValue",
			      400);
	assert_int_equal(ec2_ask(EC2_A, "Action=DescribeAvailabilityZones&ZoneName.1=us-east-1a&"
					"ZoneId.1=use1-az1"),
			 200);
	assert_string_equal(ec2_answer_value("zoneState"), "available");
	refused_and_unchanged("Action=DescribeAvailabilityZones&ZoneName.1=us-east-1b",
			      "InvalidParameterValue", 400);
	refused_and_unchanged("Action=DescribeAvailabilityZones&ZoneId.1=use1-az2",
			      "InvalidParameterValue", 400);
}

static void account__describes_its_attributes(void **state)
{
	char vpc[32];

	(void)state;
	assert_int_equal(ec2_ask(EC2_A, "Action=DescribeAccountAttributes"), 200);
	assert_int_equal(ec2_answer_count("<attributeName>"), 6);
	assert_int_equal(
		ec2_ask(EC2_A, "Action=DescribeAccountAttributes&AttributeName.1=default-vpc"),
		200);
	assert_int_equal(ec2_answer_count("<attributeName>"), 1);
	snprintf(vpc, sizeof(vpc), "%s", ec2_answer_value("attributeValue"));
	assert_memory_equal(vpc, "vpc-", 4);
	ec2_ask(EC2_B, "Action=DescribeAccountAttributes&AttributeName.1=default-vpc");
	assert_string_not_equal(ec2_answer_value("attributeValue"), vpc);
	refused_and_unchanged("Action=DescribeAccountAttributes&AttributeName.1=x",
			      "InvalidParameterValue", 400);
	assert_int_equal(ec2_ask(EC2_A, "Action=GetEbsEncryptionByDefault"), 200);
	assert_string_equal(ec2_answer_value("ebsEncryptionByDefault"), "true");
	refused_and_unchanged("Action=GetEbsEncryptionByDefault&X=1", "UnknownParameter", 400);
	assert_int_equal(ec2_ask(EC2_A, "Action=GetEbsDefaultKmsKeyId"), 200);
	refused_and_unchanged("Action=GetEbsDefaultKmsKeyId&X=1", "UnknownParameter", 400);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(t) cmocka_unit_test_setup_teardown(t, start, stop)
		T(ec2_handle__answers_in_the_frame_of_the_action),
		T(ec2_handle__errors_have_the_shape_clients_read),
		T(ec2_handle__refuses_what_is_no_request),
		T(ec2_handle__knows_one_version),
		T(ec2_handle__dry_run_changes_nothing),
		T(ec2_handle__ignores_a_signature_in_the_query),
		T(filter_pattern_match__knows_wildcards),
		T(filters__are_anded_and_their_values_ored),
		T(filters__take_200_values),
		T(filters__have_a_price),
		T(account__describes_one_region_and_zone),
		T(account__describes_its_attributes),
	};

	if (crypto_init() < 0)
		return 1;
	return cmocka_run_group_tests_name("controller/ec2", tests, NULL, NULL);
}
