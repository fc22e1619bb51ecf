/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/kms/request.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "controller/base64.h"
#include "controller/kms/context.h"

enum { SAFE_MAX = 80 };

void kms_refuse(struct kms_request *q, const char *code, const char *fmt, ...)
{
	va_list ap;

	if (kms_failed(q))
		return;
	snprintf(q->fault->code, sizeof(q->fault->code), "%s", code);
	va_start(ap, fmt);
	vsnprintf(q->fault->text, sizeof(q->fault->text), fmt, ap);
	va_end(ap);
}

bool kms_failed(const struct kms_request *q)
{
	return q->fault->code[0] != '\0';
}

/* How deep it nests at most; brackets inside strings are none. What is no JSON at all the parser says. */
static unsigned depth_of(const char *p, size_t len)
{
	unsigned depth = 0, most = 0;
	bool text = false;

	for (size_t k = 0; k < len; k++) {
		if (text) {
			if (p[k] == '\\')
				k++;
			else if (p[k] == '"')
				text = false;
		} else if (p[k] == '"') {
			text = true;
		} else if (p[k] == '{' || p[k] == '[') {
			if (++depth > most)
				most = depth;
		} else if ((p[k] == '}' || p[k] == ']') && depth) {
			depth--;
		}
	}
	return most;
}

static int malformed(struct fault *f, const char *why)
{
	return fault_set(f, EPROTO, "SerializationException", NULL, "%s", why);
}

int kms_request_parse(const char *body, size_t len, struct kms_request *ret, struct fault *f)
{
	json_error_t e;

	memset(ret, 0, sizeof(*ret));
	ret->fault = f;
	if (len > KMS_BODY_MAX)
		return malformed(f, "The request is too long");
	if (depth_of(body, len) > KMS_DEPTH_MAX)
		return malformed(f, "The request is nested too deeply");
	ret->root = len ? json_loadb(body, len, JSON_REJECT_DUPLICATES, &e) : json_object();
	if (!ret->root && (!len || json_error_code(&e) == json_error_out_of_memory))
		return -ENOMEM;
	if (!ret->root)
		return malformed(f, "The request is not JSON, or a name is in it twice");
	if (!json_is_object(ret->root)) {
		kms_request_done(ret);
		return malformed(f, "The request is not a JSON object");
	}
	return 0;
}

void kms_request_done(struct kms_request *q)
{
	json_decref(q->root);
	q->root = NULL;
}

/* The member, marked as read; NULL when absent, or something was wrong before. */
static json_t *member(struct kms_request *q, const char *name)
{
	json_t *v = json_object_get(q->root, name);

	must(q->read_cnt < KMS_MEMBERS_MAX); /* handlers ask for so many at most */
	q->read[q->read_cnt++] = name;
	return kms_failed(q) || json_is_null(v) ? NULL : v;
}

static void type_refuse(struct kms_request *q, const char *name, const char *type)
{
	kms_refuse(q, "SerializationException", "The member %s is not %s", name, type);
}

/* What AWS's own validation says. */
static void invalid(struct kms_request *q, const char *name, const char *constraint)
{
	kms_refuse(q, "ValidationException",
		   "1 validation error detected: Value at '%s' failed to satisfy constraint: %s",
		   name, constraint);
}

static void length_refuse(struct kms_request *q, const char *name, size_t max)
{
	char text[96];

	snprintf(text, sizeof(text), "Member must have length between 1 and %zu", max);
	invalid(q, name, text);
}

static const char *string(struct kms_request *q, const char *name, size_t min, size_t max)
{
	json_t *v = member(q, name);
	size_t len;

	if (!v)
		return NULL;
	if (!json_is_string(v)) {
		type_refuse(q, name, "a string");
		return NULL;
	}
	len = json_string_length(v);
	if (len < min || len > max) {
		length_refuse(q, name, max);
		return NULL;
	}
	return json_string_value(v);
}

const char *kms_str(struct kms_request *q, const char *name, size_t max)
{
	return string(q, name, 1, max);
}

const char *kms_text(struct kms_request *q, const char *name, size_t max)
{
	const char *s = string(q, name, 0, max);

	return s ? s : "";
}

static void missing(struct kms_request *q, const char *name)
{
	invalid(q, name, "Member must not be null");
}

const char *kms_need_str(struct kms_request *q, const char *name, size_t max)
{
	const char *s = kms_str(q, name, max);

	if (s)
		return s;
	missing(q, name);
	return "";
}

uint64_t kms_u64(struct kms_request *q, const char *name, uint64_t min, uint64_t max)
{
	json_t *v = member(q, name);
	char text[96];

	if (!v)
		return 0;
	if (!json_is_integer(v)) {
		type_refuse(q, name, "a whole number");
		return 0;
	}
	if (json_integer_value(v) < 0 || (uint64_t)json_integer_value(v) < min ||
	    (uint64_t)json_integer_value(v) > max) {
		snprintf(text, sizeof(text), "Member must have value between %llu and %llu",
			 (unsigned long long)min, (unsigned long long)max);
		invalid(q, name, text);
		return 0;
	}
	return (uint64_t)json_integer_value(v);
}

bool kms_bool(struct kms_request *q, const char *name)
{
	json_t *v = member(q, name);

	if (v && !json_is_boolean(v))
		type_refuse(q, name, "a boolean");
	return v && json_is_true(v);
}

size_t kms_need_blob(struct kms_request *q, const char *name, uint8_t *ret, size_t max)
{
	json_t *v = member(q, name);
	ssize_t n;

	if (!v) {
		missing(q, name);
		return 0;
	}
	if (!json_is_string(v)) {
		type_refuse(q, name, "a string of base64");
		return 0;
	}
	n = base64_decode(json_string_value(v), ret, max);
	if (n == -EINVAL)
		type_refuse(q, name, "a string of base64");
	else if (n <= 0)
		length_refuse(q, name, max);
	return n > 0 ? (size_t)n : 0;
}

void kms_context(struct kms_request *q, const char *name, uint8_t ret[32])
{
	json_t *v = member(q, name);
	int r = kms_context_digest(v, ret);

	if (r == -EINVAL)
		type_refuse(q, name, "a map of strings");
	else if (r == -E2BIG)
		invalid(q, name, "Member must be smaller");
	else if (r < 0)
		kms_refuse(q, "KMSInternalException", "An internal error has occurred");
}

void kms_is(struct kms_request *q, const char *name, const char *value, const char *code)
{
	const char *s = kms_str(q, name, 256);
	char safe[SAFE_MAX];

	if (!s || strcmp(s, value) == 0)
		return;
	log_escape(safe, sizeof(safe), s, strlen(s));
	kms_refuse(q, code, "%s %s is not offered here: only %s", name, safe, value);
}

void kms_absent(struct kms_request *q, const char *name, const char *why)
{
	json_t *v = member(q, name);

	if (!v || json_is_false(v) || (json_is_array(v) && json_array_size(v) == 0))
		return;
	kms_refuse(q, "UnsupportedOperationException", "%s is not offered here: %s", name, why);
}

int kms_end(struct kms_request *q)
{
	char safe[SAFE_MAX];
	const char *name;
	json_t *v;

	json_object_foreach(q->root, name, v)
	{
		bool known = false;

		for (size_t k = 0; k < q->read_cnt && !known; k++)
			known = strcmp(q->read[k], name) == 0;
		if (known)
			continue;
		log_escape(safe, sizeof(safe), name, strlen(name));
		kms_refuse(q, "ValidationException", "The member %s is not known", safe);
	}
	return kms_failed(q) ? -EINVAL : 0;
}
