/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Where the API is and who asks. Like aws: --endpoint and --profile, the AWS_… variables, ~/.aws/config and
 * ~/.aws/credentials; without any of them the local host, with a key that `niter` has its operator make once. There is
 * never an endpoint that nobody named: a key for somewhere else is not sent there by accident.
 */

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"

enum { PROFILE_TEXT_MAX = 256 };

struct profile {
	char endpoint[PROFILE_TEXT_MAX]; /* "http://127.0.0.1:8773" */
	char region[64];
	char access_key_id[128];
	char secret[PROFILE_TEXT_MAX];
	char ca_bundle[PROFILE_TEXT_MAX]; /* empty: the system's */
};

/* What --endpoint and --profile said; NULL: not given. */
extern const char *cli_endpoint, *cli_profile;

/* profile_is_named(): do the words of a verb, or AWS_ENDPOINT_URL, say that the API is meant? */
bool profile_is_named(int argc, char *const *argv);

/* profile_get(): Return: CLI_OK, or CLI_FAILED with the line printed. *ret holds a secret: wipe it with profile_wipe(). */
MUST_USE int profile_get(struct profile *ret);
void profile_wipe(struct profile *p);

/* profile_ini_get(): the value of @key in section [@section] of an ini file's text. Return: 0, -ENOENT, -ENAMETOOLONG. */
MUST_USE int profile_ini_get(const char *text, const char *section, const char *key, char *ret,
			     size_t cap);
