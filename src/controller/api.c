/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Requests: a table of methods, a function each. A function answers at once, or leaves in c->op what it waits for
 * (api_wait.c answers then). docs/wire/api.md is the wire page.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/num.h"
#include "controller/base64.h"
#include "controller/ids.h"
#include "controller/niterd.h"
#include "controller/params.h"
#include "controller/types.h"

enum {
	KERNEL_MAX_MIB = 128,
	INITRD_MAX_MIB = 1024,
	DISK_MAX_TIB = 16,
	USER_DATA_TEXT_MAX = 32 * 1024,
};

bool params_take(struct conn *c, const json_t *params, const struct param *table, size_t cnt)
{
	struct fault f;

	if (params_read(params, table, cnt, &f) == 0)
		return true;
	conn_fault(c, &f);
	return false;
}

static void host_status(struct conn *c, const json_t *params)
{
	struct fault f;
	int r;

	if (!params_take(c, params, NULL, 0))
		return;
	c->op.kind = OP_HOST;
	r = link_ask_host(c->d, &c->op.seq);
	if (r < 0) {
		(void)!fault_internal(&f, r, "asking the launcher");
		conn_fault(c, &f);
	}
}

static void host_certificate(struct conn *c, const json_t *params)
{
	c->op.certificate = true;
	host_status(c, params);
}

static void host_processes(struct conn *c, const json_t *params)
{
	struct fault f;
	int r;

	if (!params_take(c, params, NULL, 0))
		return;
	c->op.kind = OP_PROCESSES;
	c->op.list = json_array();
	r = c->op.list ? link_ask_processes(c->d, 0, &c->op.seq) : -ENOMEM;
	if (r < 0) {
		(void)!fault_internal(&f, r, "asking the launcher");
		conn_fault(c, &f);
	}
}

/* Running instances are asked to stop first, so that their disks are clean; then the host ends. */
static void host_stop(struct conn *c, const json_t *params)
{
	CLEANUP(free_p) struct instance *list = NULL;
	uint64_t timeout_s = STOP_TIMEOUT_S;
	const struct param table[] = { { "timeout_s", PARAM_U64, false, &timeout_s, 0 } };
	size_t cnt = 0;

	if (!params_take(c, params, table, ARRAY_SIZE(table)))
		return;
	c->d->host_stopping = true;
	if (store_list(c->d->core.st, &tbl_instances, (void **)&list, &cnt) < 0)
		cnt = 0; /* the host can be stopped all the same */
	for (size_t k = 0; k < cnt; k++) {
		CLEANUP(core_acts_done) struct core_acts acts = { .v = NULL };
		struct fault f;

		if (list[k].state == INSTANCE_RUNNING &&
		    core_want(&c->d->core, list[k].id, EV_WANT_STOP, &acts, &f) > 0)
			(void)!link_acts(c->d, &acts);
	}
	c->op.kind = OP_HOST_DRAIN;
	c->op.deadline_ns = clock_ns() + min_u64(timeout_s, STOP_TIMEOUT_MAX_S) * 1000000000U;
	api_check(c->d);
}

static void type_list(struct conn *c, const json_t *params)
{
	json_t *list;

	if (!params_take(c, params, NULL, 0))
		return;
	list = json_array();
	for (size_t k = 0; k < instance_type_cnt; k++) {
		const struct instance_type *t = &instance_types[k];
		struct type_network net = type_network(t);

		(void)json_array_append_new(
			list, json_pack("{s:s,s:i,s:i,s:I,s:I,s:I}", "name", t->name, "vcpus",
					(int)t->vcpus, "cores", (int)t->vcpus / 2, "ram_bytes",
					(json_int_t)(t->ram_mib * MIB), "network_bps_baseline",
					(json_int_t)net.bps_baseline, "network_bps_burst",
					(json_int_t)net.bps_burst));
	}
	conn_result(c, json_pack("{s:o}", "types", list));
}

