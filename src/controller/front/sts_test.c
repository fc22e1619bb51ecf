/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "controller/front/services.h"

static unsigned replied;
static char *reply;

void exchange_reply(UNUSED struct exchange *x, unsigned status, const char *type, char *body,
		    size_t len)
{
	assert_string_equal(type, "text/xml");
	replied = status;
	free(reply);
	reply = strndup(body, len);
	free(body);
}

static struct http_request q;
static struct exchange x;

/* What the service says to a form. */
static const char *ask(const char *method, const char *form)
{
	bool get = strcmp(method, "GET") == 0;

	memset(&q, 0, sizeof(q));
	x = (struct exchange){ .req = &q, .request_id = "the-id", .account = "210987654321" };
	q.method = (struct http_span){ method, strlen(method) };
	q.query = (struct http_span){ get ? form : "", get ? strlen(form) : 0 };
	q.body = get ? "" : form;
	q.body_len = strlen(q.body);
	replied = 0;
	sts_handle(&x);
	return reply;
}

static void sts__says_who_asks(void **state)
{
	static const char want[] =
		"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
		"<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">"
		"<GetCallerIdentityResult><Arn>arn:aws:iam::210987654321:root</Arn>"
		"<UserId>210987654321</UserId><Account>210987654321</Account>"
		"</GetCallerIdentityResult><ResponseMetadata><RequestId>the-id</RequestId>"
		"</ResponseMetadata></GetCallerIdentityResponse>";

	(void)state;
	assert_string_equal(ask("POST", "Action=GetCallerIdentity&Version=2011-06-15"), want);
	assert_int_equal(replied, 200);
	assert_string_equal(x.action, "GetCallerIdentity");
	assert_string_equal(x.code, "");
	assert_string_equal(ask("GET", "Version=2011-06-15&X-Amz-Date=x&Action=GetCallerIdentity"),
			    want);
}

static void sts__refuses_everything_else_by_name(void **state)
{
	static const struct {
		const char *form, *code, *word;
	} cases[] = {
		{ "", "MissingAction", "Action" },
		{ "Action=AssumeRole&Version=2011-06-15&RoleArn=a", "UnsupportedOperation",
		  "AssumeRole" },
		{ "Action=%3Cb%3E&Version=2011-06-15", "InvalidAction", "&lt;b&gt;" },
		{ "Action=GetCallerIdentity", "MissingParameter", "Version" },
		{ "Action=GetCallerIdentity&Version=2010", "NoSuchVersion", "version" },
		{ "Action=GetCallerIdentity&Version=2011-06-15&Foo=1", "UnknownParameter", "Foo" },
	};

	(void)state;
	for (size_t k = 0; k < ARRAY_SIZE(cases); k++) {
		const char *said = ask("POST", cases[k].form);

		assert_int_equal(replied, 400);
		assert_string_equal(x.code, cases[k].code);
		assert_non_null(strstr(said, cases[k].code));
		assert_non_null(strstr(said, cases[k].word));
		assert_non_null(strstr(said, "<Type>Sender</Type>"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sts__says_who_asks),
		cmocka_unit_test(sts__refuses_everything_else_by_name),
	};
	int r = cmocka_run_group_tests_name("controller/sts", tests, NULL, NULL);

	free(reply);
	return r;
}
