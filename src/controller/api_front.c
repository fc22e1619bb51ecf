/* SPDX-License-Identifier: Apache-2.0 */

/* What an operator asks about the EC2 API's port: host.api_certificate and audit.tail. */

#include <errno.h>
#include <stdlib.h>

#include "base/num.h"
#include "controller/front/front.h"
#include "controller/niterd.h"

enum { AUDIT_TAIL_BYTES = 64 * 1024, AUDIT_TAIL_MAX = 512 * 1024 };

/* @text: taken. */
static void answer(struct conn *c, const char *key, char *text, int r)
{
	struct fault f;

	if (r == 0) {
		conn_result(c, json_pack("{s:s}", key, text));
	} else {
		if (r == -ENOENT)
			(void)!fault_set(&f, ENOENT, "NotFound", "see --api of niter-launcher",
					"this host has no API port");
		else
			(void)!fault_internal(&f, r, "reading it");
		conn_fault(c, &f);
	}
	free(text);
}

void host_api_certificate(struct conn *c, const json_t *params)
{
	char *pem = NULL;
	int r;

	if (!params_take(c, params, NULL, 0))
		return;
	r = front_certificate(c->d, &pem);
	answer(c, "certificate", pem, r);
}

void audit_read(struct conn *c, const json_t *params)
{
	uint64_t bytes = AUDIT_TAIL_BYTES;
	const struct param table[] = { { "bytes", PARAM_U64, false, &bytes, 0 } };
	char *text = NULL;
	int r;

	if (!params_take(c, params, table, ARRAY_SIZE(table)))
		return;
	r = front_audit(c->d, min_u64(bytes, AUDIT_TAIL_MAX), &text);
	answer(c, "lines", text, r);
}
