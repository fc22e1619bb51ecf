/* SPDX-License-Identifier: Apache-2.0 */
#include "metadata/http_conn.h"

#include <string.h>

#include "metadata/guard.h"

void http_conn_reset(struct http_conn *c)
{
	c->in_len = 0;
	c->scanned = 0;
	c->out_off = 0;
	c->out_end = 0;
	c->close = false;
}

/* The body lies behind the room for a head; the head is put right before it. */
static char *out_body(struct http_conn *c)
{
	return c->out + HTTP_ANSWER_HEAD_MAX;
}

static void out_set(struct http_conn *c, const struct http_answer *a)
{
	char head[HTTP_ANSWER_HEAD_MAX];
	size_t len = http_answer_head(a, head);

	c->out_off = HTTP_ANSWER_HEAD_MAX - len;
	memcpy(c->out + c->out_off, head, len);
	c->out_end = HTTP_ANSWER_HEAD_MAX + a->body_len;
	c->close = a->close;
}

static enum http_step refuse(struct http_conn *c, int status)
{
	struct http_answer a;

	imds_refuse(status, out_body(c), &a);
	out_set(c, &a);
	c->in_len = 0; /* nobody can say where a next request would begin */
	c->scanned = 0;
	return STEP_ANSWER;
}

enum http_step http_conn_step(struct http_conn *c, struct imds *m, struct bucket *b,
			      uint64_t now_ns, uint64_t *wait_ns)
{
	struct http_request req;
	struct http_answer a;
	int head, status;

	head = http_head_end(c->in, c->in_len, &c->scanned, &status);
	if (head == 0)
		return STEP_MORE;
	*wait_ns = guard_rate(b, now_ns);
	if (*wait_ns)
		return STEP_WAIT;
	if (head < 0 || http_parse(c->in, (size_t)head, &req, &status) < 0)
		return refuse(c, status);

	imds_answer(m, &req, now_ns, out_body(c), &a);
	out_set(c, &a);
	c->in_len -= (size_t)head;
	memmove(c->in, c->in + head, c->in_len);
	c->scanned = 0;
	return a.ttl_s ? STEP_TOKEN : STEP_ANSWER;
}
