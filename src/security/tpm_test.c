/* SPDX-License-Identifier: Apache-2.0 */

/* Sealing itself, with a software TPM: what the program's test cannot reach from outside. */

#include "security/tpm.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fd.h"
#include "crypto/crypto.h"
#include "security/swtpm_test.h"

static char chip[64];
static struct swtpm sw;
static struct tpm *t;
static const char label[] = "test/label";

static void power_on(void)
{
	char text[TPM_TEXT_MAX] = "";

	tpm_freep(&t);
	swtpm_off(&sw);
	swtpm_boot(&sw, chip);
	assert_int_equal(tpm_open(sw.fd, &t, text), 0);
}

static int setup(void **state)
{
	(void)state;
	sw.pid = -1;
	sw.fd = -1;
	test_dir_new(chip, sizeof(chip));
	power_on();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	tpm_freep(&t);
	swtpm_off(&sw);
	test_dir_remove(chip);
	return 0;
}

static void seal(const struct key *k, struct sealed *ret)
{
	tpm_pcrs pcr;

	assert_int_equal(tpm_pcrs_read(t, pcr), 0);
	assert_int_equal(tpm_seal(t, k, pcr, label, ret), 0);
}

static int unseal(const struct sealed *s, const char *as, const struct key *want)
{
	CLEANUP(key_freep) struct key *k = NULL;
	int r = tpm_unseal(t, s, as, &k);

	if (r == 0)
		assert_true(key_equal(k, want));
	else
		assert_null(k);
	return r;
}

static void tpm_unseal__opens_until_pcr_11_is_closed(void **state)
{
	CLEANUP(key_freep) struct key *k = NULL;
	uint8_t want[SEALED_PCR_BYTES];
	struct sealed s;
	tpm_pcrs pcr;
	int i;

	(void)state;
	assert_int_equal(key_new_random(TPM_ROOT_BYTES, &k), 0);
	seal(k, &s);
	for (i = 0; i < 20; i++) /* nothing piles up in the chip */
		assert_int_equal(unseal(&s, label, k), 0);
	assert_int_equal(tpm_pcr_close(t), 0);
	assert_int_equal(unseal(&s, label, k), -EACCES);
	assert_int_equal(tpm_pcrs_read(t, pcr), 0);
	assert_int_equal(tpm_pcr_closed_value(s.pcr[2], want), 0);
	assert_memory_equal(pcr[2], want, sizeof(want));
	power_on();
	assert_int_equal(unseal(&s, label, k), 0);
}

static void tpm_unseal__refuses_another_label(void **state)
{
	CLEANUP(key_freep) struct key *k = NULL;
	struct sealed s;

	(void)state;
	assert_int_equal(key_new_random(TPM_ROOT_BYTES, &k), 0);
	seal(k, &s);
	assert_int_equal(unseal(&s, "test/labem", k), -EKEYREJECTED);
	assert_int_equal(unseal(&s, label, k), 0);
}

/*
 * The operator has the same TPM and may seal a key of his own choice, for the very PCR values of our boot. What he
 * lacks is a TPM that was in that state when it was made.
 */
static void tpm_unseal__refuses_a_key_that_was_sealed_in_another_state(void **state)
{
	CLEANUP(key_freep) struct key *his = NULL, *ours = NULL;
	struct sealed forged, honest, mixed;
	tpm_pcrs boot;

	(void)state;
	assert_int_equal(key_new_random(TPM_ROOT_BYTES, &his), 0);
	assert_int_equal(key_new_random(TPM_ROOT_BYTES, &ours), 0);
	assert_int_equal(tpm_pcrs_read(t, boot), 0);
	seal(ours, &honest);
	assert_int_equal(tpm_pcr_close(t), 0); /* from here on it could be anybody */
	assert_int_equal(tpm_seal(t, his, boot, label, &forged), 0);
	power_on();
	assert_int_equal(unseal(&forged, label, his), -EKEYREJECTED);

	/* Nor with the honest object's papers. */
	mixed = forged;
	mixed.creation = honest.creation;
	assert_int_equal(unseal(&mixed, label, his), -EKEYREJECTED);
	mixed.ticket = honest.ticket;
	assert_int_equal(unseal(&mixed, label, his), -EKEYREJECTED);
	assert_int_equal(unseal(&honest, label, ours), 0);
}

/* Somebody on the bus between us and the chip: keeps a copy of everything, may change one byte of one answer. */
enum { TAP_MAX = 64 * 1024 };
static struct tap {
	int ours, chip; /* descriptors */
	uint8_t seen[TAP_MAX];
	size_t len;
	int flip_msg, flip_byte, msg; /* answer number; from its end; -1: none */
	bool flipped;
} tap;

static void *tap_run(void *arg)
{
	uint8_t b[4096];
	ssize_t n;

	(void)arg;
	while ((n = read(tap.ours, b, sizeof(b))) > 0) {
		memcpy(tap.seen + tap.len, b, (size_t)n);
		tap.len += (size_t)n;
		if (fd_write_full(tap.chip, b, (size_t)n) < 0)
			break;
		n = read(tap.chip, b, sizeof(b));
		if (n <= 0)
			break;
		memcpy(tap.seen + tap.len, b, (size_t)n);
		tap.len += (size_t)n;
		if (tap.msg++ == tap.flip_msg && tap.flip_byte < n) {
			b[n - 1 - tap.flip_byte] ^= 0x01;
			tap.flipped = true;
		}
		if (fd_write_full(tap.ours, b, (size_t)n) < 0)
			break;
	}
	return NULL;
}

