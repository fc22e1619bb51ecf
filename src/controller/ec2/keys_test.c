/* SPDX-License-Identifier: Apache-2.0 */

/* Key pairs, tags and their pages. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "controller/base64.h"
#include "crypto/crypto.h"
#include "ec2_world.h"

#define LINE "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHDOuJQmO6DGKEwuYNPmaDxTXvXu0LB3Zbvx0N2ytbyb"

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

	ec2_world_digest(before);
	ec2_ask(account, body);
	if (!ec2_refused(code))
		fail_msg("%s: %s, not %s", body, ew.body, code);
	ec2_world_digest(after);
	assert_memory_equal(before, after, sizeof(before));
}

static void refused(const char *body, const char *code)
{
	refused_for(EC2_A, body, code);
}

/* Imports LINE under a name. Its id is in @ret. */
static void import(const char *name, char ret[32])
{
	char *b64 = base64_encode((const uint8_t *)LINE " somebody@there\n",
				  sizeof(LINE " somebody@there\n") - 1);
	char body[512];
	size_t n;

	assert_non_null(b64);
	n = (size_t)snprintf(body, sizeof(body),
			     "Action=ImportKeyPair&KeyName=%s&PublicKeyMaterial=", name);
	for (const char *p = b64; *p; p++)
		n += (size_t)snprintf(body + n, sizeof(body) - n, "%%%02x", (unsigned char)*p);
	free(b64);
	assert_int_equal(ec2_ask(EC2_A, body), 200);
	snprintf(ret, 32, "%s", ec2_answer_value("keyPairId"));
}

static void create_key_pair__gives_the_private_key_once(void **state)
{
	char print[64];

	(void)state;
	assert_int_equal(
		ec2_askf("Action=CreateKeyPair&KeyName=my+key&"
			 "TagSpecification.1.ResourceType=key-pair&"
			 "TagSpecification.1.Tag.1.Key=Name&TagSpecification.1.Tag.1.Value=x"),
		200);
	assert_true(ec2_answer_has("-----BEGIN RSA PRIVATE KEY-----\n"));
	assert_true(
		ec2_answer_has("<tagSet><item><key>Name</key><value>x</value></item></tagSet>"));
	snprintf(print, sizeof(print), "%s", ec2_answer_value("keyFingerprint"));
	assert_int_equal(strlen(print), 59);
	assert_int_equal(ec2_askf("Action=CreateKeyPair&KeyName=e&KeyType=ed25519&KeyFormat=pem"),
			 200);
	assert_true(ec2_answer_has("-----BEGIN OPENSSH PRIVATE KEY-----\n"));
	assert_int_equal(ec2_askf("Action=DescribeKeyPairs&IncludePublicKey=true&KeyName.1=my+key"),
			 200);
	assert_string_equal(ec2_answer_value("keyFingerprint"), print);
	assert_string_equal(ec2_answer_value("keyType"), "rsa");
	assert_memory_equal(ec2_answer_value("publicKey"), "ssh-rsa AAAA", 12);
	assert_false(ec2_answer_has("PRIVATE"));
	assert_int_equal(ec2_answer_count("<item>"), 2); /* the pair and its tag */
}

static void create_key_pair__refuses(void **state)
{
	char body[400] = "Action=CreateKeyPair&KeyType=ed25519&KeyName=";
	char id[32];

	(void)state;
	import("k", id);
	refused("Action=CreateKeyPair&KeyType=ed25519", "MissingParameter");
	refused("Action=CreateKeyPair&KeyType=ed25519&KeyName=k", "InvalidKeyPair.Duplicate");
	refused("Action=CreateKeyPair&KeyName=x&KeyType=dsa", "InvalidParameterValue");
	refused("Action=CreateKeyPair&KeyName=x&KeyFormat=ppk", "UnsupportedOperation");
	refused("Action=CreateKeyPair&KeyName=x&KeyFormat=der", "InvalidParameterValue");
	refused("Action=CreateKeyPair&KeyName=%C3%BC&KeyType=ed25519", "InvalidParameterValue");
	refused("Action=CreateKeyPair&KeyName=a%0ab&KeyType=ed25519", "InvalidParameterValue");
	refused("Action=CreateKeyPair&KeyName=x&KeyType=ed25519&"
		"TagSpecification.1.ResourceType=instance&TagSpecification.1.Tag.1.Key=a",
		"InvalidParameterValue");
	memset(body + strlen(body), 'n', 256);
	refused(body, "InvalidParameterValue");
	body[strlen(body) - 1] = '\0';
	assert_int_equal(ec2_ask(EC2_A, body), 200);
	/* Names are each account's own. */
	assert_int_equal(ec2_ask(EC2_B, "Action=CreateKeyPair&KeyName=k&KeyType=ed25519"), 200);
}

