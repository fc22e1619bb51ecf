/* SPDX-License-Identifier: Apache-2.0 */

/* niter account create|ls|rm|key */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/cli.h"
#include "cli/client.h"
#include "cli/host_dirs.h"

/* Where clients of this machine reach the API; empty: nowhere. */
static const char *endpoint_of(const json_t *result, char *buf, size_t cap)
{
	const char *said = json_string_value(json_object_get(result, "api"));
	struct host_record record;

	buf[0] = '\0';
	if (!said || !said[0])
		return buf;
	host_record_load(&record);
	if (record.mode == HOST_SIMULATED && record.api_port)
		snprintf(buf, cap, "http://127.0.0.1:%u", record.api_port);
	else if (record.mode != HOST_SIMULATED)
		snprintf(buf, cap, "http://%s", said);
	return buf;
}

/* Lines for a shell, or for a file that one reads; nothing among them that would hide the others from eval. */
static void exports_print(const json_t *result)
{
	const json_t *account = json_object_get(result, "account");
	char url[160];

	fprintf(stderr, "account %s, %s: this secret is shown once\n", text_of(account, "id"),
		text_of(account, "name"));
	printf("export AWS_ACCESS_KEY_ID=%s\n", text_of(result, "access_key_id"));
	printf("export AWS_SECRET_ACCESS_KEY=%s\n", text_of(result, "secret_access_key"));
	printf("export AWS_DEFAULT_REGION=%s AWS_REGION=%s\n", text_of(result, "region"),
	       text_of(result, "region"));
	if (endpoint_of(result, url, sizeof(url))[0])
		printf("export AWS_ENDPOINT_URL=%s\n", url);
}

static int secret_call(const char *method, const char *key, const char *value)
{
	json_t *params = json_pack("{s:s}", key, value), *result = NULL;
	int code;

	if (!params)
		return cli_usage("the words must be UTF-8");
	code = client_call_once(method, params, NULL, &result);
	if (code == CLI_OK && cli_json)
		json_print(result);
	else if (code == CLI_OK)
		exports_print(result);
	json_decref(result);
	return code;
}

int verb_account_create(const struct verb *v, int argc, char **argv)
{
	(void)opts_parse(v, argc, argv, NULL, 0);
	return secret_call("account.create", "name", argv[0]);
}

static void account_rows(const json_t *list)
{
	static const char *const heads[] = { "ACCOUNT", "NAME", "ACCESS KEY", "CREATED" };
	struct table t = { .col_cnt = ARRAY_SIZE(heads) };
	json_t *a, *k;
	size_t i, j;
	char day[16];

	for (i = 0; i < ARRAY_SIZE(heads); i++)
		table_add(&t, heads[i]);
	json_array_foreach(list, i, a)
	{
		const json_t *keys = json_object_get(a, "access_keys");
		size_t rows = json_array_size(keys) ? json_array_size(keys) : 1;

		for (j = 0; j < rows; j++) {
			time_t made;
			struct tm tm;

			k = json_array_get(keys, j);
			made = (time_t)(u64_of(k ? k : a, "created_ms") / 1000);
			if (!gmtime_r(&made, &tm) ||
			    strftime(day, sizeof(day), "%Y-%m-%d", &tm) == 0)
				snprintf(day, sizeof(day), "-");
			table_add(&t, text_of(a, "id"));
			table_add(&t, text_of(a, "name"));
			table_add(&t, k ? text_of(k, "id") : "-");
			table_add(&t, day);
		}
	}
	table_print(&t);
	table_done(&t);
}

int verb_account_ls(const struct verb *v, int argc, char **argv)
{
	json_t *result = NULL;
	int code;

	(void)opts_parse(v, argc, argv, NULL, 0);
	code = client_call_once("account.list", NULL, NULL, &result);
	if (code == CLI_OK && cli_json)
		json_print(result);
	else if (code == CLI_OK)
		account_rows(json_object_get(result, "accounts"));
	json_decref(result);
	return code;
}

/* Each of the words is given to @method; --json prints what was removed. */
static int each_rm(const char *method, const char *key, int cnt, char **argv)
{
	int code = CLI_OK;

	for (int k = 0; k < cnt; k++) {
		json_t *params = json_pack("{s:s}", key, argv[k]), *result = NULL;

		if (!params)
			return cli_usage("the words must be UTF-8");
		if (client_call_once(method, params, NULL, &result) != CLI_OK)
			code = CLI_FAILED;
		else if (cli_json)
			json_print(result);
		json_decref(result);
	}
	return code;
}

int verb_account_rm(const struct verb *v, int argc, char **argv)
{
	int cnt = opts_parse(v, argc, argv, NULL, 0);

	return each_rm("account.rm", "account", cnt, argv);
}

int verb_account_key(const struct verb *v, int argc, char **argv)
{
	int cnt = opts_parse(v, argc, argv, NULL, 0);

	if (strcmp(argv[0], "create") == 0 && cnt == 2)
		return secret_call("account.key.create", "account", argv[1]);
	if (strcmp(argv[0], "rm") == 0)
		return each_rm("account.key.rm", "access_key_id", cnt - 1, argv + 1);
	return cli_usage("say niter account key create ACCOUNT, or niter account key rm KEY...");
}
