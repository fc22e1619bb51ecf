/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The Security Token Service, of which clients ask one thing: who am I? Temporary credentials are not issued; the
 * actions that would are refused by name.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "controller/ec2/query.h"
#include "controller/ec2/xml.h"
#include "controller/front/services.h"

#define STS_VERSION "2011-06-15"
#define NAMESPACE "https://sts.amazonaws.com/doc/" STS_VERSION "/"

static const char *const absent[] = {
	"AssumeRole",
	"AssumeRoleWithSAML",
	"AssumeRoleWithWebIdentity",
	"AssumeRoot",
	"DecodeAuthorizationMessage",
	"GetAccessKeyInfo",
	"GetDelegatedAccessToken",
	"GetFederationToken",
	"GetSessionToken",
	"GetWebIdentityToken",
};

/* A signed query has the signature's parameters among the action's. */
static void signature_ignore(struct query *q)
{
	for (size_t k = 0; k < q->cnt; k++)
		if (strncmp(q->param[k].name, "X-Amz-", 6) == 0)
			q->param[k].read = true;
}

static int check(struct query *q, char *ret_action, size_t cap)
{
	const struct query_at in = query_root(q);
	const char *action = query_str(&in, "Action"), *version = query_str(&in, "Version");
	char safe[96];

	signature_ignore(q);
	if (!action)
		return fault_set(q->fault, EINVAL, "MissingAction", NULL,
				 "The request must contain the parameter Action");
	log_escape(safe, sizeof(safe), action, strlen(action));
	for (size_t k = 0; k < ARRAY_SIZE(absent); k++) {
		if (strcmp(action, absent[k]) != 0)
			continue;
		snprintf(ret_action, cap, "%s", absent[k]);
		return fault_set(q->fault, EINVAL, "UnsupportedOperation", NULL,
				 "%s is not offered here: there are no temporary credentials",
				 absent[k]);
	}
	if (strcmp(action, "GetCallerIdentity") != 0)
		return fault_set(q->fault, EINVAL, "InvalidAction", NULL,
				 "Could not find operation %s for version " STS_VERSION, safe);
	snprintf(ret_action, cap, "GetCallerIdentity");
	if (!version)
		return fault_set(q->fault, EINVAL, "MissingParameter", NULL,
				 "The request must contain the parameter Version");
	if (strcmp(version, STS_VERSION) != 0)
		return fault_set(q->fault, EINVAL, "NoSuchVersion", NULL,
				 "The requested version is not offered here, only " STS_VERSION);
	return query_leftovers(q);
}

static void raw(struct xml *o, const char *text)
{
	xml_raw(o, text, strlen(text));
}

static void metadata(struct xml *o, const char *request_id)
{
	xml_open(o, "ResponseMetadata");
	xml_str(o, "RequestId", request_id);
	xml_close(o, "ResponseMetadata");
}

/* The one principal an account has is its root. */
static void identity(struct xml *o, const struct exchange *x)
{
	char arn[64];

	snprintf(arn, sizeof(arn), "arn:aws:iam::%s:root", x->account);
	raw(o, "<GetCallerIdentityResponse xmlns=\"" NAMESPACE "\">");
	xml_open(o, "GetCallerIdentityResult");
	xml_str(o, "Arn", arn);
	xml_str(o, "UserId", x->account);
	xml_str(o, "Account", x->account);
	xml_close(o, "GetCallerIdentityResult");
	metadata(o, x->request_id);
	xml_close(o, "GetCallerIdentityResponse");
}

static void refusal(struct xml *o, const struct exchange *x, const struct fault *f)
{
	raw(o, "<ErrorResponse xmlns=\"" NAMESPACE "\">");
	xml_open(o, "Error");
	xml_str(o, "Type", "Sender");
	xml_str(o, "Code", f->code);
	xml_str(o, "Message", f->text);
	xml_close(o, "Error");
	xml_str(o, "RequestId", x->request_id);
	xml_close(o, "ErrorResponse");
}

void sts_handle(struct exchange *x)
{
	bool get = x->req->method.len == 3 && memcmp(x->req->method.p, "GET", 3) == 0;
	struct fault f = { .code = "" };
	struct query q = { .fault = &f };
	struct xml o = { 0 };
	int r;

	r = query_parse(get ? x->req->query.p : x->req->body,
			get ? x->req->query.len : x->req->body_len, &q, &f);
	if (r == 0) {
		q.fault = &f;
		r = check(&q, x->action, sizeof(x->action));
	}
	query_done(&q);
	raw(&o, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
	if (r == 0)
		identity(&o, x);
	else
		refusal(&o, x, &f);
	snprintf(x->code, sizeof(x->code), "%s", f.code);
	if (xml_failed(&o) || r == -ENOMEM) {
		xml_done(&o);
		exchange_reply(x, 500, NULL, NULL, 0);
		return;
	}
	exchange_reply(x, r == 0 ? 200 : 400, "text/xml", o.buf, o.len);
}
