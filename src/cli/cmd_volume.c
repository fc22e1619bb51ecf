/* SPDX-License-Identifier: Apache-2.0 */

/* niter volume create|ls|rm */

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "cli/cli.h"
#include "cli/client.h"

static void volume_rows(const json_t *list)
{
	static const char *const heads[] = { "ID",     "STATE", "SIZE", "INSTANCE",
					     "DEVICE", "IMAGE", "AGE" };
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
		table_add(&t, text_of(v, "instance"));
		table_add(&t, text_of(v, "device"));
		table_add(&t, text_of(v, "image"));
		table_add(&t, age_text(buf, sizeof(buf), text_of(v, "created"), now_ms));
	}
	table_print(&t);
	table_done(&t);
}

int verb_volume_ls(const struct verb *v, int argc, char **argv)
{
	json_t *result = NULL;
	int code;

	(void)opts_parse(v, argc, argv, NULL, 0);
	code = client_call_once("volume.list", NULL, NULL, &result);
	if (code == CLI_OK && cli_json)
		json_print(result);
	else if (code == CLI_OK)
		volume_rows(json_object_get(result, "volumes"));
	json_decref(result);
	return code;
}

int verb_volume_create(const struct verb *v, int argc, char **argv)
{
	const char *size = NULL;
	const struct opt opts[] = { { "--size", OPT_TEXT, "SIZE", "as in 10G", &size } };
	struct progress p = { .open = false };
	json_t *result = NULL;
	uint64_t bytes = 0;
	int code;

	(void)opts_parse(v, argc, argv, opts, ARRAY_SIZE(opts));
	if (!size || size_parse(size, &bytes) < 0)
		return cli_usage("say how big with --size, as in 512M or 8G");
	code = client_call_once("volume.create", json_pack("{s:I}", "bytes", (json_int_t)bytes), &p,
				&result);
	if (code == CLI_OK && cli_json)
		json_print(result);
	else if (code == CLI_OK)
		puts(text_of(json_object_get(result, "volume"), "id"));
	json_decref(result);
	return code;
}

int verb_volume_rm(const struct verb *v, int argc, char **argv)
{
	int cnt = opts_parse(v, argc, argv, NULL, 0), code = CLI_OK;

	for (int k = 0; k < cnt; k++) {
		json_t *result = NULL;

		if (client_call_once("volume.rm", json_pack("{s:s}", "volume", argv[k]), NULL,
				     &result) != CLI_OK)
			code = CLI_FAILED;
		else if (cli_json)
			json_print(result);
		else
			puts(text_of(result, "removed"));
		json_decref(result);
	}
	return code;
}