static void image_list(struct conn *c, const json_t *params)
{
	CLEANUP(free_p) struct image *list = NULL;
	json_t *all;
	size_t cnt = 0;
	struct fault f;
	int r;

	if (!params_take(c, params, NULL, 0))
		return;
	r = store_list(c->d->core.st, &tbl_images, (void **)&list, &cnt);
	if (r < 0) {
		(void)!fault_internal(&f, r, "reading the images");
		conn_fault(c, &f);
		return;
	}
	all = json_array();
	for (size_t k = 0; k < cnt; k++)
		(void)json_array_append_new(all, json_of_image(&list[k]));
	conn_result(c, json_pack("{s:o}", "images", all));
}

static int image_check(struct conn *c, struct image *i, struct fault *f)
{
	int r;

	if (i->kernel_bytes == 0 || i->kernel_bytes > KERNEL_MAX_MIB * MIB)
		return fault_set(f, EINVAL, "InvalidParameterValue", "give a bzImage or vmlinux",
				 "a kernel has between 1 byte and %d MiB", KERNEL_MAX_MIB);
	if (i->initrd_bytes > INITRD_MAX_MIB * MIB)
		return fault_set(f, EINVAL, "InvalidParameterValue", "make it smaller",
				 "an initrd has at most %d MiB", INITRD_MAX_MIB);
	if (i->disk_bytes == 0 || i->disk_bytes > DISK_MAX_TIB * 1024 * GIB)
		return fault_set(f, EINVAL, "InvalidParameterValue", "give a raw disk",
				 "a disk has between 1 byte and %d TiB", DISK_MAX_TIB);
	if (strcmp(i->architecture, "x86_64") != 0)
		return fault_set(f, EINVAL, "InvalidParameterValue", "use an x86_64 image",
				 "this host runs no images of that architecture");
	r = core_image_name_check(&c->d->core, i->account, i->name, f);
	if (r < 0)
		return r;
	r = core_id_new(&c->d->core, ID_IMAGE, i->id);
	return r < 0 ? fault_internal(f, r, "random numbers") : 0;
}

static void image_put(struct conn *c, const json_t *params)
{
	struct image i = { .account = MODEL_ACCOUNT_DEFAULT, .architecture = "x86_64" };
	const struct param table[] = {
		{ "name", PARAM_TEXT, true, i.name, sizeof(i.name) },
		{ "architecture", PARAM_TEXT, false, i.architecture, sizeof(i.architecture) },
		{ "kernel_version", PARAM_TEXT, false, i.kernel_version, sizeof(i.kernel_version) },
		{ "cmdline", PARAM_TEXT, true, i.cmdline, sizeof(i.cmdline) },
		{ "kernel_bytes", PARAM_U64, true, &i.kernel_bytes, 0 },
		{ "initrd_bytes", PARAM_U64, false, &i.initrd_bytes, 0 },
		{ "disk_bytes", PARAM_U64, true, &i.disk_bytes, 0 },
	};
	struct fault f;

	if (!params_take(c, params, table, ARRAY_SIZE(table)))
		return;
	i.created_ms = c->d->core.env.now_ms(c->d->core.env.ptr);
	if (image_check(c, &i, &f) < 0 || upload_new(&i, &c->upload, &f) < 0) {
		conn_fault(c, &f);
		return;
	}
	c->op.kind = OP_UPLOAD;
	c->state = CONN_FRAMES;
	c->tail_len = 0;
	conn_send(c, json_pack("{s:O,s:b}", "id", c->op.req_id, "ready", 1));
}

static void image_rm(struct conn *c, const json_t *params)
{
	char ref[MODEL_NAME_MAX] = "";
	const struct param table[] = { { "image", PARAM_TEXT, true, ref, sizeof(ref) } };
	struct image i = { 0 };
	struct fault f;
	int r;

	if (!params_take(c, params, table, ARRAY_SIZE(table)))
		return;
	if (core_image_find(&c->d->core, MODEL_ACCOUNT_DEFAULT, ref, &i, &f) < 0 ||
	    core_image_rm(&c->d->core, &i, &f) < 0) {
		conn_fault(c, &f);
		return;
	}
	r = upload_remove(i.id); /* what is left is swept at the next start */
	if (r < 0)
		log_warn("image.remove", "image=%s err=%d", i.id, r);
	conn_result(c, json_pack("{s:s}", "removed", i.id));
}

