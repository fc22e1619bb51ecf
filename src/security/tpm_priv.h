/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <tss2/tss2_esys.h>

#include "security/tcti.h"
#include "security/tpm.h"

struct tpm {
	struct tcti tcti;
	ESYS_CONTEXT *esys;
	ESYS_TR srk;     /* storage root key */
	ESYS_TR session; /* HMAC, salted with the srk, AES-128-CFB */
	uint16_t name_len;
	uint8_t name[SEALED_NAME_MAX];
	char text[TPM_TEXT_MAX];
};

/* Attributes of t->session for the next command. */
enum {
	TPM_SESSION_PLAIN = 0,      /* authorises, and so authenticates command and answer */
	TPM_SESSION_SECRET_IN = 1,  /* the first parameter is encrypted */
	TPM_SESSION_SECRET_OUT = 2, /* the first parameter of the answer is */
	TPM_SESSION_AUDIT = 4,      /* authenticates a command that needs no authorisation */
};

extern const TPML_PCR_SELECTION tpm_pcr_selection;
extern const TPMT_SYM_DEF tpm_session_cipher;

/* tpm_rc(): @rc as one of our errors; its words go to tpm_text(). */
int tpm_rc(struct tpm *t, const char *what, TSS2_RC rc);
/* tpm_session(): t->session with these attributes. Return: the handle; ESYS_TR_NONE when that failed. */
ESYS_TR tpm_session(struct tpm *t, unsigned attr);
/* tpm_flush(): a transient object or session; ESYS_TR_NONE is fine. */
void tpm_flush(struct tpm *t, ESYS_TR handle);
/* tpm_pcr_digest(): SHA-256 over the values, as TPM2_PolicyPCR and creation data have it. */
int tpm_pcr_digest(tpm_pcrs pcr, uint8_t ret[SEALED_PCR_BYTES]);
/* tpm_object_check(): the blobs of a file nobody vouches for. Return: 0, -EKEYREJECTED they do not say what they should. */
MUST_USE int tpm_object_check(const struct sealed *s, const char *label);
/* esys_freep() for CLEANUP: what esys gave. */
void esys_freep(void *pp);
