/* SPDX-License-Identifier: Apache-2.0 */

/*
 * No cipher at all, in place of crypto/packet_gcm.c: shows what everything but the cipher costs. Linked into a
 * benchmark and nothing else.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "crypto/packet_gcm.h"

struct packet_seal {
	uint64_t next, last;
};
struct packet_open {
	int unused;
};

int packet_gcm_init(void)
{
	return 0;
}

const char *packet_gcm_name(void)
{
	return "none";
}

int packet_gcm_reserve(unsigned cnt)
{
	(void)cnt;
	return 0;
}

int packet_seal_new(const struct key *k, const uint8_t salt[PACKET_GCM_SALT_BYTES], uint64_t first,
		    uint64_t last, struct packet_seal **ret)
{
	(void)k;
	(void)salt;
	*ret = malloc(sizeof(**ret));
	if (!*ret)
		return -ENOMEM;
	**ret = (struct packet_seal){ first, last };
	return 0;
}

void packet_seal_free(struct packet_seal *s)
{
	free(s);
}

void packet_seal_freep(struct packet_seal **s)
{
	free(*s);
	*s = NULL;
}

uint64_t packet_seal_next(const struct packet_seal *s)
{
	return s->next <= s->last ? s->next : 0;
}

int packet_seal_run(struct packet_seal *s, const void *aad, size_t aad_len, uint8_t *buf,
		    size_t len, uint8_t *tag)
{
	(void)aad;
	(void)aad_len;
	(void)buf;
	(void)len;
	if (s->next > s->last)
		return -EKEYEXPIRED;
	s->next++;
	memset(tag, 0, PACKET_GCM_TAG_BYTES);
	return 0;
}

int packet_open_new(const struct key *k, const uint8_t salt[PACKET_GCM_SALT_BYTES],
		    struct packet_open **ret)
{
	(void)k;
	(void)salt;
	*ret = malloc(sizeof(**ret));
	return *ret ? 0 : -ENOMEM;
}

void packet_open_free(struct packet_open *o)
{
	free(o);
}

void packet_open_freep(struct packet_open **o)
{
	free(*o);
	*o = NULL;
}

int packet_open_run(struct packet_open *o, const uint8_t *iv, const void *aad, size_t aad_len,
		    const uint8_t *in, size_t len, const uint8_t *tag, uint8_t *out)
{
	(void)o;
	(void)iv;
	(void)aad;
	(void)aad_len;
	(void)tag;
	if (in != out)
		memcpy(out, in, len);
	return 0;
}