static void create_key_pair__makes_few_rsa_keys_at_once(void **state)
{
	unsigned made = 0;

	(void)state;
	while (ec2_askf("Action=CreateKeyPair&KeyName=k%u", made) == 200)
		made++;
	assert_true(made >= 15 && made <= 30);
	refused("Action=CreateKeyPair&KeyName=x", "RequestLimitExceeded");
	assert_int_equal(ew.status, 503);
	assert_int_equal(ec2_ask(EC2_B, "Action=CreateKeyPair&KeyName=x&KeyType=ed25519"), 200);
	ew.now_ms += 1000;
	assert_int_equal(ec2_ask(EC2_B, "Action=CreateKeyPair&KeyName=y"), 200);
}

static void import_key_pair__keeps_the_line_under_its_name(void **state)
{
	char id[32];

	(void)state;
	import("k", id);
	assert_memory_equal(id, "key-0", 5);
	ec2_askf("Action=DescribeKeyPairs&IncludePublicKey=true");
	assert_string_equal(ec2_answer_value("publicKey"), LINE " k");
	assert_string_equal(ec2_answer_value("keyType"), "ed25519");
	refused("Action=ImportKeyPair&KeyName=x", "MissingParameter");
	refused("Action=ImportKeyPair&PublicKeyMaterial=AAAA", "MissingParameter");
	refused("Action=ImportKeyPair&KeyName=x&PublicKeyMaterial=AAAA", "InvalidKey.Format");
	refused("Action=ImportKeyPair&KeyName=x&PublicKeyMaterial=***", "InvalidKey.Format");
}

static void describe_key_pairs__knows_names_ids_and_filters(void **state)
{
	char a[32], b[32], body[256];

	(void)state;
	import("a", a);
	import("b", b);
	assert_int_equal(ec2_askf("Action=DescribeKeyPairs"), 200);
	assert_int_equal(ec2_answer_count("<keyPairId>"), 2);
	assert_false(ec2_answer_has("publicKey"));
	ec2_askf("Action=DescribeKeyPairs&KeyPairId.1=%s", b);
	assert_int_equal(ec2_answer_count("<keyPairId>"), 1);
	assert_string_equal(ec2_answer_value("keyName"), "b");
	ec2_askf("Action=DescribeKeyPairs&KeyPairId.1=%s&KeyName.1=a", b);
	assert_int_equal(ec2_answer_count("<keyPairId>"), 2);
	ec2_askf("Action=DescribeKeyPairs&Filter.1.Name=key-name&Filter.1.Value.1=*a");
	assert_string_equal(ec2_answer_value("keyPairId"), a);
	ec2_askf("Action=DescribeKeyPairs&Filter.1.Name=key-pair-id&Filter.1.Value.1=%s", b);
	assert_string_equal(ec2_answer_value("keyName"), "b");
	ec2_askf("Action=DescribeKeyPairs&Filter.1.Name=fingerprint&Filter.1.Value.1=x");
	assert_int_equal(ec2_answer_count("<keyPairId>"), 0);
	refused("Action=DescribeKeyPairs&KeyName.1=c", "InvalidKeyPair.NotFound");
	refused("Action=DescribeKeyPairs&KeyPairId.1=key-00000000000000000",
		"InvalidKeyPair.NotFound");
	refused("Action=DescribeKeyPairs&KeyPairId.1=key", "InvalidParameterValue");
	refused("Action=DescribeKeyPairs&Filter.1.Name=x&Filter.1.Value.1=x",
		"InvalidParameterValue");
	refused("Action=DescribeKeyPairs&MaxResults=5", "UnknownParameter");
	/* Nothing of another account is there. */
	snprintf(body, sizeof(body), "Action=DescribeKeyPairs&KeyPairId.1=%s", a);
	refused_for(EC2_B, body, "InvalidKeyPair.NotFound");
	refused_for(EC2_B, "Action=DescribeKeyPairs&KeyName.1=a", "InvalidKeyPair.NotFound");
	ec2_ask(EC2_B, "Action=DescribeKeyPairs");
	assert_int_equal(ec2_answer_count("<item>"), 0);
}

