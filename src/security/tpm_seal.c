/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>
#include <tss2/tss2_mu.h>

#include "base/bytes.h"
#include "base/mem.h"
#include "crypto/hash.h"
#include "security/tpm_priv.h"

/*
 * The sealed object. It opens only in a policy session that has seen the four PCRs with the values of the time of
 * sealing; there is no password, and no lock-out counter that an attacker could run full. Its creation data, which
 * the TPM vouches for with a ticket only it can make, says what the PCRs were when it was made: an operator who
 * seals a root key of his own choice, from another system or after PCR 11 was closed, cannot make that ticket.
 */

/* spec: tpm-2.0 part 3 §23.7: policyDigest' = H(0...0 || TPM_CC_PolicyPCR || pcrs || digest of the values) */
static int policy_digest(tpm_pcrs pcr, TPM2B_DIGEST *ret)
{
	uint8_t b[256] = { 0 };
	size_t off = SEALED_PCR_BYTES;
	uint8_t values[SEALED_PCR_BYTES];
	int r;

	r = tpm_pcr_digest(pcr, values);
	if (r < 0)
		return r;
	if (Tss2_MU_UINT32_Marshal(TPM2_CC_PolicyPCR, b, sizeof(b), &off) != TSS2_RC_SUCCESS ||
	    Tss2_MU_TPML_PCR_SELECTION_Marshal(&tpm_pcr_selection, b, sizeof(b), &off) !=
		    TSS2_RC_SUCCESS ||
	    off + sizeof(values) > sizeof(b))
		return -EIO;
	memcpy(b + off, values, sizeof(values));
	ret->size = HASH_SHA256_BYTES;
	return hash_sha256(b, off + sizeof(values), ret->buffer);
}

/* What TPM2_Create gave, as bytes. */
static int sealed_fill(const TPM2B_PUBLIC *pub, const TPM2B_PRIVATE *priv,
		       const TPM2B_CREATION_DATA *data, const TPMT_TK_CREATION *ticket,
		       struct sealed *ret)
{
	size_t pub_len = 0, priv_len = 0, data_len = 0, ticket_len = 0;

	if (Tss2_MU_TPM2B_PUBLIC_Marshal(pub, ret->pub.b, SEALED_BLOB_MAX, &pub_len) !=
		    TSS2_RC_SUCCESS ||
	    Tss2_MU_TPM2B_PRIVATE_Marshal(priv, ret->priv.b, SEALED_BLOB_MAX, &priv_len) !=
		    TSS2_RC_SUCCESS ||
	    Tss2_MU_TPM2B_CREATION_DATA_Marshal(data, ret->creation.b, SEALED_BLOB_MAX,
						&data_len) != TSS2_RC_SUCCESS ||
	    Tss2_MU_TPMT_TK_CREATION_Marshal(ticket, ret->ticket.b, SEALED_BLOB_MAX, &ticket_len) !=
		    TSS2_RC_SUCCESS)
		return -EIO;
	ret->pub.len = (uint16_t)pub_len;
	ret->priv.len = (uint16_t)priv_len;
	ret->creation.len = (uint16_t)data_len;
	ret->ticket.len = (uint16_t)ticket_len;
	return 0;
}

static int seal_create(struct tpm *t, const struct key *secret, const TPM2B_PUBLIC *pub,
		       const char *label, struct sealed *ret)
{
	CLEANUP(esys_freep) TPM2B_PRIVATE *out_priv = NULL;
	CLEANUP(esys_freep) TPM2B_PUBLIC *out_pub = NULL;
	CLEANUP(esys_freep) TPM2B_CREATION_DATA *data = NULL;
	CLEANUP(esys_freep) TPM2B_DIGEST *hash = NULL;
	CLEANUP(esys_freep) TPMT_TK_CREATION *ticket = NULL;
	TPM2B_SENSITIVE_CREATE in = { 0 };
	TPM2B_DATA outside = { .size = (uint16_t)strlen(label) };
	int r;

	if (key_len(secret) > sizeof(in.sensitive.data.buffer) ||
	    outside.size > sizeof(outside.buffer))
		return -EINVAL;
	memcpy(outside.buffer, label, outside.size);
	in.sensitive.data.size = (uint16_t)key_len(secret);
	memcpy(in.sensitive.data.buffer, key_bytes(secret), key_len(secret));
	r = tpm_rc(t, "sealing",
		   Esys_Create(t->esys, t->srk, tpm_session(t, TPM_SESSION_SECRET_IN), ESYS_TR_NONE,
			       ESYS_TR_NONE, &in, pub, &outside, &tpm_pcr_selection, &out_priv,
			       &out_pub, &data, &hash, &ticket));
	mem_wipe(&in, sizeof(in));
	if (r < 0)
		return r;
	return sealed_fill(out_pub, out_priv, data, ticket, ret);
}

