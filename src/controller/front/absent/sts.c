/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/front/services.h"

void sts_handle(struct exchange *x)
{
	exchange_reply(x, 503, "text/plain", NULL, 0);
}
