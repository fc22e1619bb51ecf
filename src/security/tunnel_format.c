/* SPDX-License-Identifier: Apache-2.0 */
#include "security/tunnel_format.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "base/bytes.h"

enum { INIT_PAD_BYTES = 176, MAGIC_0 = 'N', MAGIC_1 = 'T' };

static void head_write(struct wr *out, const struct tunnel_msg *m)
{
	wr_u8(out, MAGIC_0);
	wr_u8(out, MAGIC_1);
	wr_u8(out, TUNNEL_VERSION);
	wr_u8(out, (uint8_t)m->type);
	wr_le32(out, m->number);
	wr_bytes(out, m->sid_i, sizeof(m->sid_i));
}

static void ephemeral_write(struct wr *out, const struct tunnel_msg *m)
{
	wr_bytes(out, m->x25519, sizeof(m->x25519));
	wr_bytes(out, m->p384, sizeof(m->p384));
}

static void proof_write(struct wr *out, const struct tunnel_msg *m)
{
	wr_bytes(out, m->identity, sizeof(m->identity));
	wr_bytes(out, m->signature, sizeof(m->signature));
	wr_bytes(out, m->mac, sizeof(m->mac));
}

size_t tunnel_msg_encode(const struct tunnel_msg *m, uint8_t ret[TUNNEL_MSG_MAX])
{
	struct wr out = wr_init(ret, TUNNEL_MSG_MAX);

	head_write(&out, m);
	switch (m->type) {
	case TUNNEL_INIT:
		wr_bytes(&out, m->fp_i, sizeof(m->fp_i));
		wr_bytes(&out, m->fp_r, sizeof(m->fp_r));
		ephemeral_write(&out, m);
		wr_zero(&out, INIT_PAD_BYTES);
		wr_bytes(&out, m->cookie, sizeof(m->cookie));
		break;
	case TUNNEL_REPLY:
		wr_bytes(&out, m->sid_r, sizeof(m->sid_r));
		ephemeral_write(&out, m);
		proof_write(&out, m);
		break;
	case TUNNEL_FINISH:
		wr_bytes(&out, m->sid_r, sizeof(m->sid_r));
		proof_write(&out, m);
		break;
	case TUNNEL_DONE:
		wr_bytes(&out, m->sid_r, sizeof(m->sid_r));
		wr_bytes(&out, m->mac, sizeof(m->mac));
		break;
	case TUNNEL_COOKIE:
		wr_bytes(&out, m->cookie, sizeof(m->cookie));
		break;
	case TUNNEL_REFUSED:
		wr_bytes(&out, m->fp_r, sizeof(m->fp_r));
		break;
	}
	must(!out.bad);
	return out.len;
}

static void ephemeral_read(struct rd *in, struct tunnel_msg *m)
{
	rd_bytes(in, m->x25519, sizeof(m->x25519));
	rd_bytes(in, m->p384, sizeof(m->p384));
}

static void proof_read(struct rd *in, struct tunnel_msg *m)
{
	rd_bytes(in, m->identity, sizeof(m->identity));
	rd_bytes(in, m->signature, sizeof(m->signature));
	rd_bytes(in, m->mac, sizeof(m->mac));
}

static void pad_read(struct rd *in)
{
	static const uint8_t zero[INIT_PAD_BYTES];
	uint8_t pad[INIT_PAD_BYTES];

	rd_bytes(in, pad, sizeof(pad));
	if (memcmp(pad, zero, sizeof(pad)) != 0)
		in->bad = true;
}

/* What follows sid_i. */
static void body_read(struct rd *in, struct tunnel_msg *m)
{
	switch (m->type) {
	case TUNNEL_INIT:
		rd_bytes(in, m->fp_i, sizeof(m->fp_i));
		rd_bytes(in, m->fp_r, sizeof(m->fp_r));
		ephemeral_read(in, m);
		pad_read(in);
		rd_bytes(in, m->cookie, sizeof(m->cookie));
		break;
	case TUNNEL_REPLY:
		rd_bytes(in, m->sid_r, sizeof(m->sid_r));
		ephemeral_read(in, m);
		proof_read(in, m);
		break;
	case TUNNEL_FINISH:
		rd_bytes(in, m->sid_r, sizeof(m->sid_r));
		proof_read(in, m);
		break;
	case TUNNEL_DONE:
		rd_bytes(in, m->sid_r, sizeof(m->sid_r));
		rd_bytes(in, m->mac, sizeof(m->mac));
		break;
	case TUNNEL_COOKIE:
		rd_bytes(in, m->cookie, sizeof(m->cookie));
		if (m->number)
			in->bad = true;
		break;
	case TUNNEL_REFUSED:
		rd_bytes(in, m->fp_r, sizeof(m->fp_r));
		if (m->number != TUNNEL_ANOTHER_HOST && m->number != TUNNEL_NOT_KNOWN)
			in->bad = true;
		break;
	}
}

int tunnel_msg_decode(const void *buf, size_t len, struct tunnel_msg *ret)
{
	struct rd in = rd_init(buf, len);
	struct tunnel_msg m;
	uint8_t magic[2], version, type;

	memset(&m, 0, sizeof(m));
	rd_bytes(&in, magic, sizeof(magic));
	version = rd_u8(&in);
	type = rd_u8(&in);
	m.number = rd_le32(&in);
	rd_bytes(&in, m.sid_i, sizeof(m.sid_i));
	if (in.bad || magic[0] != MAGIC_0 || magic[1] != MAGIC_1)
		return -EPROTO;
	if (version != TUNNEL_VERSION)
		return -ENOTSUP;
	if (type < TUNNEL_INIT || type > TUNNEL_REFUSED)
		return -EPROTO;
	m.type = (enum tunnel_type)type;
	body_read(&in, &m);
	if (in.bad || in.left)
		return -EPROTO;
	*ret = m;
	return 0;
}
