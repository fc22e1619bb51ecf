/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/security_link.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"

enum {
	RECV_PER_WAKE = 64,
};

#define PATIENCE_NS ((uint64_t)SECURITY_PATIENCE_S * 1000000000U)

/* Too big for the stack; one thread. */
static struct ctl_msg msg_buf;
static uint8_t send_buf[CTL_MSG_MAX];

struct security_question {
	struct security_question *next;
	security_link_fn *fn;
	void *ptr;
	enum ctl_type answer;
	uint32_t seq;
	uint64_t deadline_ns;
	size_t len;
	uint8_t packet[]; /* until it is sent; then wiped */
};

/* Which answer a question has; 0: it is none. */
static enum ctl_type answer_of(enum ctl_type type)
{
	if (type == CTL_API_KEY_CREATE)
		return CTL_API_KEY;
	if (type == CTL_API_KEY_DERIVE)
		return CTL_API_KEY_DERIVED;
	if (type == CTL_KMS_KEY_CREATE || type == CTL_KMS_KEY_DESTROY ||
	    type == CTL_KMS_KEY_STATE_SET || type == CTL_KMS_ENCRYPT || type == CTL_KMS_DECRYPT ||
	    type == CTL_KMS_DATA_KEY || type == CTL_KMS_RANDOM)
		return CTL_KMS_ANSWER;
	return (enum ctl_type)0;
}

static void question_free(struct security_question *q)
{
	mem_wipe(q->packet, q->len);
	free(q);
}

static void list_add(struct security_question ***tail, struct security_question *q)
{
	q->next = NULL;
	**tail = q;
	*tail = &q->next;
}

static struct security_question *list_take_first(struct security_question **head,
						 struct security_question ***tail)
{
	struct security_question *q = *head;

	*head = q->next;
	if (!*head)
		*tail = head;
	return q;
}

void security_link_init(struct security_link *l)
{
	memset(l, 0, sizeof(*l));
	l->fd = -1;
	l->asked_tail = &l->asked;
	l->queue_tail = &l->queue;
}

int security_link_open(struct security_link *l, struct loop *loop, struct loop_ref *ref, int fd)
{
	CLEANUP(fd_closep) int own = fd;
	int flags, r;

	if (own < 0)
		return -EBADF;
	flags = fcntl(own, F_GETFL);
	if (flags < 0 || fcntl(own, F_SETFL, flags | O_NONBLOCK) < 0)
		return -errno;
	r = loop_add(loop, own, EPOLLIN, ref);
	if (r < 0)
		return r;
	l->loop = loop;
	l->ref = ref;
	l->events = EPOLLIN;
	l->fd = TAKE_FD(own);
	return 0;
}

bool security_link_is_open(const struct security_link *l)
{
	return l->fd >= 0;
}

/* Tells everybody of a list; those told may ask again, and are refused. */
static void list_fail(struct security_question *q, int err)
{
	struct security_question *next;

	for (; q; q = next) {
		next = q->next;
		if (q->fn) /* not told yet */
			q->fn(q->ptr, err, NULL);
		question_free(q);
	}
}

void security_link_close(struct security_link *l)
{
	struct security_question *asked = l->asked, *queue = l->queue;

	if (l->fd >= 0)
		loop_del(l->loop, l->fd);
	fd_closep(&l->fd);
	l->asked = NULL;
	l->queue = NULL;
	l->asked_tail = &l->asked;
	l->queue_tail = &l->queue;
	l->asked_cnt = 0;
	l->queue_cnt = 0;
	list_fail(asked, -ENOTCONN);
	list_fail(queue, -ENOTCONN);
}

static int watch(struct security_link *l, uint32_t events)
{
	int r;

	if (l->events == events)
		return 0;
	r = loop_mod(l->loop, l->fd, events, l->ref);
	if (r == 0)
		l->events = events;
	return r;
}

/* Sends as many as may be under way. Return: 0, -errno the socket is of no use any more. */
static int queue_flush(struct security_link *l)
{
	struct security_question *q;
	int r;

	while (l->queue && l->asked_cnt < SECURITY_ASKED_MAX) {
		q = l->queue;
		r = fd_msg_send(l->fd, q->packet, q->len, NULL, 0);
		if (r == -EAGAIN)
			return watch(l, EPOLLIN | EPOLLOUT);
		if (r < 0)
			return r;
		mem_wipe(q->packet, q->len);
		(void)list_take_first(&l->queue, &l->queue_tail);
		l->queue_cnt--;
		list_add(&l->asked_tail, q);
		l->asked_cnt++;
	}
	return watch(l, EPOLLIN);
}

