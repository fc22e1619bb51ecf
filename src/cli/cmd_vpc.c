/* SPDX-License-Identifier: Apache-2.0 */

/* niter network create|rm, niter subnet ls|create|rm */

#include <stdio.h>
#include <string.h>

#include "cli/api/ec2.h"
#include "cli/cli.h"

/* One call that makes something: its answer as JSON, or the id in member @list.@id. */
static int make(const char *action, struct ec2_params *q, const char *object, const char *id)
{
	json_t *result = NULL;
	int code = ec2_call(action, q, &result);

	if (code == CLI_OK && cli_json)
		json_print(result);
	else if (code == CLI_OK)
		puts(text_of(json_object_get(result, object), id));
	json_decref(result);
	return code;
}

/* One call for each word; goes on after a failure. */
static int remove_each(const char *action, const char *param, int cnt, char **argv)
{
	int code = CLI_OK;

	for (int k = 0; k < cnt; k++) {
		struct ec2_params q = { .text = NULL };

		ec2_add(&q, param, argv[k]);
		if (ec2_call(action, &q, NULL) != CLI_OK)
			code = CLI_FAILED;
		else if (!cli_json)
			puts(argv[k]);
	}
	return code;
}

int verb_network_create(const struct verb *v, int argc, char **argv)
{
	struct ec2_params q = { .text = NULL };

	(void)opts_parse(v, argc, argv, NULL, 0);
	ec2_add(&q, "CidrBlock", argv[0]);
	return make("CreateVpc", &q, "vpc", "vpcId");
}

int verb_network_rm(const struct verb *v, int argc, char **argv)
{
	int cnt = opts_parse(v, argc, argv, NULL, 0);

	return remove_each("DeleteVpc", "VpcId", cnt, argv);
}

int verb_subnet_ls(const struct verb *v, int argc, char **argv)
{
	static const char *const heads[] = { "ID", "NETWORK", "BLOCK", "ZONE", "FREE" };
	static const char *const members[] = { "subnetId", "vpcId", "cidrBlock", "availabilityZone",
					       "availableIpAddressCount" };
	struct table t = { .col_cnt = ARRAY_SIZE(heads) };
	json_t *result = NULL, *s;
	size_t k;
	int code;

	(void)opts_parse(v, argc, argv, NULL, 0);
	code = ec2_call("DescribeSubnets", NULL, &result);
	if (code == CLI_OK && cli_json) {
		json_print(result);
	} else if (code == CLI_OK) {
		for (k = 0; k < ARRAY_SIZE(heads); k++)
			table_add(&t, heads[k]);
		json_array_foreach(json_object_get(result, "subnetSet"), k,
				   s) for (size_t n = 0; n < ARRAY_SIZE(members); n++)
			table_add(&t, text_of(s, members[n]));
		table_print(&t);
		table_done(&t);
	}
	json_decref(result);
	return code;
}

int verb_subnet_create(const struct verb *v, int argc, char **argv)
{
	struct ec2_params q = { .text = NULL };

	(void)opts_parse(v, argc, argv, NULL, 0);
	ec2_add(&q, "VpcId", argv[0]);
	ec2_add(&q, "CidrBlock", argv[1]);
	return make("CreateSubnet", &q, "subnet", "subnetId");
}

int verb_subnet_rm(const struct verb *v, int argc, char **argv)
{
	int cnt = opts_parse(v, argc, argv, NULL, 0);

	return remove_each("DeleteSubnet", "SubnetId", cnt, argv);
}
