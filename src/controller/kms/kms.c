/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/kms/kms.h"

#include <errno.h>
#include <malloc.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "controller/front/auth.h"
#include "controller/front/services.h"
#include "controller/kms/kms_priv.h"

#define TARGET "TrentService."
#define CONTENT_TYPE "application/x-amz-json-1.1"

static const struct kms_action {
	const char *name;
	kms_fn *fn; /* NULL: not offered */
	bool changes;
} actions[] = {
	{ "CreateKey", kms_create_key, true },
	{ "DescribeKey", kms_describe_key, false },
	{ "ListKeys", kms_list_keys, false },
	{ "EnableKey", kms_enable_key, true },
	{ "DisableKey", kms_disable_key, true },
	{ "ScheduleKeyDeletion", kms_schedule_deletion, true },
	{ "CancelKeyDeletion", kms_cancel_deletion, true },
	{ "Encrypt", kms_encrypt, false },
	{ "Decrypt", kms_decrypt, false },
	{ "GenerateDataKey", kms_generate_data_key, false },
	{ "GenerateDataKeyWithoutPlaintext", kms_generate_data_key_without, false },
	{ "GenerateRandom", kms_generate_random, false },
	{ .name = "ConnectCustomKeyStore" },
	{ .name = "CreateAlias" },
	{ .name = "CreateCustomKeyStore" },
	{ .name = "CreateGrant" },
	{ .name = "DeleteAlias" },
	{ .name = "DeleteCustomKeyStore" },
	{ .name = "DeleteImportedKeyMaterial" },
	{ .name = "DeriveSharedSecret" },
	{ .name = "DescribeCustomKeyStores" },
	{ .name = "DisableKeyRotation" },
	{ .name = "DisconnectCustomKeyStore" },
	{ .name = "EnableKeyRotation" },
	{ .name = "GenerateDataKeyPair" },
	{ .name = "GenerateDataKeyPairWithoutPlaintext" },
	{ .name = "GenerateMac" },
	{ .name = "GetKeyPolicy" },
	{ .name = "GetKeyRotationStatus" },
	{ .name = "GetParametersForImport" },
	{ .name = "GetPublicKey" },
	{ .name = "ImportKeyMaterial" },
	{ .name = "ListAliases" },
	{ .name = "ListGrants" },
	{ .name = "ListKeyPolicies" },
	{ .name = "ListKeyRotations" },
	{ .name = "ListResourceTags" },
	{ .name = "ListRetirableGrants" },
	{ .name = "PutKeyPolicy" },
	{ .name = "ReEncrypt" },
	{ .name = "ReplicateKey" },
	{ .name = "RetireGrant" },
	{ .name = "RevokeGrant" },
	{ .name = "RotateKeyOnDemand" },
	{ .name = "Sign" },
	{ .name = "TagResource" },
	{ .name = "UntagResource" },
	{ .name = "UpdateAlias" },
	{ .name = "UpdateCustomKeyStore" },
	{ .name = "UpdateKeyDescription" },
	{ .name = "UpdatePrimaryRegion" },
	{ .name = "Verify" },
	{ .name = "VerifyMac" },
};

static void free_wiped(void *p)
{
	if (p)
		mem_wipe(p, malloc_usable_size(p));
	free(p);
}

void kms_init(void)
{
	json_set_alloc_funcs(malloc, free_wiped);
}

int kms_fault(struct kms_call *c, const char *code, const char *fmt, ...)
{
	va_list ap;

	snprintf(c->fault.code, sizeof(c->fault.code), "%s", code);
	va_start(ap, fmt);
	vsnprintf(c->fault.text, sizeof(c->fault.text), fmt, ap);
	va_end(ap);
	return -EINVAL;
}

int kms_answer(struct kms_call *c, json_t *out)
{
	if (!out)
		return kms_fault(c, "KMSInternalException", "An internal error has occurred");
	c->out = out;
	return 0;
}

json_t *kms_time(uint64_t ms)
{
	return json_real((double)ms / 1000);
}

int kms_key_read(struct kms_call *c, bool alias)
{
	const char *ref = kms_need_str(&c->q, "KeyId", 2048);
	int r = kms_end(&c->q);

	if (r < 0)
		return r;
	return core_kms_find(c->core, c->x->account, ref, alias, &c->key, &c->fault);
}

static unsigned status_of(const char *code)
{
	if (strcmp(code, "KMSInternalException") == 0)
		return 500;
	if (strcmp(code, "DependencyTimeoutException") == 0)
		return 503;
	if (strcmp(code, "DryRunOperationException") == 0)
		return 412;
	return 400;
}

/* Codes of the core that are not KMS's. */
static void fault_translate(struct fault *f)
{
	if (strcmp(f->code, "InternalError") == 0 ||
	    strcmp(f->code, "InsufficientDiskSpace") == 0) {
		log_warn_limited("kms.internal", "text=\"%s\"", f->text);
		snprintf(f->code, sizeof(f->code), "KMSInternalException");
		snprintf(f->text, sizeof(f->text), "An internal error has occurred");
	} else if (strcmp(f->code, "RequestLimitExceeded") == 0) {
		snprintf(f->code, sizeof(f->code), "ThrottlingException");
	}
}

