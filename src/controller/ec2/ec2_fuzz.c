/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Whole requests to the EC2 API, on a store with a little of everything. Asserted: an answer is well-formed XML of the
 * action or an error with a code; what was refused has left every row as it was and no wish for the launcher; a Describe
 * or Get never changes anything; rolled back, the store is what it was.
 *
 * The input is a form body; the version is added when it is not in it. An input that begins with "B" and "&" asks as
 * another account.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controller/ec2/call_priv.h"
#include "crypto/crypto.h"
#include "ec2_world.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

enum { DEPTH_MAX = 32, NAME_MAX_BYTES = 128, INPUT_MAX = 64 * 1024 };

static uint8_t initial[32];

static void made(const char *body)
{
	if (ec2_ask(EC2_A, body) != 200) {
		(void)fprintf(stderr, "%s: %s\n", body, ew.body);
		abort();
	}
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	must(crypto_init() == 0);
	ec2_world_start();
	made("Action=CreateKeyPair&KeyName=k&KeyType=ed25519");
	made("Action=CreateVolume&AvailabilityZone=us-east-1a&Size=1&ClientToken=t");
	made("Action=CreateVpc&CidrBlock=10.0.0.0/16");
	made("Action=RunInstances&ImageId=ami-0123456789abcdef0&MinCount=2&MaxCount=2&KeyName=k&"
	     "InstanceType=t3.micro&TagSpecification.1.ResourceType=instance&"
	     "TagSpecification.1.Tag.1.Key=Name&TagSpecification.1.Tag.1.Value=a");
	ec2_world_digest(initial);
	return 0;
}

/* Text between elements. */
static const char *text_check(const char *p)
{
	while (*p && *p != '<') {
		must((unsigned char)*p >= 0x20 || *p == '\t' || *p == '\n');
		must(*p != '>');
		if (*p == '&')
			must(strncmp(p, "&amp;", 5) == 0 || strncmp(p, "&lt;", 4) == 0 ||
			     strncmp(p, "&gt;", 4) == 0 || strncmp(p, "&quot;", 6) == 0 ||
			     strncmp(p, "&#13;", 5) == 0);
		p++;
	}
	return p;
}

/* Elements nest and close; the first may have an attribute. */
static void xml_check(const char *body)
{
	static const char head[] = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";
	char open[DEPTH_MAX][NAME_MAX_BYTES];
	const char *p = body + strlen(head);
	size_t depth = 0;

	must(strncmp(body, head, strlen(head)) == 0);
	while (*p) {
		bool closing = p[1] == '/';
		size_t n = strcspn(p + 1 + closing, " />");
		const char *name = p + 1 + closing, *end = strchr(p, '>');

		must(*p == '<' && end && n > 0 && n < NAME_MAX_BYTES);
		if (closing) {
			must(depth > 0 && strncmp(open[depth - 1], name, n) == 0 &&
			     open[depth - 1][n] == '\0' && name[n] == '>');
			depth--;
		} else if (end[-1] != '/') {
			must(depth < DEPTH_MAX);
			memcpy(open[depth], name, n);
			open[depth++][n] = '\0';
		}
		p = text_check(end + 1);
		must(depth > 0 || *p == '\0');
	}
	must(depth == 0);
}

/* The root element is the action's name and "Response". */
static bool answer_of_a_change(const char *body)
{
	const char *root = strchr(body, '\n') + 2, *end = strstr(root, "Response ");
	const struct ec2_action *a;
	char name[NAME_MAX_BYTES];

	must(end && end - root < NAME_MAX_BYTES);
	memcpy(name, root, (size_t)(end - root));
	name[end - root] = '\0';
	a = ec2_action_find(name);
	must(a);
	return a->changes;
}

static void answer_check(unsigned status, const char *body)
{
	uint8_t after[32];
	bool refused = status != 200;

	xml_check(body);
	if (refused) {
		must(strstr(body, "<Response><Errors><Error><Code>"));
		must(ew.acts.cnt == 0);
		must(status != 500 || strstr(body, "Insufficient"));
		ec2_world_digest(after);
		must(memcmp(after, initial, sizeof(after)) == 0);
	} else if (!answer_of_a_change(body)) {
		must(ew.acts.cnt == 0);
		ec2_world_digest(after);
		must(memcmp(after, initial, sizeof(after)) == 0);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char body[INPUT_MAX + 32];
	const char *account = EC2_A;
	uint8_t after[32];

	if (size > INPUT_MAX)
		return 0;
	if (size > 2 && data[0] == 'B' && data[1] == '&') {
		account = EC2_B;
		data += 2;
		size -= 2;
	}
	memcpy(body, data, size);
	if (!memmem(body, size, "Version=", 8))
		size += (size_t)snprintf(body + size, 32, "&Version=2016-11-15");

	/* An RSA key takes longer than a thousand other calls. */
	if (memmem(body, size, "CreateKeyPair", 13) && !memmem(body, size, "&KeyType=ed25519", 16))
		return 0;
	must(store_begin(ew.core.st) == 0);
	core_acts_done(&ew.acts);
	ec2_ask_raw(account, body, size);
	answer_check(ew.status, ew.body);
	store_rollback(ew.core.st);
	ec2_world_digest(after);
	must(memcmp(after, initial, sizeof(after)) == 0);
	return 0;
}