/* Asks for the host's room before anything is recorded; api_wait.c goes on with the answer. */
static void capacity_ask(struct conn *c)
{
	struct fault f;
	int r;

	c->op.kind = OP_CAPACITY;
	r = link_ask_host(c->d, &c->op.seq);
	if (r < 0) {
		(void)!fault_internal(&f, r, "asking the launcher");
		conn_fault(c, &f);
	}
}

static bool host_stopping(struct conn *c)
{
	struct fault f;

	if (!c->d->host_stopping)
		return false;
	(void)!fault_set(&f, ESHUTDOWN, "ServiceUnavailable", "wait, then run niter host start",
			 "the host is stopping");
	conn_fault(c, &f);
	return true;
}

/* From base64; owned by the op, freed by conn_op_done(). */
static int user_data_take(struct core_run *q, const char *text, struct fault *f)
{
	ssize_t len;

	if (text[0] == '\0')
		return 0;
	q->user_data = calloc(1, sizeof(*q->user_data));
	if (!q->user_data)
		return fault_internal(f, ENOMEM, "reading the user data");
	len = base64_decode(text, q->user_data->b, sizeof(q->user_data->b));
	if (len == -EMSGSIZE)
		return fault_set(f, EINVAL, "InvalidUserData.Malformed", "make it smaller",
				 "user data holds at most %d bytes", NET_USER_DATA_MAX);
	if (len < 0)
		return fault_set(f, EINVAL, "InvalidUserData.Malformed", "see docs/wire/api.md",
				 "the user data is no base64");
	q->user_data->len = (uint32_t)len;
	return 0;
}

static void instance_run(struct conn *c, const json_t *params)
{
	static char user_data[USER_DATA_TEXT_MAX];
	struct core_run *q = &c->op.run;
	bool wait = true;
	const struct param table[] = {
		{ "image", PARAM_TEXT, true, q->image, sizeof(q->image) },
		{ "type", PARAM_TEXT, false, q->type, sizeof(q->type) },
		{ "cpus", PARAM_TEXT, false, q->cpus, sizeof(q->cpus) },
		{ "name", PARAM_TEXT, false, q->name, sizeof(q->name) },
		{ "disk_bytes", PARAM_U64, false, &q->disk_bytes, 0 },
		{ "private_ip", PARAM_TEXT, false, q->private_ip, sizeof(q->private_ip) },
		{ "key", PARAM_TEXT, false, q->public_key, sizeof(q->public_key) },
		{ "key_name", PARAM_TEXT, false, q->key_name, sizeof(q->key_name) },
		{ "user_data", PARAM_TEXT, false, user_data, sizeof(user_data) },
		{ "wait", PARAM_BOOL, false, &wait, 0 },
	};
	struct instance i;
	struct fault f;

	user_data[0] = '\0';

	snprintf(q->account, sizeof(q->account), "%s", MODEL_ACCOUNT_DEFAULT);
	if (host_stopping(c) || !params_take(c, params, table, ARRAY_SIZE(table)))
		return;
	if (user_data_take(q, user_data, &f) < 0 || core_check_run(&c->d->core, q, &i, &f) < 0) {
		conn_fault(c, &f);
		return;
	}
	c->op.is_run = true;
	c->op.wait = wait;
	capacity_ask(c);
}

static void instance_list(struct conn *c, const json_t *params)
{
	CLEANUP(free_p) struct instance *list = NULL;
	bool all = false;
	const struct param table[] = { { "all", PARAM_BOOL, false, &all, 0 } };
	size_t cnt = 0;
	struct fault f;
	json_t *out;
	int r;

	if (!params_take(c, params, table, ARRAY_SIZE(table)))
		return;
	r = store_list(c->d->core.st, &tbl_instances, (void **)&list, &cnt);
	if (r < 0) {
		(void)!fault_internal(&f, r, "reading the instances");
		conn_fault(c, &f);
		return;
	}
	out = json_array();
	for (size_t k = 0; k < cnt; k++)
		if (all || list[k].state != INSTANCE_TERMINATED)
			(void)json_array_append_new(out, json_of_instance(c->d, &list[k]));
	conn_result(c, json_pack("{s:o}", "instances", out));
}

