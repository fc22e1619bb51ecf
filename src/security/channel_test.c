/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fd.h"
#include "base/log.h"
#include "crypto/crypto.h"
#include "security/channel.h"
#include "security/service.h"
#include "security/swtpm_test.h"

/* Two hosts' security processes in one; the test is both launchers, both wires and a metadata process. */

enum { HOSTS = 2, PEER = 5, VNI = 0x1001 };

static struct host {
	struct service s;
	struct loop loop;
	struct key *root;
	char path[64];
	int dir, control[2]; /* theirs, ours */
	int wire;
} host[HOSTS];
static struct ctl_msg answer;
static const char inst[] = "i-0123456789abcdef0", account[] = "111122223333";
static const char doc[] =
	"{\n  \"accountId\" : \"111122223333\",\n  \"instanceId\" : \"i-0123456789abcdef0\"\n}";

static void turn(struct host *h)
{
	struct loop_event ev[LOOP_EVENTS_MAX];
	int i, n;

	while ((n = loop_wait(&h->loop, ev, 0)) > 0)
		for (i = 0; i < n; i++)
			service_channel(&h->s, ev[i].ref->ptr);
	service_reap(&h->s);
}

static int control(struct host *h, enum ctl_type type, const void *body, int fd)
{
	ctl_msg_done(&answer);
	assert_int_equal(ctl_send(h->control[0], type, 1, body, &fd, fd >= 0), 0);
	assert_int_equal(service_control(&h->s, h->control[1]), 1);
	service_reap(&h->s);
	assert_int_equal(ctl_recv(h->control[0], &answer), 1);
	return answer.type == CTL_ACK ? answer.u.ack.err : 0;
}

/* Return: the other end; the answer's error when it was refused. */
static int channel(struct host *h, enum ctl_key_purpose purpose, const char *acc,
		   const char *instance, const char *volume)
{
	struct ctl_sec_channel g = { .purpose = (uint16_t)purpose };
	int ours = -1, theirs = -1, r;

	(void)snprintf(g.account_id, sizeof(g.account_id), "%s", acc);
	(void)snprintf(g.instance_id, sizeof(g.instance_id), "%s", instance);
	(void)snprintf(g.volume_id, sizeof(g.volume_id), "%s", volume);
	assert_int_equal(fd_socketpair(SOCK_SEQPACKET | SOCK_NONBLOCK, &ours, &theirs), 0);
	r = control(h, CTL_SEC_CHANNEL, &g, theirs);
	close(theirs);
	if (r == 0)
		return ours;
	assert_true(strlen(answer.u.ack.text) > 0);
	close(ours);
	return r;
}

