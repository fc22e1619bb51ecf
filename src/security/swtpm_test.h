/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <sys/types.h>

/*
 * A software TPM for tests: swtpm on one end of a socket pair. One process of it is one boot; its state directory
 * is the chip.
 */
struct swtpm {
	pid_t pid;
	int fd; /* ours; what niter-security gets a copy of */
};

/* swtpm_found(): Return: 1 it is installed, 0 not. */
int swtpm_found(void);
/* swtpm_boot(): @state: directory. Ends the test when it cannot. */
void swtpm_boot(struct swtpm *t, const char *state);
void swtpm_off(struct swtpm *t);
/* swtpm_extend(): one more measurement in a PCR, as another boot would leave it. */
void swtpm_extend(struct swtpm *t, unsigned pcr);
/* swtpm_clear_owner(): what "clear TPM" in the firmware set-up does: a new owner seed. */
void swtpm_clear_owner(struct swtpm *t);

/* test_dir_new(): an empty directory; test_dir_remove(): with all files in it. */
void test_dir_new(char *ret, size_t cap);
void test_dir_remove(const char *path);
