/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/random.h"
#include "controller/front/front_priv.h"

enum { HEAD_MAX = 512 };

/* spec: rfc-9562 §5.4 */
static int uuid_new(char ret[40])
{
	uint8_t b[16];

	if (random_bytes(b, sizeof(b)) < 0)
		return -EIO;
	b[6] = (uint8_t)((b[6] & 0x0f) | 0x40);
	b[8] = (uint8_t)((b[8] & 0x3f) | 0x80);
	snprintf(ret, 40, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x",
		 b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12],
		 b[13], b[14], b[15]);
	return 0;
}

/* spec: rfc-9110 §5.6.7: "Sun, 06 Nov 1994 08:49:37 GMT". Clients set their clocks by it. */
static void date_write(struct daemon *d, char ret[32])
{
	static const char *const days[] = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat" };
	static const char *const months[] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun",
					      "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
	time_t s = (time_t)(d->core.env.now_ms(d->core.env.ptr) / 1000);
	struct tm tm;

	if (!gmtime_r(&s, &tm)) {
		ret[0] = '\0';
		return;
	}
	snprintf(ret, 32, "%s, %02d %s %04d %02d:%02d:%02d GMT", days[(unsigned)tm.tm_wday % 7],
		 tm.tm_mday, months[(unsigned)tm.tm_mon % 12], tm.tm_year + 1900, tm.tm_hour,
		 tm.tm_min, tm.tm_sec);
}

int call_new(struct front_conn *c, struct front_call **ret)
{
	struct front *f = c->d->front;
	struct front_call *k;

	while (f->out_total > OUT_TOTAL && front_answer_drop(f))
		;
	if (f->call_cnt >= FRONT_EXCHANGES_MAX || f->out_total > OUT_TOTAL)
		return -EBUSY;
	k = calloc(1, sizeof(*k));
	if (!k || uuid_new(k->x.request_id) < 0) {
		free(k);
		return -ENOMEM;
	}
	k->x.d = c->d;
	k->x.conn = c;
	k->x.req = &k->req;
	k->x.tls = c->tls != NULL;
	k->x.conn_number = c->number;
	snprintf(k->x.peer, sizeof(k->x.peer), "%s", c->peer);
	f->call_cnt++;
	*ret = k;
	return 0;
}

static void answer_send(struct front_conn *c, unsigned status, const char *type, const char *id,
			char *body, size_t len)
{
	char head[HEAD_MAX], date[32];
	int n;

	date_write(c->d, date);
	n = snprintf(head, sizeof(head),
		     "HTTP/1.1 %u %s\r\nx-amzn-RequestId: %s\r\nDate: %s\r\n%s%s%s"
		     "Content-Length: %zu\r\n%s\r\n",
		     status, http_status_text(status), id, date, len ? "Content-Type: " : "",
		     len ? type : "", len ? "\r\n" : "", len,
		     c->close ? "Connection: close\r\n" : "");
	must(n > 0 && (size_t)n < sizeof(head)); /* every part is bounded */
	front_conn_send(c, head, (size_t)n, body, len);
}

void call_refuse(struct front_conn *c, unsigned status, const char *reason)
{
	struct exchange x = { .d = c->d };
	const char *type = NULL;
	size_t len = 0;
	char *body;

	c->close = true;
	log_debug("front.refused", "status=%u reason=\"%s\"", status, reason);
	if (uuid_new(x.request_id) < 0) {
		front_conn_end(c);
		return;
	}
	body = route_error(&x,
			   status == 503   ? "RequestLimitExceeded"
			   : status == 500 ? "InternalError"
					   : "InvalidRequest",
			   reason, &type, &len);
	answer_send(c, status, type, x.request_id, body, len);
}

void exchange_reply(struct exchange *x, unsigned status, const char *type, char *body, size_t len)
{
	struct front_call *k = call_of(x);
	struct front *f = x->d->front;

	k->status = status;
	k->type = type;
	k->body = body;
	k->len = len;
	k->in_turn = x->d->turn.open;
	k->next = NULL;
	*f->held_tail = k;
	f->held_tail = &k->next;
}

static void call_failed(struct front_call *k)
{
	free(k->body);
	k->body = route_error(&k->x, "InternalError",
			      "An internal error has occurred; nothing was changed", &k->type,
			      &k->len);
	k->status = 500;
	snprintf(k->x.code, sizeof(k->x.code), "InternalError");
}

static void call_leave(struct front_call *k)
{
	struct front *f = k->x.d->front;

	if (k->x.conn) {
		k->x.conn->call = NULL;
		k->x.conn->secret = k->x.secret;
		answer_send(k->x.conn, k->status, k->type, k->x.request_id, k->body, k->len);
	} else {
		if (k->x.secret && k->body)
			mem_wipe(k->body, k->len);
		free(k->body);
	}
	free(k->x.kept);
	free(k);
	f->call_cnt--;
}

void front_turn_end(struct daemon *d, bool durable)
{
	struct front *f = d->front;

	if (!f || !f->held)
		return;
	for (struct front_call *k = f->held; k; k = k->next) {
		if (k->in_turn && !durable)
			call_failed(k);
		audit_call(f->audit, &k->x, k->status);
	}
	audit_flush(f->audit); /* before anybody is told */
	while (f->held) {
		struct front_call *k = f->held;

		f->held = k->next;
		if (!f->held)
			f->held_tail = &f->held;
		call_leave(k);
	}
}
