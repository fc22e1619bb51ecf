/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The dispatcher: a form body in, an XML document out. Everything around the handlers is here: which action and which
 * version, the transaction, DryRun, client tokens, parameters nobody read, and the frame of the answer. What is
 * refused was rolled back.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "controller/ec2/call_priv.h"
#include "controller/front/exchange.h"

#define EC2_VERSION "2016-11-15"

static struct ec2_sink sink;

void ec2_sink_set(const struct ec2_sink *s)
{
	sink = *s;
}

void ec2_token_result(struct ec2_call *c, const char *id)
{
	must(strlen(id) < sizeof(c->token_result));
	snprintf(c->token_result, sizeof(c->token_result), "%s", id);
}

void ec2_return(struct ec2_call *c)
{
	xml_bool(&c->out, "return", true);
}

static void call_free(struct ec2_call *c)
{
	query_done(&c->q);
	xml_done(&c->out);
	core_acts_done(&c->acts);
	free(c->kept);
	free(c);
}

/* A random UUID, RFC 4122 version 4. */
static int request_id_make(struct core *core, char *ret, size_t cap)
{
	uint8_t b[16];
	int r;

	r = core->env.random(core->env.ptr, b, sizeof(b));
	if (r < 0)
		return r;
	b[6] = (uint8_t)(0x40 | (b[6] & 0x0f));
	b[8] = (uint8_t)(0x80 | (b[8] & 0x3f));
	snprintf(ret, cap, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x",
		 b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12],
		 b[13], b[14], b[15]);
	return 0;
}

static int call_new(struct daemon *d, struct core *core, const char *account, struct exchange *x,
		    struct ec2_call **ret)
{
	struct ec2_call *c = calloc(1, sizeof(*c));
	int r = 0;

	if (!c)
		return -ENOMEM;
	c->d = d;
	c->core = core;
	c->account = x ? x->account : account;
	c->x = x;
	c->action = "";
	if (x)
		snprintf(c->request_id, sizeof(c->request_id), "%s", x->request_id);
	else
		r = request_id_make(core, c->request_id, sizeof(c->request_id));
	if (r < 0) {
		free(c);
		return r;
	}
	*ret = c;
	return 0;
}

/* Parameters of the signature, when it is in the target. */
static void signature_ignore(struct query *q)
{
	for (size_t i = 0; i < q->cnt; i++)
		if (strncmp(q->param[i].name, "X-Amz-", 6) == 0)
			q->param[i].read = true;
}

/* Action and Version. */
static int call_identify(struct ec2_call *c)
{
	const char *action = query_str(&c->in, "Action");
	const char *version = query_str(&c->in, "Version");
	char safe[96];

	if (!action)
		return ec2_refuse(c, "MissingAction",
				  "The request must contain the parameter Action");
	c->row = ec2_action_find(action);
	if (!c->row) {
		log_escape(safe, sizeof(safe), action, strlen(action));
		return ec2_refuse(c, "InvalidAction",
				  "The action %s is not valid for this web service.", safe);
	}
	c->action = c->row->name;
	if (c->x) {
		snprintf(c->x->action, sizeof(c->x->action), "%s", c->action);
		c->x->changes = c->row->changes;
	}
	if (!version)
		return ec2_refuse(c, "MissingParameter",
				  "The request must contain the parameter Version");
	if (strcmp(version, EC2_VERSION) != 0)
		return ec2_refuse(c, "NoSuchVersion",
				  "The requested version is not offered here, only " EC2_VERSION);
	return 0;
}

static int refuse_dry(struct ec2_call *c)
{
	return ec2_refuse(c, "DryRunOperation",
			  "Request would have succeeded, but DryRun flag is set.");
}

/* The frame is begun before the handler, whose members follow. */
static void answer_begin(struct ec2_call *c)
{
	static const char head[] = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<";
	static const char ns[] = "Response xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\">";
	struct xml *x = &c->out;

	x->len = 0;
	xml_raw(x, head, sizeof(head) - 1);
	xml_raw(x, c->action, strlen(c->action));
	xml_raw(x, ns, sizeof(ns) - 1);
	xml_str(x, "requestId", c->request_id);
}

