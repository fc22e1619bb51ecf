/* SPDX-License-Identifier: Apache-2.0 */
#include "metadata/imds.h"

#include <stdio.h>
#include <string.h>

#include "metadata/guard.h"

/* First path segments under which the tree is served. spec: ec2-imds "versions" */
static const char *const versions[] = {
	"2009-04-04", "2011-01-01", "2011-05-01", "2012-01-12", "2014-02-25", "2014-11-05",
	"2015-10-20", "2016-04-19", "2016-06-30", "2016-09-02", "2018-03-28", "2018-08-17",
	"2018-09-24", "2019-10-01", "2020-10-27", "2021-01-03", "2021-03-23", "2021-07-15",
	"2022-09-24", "2024-04-11", "latest",
};

static const char token_path[] = "latest/api/token";

static void refuse(int status, char *body, struct http_answer *ret)
{
	ret->status = status;
	ret->type = "text/plain";
	ret->body_len = (size_t)snprintf(body, IMDS_BODY_MAX, "%d - %s\n", status,
					 http_status_text(status));
}

void imds_refuse(int status, char *body, struct http_answer *ret)
{
	*ret = (struct http_answer){ .close = true };
	refuse(status, body, ret);
}

static void versions_list(char *body, struct http_answer *ret)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(versions); i++)
		ret->body_len +=
			(size_t)snprintf(body + ret->body_len, IMDS_BODY_MAX - ret->body_len,
					 "%s%s", i ? "\n" : "", versions[i]);
}

/* What follows the version; NULL: the path begins with none. */
static const char *below_version(const char *path)
{
	size_t n = strcspn(path, "/"), i;

	for (i = 0; i < ARRAY_SIZE(versions); i++)
		if (strlen(versions[i]) == n && !memcmp(versions[i], path, n))
			break;
	if (i == ARRAY_SIZE(versions))
		return NULL;
	if (!path[n])
		return path + n;
	return path[n + 1] ? path + n + 1 : NULL; /* "latest//" */
}

static void get(const struct imds *m, const struct http_request *req, char *body,
		struct http_answer *ret)
{
	const char *path;
	int n;

	ret->status = 200;
	ret->type = "text/plain";
	if (!req->path[0]) {
		versions_list(body, ret);
		return;
	}
	path = below_version(req->path);
	n = path ? tree_read(m->tree, path, body) : -1;
	if (n < 0) {
		refuse(404, body, ret);
		return;
	}
	ret->body_len = (size_t)n;
	if (!strcmp(path, "user-data"))
		ret->type = "application/octet-stream";
}

static void put_token(struct imds *m, const struct http_request *req, uint64_t now_ns, char *body,
		      struct http_answer *ret)
{
	unsigned ttl_s = 0;
	int status = guard_forwarded(req);

	if (status == 0)
		status = guard_ttl(req, &ttl_s);
	if (status) {
		refuse(status, body, ret);
		return;
	}
	token_make(&m->tokens, ttl_s, now_ns, body);
	ret->status = 200;
	ret->type = "text/plain";
	ret->body_len = TOKEN_CHARS;
	ret->ttl_s = ttl_s;
}

/* Everything that is decided before the path is looked at. Return: 0, or the status. */
static int judge(const struct imds *m, const struct http_request *req, bool is_token,
		 uint64_t now_ns)
{
	int status = guard_framing(req);

	if (status == 0)
		status = guard_token_once(req);
	if (status == 0 && (!m->options.set || !m->tree))
		return 503;
	if (status == 0)
		status = guard_enabled(m);
	if (status == 0)
		status = guard_host(m, req);
	if (status == 0)
		status = guard_method(req, is_token);
	if (status == 0 && !is_token)
		status = guard_token(m, req, now_ns);
	return status;
}

void imds_answer(struct imds *m, const struct http_request *req, uint64_t now_ns, char *body,
		 struct http_answer *ret)
{
	bool is_token = !strcmp(req->path, token_path);
	int status;

	*ret = (struct http_answer){ .close = req->close };
	status = judge(m, req, is_token, now_ns);
	if (status) {
		refuse(status, body, ret);
		if (status == 405) {
			ret->allow = is_token ? "PUT" : "GET";
			/* An answer to HEAD has no body, and we know no HEAD. */
			ret->close = true;
			ret->body_len = 0;
		}
		if (status == 400 || status == 413 || status == 417)
			ret->close = true;
	} else if (is_token) {
		put_token(m, req, now_ns, body, ret);
	} else {
		get(m, req, body, ret);
	}
}
