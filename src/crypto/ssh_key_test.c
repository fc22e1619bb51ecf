/* SPDX-License-Identifier: Apache-2.0 */

/* ssh-keygen and openssl play the other side: they must read what is made here, and what they make is read here. */

#include "crypto/ssh_key.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char dir[] = "/tmp/niter-ssh-key-XXXXXX";

static void file_write(const char *name, const char *text)
{
	FILE *f;

	unlink(name);
	f = fopen(name, "w");
	assert_non_null(f);
	assert_int_equal(fchmod(fileno(f), 0600), 0);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

/* What a command prints, without its last line feed. */
static size_t run(const char *command, char *ret, size_t cap)
{
	FILE *p = popen(command, "r"); /* NOLINT(cert-env33-c): our own words */
	size_t n;

	assert_non_null(p);
	n = fread(ret, 1, cap - 1, p);
	if (pclose(p) != 0)
		fail_msg("%s failed", command);
	if (n > 0 && ret[n - 1] == '\n')
		n--;
	ret[n] = '\0';
	return n;
}

static int setup(void **state)
{
	(void)state;
	return mkdtemp(dir) && chdir(dir) == 0 ? 0 : -1;
}

static int teardown(void **state)
{
	char out[64];

	(void)state;
	run("rm -f k k.pub p", out, sizeof(out));
	return chdir("/") == 0 && rmdir(dir) == 0 ? 0 : -1;
}

static void pair_is_read_by_ssh_keygen(enum ssh_key_type t, char fingerprint[SSH_FINGERPRINT_MAX])
{
	char private[SSH_PRIVATE_MAX], line[SSH_LINE_MAX], theirs[SSH_LINE_MAX];
	struct ssh_public p, q;

	assert_int_equal(ssh_pair_new(t, private, &p, fingerprint), 0);
	file_write("k", private);
	ssh_public_line(&p, line);
	run("ssh-keygen -y -f k", theirs, sizeof(theirs));
	assert_memory_equal(theirs, line, strlen(line));
	assert_true(theirs[strlen(line)] == '\0' || theirs[strlen(line)] == ' ');
	assert_int_equal(ssh_public_read(line, strlen(line), &q), 0);
	assert_int_equal(q.type, t);
	assert_int_equal(q.len, p.len);
	assert_memory_equal(q.blob, p.blob, p.len);
}

static void ssh_pair_new__rsa_is_read_by_ssh_keygen_and_openssl(void **state)
{
	char fingerprint[SSH_FINGERPRINT_MAX], theirs[256];

	(void)state;
	pair_is_read_by_ssh_keygen(SSH_KEY_RSA, fingerprint);
	run("openssl pkcs8 -in k -topk8 -nocrypt -outform DER | openssl sha1 -c | sed 's/.*= *//'",
	    theirs, sizeof(theirs));
	assert_string_equal(fingerprint, theirs);
	run("head -1 k", theirs, sizeof(theirs));
	assert_string_equal(theirs, "-----BEGIN RSA PRIVATE KEY-----");
	run("ssh-keygen -l -f k | cut -d' ' -f1", theirs, sizeof(theirs));
	assert_string_equal(theirs, "2048");
}

/* "SHA256:…" of ssh-keygen has no padding. */
static void ssh_pair_new__ed25519_is_read_by_ssh_keygen(void **state)
{
	char fingerprint[SSH_FINGERPRINT_MAX], theirs[256];

	(void)state;
	pair_is_read_by_ssh_keygen(SSH_KEY_ED25519, fingerprint);
	run("ssh-keygen -l -f k | sed 's/^256 SHA256:\\([^ ]*\\) .*/\\1=/'", theirs,
	    sizeof(theirs));
	assert_string_equal(fingerprint, theirs);
}

/* Every form of one public key is the same key. */
static void forms_are_one_key(const char *make, enum ssh_key_type t)
{
	static const char *const forms[] = {
		"cat k.pub",
		"ssh-keygen -e -f k.pub",
		"ssh-keygen -e -m RFC4716 -f k.pub | sed 's/^Comment: .*/Subject: me\\\n"
		"Comment: long\\\\\\\n and on/; s/$/\\r/'",
		"cut -d' ' -f1,2 k.pub",
	};
	char out[4096];
	struct ssh_public first, p;
	size_t n;

	run("rm -f k k.pub", out, sizeof(out));
	run(make, out, sizeof(out));
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		n = run(forms[i], out, sizeof(out));
		assert_int_equal(ssh_public_read(out, n, &p), 0);
		assert_int_equal(p.type, t);
		if (i == 0)
			first = p;
		assert_int_equal(p.len, first.len);
		assert_memory_equal(p.blob, first.blob, p.len);
	}
}

static void ssh_public_read__takes_every_form_of_an_rsa_key(void **state)
{
	char out[4096], mine[SSH_FINGERPRINT_MAX], theirs[256];
	struct ssh_public p;
	size_t n;

	(void)state;
	forms_are_one_key("ssh-keygen -q -t rsa -b 2048 -m PEM -N '' -C 'a comment' -f k",
			  SSH_KEY_RSA);
	n = run("openssl rsa -in k -pubout -outform DER 2>/dev/null", out, sizeof(out));
	assert_int_equal(ssh_public_read(out, n, &p), 0);
	assert_int_equal(ssh_public_fingerprint(&p, mine), 0);
	run("openssl rsa -in k -pubout -outform DER 2>/dev/null | openssl md5 -c | sed 's/.*= *//'",
	    theirs, sizeof(theirs));
	assert_string_equal(mine, theirs);
	assert_int_equal(ssh_public_read(out, n - 1, &p), -EBADMSG);
	out[n] = 0;
	assert_int_equal(ssh_public_read(out, n + 1, &p), -EBADMSG);
	n = run("openssl rsa -in k -pubout 2>/dev/null", out, sizeof(out));
	assert_int_equal(ssh_public_read(out, n, &p), 0);
	n = run("cat k", out, sizeof(out));
	assert_int_equal(ssh_public_read(out, n, &p), -EBADMSG); /* a private key */
}

