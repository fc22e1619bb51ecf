/* SPDX-License-Identifier: Apache-2.0 */
#include "security/tunnel_keys.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "crypto/crypto.h"
#include "crypto/hex_test.h"

/*
 * One handshake as a second implementation makes it (Python, from docs/wire/tunnel.md alone). Scalars of P-384: the byte
 * 11 (identity of I), 22 (of R), 33 and 44 (ephemeral) 48 times; X25519: 55 and 66, 32 times.
 * These bytes must mean the same for ever.
 */
static const char init_hex[] =
	"4e540101060000006969696969696969bd2184028eca1c5d563d4ed11a7c8171cd1162294c8168b6"
	"eef2ab8a3114ef55a5531e776db54762df1bdc548aeae529c22215ff31d60bad1c2f990c41a21771"
	"38ab664bd86f77d7e66bdd9ae0792913a94fd8b33a1260027e4b46c1f4884c67b34b8c0631557021"
	"dd5da7964b0f645443a969a1af9e0e33c1ebd1e9123d329ed7f07b9e37d6b24997351da3656de532"
	"be1d328e70005c0e759f93320dbbcc0b64c0c6d5d7c2122fa3649f20eef05795c070247bc87d81ae"
	"dba6b03cf244ddd30000000000000000000000000000000000000000000000000000000000000000"
	"00000000000000000000000000000000000000000000000000000000000000000000000000000000"
	"00000000000000000000000000000000000000000000000000000000000000000000000000000000"
	"00000000000000000000000000000000000000000000000000000000000000000000000000000000"
	"00000000000000000000000000000000000000000000000000000000000000000000000000000000";
static const char reply_hex[] =
	"4e5401020700000069696969696969697272727272727272219e4d800da968d2a5fcb009c784f474"
	"6c7138edb9ee4844b739e830b05cf424b01380bb42d55e316eed81928efebef108186c6d6c88cdad"
	"320ca9c4320cad6a603be8d80e57dd2782b8b1a4cdbe6e82f596d07d1c2f16249a6ce4cf99b192f0"
	"c486b5a37096fc91a6c0c354546abe352a99cdf1ad679eaeb03b7864e790c15f4f2bda7fd2105f84"
	"67e21f45223ad58863ffa4c084832d9f6c64ffc47fdd519727ab53cb71f9c40de24b64acde61f02f"
	"c7dce130b612fa5dbcac94573a2354fd005d8e9caefdc5fde48304474708bbd82f77e1fd2c630bea"
	"236f6f8dccc1678e214b73f3e20e2dc410d50bb1db813c29ce646952d1024eadf0e48b9599a3f735"
	"1cf5d29a3f4468647857e32f88b121fff58d3793b90faba20b8a7a6e054f1ea93ab02f35685564e1"
	"234b862bc565ed82842884176f3964abca4ce67d07b7612d3686c4ceea20c33fa0a958d0bc00f90f"
	"815881242d4ca54b06675f0c9c33f164";
static const char finish_hex[] =
	"4e5401030700000069696969696969697272727272727272386e767ea5cb716c9cd620ff7342129c"
	"892a6fccefe612140c80bff59e943468019dda16e5079b0c1d9001d23a624b6dd088d0c382639419"
	"4787403e8a7d07e5e22f7e9c0b8e80fa1faff5d28b4bb597b267f0b87023ca61fc8454bddefd2e0e"
	"420aec7de9fc6cbd1466295b28826d5ce4325d641ddb640ee2d9a62df3571f06241da354786c54a2"
	"2f172cb7ec53081c7d709bafddc920157218e0dfab6d680a95282a316ae407e21cee55e9fc52120a"
	"8cf1a966f7e16adf9a1c6214d304c8f0a8006dde7e13651b17e8060bc822f322c901f1b73766b738"
	"e4e381548fe80269";
static const char done_hex[] =
	"4e54010407000000696969696969696972727272727272724e28ad90bd3e83084aed066fca6e2822"
	"5149e8a130d59effa458e00a2d943ce6";
static const char master_hex[] =
	"4e204d59d9a3084aaa24f4461864d3604f127be1cebc3a323fdc81a29e7c3de80e340ba2dfdf032f"
	"cdde47eb83b55e91";
static const char secret_hex[] =
	"a329b55a5daeaa57e810cdd9a1dc620b657d77080f88b78a8c3accf0d5a69e57ffcfb4b7cfb1ce8e"
	"3578ff8344d7632a";
static const char sa0_hex[] =
	"50172fa6501a8b457cb5f4d7a5bedd344a8032d8da0d470202782a5e42afcd13d36408faac67ac1a";
static const char sa1_hex[] =
	"ea323a41567093a3ffd33cda0f075c0a19d1de95cfc199dc10da9bb0f729be32092b1238a373fcc6";

static uint8_t b[TUNNEL_MSG_MAX];

static struct key *filled(uint8_t byte, size_t len)
{
	struct key *k = NULL;

	assert_int_equal(key_new_zero(len, &k), 0);
	memset(key_bytes_mut(k), byte, len);
	return k;
}

static void add(struct transcript *t, const char *s, size_t but)
{
	size_t n = hex(s, b, sizeof(b));

	transcript_add(t, b, n - but);
}

static void parse(const char *s, struct tunnel_msg *ret)
{
	uint8_t again[TUNNEL_MSG_MAX];
	size_t n = hex(s, b, sizeof(b));

	assert_int_equal(tunnel_msg_decode(b, n, ret), 0);
	assert_int_equal(tunnel_msg_encode(ret, again), n);
	assert_memory_equal(again, b, n);
}

