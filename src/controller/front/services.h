/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The services besides EC2. Each answers with exchange_reply(), now or later, and does what it changes in a turn. */

#include "controller/front/exchange.h"

void sts_handle(struct exchange *x);
void kms_handle(struct exchange *x);