bool instance_take(struct conn *c, const char *ref, struct instance *ret)
{
	struct fault f;

	if (core_instance_find(&c->d->core, MODEL_ACCOUNT_DEFAULT, ref, ret, &f) == 0)
		return true;
	conn_fault(c, &f);
	return false;
}

static void instance_start(struct conn *c, const json_t *params)
{
	char ref[MODEL_NAME_MAX] = "";
	bool wait = true;
	const struct param table[] = {
		{ "instance", PARAM_TEXT, true, ref, sizeof(ref) },
		{ "wait", PARAM_BOOL, false, &wait, 0 },
	};
	struct instance i = { 0 };

	if (host_stopping(c) || !params_take(c, params, table, ARRAY_SIZE(table)) ||
	    !instance_take(c, ref, &i))
		return;
	snprintf(c->op.id, sizeof(c->op.id), "%s", i.id);
	c->op.boot_cnt = i.boot_cnt;
	c->op.wait = wait;
	capacity_ask(c);
}

/* A wish about one instance, and what its answer waits for. */
static void instance_want(struct conn *c, const char *ref, enum machine_event ev,
			  enum op_kind until, bool wait)
{
	CLEANUP(core_acts_done) struct core_acts acts = { .v = NULL };
	struct instance i = { 0 };
	struct fault f;

	if (!instance_take(c, ref, &i))
		return;
	if (core_want(&c->d->core, i.id, ev, &acts, &f) < 0) {
		conn_fault(c, &f);
		return;
	}
	snprintf(c->op.id, sizeof(c->op.id), "%s", i.id);
	c->op.kind = until;
	c->op.wait = wait;
	if (link_acts(c->d, &acts) < 0 && ev == EV_WANT_REBOOT) {
		(void)!fault_set(&f, ENOTCONN, "IncorrectInstanceState",
				 "try niter stop and niter start",
				 "the hypervisor of %s does not answer", i.id);
		conn_fault(c, &f);
		return;
	}
	api_check(c->d);
}

static void instance_stop(struct conn *c, const json_t *params)
{
	char ref[MODEL_NAME_MAX] = "";
	bool wait = true, force = false;
	uint64_t timeout_s = STOP_TIMEOUT_S;
	const struct param table[] = {
		{ "instance", PARAM_TEXT, true, ref, sizeof(ref) },
		{ "force", PARAM_BOOL, false, &force, 0 },
		{ "timeout_s", PARAM_U64, false, &timeout_s, 0 },
		{ "wait", PARAM_BOOL, false, &wait, 0 },
	};
	char id[CTL_ID_MAX];
	struct live *l;

	if (!params_take(c, params, table, ARRAY_SIZE(table)))
		return;
	instance_want(c, ref, force ? EV_WANT_STOP_FORCE : EV_WANT_STOP, OP_STOPPED, wait);
	snprintf(id, sizeof(id), "%s", c->op.id);
	l = id[0] ? live_find(c->d, id) : NULL;
	if (l && l->stop_ns) /* pressed just now: the caller's patience counts */
		l->stop_ns = clock_ns() + min_u64(timeout_s, STOP_TIMEOUT_MAX_S) * 1000000000U;
}

static void instance_reboot(struct conn *c, const json_t *params)
{
	char ref[MODEL_NAME_MAX] = "";
	const struct param table[] = { { "instance", PARAM_TEXT, true, ref, sizeof(ref) } };

	if (params_take(c, params, table, ARRAY_SIZE(table)))
		instance_want(c, ref, EV_WANT_REBOOT, OP_RUNNING, false);
}

