/* SPDX-License-Identifier: Apache-2.0 */

/* Requests that wait: for the launcher, for a hypervisor, or until a row shows what was asked for. */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/num.h"
#include "controller/base64.h"
#include "controller/front/front.h"
#include "controller/net_text.h"
#include "controller/niterd.h"

enum {
	CONSOLE_LOOK_MS = 100,
	FORWARD_LOOK_MS = 500,
	PROGRESS_EVERY_MS = 100,
	PEM_COLUMNS = 64,
};

static void answer_instance(struct conn *c, const struct instance *i)
{
	conn_result(c, json_pack("{s:o}", "instance", json_of_instance(c->d, i)));
}

/* The instance is not what was asked for: its own reason says why. */
static void answer_reason(struct conn *c, const struct instance *i, const char *what)
{
	const char *code = strstr(i->reason_code, "InsufficientInstanceCapacity")
				   ? "InsufficientInstanceCapacity"
				   : "InternalError";
	struct fault f;

	(void)!fault_set(&f, EIO, code, "see niter host log", "instance %s %s: %s", i->id, what,
			 i->reason[0] ? i->reason : "no reason is known");
	conn_fault(c, &f);
}

static void check_running(struct conn *c, const struct instance *i)
{
	if (i->state == INSTANCE_RUNNING || i->boot_cnt > c->op.boot_cnt ||
	    (!c->op.wait && i->state == INSTANCE_PENDING))
		answer_instance(c, i);
	else if (i->state == INSTANCE_TERMINATED)
		answer_reason(c, i, "could not be launched and was removed");
	else if (i->state == INSTANCE_STOPPED)
		answer_reason(c, i, "could not be started");
	/* pending, or shutting down after a failed launch: its remains are being removed first */
}

static void check_stopped(struct conn *c, const struct instance *i)
{
	if (i->state == INSTANCE_STOPPED || (!c->op.wait && i->state == INSTANCE_STOPPING))
		answer_instance(c, i);
	else if (i->state != INSTANCE_STOPPING)
		answer_reason(c, i, "is being removed");
}

static void check_instance(struct conn *c)
{
	struct instance i = { 0 };
	struct fault f;
	int r;

	r = store_get_id(c->d->core.st, &tbl_instances, c->op.id, &i);
	if (r < 0) {
		(void)!fault_internal(&f, r, "reading the instance");
		conn_fault(c, &f);
		return;
	}
	if (c->op.kind == OP_RUNNING)
		check_running(c, &i);
	else if (c->op.kind == OP_STOPPED)
		check_stopped(c, &i);
	else if (i.state == INSTANCE_TERMINATED || !c->op.wait)
		answer_instance(c, &i);
}

static void check_volume(struct conn *c)
{
	struct volume v = { 0 };
	struct fault f;
	int r;

	r = store_get_id(c->d->core.st, &tbl_volumes, c->op.id, &v);
	if (r == -ENOENT && c->op.kind == OP_VOLUME_GONE) {
		conn_result(c, json_pack("{s:s}", "removed", c->op.id));
		return;
	}
	if (r < 0) {
		(void)!fault_internal(&f, r, "reading the volume");
		conn_fault(c, &f);
	} else if (v.state == VOLUME_ERROR) {
		(void)!fault_set(&f, EIO, "InternalError", "see niter host log", "volume %s: %s",
				 v.id, v.reason);
		conn_fault(c, &f);
	} else if (v.state == VOLUME_AVAILABLE && c->op.kind == OP_VOLUME_MADE) {
		conn_result(c, json_pack("{s:o}", "volume", json_of_volume(&v)));
	}
}

/* Does anything still run? A database that cannot be read does not keep the host from stopping. */
static bool host_drained(struct daemon *d)
{
	CLEANUP(free_p) struct instance *list = NULL;
	size_t cnt = 0;

	if (store_list(d->core.st, &tbl_instances, (void **)&list, &cnt) < 0)
		return true;
	for (size_t k = 0; k < cnt; k++)
		if (list[k].state == INSTANCE_RUNNING || list[k].state == INSTANCE_STOPPING)
			return false;
	return true;
}

static void check_drain(struct conn *c)
{
	struct fault f;
	int r;

	if (!host_drained(c->d) && clock_ns() < c->op.deadline_ns)
		return;
	c->op.kind = OP_HOST_STOP;
	r = link_ask_stop(c->d, &c->op.seq);
	if (r < 0) {
		(void)!fault_internal(&f, r, "asking the launcher");
		conn_fault(c, &f);
	}
}