static int call_run(struct ec2_call *c)
{
	char result[MODEL_NAME_MAX];
	const char *token = NULL;
	bool dry;
	int r;

	signature_ignore(&c->q);
	r = call_identify(c);
	if (r < 0)
		return r;
	dry = query_bool(&c->in, "DryRun", false);
	if (c->row->replay)
		token = token_read(c);
	if (query_failed(&c->q))
		return -EINVAL;
	r = token ? token_seen(c, token, result) : 0;
	if (r < 0)
		return r;
	/* A token makes a request repeatable; without one it may be made once. */
	if (c->row->changes && !token && !dry && c->x && sink.once) {
		r = sink.once(c->x, &c->fault);
		if (r < 0)
			return r;
	}
	answer_begin(c);
	if (r > 0)
		return dry ? refuse_dry(c) : c->row->replay(c, result);
	r = c->row->fn(c);
	if (r < 0)
		return r;
	if (query_failed(&c->q))
		return -EINVAL;
	r = query_leftovers(&c->q);
	if (r == 0 && dry)
		r = refuse_dry(c);
	if (r == 0 && token)
		r = token_keep(c, token);
	return r;
}

/* The handler in its transaction. */
static int call_transact(struct ec2_call *c)
{
	struct store *st = c->core->st;
	int r;

	c->acts.cnt = 0;
	c->filter_steps = 0;
	r = store_begin(st);
	if (r < 0)
		return fault_internal(&c->fault, r, "beginning");
	r = call_run(c);
	if (r >= 0 && xml_failed(&c->out))
		r = -ENOMEM;
	if (r >= 0) {
		r = store_commit(st);
		if (r < 0)
			(void)!fault_internal(&c->fault, r, "recording");
	}
	if (r < 0) {
		store_rollback(st);
		return r;
	}
	if (sink.acts && c->acts.cnt > 0)
		r = sink.acts(c->d, &c->acts);
	/* It is recorded, so it will be done; niterd looks again when it has memory. */
	if (r < 0)
		log_err("ec2.acts", "action=%s err=%d", c->action, -r);
	return 0;
}

static int answer_done(struct ec2_call *c, char **ret_body, size_t *ret_len)
{
	struct xml *x = &c->out;

	xml_raw(x, "</", 2);
	xml_raw(x, c->action, strlen(c->action));
	xml_raw(x, "Response>", 9);
	if (xml_failed(x))
		return -ENOMEM;
	*ret_len = x->len;
	*ret_body = TAKE_PTR(x->buf);
	return 0;
}

/* Return: 0, -ENOMEM: not even an error could be written. */
static int answer(struct ec2_call *c, int r, unsigned *ret_status, char **ret_body, size_t *ret_len)
{
	if (r >= 0) {
		*ret_status = 200;
		return answer_done(c, ret_body, ret_len);
	}
	if (c->fault.code[0] == '\0')
		(void)!fault_internal(&c->fault, r, "the request failed");
	if (ec2_status(c->fault.code) == 500)
		log_err("ec2.fault", "action=%s code=%s err=%d", c->action, c->fault.code, -r);
	if (c->x)
		snprintf(c->x->code, sizeof(c->x->code), "%s", c->fault.code);
	*ret_status = ec2_status(c->fault.code);
	return ec2_error(c->fault.code, c->fault.text, c->request_id, ret_body, ret_len);
}

int ec2_handle(struct daemon *d, struct core *core, const char *account, const char *body,
	       size_t len, struct exchange *x, unsigned *ret_status, char **ret_body,
	       size_t *ret_len)
{
	struct ec2_call *c;
	int r;

	*ret_body = NULL;
	*ret_len = 0;
	r = call_new(d, core, account, x, &c);
	if (r < 0)
		return r;
	c->q.fault = &c->fault;
	r = query_parse(body, len, &c->q, &c->fault);
	c->in = query_root(&c->q);
	if (r == 0)
		r = call_transact(c);
	if (r == -EINPROGRESS)
		return r;
	r = answer(c, r, ret_status, ret_body, ret_len);
	call_free(c);
	return r;
}

void ec2_call_keep(struct ec2_call *c, void *kept)
{
	c->kept = kept;
}

static void call_reply(struct ec2_call *c, int r)
{
	unsigned status = 500;
	char *body = NULL;
	size_t len = 0;

	if (answer(c, r, &status, &body, &len) < 0)
		status = 500;
	if (sink.reply)
		sink.reply(c->x, status, EC2_CONTENT_TYPE, body, len);
	else
		free(body);
	call_free(c);
}

void ec2_call_finish(struct ec2_call *c, int r)
{
	if (r >= 0 && query_failed(&c->q))
		r = -EINVAL;
	if (r >= 0)
		r = query_leftovers(&c->q);
	if (r >= 0 && query_bool(&c->in, "DryRun", false))
		r = refuse_dry(c);
	call_reply(c, r);
}

void ec2_call_again(struct ec2_call *c)
{
	int r;

	for (size_t i = 0; i < c->q.cnt; i++)
		c->q.param[i].read = false;
	c->fault = (struct fault){ .code = "" };
	r = call_transact(c);
	if (r != -EINPROGRESS)
		call_reply(c, r);
}
