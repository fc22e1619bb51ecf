/* SPDX-License-Identifier: Apache-2.0 */

/* The API's objects. docs/wire/api.md lists their members. */

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "controller/ids.h"
#include "controller/net_text.h"
#include "controller/niterd.h"

static void set(json_t *o, const char *key, json_t *v)
{
	if (v)
		(void)json_object_set_new(o, key, v);
}

static void set_text(json_t *o, const char *key, const char *s)
{
	if (s[0] != '\0')
		set(o, key, json_string(s));
}

static void set_u64(json_t *o, const char *key, uint64_t v)
{
	set(o, key, json_integer((json_int_t)v));
}

/* "2026-11-22T09:45:15.000Z" */
static void set_time(json_t *o, const char *key, uint64_t ms)
{
	time_t sec = (time_t)(ms / 1000);
	char day[32], text[48];
	struct tm tm;

	if (ms == 0 || !gmtime_r(&sec, &tm) ||
	    strftime(day, sizeof(day), "%Y-%m-%dT%H:%M:%S", &tm) == 0)
		return;
	snprintf(text, sizeof(text), "%s.%03uZ", day, (unsigned)(ms % 1000));
	set(o, key, json_string(text));
}

static void set_uuid(json_t *o, const char *instance_id)
{
	char text[40];
	uint8_t u[16];

	if (id_uuid(instance_id, u) < 0)
		return;
	snprintf(text, sizeof(text),
		 "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", u[0], u[1],
		 u[2], u[3], u[4], u[5], u[6], u[7], u[8], u[9], u[10], u[11], u[12], u[13], u[14],
		 u[15]);
	set(o, "uuid", json_string(text));
}

static json_t *json_of_times(const struct launch_times *t)
{
	return json_pack("{s:I,s:I,s:I,s:I,s:I,s:I}", "volume_us", (json_int_t)t->volume_us,
			 "jail_us", (json_int_t)t->jail_us, "key_us", (json_int_t)t->key_us,
			 "attach_us", (json_int_t)t->attach_us, "first_run_us",
			 (json_int_t)t->first_run_us, "hv_cpu_us", (json_int_t)t->hv_cpu_us);
}

static json_t *json_of_attachments(struct daemon *d, const struct instance *i)
{
	CLEANUP(free_p) struct volume *list = NULL;
	json_t *all = json_array();
	size_t cnt = 0;

	if (store_list(d->core.st, &tbl_volumes, (void **)&list, &cnt) < 0)
		return all;
	for (size_t k = 0; k < cnt; k++)
		if (strcmp(list[k].instance_id, i->id) == 0)
			(void)json_array_append_new(
				all, json_pack("{s:s,s:s,s:I,s:s}", "volume", list[k].id, "device",
					       list[k].device, "bytes", (json_int_t)list[k].size,
					       "state", volume_state_name(list[k].state)));
	return all;
}

static void set_network(json_t *o, struct daemon *d, const struct instance *i)
{
	CLEANUP(free_p) struct launch_data *data = calloc(1, sizeof(*data));
	const struct interface *ni;
	const char *id = i->id;
	char addr[NET_IPV4_TEXT];
	struct net n;

	if (data) {
		snprintf(data->instance_id, sizeof(data->instance_id), "%s", i->id);
		if (store_get(d->core.st, &tbl_launch_data, data) == 0)
			set_text(o, "key_name", data->key_name);
	}
	if (net_load_of(d->core.st, &id, 1, &n) < 0)
		return;
	ni = net_interface_of(&n, i->id);
	if (ni)
		set_text(o, "private_ip", net_ipv4_text(addr, ni->addr));
	set(o, "interfaces", json_of_interfaces(&n, i->id));
	net_done(&n);
}

json_t *json_of_instance(struct daemon *d, const struct instance *i)
{
	json_t *o = json_object();
	struct image img = { 0 };

	if (!o)
		return NULL;
	set_text(o, "id", i->id);
	set_text(o, "name", core_name_of(&d->core, i->id));
	set_text(o, "state", instance_state_name(i->state));
	set_u64(o, "state_code", i->state);
	set_text(o, "type", i->type);
	set_u64(o, "cores", i->cores);
	set_u64(o, "threads_per_core", i->threads);
	set_u64(o, "ram_bytes", i->ram_bytes);
	set_text(o, "image", i->image_id);
	if (store_get_id(d->core.st, &tbl_images, i->image_id, &img) == 0)
		set_text(o, "image_name", img.name);
	set_uuid(o, i->id);
	set_text(o, "account", i->account);
	set_text(o, "reason_code", i->reason_code);
	set_text(o, "reason", i->reason);
	set_u64(o, "boots", i->boot_cnt);
	set_time(o, "created", i->created_ms);
	set_time(o, "launched", i->launched_ms);
	set_time(o, "ended", i->ended_ms);
	set(o, "volumes", json_of_attachments(d, i));
	set_network(o, d, i);
	set(o, "times", json_of_times(&i->times));
	return o;
}

json_t *json_of_image(const struct image *i)
{
	json_t *o = json_object();
	json_t *sha = json_object();

	if (!o || !sha) {
		json_decref(o);
		json_decref(sha);
		return NULL;
	}
	set_text(o, "id", i->id);
	set_text(o, "name", i->name);
	set_text(o, "account", i->account);
	set_text(o, "architecture", i->architecture);
	set_text(o, "kernel_version", i->kernel_version);
	set_text(o, "cmdline", i->cmdline);
	set_u64(o, "kernel_bytes", i->kernel_bytes);
	set_u64(o, "initrd_bytes", i->initrd_bytes);
	set_u64(o, "disk_bytes", i->disk_bytes);
	set_u64(o, "stored_bytes", i->stored_bytes);
	set_time(o, "created", i->created_ms);
	set_text(sha, "kernel", i->sha256_kernel);
	set_text(sha, "initrd", i->sha256_initrd);
	set_text(sha, "disk", i->sha256_disk);
	set(o, "sparse_sha256", sha);
	return o;
}

json_t *json_of_volume(const struct volume *v)
{
	json_t *o = json_object();

	if (!o)
		return NULL;
	set_text(o, "id", v->id);
	set_text(o, "account", v->account);
	set_text(o, "state", volume_state_name(v->state));
	set_u64(o, "bytes", v->size);
	set(o, "encrypted", json_true());
	set_text(o, "image", v->image_id);
	set_text(o, "instance", v->instance_id);
	set_text(o, "device", v->device);
	set(o, "delete_on_termination", json_boolean(v->delete_on_termination));
	set_text(o, "reason", v->reason);
	set_time(o, "created", v->created_ms);
	return o;
}