static void instance_rm(struct conn *c, const json_t *params)
{
	char ref[MODEL_NAME_MAX] = "";
	bool wait = true;
	const struct param table[] = {
		{ "instance", PARAM_TEXT, true, ref, sizeof(ref) },
		{ "wait", PARAM_BOOL, false, &wait, 0 },
	};

	if (params_take(c, params, table, ARRAY_SIZE(table)))
		instance_want(c, ref, EV_WANT_TERMINATE, OP_TERMINATED, wait);
}

static void console_read(struct conn *c, const json_t *params)
{
	char ref[MODEL_NAME_MAX] = "";
	uint64_t off = 0, max = CTL_CHUNK_MAX, wait_ms = 0, boot = 0;
	const struct param table[] = {
		{ "instance", PARAM_TEXT, true, ref, sizeof(ref) },
		{ "off", PARAM_U64, false, &off, 0 },
		{ "max", PARAM_U64, false, &max, 0 },
		{ "wait_ms", PARAM_U64, false, &wait_ms, 0 },
		{ "boot", PARAM_U64, false, &boot, 0 },
	};
	struct instance i = { 0 };

	if (!params_take(c, params, table, ARRAY_SIZE(table)) || !instance_take(c, ref, &i))
		return;
	snprintf(c->op.id, sizeof(c->op.id), "%s", i.id);
	c->op.kind = OP_CONSOLE;
	c->op.off = off;
	c->op.max = (uint32_t)min_u64(max, CTL_CHUNK_MAX);
	c->op.boot_cnt = (unsigned)min_u64(boot, UINT32_MAX);
	c->op.deadline_ns = clock_ns() + min_u64(wait_ms, CONSOLE_WAIT_MAX_MS) * 1000000U;
	api_console_look(c);
}

static void volume_list(struct conn *c, const json_t *params)
{
	CLEANUP(free_p) struct volume *list = NULL;
	size_t cnt = 0;
	struct fault f;
	json_t *all;
	int r;

	if (!params_take(c, params, NULL, 0))
		return;
	r = store_list(c->d->core.st, &tbl_volumes, (void **)&list, &cnt);
	if (r < 0) {
		(void)!fault_internal(&f, r, "reading the volumes");
		conn_fault(c, &f);
		return;
	}
	all = json_array();
	for (size_t k = 0; k < cnt; k++)
		(void)json_array_append_new(all, json_of_volume(&list[k]));
	conn_result(c, json_pack("{s:o}", "volumes", all));
}

static void volume_create(struct conn *c, const json_t *params)
{
	uint64_t bytes = 0;
	const struct param table[] = { { "bytes", PARAM_U64, true, &bytes, 0 } };
	CLEANUP(core_acts_done) struct core_acts acts = { .v = NULL };
	struct volume v = { 0 };
	struct fault f;

	if (host_stopping(c) || !params_take(c, params, table, ARRAY_SIZE(table)))
		return;
	if (core_volume_new(&c->d->core, MODEL_ACCOUNT_DEFAULT, bytes, &acts, &v, &f) < 0) {
		conn_fault(c, &f);
		return;
	}
	snprintf(c->op.id, sizeof(c->op.id), "%s", v.id);
	snprintf(c->op.volume_id, sizeof(c->op.volume_id), "%s", v.id);
	c->op.kind = OP_VOLUME_MADE;
	(void)!link_acts(c->d, &acts);
	api_check(c->d);
}

static void volume_rm(struct conn *c, const json_t *params)
{
	char ref[MODEL_NAME_MAX] = "";
	const struct param table[] = { { "volume", PARAM_TEXT, true, ref, sizeof(ref) } };
	CLEANUP(core_acts_done) struct core_acts acts = { .v = NULL };
	struct volume v = { 0 };
	struct fault f;

	if (!params_take(c, params, table, ARRAY_SIZE(table)))
		return;
	if (core_volume_find(&c->d->core, MODEL_ACCOUNT_DEFAULT, ref, &v, &f) < 0 ||
	    core_volume_rm(&c->d->core, &v, &acts, &f) < 0) {
		conn_fault(c, &f);
		return;
	}
	snprintf(c->op.id, sizeof(c->op.id), "%s", v.id);
	c->op.kind = OP_VOLUME_GONE;
	(void)!link_acts(c->d, &acts);
	api_check(c->d);
}

