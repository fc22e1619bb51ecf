/* SPDX-License-Identifier: Apache-2.0 */

/* niter volume create|ls|rm of a tenant: through the EC2 API. */

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/num.h"
#include "cli/api/ec2.h"
#include "cli/api/things.h"
#include "cli/api/verbs.h"
#include "cli/cli.h"

static void volume_rows(const json_t *list)
{
	static const char *const heads[] = { "ID",       "STATE",  "SIZE", "TYPE",
					     "INSTANCE", "DEVICE", "AGE" };
	struct table t = { .col_cnt = ARRAY_SIZE(heads) };
	uint64_t now_ms = (uint64_t)time(NULL) * 1000;
	size_t k;
	json_t *v;
	char buf[32];

	for (k = 0; k < ARRAY_SIZE(heads); k++)
		table_add(&t, heads[k]);
	json_array_foreach(list, k, v)
	{
		table_add(&t, text_of(v, "id"));
		table_add(&t, text_of(v, "state"));
		table_add(&t, size_text(buf, sizeof(buf), u64_of(v, "bytes")));
		table_add(&t, text_of(v, "type"));
		table_add(&t, text_of(v, "instance"));
		table_add(&t, text_of(v, "device"));
		table_add(&t, age_text(buf, sizeof(buf), text_of(v, "created"), now_ms));
	}
	table_print(&t);
	table_done(&t);
}

int api_volume_ls(const struct verb *v, int argc, char **argv)
{
	json_t *result = NULL;
	int code;

	(void)opts_parse(v, argc, argv, NULL, 0);
	code = thing_volumes(&result);
	if (code == CLI_OK && cli_json)
		json_print(result);
	else if (code == CLI_OK)
		volume_rows(json_object_get(result, "volumes"));
	json_decref(result);
	return code;
}

/* Every zone is as good as the other: there is one. */
static int zone_add(struct ec2_params *q)
{
	json_t *result = NULL;
	int code = ec2_call("DescribeAvailabilityZones", NULL, &result);

	ec2_add(q, "AvailabilityZone",
		text_of(json_array_get(json_object_get(result, "availabilityZoneInfo"), 0),
			"zoneName"));
	json_decref(result);
	return code;
}

int api_volume_create(const struct verb *v, int argc, char **argv)
{
	const char *size = NULL, *type = NULL, *key = NULL;
	const struct opt opts[] = {
		{ "--size", OPT_TEXT, "SIZE", "as in 10G", &size },
		{ "--type", OPT_TEXT, "TYPE", "gp3 (default), io2, ...", &type },
		{ "--kms-key", OPT_TEXT, "KEY", "KMS key; default: the account's own", &key },
	};
	struct ec2_params q = { .text = NULL };
	json_t *result = NULL;
	uint64_t bytes = 0;
	int code;

	(void)opts_parse(v, argc, argv, opts, ARRAY_SIZE(opts));
	if (!size || size_parse(size, &bytes) < 0)
		return cli_usage("say how big with --size, as in 8G");
	if (bytes == 0 || bytes % GIB)
		return cli_usage("volumes come in whole GiB: \"%s\"", size);
	code = zone_add(&q);
	if (code != CLI_OK) {
		free(q.text);
		return code;
	}
	ec2_add_u64(&q, "Size", bytes / GIB);
	ec2_add(&q, "VolumeType", type ? type : "gp3");
	ec2_add(&q, "KmsKeyId", key);
	code = ec2_call("CreateVolume", &q, &result);
	if (code == CLI_OK && cli_json)
		json_print(result);
	else if (code == CLI_OK)
		puts(text_of(result, "volumeId"));
	json_decref(result);
	return code;
}

int api_volume_rm(const struct verb *v, int argc, char **argv)
{
	int cnt = opts_parse(v, argc, argv, NULL, 0), code = CLI_OK;

	for (int k = 0; k < cnt; k++) {
		struct ec2_params q = { .text = NULL };
		char id[64];

		if (thing_volume_find(argv[k], id, sizeof(id)) != CLI_OK) {
			code = CLI_FAILED;
			continue;
		}
		ec2_add(&q, "VolumeId", id);
		if (ec2_call("DeleteVolume", &q, NULL) != CLI_OK)
			code = CLI_FAILED;
		else if (!cli_json)
			puts(id);
	}
	return code;
}
