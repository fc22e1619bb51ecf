/* SPDX-License-Identifier: Apache-2.0 */

/* niter run|ps|stop|start|reboot|rm|types of a tenant: through the EC2 API. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/num.h"
#include "base/random.h"
#include "cli/api/ec2.h"
#include "cli/api/things.h"
#include "cli/api/verbs.h"
#include "cli/base64.h"
#include "cli/cli.h"
#include "cli/files.h"

#define ROOT_DEVICE "/dev/xvda"

enum { ID_MAX = 64, TOKEN_BYTES = 16 };

/* "i-0123 (web) is running: t3.micro, 1 core x 2 threads, 172.31.0.5" */
static void started_print(const json_t *i)
{
	const char *name = json_string_value(json_object_get(i, "name"));
	uint64_t cores = u64_of(i, "cores"), threads = u64_of(i, "threads_per_core");

	fprintf(stderr, "%s%s%s%s is %s: %s, %u core%s x %u thread%s, %s\n", text_of(i, "id"),
		name ? " (" : "", name ? name : "", name ? ")" : "", text_of(i, "state"),
		text_of(i, "type"), (unsigned)cores, cores == 1 ? "" : "s", (unsigned)threads,
		threads == 1 ? "" : "s", text_of(i, "private_ip"));
}

/* A key of this name and these bytes is there already: Return: 1, 0 none of the name, -1 another, or the line printed. */
static int key_there(const char *name, const char *line)
{
	struct ec2_params q = { .text = NULL };
	json_t *result = NULL, *list;
	const char *there;
	int r = 0;

	ec2_add_filter(&q, 1, "key-name", name);
	ec2_add(&q, "IncludePublicKey", "true");
	if (ec2_call("DescribeKeyPairs", &q, &result) != CLI_OK)
		return -1;
	list = json_object_get(result, "keySet");
	if (json_array_size(list) > 0) {
		size_t len;

		there = text_of(json_array_get(list, 0), "publicKey");
		len = strcspn(there, " ");
		len += there[len] ? 1 + strcspn(there + len + 1, " ") : 0;
		r = strncmp(there, line, len) == 0 && (line[len] == ' ' || line[len] == '\0') ? 1
											      : -1;
		if (r < 0)
			(void)cli_error("another key is called \"%s\"; remove it with niter key "
					"rm, or import yours with --name",
					name);
	}
	json_decref(result);
	return r;
}

/* --key names a key that is known, or a .pub file, which is then imported. */
static int key_add(struct ec2_params *run, const char *key)
{
	char line[KEY_FILE_MAX + 1], name[64];
	struct ec2_params q = { .text = NULL };
	int code, there;
	size_t len;
	char *text;

	len = key ? strlen(key) : 0;
	if (len < 4 || strcmp(key + len - 4, ".pub") != 0) {
		ec2_add(run, "KeyName", key);
		return CLI_OK;
	}
	code = public_key_read(key, line, name, sizeof(name));
	if (code != CLI_OK)
		return code;
	there = key_there(name, line);
	ec2_add(run, "KeyName", name);
	if (there != 0)
		return there > 0 ? CLI_OK : CLI_FAILED;
	text = base64_encode((const uint8_t *)line, strlen(line));
	ec2_add(&q, "KeyName", name);
	ec2_add(&q, "PublicKeyMaterial", text);
	free(text);
	return ec2_call("ImportKeyPair", &q, NULL);
}

static int user_data_add(struct ec2_params *q, const char *path)
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
	ec2_add(q, "UserData", text);
	free(text);
	return CLI_OK;
}

static int cpus_add(struct ec2_params *q, const char *cpus)
{
	const char *x = cpus ? strchr(cpus, 'x') : NULL;
	char cores[16];

	if (!cpus)
		return CLI_OK;
	if (!x || x == cpus || x[1] == '\0')
		return cli_usage("write CORESxTHREADS, as in 2x1");
	snprintf(cores, sizeof(cores), "%.*s", (int)(x - cpus), cpus);
	ec2_add(q, "CpuOptions.CoreCount", cores);
	ec2_add(q, "CpuOptions.ThreadsPerCore", x + 1);
	return CLI_OK;
}

