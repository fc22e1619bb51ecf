/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Who answers? The service is the one of the credential scope, which is signed. Before that is known a refusal takes the form
 * that the client's headers suggest.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "controller/ec2/call.h"
#include "controller/ec2/xml.h"
#include "controller/front/auth.h"
#include "controller/front/front_priv.h"
#include "controller/front/services.h"

#define XML_DECLARATION "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"

enum form { FORM_EC2, FORM_STS, FORM_JSON };

static enum form form_of(const struct exchange *x)
{
	const struct http_header *h;

	if (strcmp(x->service, "sts") == 0)
		return FORM_STS;
	if (strcmp(x->service, "kms") == 0)
		return FORM_JSON;
	if (strcmp(x->service, "ec2") == 0 || !x->req)
		return FORM_EC2;
	h = http_header_find(x->req, "X-Amz-Target", NULL);
	return h ? FORM_JSON : FORM_EC2;
}

static void sts_error(struct xml *o, const struct exchange *x, const char *code, const char *text)
{
	static const char root[] =
		"<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">";

	xml_raw(o, root, sizeof(root) - 1);
	xml_open(o, "Error");
	xml_str(o, "Type", strncmp(code, "Internal", 8) == 0 ? "Receiver" : "Sender");
	xml_str(o, "Code", code);
	xml_str(o, "Message", text);
	xml_close(o, "Error");
	xml_str(o, "RequestId", x->request_id);
	xml_close(o, "ErrorResponse");
}

static char *json_error(const char *code, const char *text, size_t *ret_len)
{
	json_t *o = json_pack("{s:s,s:s}", "__type", code, "message", text);
	char *body = o ? json_dumps(o, JSON_COMPACT) : NULL;

	json_decref(o);
	*ret_len = body ? strlen(body) : 0;
	return body;
}

char *route_error(const struct exchange *x, const char *code, const char *text,
		  const char **ret_type, size_t *ret_len)
{
	enum form form = form_of(x);
	struct xml o = { 0 };
	char *body = NULL;

	*ret_len = 0;
	if (form == FORM_JSON) {
		*ret_type = "application/x-amz-json-1.1";
		return json_error(code, text, ret_len);
	}
	if (form == FORM_EC2) {
		*ret_type = EC2_CONTENT_TYPE;
		return ec2_error(code, text, x->request_id, &body, ret_len) < 0 ? NULL : body;
	}
	*ret_type = "text/xml";
	xml_raw(&o, XML_DECLARATION, sizeof(XML_DECLARATION) - 1);
	sts_error(&o, x, code, text);
	if (xml_failed(&o)) {
		xml_done(&o);
		return NULL;
	}
	*ret_len = o.len;
	return o.buf;
}

static void refuse(struct exchange *x, unsigned status, const char *code, const char *text)
{
	const char *type = NULL;
	size_t len = 0;
	char *body = route_error(x, code, text, &type, &len);

	snprintf(x->code, sizeof(x->code), "%s", code);
	exchange_reply(x, status, type, body, len);
}

/* Refusals of the signature: as each kind of service spells them. */
static void auth_refuse(struct exchange *x, const struct fault *f)
{
	static const struct {
		const char *code;
		unsigned ec2;
		const char *sts_code;
		unsigned sts;
		const char *json_code;
	} table[] = {
		{ "AuthFailure", 401, "InvalidClientTokenId", 403, "UnrecognizedClientException" },
		{ "SignatureDoesNotMatch", 403, NULL, 403, "InvalidSignatureException" },
		{ "IncompleteSignature", 400, NULL, 400, "IncompleteSignatureException" },
		{ "MissingAuthenticationToken", 403, NULL, 403,
		  "MissingAuthenticationTokenException" },
		{ "RequestExpired", 400, "ExpiredToken", 403, "InvalidSignatureException" },
		{ "InternalError", 500, "InternalFailure", 500, "InternalFailure" },
		{ "Unavailable", 503, "ServiceUnavailable", 503, "ServiceUnavailable" },
		{ "RequestLimitExceeded", 503, "Throttling", 400, "ThrottlingException" },
	};
	enum form form = form_of(x);

	for (size_t k = 0; k < ARRAY_SIZE(table); k++) {
		if (strcmp(table[k].code, f->code) != 0)
			continue;
		if (form == FORM_EC2)
			refuse(x, table[k].ec2, f->code, f->text);
		else if (form == FORM_STS)
			refuse(x, table[k].sts, table[k].sts_code ? table[k].sts_code : f->code,
			       f->text);
		else
			refuse(x, table[k].ec2 >= 500 ? table[k].ec2 : 400, table[k].json_code,
			       f->text);
		return;
	}
	refuse(x, 400, f->code, f->text);
}