static struct security_question *question_new(struct security_link *l, enum ctl_type type,
					      const void *body)
{
	struct security_question *q = NULL;
	int len;

	if (++l->seq == 0) /* 0 is for events */
		l->seq = 1;
	len = ctl_encode(type, l->seq, body, 0, send_buf, sizeof(send_buf));
	if (len > 0) {
		q = calloc(1, sizeof(*q) + (size_t)len);
		if (q) {
			memcpy(q->packet, send_buf, (size_t)len);
			q->len = (size_t)len;
			q->seq = l->seq;
		}
		mem_wipe(send_buf, (size_t)len);
	}
	return q;
}

int security_link_ask(struct security_link *l, enum ctl_type type, const void *body,
		      security_link_fn *fn, void *ptr)
{
	enum ctl_type answer = answer_of(type);
	struct security_question *q;

	if (!answer)
		return -EINVAL;
	if (l->fd < 0)
		return -ENOTCONN;
	if (l->queue_cnt >= SECURITY_QUEUE_MAX)
		return -EBUSY;
	q = question_new(l, type, body);
	if (!q)
		return -ENOMEM;
	q->fn = fn;
	q->ptr = ptr;
	q->answer = answer;
	q->deadline_ns = clock_ns() + PATIENCE_NS;
	list_add(&l->queue_tail, q);
	l->queue_cnt++;
	/* What is wrong with the socket its next event says: nobody is called back from here. */
	if (queue_flush(l) < 0)
		log_debug("security.send", "type=%#x", (unsigned)type);
	return 0;
}

static struct security_question *asked_take(struct security_link *l, uint32_t seq)
{
	struct security_question **p = &l->asked, *q;

	while ((q = *p) && q->seq != seq)
		p = &q->next;
	if (!q)
		return NULL;
	*p = q->next;
	if (l->asked_tail == &q->next)
		l->asked_tail = p;
	l->asked_cnt--;
	return q;
}

/* An answer nobody waits for any more came too late. Return: 0, -EPROTO. */
static int answer_take(struct security_link *l, const struct ctl_msg *m)
{
	struct security_question *q = asked_take(l, m->seq);

	bool fits = q && q->answer == m->type;

	if (!q)
		return -EPROTO; /* of no question of ours */
	if (q->fn)
		q->fn(q->ptr, fits ? 0 : -ENOTCONN, fits ? m : NULL);
	question_free(q);
	return fits ? 0 : -EPROTO;
}

void security_link_event(struct security_link *l, UNUSED uint32_t events)
{
	int r = 1;

	for (int k = 0; r > 0 && k < RECV_PER_WAKE && l->fd >= 0; k++) {
		r = ctl_recv(l->fd, &msg_buf);
		if (r == -EAGAIN)
			break;
		if (r == 0)
			r = -EPIPE;
		if (r < 0)
			break;
		r = answer_take(l, &msg_buf);
		ctl_msg_done(&msg_buf);
		if (r == 0)
			r = 1;
	}
	if (l->fd >= 0 && (r > 0 || r == -EAGAIN))
		r = queue_flush(l);
	if (r >= 0 || l->fd < 0)
		return;
	log_err("security.lost", "err=%d text=\"no keys until niterd or the host is restarted\"",
		r);
	security_link_close(l);
}

static void told(struct security_question *q, int err, const struct ctl_msg *m)
{
	security_link_fn *fn = q->fn;

	q->fn = NULL;
	if (fn)
		fn(q->ptr, err, m);
}

/*
 * Questions are in order of age: those that are too old are at the front. One that was sent keeps its place until its answer comes:
 * no more answers can be on their way than fit in the socket.
 */
void security_link_timers(struct security_link *l, uint64_t now_ns, uint64_t *next)
{
	struct security_question *q;

	for (q = l->asked; q && q->deadline_ns <= now_ns; q = q->next)
		told(q, -ETIMEDOUT, NULL);
	if (q && q->deadline_ns < *next)
		*next = q->deadline_ns;
	while (l->queue && l->queue->deadline_ns <= now_ns) {
		q = list_take_first(&l->queue, &l->queue_tail);
		l->queue_cnt--;
		told(q, -ETIMEDOUT, NULL);
		question_free(q);
	}
	if (l->queue && l->queue->deadline_ns < *next)
		*next = l->queue->deadline_ns;
}