static int disk_add(struct ec2_params *q, const char *disk)
{
	uint64_t bytes;

	if (!disk)
		return CLI_OK;
	if (size_parse(disk, &bytes) < 0)
		return cli_usage("this is no size: \"%s\"; write it as in 8G", disk);
	if (bytes == 0 || bytes % GIB)
		return cli_usage("disks come in whole GiB: \"%s\"", disk);
	ec2_add(q, "BlockDeviceMapping.1.DeviceName", ROOT_DEVICE);
	ec2_add_u64(q, "BlockDeviceMapping.1.Ebs.VolumeSize", bytes / GIB);
	return CLI_OK;
}

/* An answer that gets lost may be asked for again: nothing is launched twice. */
static int token_add(struct ec2_params *q)
{
	uint8_t rnd[TOKEN_BYTES];
	char text[2 * TOKEN_BYTES + 1];

	if (random_bytes(rnd, sizeof(rnd)) < 0)
		return cli_error("the system gives no random bytes");
	for (size_t k = 0; k < sizeof(rnd); k++)
		snprintf(text + 2 * k, 3, "%02x", rnd[k]);
	ec2_add(q, "ClientToken", text);
	return CLI_OK;
}

struct run_opts {
	const char *type, *cpus, *name, *disk, *key, *user_data, *private_ip, *group, *subnet;
	bool no_wait;
};

static int run_params(struct ec2_params *q, const char *image, const struct run_opts *o)
{
	char id[ID_MAX];
	int code;

	code = thing_image_find(image, id, sizeof(id));
	if (code != CLI_OK)
		return code;
	ec2_add(q, "ImageId", id);
	ec2_add(q, "MinCount", "1");
	ec2_add(q, "MaxCount", "1");
	ec2_add(q, "InstanceType", o->type ? o->type : "t3.micro");
	ec2_add(q, "PrivateIpAddress", o->private_ip);
	ec2_add(q, "SubnetId", o->subnet);
	if (o->group)
		ec2_add(q,
			strncmp(o->group, "sg-", 3) == 0 ? "SecurityGroupId.1" : "SecurityGroup.1",
			o->group);
	if (o->name) {
		ec2_add(q, "TagSpecification.1.ResourceType", "instance");
		ec2_add(q, "TagSpecification.1.Tag.1.Key", "Name");
		ec2_add(q, "TagSpecification.1.Tag.1.Value", o->name);
	}
	code = cpus_add(q, o->cpus);
	if (code == CLI_OK)
		code = disk_add(q, o->disk);
	if (code == CLI_OK)
		code = key_add(q, o->key);
	if (code == CLI_OK)
		code = user_data_add(q, o->user_data);
	return code == CLI_OK ? token_add(q) : code;
}

int api_run(const struct verb *v, int argc, char **argv)
{
	struct run_opts o = { .type = NULL };
	const struct opt opts[] = {
		{ "--type", OPT_TEXT, "TYPE", "instance type; default t3.micro; see niter types",
		  &o.type },
		{ "--cpus", OPT_TEXT, "CORESxTHREADS", "fewer CPUs than the type has, as in 1x1",
		  &o.cpus },
		{ "--name", OPT_TEXT, "NAME", "what to call it", &o.name },
		{ "--disk", OPT_TEXT, "SIZE",
		  "size of its disk, as in 8G; default: that of the image", &o.disk },
		{ "--key", OPT_TEXT, "NAME|FILE.pub", "SSH key that its user may log in with",
		  &o.key },
		{ "--user-data", OPT_TEXT, "FILE",
		  "what cloud-init reads at its first boot; up to 16 KiB", &o.user_data },
		{ "--private-ip", OPT_TEXT, "ADDRESS",
		  "its address in the subnet; default: a free one", &o.private_ip },
		{ "--subnet", OPT_TEXT, "SUBNET", "default: the default subnet", &o.subnet },
		{ "--group", OPT_TEXT, "GROUP", "security group; default: the default group",
		  &o.group },
		{ "--no-wait", OPT_FLAG, NULL, "do not wait until it runs", &o.no_wait },
	};
	struct progress p = { .open = false };
	struct ec2_params q = { .text = NULL };
	json_t *result = NULL, *i = NULL;
	char id[ID_MAX];
	int code;

	(void)opts_parse(v, argc, argv, opts, ARRAY_SIZE(opts));
	code = run_params(&q, argv[0], &o);
	if (code != CLI_OK) {
		free(q.text);
		return code;
	}
	code = ec2_call("RunInstances", &q, &result);
	if (code != CLI_OK)
		return code;
	snprintf(id, sizeof(id), "%s",
		 text_of(json_array_get(json_object_get(result, "instancesSet"), 0), "instanceId"));
	json_decref(result);
	code = o.no_wait ? thing_instance(id, &i) : thing_instance_wait(id, "running", &p, &i);
	if (code != CLI_OK)
		return code;
	if (cli_json) {
		result = json_pack("{s:o}", "instance", i);
		json_print(result);
		json_decref(result);
		return CLI_OK;
	}
	started_print(i);
	puts(id);
	json_decref(i);
	return CLI_OK;
}

