/* SPDX-License-Identifier: Apache-2.0 */
#include "security/tpm.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tss2/tss2_rc.h>

#include "base/mem.h"
#include "crypto/hash.h"
#include "security/tpm_priv.h"

enum { PCR_CLOSED_IDX = 11 };

/*
 * The storage root key's template: the same bytes for ever, because another template is another key.
 * spec: tpm-2.0 part 2 §12.2 (TPMT_PUBLIC); shape of the SRK in tcg-provisioning §7.5.1
 */
static const TPM2B_PUBLIC srk_template = {
	.publicArea = {
		.type = TPM2_ALG_ECC,
		.nameAlg = TPM2_ALG_SHA256,
		.objectAttributes = TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT |
				    TPMA_OBJECT_SENSITIVEDATAORIGIN | TPMA_OBJECT_USERWITHAUTH |
				    TPMA_OBJECT_NODA | TPMA_OBJECT_RESTRICTED | TPMA_OBJECT_DECRYPT,
		.parameters.eccDetail = {
			.symmetric = {
				.algorithm = TPM2_ALG_AES,
				.keyBits.aes = 128,
				.mode.aes = TPM2_ALG_CFB,
			},
			.scheme.scheme = TPM2_ALG_NULL,
			.curveID = TPM2_ECC_NIST_P256,
			.kdf.scheme = TPM2_ALG_NULL,
		},
	},
};

const TPMT_SYM_DEF tpm_session_cipher = {
	.algorithm = TPM2_ALG_AES,
	.keyBits.aes = 128,
	.mode.aes = TPM2_ALG_CFB,
};

/* PCRs 4, 7, 11, 12 of the SHA-256 bank: sealed_pcr_idx as bits. */
const TPML_PCR_SELECTION tpm_pcr_selection = {
	.count = 1,
	.pcrSelections = { {
		.hash = TPM2_ALG_SHA256,
		.sizeofSelect = 3,
		.pcrSelect = { (1 << 4) | (1 << 7), (1 << (11 - 8)) | (1 << (12 - 8)), 0 },
	} },
};

static const char pcr_close_event[] = "niter: the root key has been unsealed";

void esys_freep(void *pp)
{
	void *p;

	memcpy(&p, pp, sizeof(p));
	Esys_Free(p);
}

static int rc_errno(TSS2_RC rc)
{
	TSS2_RC layer = rc & TSS2_RC_LAYER_MASK, base = rc & ~(TSS2_RC)TSS2_RC_LAYER_MASK;

	if (layer != TSS2_TPM_RC_LAYER && layer != TSS2_RESMGR_TPM_RC_LAYER)
		return -EIO; /* the library's own */
	if (base & TPM2_RC_FMT1)
		base &= TPM2_RC_FMT1 |
			0x3f; /* without the number of the handle, session or parameter */
	switch (base) {
	case TPM2_RC_POLICY_FAIL:
	case TPM2_RC_PCR_CHANGED:
		return -EACCES;
	case TPM2_RC_INTEGRITY:
	case TPM2_RC_TICKET:
		return -EKEYREJECTED;
	default:
		return -EIO;
	}
}

int tpm_rc(struct tpm *t, const char *what, TSS2_RC rc)
{
	if (rc == TSS2_RC_SUCCESS)
		return 0;
	(void)snprintf(t->text, sizeof(t->text), "%s: %s", what, Tss2_RC_Decode(rc));
	return rc_errno(rc);
}

ESYS_TR tpm_session(struct tpm *t, unsigned attr)
{
	TPMA_SESSION flags = TPMA_SESSION_CONTINUESESSION;

	if (attr & TPM_SESSION_SECRET_IN)
		flags |= TPMA_SESSION_DECRYPT;
	if (attr & TPM_SESSION_SECRET_OUT)
		flags |= TPMA_SESSION_ENCRYPT;
	if (attr & TPM_SESSION_AUDIT)
		flags |= TPMA_SESSION_AUDIT;
	if (Esys_TRSess_SetAttributes(t->esys, t->session, flags, 0xff) != TSS2_RC_SUCCESS)
		return ESYS_TR_NONE;
	return t->session;
}

void tpm_flush(struct tpm *t, ESYS_TR handle)
{
	if (handle != ESYS_TR_NONE)
		(void)Esys_FlushContext(t->esys,
					handle); /* the kernel's resource manager does it too */
}

/* The storage root key and its name, which binds its public part. */
static int srk_make(struct tpm *t)
{
	CLEANUP(esys_freep) TPM2B_CREATION_DATA *data = NULL;
	CLEANUP(esys_freep) TPM2B_PUBLIC *pub = NULL;
	CLEANUP(esys_freep) TPM2B_DIGEST *hash = NULL;
	CLEANUP(esys_freep) TPMT_TK_CREATION *ticket = NULL;
	CLEANUP(esys_freep) TPM2B_NAME *name = NULL;
	static const TPM2B_SENSITIVE_CREATE sensitive;
	static const TPM2B_DATA outside;
	static const TPML_PCR_SELECTION no_pcrs;
	int r;

	r = tpm_rc(t, "storage root key",
		   Esys_CreatePrimary(t->esys, ESYS_TR_RH_OWNER, ESYS_TR_PASSWORD, ESYS_TR_NONE,
				      ESYS_TR_NONE, &sensitive, &srk_template, &outside, &no_pcrs,
				      &t->srk, &pub, &data, &hash, &ticket));
	if (r < 0)
		return r;
	/* Not any key, but one of our kind: else a salt could go to a key somebody has the other half of. */
	if (pub->publicArea.objectAttributes != srk_template.publicArea.objectAttributes ||
	    pub->publicArea.type != TPM2_ALG_ECC ||
	    pub->publicArea.parameters.eccDetail.curveID != TPM2_ECC_NIST_P256)
		return -EIO;
	r = tpm_rc(t, "name of the storage root key", Esys_TR_GetName(t->esys, t->srk, &name));
	if (r < 0)
		return r;
	if (!name->size || name->size > sizeof(t->name))
		return -EIO;
	memcpy(t->name, name->name, name->size);
	t->name_len = name->size;
	return 0;
}

