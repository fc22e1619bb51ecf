/* SPDX-License-Identifier: Apache-2.0 */

/* niter run|ps|stop|start|reboot|rm|types */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/num.h"
#include "cli/base64.h"
#include "cli/cli.h"
#include "cli/client.h"
#include "cli/files.h"

static void set_text(json_t *o, const char *key, const char *v)
{
	if (v)
		(void)json_object_set_new(o, key, json_string(v));
}

/* "i-0123 (web) is running: t3.micro, 1 core x 2 threads, 1 GiB; first instruction after 0.35 s" */
static void started_print(const json_t *i)
{
	const json_t *t = json_object_get(i, "times");
	const char *name = json_string_value(json_object_get(i, "name"));
	uint64_t cores = u64_of(i, "cores"), threads = u64_of(i, "threads_per_core");
	uint64_t us = u64_of(t, "volume_us") + u64_of(t, "first_run_us");
	char ram[32];

	fprintf(stderr,
		"%s%s%s%s is %s: %s, %u core%s x %u thread%s, %s; first instruction after %u.%02u "
		"s\n",
		text_of(i, "id"), name ? " (" : "", name ? name : "", name ? ")" : "",
		text_of(i, "state"), text_of(i, "type"), (unsigned)cores, cores == 1 ? "" : "s",
		(unsigned)threads, threads == 1 ? "" : "s",
		size_text(ram, sizeof(ram), u64_of(i, "ram_bytes")), (unsigned)(us / 1000000),
		(unsigned)(us % 1000000 / 10000));
}

static int key_add(json_t *params, const char *path)
{
	char line[KEY_FILE_MAX + 1], name[64];
	int code;

	if (!path)
		return CLI_OK;
	code = public_key_read(path, line, name, sizeof(name));
	if (code != CLI_OK)
		return code;
	set_text(params, "key", line);
	set_text(params, "key_name", name);
	return CLI_OK;
}

static int user_data_add(json_t *params, const char *path)
{
	static char data[USER_DATA_MAX];
	ssize_t len;
	char *text;

	if (!path)
		return CLI_OK;
	len = small_file_read(path, data, sizeof(data),
			      "is too big: user data holds at most 16384 bytes");
	if (len < 0)
		return CLI_FAILED;
	text = base64_encode((const uint8_t *)data, (size_t)len);
	set_text(params, "user_data", text);
	free(text);
	return CLI_OK;
}

int verb_run(const struct verb *v, int argc, char **argv)
{
	const char *type = NULL, *cpus = NULL, *name = NULL, *disk = NULL;
	const char *key = NULL, *user_data = NULL, *private_ip = NULL;
	bool no_wait = false;
	const struct opt opts[] = {
		{ "--type", OPT_TEXT, "TYPE", "instance type; default t3.micro; see niter types",
		  &type },
		{ "--cpus", OPT_TEXT, "CORESxTHREADS", "fewer CPUs than the type has, as in 1x1",
		  &cpus },
		{ "--name", OPT_TEXT, "NAME", "what to call it", &name },
		{ "--disk", OPT_TEXT, "SIZE",
		  "size of its disk, as in 8G; default: that of the image", &disk },
		{ "--key", OPT_TEXT, "FILE.pub", "SSH public key that its user may log in with",
		  &key },
		{ "--user-data", OPT_TEXT, "FILE",
		  "what cloud-init reads at its first boot; up to 16 KiB", &user_data },
		{ "--private-ip", OPT_TEXT, "ADDRESS",
		  "its address in the default subnet; default: a free one", &private_ip },
		{ "--no-wait", OPT_FLAG, NULL, "do not wait until it runs", &no_wait },
	};
	struct progress p = { .open = false };
	json_t *params, *result = NULL;
	uint64_t disk_bytes = 0;
	int code;

	(void)opts_parse(v, argc, argv, opts, ARRAY_SIZE(opts));
	if (disk && size_parse(disk, &disk_bytes) < 0)
		return cli_usage("this is no size: \"%s\"; write it as in 512M or 8G", disk);
	params = json_pack("{s:s,s:b}", "image", argv[0], "wait", !no_wait);
	if (!params)
		return cli_usage("this is no image: \"%s\"", argv[0]);
	set_text(params, "type", type);
	set_text(params, "cpus", cpus);
	set_text(params, "name", name);
	set_text(params, "private_ip", private_ip);
	code = key_add(params, key);
	if (code == CLI_OK)
		code = user_data_add(params, user_data);
	if (code != CLI_OK) {
		json_decref(params);
		return code;
	}
	if (disk)
		(void)json_object_set_new(params, "disk_bytes",
					  json_integer((json_int_t)disk_bytes));
	code = client_call_once("instance.run", params, &p, &result);
	if (code == CLI_OK && cli_json) {
		json_print(result);
	} else if (code == CLI_OK) {
		started_print(json_object_get(result, "instance"));
		puts(text_of(json_object_get(result, "instance"), "id"));
	}
	json_decref(result);
	return code;
}

