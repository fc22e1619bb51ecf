/* SPDX-License-Identifier: Apache-2.0 */
#include "security/sign.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const char inst[] = "i-0123456789abcdef0";
#define ID "\"instanceId\":\"i-0123456789abcdef0\""

static int check(const char *doc)
{
	return sign_document_check(doc, strlen(doc), inst, "111122223333");
}

static void sign_document_check__takes_the_document_of_ec2(void **state)
{
	(void)state;
	/* As AWS shows it, blanks and line ends included. */
	assert_int_equal(
		check("{\n    \"devpayProductCodes\" : null,\n"
		      "    \"marketplaceProductCodes\" : [ \"1abc2defghijklm3nopqrs4tu\" ], \n"
		      "    \"availabilityZone\" : \"us-west-2b\",\n"
		      "    \"privateIp\" : \"10.158.112.84\",\n"
		      "    \"version\" : \"2017-09-30\",\n"
		      "    \"instanceId\" : \"i-0123456789abcdef0\",\n"
		      "    \"billingProducts\" : null,\n"
		      "    \"instanceType\" : \"t2.micro\",\n"
		      "    \"accountId\" : \"111122223333\",\n"
		      "    \"imageId\" : \"ami-5fb8c835\",\n"
		      "    \"pendingTime\" : \"2016-11-19T16:32:11Z\",\n"
		      "    \"architecture\" : \"x86_64\",\n"
		      "    \"kernelId\" : null,\n"
		      "    \"ramdiskId\" : null,\n"
		      "    \"region\" : \"us-west-2\"\n}"),
		0);
	assert_int_equal(check("{" ID "}"), 0);
	assert_int_equal(check(" \t\r\n{ " ID ", \"n\":[0,-1.5e-3,true,false,null,\"\\u00e9\\n\"],"
			       "\"e\":[]}\n"),
			 0);
}

static void sign_document_check__is_for_one_instance_and_its_account(void **state)
{
	(void)state;
	assert_int_equal(check("{\"instanceId\":\"i-0123456789abcdef1\"}"), -EACCES);
	assert_int_equal(check("{\"instanceId\":\"i-0123456789abcdef\"}"), -EACCES);
	assert_int_equal(check("{\"instanceId\":\"i-0123456789abcdef00\"}"), -EACCES);
	assert_int_equal(check("{" ID ",\"accountId\":\"111122223333\"}"), 0);
	assert_int_equal(check("{" ID ",\"accountId\":\"111122223334\"}"), -EACCES);
	assert_int_equal(
		sign_document_check("{" ID ",\"accountId\":\"5\"}", strlen(ID) + 18, inst, ""), 0);
	assert_int_equal(check("{}"), -EINVAL);
	assert_int_equal(check("{\"a\":1}"), -EINVAL); /* says no instance */
	assert_int_equal(check("{\"instanceId\":\"\"}"), -EINVAL);
	assert_int_equal(check("{\"instanceId\":null}"), -EINVAL);
	assert_int_equal(check("{\"instanceId\":[\"i-0123456789abcdef0\"]}"), -EINVAL);
	assert_int_equal(check("{" ID ",\"accountId\":111122223333}"), -EINVAL);
}

/* What one reader takes for this instance and another reader for another one. */
static void sign_document_check__refuses_two_meanings(void **state)
{
	static const char *const docs[] = {
		"{" ID ",\"instanceId\":\"i-1\"}",
		"{\"instanceId\":\"i-1\"," ID "}",
		"{" ID ",\"instanceid\":\"i-1\"}", /* readers that ignore case */
		"{\"INSTANCEID\":\"i-1\"," ID "}",
		"{" ID ",\"a\":1,\"A\":2}",
		"{" ID ",\"AccountId\":\"5\"}",
		"{" ID ",\"instance\\u0049d\":\"i-1\"}",
		"{\"instanceId\":\"i-0123456789abcdef\\u0030\"}",
		"{" ID ",\"a\":{\"instanceId\":\"i-1\"}}",
		"{" ID ",\"a\":[[\"x\"]]}",
		"{" ID ",\"a\":[{}]}",
		"[{" ID "}]",
		"{" ID "}{\"instanceId\":\"i-1\"}",
		"{" ID "} x",
		"{\"instanceId\":\"i-1\"}{" ID "}",
		"\xef\xbb\xbf{" ID "}",
		"{" ID ",\"a\":\"\xc3\xa9\"}",
		"{" ID ",\"a b\":1}",
		"{" ID ",\"\":1}",
		"{" ID " /* ,\"instanceId\":\"i-1\" */}",
		"'{" ID "}'",
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(docs) / sizeof(docs[0]); i++)
		assert_int_equal(check(docs[i]), -EINVAL);
	assert_int_equal(sign_document_check("{" ID "}\0", strlen(ID) + 3, inst, ""), -EINVAL);
	assert_int_equal(sign_document_check("{" ID ",\"a\":\"\0\"}", strlen(ID) + 10, inst, ""),
			 -EINVAL);
}

