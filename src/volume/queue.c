/* SPDX-License-Identifier: Apache-2.0 */

#include "volume/volume_priv.h"

void queue_put(struct req_queue *q, struct vol_req *r)
{
	r->priv.next = NULL;
	if (q->tail)
		q->tail->priv.next = r;
	else
		q->head = r;
	q->tail = r;
}

struct vol_req *queue_take(struct req_queue *q)
{
	struct vol_req *r = q->head;

	if (!r)
		return NULL;
	q->head = r->priv.next;
	if (!q->head)
		q->tail = NULL;
	r->priv.next = NULL;
	return r;
}

bool queue_remove(struct req_queue *q, struct vol_req *r)
{
	struct vol_req *before = NULL;

	for (struct vol_req *i = q->head; i; before = i, i = i->priv.next) {
		if (i != r)
			continue;
		if (before)
			before->priv.next = r->priv.next;
		else
			q->head = r->priv.next;
		if (q->tail == r)
			q->tail = before;
		r->priv.next = NULL;
		return true;
	}
	return false;
}
