/* SPDX-License-Identifier: Apache-2.0 */

#include "cli/api/local.h"

#include "cli/cli.h"

int local_profile(struct profile *p, bool key)
{
	(void)p;
	(void)key;
	return cli_error("say where the API is with --endpoint or AWS_ENDPOINT_URL, and who asks "
			 "with --profile");
}