static void instance_rows(const json_t *list)
{
	static const char *const heads[] = { "ID",     "NAME",       "STATE", "TYPE", "CPUS",
					     "MEMORY", "PRIVATE IP", "IMAGE", "AGE" };
	struct table t = { .col_cnt = ARRAY_SIZE(heads) };
	uint64_t now_ms = (uint64_t)time(NULL) * 1000;
	size_t k;
	json_t *i;
	char buf[32];

	for (k = 0; k < ARRAY_SIZE(heads); k++)
		table_add(&t, heads[k]);
	json_array_foreach(list, k, i)
	{
		table_add(&t, text_of(i, "id"));
		table_add(&t, text_of(i, "name"));
		table_add(&t, text_of(i, "state"));
		table_add(&t, text_of(i, "type"));
		snprintf(buf, sizeof(buf), "%ux%u", (unsigned)u64_of(i, "cores"),
			 (unsigned)u64_of(i, "threads_per_core"));
		table_add(&t, buf);
		table_add(&t, size_text(buf, sizeof(buf), u64_of(i, "ram_bytes")));
		table_add(&t, text_of(i, "private_ip"));
		table_add(&t, json_object_get(i, "image_name") ? text_of(i, "image_name")
							       : text_of(i, "image"));
		table_add(&t, age_text(buf, sizeof(buf), text_of(i, "created"), now_ms));
	}
	table_print(&t);
	table_done(&t);
}

int verb_ps(const struct verb *v, int argc, char **argv)
{
	bool all = false;
	const struct opt opts[] = {
		{ "--all", OPT_FLAG, NULL, "terminated ones too (they stay visible for an hour)",
		  &all },
	};
	json_t *result = NULL;
	int code;

	(void)opts_parse(v, argc, argv, opts, ARRAY_SIZE(opts));
	code = client_call_once("instance.list", json_pack("{s:b}", "all", all), NULL, &result);
	if (code == CLI_OK && cli_json)
		json_print(result);
	else if (code == CLI_OK)
		instance_rows(json_object_get(result, "instances"));
	json_decref(result);
	return code;
}

/* @method for each of @cnt instances; goes on after a failure. @more: further parameters, borrowed. */
static int for_each(const char *method, int cnt, char **argv, json_t *more)
{
	struct progress p = { .open = false };
	int code = CLI_OK;

	for (int k = 0; k < cnt; k++) {
		json_t *params = json_copy(more), *result = NULL;

		set_text(params, "instance", argv[k]);
		if (client_call_once(method, params, &p, &result) != CLI_OK)
			code = CLI_FAILED;
		else if (cli_json)
			json_print(result);
		else
			printf("%s %s\n", text_of(json_object_get(result, "instance"), "id"),
			       text_of(json_object_get(result, "instance"), "state"));
		json_decref(result);
	}
	json_decref(more);
	return code;
}

