/* SPDX-License-Identifier: Apache-2.0 */
#include "security/channel_sign.h"

#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "security/sign.h"

static int sign(struct service *s, const struct channel *c, const struct ctl_bytes_chunk *doc,
		struct ctl_signed *ret)
{
	const struct identity *id = &s->identity;
	int r;

	if (!s->has_identity)
		return -ENOKEY;
	r = sign_document_check(doc->b, doc->len, c->instance, c->account);
	if (r < 0)
		return r;
	_Static_assert((int)RSA_SIGNATURE_BYTES <= (int)CTL_WRAPPED_MAX, "fits");
	r = rsa_sign(&id->rsa, doc->b, doc->len, ret->signature.b);
	if (r < 0)
		return r;
	ret->signature.len = RSA_SIGNATURE_BYTES;
	r = rsa_pkcs7(&id->rsa, id->cert, id->cert_len, doc->b, doc->len, ret->pkcs7.b,
		      sizeof(ret->pkcs7.b));
	if (r < 0)
		return r;
	ret->pkcs7.len = (uint16_t)r;
	return 0;
}

int channel_sign_answer(struct service *s, struct channel *c, const struct ctl_msg *m)
{
	struct ctl_signed *a = &s->signed_doc;
	int r;

	if (m->type != CTL_SIGN_IDENTITY)
		return -EPROTO;
	memset(a, 0, sizeof(*a));
	if (bucket_take(&c->rate, 1, clock_ns()) != 0)
		r = -EAGAIN;
	else
		r = sign(s, c, &m->u.sign_identity.document, a);
	if (r < 0) {
		memset(a, 0, sizeof(*a));
		s->refused_cnt++;
		c->refused_cnt += r != -EAGAIN;
		log_warn_limited("sec.sign.refused", "inst=%s err=%d", c->instance, r);
	} else {
		log_info("sec.sign", "inst=%s", c->instance);
	}
	a->err = r;
	r = ctl_send(c->fd, CTL_SIGNED, m->seq, a, NULL, 0);
	if (r == 0 && c->refused_cnt >= CHANNEL_REFUSED_MAX)
		return -EPERM;
	return r;
}
