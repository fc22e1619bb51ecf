/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/rsa.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/evp.h>
#include <openssl/pkcs7.h>
#include <openssl/x509v3.h>

#include "crypto/crypto.h"
#include "crypto/hash.h"
#include "crypto/hex_test.h"

/* libcrypto plays the reader: what these functions make, others must be able to check with the certificate alone. */

static struct rsa key;
static uint8_t cert[RSA_CERTIFICATE_MAX];
static size_t cert_len;
static const char doc[] = "{\"instanceId\":\"i-0\"}\n\x01\xff any bytes";

static int setup(void **state)
{
	int n;

	(void)state;
	assert_int_equal(rsa_new(&key), 0);
	n = rsa_certificate(&key, "a name", cert);
	assert_true(n > 0);
	cert_len = (size_t)n;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	rsa_done(&key);
	return 0;
}

static X509 *cert_parse(void)
{
	const uint8_t *at = cert;
	X509 *x = d2i_X509(NULL, &at, (long)cert_len);

	assert_non_null(x);
	assert_ptr_equal(at, cert + cert_len);
	return x;
}

static int verified(const uint8_t *sig, const void *msg, size_t len)
{
	X509 *x = cert_parse();
	EVP_PKEY *p = X509_get_pubkey(x);
	EVP_MD_CTX *c = EVP_MD_CTX_new();
	int r;

	assert_int_equal(EVP_DigestVerifyInit(c, NULL, EVP_sha256(), NULL, p), 1);
	r = EVP_DigestVerify(c, sig, RSA_SIGNATURE_BYTES, msg, len);
	EVP_MD_CTX_free(c);
	EVP_PKEY_free(p);
	X509_free(x);
	return r == 1;
}

static void rsa_sign__is_verified_with_the_certificate(void **state)
{
	uint8_t sig[RSA_SIGNATURE_BYTES], again[RSA_SIGNATURE_BYTES];

	(void)state;
	assert_int_equal(rsa_sign(&key, doc, sizeof(doc), sig), 0);
	assert_true(verified(sig, doc, sizeof(doc)));
	assert_false(verified(sig, doc, sizeof(doc) - 1));
	assert_int_equal(rsa_sign(&key, doc, sizeof(doc), again), 0);
	assert_memory_equal(sig, again, sizeof(sig)); /* v1.5 has no random part */
	sig[100] ^= 1;
	assert_false(verified(sig, doc, sizeof(doc)));
}

/* Made with: openssl genrsa 2048; openssl dgst -sha256 -sign; primes from openssl rsa -text. */
static void rsa_sign__agrees_with_the_openssl_command(void **state)
{
	static const char p_hex[] =
		"dcb2c3ac0d96e20e5b3d1f3f5a45c3fe252c8bae1177724d805775b811294f64"
		"2c496c6eb7befa680f3b4cd953aeed3c94e8771c087be2d06b326e6e46dc515a"
		"5cdfd4ff8740b9fdff0e6ac234f8ba310ce8f10015c424a15a3749b32283f7d7"
		"a96c6de3b55ba7830ae88aece3f03454bad9fd70a1261299bf7e49aa870e5b9d";
	static const char q_hex[] =
		"dac4a07628611c280f1b67fbab8b8c9352be00f8034dada7730b7b3f95488a72"
		"f476572d71ff2950eb92751fb2db731601512099d62a56beffdfe8b52aae542d"
		"90df931163284c2f27613847de5ce85a18140aa1499c13b82873c4946b258991"
		"33f5feaebfe8a8155db7d99a3ad2d13cbd794cc8517bd99c2f91c332106e3dcd";
	static const char sum_hex[] = "0878855929efec295fd4f41247ec2ed43c07b09673fabf37bb995c73ab99"
				      "110e"; /* SHA-256 of the signature of "sample" */
	uint8_t p[RSA_PRIME_BYTES], q[RSA_PRIME_BYTES], sig[RSA_SIGNATURE_BYTES], sum[32], want[32];
	struct rsa k = { NULL, NULL }, turned;

	(void)state;
	hex(p_hex, p, sizeof(p));
	hex(q_hex, q, sizeof(q));
	hex(sum_hex, want, sizeof(want));
	assert_int_equal(key_new_from(p, sizeof(p), &k.p), 0);
	assert_int_equal(key_new_from(q, sizeof(q), &k.q), 0);
	assert_int_equal(rsa_sign(&k, "sample", 6, sig), 0);
	assert_int_equal(hash_sha256(sig, sizeof(sig), sum), 0);
	assert_memory_equal(sum, want, sizeof(sum));
	turned = (struct rsa){ k.q, k.p }; /* whichever prime comes first */
	assert_int_equal(rsa_sign(&turned, "sample", 6, sig), 0);
	assert_int_equal(hash_sha256(sig, sizeof(sig), sum), 0);
	assert_memory_equal(sum, want, sizeof(sum));
	rsa_done(&k);
}

/* spec: fips-186-5 §A.1.1 */
static void rsa_new__makes_primes_as_they_should_be(void **state)
{
	BN_CTX *c = BN_CTX_new();
	int i;

	(void)state;
	for (i = 0; i < 3; i++) {
		struct rsa k = { NULL, NULL };
		BIGNUM *p, *q, *n = BN_new();

		assert_int_equal(rsa_new(&k), 0);
		p = BN_bin2bn(key_bytes(k.p), RSA_PRIME_BYTES, NULL);
		q = BN_bin2bn(key_bytes(k.q), RSA_PRIME_BYTES, NULL);
		assert_int_equal(BN_check_prime(p, c, NULL), 1);
		assert_int_equal(BN_check_prime(q, c, NULL), 1);
		assert_true(BN_mod_word(p, 65537) != 1 && BN_mod_word(q, 65537) != 1);
		assert_int_equal(BN_mul(n, p, q, c), 1);
		assert_int_equal(BN_num_bits(n), RSA_BITS);
		assert_int_equal(BN_sub(n, p, q), 1);
		assert_true(BN_num_bits(n) > RSA_BITS / 2 - 100);
		BN_free(p);
		BN_free(q);
		BN_free(n);
		rsa_done(&k);
	}
	BN_CTX_free(c);
}