/* A query without what belongs to its signature. Return: its bytes; @ret has room for all of @q. */
static size_t unsigned_query(struct http_span q, char *ret)
{
	static const char prefix[] = "X-Amz-";
	size_t len = 0;

	while (q.len > 0) {
		const char *end = memchr(q.p, '&', q.len);
		size_t n = end ? (size_t)(end - q.p) + 1 : q.len;

		if (n < sizeof(prefix) - 1 || memcmp(q.p, prefix, sizeof(prefix) - 1) != 0) {
			memcpy(ret + len, q.p, n);
			len += n;
		}
		q.p += n;
		q.len -= n;
	}
	return len > 0 && ret[len - 1] == '&' ? len - 1 : len;
}

/* A form is the body of a POST, or the query of a GET. */
static void ec2(struct exchange *x)
{
	bool get = http_span_is(x->req->method, "GET");
	CLEANUP(free_p) char *query = get ? malloc(x->req->query.len + 1) : NULL;
	const char *form = get ? query : x->req->body;
	size_t len = x->req->body_len;
	unsigned status = 500;
	char *body = NULL;
	int r;

	if (query)
		len = unsigned_query(x->req->query, query);
	r = get && !query ? -ENOMEM : turn_begin(x->d);
	if (r == 0)
		r = ec2_handle(x->d, &x->d->core, x->account, form, len, x, &status, &body, &len);
	if (r == -EINPROGRESS)
		return;
	if (r < 0)
		refuse(x, 500, "InternalError", "An internal error has occurred");
	else
		exchange_reply(x, status, EC2_CONTENT_TYPE, body, len);
}

static const struct service {
	const char *name;
	void (*handle)(struct exchange *x);
	bool get; /* GET with a query is understood too */
} services[] = {
	{ "ec2", ec2, true },
	{ "sts", sts_handle, true },
	{ "kms", kms_handle, false },
};

static void serve(struct exchange *x)
{
	const struct service *s = NULL;

	for (size_t k = 0; k < ARRAY_SIZE(services); k++)
		if (strcmp(services[k].name, x->service) == 0)
			s = &services[k];
	if (!s)
		refuse(x, 400, "InvalidAction", "There is no such service here");
	else if (!http_span_is(x->req->method, "POST") &&
		 !(s->get && http_span_is(x->req->method, "GET")))
		refuse(x, 405, "InvalidAction", "This method is not offered");
	else if (!http_span_is(x->req->path, "/"))
		refuse(x, 404, "InvalidAction", "There is nothing at this path");
	else
		s->handle(x);
}

void route(struct exchange *x)
{
	struct fault f = { .code = "" };
	int r = auth_check(x, &f);

	if (r == -EINPROGRESS)
		return;
	if (r < 0) {
		if (!f.code[0])
			(void)!fault_internal(&f, r, "the signature could not be checked");
		auth_refuse(x, &f);
		return;
	}
	call_of(x)->authentic = true;
	serve(x);
}

void front_retry(struct exchange *x)
{
	if (x->req)
		route(x);
	else
		exchange_reply(x, 503, NULL, NULL, 0); /* nobody waits for it any more */
}
