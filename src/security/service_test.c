/* SPDX-License-Identifier: Apache-2.0 */
#include "security/service.h"

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
#include "security/swtpm_test.h"
#include "security/wrap.h"

static struct service s;
static struct loop loop;
static struct key *root;
static char path[64];
static int dir = -1, ctl_ours = -1, ctl_theirs = -1;
static struct ctl_msg answer;

static const char vol_a[] = "vol-0123456789abcdef0", vol_b[] = "vol-0123456789abcdef1";
static const char inst_a[] = "i-0123456789abcdef0", inst_b[] = "i-0123456789abcdef1";
static const char owner[] = "111122223333";

static int setup(void **state)
{
	(void)state;
	test_dir_new(path, sizeof(path));
	dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(dir >= 0);
	assert_int_equal(key_new_random(32, &root), 0);
	assert_int_equal(loop_init(&loop), 0);
	assert_int_equal(fd_socketpair(SOCK_SEQPACKET, &ctl_ours, &ctl_theirs), 0);
	service_init(&s, &loop);
	assert_int_equal(service_start(&s, dir, root), 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	ctl_msg_done(&answer);
	service_done(&s);
	loop_done(&loop);
	fd_closep(&dir);
	fd_closep(&ctl_ours);
	fd_closep(&ctl_theirs);
	key_freep(&root);
	test_dir_remove(path);
	return 0;
}

/* As the launcher. Return: the answer's error. */
static int control(enum ctl_type type, const void *body, const int *fds, unsigned fd_cnt)
{
	ctl_msg_done(&answer);
	assert_int_equal(ctl_send(ctl_theirs, type, 1, body, fds, fd_cnt), 0);
	assert_int_equal(service_control(&s, ctl_ours), 1);
	service_reap(&s);
	assert_int_equal(ctl_recv(ctl_theirs, &answer), 1);
	return answer.type == CTL_ACK ? answer.u.ack.err : 0;
}

static int grant_to(enum ctl_key_purpose purpose, const char *account, const char *volume,
		    const char *instance, int fd)
{
	struct ctl_sec_channel g = { .purpose = (uint16_t)purpose };

	(void)snprintf(g.account_id, sizeof(g.account_id), "%s", account);
	(void)snprintf(g.volume_id, sizeof(g.volume_id), "%s", volume);
	(void)snprintf(g.instance_id, sizeof(g.instance_id), "%s", instance);
	return control(CTL_SEC_CHANNEL, &g, &fd, fd >= 0);
}

/* A channel with one grant. Return: the other end, owned. */
static int channel(enum ctl_key_purpose purpose, const char *volume, const char *instance)
{
	int a = -1, b = -1;

	assert_int_equal(fd_socketpair(SOCK_SEQPACKET, &a, &b), 0);
	assert_int_equal(grant_to(purpose, owner, volume, instance, b), 0);
	close(b);
	return a;
}

static void turn(void)
{
	struct loop_event ev[LOOP_EVENTS_MAX];
	int i, n = loop_wait(&loop, ev, 0);

	for (i = 0; i < n; i++)
		service_channel(&s, ev[i].ref->ptr);
	service_reap(&s);
}

static struct ctl_key_request request(const char *volume, const struct ctl_bytes_wrapped *wrapped)
{
	struct ctl_key_request q = {
		.cipher = "aes-xts-plain64",
		.sector_bytes = 4096,
		.payload_off = 16 << 20,
		.size = 1 << 30,
	};

	(void)snprintf(q.volume_id, sizeof(q.volume_id), "%s", volume);
	if (wrapped)
		q.wrapped = *wrapped;
	return q;
}

/* As a card or format job. Return: the answer's error; -EPIPE when the channel was closed instead. */
static int ask(int sock, enum ctl_type type, const struct ctl_key_request *q)
{
	int r;

	ctl_msg_done(&answer);
	r = ctl_send(sock, type, 2, q, NULL, 0);
	if (r < 0)
		return -EPIPE;
	turn();
	r = ctl_recv(sock, &answer);
	if (r == 0)
		return -EPIPE;
	assert_int_equal(r, 1);
	assert_int_equal(answer.type, CTL_KEY_DATA);
	r = answer.u.key_data.err;
	if (r < 0) {
		assert_int_equal(answer.u.key_data.key.len, 0);
		assert_int_equal(answer.u.key_data.wrapped.len, 0);
		assert_true(strlen(answer.u.key_data.text) > 0);
	}
	return r;
}

static void create(const char *volume, struct ctl_key_data *ret)
{
	struct ctl_key_request q = request(volume, NULL);
	int sock = channel(CTL_KEY_FOR_FORMAT, volume, "");

	assert_int_equal(ask(sock, CTL_KEY_CREATE, &q), 0);
	*ret = answer.u.key_data;
	assert_int_equal(ret->wrapped.len, WRAP_BYTES);
	close(sock);
	turn();
}

static void channel__gives_the_key_to_its_volume(void **state)
{
	struct ctl_key_data made;
	struct ctl_key_request q;
	int card;

	(void)state;
	create(vol_a, &made);
	card = channel(CTL_KEY_FOR_CARD, vol_a, inst_a);
	q = request(vol_a, &made.wrapped);
	assert_int_equal(ask(card, CTL_KEY_UNWRAP, &q), 0);
	assert_memory_equal(answer.u.key_data.key.b, made.key.b, CTL_KEY_BYTES);
	assert_memory_not_equal(made.key.b, made.key.b + 32, 32);
	close(card);
}

static void channel__is_good_for_one_purpose(void **state)
{
	struct ctl_key_data made;
	struct ctl_key_request q;
	int card, job;

	(void)state;
	create(vol_a, &made);
	card = channel(CTL_KEY_FOR_CARD, vol_a, inst_a);
	q = request(vol_a, NULL);
	assert_int_equal(ask(card, CTL_KEY_CREATE, &q), -EPERM);
	job = channel(CTL_KEY_FOR_FORMAT, vol_b, "");
	q = request(vol_b, &made.wrapped);
	assert_int_equal(ask(job, CTL_KEY_UNWRAP, &q), -EPERM);
	q = request(vol_b, NULL);
	assert_int_equal(ask(job, CTL_KEY_CREATE, &q), 0);
	assert_int_equal(ask(job, CTL_KEY_CREATE, &q), -EDQUOT); /* one key, once */
	assert_int_equal(s.refused_cnt, 3);
	close(card);
	close(job);
}

static void channel__is_good_for_its_volumes(void **state)
{
	struct ctl_key_data a, b;
	struct ctl_key_request q;
	int card;

	(void)state;
	create(vol_a, &a);
	create(vol_b, &b);
	card = channel(CTL_KEY_FOR_CARD, vol_a, inst_a);
	q = request(vol_b, &b.wrapped);
	assert_int_equal(ask(card, CTL_KEY_UNWRAP, &q), -EPERM);
	assert_int_equal(grant_to(CTL_KEY_FOR_CARD, owner, vol_b, inst_a, -1), 0);
	assert_int_equal(ask(card, CTL_KEY_UNWRAP, &q), 0);
	q = request(vol_a, &b.wrapped); /* swapped */
	assert_int_equal(ask(card, CTL_KEY_UNWRAP, &q), -EKEYREJECTED);
	close(card);
}

static void channel__refuses_a_changed_header(void **state)
{
	struct ctl_key_data made;
	struct ctl_key_request q;
	int card;

	(void)state;
	create(vol_a, &made);
	card = channel(CTL_KEY_FOR_CARD, vol_a, inst_a);
	q = request(vol_a, &made.wrapped);
	(void)snprintf(q.cipher, sizeof(q.cipher), "aes-cbc-essiv:sha256");
	assert_int_equal(ask(card, CTL_KEY_UNWRAP, &q), -EBADMSG);
	q = request(vol_a, &made.wrapped);
	q.sector_bytes = 512;
	assert_int_equal(ask(card, CTL_KEY_UNWRAP, &q), -EBADMSG);
	q = request(vol_a, &made.wrapped);
	q.payload_off = 8 << 20;
	assert_int_equal(ask(card, CTL_KEY_UNWRAP, &q), -EBADMSG);
	q = request(vol_a, &made.wrapped);
	q.size *= 2;
	assert_int_equal(ask(card, CTL_KEY_UNWRAP, &q), -EBADMSG);
	q = request(vol_a, &made.wrapped);
	q.wrapped.len--;
	assert_int_equal(ask(card, CTL_KEY_UNWRAP, &q), -EPROTO);
	q = request(vol_a, &made.wrapped);
	assert_int_equal(ask(card, CTL_KEY_UNWRAP, &q), 0);
	close(card);
}

static void channel__makes_keys_for_our_kind_of_volume_only(void **state)
{
	struct ctl_key_request q;
	int job = channel(CTL_KEY_FOR_FORMAT, vol_a, "");

	(void)state;
	q = request(vol_a, NULL);
	(void)snprintf(q.cipher, sizeof(q.cipher), "cipher_null");
	assert_int_equal(ask(job, CTL_KEY_CREATE, &q), -EINVAL);
	q = request(vol_a, NULL);
	q.sector_bytes = 512;
	assert_int_equal(ask(job, CTL_KEY_CREATE, &q), -EINVAL);
	q = request(vol_a, NULL);
	q.size = 0;
	assert_int_equal(ask(job, CTL_KEY_CREATE, &q), -EINVAL);
	q = request(vol_a, NULL);
	q.size = UINT64_MAX - 4095;
	assert_int_equal(ask(job, CTL_KEY_CREATE, &q), -EINVAL);
	q = request(vol_a, NULL);
	q.payload_off = 0;
	assert_int_equal(ask(job, CTL_KEY_CREATE, &q), -EINVAL);
	assert_int_equal(store_volume_cnt(s.store), 0);
	q = request(vol_a, NULL);
	assert_int_equal(ask(job, CTL_KEY_CREATE, &q), 0);
	close(job);
}

static void channel__is_closed_after_too_many_refusals_and_alone(void **state)
{
	struct ctl_key_data a, b;
	struct ctl_key_request q, good;
	int bad, other, i;

	(void)state;
	create(vol_a, &a);
	create(vol_b, &b);
	bad = channel(CTL_KEY_FOR_CARD, vol_a, inst_a);
	other = channel(CTL_KEY_FOR_CARD, vol_b, inst_b);
	q = request(vol_b, &b.wrapped);
	for (i = 0; i < CHANNEL_REFUSED_MAX; i++)
		assert_int_equal(ask(bad, CTL_KEY_UNWRAP, &q), -EPERM);
	good = request(vol_a, &a.wrapped);
	assert_int_equal(ask(bad, CTL_KEY_UNWRAP, &good), -EPIPE);
	assert_int_equal(s.channel_cnt, 1);
	assert_int_equal(ask(other, CTL_KEY_UNWRAP, &q), 0);
	close(bad);
	close(other);
}

static void channel__is_closed_when_it_speaks_something_else(void **state)
{
	struct ctl_format_progress p = { 1, 2 };
	struct ctl_key_data made;
	struct ctl_key_request q;
	int card, other;

	(void)state;
	create(vol_a, &made);
	q = request(vol_a, &made.wrapped);
	other = channel(CTL_KEY_FOR_CARD, vol_a, inst_a);

	card = channel(CTL_KEY_FOR_CARD, vol_a, inst_a);
	assert_int_equal(ctl_send(card, CTL_FORMAT_PROGRESS, 1, &p, NULL, 0), 0);
	turn();
	assert_int_equal(ctl_recv(card, &answer), 0);
	close(card);
	card = channel(CTL_KEY_FOR_CARD, vol_a, inst_a);
	assert_int_equal(fd_msg_send(card, "no such message", 15, NULL, 0), 0);
	turn();
	assert_int_equal(ctl_recv(card, &answer), 0);
	close(card);
	assert_int_equal(s.channel_cnt, 1);
	assert_int_equal(ask(other, CTL_KEY_UNWRAP, &q), 0);
	close(other);
}

static void channel__gives_one_key_only_so_often(void **state)
{
	struct ctl_key_data made;
	struct ctl_key_request q;
	int card, i;

	(void)state;
	create(vol_a, &made);
	q = request(vol_a, &made.wrapped);
	card = channel(CTL_KEY_FOR_CARD, vol_a, inst_a);
	for (i = 0; i < CHANNEL_RELEASES_MAX; i++)
		assert_int_equal(ask(card, CTL_KEY_UNWRAP, &q), 0);
	assert_int_equal(ask(card, CTL_KEY_UNWRAP, &q), -EDQUOT);
	close(card);
	turn();
	card = channel(CTL_KEY_FOR_CARD, vol_a, inst_a); /* a restarted card */
	assert_int_equal(ask(card, CTL_KEY_UNWRAP, &q), 0);
	close(card);
}

static void grant__is_for_one_instance_at_a_time(void **state)
{
	struct ctl_key_data made;
	int a, b = -1, c = -1;

	(void)state;
	create(vol_a, &made);
	a = channel(CTL_KEY_FOR_CARD, vol_a, inst_a);
	assert_int_equal(fd_socketpair(SOCK_SEQPACKET, &b, &c), 0);
	assert_int_equal(grant_to(CTL_KEY_FOR_CARD, owner, vol_a, inst_b, c), -EBUSY);
	close(a); /* the card is dead; nobody has looked yet */
	assert_int_equal(grant_to(CTL_KEY_FOR_CARD, owner, vol_a, inst_b, c), 0);
	assert_int_equal(s.channel_cnt, 1);
	close(b);
	close(c);
}

static void grant__refuses_what_makes_no_sense(void **state)
{
	struct ctl_key_data made;
	int a = -1, b = -1;

	(void)state;
	create(vol_a, &made);
	assert_int_equal(fd_socketpair(SOCK_SEQPACKET, &a, &b), 0);
	assert_int_equal(grant_to(3, owner, vol_a, inst_a, b), -EINVAL);
	assert_int_equal(grant_to(CTL_KEY_FOR_CARD, owner, vol_a, "", b), -EINVAL);
	assert_int_equal(grant_to(CTL_KEY_FOR_FORMAT, owner, vol_b, inst_a, b), -EINVAL);
	assert_int_equal(grant_to(CTL_KEY_FOR_CARD, "", vol_a, inst_a, b), -EINVAL);
	assert_int_equal(grant_to(CTL_KEY_FOR_CARD, owner, "VOL", inst_a, b), -EINVAL);
	assert_int_equal(grant_to(CTL_KEY_FOR_FORMAT, owner, vol_a, "", b), -EEXIST);
	assert_int_equal(grant_to(CTL_KEY_FOR_CARD, owner, vol_b, inst_a, b), -ENOENT);
	assert_int_equal(grant_to(CTL_KEY_FOR_CARD, owner, vol_a, inst_a, -1), -EBADF);
	s.channel_cnt += CHANNELS_MAX;
	assert_int_equal(grant_to(CTL_KEY_FOR_CARD, owner, vol_a, inst_a, b), -EUSERS);
	s.channel_cnt -= CHANNELS_MAX;
	assert_int_equal(grant_to(CTL_KEY_FOR_CARD, owner, vol_a, inst_a, b), 0);
	assert_int_equal(s.channel_cnt, 1);
	close(a);
	close(b);
}

static void grant__of_another_account_gives_nothing(void **state)
{
	struct ctl_key_data made;
	struct ctl_key_request q;
	int a = -1, b = -1;

	(void)state;
	create(vol_a, &made);
	q = request(vol_a, &made.wrapped);
	assert_int_equal(fd_socketpair(SOCK_SEQPACKET, &a, &b), 0);
	assert_int_equal(grant_to(CTL_KEY_FOR_CARD, "999988887777", vol_a, inst_a, b), 0);
	close(b);
	assert_int_equal(ask(a, CTL_KEY_UNWRAP, &q), -EACCES);
	close(a);
}

static void destroy__takes_living_grants_too(void **state)
{
	struct ctl_sec_volume_destroy d = { .volume_id = "vol-0123456789abcdef0" };
	struct ctl_key_data made;
	struct ctl_key_request q;
	int card;

	(void)state;
	create(vol_a, &made);
	q = request(vol_a, &made.wrapped);
	card = channel(CTL_KEY_FOR_CARD, vol_a, inst_a);
	assert_int_equal(ask(card, CTL_KEY_UNWRAP, &q), 0);
	assert_int_equal(control(CTL_SEC_VOLUME_DESTROY, &d, NULL, 0), 0);
	assert_int_equal(ask(card, CTL_KEY_UNWRAP, &q), -EPERM);
	assert_int_equal(control(CTL_SEC_VOLUME_DESTROY, &d, NULL, 0), 0); /* gone is gone */
	(void)snprintf(d.volume_id, sizeof(d.volume_id), "not an id");
	assert_int_equal(control(CTL_SEC_VOLUME_DESTROY, &d, NULL, 0), -EINVAL);
	close(card);
}

static void service__logs_each_release_and_no_secret(void **state)
{
	struct ctl_key_data made;
	struct ctl_key_request q;
	static char log[8192];
	int card, fd;
	ssize_t n;
	size_t i;

	(void)state;
	create(vol_a, &made);
	q = request(vol_a, &made.wrapped);
	card = channel(CTL_KEY_FOR_CARD, vol_a, inst_a);
	assert_int_equal(ask(card, CTL_KEY_UNWRAP, &q), 0);
	close(card);
	assert_int_equal(s.release_cnt, 2);
	fd = openat(dir, RELEASE_LOG_FILE, O_RDONLY | O_CLOEXEC);
	n = read(fd, log, sizeof(log) - 1);
	close(fd);
	assert_true(n > 0);
	log[n] = 0;
	assert_non_null(strstr(
		log, "op=create volume=vol-0123456789abcdef0 account=111122223333 instance=- "));
	assert_non_null(strstr(log, "op=release volume=vol-0123456789abcdef0 account=111122223333 "
				    "instance=i-0123456789abcdef0 "));
	for (i = 0; i + 16 <= (size_t)n; i++)
		assert_memory_not_equal(log + i, made.key.b, 16);
}

static void service__releases_nothing_it_cannot_log(void **state)
{
	struct ctl_key_data made;
	struct ctl_key_request q;
	int card, good = s.log.fd;

	(void)state;
	create(vol_a, &made);
	q = request(vol_a, &made.wrapped);
	card = channel(CTL_KEY_FOR_CARD, vol_a, inst_a);
	s.log.fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
	assert_true(s.log.fd >= 0);
	assert_true(ask(card, CTL_KEY_UNWRAP, &q) < 0);
	close(s.log.fd);
	s.log.fd = good;
	assert_int_equal(ask(card, CTL_KEY_UNWRAP, &q), 0);
	close(card);
}

static void service__tells_its_state(void **state)
{
	struct ctl_key_data made;

	(void)state;
	create(vol_a, &made);
	assert_int_equal(control(CTL_SEC_STATUS_READ, NULL, NULL, 0), 0);
	assert_int_equal(answer.type, CTL_SEC_STATUS);
	assert_string_equal(answer.u.sec_status.root_key, "sealed");
	assert_int_equal(answer.u.sec_status.volume_cnt, 1);
	assert_int_equal(answer.u.sec_status.release_cnt, 1);
}

static void service_start__refuses_a_store_of_another_root(void **state)
{
	CLEANUP(key_freep) struct key *other = NULL;
	static struct service t;

	(void)state;
	assert_int_equal(key_new_random(32, &other), 0);
	service_init(&t, &loop);
	assert_int_equal(service_start(&t, dir, other), -EKEYREJECTED);
	assert_string_equal(t.refusal.why, "volumes.store does not fit");
	assert_false(t.has_root);
	service_done(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(channel__gives_the_key_to_its_volume, setup,
						teardown),
		cmocka_unit_test_setup_teardown(channel__is_good_for_one_purpose, setup, teardown),
		cmocka_unit_test_setup_teardown(channel__is_good_for_its_volumes, setup, teardown),
		cmocka_unit_test_setup_teardown(channel__refuses_a_changed_header, setup, teardown),
		cmocka_unit_test_setup_teardown(channel__makes_keys_for_our_kind_of_volume_only,
						setup, teardown),
		cmocka_unit_test_setup_teardown(
			channel__is_closed_after_too_many_refusals_and_alone, setup, teardown),
		cmocka_unit_test_setup_teardown(channel__is_closed_when_it_speaks_something_else,
						setup, teardown),
		cmocka_unit_test_setup_teardown(channel__gives_one_key_only_so_often, setup,
						teardown),
		cmocka_unit_test_setup_teardown(grant__is_for_one_instance_at_a_time, setup,
						teardown),
		cmocka_unit_test_setup_teardown(grant__refuses_what_makes_no_sense, setup,
						teardown),
		cmocka_unit_test_setup_teardown(grant__of_another_account_gives_nothing, setup,
						teardown),
		cmocka_unit_test_setup_teardown(destroy__takes_living_grants_too, setup, teardown),
		cmocka_unit_test_setup_teardown(service__logs_each_release_and_no_secret, setup,
						teardown),
		cmocka_unit_test_setup_teardown(service__releases_nothing_it_cannot_log, setup,
						teardown),
		cmocka_unit_test_setup_teardown(service__tells_its_state, setup, teardown),
		cmocka_unit_test_setup_teardown(service_start__refuses_a_store_of_another_root,
						setup, teardown),
	};

	log_init("security-service-test");
	if (crypto_init() < 0)
		return 1;
	return cmocka_run_group_tests_name("security/service", tests, NULL, NULL);
}
