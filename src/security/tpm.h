/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The TPM 2.0 as this program uses it: one storage root key from a fixed template (ECC P-256, owner hierarchy),
 * one session salted with it, so that a probe on the bus sees no secret and cannot change a command, and the four
 * PCRs of sealed.h. Everything transient is flushed; nothing is stored in the TPM.
 *
 * Every function: -EIO is any answer of the TPM that is not one of the cases named; tpm_text() says which.
 */

#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "crypto/key.h"
#include "security/sealed.h"

struct tpm; /* opaque */

enum { TPM_ROOT_BYTES = 32, TPM_TEXT_MAX = 128 };

typedef uint8_t tpm_pcrs[SEALED_PCR_CNT][SEALED_PCR_BYTES];

/**
 * tpm_open() - connect, make the storage root key, start the session
 * @fd:  device or socket; borrowed until tpm_free()
 * Return: 0 and *ret (owned); -EIO with *ret_text (TPM_TEXT_MAX bytes) filled, -ENOMEM.
 */
MUST_USE int tpm_open(int fd, struct tpm **ret, char ret_text[TPM_TEXT_MAX]);
/* tpm_free(): flushes. NULL is fine. */
void tpm_free(struct tpm *t);
void tpm_freep(struct tpm **t);

/* tpm_text(): the last refusal of the TPM, in its own words. Borrowed. */
const char *tpm_text(const struct tpm *t);

/* tpm_srk_name(): the storage root key's name: this TPM and this owner seed, no other. Return: bytes. */
uint16_t tpm_srk_name(const struct tpm *t, uint8_t ret[SEALED_NAME_MAX]);

/* tpm_random(): 1..32 bytes, encrypted on their way. */
MUST_USE int tpm_random(struct tpm *t, size_t len, struct key **ret);

/* tpm_pcrs_read(): SHA-256 bank. Return: 0, -ENOENT when the bank is off, -EIO. */
MUST_USE int tpm_pcrs_read(struct tpm *t, tpm_pcrs ret);

/**
 * tpm_seal() - seal @secret to the PCR values @pcr
 * @label: goes into the creation data: what the secret is for
 * @ret:   everything but ->lab
 */
MUST_USE int tpm_seal(struct tpm *t, const struct key *secret, tpm_pcrs pcr, const char *label,
		      struct sealed *ret);

/**
 * tpm_unseal() - the opposite, and a proof that the object was made by this TPM while its PCRs had the values
 * in @s, with @label: a root key that somebody else chose and sealed is refused
 * Return: 0 and *ret (owned); -EACCES PCRs differ; -EKEYREJECTED not this TPM's object, or not made as it says; -EIO.
 */
MUST_USE int tpm_unseal(struct tpm *t, const struct sealed *s, const char *label, struct key **ret);

/* tpm_pcr_close(): extends PCR 11, so that nothing unseals in this boot again. */
MUST_USE int tpm_pcr_close(struct tpm *t);
/* tpm_pcr_closed_value(): what PCR 11 holds after tpm_pcr_close() when it was @before. Return: 0, -EIO. */
MUST_USE int tpm_pcr_closed_value(const uint8_t before[SEALED_PCR_BYTES],
				  uint8_t ret[SEALED_PCR_BYTES]);