static int setup(void **state)
{
	struct ctl_tun_peer p = { .peer = PEER };
	int i;

	(void)state;
	for (i = 0; i < HOSTS; i++) {
		struct host *h = &host[i];

		test_dir_new(h->path, sizeof(h->path));
		h->dir = open(h->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		assert_true(h->dir >= 0);
		assert_int_equal(key_new_random(32, &h->root), 0);
		assert_int_equal(loop_init(&h->loop), 0);
		assert_int_equal(fd_socketpair(SOCK_SEQPACKET, &h->control[0], &h->control[1]), 0);
		service_init(&h->s, &h->loop);
		assert_int_equal(service_start(&h->s, h->dir, h->root), 0);
		h->wire = channel(h, CTL_KEY_FOR_WIRE, "", "", "");
		assert_true(h->wire >= 0);
	}
	for (i = 0; i < HOSTS; i++) {
		memcpy(p.fingerprint, host[!i].s.identity.tunnel.fingerprint,
		       sizeof(p.fingerprint));
		assert_int_equal(ctl_send(host[i].wire, CTL_TUN_PEER_SET, 0, &p, NULL, 0), 0);
	}
	return 0;
}

static int teardown(void **state)
{
	int i;

	(void)state;
	ctl_msg_done(&answer);
	for (i = 0; i < HOSTS; i++) {
		struct host *h = &host[i];

		service_done(&h->s);
		loop_done(&h->loop);
		fd_closep(&h->dir);
		fd_closep(&h->control[0]);
		fd_closep(&h->control[1]);
		fd_closep(&h->wire);
		key_freep(&h->root);
		test_dir_remove(h->path);
	}
	return 0;
}

static void start(struct host *h)
{
	struct ctl_tun_peer_ref p = { .peer = PEER };

	assert_int_equal(ctl_send(h->wire, CTL_TUN_START, 0, &p, NULL, 0), 0);
	turn(h);
}

/* What a wire finds on its channel: messages go to the other host. Return: the epoch that is ready, 0: none. */
static uint32_t wire_turn(struct host *h, struct host *to)
{
	struct ctl_tun_message m;
	uint32_t epoch = 0;

	ctl_msg_done(&answer);
	while (ctl_recv(h->wire, &answer) == 1) {
		assert_true(answer.type == CTL_TUN_MESSAGE || answer.type == CTL_TUN_READY);
		assert_int_equal(answer.seq, 0);
		if (answer.type == CTL_TUN_READY) {
			assert_int_equal(answer.u.tun_ready.err, 0);
			epoch = answer.u.tun_ready.epoch;
			ctl_msg_done(&answer);
			continue;
		}
		m = answer.u.tun_message;
		ctl_msg_done(&answer);
		assert_int_equal(ctl_send(to->wire, CTL_TUN_MESSAGE, 0, &m, NULL, 0), 0);
		turn(to);
	}
	return epoch;
}

/* Return: the epoch both have. */
static uint32_t join(struct host *i, struct host *r)
{
	uint32_t ei = 0, er = 0;
	int hops;

	start(i);
	for (hops = 0; hops < 4; hops++) {
		ei += wire_turn(i, r);
		er += wire_turn(r, i);
	}
	assert_int_equal(ei, er);
	return ei;
}

static struct ctl_tun_key key_read(struct host *h, uint32_t epoch, uint32_t vni)
{
	struct ctl_tun_key_read q = { .peer = PEER, .epoch = epoch, .vni = vni };
	struct ctl_tun_key k;

	ctl_msg_done(&answer);
	assert_int_equal(ctl_send(h->wire, CTL_TUN_KEY_READ, 77, &q, NULL, 0), 0);
	turn(h);
	assert_int_equal(ctl_recv(h->wire, &answer), 1);
	assert_int_equal(answer.type, CTL_TUN_KEY);
	assert_int_equal(answer.seq, 77);
	k = answer.u.tun_key;
	ctl_msg_done(&answer);
	return k;
}

static void wire_channel__joins_two_hosts(void **state)
{
	struct ctl_tun_key a, b;

	(void)state;
	assert_int_equal(join(&host[0], &host[1]), 1);
	a = key_read(&host[0], 1, VNI);
	b = key_read(&host[1], 1, VNI);
	assert_int_equal(a.err, 0);
	assert_int_equal(b.err, 0);
	assert_memory_equal(&a.tx, &b.rx, sizeof(a.tx));
	assert_memory_equal(&a.rx, &b.tx, sizeof(a.rx));
	assert_int_equal(key_read(&host[0], 1, VNI).err, -EALREADY);
	assert_int_equal(join(&host[1], &host[0]), 2);
	assert_int_equal(key_read(&host[0], 2, VNI).err, 0);
}

/* A wire that was started again gets nothing that its predecessor may have used. */
static void wire_channel__a_second_one_ends_the_first(void **state)
{
	struct ctl_tun_peer p = { .peer = PEER };
	struct host *h = &host[0];
	int old = h->wire;
	char byte;

	(void)state;
	assert_int_equal(join(&host[0], &host[1]), 1);
	h->wire = channel(h, CTL_KEY_FOR_WIRE, "", "", "");
	assert_true(h->wire >= 0);
	assert_int_equal(read(old, &byte, 1), 0); /* closed */
	close(old);
	assert_int_equal(key_read(h, 1, VNI).err, -ENOENT);
	memcpy(p.fingerprint, host[1].s.identity.tunnel.fingerprint, sizeof(p.fingerprint));
	assert_int_equal(ctl_send(h->wire, CTL_TUN_PEER_SET, 0, &p, NULL, 0), 0);
	assert_int_equal(key_read(h, 1, VNI).err, -ENOENT);
	assert_int_equal(join(&host[0], &host[1]), 2); /* the other one remembers the number */
	assert_int_equal(key_read(h, 2, VNI).err, 0);
	/* Gone without a successor: the same. */
	close(h->wire);
	turn(h);
	assert_null(h->s.tunnel);
	assert_int_equal(service_timer(&h->s), -1);
	h->wire = channel(h, CTL_KEY_FOR_WIRE, "", "", "");
	assert_int_equal(key_read(h, 2, VNI).err, -ENOENT);
}

static void wire_channel__says_when_it_wants_to_be_woken(void **state)
{
	int ms;

	(void)state;
	turn(&host[0]);
	assert_int_equal(service_timer(&host[0].s), -1);
	start(&host[0]);
	ms = service_timer(&host[0].s);
	assert_true(ms > 8000 && ms <= 10001);
}

static void wire_channel__tells_of_an_unknown_peer(void **state)
{
	struct ctl_tun_peer_ref p = { .peer = PEER + 1 };

	(void)state;
	assert_int_equal(ctl_send(host[0].wire, CTL_TUN_START, 0, &p, NULL, 0), 0);
	turn(&host[0]);
	assert_int_equal(ctl_recv(host[0].wire, &answer), 1);
	assert_int_equal(answer.type, CTL_TUN_READY);
	assert_int_equal(answer.u.tun_ready.err, -ENOENT);
	assert_true(strlen(answer.u.tun_ready.text) > 0);
}

/* The wire is busy elsewhere: nothing that it must know is lost, and nothing piles up here. */
static void wire_channel__waits_for_a_wire_that_does_not_read(void **state)
{
	struct ctl_tun_key_read q = { .peer = PEER, .epoch = 9, .vni = VNI };
	struct host *h = &host[0];
	unsigned asked = 0, came = 0, i;

	(void)state;
	turn(h);
	for (i = 0; i < 10000; i++) {
		if (ctl_send(h->wire, CTL_TUN_KEY_READ, i + 1, &q, NULL, 0) < 0)
			break;
		asked++;
		turn(h);
	}
	assert_true(asked > 100 && asked < 10000); /* both directions are full */
	assert_true(h->s.late.type == CTL_TUN_KEY);
	while (came < asked) {
		ctl_msg_done(&answer);
		if (ctl_recv(h->wire, &answer) == 1) {
			assert_int_equal(answer.type, CTL_TUN_KEY);
			assert_int_equal(answer.seq, came + 1);
			came++;
			continue;
		}
		i = came;
		turn(h);
		assert_true(i < asked);
	}
	assert_int_equal(h->s.late.type, 0);
	assert_int_equal(join(&host[0], &host[1]), 1);
}

static void grant__refuses_plain_channels_that_make_no_sense(void **state)
{
	struct ctl_sec_channel g = { .purpose = CTL_KEY_FOR_WIRE };
	struct host *h = &host[0];

	(void)state;
	assert_int_equal(channel(h, CTL_KEY_FOR_WIRE, account, "", ""), -EINVAL);
	assert_int_equal(channel(h, CTL_KEY_FOR_WIRE, "", inst, ""), -EINVAL);
	assert_int_equal(channel(h, CTL_KEY_FOR_WIRE, "", "", "vol-1"), -EINVAL);
	assert_int_equal(channel(h, CTL_KEY_FOR_METADATA, account, "", ""), -EINVAL);
	assert_int_equal(channel(h, CTL_KEY_FOR_METADATA, account, "I 1", ""), -EINVAL);
	assert_int_equal(channel(h, CTL_KEY_FOR_METADATA, "A", inst, ""), -EINVAL);
	assert_int_equal(channel(h, CTL_KEY_FOR_METADATA, account, inst, "vol-1"), -EINVAL);
	assert_int_equal(control(h, CTL_SEC_CHANNEL, &g, -1), -EBADF);
	assert_non_null(h->s.wire); /* none of it touched the wire's */
	assert_int_equal(join(&host[0], &host[1]), 1);
}

static int sign(int sock, const char *text, size_t len)
{
	static struct ctl_sign_identity q;

	memset(&q, 0, sizeof(q));
	memcpy(q.document.b, text, len);
	q.document.len = (uint16_t)len;
	ctl_msg_done(&answer);
	if (ctl_send(sock, CTL_SIGN_IDENTITY, 9, &q, NULL, 0) < 0)
		return -EPIPE;
	turn(&host[0]);
	if (ctl_recv(sock, &answer) != 1)
		return -EPIPE;
	assert_int_equal(answer.type, CTL_SIGNED);
	assert_int_equal(answer.seq, 9);
	if (answer.u.signed_identity.err)
		assert_int_equal(answer.u.signed_identity.signature.len +
					 answer.u.signed_identity.pkcs7.len,
				 0);
	return answer.u.signed_identity.err;
}

static void file_put(const char *name, const void *b, size_t len)
{
	int fd = openat(host[0].dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(fd_write_full(fd, b, len), 0);
	close(fd);
}

/* Return: did the command succeed? It runs in the directory of host 0. */
static bool openssl(const char *const argv[])
{
	pid_t pid = fork();
	int st, null;

	assert_true(pid >= 0);
	if (pid == 0) {
		union {
			const char *const *c;
			char *const *v;
		} u = { .c = argv };

		null = open("/dev/null", O_RDWR | O_CLOEXEC);
		if (chdir(host[0].path) < 0 || dup2(null, 1) < 0 || dup2(null, 2) < 0)
			_exit(126);
		execvp("openssl", u.v);
		_exit(127);
	}
	assert_int_equal(waitpid(pid, &st, 0), pid);
	assert_true(WIFEXITED(st) && WEXITSTATUS(st) < 126);
	return WEXITSTATUS(st) == 0;
}

/* As people check it, with the openssl command and the certificate alone. */
static void metadata_channel__signs_what_openssl_verifies(void **state)
{
	static const char *const x509[] = { "openssl",  "x509", "-inform",  "DER", "-in",
					    "cert.der", "-out", "cert.pem", NULL };
	static const char *const extract[] = { "openssl", "x509",     "-inform", "DER",
					       "-in",     "cert.der", "-pubkey", "-noout",
					       "-out",    "pub.pem",  NULL };
	static const char *const dgst[] = { "openssl",    "dgst", "-sha256", "-verify", "pub.pem",
					    "-signature", "sig",  "doc",     NULL };
	static const char *const smime[] = { "openssl",  "smime",     "-verify", "-inform",
					     "DER",      "-in",       "p7",      "-certfile",
					     "cert.pem", "-noverify", "-out",    "out",
					     NULL };
	const struct identity *id = &host[0].s.identity;
	struct ctl_signed *a = &answer.u.signed_identity;
	int sock = channel(&host[0], CTL_KEY_FOR_METADATA, account, inst, ""), fd;
	char got[sizeof(doc)];

	(void)state;
	assert_true(sock >= 0);
	assert_int_equal(sign(sock, doc, strlen(doc)), 0);
	assert_int_equal(a->signature.len, RSA_SIGNATURE_BYTES);
	file_put("doc", doc, strlen(doc));
	file_put("sig", a->signature.b, a->signature.len);
	file_put("p7", a->pkcs7.b, a->pkcs7.len);
	file_put("cert.der", id->cert, id->cert_len);
	assert_true(openssl(x509));
	assert_true(openssl(extract));
	assert_true(openssl(dgst));
	assert_true(openssl(smime));
	fd = openat(host[0].dir, "out", O_RDONLY | O_CLOEXEC);
	assert_int_equal(read(fd, got, sizeof(got)), strlen(doc));
	close(fd);
	assert_memory_equal(got, doc, strlen(doc));
	/* And what openssl would say otherwise. */
	file_put("doc", doc, strlen(doc) - 1);
	assert_false(openssl(dgst));
	a->pkcs7.b[a->pkcs7.len - 1] ^= 1;
	file_put("p7", a->pkcs7.b, a->pkcs7.len);
	assert_false(openssl(smime));
	file_put("cert.der", host[1].s.identity.cert, host[1].s.identity.cert_len);
	a->pkcs7.b[a->pkcs7.len - 1] ^= 1;
	file_put("p7", a->pkcs7.b, a->pkcs7.len);
	assert_true(openssl(x509));
	assert_false(openssl(smime));
	close(sock);
}

static void metadata_channel__signs_for_its_instance_only(void **state)
{
	static const char other[] = "{\"instanceId\":\"i-0123456789abcdef1\"}";
	static const char theirs[] =
		"{\"instanceId\":\"i-0123456789abcdef0\",\"accountId\":\"444455556666\"}";
	int sock = channel(&host[0], CTL_KEY_FOR_METADATA, account, inst, ""), i;

	(void)state;
	assert_int_equal(sign(sock, other, strlen(other)), -EACCES);
	assert_int_equal(sign(sock, theirs, strlen(theirs)), -EACCES);
	assert_int_equal(sign(sock, "x", 1), -EINVAL);
	assert_int_equal(sign(sock, "", 0), -EINVAL);
	assert_int_equal(sign(sock, doc, strlen(doc)), 0);
	/* Enough is enough. */
	for (i = 4; i < CHANNEL_REFUSED_MAX; i++)
		assert_int_equal(sign(sock, other, strlen(other)), -EACCES);
	assert_int_equal(sign(sock, doc, strlen(doc)), -EPIPE);
	close(sock);
}

static void metadata_channel__is_bounded(void **state)
{
	int sock = channel(&host[0], CTL_KEY_FOR_METADATA, account, inst, ""), i, r = 0, good = 0;

	(void)state;
	for (i = 0; i < 4 * CHANNEL_SIGN_BURST; i++) {
		r = sign(sock, doc, strlen(doc));
		assert_true(r == 0 || r == -EAGAIN);
		good += r == 0;
	}
	assert_int_equal(r, -EAGAIN);
	assert_true(good >= CHANNEL_SIGN_BURST && good <= CHANNEL_SIGN_BURST + 4);
	close(sock);
}

/* Every channel speaks its own language only. */
static void channel__of_one_purpose_takes_no_other_requests(void **state)
{
	struct ctl_tun_peer_ref p = { .peer = PEER };
	struct ctl_tun_key_read q = { .peer = PEER, .epoch = 1, .vni = VNI };
	static struct ctl_key_request k;
	struct host *h = &host[0];
	int meta[3], i;
	char byte;

	(void)state;
	for (i = 0; i < 3; i++)
		meta[i] = channel(h, CTL_KEY_FOR_METADATA, account, inst, "");
	assert_int_equal(ctl_send(meta[0], CTL_TUN_START, 0, &p, NULL, 0), 0);
	assert_int_equal(ctl_send(meta[1], CTL_TUN_KEY_READ, 1, &q, NULL, 0), 0);
	assert_int_equal(ctl_send(meta[2], CTL_KEY_UNWRAP, 1, &k, NULL, 0), 0);
	turn(h);
	for (i = 0; i < 3; i++) {
		assert_int_equal(read(meta[i], &byte, 1), 0);
		close(meta[i]);
	}
	assert_int_equal(sign(h->wire, doc, strlen(doc)), -EPIPE);
	assert_null(h->s.wire);
	assert_null(h->s.tunnel);
}

static void service__tells_fingerprint_and_certificate(void **state)
{
	struct host *h = &host[0];

	(void)state;
	assert_int_equal(control(h, CTL_SEC_STATUS_READ, NULL, -1), 0);
	assert_int_equal(answer.type, CTL_SEC_STATUS);
	assert_memory_equal(answer.u.sec_status.fingerprint, h->s.identity.tunnel.fingerprint, 32);
	assert_int_equal(answer.u.sec_status.certificate.len, h->s.identity.cert_len);
	assert_memory_equal(answer.u.sec_status.certificate.b, h->s.identity.cert,
			    h->s.identity.cert_len);
}

/* Volumes do not depend on it; tunnels and documents are refused with a word of advice. */
static void service__lives_without_an_identity(void **state)
{
	struct host *h = &host[0];
	static const uint8_t zero[32];

	(void)state;
	service_done(&h->s);
	file_put(IDENTITY_FILE, "x", 1);
	service_init(&h->s, &h->loop);
	assert_int_equal(service_start(&h->s, h->dir, h->root), 0);
	assert_true(h->s.has_root);
	assert_int_equal(channel(h, CTL_KEY_FOR_WIRE, "", "", ""), -ENOKEY);
	assert_non_null(strstr(answer.u.ack.text, IDENTITY_FILE));
	assert_int_equal(channel(h, CTL_KEY_FOR_METADATA, account, inst, ""), -ENOKEY);
	assert_int_equal(control(h, CTL_SEC_STATUS_READ, NULL, -1), 0);
	assert_memory_equal(answer.u.sec_status.fingerprint, zero, sizeof(zero));
	assert_int_equal(answer.u.sec_status.certificate.len, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		T(wire_channel__joins_two_hosts),
		T(wire_channel__a_second_one_ends_the_first),
		T(wire_channel__says_when_it_wants_to_be_woken),
		T(wire_channel__tells_of_an_unknown_peer),
		T(wire_channel__waits_for_a_wire_that_does_not_read),
		T(grant__refuses_plain_channels_that_make_no_sense),
		T(metadata_channel__signs_what_openssl_verifies),
		T(metadata_channel__signs_for_its_instance_only),
		T(metadata_channel__is_bounded),
		T(channel__of_one_purpose_takes_no_other_requests),
		T(service__tells_fingerprint_and_certificate),
		T(service__lives_without_an_identity),
#undef T
	};

	log_init("security-channel-test");
	if (crypto_init() < 0)
		return 1;
	return cmocka_run_group_tests_name("security/channel", tests, NULL, NULL);
}
