/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * A daemon with a store, a clock and the null launcher's security process; calls of KMS go in, answers come out. One includer
 * per program: it stands in for the front.
 */

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "controller/front/auth.h"
#include "controller/front/services.h"
#include "controller/kms/kms.h"
#include "controller/kms/kms_priv.h"
#include "controller/niterd.h"
#include "controller/security_null.h"
#include "crypto/crypto.h"

enum { RIG_SECURITY = 1, RIG_NULL = 2 };

#define RIG_ACCOUNT "123456789012"
#define RIG_OTHER "210987654321"
#define RIG_DAY_MS (24ULL * 3600 * 1000)

static struct daemon rig;
static struct security_null rig_null;
static struct loop_ref rig_null_ref = { .type = RIG_NULL };
static uint64_t rig_ms = 1795340716000;
static uint64_t rig_seed = 1;
static const char *rig_account = RIG_ACCOUNT;
static bool rig_replayed;

/* The answer of the last call. */
static struct rig_answer {
	unsigned status, replies;
	json_t *body; /* owned */
	char code[MODEL_CODE_MAX], action[64];
	bool secret, changes;
} rig_got;

void exchange_reply(struct exchange *x, unsigned status, UNUSED const char *type, char *body,
		    size_t len)
{
	json_decref(rig_got.body);
	rig_got.status = status;
	rig_got.replies++;
	rig_got.body = body ? json_loadb(body, len, 0, NULL) : NULL;
	rig_got.secret = x->secret;
	rig_got.changes = x->changes;
	memcpy(rig_got.code, x->code, sizeof(rig_got.code));
	memcpy(rig_got.action, x->action, sizeof(rig_got.action));
	free(body);
	free(x->kept);
	free(x);
}

int turn_begin(UNUSED struct daemon *d)
{
	return 0;
}

int auth_replay_check(UNUSED struct exchange *x, struct fault *f)
{
	return rig_replayed ? fault_set(f, EALREADY, "RequestLimitExceeded", NULL, "again") : 0;
}

static uint64_t rig_now(UNUSED void *ptr)
{
	return rig_ms;
}

/* Ids of a test are the same every time. */
static int rig_random(UNUSED void *ptr, void *buf, size_t len)
{
	uint8_t *b = buf;

	for (size_t k = 0; k < len; k++) {
		rig_seed = rig_seed * 6364136223846793005ULL + 1442695040888963407ULL;
		b[k] = (uint8_t)(rig_seed >> 56);
	}
	return 0;
}

static void rig_turn(void)
{
	struct loop_event ev[LOOP_EVENTS_MAX];
	int n;

	while ((n = loop_wait(&rig.loop, ev, 0)) > 0)
		for (int k = 0; k < n; k++) {
			if (ev[k].ref->type == RIG_NULL)
				security_null_event(&rig_null);
			else
				security_link_event(&rig.security, ev[k].events);
		}
}

static void rig_connect(void)
{
	int fd = -1;

	must(security_null_init(&rig_null, NULL, &fd) == 0);
	must(security_link_open(&rig.security, &rig.loop, &rig.security_ref, fd) == 0);
	must(security_null_open(&rig_null, &rig.loop, &rig_null_ref) == 0);
}

static void rig_begin(void)
{
	const struct account a = { .id = RIG_ACCOUNT }, b = { .id = RIG_OTHER };

	memset(&rig, 0, sizeof(rig));
	rig.core.env = (struct core_env){ rig_now, rig_random, NULL };
	rig.core.place = (struct place)PLACE_DEFAULT;
	rig.security_ref.type = RIG_SECURITY;
	rig_replayed = false;
	rig_account = RIG_ACCOUNT;
	must(store_open(":memory:", &rig.core.st) == 0);
	must(store_put(rig.core.st, &tbl_accounts, &a) == 0);
	must(store_put(rig.core.st, &tbl_accounts, &b) == 0);
	must(loop_init(&rig.loop) == 0);
	security_link_init(&rig.security);
	rig_connect();
}

UNUSED static void rig_end(void)
{
	security_link_close(&rig.security);
	security_null_done(&rig_null);
	loop_done(&rig.loop);
	store_free(rig.core.st);
	json_decref(rig_got.body);
	rig_got.body = NULL;
}

/* One call: it has begun, and may wait. */
static void rig_send(const char *target, const char *body, size_t len)
{
	static struct http_request req;
	struct exchange *x = calloc(1, sizeof(*x));

	must(x);
	memset(&req, 0, sizeof(req));
	req.header[0].name = (struct http_span){ "X-Amz-Target", strlen("X-Amz-Target") };
	req.header[0].value = (struct http_span){ target, strlen(target) };
	req.header_cnt = 1;
	req.body = body;
	req.body_len = len;
	x->d = &rig;
	x->req = &req;
	snprintf(x->account, sizeof(x->account), "%s", rig_account);
	kms_handle(x);
}

/* ... and is answered. Return: the status. */
static unsigned rig_call_bytes(const char *action, const char *body, size_t len)
{
	char target[96];

	rig_got.replies = 0;
	snprintf(target, sizeof(target), "TrentService.%s", action);
	rig_send(target, body, len);
	rig_turn();
	must(rig_got.replies == 1);
	return rig_got.status;
}

static unsigned rig_call(const char *action, const char *body)
{
	return rig_call_bytes(action, body, strlen(body));
}

static const char *rig_str(const char *member)
{
	const char *s = json_string_value(json_object_get(rig_got.body, member));

	return s ? s : "";
}
