/* SPDX-License-Identifier: Apache-2.0 */
#include "vpc/esp.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "crypto/packet_gcm.h"
#include "vpc/replay.h"

/* spec: rfc-4303 §2; rfc-4106 §3, §5; docs/wire/overlay.md */

enum {
	NEXT_HEADER_UDP = 17, /* transport mode: what follows is the UDP datagram itself */
	PAD_ALIGN = 4,
	TRAILER_FIXED = 2, /* pad length, next header */
	PAD_MAX = 255,
	AES_BLOCK = 16,
};

struct esp_tx {
	struct packet_seal *gcm; /* owns key and counter */
	uint64_t blocks;         /* AES blocks used, the tag's included */
	uint64_t born_ns;
	uint8_t geneve[GENEVE_BYTES]; /* headers before a frame, without its length */
	uint32_t spi;
	uint32_t last; /* last number used */
};

struct esp_rx {
	struct packet_open *gcm;
	uint8_t geneve[GENEVE_BYTES]; /* what our peers put before a frame, without its length */
	uint32_t spi, vni;
	struct replay window;
};

static uint32_t be32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return __builtin_bswap32(v);
}

static void be64_put(uint8_t *p, uint64_t v)
{
	v = __builtin_bswap64(v);
	memcpy(p, &v, sizeof(v));
}

/* ---- life ---- */

static bool sa_ok(const struct esp_sa *sa)
{
	return sa->spi >= ESP_SPI_MIN && sa->vni && sa->vni <= GENEVE_VNI_MAX && sa->key &&
	       key_len(sa->key) == PACKET_GCM_KEY_BYTES;
}

int esp_tx_new(const struct esp_sa *sa, struct esp_tx **ret)
{
	CLEANUP(esp_tx_freep) struct esp_tx *t = NULL;
	int r;

	if (!sa_ok(sa) || sa->seq == ESP_SEQ_MAX)
		return -EINVAL;
	t = calloc(1, sizeof(*t));
	if (!t)
		return -ENOMEM;
	t->spi = sa->spi;
	geneve_put(t->geneve, sa->vni, 0);
	t->last = sa->seq;
	t->blocks = sa->blocks;
	t->born_ns = sa->now_ns;
	r = packet_seal_new(sa->key, sa->salt, (uint64_t)sa->seq + 1, ESP_SEQ_MAX, &t->gcm);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(t);
	return 0;
}

int esp_rx_new(const struct esp_sa *sa, struct esp_rx **ret)
{
	CLEANUP(esp_rx_freep) struct esp_rx *x = NULL;
	int r;

	if (!sa_ok(sa))
		return -EINVAL;
	x = calloc(1, sizeof(*x));
	if (!x)
		return -ENOMEM;
	x->spi = sa->spi;
	x->vni = sa->vni;
	geneve_put(x->geneve, sa->vni, 0);
	replay_init(&x->window, sa->seq);
	r = packet_open_new(sa->key, sa->salt, &x->gcm);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(x);
	return 0;
}

void esp_tx_free(struct esp_tx *t)
{
	if (!t)
		return;
	packet_seal_free(t->gcm);
	free(t);
}

void esp_rx_free(struct esp_rx *x)
{
	if (!x)
		return;
	packet_open_free(x->gcm);
	free(x);
}

void esp_tx_freep(struct esp_tx **t)
{
	esp_tx_free(*t);
	*t = NULL;
}

void esp_rx_freep(struct esp_rx **x)
{
	esp_rx_free(*x);
	*x = NULL;
}

uint32_t esp_tx_seq(const struct esp_tx *t)
{
	return t->last;
}

uint64_t esp_tx_blocks(const struct esp_tx *t)
{
	return t->blocks;
}

uint32_t esp_rx_seq(const struct esp_rx *x)
{
	return x->window.top;
}

bool esp_tx_wants_rekey(const struct esp_tx *t, uint64_t now_ns)
{
	return t->last >= ESP_SOFT_PACKETS || t->blocks >= ESP_SOFT_BLOCKS ||
	       (now_ns > t->born_ns && now_ns - t->born_ns >= ESP_SOFT_AGE_NS);
}

/* ---- sealing ---- */

/* Padding 1, 2, 3, its length, next header. Return: bytes. spec: rfc-4303 §2.4 */
static uint32_t trailer_put(uint8_t *p, uint32_t plain_len)
{
	uint32_t pad = (0U - (plain_len + TRAILER_FIXED)) % PAD_ALIGN, i;

	for (i = 0; i < pad; i++)
		p[i] = (uint8_t)(i + 1);
	p[pad] = (uint8_t)pad;
	p[pad + 1] = NEXT_HEADER_UDP;
	return pad + TRAILER_FIXED;
}

/* Everything of a packet that does not depend on its number. Return: bytes to encrypt, or -EINVAL. */
static int plain_put(const struct esp_seal *j)
{
	uint8_t *plain = j->out + ESP_HDR_BYTES + ESP_IV_BYTES;
	uint32_t frame_len = j->head_len + j->tail_len, len = GENEVE_BYTES + frame_len;

	if (j->head_len > ESP_FRAME_MAX || j->tail_len > ESP_FRAME_MAX ||
	    frame_len < GENEVE_FRAME_MIN || frame_len > ESP_FRAME_MAX)
		return -EINVAL;
	memcpy(plain, j->sa->geneve, GENEVE_BYTES);
	geneve_put_len(plain, frame_len);
	memcpy(j->out + ESP_FRAME_OFF, j->head, j->head_len);
	if (j->tail_len)
		memcpy(j->out + ESP_FRAME_OFF + j->head_len, j->tail, j->tail_len);
	return (int)(len + trailer_put(plain + len, len));
}

