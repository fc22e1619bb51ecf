/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Between the files of kms/ only. */

#include <jansson.h>

#include "controller/core_kms.h"
#include "controller/front/exchange.h"
#include "controller/kms/kms.h"
#include "controller/kms/request.h"
#include "controller/niterd.h"

/* One call. It is x->kept: freed after the answer. */
struct kms_call {
	struct exchange *x;
	struct kms_call *next; /* on kms.changing */
	struct core *core;
	struct kms_request q; /* empty while it waits */
	struct fault fault;
	json_t *out; /* owned; the answer */
	bool secret; /* ... holds something that is wiped */
	bool waits;
	bool changing;
	/* @a: the security process's answer, a->err == 0. Return: 0 with ->out, -errno with the fault. */
	int (*finish)(struct kms_call *c, const struct ctl_kms_answer *a);
	struct kms_key key;  /* the row: as it is, or as it will be */
	struct kms_key then; /* ... when a change goes well */
	bool with_plaintext;
	unsigned days;
};

typedef MUST_USE int kms_fn(struct kms_call *c);
kms_fn kms_create_key, kms_describe_key, kms_list_keys, kms_enable_key, kms_disable_key,
	kms_schedule_deletion, kms_cancel_deletion, kms_encrypt, kms_decrypt, kms_generate_data_key,
	kms_generate_data_key_without, kms_generate_random;

/**
 * kms_ask() - the handler's last step: @finish is called with the answer
 * Return: -EINPROGRESS, -errno with the fault.
 */
MUST_USE int kms_ask(struct kms_call *c, enum ctl_type type, const void *body,
		     int (*finish)(struct kms_call *c, const struct ctl_kms_answer *a));
/* kms_key_read(): the key that member KeyId names, into c->key. Return: 0, -errno with the fault. */
MUST_USE int kms_key_read(struct kms_call *c, bool alias);
/* kms_answer(): takes @out as the answer. Return: 0, -ENOMEM with the fault when it is NULL. */
MUST_USE int kms_answer(struct kms_call *c, json_t *out);
/* kms_fault(): Return: -EINVAL, the fault set. */
MUST_USE int kms_fault(struct kms_call *c, const char *code, const char *fmt, ...)
	PRINTF_LIKE(3, 4);
json_t *kms_time(uint64_t ms);