static void check_one(struct conn *c)
{
	switch (c->op.kind) {
	case OP_RUNNING:
	case OP_STOPPED:
	case OP_TERMINATED:
		check_instance(c);
		break;
	case OP_VOLUME_MADE:
	case OP_VOLUME_GONE:
		check_volume(c);
		break;
	case OP_HOST_DRAIN:
		check_drain(c);
		break;
	case OP_CONSOLE:
		if (!live_find(c->d, c->op.id))
			api_console_look(c);
		break;
	case OP_FORWARD:
		api_forward_look(c);
		break;
	case OP_NONE:
	case OP_CAPACITY:
	case OP_HOST:
	case OP_PROCESSES:
	case OP_HOST_STOP:
	case OP_UPLOAD:
	case OP_ACCOUNT:
		break;
	}
}

void api_check(struct daemon *d)
{
	for (size_t k = 0; k < ARRAY_SIZE(d->conn); k++)
		if (d->conn[k] && !d->conn[k]->broken)
			check_one(d->conn[k]);
}

static struct conn *op_find(struct daemon *d, uint32_t seq, enum op_kind a, enum op_kind b)
{
	for (size_t k = 0; k < ARRAY_SIZE(d->conn); k++) {
		struct conn *c = d->conn[k];

		if (c && (c->op.kind == a || c->op.kind == b) && c->op.seq == seq)
			return c;
	}
	return NULL;
}

void api_link_failed(struct daemon *d, uint32_t seq, int err, const char *text)
{
	static const enum op_kind kinds[] = { OP_HOST, OP_CAPACITY, OP_PROCESSES, OP_HOST_STOP };
	struct conn *c = NULL;
	struct fault f;

	for (size_t k = 0; !c && k < ARRAY_SIZE(kinds); k++)
		c = op_find(d, seq, kinds[k], kinds[k]);
	if (!c)
		return;
	(void)!fault_set(&f, -err, "InternalError", "see niter host log",
			 "the launcher refused: %s", text[0] ? text : strerrordesc_np(-err));
	conn_fault(c, &f);
}

/* PEM, as openssl wants it. */
static void answer_certificate(struct conn *c, const struct ctl_bytes_certificate *cert)
{
	static const char head[] = "-----BEGIN CERTIFICATE-----\n",
			  tail[] = "-----END CERTIFICATE-----\n";
	CLEANUP(free_p) char *b64 = base64_encode(cert->b, cert->len);
	char pem[4 * sizeof(cert->b)];
	struct fault f;
	size_t len;

	if (!b64 || cert->len == 0) {
		(void)!fault_set(&f, ENOENT, "InternalError", "see niter host log",
				 "the host has no key to sign identity documents with");
		conn_fault(c, &f);
		return;
	}
	len = (size_t)snprintf(pem, sizeof(pem), "%s", head);
	for (size_t k = 0; k < strlen(b64); k += PEM_COLUMNS)
		len += (size_t)snprintf(pem + len, sizeof(pem) - len, "%.*s\n", PEM_COLUMNS,
					b64 + k);
	snprintf(pem + len, sizeof(pem) - len, "%s", tail);
	conn_result(c, json_pack("{s:s}", "certificate", pem));
}

static json_t *json_of_host(struct daemon *d, const struct ctl_l_host *h)
{
	static const uint8_t none[CTL_FINGERPRINT_BYTES];
	char print[2 * CTL_FINGERPRINT_BYTES + 1] = "", api[FRONT_ADDRESS_MAX];

	front_address(d, api);
	if (memcmp(h->fingerprint, none, sizeof(none)) != 0)
		net_fingerprint_text(print, h->fingerprint);
	return json_pack("{s:s,s:s,s:i,s:i,s:i,s:I,s:I,s:s,s:s,s:b,s:s,s:s,s:s,s:s,s:s,s:s}",
			 "mode", h->mode, "placement", h->placement, "cores", (int)h->cores,
			 "threads", (int)h->threads, "cores_free", (int)h->cores_free, "ram_bytes",
			 (json_int_t)h->ram_bytes, "ram_free_bytes", (json_int_t)h->ram_free_bytes,
			 "tpm", h->tpm_kind, "root_key", h->root_key, "lab", (int)h->lab,
			 "security", h->security, "fingerprint", print, "network", h->network,
			 "way_out", h->way_out, "api", api, "state",
			 d->host_stopping ? "stopping" : "running");
}