/* @len: what plain_put() returned. Return: bytes of the packet, or -errno. */
static int encrypt_one(const struct esp_seal *j, uint32_t len)
{
	uint8_t *plain = j->out + ESP_HDR_BYTES + ESP_IV_BYTES;
	struct esp_tx *t = j->sa;
	uint64_t number = packet_seal_next(t->gcm);
	int r;

	if (!number) {
		mem_wipe(plain, len); /* nobody sends a frame in clear by overlooking the result */
		return -EKEYEXPIRED;
	}
	be64_put(j->out, (uint64_t)t->spi << 32 | (uint32_t)number);
	be64_put(j->out + ESP_HDR_BYTES, number); /* the IV is the counter */
	r = packet_seal_run(t->gcm, j->out, ESP_HDR_BYTES, plain, len, plain + len);
	/* Whatever came of it, that number is used. */
	t->last = (uint32_t)number;
	t->blocks += (len + AES_BLOCK - 1) / AES_BLOCK + 1;
	if (r < 0)
		mem_wipe(plain, len);
	return r < 0 ? r : (int)(ESP_HDR_BYTES + ESP_IV_BYTES + len + ESP_ICV_BYTES);
}

void esp_seal(struct esp_seal *jobs, unsigned cnt)
{
	unsigned i;

	/* All are laid out before the first is encrypted: the wide loads of AES find their bytes in the cache. */
	for (i = 0; i < cnt; i++)
		jobs[i].ret = plain_put(&jobs[i]);
	for (i = 0; i < cnt; i++)
		if (jobs[i].ret >= 0)
			jobs[i].ret = encrypt_one(&jobs[i], (uint32_t)jobs[i].ret);
}

/* ---- opening ---- */

int esp_peek(const uint8_t *packet, size_t len, uint32_t *ret_spi, uint32_t *ret_seq)
{
	uint32_t spi;

	if (len < ESP_PACKET_MIN || len > ESP_PACKET_MAX + GENEVE_OPTIONS_MAX + PAD_MAX ||
	    len % PAD_ALIGN != 0)
		return -EPROTO;
	spi = be32(packet);
	if (spi < ESP_SPI_MIN)
		return -EPROTO;
	*ret_spi = spi;
	*ret_seq = be32(packet + 4);
	return 0;
}

/* What lies before the trailer, of @len decrypted and authentic bytes. Return: bytes, or -EPROTO. */
static int trailer_parse(const uint8_t *plain, uint32_t len)
{
	uint32_t pad = plain[len - 2], i;

	if (plain[len - 1] != NEXT_HEADER_UDP || pad > len - TRAILER_FIXED)
		return -EPROTO;
	for (i = 0; i < pad; i++)
		if (plain[len - TRAILER_FIXED - pad + i] != i + 1)
			return -EPROTO;
	return (int)(len - TRAILER_FIXED - pad);
}

/* What lies before a frame is nearly always exactly what our own geneve_put() writes. */
static int inside_parse(const struct esp_rx *x, const uint8_t *p, uint32_t len, struct geneve *ret)
{
	uint8_t usual[GENEVE_BYTES];

	if (len >= GENEVE_BYTES + GENEVE_FRAME_MIN) {
		memcpy(usual, x->geneve, sizeof(usual));
		geneve_put_len(usual, len - GENEVE_BYTES);
		if (memcmp(usual, p, sizeof(usual)) == 0) {
			ret->vni = x->vni;
			ret->frame = p + GENEVE_BYTES;
			ret->frame_len = len - GENEVE_BYTES;
			return 0;
		}
	}
	return geneve_parse(p, len, ret);
}

static int open_one(struct esp_open *j)
{
	const uint8_t *in = j->packet + ESP_HDR_BYTES + ESP_IV_BYTES;
	struct esp_rx *x = j->sa;
	uint32_t spi = 0, seq = 0, len;
	struct geneve g = { 0 };
	uint8_t *plain = j->out + ESP_HDR_BYTES + ESP_IV_BYTES;
	int r;

	r = esp_peek(j->packet, j->len, &spi, &seq);
	if (r < 0 || spi != x->spi)
		return -EPROTO;
	if (!replay_check(&x->window, seq))
		return -EALREADY;
	len = j->len - ESP_HDR_BYTES - ESP_IV_BYTES - ESP_ICV_BYTES;
	r = packet_open_run(x->gcm, j->packet + ESP_HDR_BYTES, j->packet, ESP_HDR_BYTES, in, len,
			    in + len, plain);
	if (r < 0)
		return r;
	if (!replay_update(&x->window, seq))
		return -EALREADY;
	r = trailer_parse(plain, len);
	if (r < 0 || inside_parse(x, plain, (uint32_t)r, &g) < 0)
		return -EPROTO;
	if (g.vni != x->vni || g.frame_len > ESP_FRAME_MAX)
		return -EPROTO;
	j->frame = g.frame;
	j->frame_len = g.frame_len;
	return 0;
}

void esp_open(struct esp_open *jobs, unsigned cnt)
{
	unsigned i;

	for (i = 0; i < cnt; i++) {
		jobs[i].frame = NULL;
		jobs[i].frame_len = 0;
		jobs[i].ret = open_one(&jobs[i]);
	}
}
