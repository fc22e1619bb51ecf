/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fd.h"
#include "base/log.h"
#include "crypto/crypto.h"
#include "security/channel.h"
#include "security/service.h"
#include "security/swtpm_test.h"
#include "security/wrap.h"

/* niterd's channel, and volumes under KMS keys. The test is launcher, niterd, format job and card. */

static struct service s;
static struct loop loop;
static struct key *root;
static char path[64];
static int dir = -1, ctl_ours = -1, ctl_theirs = -1, niterd = -1;
static struct ctl_msg answer;

static const char owner[] = "111122223333", stranger[] = "444455556666";
static const char vol[] = "vol-0123456789abcdef0", inst[] = "i-0123456789abcdef0";
static const char kms[] = "01234567-89ab-cdef-0123-456789abcdef";

static int control(const struct ctl_sec_channel *g, int fd)
{
	ctl_msg_done(&answer);
	assert_int_equal(ctl_send(ctl_theirs, CTL_SEC_CHANNEL, 1, g, &fd, fd >= 0), 0);
	assert_int_equal(service_control(&s, ctl_ours), 1);
	service_reap(&s);
	assert_int_equal(ctl_recv(ctl_theirs, &answer), 1);
	return answer.u.ack.err;
}

/* Return: the other end (owned), or the refusal. */
static int channel(enum ctl_key_purpose purpose, const char *account, const char *instance,
		   const char *volume, const char *kms_key)
{
	struct ctl_sec_channel g = { .purpose = (uint16_t)purpose };
	int a = -1, b = -1, r;

	(void)snprintf(g.account_id, sizeof(g.account_id), "%s", account);
	(void)snprintf(g.instance_id, sizeof(g.instance_id), "%s", instance);
	(void)snprintf(g.volume_id, sizeof(g.volume_id), "%s", volume);
	(void)snprintf(g.kms_key_id, sizeof(g.kms_key_id), "%s", kms_key);
	assert_int_equal(fd_socketpair(SOCK_SEQPACKET, &a, &b), 0);
	r = control(&g, b);
	close(b);
	if (r < 0)
		close(a);
	return r < 0 ? r : a;
}

static void start(void)
{
	assert_int_equal(loop_init(&loop), 0);
	service_init(&s, &loop);
	assert_int_equal(service_start(&s, dir, root), 0);
	niterd = channel(CTL_KEY_FOR_NITERD, "", "", "", "");
	assert_true(niterd >= 0);
}

static void stop(void)
{
	service_done(&s);
	loop_done(&loop);
	fd_closep(&niterd);
}

static int setup(void **state)
{
	(void)state;
	test_dir_new(path, sizeof(path));
	dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(dir >= 0);
	assert_int_equal(key_new_random(32, &root), 0);
	assert_int_equal(fd_socketpair(SOCK_SEQPACKET, &ctl_ours, &ctl_theirs), 0);
	start();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	ctl_msg_done(&answer);
	stop();
	fd_closep(&dir);
	fd_closep(&ctl_ours);
	fd_closep(&ctl_theirs);
	key_freep(&root);
	test_dir_remove(path);
	return 0;
}

static void turn(void)
{
	struct channel *c;

	for (c = s.channels; c; c = c->next)
		if (c->fd >= 0)
			service_channel(&s, c);
	service_reap(&s);
}

/* One question on a channel. Return: 1 answered, 0 it was closed. */
static int ask(int fd, enum ctl_type type, const void *body)
{
	ctl_msg_done(&answer);
	assert_int_equal(ctl_send(fd, type, 5, body, NULL, 0), 0);
	turn();
	return ctl_recv(fd, &answer);
}

static int key_change(enum ctl_type type, uint8_t state)
{
	struct ctl_kms_key k = { .state = state };

	(void)snprintf(k.account_id, sizeof(k.account_id), "%s", owner);
	(void)snprintf(k.key_id, sizeof(k.key_id), "%s", kms);
	assert_int_equal(ask(niterd, type, &k), 1);
	assert_int_equal(answer.type, CTL_KMS_ANSWER);
	return answer.u.kms_answer.err;
}

