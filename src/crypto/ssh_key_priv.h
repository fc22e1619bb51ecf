/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <openssl/evp.h>

#include "base/bytes.h"
#include "crypto/ssh_key.h"

/* Between ssh_key.c and ssh_pair.c only. */

/* ssh_blob_rsa() / ssh_blob_ed25519(): the blob of a public key. Return: 0, -EBADMSG, -EIO. */
MUST_USE int ssh_blob_rsa(const EVP_PKEY *k, struct ssh_public *ret);
void ssh_blob_ed25519(const uint8_t key[32], struct ssh_public *ret);
/* ssh_string(): a length and the bytes. */
void ssh_string(struct wr *w, const void *p, size_t len);
/* ssh_base64(): NUL-terminated, a line feed after each @line digits; 0: one line. Return: its length; @ret has room. */
size_t ssh_base64(const uint8_t *p, size_t len, size_t line, char *ret);
/* ssh_hex(): "ab:cd". */
void ssh_hex(const uint8_t *p, size_t len, char *ret);
