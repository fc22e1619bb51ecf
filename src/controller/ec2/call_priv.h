/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Between the files of the dispatcher only. */

#include "controller/ec2/call.h"

/* The tables of actions; NULL ends them. */
extern const struct ec2_action *const ec2_tables[];
/* ec2_action_find(): NULL: nobody has heard of it. */
const struct ec2_action *ec2_action_find(const char *name);
/* ec2_absent(): the function of actions that are known and not offered. */
ec2_fn ec2_absent;

/**
 * ec2_call_digest() - of account and parameters, those without a value left out
 * @left_out: names, ended by NULL; parameters of a signature never count
 * Return: 0, -ENOMEM, -EIO.
 */
MUST_USE int ec2_call_digest(const struct ec2_call *c, const char *const *left_out,
			     uint8_t ret[32]);

/* ec2_word_in(): is @word one of the words of @list, which are separated by blanks? */
bool ec2_word_in(const char *list, const char *word);

/* Client tokens (token.c). */
enum { EC2_TOKEN_MAX = 65, EC2_TOKEN_KEPT_MS = 25 * 3600 * 1000 };
/* token_read(): ClientToken, checked. NULL: none, or a fault. */
const char *token_read(struct ec2_call *c);
/* token_seen(): Return: 1 it was used for the same and @ret_result says what came of it, 0 new, -errno with the fault. */
MUST_USE int token_seen(struct ec2_call *c, const char *token, char ret_result[MODEL_NAME_MAX]);
/* token_keep(): inside the call's transaction. */
MUST_USE int token_keep(struct ec2_call *c, const char *token);
