/* SPDX-License-Identifier: Apache-2.0 */

/* libevent's HTTP server, as its manual uses it. */

#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>
#include <stddef.h>

#include "http_bench.h"

static void answer(struct evhttp_request *r, void *arg)
{
	struct evbuffer *body = evbuffer_new();

	(void)arg;
	if (!body)
		return;
	(void)evhttp_add_header(evhttp_request_get_output_headers(r), "Content-Type", "text/xml");
	(void)evbuffer_add(body, http_bench_body, BENCH_BODY_BYTES);
	evhttp_send_reply(r, HTTP_OK, "OK", body);
	evbuffer_free(body);
}

int http_bench_evhttp(int listener)
{
	struct event_base *base = event_base_new();
	struct evhttp *http = base ? evhttp_new(base) : NULL;

	if (!http || evhttp_accept_socket(http, listener) < 0)
		return 1;
	evhttp_set_max_headers_size(http, 16384);
	evhttp_set_max_body_size(http, 1048576);
	evhttp_set_gencb(http, answer, NULL);
	return event_base_dispatch(base);
}
