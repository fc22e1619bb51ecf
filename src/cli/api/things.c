/* SPDX-License-Identifier: Apache-2.0 */

#include "cli/api/things.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/api/ec2.h"
#include "cli/cli.h"

enum { LOOK_MS_MIN = 100, LOOK_MS_MAX = 2000, HEX_MIN = 3 };

static void copy_text(json_t *to, const char *name, const json_t *from, const char *member)
{
	const char *s = json_string_value(json_object_get(from, member));

	if (s && s[0])
		(void)json_object_set_new(to, name, json_string(s));
}

static void copy_number(json_t *to, const char *name, const json_t *from, const char *member)
{
	const char *s = json_string_value(json_object_get(from, member));

	if (s && s[0])
		(void)json_object_set_new(to, name, json_integer((json_int_t)strtoll(s, NULL, 10)));
}

/* The value of tag Name; NULL when there is none. */
static const char *name_of(const json_t *o)
{
	json_t *tag;
	size_t k;

	json_array_foreach(json_object_get(o, "tagSet"), k,
			   tag) if (strcmp(text_of(tag, "key"), "Name") ==
				    0) return text_of(tag, "value");
	return NULL;
}

static json_t *volumes_of(const json_t *i)
{
	json_t *all = json_array(), *m;
	size_t k;

	json_array_foreach(json_object_get(i, "blockDeviceMapping"), k, m)
	{
		json_t *v = json_object();

		copy_text(v, "volume", json_object_get(m, "ebs"), "volumeId");
		copy_text(v, "device", m, "deviceName");
		copy_text(v, "state", json_object_get(m, "ebs"), "status");
		(void)json_array_append_new(all, v);
	}
	return all;
}

/* An <item> of instancesSet -> what niter shows. */
static json_t *instance_of(const json_t *i)
{
	const json_t *cpus = json_object_get(i, "cpuOptions"),
		     *reason = json_object_get(i, "stateReason");
	const char *name = name_of(i);
	json_t *o = json_object();

	copy_text(o, "id", i, "instanceId");
	if (name)
		(void)json_object_set_new(o, "name", json_string(name));
	copy_text(o, "state", json_object_get(i, "instanceState"), "name");
	copy_text(o, "type", i, "instanceType");
	copy_number(o, "cores", cpus, "coreCount");
	copy_number(o, "threads_per_core", cpus, "threadsPerCore");
	copy_text(o, "image", i, "imageId");
	copy_text(o, "private_ip", i, "privateIpAddress");
	copy_text(o, "subnet", i, "subnetId");
	copy_text(o, "network", i, "vpcId");
	copy_text(o, "key_name", i, "keyName");
	copy_text(o, "launched", i, "launchTime");
	copy_text(o, "reason_code", reason, "code");
	copy_text(o, "reason", reason, "message");
	(void)json_object_set_new(o, "volumes", volumes_of(i));
	return o;
}

static int describe(struct ec2_params *q, bool all, json_t *list)
{
	json_t *result = NULL, *r, *i;
	size_t k, n;
	int code = ec2_call("DescribeInstances", q, &result);

	json_array_foreach(json_object_get(result, "reservationSet"), k, r)
		json_array_foreach(json_object_get(r, "instancesSet"), n, i)
	{
		if (all ||
		    strcmp(text_of(json_object_get(i, "instanceState"), "name"), "terminated") != 0)
			(void)json_array_append_new(list, instance_of(i));
	}
	json_decref(result);
	return code;
}

int thing_instances(bool all, json_t **ret)
{
	json_t *list = json_array();
	int code = describe(NULL, all, list);

	if (code == CLI_OK)
		*ret = json_pack("{s:o}", "instances", list);
	else
		json_decref(list);
	return code;
}

int thing_instance(const char *id, json_t **ret)
{
	struct ec2_params q = { .text = NULL };
	json_t *list = json_array();
	int code;

	ec2_add(&q, "InstanceId.1", id);
	code = describe(&q, true, list);
	if (code == CLI_OK && json_array_size(list) != 1)
		code = cli_error("the API gave %zu instances for %s", json_array_size(list), id);
	if (code == CLI_OK)
		*ret = json_incref(json_array_get(list, 0));
	json_decref(list);
	return code;
}

/* Is @ref the thing's id, its name, or the beginning of its id? */
static bool is_meant(const json_t *thing, const char *ref)
{
	const char *id = text_of(thing, "id"), *dash = strchr(ref, '-');

	if (strcmp(id, ref) == 0 || strcmp(text_of(thing, "name"), ref) == 0)
		return true;
	return dash && strlen(dash + 1) >= HEX_MIN && strncmp(id, ref, strlen(ref)) == 0;
}