int tpm_seal(struct tpm *t, const struct key *secret, tpm_pcrs pcr, const char *label,
	     struct sealed *ret)
{
	TPM2B_PUBLIC pub = {
		.publicArea = {
			.type = TPM2_ALG_KEYEDHASH,
			.nameAlg = TPM2_ALG_SHA256,
			.objectAttributes = TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT | TPMA_OBJECT_NODA |
					    TPMA_OBJECT_ADMINWITHPOLICY,
			.parameters.keyedHashDetail.scheme.scheme = TPM2_ALG_NULL,
		},
	};
	struct sealed s;
	int r;

	memset(&s, 0, sizeof(s));
	r = policy_digest(pcr, &pub.publicArea.authPolicy);
	if (r < 0)
		return r;
	r = seal_create(t, secret, &pub, label, &s);
	if (r < 0)
		return r;
	memcpy(s.pcr, pcr, sizeof(s.pcr));
	s.srk_name_len = tpm_srk_name(t, s.srk_name);
	*ret = s;
	return 0;
}

/* The four blobs, back from bytes; the file is not trusted. */
struct object {
	TPM2B_PUBLIC pub;
	TPM2B_PRIVATE priv;
	TPM2B_CREATION_DATA creation;
	TPMT_TK_CREATION ticket;
};

static int object_parse(const struct sealed *s, struct object *ret)
{
	size_t pub = 0, priv = 0, data = 0, ticket = 0;

	memset(ret, 0, sizeof(*ret));
	if (Tss2_MU_TPM2B_PUBLIC_Unmarshal(s->pub.b, s->pub.len, &pub, &ret->pub) !=
		    TSS2_RC_SUCCESS ||
	    Tss2_MU_TPM2B_PRIVATE_Unmarshal(s->priv.b, s->priv.len, &priv, &ret->priv) !=
		    TSS2_RC_SUCCESS ||
	    Tss2_MU_TPM2B_CREATION_DATA_Unmarshal(s->creation.b, s->creation.len, &data,
						  &ret->creation) != TSS2_RC_SUCCESS ||
	    Tss2_MU_TPMT_TK_CREATION_Unmarshal(s->ticket.b, s->ticket.len, &ticket, &ret->ticket) !=
		    TSS2_RC_SUCCESS)
		return -EKEYREJECTED;
	if (pub != s->pub.len || priv != s->priv.len || data != s->creation.len ||
	    ticket != s->ticket.len)
		return -EKEYREJECTED;
	return 0;
}

/* Creation data that says: these PCRs, this label. Its truth is the ticket's business. */
static int creation_check(const struct sealed *s, const struct object *o, const char *label,
			  TPM2B_DIGEST *ret_hash)
{
	const TPMS_CREATION_DATA *d = &o->creation.creationData;
	uint8_t want[SEALED_PCR_BYTES];
	tpm_pcrs pcr;
	int r;

	memcpy(pcr, s->pcr, sizeof(pcr));
	r = tpm_pcr_digest(pcr, want);
	if (r < 0)
		return r;
	if (d->pcrSelect.count != 1 || d->pcrSelect.pcrSelections[0].hash != TPM2_ALG_SHA256 ||
	    d->pcrSelect.pcrSelections[0].sizeofSelect != 3 ||
	    memcmp(d->pcrSelect.pcrSelections[0].pcrSelect,
		   tpm_pcr_selection.pcrSelections[0].pcrSelect, 3) != 0 ||
	    d->pcrDigest.size != sizeof(want) ||
	    memcmp(d->pcrDigest.buffer, want, sizeof(want)) != 0 ||
	    d->outsideInfo.size != strlen(label) ||
	    memcmp(d->outsideInfo.buffer, label, strlen(label)) != 0)
		return -EKEYREJECTED;
	/* The ticket covers the hash of the data without its size field. */
	if (s->creation.len < sizeof(uint16_t))
		return -EKEYREJECTED;
	ret_hash->size = HASH_SHA256_BYTES;
	return hash_sha256(s->creation.b + sizeof(uint16_t), s->creation.len - sizeof(uint16_t),
			   ret_hash->buffer);
}