/* The room is known: launch or start. */
static void capacity_known(struct conn *c, const struct ctl_l_host *h)
{
	CLEANUP(core_acts_done) struct core_acts acts = { .v = NULL };
	struct instance i = { 0 };
	struct fault f = { .code = "" };
	int r;

	if (c->op.is_run)
		r = core_check_run(&c->d->core, &c->op.run, &i, &f);
	else
		r = store_get_id(c->d->core.st, &tbl_instances, c->op.id, &i);
	if (r < 0 && f.code[0] == '\0')
		r = fault_internal(&f, r, "reading the instance");
	if (r == 0 && (c->op.is_run || i.state == INSTANCE_STOPPED))
		r = core_capacity_check(h, &i, &f);
	if (r == 0)
		r = c->op.is_run ? core_run(&c->d->core, &c->op.run, &acts, &i, &f)
				 : core_want(&c->d->core, i.id, EV_WANT_START, &acts, &f);
	if (r < 0) {
		conn_fault(c, &f);
		return;
	}
	snprintf(c->op.id, sizeof(c->op.id), "%s", i.id);
	if (acts.cnt && acts.v[0].kind == CORE_VOLUME_CREATE)
		snprintf(c->op.volume_id, sizeof(c->op.volume_id), "%s", acts.v[0].id);
	c->op.kind = OP_RUNNING;
	(void)!link_acts(c->d, &acts);
	api_check(c->d);
}

void api_host(struct daemon *d, uint32_t seq, const struct ctl_l_host *h)
{
	struct conn *c = op_find(d, seq, OP_HOST, OP_CAPACITY);

	if (!c)
		return;
	if (c->op.kind == OP_HOST && c->op.certificate)
		answer_certificate(c, &h->certificate);
	else if (c->op.kind == OP_HOST)
		conn_result(c, json_of_host(d, h));
	else
		capacity_known(c, h);
}

/* Adds one line of JSON a process. Return: 0, -EPROTO, -E2BIG. */
static int processes_add(struct op *op, const struct ctl_bytes_chunk *lines)
{
	const char *p = (const char *)lines->b;
	size_t left = lines->len;

	op->list_bytes += left;
	if (op->list_bytes > PROCESSES_MAX)
		return -E2BIG;
	while (left > 0) {
		const char *nl = memchr(p, '\n', left);
		size_t len = nl ? (size_t)(nl - p) : left;
		json_t *o = len ? json_loadb(p, len, 0, NULL) : NULL;

		if (len && (!o || json_array_append_new(op->list, o) < 0))
			return -EPROTO;
		p += len + (nl ? 1 : 0);
		left -= len + (nl ? 1 : 0);
	}
	return 0;
}

void api_processes(struct daemon *d, uint32_t seq, const struct ctl_l_processes *p)
{
	struct conn *c = op_find(d, seq, OP_PROCESSES, OP_PROCESSES);
	struct fault f;
	int r;

	if (!c)
		return;
	r = processes_add(&c->op, &p->lines);
	if (r == 0 && p->more)
		r = link_ask_processes(d, ++c->op.page, &c->op.seq);
	if (r < 0) {
		(void)!fault_internal(&f, r, "reading the process list");
		conn_fault(c, &f);
		return;
	}
	if (!p->more)
		conn_result(c, json_pack("{s:O}", "processes", c->op.list));
}

void api_host_stopped(struct daemon *d, uint32_t seq)
{
	struct conn *c = op_find(d, seq, OP_HOST_STOP, OP_HOST_STOP);

	if (c)
		conn_result(c, json_pack("{s:b}", "stopping", 1));
}

void api_volume_progress(struct daemon *d, const char *volume_id, const struct ctl_l_progress *p)
{
	uint64_t now = clock_ns();

	for (size_t k = 0; k < ARRAY_SIZE(d->conn); k++) {
		struct conn *c = d->conn[k];

		if (!c || c->op.kind == OP_NONE || strcmp(c->op.volume_id, volume_id) != 0)
			continue;
		if (p->done < p->total &&
		    now - c->op.progress_ns < (uint64_t)PROGRESS_EVERY_MS * 1000000U)
			continue;
		c->op.progress_ns = now;
		conn_progress(c, "making the encrypted disk", min_u64(p->done, INT64_MAX),
			      min_u64(p->total, INT64_MAX));
	}
}

void api_volume_made(struct daemon *d, const char *volume_id)
{
	for (size_t k = 0; k < ARRAY_SIZE(d->conn); k++) {
		struct conn *c = d->conn[k];

		if (c && c->op.kind == OP_RUNNING && strcmp(c->op.volume_id, volume_id) == 0)
			conn_progress(c, "starting the instance", 0, 0);
	}
}