/* The answer, or the fault when @r is negative. The call is gone afterwards. */
static void reply(struct kms_call *c, int r)
{
	struct exchange *x = c->x;
	unsigned status = 200;
	char *body;

	if (r < 0) {
		if (!c->fault.code[0])
			(void)!fault_internal(&c->fault, r, "kms");
		fault_translate(&c->fault);
		json_decref(c->out);
		c->out = json_pack("{s:s,s:s}", "__type", c->fault.code, "message", c->fault.text);
		status = status_of(c->fault.code);
		snprintf(x->code, sizeof(x->code), "%s", c->fault.code);
	}
	/* Thirteen digits: seconds since 1970 and thousandths. */
	body = c->out ? json_dumps(c->out, JSON_COMPACT | JSON_REAL_PRECISION(13)) : NULL;
	json_decref(c->out);
	kms_request_done(&c->q);
	if (!body)
		status = 500;
	x->secret = c->secret;
	exchange_reply(x, status, CONTENT_TYPE, body, body ? strlen(body) : 0);
}

static void changing_end(struct kms_call *c)
{
	struct kms_call **p = &c->x->d->kms.changing;

	if (!c->changing)
		return;
	while (*p && *p != c)
		p = &(*p)->next;
	if (*p)
		*p = c->next;
	c->changing = false;
}

/* What the security process says is wrong, as KMS says it. */
static int refused(struct kms_call *c, int err)
{
	if (err == -EBADMSG) /* no detail, on purpose */
		return kms_fault(c, "InvalidCiphertextException", "%s", "");
	if (err == -EKEYREJECTED)
		return kms_fault(c, "IncorrectKeyException",
				 "The key ID in the request does not identify a CMK that can "
				 "perform this operation.");
	if (err == -EKEYREVOKED)
		return kms_fault(c, "DisabledException", "The key is disabled.");
	if (err == -EKEYEXPIRED)
		return kms_fault(c, "KMSInvalidStateException", "The key is pending deletion.");
	if (err == -ENOSPC)
		return kms_fault(c, "LimitExceededException",
				 "This host has no room for more keys");
	log_warn_limited("kms.security", "err=%d action=%s", err, c->x->action);
	return kms_fault(c, "KMSInternalException", "An internal error has occurred");
}

static void on_answer(void *ptr, int err, const struct ctl_msg *m)
{
	struct kms_call *c = ptr;
	int r;

	changing_end(c);
	if (err < 0) {
		r = kms_fault(c, "DependencyTimeoutException",
			      "The security process did not answer; try again");
	} else if (m->u.kms_answer.err < 0) {
		r = refused(c, m->u.kms_answer.err);
	} else {
		r = turn_begin(c->x->d);
		if (r == 0)
			r = c->finish(c, &m->u.kms_answer);
	}
	reply(c, r);
}

int kms_ask(struct kms_call *c, enum ctl_type type, const void *body,
	    int (*finish)(struct kms_call *c, const struct ctl_kms_answer *a))
{
	int r;

	c->finish = finish;
	r = security_link_ask(&c->x->d->security, type, body, on_answer, c);
	if (r < 0)
		return kms_fault(c, "DependencyTimeoutException",
				 "The security process cannot be asked now; try again");
	kms_request_done(&c->q);
	c->waits = true;
	return -EINPROGRESS;
}

static const struct kms_action *action_find(const struct exchange *x)
{
	const struct http_header *h = http_header_find(x->req, "X-Amz-Target", NULL);
	size_t at = strlen(TARGET);

	if (!h || h->value.len <= at || memcmp(h->value.p, TARGET, at) != 0)
		return NULL;
	for (size_t k = 0; k < ARRAY_SIZE(actions); k++)
		if (strlen(actions[k].name) == h->value.len - at &&
		    memcmp(actions[k].name, h->value.p + at, h->value.len - at) == 0)
			return &actions[k];
	return NULL;
}

static int dispatch(struct kms_call *c)
{
	const struct kms_action *a = action_find(c->x);
	int r;

	if (!a)
		return kms_fault(c, "UnknownOperationException", "There is no such operation");
	snprintf(c->x->action, sizeof(c->x->action), "%s", a->name);
	c->x->changes = a->changes;
	if (!a->fn)
		return kms_fault(c, "UnsupportedOperationException", "%s is not offered here",
				 a->name);
	r = kms_request_parse(c->x->req->body, c->x->req->body_len, &c->q, &c->fault);
	if (r == 0 && a->changes)
		r = auth_replay_check(c->x, &c->fault);
	return r < 0 ? r : a->fn(c);
}

/* A row that is written while a call is read (an alias's first use) is part of the turn. */
void kms_handle(struct exchange *x)
{
	struct kms_call *c = calloc(1, sizeof(*c));
	int r;

	if (!c) {
		exchange_reply(x, 500, NULL, NULL, 0);
		return;
	}
	x->kept = c;
	c->x = x;
	c->core = &x->d->core;
	r = turn_begin(x->d);
	if (r == 0)
		r = dispatch(c);
	if (!c->waits)
		reply(c, r);
}