int tpm_object_check(const struct sealed *s, const char *label)
{
	TPM2B_DIGEST hash = { 0 };
	struct object o;
	int r;

	r = object_parse(s, &o);
	if (r < 0)
		return r;
	return creation_check(s, &o, label, &hash);
}

/* spec: tpm-2.0 part 3 §18.3: without a signing key the command only checks the ticket */
static int creation_prove(struct tpm *t, ESYS_TR obj, const struct object *o,
			  const TPM2B_DIGEST *hash)
{
	CLEANUP(esys_freep) TPM2B_ATTEST *attest = NULL;
	CLEANUP(esys_freep) TPMT_SIGNATURE *sig = NULL;
	static const TPM2B_DATA no_data;
	static const TPMT_SIG_SCHEME no_scheme = { .scheme = TPM2_ALG_NULL };

	return tpm_rc(t, "origin of the sealed key",
		      Esys_CertifyCreation(t->esys, ESYS_TR_RH_NULL, obj, ESYS_TR_PASSWORD,
					   tpm_session(t, TPM_SESSION_SECRET_OUT), ESYS_TR_NONE,
					   &no_data, hash, &no_scheme, &o->ticket, &attest, &sig));
}

static int object_open(struct tpm *t, ESYS_TR obj, struct key **ret)
{
	TPM2B_SENSITIVE_DATA *data = NULL;
	ESYS_TR policy = ESYS_TR_NONE;
	int r;

	r = tpm_rc(t, "policy session",
		   Esys_StartAuthSession(t->esys, t->srk, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE,
					 ESYS_TR_NONE, NULL, TPM2_SE_POLICY, &tpm_session_cipher,
					 TPM2_ALG_SHA256, &policy));
	if (r == 0)
		r = tpm_rc(t, "PCR policy",
			   Esys_PolicyPCR(t->esys, policy, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE,
					  NULL, &tpm_pcr_selection));
	if (r == 0)
		r = tpm_rc(t, "unsealing",
			   Esys_Unseal(t->esys, obj, policy, tpm_session(t, TPM_SESSION_SECRET_OUT),
				       ESYS_TR_NONE, &data));
	tpm_flush(t, policy);
	if (r < 0 || !data)
		return r < 0 ? r : -EIO;
	r = data->size == TPM_ROOT_BYTES ? key_new_from(data->buffer, data->size, ret)
					 : -EKEYREJECTED;
	mem_wipe(data, sizeof(*data));
	Esys_Free(data);
	return r;
}

int tpm_unseal(struct tpm *t, const struct sealed *s, const char *label, struct key **ret)
{
	TPM2B_DIGEST hash = { 0 };
	ESYS_TR obj = ESYS_TR_NONE;
	struct object o;
	int r;

	r = object_parse(s, &o);
	if (r < 0)
		return r;
	r = creation_check(s, &o, label, &hash);
	if (r < 0)
		return r;
	r = tpm_rc(t, "loading the sealed key",
		   Esys_Load(t->esys, t->srk, tpm_session(t, TPM_SESSION_PLAIN), ESYS_TR_NONE,
			     ESYS_TR_NONE, &o.priv, &o.pub, &obj));
	if (r == 0)
		r = creation_prove(t, obj, &o, &hash);
	if (r == 0)
		r = object_open(t, obj, ret);
	tpm_flush(t, obj);
	return r;
}
