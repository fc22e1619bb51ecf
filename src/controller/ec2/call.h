/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * One call of an EC2 Query action: who, what, and the answer in the making. A handler reads its parameters,
 * checks everything, changes rows through core_*() functions, and writes the members of its answer (the root
 * element, requestId and errors are the dispatcher's, ec2.c).
 *
 * The dispatcher runs a handler inside a store transaction. When the handler returns < 0, or something is left unread
 * among the parameters, or DryRun was asked, everything is rolled back and @acts is dropped: so a handler needs to know
 * nothing of DryRun. Everything is safe to repeat.
 *
 * Handlers never wait. One that needs another process's answer returns -EINPROGRESS after it has kept the call
 * (ec2_call_keep()), and ends it later with ec2_call_finish(); its transaction is rolled back at once, so it must not
 * have changed anything.
 */

#include "controller/core.h"
#include "controller/ec2/query.h"
#include "controller/ec2/xml.h"
#include "controller/fault.h"

struct daemon;
struct exchange;

struct ec2_call {
	struct daemon *d; /* NULL in unit tests: then nothing about live processes is known */
	struct core *core;
	const char *account; /* authenticated */
	char request_id[40]; /* UUID */
	const char *action;
	struct query q;
	struct query_at in; /* the root of q */
	struct xml out;
	struct fault fault;
	struct core_acts acts;
	struct exchange *x; /* whose answer it is; NULL in unit tests */
	void *kept; /* the handler's, while it waits; ec2_call_finish() frees it with free() */
	const struct ec2_action *row; /* of the table */
	char token_result[MODEL_NAME_MAX];
	uint64_t filter_steps; /* what filters have cost so far: they are bounded (filter.c) */
};

/* Return: 0, -errno with call->fault set (query_refuse() sets the same fault), -EINPROGRESS. */
typedef MUST_USE int ec2_fn(struct ec2_call *c);

struct ec2_action {
	const char *name;
	ec2_fn *fn;
	/* Idempotency by ClientToken; NULL: none. replay() writes the answer again from the id the first call left with ec2_token_result(). */
	MUST_USE int (*replay)(struct ec2_call *c, const char *result);
	bool changes; /* for the audit log and the turn's transaction; false: a Describe or Get */
};

/* Each file of actions has one table, ended by a row without a name; ec2.c lists the tables. */
extern const struct ec2_action ec2_account_actions[], ec2_image_actions[], ec2_instance_actions[],
	ec2_interface_actions[], ec2_key_actions[], ec2_network_actions[], ec2_group_actions[],
	ec2_tag_actions[], ec2_type_actions[], ec2_volume_actions[], ec2_absent_actions[];

/* ec2_token_result(): what replay() will get: the id of what was made. At most 63 characters. */
void ec2_token_result(struct ec2_call *c, const char *id);

/* ec2_return(): <return>true</return>, the answer of actions without members. */
void ec2_return(struct ec2_call *c);

/* ec2_refuse(): Return: -EINVAL, for `return ec2_refuse(c, "InvalidGroup.NotFound", "The security group '%s' does not exist", id)`. */
MUST_USE int ec2_refuse(struct ec2_call *c, const char *code, const char *fmt, ...)
	PRINTF_LIKE(3, 4);
/* ec2_refuse_id(): NotFound or Malformed of the id's kind, by its shape. @kind: enum id_kind */
MUST_USE int ec2_refuse_id(struct ec2_call *c, int kind, const char *id);

/* Asynchronous calls. */
void ec2_call_keep(struct ec2_call *c, void *kept);
/* ec2_call_finish(): @r as a handler's return. @c is gone afterwards. Changes nothing: what was written is only answered. */
void ec2_call_finish(struct ec2_call *c, int r);
/* ec2_call_again(): the handler is run from its beginning, in a new transaction; it finds c->kept. @c may be gone afterwards. */
void ec2_call_again(struct ec2_call *c);

/* Where actions of committed calls go, and answers that come late. niterd sets it at its start; tests may leave it. */
struct ec2_sink {
	MUST_USE int (*acts)(struct daemon *d, const struct core_acts *acts);
	void (*reply)(struct exchange *x, unsigned status, const char *type, char *body,
		      size_t len);
	/* may be NULL: may @x change something? 0, -errno with @f */
	MUST_USE int (*once)(struct exchange *x, struct fault *f);
};
void ec2_sink_set(const struct ec2_sink *s);

#define EC2_CONTENT_TYPE "text/xml;charset=UTF-8"

/* ec2_status(): HTTP status of an error code. */
unsigned ec2_status(const char *code);
/* ec2_error(): the body of an error, for whoever refuses before ec2_handle(). Return: 0, -ENOMEM. */
MUST_USE int ec2_error(const char *code, const char *text, const char *request_id, char **ret_body,
		       size_t *ret_len);

/**
 * ec2_handle() - a whole request (dispatcher)
 * @body: form body
 * *ret_status and *ret_body (owned, NULL when -EINPROGRESS): the answer
 * Return: 0, -EINPROGRESS: exchange_reply() comes later, -ENOMEM.
 */
MUST_USE int ec2_handle(struct daemon *d, struct core *core, const char *account, const char *body,
			size_t len, struct exchange *x, unsigned *ret_status, char **ret_body,
			size_t *ret_len);