static int crypt_ask(enum ctl_type type, const struct ctl_bytes_kms *data)
{
	static struct ctl_kms_crypt q;

	memset(&q, 0, sizeof(q));
	q.data = *data;

	(void)snprintf(q.account_id, sizeof(q.account_id), "%s", owner);
	(void)snprintf(q.key_id, sizeof(q.key_id), "%s", kms);
	assert_int_equal(ask(niterd, type, &q), 1);
	return answer.u.kms_answer.err;
}

static struct ctl_key_request request(void)
{
	struct ctl_key_request q = { .sector_bytes = 4096,
				     .payload_off = 16 << 20,
				     .size = 1 << 30 };

	(void)snprintf(q.volume_id, sizeof(q.volume_id), "%s", vol);
	(void)snprintf(q.cipher, sizeof(q.cipher), "aes-xts-plain64");
	return q;
}

/* A format job makes the volume's key. Return: the answer's error. */
static int volume_make(const char *kms_key, struct ctl_key_data *ret)
{
	struct ctl_key_request q = request();
	int fd = channel(CTL_KEY_FOR_FORMAT, owner, "", vol, kms_key);

	assert_true(fd >= 0);
	assert_int_equal(ask(fd, CTL_KEY_CREATE, &q), 1);
	*ret = answer.u.key_data;
	close(fd);
	turn();
	return ret->err;
}

static int volume_open(const struct ctl_key_data *made)
{
	struct ctl_key_request q = request();
	int fd = channel(CTL_KEY_FOR_CARD, owner, inst, vol, "");

	assert_true(fd >= 0);
	q.wrapped = made->wrapped;
	assert_int_equal(ask(fd, CTL_KEY_UNWRAP, &q), 1);
	close(fd);
	turn();
	if (answer.u.key_data.err == 0)
		assert_memory_equal(answer.u.key_data.key.b, made->key.b, CTL_KEY_BYTES);
	else
		assert_int_equal(answer.u.key_data.key.len, 0);
	return answer.u.key_data.err;
}

static void niterd__gets_secrets_that_outlive_a_restart(void **state)
{
	struct ctl_api_key_create c = { .account_id = "111122223333",
					.access_key_id = "AKIAIOSFODNN7EXAMPLE" };
	struct ctl_api_key_derive d = { .account_id = "111122223333",
					.access_key_id = "AKIAIOSFODNN7EXAMPLE",
					.date = "20261123",
					.region = "us-east-1",
					.service = "ec2" };
	uint8_t key[CTL_SIGNING_KEY_BYTES];

	(void)state;
	assert_int_equal(ask(niterd, CTL_API_KEY_CREATE, &c), 1);
	assert_int_equal(answer.u.api_key.err, 0);
	assert_int_equal(answer.u.api_key.secret.len, CTL_API_SECRET_BYTES);
	d.sealed = answer.u.api_key.sealed;
	assert_int_equal(ask(niterd, CTL_API_KEY_DERIVE, &d), 1);
	assert_int_equal(answer.u.api_key_derived.err, 0);
	memcpy(key, answer.u.api_key_derived.key, sizeof(key));
	stop();
	start();
	assert_int_equal(ask(niterd, CTL_API_KEY_DERIVE, &d), 1);
	assert_memory_equal(answer.u.api_key_derived.key, key, sizeof(key));
	(void)snprintf(d.account_id, sizeof(d.account_id), "%s", stranger);
	assert_int_equal(ask(niterd, CTL_API_KEY_DERIVE, &d), 1);
	assert_int_equal(answer.u.api_key_derived.err, -EACCES);
}

