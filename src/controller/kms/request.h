/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The members of a KMS request: one JSON object, read member by member. As with EC2's parameters, what a handler did not
 * ask for is refused by name at the end, and the first thing wrong is remembered in the fault: everything after it
 * reads as absent.
 */

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/attr.h"
#include "controller/fault.h"

enum {
	KMS_BODY_MAX = 64 * 1024,
	KMS_DEPTH_MAX = 6,
	KMS_MEMBERS_MAX = 32,
};

struct kms_request {
	json_t *root;                      /* owned: kms_request_done() */
	const char *read[KMS_MEMBERS_MAX]; /* literals */
	size_t read_cnt;
	struct fault *fault; /* borrowed; code[0] != 0 once something was wrong */
};

/**
 * kms_request_parse() - UTF-8, one object, no name twice, no deeper than KMS_DEPTH_MAX; an empty body is {}
 * Return: 0 and *ret (kms_request_done()), -EPROTO with @f, -ENOMEM.
 */
MUST_USE int kms_request_parse(const char *body, size_t len, struct kms_request *ret,
			       struct fault *f);
void kms_request_done(struct kms_request *q);

/* All of these mark the member as read; null counts as absent. @name: a literal. */
/* kms_str(): NULL when absent; 1 … @max characters. */
const char *kms_str(struct kms_request *q, const char *name, size_t max);
/* kms_need_str(): "" when it is absent, which is a fault. */
const char *kms_need_str(struct kms_request *q, const char *name, size_t max);
/* kms_text(): as kms_str(), and an empty one is a value; "" when absent. */
const char *kms_text(struct kms_request *q, const char *name, size_t max);
/* kms_u64(): 0 when absent. */
uint64_t kms_u64(struct kms_request *q, const char *name, uint64_t min, uint64_t max);
bool kms_bool(struct kms_request *q, const char *name);
/* kms_blob(): base64 of 1 … @max bytes. Return: bytes, 0 with a fault when it is absent or wrong. */
size_t kms_need_blob(struct kms_request *q, const char *name, uint8_t *ret, size_t max);
/* kms_context(): the digest of EncryptionContext. */
void kms_context(struct kms_request *q, const char *name, uint8_t ret[32]);
/* kms_is(): a word that has one value here; another is refused with @code. */
void kms_is(struct kms_request *q, const char *name, const char *value, const char *code);
/* kms_absent(): a member that is not offered: refused by name unless it is absent, false, or an empty list. */
void kms_absent(struct kms_request *q, const char *name, const char *why);

void kms_refuse(struct kms_request *q, const char *code, const char *fmt, ...) PRINTF_LIKE(3, 4);
bool kms_failed(const struct kms_request *q);
/* kms_end(): what nobody read is refused. Return: 0, -EINVAL with the fault. */
MUST_USE int kms_end(struct kms_request *q);