static void delete_key_pair__is_safe_to_repeat(void **state)
{
	char id[32], body[128];

	(void)state;
	import("k", id);
	refused("Action=DeleteKeyPair", "MissingParameter");
	refused("Action=DeleteKeyPair&KeyName=k&KeyPairId=key-0", "InvalidParameterCombination");
	refused("Action=DeleteKeyPair&KeyPairId=key-00000000000000000", "InvalidKeyPair.NotFound");
	snprintf(body, sizeof(body), "Action=DeleteKeyPair&KeyPairId=%s", id);
	refused_for(EC2_B, body, "InvalidKeyPair.NotFound");
	assert_int_equal(ec2_ask(EC2_B, "Action=DeleteKeyPair&KeyName=k"), 200);
	ec2_askf("Action=DescribeKeyPairs");
	assert_int_equal(ec2_answer_count("<keyPairId>"), 1);
	assert_int_equal(ec2_askf("Action=DeleteKeyPair&KeyName=k"), 200);
	assert_string_equal(ec2_answer_value("keyPairId"), id);
	assert_int_equal(ec2_askf("Action=DeleteKeyPair&KeyName=k"), 200);
	assert_false(ec2_answer_has("keyPairId"));
	refused(body, "InvalidKeyPair.NotFound");
}

static void create_tags__sets_and_replaces(void **state)
{
	char a[32], b[32];

	(void)state;
	import("a", a);
	import("b", b);
	assert_int_equal(
		ec2_askf("Action=CreateTags&ResourceId.1=%s&ResourceId.2=%s&Tag.1.Key=Name&"
			 "Tag.1.Value=%%C3%%BC&Tag.2.Key=empty",
			 a, b),
		200);
	assert_string_equal(ec2_answer_value("return"), "true");
	ec2_askf("Action=CreateTags&ResourceId.1=%s&Tag.1.Key=Name&Tag.1.Value=two", a);
	ec2_askf("Action=DescribeTags&Filter.1.Name=resource-id&Filter.1.Value.1=%s", a);
	assert_int_equal(ec2_answer_count("<item>"), 2);
	assert_true(ec2_answer_has(
		"<resourceType>key-pair</resourceType><key>Name</key><value>two</value>"));
	assert_true(ec2_answer_has("<key>empty</key><value/>"));
	ec2_askf("Action=DescribeTags&Filter.1.Name=key&Filter.1.Value.1=Name&Filter.2.Name=value&"
		 "Filter.2.Value.1=%%C3%%BC");
	assert_string_equal(ec2_answer_value("resourceId"), b);
	ec2_askf("Action=DescribeTags&Filter.1.Name=resource-type&Filter.1.Value.1=instance");
	assert_int_equal(ec2_answer_count("<item>"), 0);
	ec2_askf("Action=DescribeTags&Filter.1.Name=tag:Name&Filter.1.Value.1=two");
	assert_int_equal(ec2_answer_count("<item>"), 2);
	ec2_askf("Action=DescribeKeyPairs&Filter.1.Name=tag:Name&Filter.1.Value.1=two");
	assert_string_equal(ec2_answer_value("keyPairId"), a);
	ec2_askf("Action=DescribeKeyPairs&Filter.1.Name=tag-key&Filter.1.Value.1=emp*");
	assert_int_equal(ec2_answer_count("<keyPairId>"), 2);
	ec2_ask(EC2_B, "Action=DescribeTags");
	assert_int_equal(ec2_answer_count("<item>"), 0);
	/* They go with what they are of. */
	ec2_askf("Action=DeleteKeyPair&KeyPairId=%s", a);
	ec2_askf("Action=DescribeTags");
	assert_int_equal(ec2_answer_count("<item>"), 2);
}