static const struct {
	const char *name;
	method_fn *fn;
} methods[] = {
	{ "host.status", host_status },
	{ "host.processes", host_processes },
	{ "host.certificate", host_certificate },
	{ "host.api_certificate", host_api_certificate },
	{ "audit.tail", audit_read },
	{ "account.create", account_create },
	{ "account.list", account_list },
	{ "account.rm", account_rm },
	{ "account.key.create", account_key_create },
	{ "account.key.rm", account_key_rm },
	{ "host.stop", host_stop },
	{ "type.list", type_list },
	{ "image.list", image_list },
	{ "image.put", image_put },
	{ "image.rm", image_rm },
	{ "instance.run", instance_run },
	{ "instance.list", instance_list },
	{ "instance.start", instance_start },
	{ "instance.stop", instance_stop },
	{ "instance.reboot", instance_reboot },
	{ "instance.rm", instance_rm },
	{ "console.read", console_read },
	{ "volume.list", volume_list },
	{ "volume.create", volume_create },
	{ "volume.rm", volume_rm },
	{ "network.list", network_list },
	{ "peer.add", peer_add },
	{ "peer.list", peer_list },
	{ "peer.rm", peer_rm },
	{ "peer.map", peer_map },
	{ "peer.unmap", peer_unmap },
	{ "forward.add", forward_add },
	{ "forward.list", forward_list },
	{ "forward.rm", forward_rm },
};

static json_t *line_parse(const char *line, size_t len)
{
	return json_loadb(line, len, JSON_REJECT_DUPLICATES, NULL);
}

int api_hello(const char *line, size_t len, json_t **ret)
{
	json_t *o = line_parse(line, len);
	json_t *session = json_object_get(o, "hello");
	json_t *version = json_object_get(o, "version");
	int r = -EPROTO;

	if (json_is_string(session) && json_string_length(session) <= 64 &&
	    json_is_integer(version)) {
		*ret = json_incref(session);
		r = 0;
	}
	json_decref(o);
	return r;
}

void api_hello_answer(struct conn *c, const json_t *session)
{
	/* On a port, half a line of an earlier answer may be under way: end it. */
	json_t *hello = json_pack("{s:s,s:i,s:s}", "hello", json_string_value(session), "version",
				  NITERD_API_VERSION, "server", "niterd " NITER_VERSION);

	if (c->port)
		conn_send_text(c, "\n");
	conn_send(c, hello);
}

static void request_fault(struct conn *c, const char *code, const char *text)
{
	struct fault f;

	(void)!fault_set(&f, EINVAL, code, "see docs/wire/api.md", "%s", text);
	conn_fault(c, &f);
}

/* {"id":1,"method":"…","params":{…}} */
static void request_run(struct conn *c, const json_t *req)
{
	const char *method = json_string_value(json_object_get(req, "method"));
	json_t *id = json_object_get(req, "id");

	if (!json_is_integer(id) && !(json_is_string(id) && json_string_length(id) <= 64)) {
		request_fault(c, "InvalidRequest", "a request needs an \"id\"");
		return;
	}
	c->op.req_id = json_incref(id);
	for (size_t k = 0; method && k < ARRAY_SIZE(methods); k++) {
		if (strcmp(methods[k].name, method) == 0) {
			methods[k].fn(c, json_object_get(req, "params"));
			return;
		}
	}
	request_fault(c, "InvalidAction", "there is no such method");
}

void api_request(struct conn *c, const char *line, size_t len)
{
	json_t *req = line_parse(line, len);

	memset(&c->op, 0, sizeof(c->op));
	if (json_is_object(req))
		request_run(c, req);
	else
		request_fault(c, "InvalidRequest", "a request is a JSON object on one line");
	json_decref(req);
}
