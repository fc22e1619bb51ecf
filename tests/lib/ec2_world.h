/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The EC2 API over a store in memory, without connections and processes: two accounts, a clock that only moves when
 * told to (and by a millisecond when asked), random numbers from a seed. One world per program.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "controller/ec2/call.h"

#define EC2_A MODEL_ACCOUNT_DEFAULT
#define EC2_B "210987654321"

struct ec2_world {
	struct core core;
	uint64_t now_ms, rnd;
	struct core_acts acts; /* of all calls since the start; owned */
	unsigned status;       /* of the last answer */
	char *body;            /* NUL-terminated; owned */
	size_t len;
};

extern struct ec2_world ew;

/* ec2_world_start(): both accounts have their default network and A an image, ami-0123456789abcdef0. */
void ec2_world_start(void);
void ec2_world_stop(void);

/* ec2_ask(): @body without Version, which is added. Return: the status. */
unsigned ec2_ask(const char *account, const char *body);
/* ec2_ask_raw(): a body just as it is. */
unsigned ec2_ask_raw(const char *account, const char *body, size_t len);
/* ec2_askf(): the same, formatted, as account A. */
unsigned ec2_askf(const char *fmt, ...) PRINTF_LIKE(1, 2);
/* ec2_answer_has(): does the last answer hold this text? */
bool ec2_answer_has(const char *text);
/* ec2_answer_count(): how often. */
size_t ec2_answer_count(const char *text);
/* ec2_answer_value(): the text of the first <name>…</name>, unescaped; in a static buffer that 8 calls share. "" when there is none. */
const char *ec2_answer_value(const char *name);
/* ec2_refused(): the last answer is an error of this code. */
bool ec2_refused(const char *code);
/* ec2_world_digest(): of every row. */
void ec2_world_digest(uint8_t ret[32]);