static void tags_refused_for(const char *id)
{
	char body[2048];
	size_t n;

	snprintf(body, sizeof(body), "Action=CreateTags&ResourceId.1=%s&Tag.1.Key=aws:x", id);
	refused(body, "InvalidParameterValue");
	snprintf(body, sizeof(body), "Action=CreateTags&ResourceId.1=%s&Tag.1.Value=x", id);
	refused(body, "MissingParameter");
	snprintf(body, sizeof(body), "Action=CreateTags&ResourceId.1=%s", id);
	refused(body, "MissingParameter");
	snprintf(body, sizeof(body), "Action=CreateTags&ResourceId.1=%s&Tag.1.Key=a&Tag.2.Key=a",
		 id);
	refused(body, "InvalidParameterValue");
	n = (size_t)snprintf(body, sizeof(body),
			     "Action=CreateTags&ResourceId.1=%s&Tag.1.Key=", id);
	for (int i = 0; i < 128; i++)
		n += (size_t)snprintf(body + n, sizeof(body) - n, "%%C3%%BC");
	refused(body, "InvalidParameterValue");
	body[n - 6] = '\0';
	assert_int_equal(ec2_ask(EC2_A, body), 200);
	n = (size_t)snprintf(body, sizeof(body),
			     "Action=CreateTags&ResourceId.1=%s&Tag.1.Key=v&Tag.1.Value=", id);
	memset(body + n, 'v', 256);
	body[n + 256] = '\0';
	refused(body, "InvalidParameterValue");
	body[n + 255] = '\0';
	assert_int_equal(ec2_ask(EC2_A, body), 200);
}

static void create_tags__refuses(void **state)
{
	char id[32], body[256];

	(void)state;
	import("k", id);
	tags_refused_for(id);
	refused("Action=CreateTags&Tag.1.Key=a", "MissingParameter");
	refused("Action=CreateTags&ResourceId.1=x-1&Tag.1.Key=a", "InvalidID");
	refused("Action=CreateTags&ResourceId.1=eni-attach-00000000000000000&Tag.1.Key=a",
		"InvalidID");
	refused("Action=CreateTags&ResourceId.1=i-00000000000000000&Tag.1.Key=a",
		"InvalidInstanceID.NotFound");
	refused("Action=CreateTags&ResourceId.1=vol-00000000000000000&Tag.1.Key=a",
		"InvalidVolume.NotFound");
	refused("Action=CreateTags&ResourceId.1=subnet-1&Tag.1.Key=a", "InvalidSubnetID.Malformed");
	/* One id that is not there: nothing is changed. */
	snprintf(body, sizeof(body),
		 "Action=CreateTags&ResourceId.1=%s&ResourceId.2=i-00000000000000000&Tag.1.Key=a",
		 id);
	refused(body, "InvalidInstanceID.NotFound");
	snprintf(body, sizeof(body), "Action=CreateTags&ResourceId.1=%s&Tag.1.Key=a", id);
	refused_for(EC2_B, body, "InvalidKeyPair.NotFound");
}

static void create_tags__has_a_limit_of_50(void **state)
{
	static char body[8192];
	char id[32];
	size_t n;

	(void)state;
	import("k", id);
	n = (size_t)snprintf(body, sizeof(body), "Action=CreateTags&ResourceId.1=%s", id);
	for (int i = 1; i <= 50; i++)
		n += (size_t)snprintf(body + n, sizeof(body) - n, "&Tag.%d.Key=k%d", i, i);
	assert_int_equal(ec2_ask(EC2_A, body), 200);
	assert_int_equal(ec2_ask(EC2_A, body), 200); /* the same ones again */
	snprintf(body + n, sizeof(body) - n, "&Tag.51.Key=k51");
	refused(body, "TagLimitExceeded");
	snprintf(body, sizeof(body), "Action=CreateTags&ResourceId.1=%s&Tag.1.Key=k51", id);
	refused(body, "TagLimitExceeded");
}

static void delete_tags__minds_the_value_only_when_given(void **state)
{
	char id[32], body[256];

	(void)state;
	import("k", id);
	ec2_askf("Action=CreateTags&ResourceId.1=%s&Tag.1.Key=a&Tag.1.Value=1&Tag.2.Key=b&Tag.3."
		 "Key=c&"
		 "Tag.3.Value=3&Tag.4.Key=d",
		 id);
	ec2_askf("Action=DeleteTags&ResourceId.1=%s&Tag.1.Key=a&Tag.1.Value=2&Tag.2.Key=c&Tag.2."
		 "Value=&"
		 "Tag.3.Key=none",
		 id);
	assert_int_equal(ew.status, 200);
	ec2_askf("Action=DescribeTags");
	assert_int_equal(ec2_answer_count("<item>"), 4);
	ec2_askf("Action=DeleteTags&ResourceId.1=%s&Tag.1.Key=a&Tag.1.Value=1&Tag.2.Key=b&Tag.2."
		 "Value=&"
		 "Tag.3.Key=c",
		 id);
	ec2_askf("Action=DescribeTags");
	assert_int_equal(ec2_answer_count("<item>"), 1);
	snprintf(body, sizeof(body), "Action=DeleteTags&ResourceId.1=%s", id);
	refused_for(EC2_B, body, "InvalidKeyPair.NotFound");
	refused("Action=DeleteTags&Tag.1.Key=a", "MissingParameter");
	refused("Action=DeleteTags&ResourceId.1=key-00000000000000000", "InvalidKeyPair.NotFound");
	assert_int_equal(ec2_ask(EC2_A, body), 200);
	ec2_askf("Action=DescribeTags");
	assert_int_equal(ec2_answer_count("<item>"), 0);
}