int verb_stop(const struct verb *v, int argc, char **argv)
{
	bool force = false, no_wait = false;
	const char *timeout = NULL;
	const struct opt opts[] = {
		{ "--force", OPT_FLAG, NULL, "pull the plug instead of pressing the power button",
		  &force },
		{ "--timeout", OPT_TEXT, "SECONDS",
		  "patience before the plug is pulled; default 120", &timeout },
		{ "--no-wait", OPT_FLAG, NULL, "do not wait until it has stopped", &no_wait },
	};
	int cnt = opts_parse(v, argc, argv, opts, ARRAY_SIZE(opts));
	uint64_t seconds = 0;
	json_t *more;

	if (timeout && size_parse(timeout, &seconds) < 0)
		return cli_usage("this is no number of seconds: \"%s\"", timeout);
	more = json_pack("{s:b,s:b}", "force", force, "wait", !no_wait);
	if (timeout)
		(void)json_object_set_new(more, "timeout_s", json_integer((json_int_t)seconds));
	return for_each("instance.stop", cnt, argv, more);
}

int verb_start(const struct verb *v, int argc, char **argv)
{
	bool no_wait = false;
	const struct opt opts[] = { { "--no-wait", OPT_FLAG, NULL, "do not wait until it runs",
				      &no_wait } };
	int cnt = opts_parse(v, argc, argv, opts, ARRAY_SIZE(opts));

	return for_each("instance.start", cnt, argv, json_pack("{s:b}", "wait", !no_wait));
}

int verb_reboot(const struct verb *v, int argc, char **argv)
{
	int cnt = opts_parse(v, argc, argv, NULL, 0);

	return for_each("instance.reboot", cnt, argv, json_object());
}

int verb_rm(const struct verb *v, int argc, char **argv)
{
	bool no_wait = false;
	const struct opt opts[] = { { "--no-wait", OPT_FLAG, NULL, "do not wait until it is gone",
				      &no_wait } };
	int cnt = opts_parse(v, argc, argv, opts, ARRAY_SIZE(opts));

	return for_each("instance.rm", cnt, argv, json_pack("{s:b}", "wait", !no_wait));
}

/* "750 Mbit/s", "1.25 Gbit/s" */
static const char *rate_text(char *buf, size_t cap, uint64_t bps)
{
	if (bps < UINT64_C(1000000000))
		snprintf(buf, cap, "%u Mbit/s", (unsigned)(bps / 1000000));
	else
		snprintf(buf, cap, "%g Gbit/s", (double)bps / 1e9);
	return buf;
}

/* "32 Mbit/s, bursts of 5 Gbit/s" */
static void cell_network(struct table *t, const json_t *i)
{
	uint64_t base = u64_of(i, "network_bps_baseline"), burst = u64_of(i, "network_bps_burst");
	char a[32], b[32], cell[96];

	snprintf(cell, sizeof(cell), "%s%s%s", rate_text(a, sizeof(a), base),
		 burst > base ? ", bursts of " : "",
		 burst > base ? rate_text(b, sizeof(b), burst) : "");
	table_add(t, cell);
}

int verb_types(const struct verb *v, int argc, char **argv)
{
	static const char *const heads[] = { "TYPE", "VCPUS", "CORES", "MEMORY", "NETWORK" };
	struct table t = { .col_cnt = ARRAY_SIZE(heads) };
	json_t *result = NULL, *i;
	char buf[32];
	size_t k;
	int code;

	(void)opts_parse(v, argc, argv, NULL, 0);
	code = client_call_once("type.list", NULL, NULL, &result);
	if (code == CLI_OK && cli_json) {
		json_print(result);
	} else if (code == CLI_OK) {
		for (k = 0; k < ARRAY_SIZE(heads); k++)
			table_add(&t, heads[k]);
		json_array_foreach(json_object_get(result, "types"), k, i)
		{
			table_add(&t, text_of(i, "name"));
			snprintf(buf, sizeof(buf), "%u", (unsigned)u64_of(i, "vcpus"));
			table_add(&t, buf);
			snprintf(buf, sizeof(buf), "%u", (unsigned)u64_of(i, "cores"));
			table_add(&t, buf);
			table_add(&t, size_text(buf, sizeof(buf), u64_of(i, "ram_bytes")));
			cell_network(&t, i);
		}
		table_print(&t);
		table_done(&t);
	}
	json_decref(result);
	return code;
}