static void niterd__has_kms_keys_that_outlive_a_restart(void **state)
{
	static const struct ctl_bytes_kms plain = { .len = 5, .b = "hello" };
	static struct ctl_bytes_kms blob;

	(void)state;
	assert_int_equal(crypt_ask(CTL_KMS_ENCRYPT, &plain), -ENOKEY);
	assert_int_equal(key_change(CTL_KMS_KEY_CREATE, 0), 0);
	assert_int_equal(key_change(CTL_KMS_KEY_CREATE, 0), -EEXIST);
	assert_int_equal(crypt_ask(CTL_KMS_ENCRYPT, &plain), 0);
	blob = answer.u.kms_answer.blob;
	stop();
	start();
	assert_int_equal(crypt_ask(CTL_KMS_DECRYPT, &blob), 0);
	assert_int_equal(answer.u.kms_answer.plain.len, 5);
	assert_memory_equal(answer.u.kms_answer.plain.b, "hello", 5);
	assert_int_equal(key_change(CTL_KMS_KEY_STATE_SET, CTL_KMS_DISABLED), 0);
	stop();
	start();
	assert_int_equal(crypt_ask(CTL_KMS_DECRYPT, &blob), -EKEYREVOKED);
	assert_int_equal(key_change(CTL_KMS_KEY_DESTROY, 0), 0);
	assert_int_equal(key_change(CTL_KMS_KEY_CREATE, 0), 0); /* the same id, another material */
	assert_int_equal(crypt_ask(CTL_KMS_DECRYPT, &blob), -EBADMSG);
}

/* Refusals are what tenants cause; another protocol is not. */
static void niterd__is_closed_for_another_protocol_only(void **state)
{
	static const struct ctl_bytes_kms junk = { .len = 200 };
	struct ctl_key_request q = request();
	int i;

	(void)state;
	for (i = 0; i < 4 * CHANNEL_REFUSED_MAX; i++)
		assert_int_equal(crypt_ask(CTL_KMS_DECRYPT, &junk), -EBADMSG);
	assert_int_equal(ask(niterd, CTL_KEY_CREATE, &q), 0);
}

static void niterd__is_one_and_nobody_else(void **state)
{
	struct ctl_api_key_create c = { .account_id = "111122223333",
					.access_key_id = "AKIAIOSFODNN7EXAMPLE" };
	int second, card;

	(void)state;
	assert_int_equal(channel(CTL_KEY_FOR_NITERD, owner, "", "", ""), -EINVAL);
	assert_int_equal(channel(CTL_KEY_FOR_NITERD, "", inst, "", ""), -EINVAL);
	assert_int_equal(channel(CTL_KEY_FOR_NITERD, "", "", vol, ""), -EINVAL);
	assert_int_equal(channel(CTL_KEY_FOR_NITERD, "", "", "", kms), -EINVAL);
	second = channel(CTL_KEY_FOR_NITERD, "", "", "", "");
	assert_true(second >= 0);
	assert_int_equal(ctl_recv(niterd, &answer), 0); /* a restarted niterd has another */
	assert_int_equal(ask(second, CTL_API_KEY_CREATE, &c), 1);
	close(second);
	turn();
	/* No other channel answers niterd's questions. */
	card = channel(CTL_KEY_FOR_FORMAT, owner, "", vol, "");
	assert_int_equal(ask(card, CTL_API_KEY_CREATE, &c), 0);
	close(card);
}