static void sign_document_check__refuses_what_is_no_json(void **state)
{
	static const char *const values[] = {
		"",     ",",        "tru", "nul", "TRUE", "NaN",  "+1",   "01",      "1.",
		".5",   "1e",       "1e+", "0x1", "--1",  "1 2",  "\"",   "\"\\x\"", "\"\\u12g4\"",
		"\"\\", "\"a\nb\"", "[",   "[1",  "[1,",  "[1,]", "[,1]", "[1 2]",   "]",
	};
	static const char *const good[] = {
		"0",
		"-0",
		"10",
		"0.5",
		"1e5",
		"1E+5",
		"-1.25e-2",
		"true",
		"false",
		"null",
		"\"\"",
		"\"\\u12aF\"",
		"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"",
		"[]",
		"[ ]",
		"[1]",
		"[ 1 , \"a\" , null ]",
	};
	char doc[256];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		(void)snprintf(doc, sizeof(doc), "{%s,\"a\":%s}", ID, values[i]);
		assert_int_equal(check(doc), -EINVAL);
		(void)snprintf(doc, sizeof(doc), "{%s,\"a\":%s", ID, values[i]); /* and cut off */
		assert_int_equal(check(doc), -EINVAL);
	}
	for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		(void)snprintf(doc, sizeof(doc), "{%s,\"a\":%s}", ID, good[i]);
		assert_int_equal(check(doc), 0);
	}
	/* Every beginning of a good document. */
	(void)snprintf(doc, sizeof(doc), "{ \"b\" : [ true , -1.5e3 ] , %s , \"c\":\"\\u0041\" }",
		       ID);
	assert_int_equal(check(doc), 0);
	for (i = 0; i + 1 <= strlen(doc) - 1; i++)
		assert_int_equal(sign_document_check(doc, i, inst, ""), -EINVAL);
	assert_int_equal(check("{" ID ",}"), -EINVAL);
	assert_int_equal(check("{," ID "}"), -EINVAL);
	assert_int_equal(check("{" ID " \"a\":1}"), -EINVAL);
	assert_int_equal(check("{" ID ",\"a\"}"), -EINVAL);
	assert_int_equal(check("{" ID ",\"a\" 1}"), -EINVAL);
	assert_int_equal(check("{" ID ",a:1}"), -EINVAL);
}

static void sign_document_check__is_bounded(void **state)
{
	static char doc[SIGN_DOCUMENT_MAX + 2];
	size_t len;
	int i;

	(void)state;
	memset(doc, ' ', sizeof(doc));
	memcpy(doc, "{" ID "}", strlen("{" ID "}"));
	assert_int_equal(sign_document_check(doc, SIGN_DOCUMENT_MAX, inst, ""), 0);
	assert_int_equal(sign_document_check(doc, SIGN_DOCUMENT_MAX + 1, inst, ""), -EFBIG);
	len = (size_t)snprintf(doc, sizeof(doc), "{%s", ID);
	for (i = 1; i < SIGN_MEMBERS_MAX; i++)
		len += (size_t)snprintf(doc + len, sizeof(doc) - len, ",\"n%d\":%d", i, i);
	doc[len] = '}';
	assert_int_equal(sign_document_check(doc, len + 1, inst, ""), 0);
	len += (size_t)snprintf(doc + len, sizeof(doc) - len, ",\"n%d\":%d}", i, i);
	assert_int_equal(sign_document_check(doc, len, inst, ""), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sign_document_check__takes_the_document_of_ec2),
		cmocka_unit_test(sign_document_check__is_for_one_instance_and_its_account),
		cmocka_unit_test(sign_document_check__refuses_two_meanings),
		cmocka_unit_test(sign_document_check__refuses_what_is_no_json),
		cmocka_unit_test(sign_document_check__is_bounded),
	};

	return cmocka_run_group_tests_name("security/sign", tests, NULL, NULL);
}
