/* SPDX-License-Identifier: Apache-2.0 */

/* HTTP and its signature are libcurl's, XML is expat's. */

#include "cli/api/ec2.h"

#include <curl/curl.h>
#include <expat.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "cli/api/profile.h"
#include "cli/cli.h"

enum { TRY_AGAIN = -1, TRIES = 3 };
enum { ANSWER_MAX = 256 * 1024 * 1024, DEPTH_MAX = 32, TIMEOUT_S = 120, CONNECT_TIMEOUT_S = 10 };

#define EC2_VERSION "2016-11-15"

/* ---- parameters ---- */

static void text_add(struct ec2_params *p, const char *s, bool encode)
{
	static const char hex[] = "0123456789ABCDEF";
	size_t room = strlen(s) * (encode ? 3 : 1) + 1;
	char *bigger = p->failed ? NULL : realloc(p->text, p->len + room);

	if (!bigger) {
		p->failed = true;
		return;
	}
	p->text = bigger;
	for (const unsigned char *c = (const unsigned char *)s; *c; c++) {
		bool plain = (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') ||
			     (*c >= '0' && *c <= '9') || strchr("-._~", *c) != NULL;

		if (!encode || plain) {
			p->text[p->len++] = (char)*c;
			continue;
		}
		p->text[p->len++] = '%';
		p->text[p->len++] = hex[*c >> 4];
		p->text[p->len++] = hex[*c & 15];
	}
	p->text[p->len] = '\0';
}

void ec2_add(struct ec2_params *p, const char *name, const char *value)
{
	if (!value)
		return;
	if (p->len)
		text_add(p, "&", false);
	text_add(p, name, true);
	text_add(p, "=", false);
	text_add(p, value, true);
}

void ec2_add_n(struct ec2_params *p, const char *fmt, unsigned n, const char *value)
{
	const char *hash = strchr(fmt, '#');
	char name[128];

	snprintf(name, sizeof(name), "%.*s%u%s", (int)(hash - fmt), fmt, n, hash + 1);
	ec2_add(p, name, value);
}

void ec2_add_u64(struct ec2_params *p, const char *name, uint64_t value)
{
	char text[32];

	snprintf(text, sizeof(text), "%llu", (unsigned long long)value);
	ec2_add(p, name, text);
}

void ec2_add_filter(struct ec2_params *p, unsigned n, const char *name, const char *value)
{
	ec2_add_n(p, "Filter.#.Name", n, name);
	ec2_add_n(p, "Filter.#.Value.1", n, value);
}

/* ---- the answer ---- */

/* An element that is open. */
struct open_element {
	json_t *value; /* owned: object or array; NULL: no child yet */
	char *text;    /* owned */
	size_t len;
};

struct answer {
	XML_Parser parser;
	struct open_element open[DEPTH_MAX];
	size_t depth;
	json_t *root; /* owned */
	bool failed;
};

static void fail(struct answer *a)
{
	a->failed = true;
	(void)XML_StopParser(a->parser, XML_FALSE);
}

static void XMLCALL element_start(void *ptr, const char *name, const char **attrs)
{
	struct answer *a = ptr;

	(void)name;
	(void)attrs;
	if (a->depth == DEPTH_MAX) {
		fail(a);
		return;
	}
	memset(&a->open[a->depth++], 0, sizeof(a->open[0]));
}

static void XMLCALL element_text(void *ptr, const char *s, int len)
{
	struct answer *a = ptr;
	struct open_element *e;
	char *bigger;

	if (a->depth == 0)
		return;
	e = &a->open[a->depth - 1];
	bigger = realloc(e->text, e->len + (size_t)len + 1);
	if (!bigger) {
		fail(a);
		return;
	}
	e->text = bigger;
	memcpy(e->text + e->len, s, (size_t)len);
	e->len += (size_t)len;
	e->text[e->len] = '\0';
}

/* Gives @v (taken) to the element around it. */
static int child_add(struct open_element *parent, const char *name, json_t *v)
{
	bool item = strcmp(name, "item") == 0;

	if (!parent->value)
		parent->value = item ? json_array() : json_object();
	if (json_is_array(parent->value) != item) {
		json_decref(v);
		return -1;
	}
	return item ? json_array_append_new(parent->value, v)
		    : json_object_set_new(parent->value, name, v);
}

static void XMLCALL element_end(void *ptr, const char *name)
{
	struct answer *a = ptr;
	struct open_element *e = &a->open[--a->depth];
	json_t *v = e->value ? e->value : json_string(e->text ? e->text : "");

	free(e->text);
	e->text = NULL;
	e->value = NULL;
	if (v && a->depth == 0)
		a->root = v;
	else if (!v || child_add(&a->open[a->depth - 1], name, v) < 0)
		fail(a);
}

json_t *ec2_answer_parse(const char *text, size_t len)
{
	struct answer a = { .parser = XML_ParserCreate(NULL) };

	if (!a.parser)
		return NULL;
	XML_SetUserData(a.parser, &a);
	XML_SetElementHandler(a.parser, element_start, element_end);
	XML_SetCharacterDataHandler(a.parser, element_text);
	if (len > ANSWER_MAX || XML_Parse(a.parser, text, (int)len, 1) != XML_STATUS_OK)
		a.failed = true;
	XML_ParserFree(a.parser);
	for (size_t k = 0; k < a.depth; k++) {
		free(a.open[k].text);
		json_decref(a.open[k].value);
	}
	if (a.failed) {
		json_decref(a.root);
		return NULL;
	}
	return a.root;
}

/* ---- the call ---- */

struct body {
	char *p; /* owned */
	size_t len;
};

static size_t body_take(char *p, size_t size, size_t cnt, void *ptr)
{
	struct body *b = ptr;
	char *bigger;

	if (b->len + size * cnt > ANSWER_MAX)
		return 0;
	bigger = realloc(b->p, b->len + size * cnt + 1);
	if (!bigger)
		return 0;
	b->p = bigger;
	memcpy(b->p + b->len, p, size * cnt);
	b->len += size * cnt;
	return size * cnt;
}

static const char *member_text(const json_t *o, const char *a, const char *b, const char *key)
{
	const char *s =
		json_string_value(json_object_get(json_object_get(json_object_get(o, a), b), key));

	return s ? s : "";
}

/* What an error answer says, as a line. */
static int refused(const char *action, long status, const struct body *b)
{
	json_t *root = ec2_answer_parse(b->p ? b->p : "", b->len);
	const char *code = member_text(root, "Errors", "Error", "Code");
	const char *text = member_text(root, "Errors", "Error", "Message");
	int r;

	if (code[0])
		r = cli_error("%s (%s)", text, code);
	else
		r = cli_error("%s was answered with HTTP status %ld", action, status);
	json_decref(root);
	return r;
}

static int perform(CURL *c, const struct profile *p, const char *action, const struct ec2_params *q,
		   bool again, struct body *b)
{
	char sign[128], user[PROFILE_TEXT_MAX + 160];
	long status = 0;
	CURLcode rc;

	snprintf(sign, sizeof(sign), "aws:amz:%s:ec2", p->region);
	snprintf(user, sizeof(user), "%s:%s", p->access_key_id, p->secret);
	(void)curl_easy_setopt(c, CURLOPT_URL, p->endpoint);
	(void)curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
	(void)curl_easy_setopt(c, CURLOPT_POSTFIELDS, q->text);
	(void)curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)q->len);
	(void)curl_easy_setopt(c, CURLOPT_USERPWD, user);
	(void)curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, body_take);
	(void)curl_easy_setopt(c, CURLOPT_WRITEDATA, b);
	(void)curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT, (long)CONNECT_TIMEOUT_S);
	(void)curl_easy_setopt(c, CURLOPT_TIMEOUT, (long)TIMEOUT_S);
	(void)curl_easy_setopt(c, CURLOPT_NOPROXY, "127.0.0.1,localhost");
	if (p->ca_bundle[0])
		(void)curl_easy_setopt(c, CURLOPT_CAINFO, p->ca_bundle);
	rc = curl_easy_setopt(c, CURLOPT_AWS_SIGV4, sign);
	if (rc == CURLE_OK)
		rc = curl_easy_perform(c);
	explicit_bzero(user, sizeof(user));
	if (rc != CURLE_OK)
		return cli_error("the API at %s does not answer: %s; is the host started (niter "
				 "host status)?",
				 p->endpoint, curl_easy_strerror(rc));
	(void)curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, &status);
	if (status == 503 &&
	    again) /* not now, as every client of EC2 takes it; signed anew next time */
		return TRY_AGAIN;
	return status == 200 ? CLI_OK : refused(action, status, b);
}

