/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/front/auth_test.h"

#include "controller/front/auth_keys.h"
#include "controller/front/auth_replay.h"

static void auth_check__says_whose_request_it_is(void **state)
{
	static struct rig_req q;

	(void)state;
	rig_good(&q, "Action=DescribeInstances");
	assert_string_equal(rig_check(&q), "");
	assert_true(q.retried);
	assert_string_equal(q.x.account, RIG_ACCOUNT);
	assert_string_equal(q.x.access_key_id, RIG_ID);
	assert_string_equal(q.x.service, "ec2");
	assert_null(q.x.kept);

	rig_good(&q, "Action=DescribeInstances");
	q.q.body = "Action=DescribeVpcs";
	q.q.body_len = strlen(q.q.body);
	assert_string_equal(rig_check(&q), "AuthFailure");
	assert_string_equal(q.x.account, "");
	assert_string_equal(q.x.access_key_id, "");
}

static void auth_check__asks_once_for_a_key(void **state)
{
	static struct rig_req a, b, c;

	(void)state;
	rig_good(&a, "a");
	rig_good(&b, "b");
	assert_int_equal(auth_check(&a.x, &a.f), -EINPROGRESS);
	assert_int_equal(auth_check(&b.x, &b.f), -EINPROGRESS);
	assert_int_equal(rig_asked_total, 1);
	rig_answer(0);
	assert_true(a.retried && b.retried);
	assert_int_equal(a.r, 0);
	assert_int_equal(b.r, 0);
	rig_good(&c, "c");
	assert_string_equal(rig_check(&c), "");
	assert_false(c.retried);
	assert_int_equal(rig_asked_total, 1);
	/* another service: another key */
	rig_request(&c, "POST", "", "");
	rig_sign(&c, RIG_ID, RIG_SECRET, "sts");
	assert_string_equal(rig_check(&c), "");
	assert_int_equal(rig_asked_total, 2);
}

static void auth_check__says_in_the_service_s_words_who_failed(void **state)
{
	static struct rig_req q;

	(void)state;
	rig_request(&q, "POST", "", "");
	rig_sign(&q, RIG_ID, "another secret", "kms");
	assert_string_equal(rig_check(&q), "AuthFailure");
	assert_string_equal(q.x.service, "kms");

	rig_request(&q, "POST", "", "");
	rig_sign(&q, RIG_ID, RIG_SECRET, "s3");
	assert_string_equal(rig_check(&q), "AuthFailure");
	assert_string_equal(q.x.service, "");
}

static void auth_check__waits_no_longer_when_the_security_process_is_gone(void **state)
{
	static struct rig_req a, b;

	(void)state;
	rig_good(&a, "a");
	assert_int_equal(auth_check(&a.x, &a.f), -EINPROGRESS);
	rig_answer(-ETIMEDOUT);
	assert_true(a.retried);
	assert_string_equal(a.f.code, "Unavailable");
	rig_no_security = true;
	rig_good(&b, "b");
	assert_string_equal(rig_check(&b), "Unavailable");
	rig_no_security = false;
	assert_string_equal(rig_check(&b), "");
}

static void auth_check__refuses_a_removed_key_at_once(void **state)
{
	static struct rig_req q;

	(void)state;
	rig_good(&q, "a");
	assert_string_equal(rig_check(&q), "");
	assert_int_equal(store_delete_id(rig.core.st, &tbl_access_keys, RIG_ID), 0);
	auth_forget(&rig, RIG_ID);
	rig_good(&q, "a");
	assert_string_equal(rig_check(&q), "AuthFailure");
}

static void auth_check__refuses_a_key_that_is_removed_while_it_is_asked_for(void **state)
{
	static struct rig_req q;

	(void)state;
	rig_good(&q, "a");
	assert_int_equal(auth_check(&q.x, &q.f), -EINPROGRESS);
	assert_int_equal(store_delete_id(rig.core.st, &tbl_access_keys, RIG_ID), 0);
	auth_forget(&rig, RIG_ID);
	rig_answer(0);
	assert_true(q.retried);
	if (q.r == -EINPROGRESS)
		rig_answer(0);
	assert_string_equal(q.f.code, "AuthFailure");
}

static void key_named(struct auth_keys *a, const struct access_key *row, const char *region,
		      struct rig_req *q, int want)
{
	const struct key *k = NULL;
	struct sigv4 s = { .access_key_id = { RIG_ID, strlen(RIG_ID) },
			   .region = { region, strlen(region) },
			   .service = { "ec2", 3 },
			   .date = "20261122" };

