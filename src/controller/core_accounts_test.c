/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/core_accounts.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "controller/core_net.h"
#include "crypto/crypto.h"

static struct core core;
static uint64_t counter;

static uint64_t fake_now(UNUSED void *ptr)
{
	return 1795340716000 + counter;
}

/* Different every time. */
static int fake_random(UNUSED void *ptr, void *buf, size_t len)
{
	uint8_t *p = buf;

	counter++;
	for (size_t k = 0; k < len; k++)
		p[k] = (uint8_t)((counter >> k % 2 * 8) * 29 + k * 7);
	return 0;
}

static int begin(UNUSED void **state)
{
	memset(&core, 0, sizeof(core));
	counter = 0;
	core.env = (struct core_env){ fake_now, fake_random, NULL };
	assert_int_equal(store_open(":memory:", &core.st), 0);
	assert_int_equal(core_net_init(&core), 0);
	assert_int_equal(core_accounts_init(&core), 0);
	return 0;
}

static int end(UNUSED void **state)
{
	store_free(core.st);
	return 0;
}

static size_t rows_of(const struct store_table *t, const char *account)
{
	struct store_iter it;
	size_t cnt = 0;

	store_each_of(core.st, t, "account", account, &it);
	while (store_next(&it))
		cnt++;
	return cnt;
}

static struct access_key key_new(const char *account)
{
	struct access_key k;
	struct fault f;

	assert_int_equal(core_access_key_draw(&core, account, &k, &f), 0);
	k.sealed_len = 3;
	memcpy(k.sealed, "box", 3);
	return k;
}

static struct account account_new(const char *name, struct access_key *ret_key)
{
	struct account a;
	struct fault f;

	assert_int_equal(core_account_draw(&core, name, &a, &f), 0);
	*ret_key = key_new(a.id);
	assert_int_equal(core_account_add(&core, &a, ret_key, &f), 0);
	return a;
}