static int perform_patiently(CURL *c, const struct profile *p, const char *action,
			     const struct ec2_params *q, struct body *b)
{
	const struct timespec second = { .tv_sec = 1 };
	int r = TRY_AGAIN;

	for (int left = TRIES - 1; r == TRY_AGAIN; left--) {
		b->len = 0;
		r = perform(c, p, action, q, left > 0, b);
		if (r == TRY_AGAIN)
			(void)nanosleep(&second, NULL);
	}
	return r;
}

int ec2_call(const char *action, struct ec2_params *params, json_t **ret_result)
{
	struct ec2_params none = { .text = NULL }, *q = params ? params : &none;
	struct body b = { .p = NULL };
	struct profile p;
	json_t *result = NULL;
	CURL *c = NULL;
	int r;

	ec2_add(q, "Action", action);
	ec2_add(q, "Version", EC2_VERSION);
	r = q->failed ? cli_error("out of memory") : profile_get(&p);
	if (r == CLI_OK) {
		c = curl_easy_init();
		r = c ? perform_patiently(c, &p, action, q, &b)
		      : cli_error("libcurl does not start");
		curl_easy_cleanup(c);
		profile_wipe(&p);
	}
	free(q->text);
	memset(q, 0, sizeof(*q));
	if (r == CLI_OK) {
		result = ec2_answer_parse(b.p ? b.p : "", b.len);
		if (!result)
			r = cli_error("the answer to %s is no XML of EC2's kind", action);
	}
	free(b.p);
	if (r == CLI_OK && ret_result)
		*ret_result = result;
	else
		json_decref(result);
	return r;
}
