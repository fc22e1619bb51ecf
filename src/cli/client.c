/* SPDX-License-Identifier: Apache-2.0 */

#include "cli/client.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/random.h"
#include "cli/cli.h"
#include "cli/host_dirs.h"

#define HOSTED_SOCKET "/run/niter/niterd.sock"

enum {
	LINE_MAX_BYTES = 16 * 1024 * 1024, /* of niterd's answers: a long list */
	IN_START = 64 * 1024,
	HELLO_MS = 15000,      /* how long niterd may take to say hello */
	HELLO_AGAIN_MS = 1000, /* a port may have swallowed the first one */
	LOCK_TRIES = 100,      /* ... of 100 ms: all control ports are in use */
	API_VERSION = 1,
};

struct client {
	int fd, lock_fd;
	char *in; /* owned */
	size_t in_len, in_cap;
	uint32_t id;
	char session[33];
};

void client_free(struct client *c)
{
	if (!c)
		return;
	fd_closep(&c->fd);
	fd_closep(&c->lock_fd);
	free(c->in);
	free(c);
}

void client_freep(struct client **c)
{
	client_free(*c);
	*c = NULL;
}

static int socket_connect(const char *path, int *ret)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	CLEANUP(fd_closep) int fd = -1;

	if (strlen(path) >= sizeof(sa.sun_path))
		return -ENAMETOOLONG;
	memcpy(sa.sun_path, path, strlen(path) + 1);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (const struct sockaddr *)&sa, sizeof(sa)) < 0)
		return -errno;
	*ret = TAKE_FD(fd);
	return 0;
}