/* DescribeTags with a token, and more of a query. */
static const char *with_token(const char *token, const char *more)
{
	static char body[2048];
	size_t n = (size_t)snprintf(body, sizeof(body), "Action=DescribeTags%s&NextToken=", more);

	for (const char *p = token; *p; p++)
		n += (size_t)snprintf(body + n, sizeof(body) - n, "%%%02x", (unsigned char)*p);
	return body;
}

/* Walks all pages; every tag must be met once. */
static void describe_tags__has_pages(void **state)
{
	char id[32], body[2048], token[512] = "", seen[16] = "";
	size_t n;
	int pages = 0;

	(void)state;
	import("k", id);
	n = (size_t)snprintf(body, sizeof(body), "Action=CreateTags&ResourceId.1=%s", id);
	for (int i = 1; i <= 12; i++)
		n += (size_t)snprintf(body + n, sizeof(body) - n, "&Tag.%d.Key=k%c", i, 'a' + i);
	assert_int_equal(ec2_ask(EC2_A, body), 200);
	do {
		assert_int_equal(ec2_ask(EC2_A, with_token(token, "&MaxResults=5")), 200);
		for (const char *p = ew.body; (p = strstr(p, "<key>k")); p++) {
			assert_null(strchr(seen, p[6]));
			seen[strlen(seen)] = p[6];
		}
		snprintf(token, sizeof(token), "%s", ec2_answer_value("nextToken"));
		pages++;
	} while (token[0]);
	assert_int_equal(strlen(seen), 12);
	assert_int_equal(pages, 3);
}

static void page_token__is_bound_to_what_was_asked(void **state)
{
	char id[32], token[512];

	(void)state;
	import("k", id);
	ec2_askf(
		"Action=CreateTags&ResourceId.1=%s&Tag.1.Key=a&Tag.2.Key=b&Tag.3.Key=c&Tag.4.Key=d&"
		"Tag.5.Key=e&Tag.6.Key=f",
		id);
	ec2_askf("Action=DescribeTags&MaxResults=5");
	snprintf(token, sizeof(token), "%s", ec2_answer_value("nextToken"));
	assert_true(strlen(token) > 0);
	assert_int_equal(ec2_ask(EC2_A, with_token(token, "")), 200);
	assert_int_equal(ec2_answer_count("<item>"), 1);
	refused_for(EC2_B, with_token(token, ""), "InvalidNextToken");
	refused(with_token(token, "&Filter.1.Name=key&Filter.1.Value.1=a"), "InvalidNextToken");
	refused(with_token("AAAA", ""), "InvalidNextToken");
	refused(with_token("x", ""), "InvalidNextToken");
	refused("Action=DescribeTags&MaxResults=4", "InvalidParameterValue");
	refused("Action=DescribeTags&MaxResults=1001", "InvalidParameterValue");
	for (size_t i = 0; i < strlen(token); i++) {
		char forged[512];

		snprintf(forged, sizeof(forged), "%s", token);
		forged[i] ^= 1;
		refused(with_token(forged, ""), "InvalidNextToken");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(t) cmocka_unit_test_setup_teardown(t, start, stop)
		T(create_key_pair__gives_the_private_key_once),
		T(create_key_pair__refuses),
		T(create_key_pair__makes_few_rsa_keys_at_once),
		T(import_key_pair__keeps_the_line_under_its_name),
		T(describe_key_pairs__knows_names_ids_and_filters),
		T(delete_key_pair__is_safe_to_repeat),
		T(create_tags__sets_and_replaces),
		T(create_tags__refuses),
		T(create_tags__has_a_limit_of_50),
		T(delete_tags__minds_the_value_only_when_given),
		T(describe_tags__has_pages),
		T(page_token__is_bound_to_what_was_asked),
	};

	if (crypto_init() < 0)
		return 1;
	return cmocka_run_group_tests_name("controller/ec2/keys", tests, NULL, NULL);
}