static void instance_rows(const json_t *list)
{
	static const char *const heads[] = { "ID",   "NAME",       "STATE", "TYPE",
					     "CPUS", "PRIVATE IP", "IMAGE", "AGE" };
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
		table_add(&t, text_of(i, "private_ip"));
		table_add(&t, text_of(i, "image"));
		table_add(&t, age_text(buf, sizeof(buf), text_of(i, "launched"), now_ms));
	}
	table_print(&t);
	table_done(&t);
}

int api_ps(const struct verb *v, int argc, char **argv)
{
	bool all = false;
	const struct opt opts[] = {
		{ "--all", OPT_FLAG, NULL, "terminated ones too (they stay visible for an hour)",
		  &all },
	};
	json_t *result = NULL;
	int code;

	(void)opts_parse(v, argc, argv, opts, ARRAY_SIZE(opts));
	code = thing_instances(all, &result);
	if (code == CLI_OK && cli_json)
		json_print(result);
	else if (code == CLI_OK)
		instance_rows(json_object_get(result, "instances"));
	json_decref(result);
	return code;
}

/* What a verb does to each instance it is given. */
struct change {
	const char *action; /* "StopInstances" */
	const char *state;  /* waited for; NULL: nothing is waited for */
	const char *extra;  /* a further parameter that is true; NULL: none */
};

static int change_one(const struct change *ch, const char *ref)
{
	struct progress p = { .open = false };
	struct ec2_params q = { .text = NULL };
	json_t *i = NULL, *result;
	char id[ID_MAX];
	int code;

	code = thing_instance_find(ref, id, sizeof(id));
	if (code != CLI_OK)
		return code;
	ec2_add(&q, "InstanceId.1", id);
	if (ch->extra)
		ec2_add(&q, ch->extra, "true");
	code = ec2_call(ch->action, &q, NULL);
	if (code == CLI_OK)
		code = ch->state ? thing_instance_wait(id, ch->state, &p, &i)
				 : thing_instance(id, &i);
	if (code != CLI_OK)
		return code;
	if (!cli_json) {
		printf("%s %s\n", id, text_of(i, "state"));
		json_decref(i);
		return CLI_OK;
	}
	result = json_pack("{s:o}", "instance", i);
	json_print(result);
	json_decref(result);
	return CLI_OK;
}

/* Goes on after a failure. */
static int change_each(const struct change *ch, int cnt, char **argv)
{
	int code = CLI_OK;

	for (int k = 0; k < cnt; k++)
		if (change_one(ch, argv[k]) != CLI_OK)
			code = CLI_FAILED;
	return code;
}

int api_stop(const struct verb *v, int argc, char **argv)
{
	bool force = false, no_wait = false;
	const struct opt opts[] = {
		{ "--force", OPT_FLAG, NULL, "pull the plug instead of pressing the power button",
		  &force },
		{ "--no-wait", OPT_FLAG, NULL, "do not wait until it has stopped", &no_wait },
	};
	int cnt = opts_parse(v, argc, argv, opts, ARRAY_SIZE(opts));
	const struct change ch = { "StopInstances", no_wait ? NULL : "stopped",
				   force ? "Force" : NULL };

	return change_each(&ch, cnt, argv);
}