static int find(const json_t *list, const char *what, const char *verb, const char *ref, char *ret,
		size_t cap)
{
	size_t k, found = 0;
	json_t *thing;

	json_array_foreach(list, k, thing)
	{
		if (!is_meant(thing, ref))
			continue;
		snprintf(ret, cap, "%s", text_of(thing, "id"));
		if (strcmp(ret, ref) == 0)
			return CLI_OK;
		found++;
	}
	if (found == 1)
		return CLI_OK;
	return cli_error(found ? "several %ss are meant by \"%s\": give more of the id; see %s"
			       : "there is no %s \"%s\"; see %s",
			 what, ref, verb);
}

int thing_instance_find(const char *ref, char *ret, size_t cap)
{
	json_t *result = NULL;
	int code = thing_instances(false, &result);

	if (code == CLI_OK)
		code = find(json_object_get(result, "instances"), "instance", "niter ps", ref, ret,
			    cap);
	json_decref(result);
	return code;
}

int thing_image_find(const char *ref, char *ret, size_t cap)
{
	json_t *result = NULL, *list = json_array(), *i;
	int code = ec2_call("DescribeImages", NULL, &result);
	size_t k;

	json_array_foreach(json_object_get(result, "imagesSet"), k, i)
	{
		json_t *o = json_object();

		copy_text(o, "id", i, "imageId");
		copy_text(o, "name", i, "name");
		(void)json_array_append_new(list, o);
	}
	if (code == CLI_OK)
		code = find(list, "image", "niter image ls", ref, ret, cap);
	json_decref(list);
	json_decref(result);
	return code;
}

static json_t *volume_of(const json_t *v)
{
	const json_t *at = json_array_get(json_object_get(v, "attachmentSet"), 0);
	const char *gib = json_string_value(json_object_get(v, "size")), *name = name_of(v);
	json_t *o = json_object();

	copy_text(o, "id", v, "volumeId");
	if (name)
		(void)json_object_set_new(o, "name", json_string(name));
	copy_text(o, "state", v, "status");
	(void)json_object_set_new(
		o, "bytes", json_integer((json_int_t)(gib ? strtoll(gib, NULL, 10) : 0) << 30));
	copy_text(o, "type", v, "volumeType");
	(void)json_object_set_new(o, "encrypted",
				  json_boolean(strcmp(text_of(v, "encrypted"), "true") == 0));
	copy_text(o, "key", v, "kmsKeyId");
	copy_text(o, "instance", at, "instanceId");
	copy_text(o, "device", at, "device");
	copy_text(o, "created", v, "createTime");
	return o;
}

int thing_volumes(json_t **ret)
{
	json_t *result = NULL, *list = json_array(), *v;
	int code = ec2_call("DescribeVolumes", NULL, &result);
	size_t k;

	json_array_foreach(json_object_get(result, "volumeSet"), k, v)(void)
		json_array_append_new(list, volume_of(v));
	json_decref(result);
	if (code == CLI_OK)
		*ret = json_pack("{s:o}", "volumes", list);
	else
		json_decref(list);
	return code;
}

int thing_volume_find(const char *ref, char *ret, size_t cap)
{
	json_t *result = NULL;
	int code = thing_volumes(&result);

	if (code == CLI_OK)
		code = find(json_object_get(result, "volumes"), "volume", "niter volume ls", ref,
			    ret, cap);
	json_decref(result);
	return code;
}

/* Does an instance that is in @now still come to @want? */
static bool may_become(const char *now, const char *want)
{
	static const char *const ways[][2] = { { "pending", "running" },
					       { "stopping", "stopped" },
					       { "shutting-down", "terminated" } };

	for (size_t k = 0; k < ARRAY_SIZE(ways); k++)
		if (strcmp(want, ways[k][1]) == 0)
			return strcmp(now, ways[k][0]) == 0;
	return false;
}

int thing_instance_wait(const char *id, const char *state, struct progress *p, json_t **ret)
{
	unsigned pause_ms = LOOK_MS_MIN;

	for (;;) {
		struct timespec ts;
		json_t *i = NULL;
		int code = thing_instance(id, &i);
		const char *now = text_of(i, "state");

		if (code != CLI_OK || strcmp(now, state) == 0) {
			progress_end(p);
			*ret = i;
			return code;
		}
		if (!may_become(now, state)) {
			progress_end(p);
			code = cli_error("%s is %s: %s", id, now, text_of(i, "reason"));
			json_decref(i);
			return code;
		}
		progress_show(p, now, 0, 0);
		json_decref(i);
		ts.tv_sec = pause_ms / 1000;
		ts.tv_nsec = (long)(pause_ms % 1000) * 1000000;
		(void)nanosleep(&ts, NULL);
		pause_ms = pause_ms * 3 / 2 > LOOK_MS_MAX ? LOOK_MS_MAX : pause_ms * 3 / 2;
	}
}
