/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * KMS keys as rows: who has which, what may be done with them, when they end. Pure decisions: the material is the
 * security process's (security_link.h), and whoever calls here asks it first. Faults carry KMS's own codes.
 *
 * Every account has one more key, alias/aws/ebs: it stands for the key under which the account's volumes are wrapped when
 * nobody names another. It has no material of its own and encrypts nothing else.
 */

#include "controller/core.h"

enum {
	CORE_KMS_KEYS_MAX = 256, /* of one account */
	CORE_KMS_WINDOW_MIN = 7, /* days between the wish and the end */
	CORE_KMS_WINDOW_MAX = 30,
	CORE_KMS_ARN_MAX = 160, /* with NUL */
};

#define CORE_KMS_ALIAS_EBS "alias/aws/ebs"

/**
 * core_kms_find() - the key that @ref names: id, ARN, alias or ARN of an alias
 * @alias: aliases are understood. Naming alias/aws/ebs for the first time makes its row.
 * Return: 0 and *ret, -errno with @f.
 */
MUST_USE int core_kms_find(struct core *c, const char *account, const char *ref, bool alias,
			   struct kms_key *ret, struct fault *f);
/* core_kms_service_key(): alias/aws/ebs of @account, made on first use. */
MUST_USE int core_kms_service_key(struct core *c, const char *account, struct kms_key *ret);

/* core_kms_arn(): of a key. */
void core_kms_arn(const struct core *c, const struct kms_key *k, char ret[CORE_KMS_ARN_MAX]);

/* core_kms_usable(): may it encrypt and decrypt now? */
MUST_USE int core_kms_usable(const struct core *c, const struct kms_key *k, struct fault *f);

/* core_kms_new(): checks the quota and draws an id; nothing is recorded. */
MUST_USE int core_kms_new(struct core *c, const char *account, const char *description,
			  struct kms_key *ret, struct fault *f);
/* core_kms_add(): checks the quota again and records it: its material is there. */
MUST_USE int core_kms_add(struct core *c, const struct kms_key *k, struct fault *f);

/*
 * What changes a key's state: *ret is the row to be, not recorded yet. Return: 1 there is something to do, 0 it is so
 * already, -errno with @f.
 */
MUST_USE int core_kms_enable(struct core *c, const struct kms_key *k, struct kms_key *ret,
			     struct fault *f);
MUST_USE int core_kms_disable(struct core *c, const struct kms_key *k, struct kms_key *ret,
			      struct fault *f);
MUST_USE int core_kms_schedule(struct core *c, const struct kms_key *k, unsigned days,
			       struct kms_key *ret, struct fault *f);
MUST_USE int core_kms_cancel(struct core *c, const struct kms_key *k, struct kms_key *ret,
			     struct fault *f);
/* core_kms_put(): records the row. */
MUST_USE int core_kms_put(struct core *c, const struct kms_key *k, struct fault *f);

/* core_kms_due(): a key whose end has come. Return: 1 and *ret, 0 none, and *ret_next_ms when the next one's does (UINT64_MAX: never). */
int core_kms_due(struct core *c, struct kms_key *ret, uint64_t *ret_next_ms);
/* core_kms_gone(): its material is destroyed; saying it twice is no error. */
MUST_USE int core_kms_gone(struct core *c, const char *id);
