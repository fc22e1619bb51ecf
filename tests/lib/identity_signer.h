/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What niter-security does on a metadata process's channel, with a key that is made for the occasion: RSA-2048,
 * PKCS #1 v1.5 and PKCS #7 SignedData with SHA-256, by libcrypto.
 */

#include "proto/control.h"

struct identity_signer;

/* identity_signer_new(): writes the certificate (PEM) to @cert_path. Ends the process when it cannot. */
struct identity_signer *identity_signer_new(const char *cert_path);
void identity_signer_free(struct identity_signer *s);
/* identity_sign(): the answer to CTL_SIGN_IDENTITY. */
void identity_sign(const struct identity_signer *s, const struct ctl_sign_identity *q,
		   struct ctl_signed *ret);