	memset(q, 0, sizeof(*q));
	q->x.d = &rig;
	assert_int_equal(auth_keys_get(a, row, row, &s, &q->x, &k), want);
}

static void auth_keys__is_bounded_and_drops_what_was_not_used_for_longest(void **state)
{
	static struct rig_req q[AUTH_KEYS_KNOWN + 1];
	const struct access_key *row = store_find(rig.core.st, &tbl_access_keys, RIG_ID);
	struct auth_keys *a = NULL;
	char region[32];

	(void)state;
	assert_int_equal(auth_keys_new(&rig.security, &a), 0);
	for (unsigned k = 0; k < AUTH_KEYS_KNOWN; k++) {
		snprintf(region, sizeof(region), "region-%u", k);
		key_named(a, row, region, &q[k], -EINPROGRESS);
	}
	key_named(a, row, "too-many", &q[AUTH_KEYS_KNOWN], -EBUSY);
	for (unsigned k = 0; k < AUTH_KEYS_KNOWN; k++)
		q[k].x.req = NULL;
	rig_answer(0);
	assert_int_equal(auth_keys_cnt(a), AUTH_KEYS_KNOWN);
	key_named(a, row, "region-0", &q[0], 0);
	key_named(a, row, "one-more", &q[1], -EINPROGRESS);
	rig_answer(0);
	assert_int_equal(auth_keys_cnt(a), AUTH_KEYS_KNOWN);
	key_named(a, row, "region-0", &q[0], 0);
	key_named(a, row, "region-1", &q[1], -EINPROGRESS);
	rig_answer(0);
	auth_keys_forget(a, RIG_ID);
	assert_int_equal(auth_keys_cnt(a), 0);
	auth_keys_free(a);
}

static void auth_replay__remembers_until_the_signature_is_over(void **state)
{
	uint8_t s[HASH_SHA256_BYTES] = { 1, 2, 3 }, t[HASH_SHA256_BYTES] = { 1, 2, 4 };
	struct auth_replay *a = NULL;

	(void)state;
	assert_int_equal(auth_replay_new(&a), 0);
	assert_true(auth_replay_first(a, s, 1, 1000, 1300));
	assert_false(auth_replay_first(a, s, 2, 1000, 1300));
	assert_true(auth_replay_first(a, s, 1, 1000, 1300));
	assert_true(auth_replay_first(a, t, 2, 1000, 1300));
	assert_false(auth_replay_first(a, s, 2, 1300, 1300));
	assert_true(auth_replay_first(a, s, 2, 1301, 1600));
	auth_replay_free(a);
}

/* Who has a key can make signatures that end alike; they must not push out what was seen of another's. */
static void auth_replay__forgets_nothing_for_signatures_that_were_chosen(void **state)
{
	enum { CHOSEN = 64 };
	uint8_t s[HASH_SHA256_BYTES] = { 1, 2, 3 }, t[HASH_SHA256_BYTES] = { 0 };
	struct auth_replay *a = NULL;

	(void)state;
	assert_int_equal(auth_replay_new(&a), 0);
	assert_true(auth_replay_first(a, s, 1, 1000, 1300));
	for (uint8_t k = 1; k <= CHOSEN; k++) {
		t[0] = k;
		t[1] = 255;
		assert_true(auth_replay_first(a, t, 2, 1000, 600000));
	}
	assert_false(auth_replay_first(a, s, 2, 1001, 1300));
	auth_replay_free(a);
}

#define RIG_TEST(f) cmocka_unit_test_setup_teardown(f, rig_begin, rig_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		RIG_TEST(auth_check__says_whose_request_it_is),
		RIG_TEST(auth_check__asks_once_for_a_key),
		RIG_TEST(auth_check__says_in_the_service_s_words_who_failed),
		RIG_TEST(auth_check__waits_no_longer_when_the_security_process_is_gone),
		RIG_TEST(auth_check__refuses_a_removed_key_at_once),
		RIG_TEST(auth_check__refuses_a_key_that_is_removed_while_it_is_asked_for),
		RIG_TEST(auth_keys__is_bounded_and_drops_what_was_not_used_for_longest),
		cmocka_unit_test(auth_replay__remembers_until_the_signature_is_over),
		cmocka_unit_test(auth_replay__forgets_nothing_for_signatures_that_were_chosen),
	};

	if (crypto_init() < 0)
		return 1;
	return cmocka_run_group_tests_name("controller/auth", tests, NULL, NULL);
}