static int tpm_start(struct tpm *t)
{
	int r;

	r = tpm_rc(t, "library", Esys_Initialize(&t->esys, tcti_context(&t->tcti), NULL));
	if (r < 0)
		return r;
	r = srk_make(t);
	if (r < 0)
		return r;
	return tpm_rc(t, "session",
		      Esys_StartAuthSession(t->esys, t->srk, ESYS_TR_NONE, ESYS_TR_NONE,
					    ESYS_TR_NONE, ESYS_TR_NONE, NULL, TPM2_SE_HMAC,
					    &tpm_session_cipher, TPM2_ALG_SHA256, &t->session));
}

int tpm_open(int fd, struct tpm **ret, char ret_text[TPM_TEXT_MAX])
{
	CLEANUP(tpm_freep) struct tpm *t = calloc(1, sizeof(*t));
	int r;

	if (!t)
		return -ENOMEM;
	t->srk = ESYS_TR_NONE;
	t->session = ESYS_TR_NONE;
	tcti_init(&t->tcti, fd);
	r = tpm_start(t);
	if (r < 0) {
		memcpy(ret_text, t->text, TPM_TEXT_MAX);
		return -EIO;
	}
	*ret = TAKE_PTR(t);
	return 0;
}

void tpm_free(struct tpm *t)
{
	if (!t)
		return;
	if (t->esys) {
		tpm_flush(t, t->session);
		tpm_flush(t, t->srk);
		Esys_Finalize(&t->esys);
	}
	tcti_done(&t->tcti);
	free(t);
}

void tpm_freep(struct tpm **t)
{
	tpm_free(*t);
	*t = NULL;
}

const char *tpm_text(const struct tpm *t)
{
	return t->text;
}

uint16_t tpm_srk_name(const struct tpm *t, uint8_t ret[SEALED_NAME_MAX])
{
	memcpy(ret, t->name, t->name_len);
	return t->name_len;
}

int tpm_random(struct tpm *t, size_t len, struct key **ret)
{
	TPM2B_DIGEST *d = NULL;
	int r;

	if (!len || len > SEALED_PCR_BYTES)
		return -EINVAL;
	r = tpm_rc(t, "random numbers",
		   Esys_GetRandom(t->esys, tpm_session(t, TPM_SESSION_SECRET_OUT), ESYS_TR_NONE,
				  ESYS_TR_NONE, (uint16_t)len, &d));
	if (r < 0)
		return r;
	r = d->size == len ? key_new_from(d->buffer, len, ret) : -EIO;
	mem_wipe(d, sizeof(*d));
	Esys_Free(d);
	return r;
}

int tpm_pcrs_read(struct tpm *t, tpm_pcrs ret)
{
	CLEANUP(esys_freep) TPML_PCR_SELECTION *sel = NULL;
	CLEANUP(esys_freep) TPML_DIGEST *val = NULL;
	uint32_t i;
	int r;

	r = tpm_rc(t, "reading PCRs",
		   Esys_PCR_Read(t->esys, tpm_session(t, TPM_SESSION_AUDIT), ESYS_TR_NONE,
				 ESYS_TR_NONE, &tpm_pcr_selection, NULL, &sel, &val));
	if (r < 0)
		return r;
	if (val->count != SEALED_PCR_CNT || sel->count != 1 ||
	    memcmp(sel->pcrSelections[0].pcrSelect, tpm_pcr_selection.pcrSelections[0].pcrSelect,
		   3) != 0)
		return -ENOENT;
	for (i = 0; i < SEALED_PCR_CNT; i++)
		if (val->digests[i].size != SEALED_PCR_BYTES)
			return -ENOENT;
	for (i = 0; i < SEALED_PCR_CNT; i++)
		memcpy(ret[i], val->digests[i].buffer, SEALED_PCR_BYTES);
	return 0;
}

int tpm_pcr_digest(tpm_pcrs pcr, uint8_t ret[SEALED_PCR_BYTES])
{
	return hash_sha256(pcr, sizeof(tpm_pcrs), ret);
}

int tpm_pcr_close(struct tpm *t)
{
	TPML_DIGEST_VALUES v = { .count = 1, .digests = { { .hashAlg = TPM2_ALG_SHA256 } } };
	int r;

	r = hash_sha256(pcr_close_event, sizeof(pcr_close_event) - 1, v.digests[0].digest.sha256);
	if (r < 0)
		return r;
	return tpm_rc(t, "extending PCR 11",
		      Esys_PCR_Extend(t->esys, ESYS_TR_PCR0 + PCR_CLOSED_IDX,
				      tpm_session(t, TPM_SESSION_PLAIN), ESYS_TR_NONE, ESYS_TR_NONE,
				      &v));
}

int tpm_pcr_closed_value(const uint8_t before[SEALED_PCR_BYTES], uint8_t ret[SEALED_PCR_BYTES])
{
	uint8_t b[2 * SEALED_PCR_BYTES];
	int r;

	memcpy(b, before, SEALED_PCR_BYTES);
	r = hash_sha256(pcr_close_event, sizeof(pcr_close_event) - 1, b + SEALED_PCR_BYTES);
	if (r < 0)
		return r;
	return hash_sha256(b, sizeof(b), ret);
}
