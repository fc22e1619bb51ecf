/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Key pairs for ssh: RSA and Ed25519, as EC2 makes and takes them. A public key is kept in the form ssh sends it (the
 * "blob"), whatever it came in. Private keys are made, written as text once, and wiped.
 *
 * spec: rfc-4253 §6.6 (blobs)
 * spec: rfc-4716 §3 (files "SSH2 PUBLIC KEY")
 * spec: rfc-8709 §4 (ssh-ed25519)
 * spec: openssh-key-v1 (private keys)
 */

#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

enum ssh_key_type { SSH_KEY_RSA = 1, SSH_KEY_ED25519 };

enum {
	SSH_RSA_BITS = 2048, /* of a pair made here */
	SSH_RSA_BITS_MIN = 1024,
	SSH_RSA_BITS_MAX = 4096,
	SSH_BLOB_MAX = 600,
	SSH_LINE_MAX = 1200,      /* without its comment; with NUL */
	SSH_FINGERPRINT_MAX = 64, /* with NUL */
	SSH_PRIVATE_MAX = 4096,   /* with NUL */
	SSH_MATERIAL_MAX = 16384, /* of a public key that came */
};

struct ssh_public {
	enum ssh_key_type type;
	uint8_t blob[SSH_BLOB_MAX];
	size_t len;
};

/**
 * ssh_public_read() - a public key as people have it: an OpenSSH line, RFC 4716, or SubjectPublicKeyInfo in DER or PEM
 * Return: 0, -EBADMSG none of these, or an RSA key of another size; -ENOMEM, -EIO.
 */
MUST_USE int ssh_public_read(const void *material, size_t len, struct ssh_public *ret);

/* ssh_public_line(): "ssh-ed25519 AAAA…", without a comment. */
void ssh_public_line(const struct ssh_public *p, char ret[SSH_LINE_MAX]);

/* ssh_key_type_name(): "rsa", "ed25519". */
const char *ssh_key_type_name(enum ssh_key_type t);

/**
 * ssh_public_fingerprint() - EC2's for a key that was imported: RSA: MD5 of the SubjectPublicKeyInfo, in hex with colons;
 * Ed25519: SHA-256 of the blob in base64
 * Return: 0, -EIO.
 */
MUST_USE int ssh_public_fingerprint(const struct ssh_public *p, char ret[SSH_FINGERPRINT_MAX]);

/**
 * ssh_pair_new() - a new pair
 * @ret_private:     text for ssh: PKCS #1 PEM or OpenSSH's own; the caller wipes it
 * @ret_fingerprint: EC2's for a key that EC2 made: RSA: SHA-1 of the PKCS #8 private key, in hex with colons; Ed25519 as above
 * May take a second. Return: 0, -EIO, -EMSGSIZE.
 */
MUST_USE int ssh_pair_new(enum ssh_key_type t, char ret_private[SSH_PRIVATE_MAX],
			  struct ssh_public *ret_public, char ret_fingerprint[SSH_FINGERPRINT_MAX]);
