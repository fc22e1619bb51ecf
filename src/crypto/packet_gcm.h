/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * AES-256-GCM for streams of packets (RFC 4106: 4-byte salt, 8-byte explicit IV), by libipsec-mb where the
 * processor has AES instructions, else by libcrypto. One object seals, another opens; a key is in one direction only.
 *
 * The sealing object owns its counter, which is the IV: it starts where it was told, counts up by one with every
 * packet and refuses at its limit. No call takes an IV for sealing, so none can be used twice.
 *
 * Expanded keys live in slots of locked pages, as those of crypto/key.h. packet_gcm_reserve() before sandbox_enter()
 * makes them; then nothing here makes a system call (without AES instructions: libcrypto's malloc).
 * One object is used by one thread at a time; making and freeing them is thread-safe.
 */

#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "crypto/key.h"

enum {
	PACKET_GCM_KEY_BYTES = 32,
	PACKET_GCM_SALT_BYTES = 4,
	PACKET_GCM_IV_BYTES = 8,
	PACKET_GCM_TAG_BYTES = 16,
	PACKET_GCM_MSG_MAX = 1 << 16,   /* bytes of one packet */
	PACKET_GCM_AAD_MAX = 1024,      /* bytes of associated data */
	PACKET_GCM_ALIVE_MAX = 1 << 14, /* objects alive at once in one process */
};

struct packet_seal; /* opaque */
struct packet_open; /* opaque */

/**
 * packet_gcm_init() - choose the fastest implementation this processor can run, and test it
 *
 * After crypto_init(), before sandbox_enter() and before anything else here; once.
 * Return: 0, -EIO when an implementation computes wrong results, -ENOMEM.
 */
MUST_USE int packet_gcm_init(void);

/* packet_gcm_name(): what was chosen, for a log line: "ipsec-mb avx512", "ipsec-mb sse", "libcrypto". */
const char *packet_gcm_name(void);

/**
 * packet_gcm_reserve() - room for @cnt objects alive at once, without system calls later
 * Return: 0, -ENOMEM, -E2BIG above PACKET_GCM_ALIVE_MAX.
 */
MUST_USE int packet_gcm_reserve(unsigned cnt);

/**
 * packet_seal_new() - the sending end of one key
 * @k:     PACKET_GCM_KEY_BYTES; copied into the object, may be freed after. Must never have sealed before
 * @first: first counter, at least 1. Anything but 1 is for tests of the limit
 * @last:  last counter that may be used, at least @first
 * @ret:   owned
 * Return: 0, -EINVAL, -ENOMEM.
 */
MUST_USE int packet_seal_new(const struct key *k, const uint8_t salt[PACKET_GCM_SALT_BYTES],
			     uint64_t first, uint64_t last, struct packet_seal **ret);
void packet_seal_free(struct packet_seal *s); /* wipes; NULL is fine */
void packet_seal_freep(struct packet_seal **s);

/* packet_seal_next(): the counter the next packet will carry; 0 when there is none left. */
uint64_t packet_seal_next(const struct packet_seal *s);

/**
 * packet_seal_run() - encrypt one packet in place and authenticate it, with the counter packet_seal_next() told
 * @aad:  at most PACKET_GCM_AAD_MAX bytes
 * @buf:  @len bytes, at most PACKET_GCM_MSG_MAX; private memory: nobody else may see or write it meanwhile
 * @tag:  where the PACKET_GCM_TAG_BYTES go
 *
 * The big-endian counter is the IV; the caller sends it.
 * Return: 0, -EKEYEXPIRED when the last counter has been used (nothing is touched), -EINVAL, -EIO.
 */
MUST_USE int packet_seal_run(struct packet_seal *s, const void *aad, size_t aad_len, uint8_t *buf,
			     size_t len, uint8_t *tag);

/* packet_open_new(): the receiving end. Arguments and results as packet_seal_new(). */
MUST_USE int packet_open_new(const struct key *k, const uint8_t salt[PACKET_GCM_SALT_BYTES],
			     struct packet_open **ret);
void packet_open_free(struct packet_open *o);
void packet_open_freep(struct packet_open **o);

/**
 * packet_open_run() - decrypt one packet
 * @iv:   PACKET_GCM_IV_BYTES
 * @in:   @len bytes
 * @out:  @len bytes of private memory; may be @in, may not overlap it otherwise. Wiped when the tag is wrong, so
 *        that nothing unverified is ever seen
 * @tag:  PACKET_GCM_TAG_BYTES; not inside @out
 * Return: 0, -EBADMSG when key, IV, data or tag do not belong together, -EINVAL, -EIO.
 */
MUST_USE int packet_open_run(struct packet_open *o, const uint8_t *iv, const void *aad,
			     size_t aad_len, const uint8_t *in, size_t len, const uint8_t *tag,
			     uint8_t *out);
