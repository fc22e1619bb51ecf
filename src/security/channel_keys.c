/* SPDX-License-Identifier: Apache-2.0 */
#include "security/channel_keys.h"

#include "base/log.h"
#include "base/mem.h"

/*
 * niterd passes on what tenants ask, so what is refused here says nothing about niterd: refusals are counted, but close nothing.
 * An answer that does not fit in the socket closes the channel: niterd has no more requests under way than fit.
 */
int channel_keys_answer(struct service *s, struct channel *c, const struct ctl_msg *m)
{
	struct keys_answer *a = &s->keys_answer;
	int r;

	r = keys_answer(&s->keys, m, a);
	if (r < 0)
		return r;
	if (a->u.kms.err < 0) { /* the first member of every answer */
		s->refused_cnt++;
		log_warn_limited("sec.keys.refused", "asked=%#x err=%d", (unsigned)m->type,
				 a->u.kms.err);
	}
	r = ctl_send(c->fd, a->type, m->seq, &a->u, NULL, 0);
	mem_wipe(a, sizeof(*a));
	return r;
}