static bool tap_saw(const uint8_t *b, size_t len)
{
	return memmem(tap.seen, tap.len, b, len) != NULL;
}

/* Open and unseal through the tap. Return: tpm_unseal()'s; ended by the caller closing nothing. */
static int unseal_tapped(const struct sealed *s, const struct key *want, int flip_msg,
			 int flip_byte)
{
	CLEANUP(tpm_freep) struct tpm *through = NULL;
	CLEANUP(key_freep) struct key *k = NULL;
	char text[TPM_TEXT_MAX] = "";
	pthread_t thread;
	int a = -1, r;

	tap.len = 0;
	tap.msg = 0;
	tap.flip_msg = flip_msg;
	tap.flip_byte = flip_byte;
	tap.flipped = false;
	tap.chip = sw.fd;
	assert_int_equal(fd_socketpair(SOCK_STREAM, &a, &tap.ours), 0);
	assert_int_equal(pthread_create(&thread, NULL, tap_run, NULL), 0);
	r = tpm_open(a, &through, text);
	if (r == 0)
		r = tpm_unseal(through, s, label, &k);
	if (r == 0)
		assert_true(key_equal(k, want));
	else
		assert_null(k);
	tpm_freep(&through);
	close(a);
	assert_int_equal(pthread_join(thread, NULL), 0);
	close(tap.ours);
	return r;
}

static void tpm_unseal__shows_no_secret_on_the_bus(void **state)
{
	CLEANUP(key_freep) struct key *k = NULL;
	struct sealed s;

	(void)state;
	assert_int_equal(key_new_random(TPM_ROOT_BYTES, &k), 0);
	seal(k, &s);
	assert_int_equal(unseal_tapped(&s, k, -1, 0), 0);
	assert_true(tap_saw(s.priv.b, s.priv.len)); /* the tap works */
	assert_false(tap_saw(key_bytes(k), 16));
	assert_false(tap_saw(key_bytes(k) + 16, 16));
}

static void tpm_unseal__is_not_misled_on_the_bus(void **state)
{
	CLEANUP(key_freep) struct key *k = NULL;
	int msg, byte, refused = 0, msgs;
	struct sealed s;

	(void)state;
	assert_int_equal(key_new_random(TPM_ROOT_BYTES, &k), 0);
	seal(k, &s);
	assert_int_equal(unseal_tapped(&s, k, -1, 0), 0);
	msgs = tap.msg;
	for (msg = 0; msg < msgs; msg++) {
		for (byte = 0; byte < 130; byte += 43) {
			/* A wrong key never comes out; unseal_tapped() checks. */
			refused += unseal_tapped(&s, k, msg, byte) < 0;
			power_on(); /* whatever was left in the chip */
		}
	}
	assert_true(refused > msgs);
}

static void tpm_open__is_the_same_key_until_the_owner_changes(void **state)
{
	uint8_t a[SEALED_NAME_MAX], b[SEALED_NAME_MAX];
	char text[TPM_TEXT_MAX] = "";

	(void)state;
	assert_int_equal(tpm_srk_name(t, a), 34);
	power_on();
	assert_int_equal(tpm_srk_name(t, b), 34);
	assert_memory_equal(a, b, 34);
	tpm_freep(&t);
	swtpm_clear_owner(&sw);
	assert_int_equal(tpm_open(sw.fd, &t, text), 0);
	assert_int_equal(tpm_srk_name(t, b), 34);
	assert_memory_not_equal(a, b, 34);
}

static void tpm_random__differs(void **state)
{
	CLEANUP(key_freep) struct key *a = NULL, *b = NULL;

	(void)state;
	assert_int_equal(tpm_random(t, 32, &a), 0);
	assert_int_equal(tpm_random(t, 32, &b), 0);
	assert_false(key_equal(a, b));
	assert_int_equal(tpm_random(t, 33, &b), -EINVAL);
}

static void tpm_open__says_what_is_wrong_with_a_dead_chip(void **state)
{
	char text[TPM_TEXT_MAX] = "";
	struct tpm *dead = NULL;
	int pipes[2];

	(void)state;
	assert_int_equal(pipe(pipes), 0);
	close(pipes[1]);
	assert_int_equal(tpm_open(pipes[0], &dead, text), -EIO);
	assert_null(dead);
	assert_true(strlen(text) > 0);
	close(pipes[0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(tpm_unseal__opens_until_pcr_11_is_closed, setup,
						teardown),
		cmocka_unit_test_setup_teardown(tpm_unseal__refuses_another_label, setup, teardown),
		cmocka_unit_test_setup_teardown(
			tpm_unseal__refuses_a_key_that_was_sealed_in_another_state, setup,
			teardown),
		cmocka_unit_test_setup_teardown(tpm_unseal__shows_no_secret_on_the_bus, setup,
						teardown),
		cmocka_unit_test_setup_teardown(tpm_unseal__is_not_misled_on_the_bus, setup,
						teardown),
		cmocka_unit_test_setup_teardown(tpm_open__is_the_same_key_until_the_owner_changes,
						setup, teardown),
		cmocka_unit_test_setup_teardown(tpm_random__differs, setup, teardown),
		cmocka_unit_test(tpm_open__says_what_is_wrong_with_a_dead_chip),
	};

	if (!swtpm_found()) {
		(void)fprintf(stderr, "skipped: swtpm is not installed\n");
		return 77;
	}
	(void)setenv("TSS2_LOG", "all+NONE", 1);
	if (crypto_init() < 0)
		return 1;
	return cmocka_run_group_tests_name("security/tpm", tests, NULL, NULL);
}
