/* SPDX-License-Identifier: Apache-2.0 */

/* niterd's front with nothing behind it. */

#include <stdlib.h>
#include <string.h>

#include "controller/front/front_priv.h"
#include "front_alone.h"
#include "http_bench.h"

void route(struct exchange *x)
{
	char *body = malloc(BENCH_BODY_BYTES);

	if (body)
		memcpy(body, http_bench_body, BENCH_BODY_BYTES);
	exchange_reply(x, 200, "text/xml", body, body ? BENCH_BODY_BYTES : 0);
}

int http_bench_front(int listener)
{
	struct daemon *d = front_alone();

	if (tls_init() < 0 || loop_init(&d->loop) < 0 || front_new(d, listener, false) < 0)
		return 1;
	while (front_alone_step(d, 1000) >= 0)
		;
	return 1;
}
