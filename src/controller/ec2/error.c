/* SPDX-License-Identifier: Apache-2.0 */

/* Refusals: their HTTP status, their body, and the codes of ids that are not there. */

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "controller/ec2/call_priv.h"
#include "controller/ec2/query_priv.h"

/* Sorted by name is not needed: errors are rare. All others are 400. */
static const struct {
	const char *code;
	unsigned status;
} statuses[] = {
	{ "AuthFailure", 401 },
	{ "DryRunOperation", 412 },
	{ "InsufficientAddressCapacity", 500 },
	{ "InsufficientDiskSpace", 500 },
	{ "InsufficientHostCapacity", 500 },
	{ "InsufficientInstanceCapacity", 500 },
	{ "InsufficientVolumeCapacity", 500 },
	{ "InternalError", 500 },
	{ "MissingAuthenticationToken", 403 },
	{ "OptInRequired", 403 },
	{ "RequestLimitExceeded", 503 },
	{ "ServiceUnavailable", 503 },
	{ "Unavailable", 503 },
	{ "UnauthorizedOperation", 403 },
};

unsigned ec2_status(const char *code)
{
	for (size_t i = 0; i < ARRAY_SIZE(statuses); i++)
		if (strcmp(statuses[i].code, code) == 0)
			return statuses[i].status;
	return 400;
}

int ec2_error(const char *code, const char *text, const char *request_id, char **ret_body,
	      size_t *ret_len)
{
	struct xml x = { .buf = NULL };
	size_t len = strlen(text);

	/* A text that was cut may end inside a character. */
	while (len > 0 && !query_utf8_valid(text, len))
		len--;
	xml_raw(&x, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n", 39);
	xml_open(&x, "Response");
	xml_open(&x, "Errors");
	xml_open(&x, "Error");
	xml_str(&x, "Code", code);
	xml_strn(&x, "Message", text, len);
	xml_close(&x, "Error");
	xml_close(&x, "Errors");
	xml_str(&x, "RequestID", request_id);
	xml_close(&x, "Response");
	if (xml_failed(&x)) {
		xml_done(&x);
		return -ENOMEM;
	}
	*ret_body = x.buf;
	*ret_len = x.len;
	return 0;
}

int ec2_refuse(struct ec2_call *c, const char *code, const char *fmt, ...)
{
	char text[MODEL_TEXT_MAX];
	va_list ap;

	if (c->fault.code[0] != '\0')
		return -EINVAL;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return fault_set(&c->fault, EINVAL, code, NULL, "%s", text);
}

int ec2_refuse_id(struct ec2_call *c, int kind, const char *id)
{
	if (c->fault.code[0] != '\0')
		return -EINVAL;
	return fault_absent(&c->fault, kind, id);
}