static void assert_key(const struct key *k, const char *want)
{
	uint8_t w[64];

	assert_int_equal(hex(want, w, sizeof(w)), key_len(k));
	assert_memory_equal(key_bytes(k), w, key_len(k));
}

static void tunnel_keys__agree_with_a_second_implementation(void **state)
{
	CLEANUP(key_freep) struct key *x = filled(0x55, 32), *p = filled(0x33, 48);
	CLEANUP(key_freep) struct key *xr = filled(0x66, 32), *pr = filled(0x44, 48);
	CLEANUP(key_freep) struct key *master = NULL, *master_r = NULL, *secret = NULL;
	struct tunnel_msg init, reply, finish, done;
	struct transcript t = { .len = 0 };
	uint8_t t2[HASH_SHA384_BYTES];

	(void)state;
	parse(init_hex, &init);
	parse(reply_hex, &reply);
	parse(finish_hex, &finish);
	parse(done_hex, &done);
	assert_int_equal(init.number, 6);
	assert_int_equal(done.number, 7);
	add(&t, init_hex, TUNNEL_COOKIE_BYTES);
	add(&t, reply_hex, 0);
	assert_int_equal(transcript_hash(&t, TUNNEL_TAIL_SIGNATURE, t2), 0);
	assert_int_equal(tunnel_master(x, p, &reply, t2, &master), 0);
	assert_int_equal(tunnel_master(xr, pr, &init, t2, &master_r), 0);
	assert_key(master, master_hex);
	assert_key(master_r, master_hex);
	assert_int_equal(tunnel_proof_check(&t, TUNNEL_REPLY, master, reply.identity), 0);
	add(&t, finish_hex, 0);
	assert_int_equal(tunnel_proof_check(&t, TUNNEL_FINISH, master, finish.identity), 0);
	assert_int_equal(tunnel_secret(&t, master, &secret), 0);
	assert_key(secret, secret_hex);
	add(&t, done_hex, 0);
	assert_int_equal(tunnel_proof_check(&t, TUNNEL_DONE, master, NULL), 0);
	/* Each proof is for its place: the type, and who signed. */
	assert_int_equal(tunnel_proof_check(&t, TUNNEL_FINISH, master, finish.identity),
			 -EKEYREJECTED);
	t.len -= TUNNEL_DONE_BYTES;
	assert_int_equal(tunnel_proof_check(&t, TUNNEL_FINISH, master, reply.identity),
			 -EKEYREJECTED);
	assert_int_equal(tunnel_proof_check(&t, TUNNEL_REPLY, master, finish.identity),
			 -EKEYREJECTED);
}

static void tunnel_sa__agrees_with_a_second_implementation(void **state)
{
	static const char *const want[] = { sa0_hex, sa1_hex };
	CLEANUP(key_freep) struct key *secret = NULL;
	struct ctl_tun_sa sa;
	uint8_t s[48], w[40];
	unsigned i;

	(void)state;
	hex(secret_hex, s, sizeof(s));
	assert_int_equal(key_new_from(s, sizeof(s), &secret), 0);
	for (i = 0; i < 2; i++) {
		hex(want[i], w, sizeof(w));
		assert_int_equal(tunnel_sa(secret, i, 7, 0x1001, &sa), 0);
		assert_memory_equal(sa.key, w, 32);
		assert_memory_equal(sa.salt, w + 32, 4);
		assert_int_equal(sa.spi, le32_load(w + 36));
	}
}

/* Searched for: direction, epoch and network under which the derived SPI is 192, which is reserved. */
static void tunnel_sa__keeps_off_the_reserved_spis(void **state)
{
	CLEANUP(key_freep) struct key *secret = NULL;
	struct ctl_tun_sa sa;
	uint8_t s[48];

	(void)state;
	hex(secret_hex, s, sizeof(s));
	assert_int_equal(key_new_from(s, sizeof(s), &secret), 0);
	assert_int_equal(tunnel_sa(secret, 1, 8, 12176522, &sa), 0);
	assert_int_equal(sa.spi, 256 + 192);
}

/* The fingerprints in INIT are those of the identity keys in REPLY and FINISH. */
static void tunnel_fingerprint__agrees_with_a_second_implementation(void **state)
{
	CLEANUP(key_freep) struct key *i = filled(0x11, 48), *r = filled(0x22, 48);
	struct tunnel_identity id;
	struct tunnel_msg init;

	(void)state;
	parse(init_hex, &init);
	assert_int_equal(tunnel_identity_init(&id, i), 0);
	assert_memory_equal(id.fingerprint, init.fp_i, sizeof(init.fp_i));
	assert_int_equal(tunnel_identity_init(&id, r), 0);
	assert_memory_equal(id.fingerprint, init.fp_r, sizeof(init.fp_r));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tunnel_keys__agree_with_a_second_implementation),
		cmocka_unit_test(tunnel_sa__agrees_with_a_second_implementation),
		cmocka_unit_test(tunnel_sa__keeps_off_the_reserved_spis),
		cmocka_unit_test(tunnel_fingerprint__agrees_with_a_second_implementation),
	};

	if (crypto_init() < 0)
		return 1;
	return cmocka_run_group_tests_name("security/tunnel-keys", tests, NULL, NULL);
}