/* {"off":…,"end":…,"boot":…,"state":"…","data":"base64"} */
static void console_answer(struct conn *c, const struct instance *i, unsigned boot, uint64_t off,
			   uint64_t end, const uint8_t *p, size_t len)
{
	CLEANUP(free_p) char *text = base64_encode(p, len);
	struct fault f;

	if (!text) {
		(void)!fault_internal(&f, ENOMEM, "reading the console");
		conn_fault(c, &f);
		return;
	}
	conn_result(c, json_pack("{s:s,s:I,s:I,s:I,s:s,s:s}", "instance", i->id, "boot",
				 (json_int_t)boot, "off", (json_int_t)off, "end", (json_int_t)end,
				 "state", instance_state_name(i->state), "data", text));
}

/* From what was kept when the instance ended. */
static void console_kept(struct conn *c, const struct instance *i)
{
	static struct console_tail t;
	uint64_t begin, off;
	size_t len;
	int r;

	r = store_get_id(c->d->core.st, &tbl_consoles, i->id, &t);
	if (r < 0) {
		console_answer(c, i, i->boot_cnt, 0, 0, NULL, 0);
		return;
	}
	begin = t.end - t.len;
	off = c->op.boot_cnt != 0 && c->op.boot_cnt != t.boot_cnt ? 0 : c->op.off;
	off = min_u64(max_u64(off, begin), t.end);
	len = min_u64(t.end - off, c->op.max);
	console_answer(c, i, t.boot_cnt, off, t.end, t.data + (off - begin), len);
}

void api_console_look(struct conn *c)
{
	struct live *l = live_find(c->d, c->op.id);
	struct instance i = { 0 };
	struct ctl_svc_console_read m;
	struct fault f;
	int r;

	r = store_get_id(c->d->core.st, &tbl_instances, c->op.id, &i);
	if (r < 0) {
		(void)!fault_internal(&f, r, "reading the instance");
		conn_fault(c, &f);
		return;
	}
	c->op.next_ns = 0;
	if (!l) {
		/* Before the first instruction there is nothing to read yet, but there will be. */
		if (i.state == INSTANCE_PENDING && clock_ns() < c->op.deadline_ns)
			c->op.next_ns = clock_ns() + (uint64_t)CONSOLE_LOOK_MS * 1000000U;
		else
			console_kept(c, &i);
		return;
	}
	if (c->op.boot_cnt != 0 && c->op.boot_cnt != l->tail->boot_cnt)
		c->op.off = 0; /* the reader knew an earlier boot */
	c->op.boot_cnt = l->tail->boot_cnt;
	m.off = c->op.off;
	m.max = c->op.max;
	r = live_ask(l, CTL_SVC_CONSOLE_READ, &m, &c->op.seq);
	if (r < 0) /* it is just going: its end is kept, and api_check() looks again */
		c->op.next_ns = clock_ns() + (uint64_t)CONSOLE_LOOK_MS * 1000000U;
}

void api_console_data(struct live *l, uint32_t seq, const struct ctl_svc_console_data *m)
{
	struct conn *c = NULL;
	struct instance i = { 0 };
	uint64_t now = clock_ns();

	for (size_t k = 0; k < ARRAY_SIZE(l->d->conn); k++) {
		struct conn *x = l->d->conn[k];

		if (x && x->op.kind == OP_CONSOLE && x->op.seq == seq &&
		    strcmp(x->op.id, l->id) == 0)
			c = x;
	}
	if (!c || store_get_id(l->d->core.st, &tbl_instances, l->id, &i) < 0)
		return;
	if (m->data.len == 0 && now < c->op.deadline_ns) {
		c->op.next_ns = now + (uint64_t)CONSOLE_LOOK_MS * 1000000U;
		return;
	}
	console_answer(c, &i, l->tail->boot_cnt, min_u64(m->off, INT64_MAX),
		       min_u64(m->end, INT64_MAX), m->data.b,
		       min_u64(m->data.len, sizeof(m->data.b)));
}

void api_timers(struct conn *c, uint64_t now_ns, uint64_t *next)
{
	if (c->op.kind == OP_CONSOLE && c->op.next_ns) {
		if (now_ns >= c->op.next_ns)
			api_console_look(c);
		if (c->op.kind == OP_CONSOLE && c->op.next_ns)
			*next = min_u64(*next, c->op.next_ns);
	}
	if (c->op.kind == OP_FORWARD) {
		if (now_ns >= c->op.next_ns)
			api_forward_look(c);
		if (c->op.kind == OP_FORWARD)
			*next = min_u64(*next, now_ns + (uint64_t)FORWARD_LOOK_MS * 1000000U);
	}
	if (c->op.kind == OP_HOST_DRAIN) {
		if (now_ns >= c->op.deadline_ns)
			check_drain(c);
		else
			*next = min_u64(*next, c->op.deadline_ns);
	}
}