static void volume__under_a_kms_key_opens_while_that_is_enabled(void **state)
{
	struct ctl_key_data made;

	(void)state;
	assert_int_equal(volume_make(kms, &made), -EKEYEXPIRED); /* no such key */
	assert_int_equal(key_change(CTL_KMS_KEY_CREATE, 0), 0);
	assert_int_equal(volume_make(kms, &made), 0);
	assert_int_equal(made.wrapped.len, WRAP_BYTES_MAX);
	assert_int_equal(volume_open(&made), 0);
	assert_int_equal(key_change(CTL_KMS_KEY_STATE_SET, CTL_KMS_DISABLED), 0);
	assert_int_equal(volume_open(&made), -EKEYREVOKED);
	assert_true(strlen(answer.u.key_data.text) > 0);
	assert_int_equal(key_change(CTL_KMS_KEY_STATE_SET, CTL_KMS_PENDING_DELETION), 0);
	assert_int_equal(volume_open(&made), -EKEYEXPIRED);
	assert_int_equal(key_change(CTL_KMS_KEY_STATE_SET, CTL_KMS_ENABLED), 0);
	assert_int_equal(volume_open(&made), 0);
	assert_int_equal(key_change(CTL_KMS_KEY_DESTROY, 0), 0);
	assert_int_equal(volume_open(&made), -EKEYEXPIRED);
	assert_int_equal(key_change(CTL_KMS_KEY_CREATE, 0), 0);
	assert_int_equal(volume_open(&made), -EKEYREJECTED); /* another material */
}

static void volume__without_a_kms_key_needs_none(void **state)
{
	struct ctl_key_data made;

	(void)state;
	assert_int_equal(volume_make("", &made), 0);
	assert_int_equal(made.wrapped.len, WRAP_BYTES);
	assert_int_equal(volume_open(&made), 0);
}

static void volume__cannot_name_a_kms_key_of_another_account(void **state)
{
	struct ctl_key_data made;
	struct ctl_kms_key k = { .state = 0 };

	(void)state;
	(void)snprintf(k.account_id, sizeof(k.account_id), "%s", stranger);
	(void)snprintf(k.key_id, sizeof(k.key_id), "%s", kms);
	assert_int_equal(ask(niterd, CTL_KMS_KEY_CREATE, &k), 1);
	assert_int_equal(answer.u.kms_answer.err, 0);
	assert_int_equal(volume_make(kms, &made), -EKEYEXPIRED);
	assert_int_equal(channel(CTL_KEY_FOR_FORMAT, owner, "", vol, "alias/aws/ebs"), -EINVAL);
	assert_int_equal(channel(CTL_KEY_FOR_CARD, owner, inst, vol, kms), -EINVAL);
}

static void service__goes_on_without_a_kms_store(void **state)
{
	struct ctl_key_data made;
	int fd;

	(void)state;
	stop();
	fd = openat(dir, KMS_STORE_FILE, O_WRONLY | O_TRUNC | O_CLOEXEC);
	assert_true(fd >= 0);
	close(fd);
	start();
	assert_int_equal(key_change(CTL_KMS_KEY_CREATE, 0), -EIO);
	assert_int_equal(volume_make(kms, &made), -EIO);
	assert_int_equal(volume_make("", &made), 0);
	assert_int_equal(volume_open(&made), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(niterd__gets_secrets_that_outlive_a_restart, setup,
						teardown),
		cmocka_unit_test_setup_teardown(niterd__has_kms_keys_that_outlive_a_restart, setup,
						teardown),
		cmocka_unit_test_setup_teardown(niterd__is_closed_for_another_protocol_only, setup,
						teardown),
		cmocka_unit_test_setup_teardown(niterd__is_one_and_nobody_else, setup, teardown),
		cmocka_unit_test_setup_teardown(volume__under_a_kms_key_opens_while_that_is_enabled,
						setup, teardown),
		cmocka_unit_test_setup_teardown(volume__without_a_kms_key_needs_none, setup,
						teardown),
		cmocka_unit_test_setup_teardown(volume__cannot_name_a_kms_key_of_another_account,
						setup, teardown),
		cmocka_unit_test_setup_teardown(service__goes_on_without_a_kms_store, setup,
						teardown),
	};

	log_init("channel-keys-test");
	if (crypto_init() < 0)
		return 1;
	return cmocka_run_group_tests_name("security/channel_keys", tests, NULL, NULL);
}