static void accounts__have_a_key_and_a_network_of_their_own(void **state)
{
	const struct account *def = store_find(core.st, &tbl_accounts, MODEL_ACCOUNT_DEFAULT);
	struct access_key k, k2;
	struct account a = account_new("alpha", &k), b = account_new("beta", &k2), found;
	struct vpc va, vb;
	struct fault f;

	(void)state;
	assert_non_null(def);
	assert_int_equal(core_accounts_init(&core), 0);
	assert_int_equal(store_cnt(core.st, &tbl_accounts), 3);
	assert_int_equal(strlen(a.id), ACCOUNT_DIGITS);
	assert_int_equal(strspn(a.id, "0123456789"), ACCOUNT_DIGITS);
	assert_int_equal(strlen(k.id), ACCESS_KEY_CHARS);
	assert_memory_equal(k.id, "AKIA", 4);
	assert_int_equal(strspn(k.id, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"), ACCESS_KEY_CHARS);
	assert_string_not_equal(a.id, b.id);
	assert_string_not_equal(k.id, k2.id);
	assert_int_equal(core_vpc_default(&core, a.id, &va), 0);
	assert_int_equal(core_vpc_default(&core, b.id, &vb), 0);
	assert_string_not_equal(va.id, vb.id);
	assert_int_not_equal(va.vni, vb.vni);
	assert_int_equal(core_account_find(&core, "beta", &found, &f), 0);
	assert_string_equal(found.id, b.id);
	assert_int_equal(core_account_find(&core, a.id, &found, &f), 0);
	assert_string_equal(found.name, "alpha");
	assert_int_equal(core_account_find(&core, "gamma", &found, &f), -ENOENT);
}

static void accounts__refuse_a_name_that_is_none_or_taken(void **state)
{
	static const char *const bad[] = {
		"", "-a", "a b", "123", "i-0123456789abcdef0", "default"
	};
	struct account a;
	struct fault f;

	(void)state;
	for (size_t k = 0; k < ARRAY_SIZE(bad); k++)
		assert_true(core_account_draw(&core, bad[k], &a, &f) < 0);
	assert_int_equal(core_account_draw(&core, "a", &a, &f), 0);
	assert_int_equal(store_cnt(core.st, &tbl_accounts), 1);
}

static void accounts__drawn_twice_are_added_once(void **state)
{
	struct access_key k1, k2;
	struct account a, b;
	struct fault f;

	(void)state;
	assert_int_equal(core_account_draw(&core, "same", &a, &f), 0);
	assert_int_equal(core_account_draw(&core, "same", &b, &f), 0);
	k1 = key_new(a.id);
	k2 = key_new(b.id);
	assert_int_equal(core_account_add(&core, &a, &k1, &f), 0);
	assert_int_equal(core_account_add(&core, &b, &k2, &f), -EEXIST);
	assert_null(store_find(core.st, &tbl_access_keys, k2.id));
	assert_int_equal(rows_of(&tbl_vpcs, b.id), 0);
}

static void access_keys__are_limited_and_removed_one_by_one(void **state)
{
	struct access_key k, more, gone;
	struct account a = account_new("alpha", &k);
	struct fault f;

	(void)state;
	for (unsigned n = 1; n < ACCESS_KEYS_MAX; n++) {
		more = key_new(a.id);
		assert_int_equal(core_access_key_add(&core, &more, &f), 0);
	}
	assert_int_equal(core_access_key_draw(&core, a.id, &more, &f), -EDQUOT);
	assert_int_equal(core_access_key_rm(&core, k.id, &gone, &f), 0);
	assert_string_equal(gone.account, a.id);
	assert_int_equal(core_access_key_rm(&core, k.id, &gone, &f), -ENOENT);
	assert_int_equal(core_access_key_draw(&core, a.id, &more, &f), 0);
	assert_int_equal(core_account_rm(&core, &a, &f), 0);
	assert_int_equal(core_access_key_add(&core, &more, &f), -ENOENT);
}

static void account_rm__leaves_nothing(void **state)
{
	struct access_key k;
	struct account a = account_new("alpha", &k), def;
	const struct instance ended = { .id = "i-0123456789abcdef0", .state = INSTANCE_TERMINATED };
	struct client_token t = { .action = "RunInstances", .token = "t" };
	struct instance i = ended;
	struct fault f;

	(void)state;
	snprintf(i.account, sizeof(i.account), "%s", a.id);
	snprintf(t.account, sizeof(t.account), "%s", a.id);
	assert_int_equal(store_put(core.st, &tbl_instances, &i), 0);
	assert_int_equal(store_put(core.st, &tbl_client_tokens, &t), 0);
	assert_int_equal(core_account_rm(&core, &a, &f), 0);
	assert_int_equal(rows_of(&tbl_instances, a.id), 0);
	assert_int_equal(rows_of(&tbl_access_keys, a.id), 0);
	assert_int_equal(rows_of(&tbl_client_tokens, a.id), 0);
	assert_int_equal(rows_of(&tbl_vpcs, a.id), 0);
	assert_int_equal(rows_of(&tbl_groups, a.id), 0);
	assert_null(store_find(core.st, &tbl_accounts, a.id));
	assert_int_equal(store_cnt(core.st, &tbl_vpcs), 1);

	assert_int_equal(core_account_find(&core, "default", &def, &f), 0);
	assert_int_equal(core_account_rm(&core, &def, &f), -EBUSY);
}

/* What is left is named, and then nothing has happened. */
static void still_has(const struct account *a, const char *id)
{
	struct fault f = { .code = "" };

	assert_int_equal(core_account_rm(&core, a, &f), -EBUSY);
	assert_string_equal(f.code, "DependencyViolation");
	assert_non_null(strstr(f.text, id));
	assert_int_equal(rows_of(&tbl_vpcs, a->id), 1);
	assert_int_equal(rows_of(&tbl_access_keys, a->id), 1);
}

static void account_rm__names_what_is_left(void **state)
{
	struct instance i = { .id = "i-0123456789abcdef0", .state = INSTANCE_STOPPED };
	struct volume v = { .id = "vol-0123456789abcdef0",
			    .state = VOLUME_AVAILABLE,
			    .size = 4096 };
	struct key_pair p = { .id = "key-0123456789abcdef0", .name = "k", .type = "rsa" };
	static struct kms_key m = { .id = "12345678-1234-1234-1234-123456789abc",
				    .state = KMS_KEY_ENABLED };
	struct access_key k;
	struct account a = account_new("alpha", &k);
	struct interface ni;
	struct group g;
	struct vpc net;
	struct fault f;

	(void)state;
	snprintf(i.account, sizeof(i.account), "%s", a.id);
	snprintf(v.account, sizeof(v.account), "%s", a.id);
	snprintf(p.account, sizeof(p.account), "%s", a.id);
	snprintf(m.account, sizeof(m.account), "%s", a.id);
	assert_int_equal(store_put(core.st, &tbl_instances, &i), 0);
	still_has(&a, i.id);
	assert_int_equal(store_delete(core.st, &tbl_instances, &i), 0);
	assert_int_equal(store_put(core.st, &tbl_volumes, &v), 0);
	still_has(&a, v.id);
	assert_int_equal(store_delete(core.st, &tbl_volumes, &v), 0);
	assert_int_equal(store_put(core.st, &tbl_key_pairs, &p), 0);
	still_has(&a, p.id);
	assert_int_equal(store_delete(core.st, &tbl_key_pairs, &p), 0);
	assert_int_equal(store_put(core.st, &tbl_kms_keys, &m), 0);
	still_has(&a, m.id);
	assert_int_equal(store_delete(core.st, &tbl_kms_keys, &m), 0);

	assert_int_equal(core_vpc_default(&core, a.id, &net), 0);
	assert_int_equal(core_group_add(&core, &net, "web", "w", &g, &f), 0);
	still_has(&a, g.id);
	assert_int_equal(core_group_rm(&core, &g, &f), 0);
	assert_int_equal(core_interface_add(&core,
					    &(struct core_interface_want){ .account = a.id,
									   .description = "" },
					    &ni, &f),
			 0);
	still_has(&a, ni.id);
	assert_int_equal(core_interface_rm(&core, &ni, &f), 0);
	m.by_service = true;
	assert_int_equal(store_put(core.st, &tbl_kms_keys, &m), 0);
	assert_int_equal(core_account_rm(&core, &a, &f), 0);
	assert_int_equal(rows_of(&tbl_kms_keys, a.id), 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(accounts__have_a_key_and_a_network_of_their_own),
		TEST(accounts__refuse_a_name_that_is_none_or_taken),
		TEST(accounts__drawn_twice_are_added_once),
		TEST(access_keys__are_limited_and_removed_one_by_one),
		TEST(account_rm__leaves_nothing),
		TEST(account_rm__names_what_is_left),
	};

	if (crypto_init() < 0)
		return 1;
	return cmocka_run_group_tests_name("controller/core_accounts", tests, NULL, NULL);
}