int api_start(const struct verb *v, int argc, char **argv)
{
	bool no_wait = false;
	const struct opt opts[] = { { "--no-wait", OPT_FLAG, NULL, "do not wait until it runs",
				      &no_wait } };
	int cnt = opts_parse(v, argc, argv, opts, ARRAY_SIZE(opts));
	const struct change ch = { "StartInstances", no_wait ? NULL : "running", NULL };

	return change_each(&ch, cnt, argv);
}

int api_reboot(const struct verb *v, int argc, char **argv)
{
	int cnt = opts_parse(v, argc, argv, NULL, 0);
	const struct change ch = { "RebootInstances", NULL, NULL };

	return change_each(&ch, cnt, argv);
}

int api_rm(const struct verb *v, int argc, char **argv)
{
	bool no_wait = false;
	const struct opt opts[] = { { "--no-wait", OPT_FLAG, NULL, "do not wait until it is gone",
				      &no_wait } };
	int cnt = opts_parse(v, argc, argv, opts, ARRAY_SIZE(opts));
	const struct change ch = { "TerminateInstances", no_wait ? NULL : "terminated", NULL };

	return change_each(&ch, cnt, argv);
}

int api_console(const struct verb *v, int argc, char **argv)
{
	struct ec2_params q = { .text = NULL };
	json_t *result = NULL;
	uint8_t *text = NULL;
	size_t len = 0;
	char id[ID_MAX];
	int code;

	(void)opts_parse(v, argc, argv, NULL, 0);
	code = thing_instance_find(argv[0], id, sizeof(id));
	if (code != CLI_OK)
		return code;
	ec2_add(&q, "InstanceId", id);
	ec2_add(&q, "Latest", "true");
	code = ec2_call("GetConsoleOutput", &q, &result);
	if (code == CLI_OK && cli_json) {
		json_print(result);
	} else if (code == CLI_OK) {
		const char *output = json_string_value(json_object_get(result, "output"));

		if (output && base64_decode(output, &text, &len) < 0)
			code = cli_error("the console is not in base64");
		if (text)
			(void)fwrite(text, 1, len, stdout);
		free(text);
	}
	json_decref(result);
	return code;
}

/* "1024" MiB -> "1 GiB" */
static void cell_memory(struct table *t, const json_t *type)
{
	const char *mib = text_of(json_object_get(type, "memoryInfo"), "sizeInMiB");
	char buf[32];

	table_add(t, size_text(buf, sizeof(buf), strtoull(mib, NULL, 10) * MIB));
}

static void type_rows(const json_t *list)
{
	static const char *const heads[] = { "TYPE", "VCPUS", "CORES", "MEMORY", "NETWORK" };
	struct table t = { .col_cnt = ARRAY_SIZE(heads) };
	json_t *i;
	size_t k;

	for (k = 0; k < ARRAY_SIZE(heads); k++)
		table_add(&t, heads[k]);
	json_array_foreach(list, k, i)
	{
		table_add(&t, text_of(i, "instanceType"));
		table_add(&t, text_of(json_object_get(i, "vCpuInfo"), "defaultVCpus"));
		table_add(&t, text_of(json_object_get(i, "vCpuInfo"), "defaultCores"));
		cell_memory(&t, i);
		table_add(&t, text_of(json_object_get(i, "networkInfo"), "networkPerformance"));
	}
	table_print(&t);
	table_done(&t);
}

int api_types(const struct verb *v, int argc, char **argv)
{
	json_t *result = NULL;
	int code;

	(void)opts_parse(v, argc, argv, NULL, 0);
	code = ec2_call("DescribeInstanceTypes", NULL, &result);
	if (code == CLI_OK && cli_json)
		json_print(result);
	else if (code == CLI_OK)
		type_rows(json_object_get(result, "instanceTypeSet"));
	json_decref(result);
	return code;
}
