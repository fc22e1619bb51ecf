/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * tpm2-tss's way to a TPM (TCTI, version 1) over a descriptor we were given: /dev/tpmrm0, or a socket to a
 * software TPM. Linked, not loaded by name: nothing is opened, nothing is looked up.
 * spec: tcti-1.0 §3
 */

#include <stdint.h>
#include <tss2/tss2_tcti.h>

enum {
	TCTI_BUF_BYTES = 4096,       /* the largest command or response of any TPM 2.0 */
	TCTI_TIMEOUT_MS = 60 * 1000, /* for one command: key generation on a slow chip */
	TCTI_REST_TIMEOUT_MS = 500,  /* for the rest of a response that has begun */
};

struct tcti {
	TSS2_TCTI_CONTEXT_COMMON_V1 common; /* first: the library knows us by it */
	int fd;                             /* borrowed */
	uint32_t len;                       /* bytes of a response in buf; 0: none */
	int waiting;                        /* a command is on its way */
	uint8_t buf[TCTI_BUF_BYTES];
};

/* tcti_init(): @fd is borrowed until tcti_done(). */
void tcti_init(struct tcti *t, int fd);
/* tcti_done(): wipes the buffer. */
void tcti_done(struct tcti *t);
TSS2_TCTI_CONTEXT *tcti_context(struct tcti *t);
