/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * MSI-X of one assigned function, as the hypervisor emulates it: the table the guest writes, an eventfd per vector that the
 * device signals, and the KVM irqfd that turns the signal into the message. The device never sees table or messages.
 *
 * A vector is *live* when MSI-X is on, the function mask is off and the vector's own mask is off. Only a live vector
 * has an irqfd; its route is set before. A signal of a vector that is not live stays in the eventfd: the guest reads it as
 * a pending bit, and it is delivered when the vector becomes live.
 *
 * Every function locks; callable from any vCPU thread.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "hypervisor/irq.h"
#include "proto/pci.h"

struct msix;

/* msix_new(): eventfds and GSIs for @vector_cnt (1 … MSIX_VECTORS_MAX) vectors. @irq is copied. */
MUST_USE int msix_new(const struct irq_if *irq, unsigned vector_cnt, struct msix **ret);
void msix_free(struct msix *m);
void msix_freep(struct msix **m);

/* msix_fds(): eventfd of each vector, owned by @m, for the device. */
const int *msix_fds(const struct msix *m);

/* The guest's accesses; @off is relative to table or pending bits, unchecked. */
void msix_table_access(struct msix *m, uint64_t off, void *buf, size_t len, bool write);
void msix_pba_access(struct msix *m, uint64_t off, void *buf, size_t len, bool write);

/* msix_control(): the guest changed the capability's control word. Turning MSI-X on drops stale signals. */
void msix_control(struct msix *m, bool enabled, bool masked);

/* msix_reset(): everything masked, nothing pending. */
void msix_reset(struct msix *m);