static void ssh_public_read__takes_every_form_of_an_ed25519_key(void **state)
{
	char out[4096], mine[SSH_FINGERPRINT_MAX], theirs[256];
	struct ssh_public p;
	size_t n;

	(void)state;
	forms_are_one_key("ssh-keygen -q -t ed25519 -N '' -C 'a comment' -f k", SSH_KEY_ED25519);
	n = run("cat k.pub", out, sizeof(out));
	assert_int_equal(ssh_public_read(out, n, &p), 0);
	assert_int_equal(ssh_public_fingerprint(&p, mine), 0);
	run("ssh-keygen -l -f k.pub | sed 's/^256 SHA256:\\([^ ]*\\) .*/\\1=/'", theirs,
	    sizeof(theirs));
	assert_string_equal(mine, theirs);
	/* One of 256 keys ends in the byte that run() takes away: give it another. */
	n = run("openssl genpkey -algorithm ed25519 | openssl pkey -pubout -outform DER && echo",
		out, sizeof(out));
	assert_int_equal(ssh_public_read(out, n, &p), 0);
	assert_int_equal(p.type, SSH_KEY_ED25519);
}

static void ssh_public_read__refuses_other_kinds_and_sizes(void **state)
{
	static const char *const make[] = {
		"ssh-keygen -q -t ecdsa -N '' -f k && cat k.pub",
		"openssl ecparam -name prime256v1 -genkey -noout | openssl ec -pubout 2>/dev/null",
		"openssl genrsa 768 2>/dev/null | openssl rsa -pubout 2>/dev/null",
		"openssl genpkey -algorithm x25519 | openssl pkey -pubout -outform DER",
	};
	char out[4096];
	struct ssh_public p;
	size_t n;

	(void)state;
	for (size_t i = 0; i < sizeof(make) / sizeof(make[0]); i++) {
		run("rm -f k k.pub", out, sizeof(out));
		n = run(make[i], out, sizeof(out));
		assert_true(n > 0);
		assert_int_equal(ssh_public_read(out, n, &p), -EBADMSG);
	}
}

static void ssh_public_read__refuses_what_is_no_line(void **state)
{
	static const char good[] =
		"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHDOuJQmO6DGKEwuYNPmaDxTXvXu0LB3Zbvx0N2ytbyb";
	static const char *const bad[] = {
		"",
		"ssh-ed25519",
		"ssh-ed25519 ",
		"ssh-ed25519 AAAA",
		"ssh-rsa AAAAC3NzaC1lZDI1NTE5AAAAIHDOuJQmO6DGKEwuYNPmaDxTXvXu0LB3Zbvx0N2ytbyb",
		"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHDOuJQmO6DGKEwuYNPmaDxTXvXu0LB3Zbvx0N2ytby",
		"ssh-ed25519 "
		"AAAAC3NzaC1lZDI1NTE5AAAAIHDOuJQmO6DGKEwuYNPmaDxTXvXu0LB3Zbvx0N2ytbybAAAA",
		"ssh-ed25519 AAAA-3NzaC1lZDI1NTE5AAAAIHDOuJQmO6DGKEwuYNPmaDxTXvXu0LB3Zbvx0N2ytbyb",
		"no-pty ssh-ed25519 "
		"AAAAC3NzaC1lZDI1NTE5AAAAIHDOuJQmO6DGKEwuYNPmaDxTXvXu0LB3Zbvx0N2ytbyb",
		"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHDOuJQmO6DGKEwuYNPmaDxTXvXu0LB3Zbvx0N2ytbyb "
		"a\nssh-rsa b",
		/* Exponent 3 written with a zero too many. */
		"ssh-rsa AAAAB3NzaC1yc2EAAAACAAMAAAAA",
		"---- BEGIN SSH2 PUBLIC KEY ----",
		"---- BEGIN SSH2 PUBLIC KEY ----\n---- END SSH2 PUBLIC KEY ----",
		"---- END SSH2 PUBLIC KEY ----",
		"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
	};
	struct ssh_public p;

	(void)state;
	assert_int_equal(ssh_public_read(good, strlen(good), &p), 0);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(ssh_public_read(bad[i], strlen(bad[i]), &p), -EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ssh_pair_new__rsa_is_read_by_ssh_keygen_and_openssl),
		cmocka_unit_test(ssh_pair_new__ed25519_is_read_by_ssh_keygen),
		cmocka_unit_test(ssh_public_read__takes_every_form_of_an_rsa_key),
		cmocka_unit_test(ssh_public_read__takes_every_form_of_an_ed25519_key),
		cmocka_unit_test(ssh_public_read__refuses_other_kinds_and_sizes),
		cmocka_unit_test(ssh_public_read__refuses_what_is_no_line),
	};

	return cmocka_run_group_tests_name("crypto/ssh_key", tests, setup, teardown);
}