static void rsa_sign__refuses_what_is_no_key(void **state)
{
	struct rsa k = { NULL, NULL };
	uint8_t sig[RSA_SIGNATURE_BYTES];

	(void)state;
	assert_int_equal(rsa_sign(&k, "x", 1, sig), -EINVAL);
	assert_int_equal(key_new_zero(RSA_PRIME_BYTES, &k.p), 0);
	assert_int_equal(key_new_zero(RSA_PRIME_BYTES, &k.q), 0);
	assert_int_equal(rsa_sign(&k, "x", 1, sig), -EINVAL);
	key_freep(&k.q);
	assert_int_equal(key_new_random(32, &k.q), 0);
	assert_int_equal(rsa_sign(&k, "x", 1, sig), -EINVAL);
	rsa_done(&k);
}

static void rsa_certificate__says_what_it_is_for(void **state)
{
	X509 *x = cert_parse();
	EVP_PKEY *p = X509_get_pubkey(x);
	char name[64];

	(void)state;
	assert_int_equal(X509_verify(x, p), 1);
	assert_int_equal(X509_get_version(x), X509_VERSION_3);
	assert_true(X509_NAME_get_text_by_NID(X509_get_subject_name(x), NID_commonName, name,
					      sizeof(name)) > 0);
	assert_string_equal(name, "a name");
	assert_int_equal(X509_get_key_usage(x), KU_DIGITAL_SIGNATURE);
	assert_int_equal(X509_check_ca(x), 0);
	assert_int_equal(EVP_PKEY_get_bits(p), RSA_BITS);
	assert_true(X509_cmp_current_time(X509_get0_notBefore(x)) < 0);
	assert_true(X509_cmp_current_time(X509_get0_notAfter(x)) > 0);
	EVP_PKEY_free(p);
	X509_free(x);
}

static int pkcs7_verified(const uint8_t *der, int len, char *ret, int cap)
{
	const uint8_t *at = der;
	PKCS7 *p = d2i_PKCS7(NULL, &at, len);
	STACK_OF(X509) *certs = sk_X509_new_null();
	BIO *out = BIO_new(BIO_s_mem());
	X509 *x = cert_parse();
	int r = 0, n = -1;

	sk_X509_push(certs, x);
	if (p) {
		assert_null(p->d.sign->cert); /* nobody believes a certificate that comes along */
		r = PKCS7_verify(p, certs, NULL, NULL, out, PKCS7_NOVERIFY | PKCS7_BINARY);
		n = BIO_read(out, ret, cap);
	}
	PKCS7_free(p);
	BIO_free(out);
	sk_X509_pop_free(certs, X509_free);
	return r == 1 ? n : -1;
}

static void rsa_pkcs7__holds_the_document_and_its_signature(void **state)
{
	uint8_t der[2048];
	char got[256];
	int n;

	(void)state;
	n = rsa_pkcs7(&key, cert, cert_len, doc, sizeof(doc), der, sizeof(der));
	assert_true(n > 0);
	assert_int_equal(pkcs7_verified(der, n, got, sizeof(got)), sizeof(doc));
	assert_memory_equal(got, doc, sizeof(doc));
	der[n - 1] ^= 1; /* the signature ends it */
	assert_int_equal(pkcs7_verified(der, n, got, sizeof(got)), -1);
}

static void rsa_pkcs7__refuses_what_does_not_fit(void **state)
{
	struct rsa other = { NULL, NULL };
	uint8_t der[2048];
	int n;

	(void)state;
	assert_int_equal(rsa_new(&other), 0);
	assert_int_equal(rsa_pkcs7(&other, cert, cert_len, doc, 5, der, sizeof(der)), -EINVAL);
	rsa_done(&other);
	assert_int_equal(rsa_pkcs7(&key, cert, cert_len - 1, doc, 5, der, sizeof(der)), -EINVAL);
	n = rsa_pkcs7(&key, cert, cert_len, doc, 5, der, sizeof(der));
	assert_true(n > 0);
	assert_int_equal(rsa_pkcs7(&key, cert, cert_len, doc, 5, der, (size_t)n), n);
	assert_int_equal(rsa_pkcs7(&key, cert, cert_len, doc, 5, der, (size_t)n - 1), -EMSGSIZE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rsa_sign__is_verified_with_the_certificate),
		cmocka_unit_test(rsa_sign__agrees_with_the_openssl_command),
		cmocka_unit_test(rsa_new__makes_primes_as_they_should_be),
		cmocka_unit_test(rsa_sign__refuses_what_is_no_key),
		cmocka_unit_test(rsa_certificate__says_what_it_is_for),
		cmocka_unit_test(rsa_pkcs7__holds_the_document_and_its_signature),
		cmocka_unit_test(rsa_pkcs7__refuses_what_does_not_fit),
	};

	if (crypto_init() < 0)
		return 1;
	return cmocka_run_group_tests_name("crypto/rsa", tests, setup, teardown);
}