/* Control port @n, if nobody else talks on it. Return: 0, -EWOULDBLOCK, -errno. */
static int port_connect(struct client *c, unsigned n)
{
	CLEANUP(fd_closep) int lock = -1;
	char name[32], path[HOST_PATH_MAX], lock_path[HOST_PATH_MAX];
	int r;

	snprintf(name, sizeof(name), "run/ctl.%u", n);
	r = host_path(path, name);
	if (r == 0) {
		snprintf(name, sizeof(name), "run/ctl.%u.lock", n);
		r = host_path(lock_path, name);
	}
	if (r < 0)
		return r;
	if (access(path, F_OK) < 0)
		return -errno;
	lock = open(lock_path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (lock < 0 || flock(lock, LOCK_EX | LOCK_NB) < 0)
		return -errno;
	r = socket_connect(path, &c->fd);
	if (r < 0)
		return r;
	c->lock_fd = TAKE_FD(lock);
	return 0;
}

static int any_port_connect(struct client *c)
{
	int r = -ENOENT;

	for (int try = 0; try < LOCK_TRIES; try++) {
		bool busy = false;

		for (unsigned n = 0; n < HOST_CTL_PORTS; n++) {
			r = port_connect(c, n);
			if (r == 0)
				return 0;
			if (r == -EWOULDBLOCK)
				busy = true;
		}
		if (!busy)
			return r;
		(void)poll(NULL, 0, 100);
	}
	return -EBUSY;
}

static bool port_exists(void)
{
	char path[HOST_PATH_MAX];

	return host_path(path, "run/ctl.0") == 0 && access(path, F_OK) == 0;
}

static int client_connect(struct client *c)
{
	const char *path = getenv("NITER_SOCKET"); /* NOLINT(concurrency-mt-unsafe): one thread */

	if (path && path[0])
		return socket_connect(path, &c->fd);
	if (port_exists())
		return any_port_connect(c);
	return socket_connect(HOSTED_SOCKET, &c->fd);
}

static int bytes_write(struct client *c, const void *p, size_t len)
{
	const char *b = p;

	while (len > 0) {
		ssize_t n = send(c->fd, b, len, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		b += n;
		len -= (size_t)n;
	}
	return 0;
}

/* More bytes, or -EAGAIN after @timeout_ms (-1: never). */
static int bytes_read(struct client *c, int timeout_ms)
{
	struct pollfd p = { .fd = c->fd, .events = POLLIN };
	ssize_t n;
	int r;

	if (c->in_len == c->in_cap) {
		size_t cap = c->in_cap ? c->in_cap * 2 : IN_START;
		char *bigger = cap <= LINE_MAX_BYTES ? realloc(c->in, cap) : NULL;

		if (!bigger)
			return -EMSGSIZE;
		c->in = bigger;
		c->in_cap = cap;
	}
	r = poll(&p, 1, timeout_ms);
	if (r <= 0)
		return r < 0 && errno != EINTR ? -errno : -EAGAIN;
	n = read(c->fd, c->in + c->in_len, c->in_cap - c->in_len);
	if (n < 0)
		return errno == EINTR ? -EAGAIN : -errno;
	if (n == 0)
		return -EPIPE;
	c->in_len += (size_t)n;
	return 0;
}

/* The next line as JSON; NULL in *ret for one that is none. Return: 0, -EAGAIN, -errno. */
static int line_read(struct client *c, int timeout_ms, json_t **ret)
{
	uint64_t end = clock_ns() + (uint64_t)(timeout_ms < 0 ? 0 : timeout_ms) * 1000000U;
	char *nl;
	int r;

	while (!c->in_len || !(nl = memchr(c->in, '\n', c->in_len))) {
		uint64_t now = clock_ns();

		if (timeout_ms >= 0 && now >= end)
			return -EAGAIN;
		r = bytes_read(c, timeout_ms < 0 ? -1 : (int)((end - now) / 1000000) + 1);
		if (r < 0 && !(r == -EAGAIN && timeout_ms < 0))
			return r;
	}
	*ret = json_loadb(c->in, (size_t)(nl - c->in), JSON_REJECT_DUPLICATES, NULL);
	c->in_len -= (size_t)(nl + 1 - c->in);
	memmove(c->in, nl + 1, c->in_len);
	return 0;
}

static int hello_send(struct client *c)
{
	char line[128];
	int len;

	/* The newline ends whatever an earlier client left unfinished on a port. */
	len = snprintf(line, sizeof(line), "\n{\"hello\":\"%s\",\"version\":%d}\n", c->session,
		       API_VERSION);
	return bytes_write(c, line, (size_t)len);
}

/* Return: 1 it is our hello, 0 something else, -EPROTO another version. */
static int hello_check(struct client *c, const json_t *line)
{
	const char *session = json_string_value(json_object_get(line, "hello"));

	if (!session || strcmp(session, c->session) != 0)
		return 0;
	return json_integer_value(json_object_get(line, "version")) == API_VERSION ? 1 : -EPROTO;
}

/* Lines before our hello are an earlier client's. */
static int hello(struct client *c, int timeout_ms)
{
	uint64_t end = clock_ns() + (uint64_t)timeout_ms * 1000000U;
	uint8_t rnd[16];
	int r;

	if (random_bytes(rnd, sizeof(rnd)) < 0)
		return -EIO;
	for (size_t k = 0; k < sizeof(rnd); k++)
		snprintf(c->session + 2 * k, 3, "%02x", rnd[k]);
	r = hello_send(c);
	while (r == 0 && clock_ns() < end) {
		json_t *line = NULL;

		r = line_read(c, HELLO_AGAIN_MS, &line);
		if (r == -EAGAIN) {
			r = hello_send(c);
			continue;
		}
		if (r == 0)
			r = hello_check(c, line);
		json_decref(line);
		if (r == 1)
			return 0;
	}
	return r < 0 ? r : -ETIMEDOUT;
}

int client_try(struct client **ret, int timeout_ms)
{
	CLEANUP(client_freep) struct client *c = calloc(1, sizeof(*c));
	int r;

	if (!c)
		return -ENOMEM;
	c->fd = c->lock_fd = -1;
	r = client_connect(c);
	if (r == 0)
		r = hello(c, timeout_ms);
	if (r == 0)
		*ret = TAKE_PTR(c);
	return r;
}

int client_open(struct client **ret)
{
	int r = client_try(ret, HELLO_MS);

	switch (r) {
	case 0:
		return CLI_OK;
	case -ENOENT:
	case -ECONNREFUSED:
	case -ENOTDIR:
		return cli_error("the host is not running: run niter host start");
	case -EACCES:
	case -EPERM:
		return cli_error("you may not talk to the host: run niter as root, or join the "
				 "group of its socket");
	case -EBUSY:
		return cli_error("all %d control ports of the host are in use: try again later",
				 HOST_CTL_PORTS);
	case -EPROTO:
		return cli_error(
			"the host speaks another version: use the niter it was installed with");
	case -ETIMEDOUT:
	case -EPIPE:
	case -ECONNRESET:
		return cli_error("the host does not answer: run niter host status");
	default:
		return cli_error("cannot talk to the host: %s: run niter host status",
				 strerrordesc_np(-r));
	}
}

static int request_send(struct client *c, const char *method, json_t *params)
{
	CLEANUP(free_p) char *text = NULL;
	json_t *req;
	int r;

	/* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): client_open() succeeded, cli_error() is never 0 */
	req = json_pack("{s:I,s:s}", "id", (json_int_t)++c->id, "method", method);
	if (req && params)
		(void)json_object_set_new(req, "params", params);
	text = req ? json_dumps(req, JSON_COMPACT) : NULL;
	json_decref(req);
	if (!text)
		return -ENOMEM;
	r = bytes_write(c, text, strlen(text));
	return r < 0 ? r : bytes_write(c, "\n", 1);
}

static int lost(int r)
{
	if (r == -EPIPE || r == -ECONNRESET)
		return cli_error("the host went away before it answered: run niter host status");
	return cli_error("cannot talk to the host: %s: run niter host status", strerrordesc_np(-r));
}

static int print_fault(const json_t *err)
{
	const char *remedy = json_string_value(json_object_get(err, "remedy"));

	if (cli_json) {
		json_t *o = json_pack("{s:O}", "error", err);

		json_print(o);
		json_decref(o);
	}
	if (remedy)
		return cli_error("%s: %s", text_of(err, "message"), remedy);
	return cli_error("%s", text_of(err, "message"));
}

/* What an answer's line means for the request. Return: 1 the end, *ret set or CLI_FAILED in *code; 0 not yet. */
static int answer_take(struct client *c, json_t *line, struct progress *p, json_t **ret, int *code)
{
	const json_t *o;
	json_t *result;

	if (json_integer_value(json_object_get(line, "id")) != (json_int_t)c->id)
		return 0;
	o = json_object_get(line, "progress");
	if (o && p)
		progress_show(p, text_of(o, "step"), u64_of(o, "done"), u64_of(o, "total"));
	o = json_object_get(line, "error");
	result = json_object_get(line, "result");
	if (!o && !result)
		return 0;
	if (p)
		progress_end(p);
	*code = o ? print_fault(o) : CLI_OK;
	if (result && ret)
		*ret = json_incref(result);
	return 1;
}

int client_end(struct client *c, struct progress *p, json_t **ret_result)
{
	int code = CLI_FAILED, r = 0;

	while (r == 0) {
		json_t *line = NULL;

		r = line_read(c, -1, &line);
		if (r == 0)
			r = answer_take(c, line, p, ret_result, &code);
		json_decref(line);
	}
	if (r < 0) {
		if (p)
			progress_end(p);
		return lost(r);
	}
	return code;
}

int client_call(struct client *c, const char *method, json_t *params, struct progress *p,
		json_t **ret_result)
{
	int r = request_send(c, method, params);

	if (r < 0)
		return lost(r);
	return client_end(c, p, ret_result);
}

int client_call_once(const char *method, json_t *params, struct progress *p, json_t **ret_result)
{
	CLEANUP(client_freep) struct client *c = NULL;

	if (client_open(&c) != CLI_OK) {
		json_decref(params);
		return CLI_FAILED;
	}
	return client_call(c, method, params, p, ret_result);
}

int client_begin(struct client *c, const char *method, json_t *params)
{
	int code = CLI_FAILED, r;

	r = request_send(c, method, params);
	while (r == 0) {
		json_t *line = NULL;
		bool ready = false;

		r = line_read(c, -1, &line);
		if (r == 0) {
			ready = json_is_true(json_object_get(line, "ready"));
			r = ready ? 0 : answer_take(c, line, NULL, NULL, &code);
		}
		json_decref(line);
		if (ready)
			return CLI_OK;
	}
	return r < 0 ? lost(r) : code;
}

int client_write(struct client *c, const void *p, size_t len)
{
	struct pollfd in = { .fd = c->fd, .events = POLLIN };
	bool refused = false;

	/* niterd speaks while frames come: progress, or why it wants no more of them. */
	while (!refused && poll(&in, 1, 0) == 1) {
		size_t before = c->in_len;

		if (bytes_read(c, 0) < 0)
			return CLI_FAILED;
		refused = memmem(c->in + before, c->in_len - before, "\"error\"", 7) != NULL;
	}
	if (refused)
		return CLI_FAILED;
	return bytes_write(c, p, len) < 0 ? CLI_FAILED : CLI_OK;
}
