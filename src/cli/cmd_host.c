/* SPDX-License-Identifier: Apache-2.0 */

/* niter host processes|certificate; the other verbs of the host are in host.c. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/client.h"
#include "cli/host.h"

/* A member that is a number, as text; "-" when it is none. */
static void cell_number(struct table *t, const json_t *o, const char *key, const char *unit)
{
	const json_t *v = json_object_get(o, key);
	char buf[48];

	if (json_is_integer(v))
		snprintf(buf, sizeof(buf), "%lld%s", (long long)json_integer_value(v), unit);
	else
		snprintf(buf, sizeof(buf), "-");
	table_add(t, buf);
}

static void cell_memory(struct table *t, const json_t *o)
{
	const char *key = json_is_integer(json_object_get(o, "pss_kib")) ? "pss_kib" : "rss_kib";
	char buf[32];

	table_add(t, size_text(buf, sizeof(buf), u64_of(o, key) * 1024));
}

/* "none" when a set holds nothing, which is what most should show. */
static void cell_caps(struct table *t, const json_t *o)
{
	const char *s = text_of(o, "cap_eff");

	table_add(t, strspn(s, "0") == strlen(s) ? "none" : s);
}

static void process_rows(const json_t *list)
{
	static const char *const heads[] = { "PROCESS", "PID",    "UID", "CAPS",
					     "CALLS",   "MEMORY", "CPU", "INSTANCE" };
	struct table t = { .col_cnt = ARRAY_SIZE(heads) };
	size_t k;
	json_t *p;

	for (k = 0; k < ARRAY_SIZE(heads); k++)
		table_add(&t, heads[k]);
	json_array_foreach(list, k, p)
	{
		table_add(&t, text_of(p, "name"));
		cell_number(&t, p, "pid", "");
		cell_number(&t, p, "uid", "");
		cell_caps(&t, p);
		cell_number(&t, p, "syscalls_allowed", "");
		cell_memory(&t, p);
		cell_number(&t, p, "cpu_ms", " ms");
		table_add(&t, text_of(p, "instance"));
	}
	table_print(&t);
	table_done(&t);
}

int verb_host_processes(const struct verb *v, int argc, char **argv)
{
	json_t *result = NULL;
	int code;

	(void)opts_parse(v, argc, argv, NULL, 0);
	code = client_call_once("host.processes", NULL, NULL, &result);
	if (code == CLI_OK && cli_json)
		json_print(result);
	else if (code == CLI_OK)
		process_rows(json_object_get(result, "processes"));
	json_decref(result);
	return code;
}

int verb_host_certificate(const struct verb *v, int argc, char **argv)
{
	json_t *result = NULL;
	bool api = false;
	const struct opt opts[] = { { "--api", OPT_FLAG, NULL,
				      "that of the EC2 API's port, for --ca-bundle", &api } };
	int code;

	(void)opts_parse(v, argc, argv, opts, ARRAY_SIZE(opts));
	code = client_call_once(api ? "host.api_certificate" : "host.certificate", NULL, NULL,
				&result);
	if (code == CLI_OK && cli_json)
		json_print(result);
	else if (code == CLI_OK)
		fputs(text_of(result, "certificate"), stdout);
	json_decref(result);
	return code;
}

int verb_audit(const struct verb *v, int argc, char **argv)
{
	json_t *result = NULL;
	int code;

	(void)opts_parse(v, argc, argv, NULL, 0);
	code = client_call_once("audit.tail", NULL, NULL, &result);
	if (code == CLI_OK && cli_json)
		json_print(result);
	else if (code == CLI_OK)
		fputs(text_of(result, "lines"), stdout);
	json_decref(result);
	return code;
}

/* host.c reads its own options; it gets the word behind "host" as argv[0]. */
int verb_host(const struct verb *v, int argc, char **argv)
{
	(void)v;
	return host_main(argc + 1, argv - 1);
}
