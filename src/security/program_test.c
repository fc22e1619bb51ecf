/* SPDX-License-Identifier: Apache-2.0 */

/* The real niter-security with a real (software) TPM. argv[1]: the program. */

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fd.h"
#include "proto/control.h"
#include "security/root.h"
#include "security/sealed.h"
#include "security/swtpm_test.h"
#include "security/tunnel_priv.h"

static const char *program;

/* A host: its chip and its disk outlive its boots. */
struct host {
	char chip[64], disk[64];
	struct swtpm tpm;
	pid_t pid; /* niter-security */
	int ctl;
	uint32_t seq;
};

static struct host host;
static struct ctl_msg msg; /* the last answer */

static int setup(void **state)
{
	(void)state;
	memset(&host, 0, sizeof(host));
	host.ctl = -1;
	host.pid = -1;
	host.tpm.pid = -1;
	host.tpm.fd = -1;
	test_dir_new(host.chip, sizeof(host.chip));
	test_dir_new(host.disk, sizeof(host.disk));
	return 0;
}

/* Return: the program's exit status, or -signal. */
static int program_end(struct host *h)
{
	int status = 0;

	fd_closep(&h->ctl);
	if (h->pid <= 0)
		return 0;
	assert_int_equal(waitpid(h->pid, &status, 0), h->pid);
	h->pid = -1;
	return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

static int teardown(void **state)
{
	(void)state;
	ctl_msg_done(&msg);
	(void)program_end(&host);
	swtpm_off(&host.tpm);
	test_dir_remove(host.chip);
	test_dir_remove(host.disk);
	return 0;
}

/* As root the jail is the real one: first process of its namespaces, empty root. */
static void program_start(struct host *h)
{
	const unsigned long jail =
		CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS;
	int a = -1, b = -1;
	bool root = geteuid() == 0;

	assert_int_equal(fd_socketpair(SOCK_SEQPACKET, &a, &b), 0);
	h->pid = (pid_t)syscall(SYS_clone, SIGCHLD | (root ? jail : 0), NULL, NULL, NULL, NULL);
	assert_true(h->pid >= 0);
	if (h->pid == 0) {
		char *const env[] = { root ? NULL : strdup("NITER_UNJAILED=1"), NULL };
		char *const argv[] = { strdup("niter-security"), NULL };

		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (b == CTL_FD)
			(void)fcntl(b, F_SETFD, 0);
		else
			(void)dup2(b, CTL_FD);
		execve(program, argv, env);
		_exit(127);
	}
	close(b);
	h->ctl = a;
}

/* One request, one answer into msg. */
static void ask(int sock, enum ctl_type type, const void *body, const int *fds, unsigned fd_cnt)
{
	ctl_msg_done(&msg);
	assert_int_equal(ctl_send(sock, type, ++host.seq, body, fds, fd_cnt), 0);
	assert_int_equal(ctl_recv(sock, &msg), 1);
	assert_int_equal(msg.seq, host.seq);
}

static int ack_err(void)
{
	assert_int_equal(msg.type, CTL_ACK);
	return msg.u.ack.err;
}

/* Start the program in the boot that is. */
static int configure(struct host *h, uint8_t lab, int with_tpm)
{
	struct ctl_sec_config c = { .lab = lab, .tpm_kind = "swtpm" };
	int fds[2] = { open(h->disk, O_RDONLY | O_DIRECTORY | O_CLOEXEC), h->tpm.fd };

	assert_true(fds[0] >= 0);
	(void)program_end(h);
	program_start(h);
	ask(h->ctl, CTL_SEC_CONFIG, &c, fds, with_tpm ? 2 : 1);
	close(fds[0]);
	return ack_err();
}

/* A new boot of the host. */
static int boot(struct host *h, uint8_t lab)
{
	(void)program_end(h);
	swtpm_off(&h->tpm);
	swtpm_boot(&h->tpm, h->chip);
	return configure(h, lab, 1);
}

static int grant(struct host *h, enum ctl_key_purpose purpose, const char *volume,
		 const char *instance, int *ret)
{
	struct ctl_sec_channel g = { .purpose = (uint16_t)purpose, .account_id = "111122223333" };
	int a = -1, b = -1;

	(void)snprintf(g.volume_id, sizeof(g.volume_id), "%s", volume);
	(void)snprintf(g.instance_id, sizeof(g.instance_id), "%s", instance);
	assert_int_equal(fd_socketpair(SOCK_SEQPACKET, &a, &b), 0);
	ask(h->ctl, CTL_SEC_CHANNEL, &g, &b, 1);
	close(b);
	*ret = a;
	return ack_err();
}

static const struct ctl_key_request ours = {
	.volume_id = "vol-0123456789abcdef0",
	.cipher = "aes-xts-plain64",
	.sector_bytes = 4096,
	.payload_off = 16 << 20,
	.size = 1 << 30,
};

static void create(struct host *h, const char *volume, struct ctl_key_data *ret)
{
	struct ctl_key_request q = ours;
	int sock = -1;

	(void)snprintf(q.volume_id, sizeof(q.volume_id), "%s", volume);
	assert_int_equal(grant(h, CTL_KEY_FOR_FORMAT, volume, "", &sock), 0);
	ask(sock, CTL_KEY_CREATE, &q, NULL, 0);
	assert_int_equal(msg.type, CTL_KEY_DATA);
	*ret = msg.u.key_data;
	close(sock);
	assert_int_equal(ret->err, 0);
	assert_int_equal(ret->key.len, CTL_KEY_BYTES);
}

/* Unwrap over an own channel; the answer is in msg. Return: its error, or the grant's. */
static int unwrap(struct host *h, const char *volume, const struct ctl_bytes_wrapped *wrapped)
{
	struct ctl_key_request q = ours;
	int sock = -1, r;

	(void)snprintf(q.volume_id, sizeof(q.volume_id), "%s", volume);
	q.wrapped = *wrapped;
	r = grant(h, CTL_KEY_FOR_CARD, volume, "i-0123456789abcdef0", &sock);
	if (r == 0) {
		ask(sock, CTL_KEY_UNWRAP, &q, NULL, 0);
		assert_int_equal(msg.type, CTL_KEY_DATA);
		r = msg.u.key_data.err;
	}
	close(sock);
	return r;
}

static void status_is(struct host *h, const char *root_key)
{
	ask(h->ctl, CTL_SEC_STATUS_READ, NULL, NULL, 0);
	assert_int_equal(msg.type, CTL_SEC_STATUS);
	assert_string_equal(msg.u.sec_status.root_key, root_key);
}

static void ack_says(const char *words)
{
	if (!strstr(msg.u.ack.text, words))
		fail_msg("\"%s\" does not say \"%s\"", msg.u.ack.text, words);
}

static const char vol_a[] = "vol-0123456789abcdef0", vol_b[] = "vol-0123456789abcdef1";

static void security__gives_the_same_key_after_a_reboot(void **state)
{
	struct ctl_key_data made;

	(void)state;
	assert_int_equal(boot(&host, 0), 0);
	status_is(&host, "sealed");
	create(&host, vol_a, &made);
	assert_int_equal(unwrap(&host, vol_a, &made.wrapped), 0);
	assert_memory_equal(msg.u.key_data.key.b, made.key.b, CTL_KEY_BYTES);

	assert_int_equal(boot(&host, 0), 0);
	status_is(&host, "sealed");
	assert_int_equal(unwrap(&host, vol_a, &made.wrapped), 0);
	assert_memory_equal(msg.u.key_data.key.b, made.key.b, CTL_KEY_BYTES);
	assert_int_equal(program_end(&host), 0);
}

static void security__never_unwraps_a_destroyed_volume(void **state)
{
	struct ctl_sec_volume_destroy d = { .volume_id = "vol-0123456789abcdef0" };
	struct ctl_key_data made, other, again;

	(void)state;
	assert_int_equal(boot(&host, 0), 0);
	create(&host, vol_a, &made);
	create(&host, vol_b, &other);
	ask(host.ctl, CTL_SEC_VOLUME_DESTROY, &d, NULL, 0);
	assert_int_equal(ack_err(), 0);
	assert_int_equal(unwrap(&host, vol_a, &made.wrapped), -ENOENT);
	assert_int_equal(unwrap(&host, vol_b, &other.wrapped), 0);

	/* Not after a reboot, not in another volume's place, not when the id is used again. */
	assert_int_equal(boot(&host, 0), 0);
	assert_int_equal(unwrap(&host, vol_a, &made.wrapped), -ENOENT);
	assert_int_equal(unwrap(&host, vol_b, &made.wrapped), -EKEYREJECTED);
	assert_int_equal(unwrap(&host, vol_b, &other.wrapped), 0);
	create(&host, vol_a, &again);
	assert_int_equal(unwrap(&host, vol_a, &made.wrapped), -EKEYREJECTED);
	ask(host.ctl, CTL_SEC_VOLUME_DESTROY, &d, NULL, 0);
	ask(host.ctl, CTL_SEC_VOLUME_DESTROY, &d, NULL, 0); /* may be repeated */
	assert_int_equal(ack_err(), 0);
}

static void security__unseals_once_in_a_boot(void **state)
{
	struct ctl_key_data made;
	int i;

	(void)state;
	assert_int_equal(boot(&host, 0), 0); /* makes the root key */
	create(&host, vol_a, &made);
	for (i = 0; i < 2; i++) {
		assert_int_equal(configure(&host, 0, 1), -EALREADY);
		ack_says("reboot this host");
		status_is(&host, "absent: already unsealed in this boot");
		assert_int_equal(unwrap(&host, vol_a, &made.wrapped), -EALREADY);
		assert_int_equal(boot(&host, 0), 0); /* unseals it */
	}
	/* Nor does a key store that was emptied get a new root key in a boot whose PCR 11 is closed. */
	(void)program_end(&host);
	test_dir_remove(host.disk);
	assert_int_equal(mkdir(host.disk, 0700), 0);
	assert_int_equal(configure(&host, 0, 1), -EALREADY);
}

static void security__refuses_everything_without_a_tpm(void **state)
{
	struct ctl_sec_volume_destroy d = { .volume_id = "vol-0123456789abcdef0" };
	int sock = -1;

	(void)state;
	assert_int_equal(configure(&host, 0, 0), -ENODEV);
	ack_says("no TPM 2.0: ");
	status_is(&host, "absent: no TPM 2.0");
	assert_int_equal(grant(&host, CTL_KEY_FOR_FORMAT, vol_a, "", &sock), -ENODEV);
	ack_says("no TPM 2.0: ");
	close(sock);
	ask(host.ctl, CTL_SEC_VOLUME_DESTROY, &d, NULL, 0);
	assert_int_equal(ack_err(), -ENODEV);
	assert_int_equal(program_end(&host), 0);
}

static void security__refuses_a_changed_boot_and_names_the_pcr(void **state)
{
	static const unsigned pcr[] = { 4, 7, 11, 12 };
	char words[32];
	size_t i;

	(void)state;
	assert_int_equal(boot(&host, 0), 0);
	for (i = 0; i < ARRAY_SIZE(pcr); i++) {
		(void)program_end(&host);
		swtpm_off(&host.tpm);
		swtpm_boot(&host.tpm, host.chip);
		swtpm_extend(&host.tpm, pcr[i]);
		assert_int_equal(configure(&host, 0, 1), -EACCES);
		(void)snprintf(words, sizeof(words), "changed PCRs: %u)", pcr[i]);
		ack_says(words);
		status_is(&host, "absent: the boot has changed");
	}
	/* A PCR that is not in the policy does not matter. */
	(void)program_end(&host);
	swtpm_off(&host.tpm);
	swtpm_boot(&host.tpm, host.chip);
	swtpm_extend(&host.tpm, 8);
	assert_int_equal(configure(&host, 0, 1), 0);
}

static void security__refuses_another_or_a_cleared_tpm(void **state)
{
	char chip[64];

	(void)state;
	assert_int_equal(boot(&host, 0), 0);
	(void)program_end(&host);
	swtpm_off(&host.tpm);

	memcpy(chip, host.chip, sizeof(chip));
	test_dir_new(host.chip, sizeof(host.chip));
	assert_int_equal(boot(&host, 0), -EKEYREJECTED);
	ack_says("another TPM");
	(void)program_end(&host);
	swtpm_off(&host.tpm);
	test_dir_remove(host.chip);

	memcpy(host.chip, chip, sizeof(chip));
	assert_int_equal(boot(&host, 0), 0);
	(void)program_end(&host);
	swtpm_off(&host.tpm);
	swtpm_boot(&host.tpm, host.chip);
	swtpm_clear_owner(&host.tpm);
	assert_int_equal(configure(&host, 0, 1), -EKEYREJECTED);
	ack_says("was cleared");
}

static void security__keeps_lab_and_production_apart(void **state)
{
	struct ctl_key_data made;

	(void)state;
	assert_int_equal(boot(&host, 1), 0);
	status_is(&host, "sealed (lab)");
	create(&host, vol_a, &made);
	assert_int_equal(boot(&host, 0), -EPERM);
	status_is(&host, "absent: a lab key");
	assert_int_equal(unwrap(&host, vol_a, &made.wrapped), -EPERM);
	assert_int_equal(boot(&host, 1), 0);
	assert_int_equal(unwrap(&host, vol_a, &made.wrapped), 0);
}

static int file_at(const char *name, int flags)
{
	char path[128];
	int fd;

	(void)snprintf(path, sizeof(path), "%s/%s", host.disk, name);
	fd = open(path, flags | O_CLOEXEC);
	assert_true(fd >= 0);
	return fd;
}

static int file_load(const char *name, uint8_t *b, size_t cap)
{
	int fd = file_at(name, O_RDONLY);
	ssize_t n = read(fd, b, cap);

	close(fd);
	assert_true(n > 0);
	return (int)n;
}

static void file_save(const char *name, const uint8_t *b, int len)
{
	int fd = file_at(name, O_WRONLY | O_TRUNC);

	assert_int_equal(fd_write_full(fd, b, (size_t)len), 0);
	close(fd);
}

static void file_remove(const char *name)
{
	char path[128];

	(void)snprintf(path, sizeof(path), "%s/%s", host.disk, name);
	assert_int_equal(unlink(path), 0);
}

static void security__refuses_a_damaged_or_forged_root_sealed(void **state)
{
	uint8_t good[SEALED_FILE_MAX], b[SEALED_FILE_MAX];
	struct sealed s, forged;
	int len, n;

	(void)state;
	assert_int_equal(boot(&host, 0), 0);
	len = file_load(ROOT_FILE, good, sizeof(good));
	assert_int_equal(sealed_decode(good, (size_t)len, &s), 0);

	memcpy(b, good, sizeof(b));
	b[len / 2] ^= 1;
	file_save(ROOT_FILE, b, len);
	assert_int_equal(boot(&host, 0), -EBADMSG);
	status_is(&host, "absent: root.sealed is damaged");
	file_save(ROOT_FILE, good, len / 2);
	assert_int_equal(boot(&host, 0), -EBADMSG);

	forged = s; /* says lab, so that it is used under a lab boot */
	forged.lab = true;
	n = sealed_encode(&forged, b, sizeof(b));
	file_save(ROOT_FILE, b, n);
	assert_int_equal(boot(&host, 1), -EKEYREJECTED);
	forged = s; /* another ticket */
	forged.ticket.b[forged.ticket.len - 1] ^= 1;
	n = sealed_encode(&forged, b, sizeof(b));
	file_save(ROOT_FILE, b, n);
	assert_int_equal(boot(&host, 0), -EKEYREJECTED);
	status_is(&host, "absent: root.sealed is forged");
	forged = s; /* another sealed object */
	forged.priv.b[forged.priv.len - 1] ^= 1;
	n = sealed_encode(&forged, b, sizeof(b));
	file_save(ROOT_FILE, b, n);
	assert_int_equal(boot(&host, 0), -EKEYREJECTED);

	file_save(ROOT_FILE, good, len);
	assert_int_equal(boot(&host, 0), 0);
}

static void security__never_replaces_a_lost_root_key(void **state)
{
	uint8_t b[SEALED_FILE_MAX], log[4096];
	struct ctl_key_data made;
	int len, log_len;

	(void)state;
	assert_int_equal(boot(&host, 0), 0);
	create(&host, vol_a, &made);
	len = file_load(ROOT_FILE, b, sizeof(b));
	file_remove(ROOT_FILE);
	assert_int_equal(boot(&host, 0), -ENOKEY);
	ack_says("root.sealed is missing");
	status_is(&host, "absent: root.sealed is lost");
	(void)close(open(host.disk, O_RDONLY | O_CLOEXEC));

	/* Nor does a lost store become an empty one. */
	{
		char path[128];

		(void)snprintf(path, sizeof(path), "%s/%s", host.disk, ROOT_FILE);
		(void)close(open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
	}
	file_save(ROOT_FILE, b, len);
	log_len = file_load(RELEASE_LOG_FILE, log, sizeof(log));
	assert_true(log_len > 0);
	file_remove(STORE_FILE);
	assert_int_equal(boot(&host, 0), -ENODATA);
	status_is(&host, "absent: volumes.store is lost");
}

/* Is this anywhere in the program's memory that can be read from outside at all? */
static bool memory_has(pid_t pid, const uint8_t *b, size_t len)
{
	static uint8_t chunk[1 << 20];
	unsigned long from, to, at;
	char name[64], line[512];
	bool found = false;
	FILE *maps;
	ssize_t n;
	int mem;

	(void)snprintf(name, sizeof(name), "/proc/%d/mem", pid);
	mem = open(name, O_RDONLY | O_CLOEXEC);
	assert_true(mem >= 0);
	(void)snprintf(name, sizeof(name), "/proc/%d/maps", pid);
	maps = fopen(name, "re");
	assert_non_null(maps);
	while (fgets(line, sizeof(line), maps)) {
		if (sscanf(line, "%lx-%lx r", &from, &to) != 2) /* NOLINT(cert-err34-c) */
			continue;
		/* Chunks overlap, so that nothing hides on a border. */
		for (at = from; at < to; at += sizeof(chunk) - len) {
			n = pread(mem, chunk, to - at < sizeof(chunk) ? to - at : sizeof(chunk),
				  (off_t)at);
			if (n > 0 && memmem(chunk, (size_t)n, b, len))
				found = true;
		}
	}
	(void)fclose(maps);
	close(mem);
	return found;
}

static void security__keeps_no_copy_of_a_released_key(void **state)
{
	struct ctl_key_data made;

	(void)state;
	if (geteuid() != 0)
		skip(); /* needs root to read another process's memory */
	assert_int_equal(boot(&host, 0), 0);
	create(&host, vol_a, &made);
	assert_int_equal(unwrap(&host, vol_a, &made.wrapped), 0);
	status_is(&host, "sealed");
	assert_true(
		memory_has(host.pid, (const uint8_t *)"sec.root.ready", 14)); /* the search works */
	assert_false(memory_has(host.pid, made.key.b, 16));
	assert_false(memory_has(host.pid, made.key.b + 32, 16));
}

static int niterd_channel(void)
{
	struct ctl_sec_channel g = { .purpose = CTL_KEY_FOR_NITERD };
	int a = -1, b = -1;

	assert_int_equal(fd_socketpair(SOCK_SEQPACKET, &a, &b), 0);
	ask(host.ctl, CTL_SEC_CHANNEL, &g, &b, 1);
	close(b);
	assert_int_equal(ack_err(), 0);
	return a;
}

#define KMS_OWNER .account_id = "111122223333", .key_id = "01234567-89ab-cdef-0123-456789abcdef"

static int kms_crypt(int sock, enum ctl_type type, const void *b, size_t len)
{
	static struct ctl_kms_crypt q;

	q = (struct ctl_kms_crypt){ KMS_OWNER };
	memcpy(q.data.b, b, len);
	q.data.len = (uint16_t)len;
	ask(sock, type, &q, NULL, 0);
	assert_int_equal(msg.type, CTL_KMS_ANSWER);
	return msg.u.kms_answer.err;
}

/* The jailed program itself: its filter lets it do all this, it survives a reboot, and no secret stays behind. */
static void security__answers_niterd_and_keeps_no_copy(void **state)
{
	static const struct ctl_api_key_create c = { .account_id = "111122223333",
						     .access_key_id = "AKIAIOSFODNN7EXAMPLE" };
	struct ctl_api_key_derive d = { .account_id = "111122223333",
					.access_key_id = "AKIAIOSFODNN7EXAMPLE",
					.date = "20261123",
					.region = "us-east-1",
					.service = "kms" };
	struct ctl_kms_key k = { KMS_OWNER };
	static struct ctl_bytes_kms blob;
	uint8_t secret[CTL_API_SECRET_BYTES], signing[CTL_SIGNING_KEY_BYTES], plain[64];
	int sock, i;

	(void)state;
	for (i = 0; i < (int)sizeof(plain); i++)
		plain[i] = (uint8_t)(i * 37 + 11);
	assert_int_equal(boot(&host, 0), 0);
	sock = niterd_channel();
	ask(sock, CTL_API_KEY_CREATE, &c, NULL, 0);
	assert_int_equal(msg.u.api_key.err, 0);
	memcpy(secret, msg.u.api_key.secret.b, sizeof(secret));
	d.sealed = msg.u.api_key.sealed;
	ask(sock, CTL_API_KEY_DERIVE, &d, NULL, 0);
	assert_int_equal(msg.u.api_key_derived.err, 0);
	memcpy(signing, msg.u.api_key_derived.key, sizeof(signing));
	ask(sock, CTL_KMS_KEY_CREATE, &k, NULL, 0);
	assert_int_equal(msg.u.kms_answer.err, 0);
	assert_int_equal(kms_crypt(sock, CTL_KMS_ENCRYPT, plain, sizeof(plain)), 0);
	blob = msg.u.kms_answer.blob;
	assert_int_equal(kms_crypt(sock, CTL_KMS_DECRYPT, blob.b, blob.len), 0);
	assert_memory_equal(msg.u.kms_answer.plain.b, plain, sizeof(plain));
	status_is(&host, "sealed"); /* something else was answered meanwhile */
	if (geteuid() == 0) {
		assert_false(memory_has(host.pid, secret, 16));
		assert_false(memory_has(host.pid, signing, 16));
		assert_false(memory_has(host.pid, plain, 16));
	}
	close(sock);

	assert_int_equal(boot(&host, 0), 0);
	sock = niterd_channel();
	ask(sock, CTL_API_KEY_DERIVE, &d, NULL, 0);
	assert_memory_equal(msg.u.api_key_derived.key, signing, sizeof(signing));
	assert_int_equal(kms_crypt(sock, CTL_KMS_DECRYPT, blob.b, blob.len), 0);
	k.state = CTL_KMS_PENDING_DELETION;
	ask(sock, CTL_KMS_KEY_STATE_SET, &k, NULL, 0);
	assert_int_equal(kms_crypt(sock, CTL_KMS_DECRYPT, blob.b, blob.len), -EKEYEXPIRED);
	k.state = 0;
	ask(sock, CTL_KMS_KEY_DESTROY, &k, NULL, 0);
	assert_int_equal(msg.u.kms_answer.err, 0);
	assert_int_equal(kms_crypt(sock, CTL_KMS_DECRYPT, blob.b, blob.len), -EBADMSG);
	close(sock);
}

static unsigned filters(pid_t pid)
{
	char name[64], line[256];
	unsigned n = 0;
	FILE *f;

	(void)snprintf(name, sizeof(name), "/proc/%d/status", pid);
	f = fopen(name, "re");
	assert_non_null(f);
	while (fgets(line, sizeof(line), f))
		(void)sscanf(line, "Seccomp_filters: %u", &n); /* NOLINT(cert-err34-c) */
	(void)fclose(f);
	return n;
}

/* Another host, in this process: with what the program says its own identity is. */
static struct tunnel *other_host(struct key **ret_key, struct tunnel_identity *ret_id)
{
	struct ctl_tun_peer p = { .peer = 1 };
	struct tunnel *t = NULL;
	struct tunnel_out out;
	uint8_t pub[P384_PUBLIC_BYTES];

	ask(host.ctl, CTL_SEC_STATUS_READ, NULL, NULL, 0);
	assert_int_equal(msg.type, CTL_SEC_STATUS);
	memcpy(p.fingerprint, msg.u.sec_status.fingerprint, sizeof(p.fingerprint));
	assert_int_equal(p384_new(ret_key, pub), 0);
	assert_int_equal(tunnel_identity_init(ret_id, *ret_key), 0);
	assert_int_equal(tunnel_new(ret_id, &t), 0);
	assert_int_equal(tunnel_peer_set(t, &p, 1, &out), 0);
	return t;
}

/* The program begins, @t answers. Return: the epoch. */
static uint32_t handshake(int wire, struct tunnel *t)
{
	static struct tunnel_out out;
	struct ctl_tun_message m;
	int i;

	for (i = 0; i < 2; i++) {
		ctl_msg_done(&msg);
		assert_int_equal(ctl_recv(wire, &msg), 1);
		assert_int_equal(msg.type, CTL_TUN_MESSAGE);
		m = msg.u.tun_message;
		m.peer = 1;
		assert_int_equal(tunnel_message(t, &m, 2, &out), 0);
		assert_true(out.has_message);
		out.message.peer = 4;
		assert_int_equal(ctl_send(wire, CTL_TUN_MESSAGE, 0, &out.message, NULL, 0), 0);
	}
	ctl_msg_done(&msg);
	assert_int_equal(ctl_recv(wire, &msg), 1);
	assert_int_equal(msg.type, CTL_TUN_READY);
	assert_int_equal(msg.u.tun_ready.err, 0);
	return msg.u.tun_ready.epoch;
}

/* All of it behind the narrower filter; and none of its secrets is left where memory can be read. */
static void security__makes_tunnels_and_keeps_their_secrets(void **state)
{
	static const uint32_t vni = 0x1001;
	struct ctl_sec_channel g = { .purpose = CTL_KEY_FOR_WIRE };
	struct ctl_tun_key_read q = { .peer = 4, .epoch = 1, .vni = vni }, q_theirs = q;
	CLEANUP(key_freep) struct key *k = NULL;
	CLEANUP(tunnel_freep) struct tunnel *t = NULL;
	struct ctl_tun_peer p = { .peer = 4 };
	struct ctl_tun_peer_ref start = { .peer = 4 };
	struct ctl_tun_key ours_key, theirs;
	struct tunnel_identity id;
	int wire, b = -1;

	(void)state;
	assert_int_equal(boot(&host, 0), 0);
	assert_int_equal(fd_socketpair(SOCK_SEQPACKET, &wire, &b), 0);
	ask(host.ctl, CTL_SEC_CHANNEL, &g, &b, 1);
	close(b);
	assert_int_equal(ack_err(), 0);
	t = other_host(&k, &id);
	memcpy(p.fingerprint, id.fingerprint, sizeof(p.fingerprint));
	assert_int_equal(ctl_send(wire, CTL_TUN_PEER_SET, 0, &p, NULL, 0), 0);
	assert_int_equal(ctl_send(wire, CTL_TUN_START, 0, &start, NULL, 0), 0);
	assert_int_equal(handshake(wire, t), 1);
	ask(wire, CTL_TUN_KEY_READ, &q, NULL, 0);
	assert_int_equal(msg.type, CTL_TUN_KEY);
	ours_key = msg.u.tun_key;
	q_theirs.peer = 1;
	assert_int_equal(tunnel_key(t, &q_theirs, &theirs), 0);
	assert_memory_equal(&ours_key.tx, &theirs.rx, sizeof(theirs.rx));
	if (geteuid() == 0) {
		status_is(&host, "sealed");
		assert_false(memory_has(host.pid, ours_key.tx.key, 16));
		assert_false(memory_has(host.pid, ours_key.rx.key, 16));
		assert_false(memory_has(host.pid, key_bytes(t->peers->session[0].secret), 16));
		assert_true(memory_has(host.pid, id.pub, 16)); /* the search works */
	}
	close(wire);
}

static void security__signs_documents_with_the_key_it_keeps(void **state)
{
	static const char inst[] = "i-0123456789abcdef0";
	static struct ctl_sign_identity q;
	struct ctl_bytes_certificate cert;
	struct ctl_bytes_wrapped first;
	uint8_t fingerprint[CTL_FINGERPRINT_BYTES];
	int i, sock = -1;

	(void)state;
	q.document.len = (uint16_t)snprintf((char *)q.document.b, sizeof(q.document.b),
					    "{\"instanceId\":\"%s\"}", inst);
	for (i = 0; i < 2; i++) {
		assert_int_equal(boot(&host, 0), 0);
		ask(host.ctl, CTL_SEC_STATUS_READ, NULL, NULL, 0);
		if (i == 0) {
			memcpy(fingerprint, msg.u.sec_status.fingerprint, sizeof(fingerprint));
			cert = msg.u.sec_status.certificate;
			assert_true(cert.len > 0);
		}
		/* The same host after a reboot. */
		assert_memory_equal(fingerprint, msg.u.sec_status.fingerprint, sizeof(fingerprint));
		assert_int_equal(cert.len, msg.u.sec_status.certificate.len);
		assert_memory_equal(cert.b, msg.u.sec_status.certificate.b, cert.len);
		assert_int_equal(grant(&host, CTL_KEY_FOR_METADATA, "", inst, &sock), 0);
		ask(sock, CTL_SIGN_IDENTITY, &q, NULL, 0);
		assert_int_equal(msg.type, CTL_SIGNED);
		assert_int_equal(msg.u.signed_identity.err, 0);
		assert_true(msg.u.signed_identity.pkcs7.len > 0);
		if (i == 0)
			first = msg.u.signed_identity.signature;
		assert_memory_equal(&first, &msg.u.signed_identity.signature, sizeof(first));
		close(sock);
	}
}

static void security__opens_no_files_once_it_serves(void **state)
{
	unsigned before;

	(void)state;
	program_start(&host);
	status_is(&host, "absent: not configured");
	before = filters(host.pid);
	assert_int_equal(boot(&host, 0), 0);
	status_is(&host, "sealed"); /* the answer comes after the second filter */
	assert_int_equal(filters(host.pid), before + 1);
}

static void security__ends_on_a_stranger_on_its_control_socket(void **state)
{
	struct ctl_card_config c = { .instance_id = "i-0" };

	(void)state;
	program_start(&host);
	assert_int_equal(ctl_send(host.ctl, CTL_FORMAT_PROGRESS, 1,
				  &(struct ctl_format_progress){ 0 }, NULL, 0),
			 0);
	(void)c;
	assert_int_equal(ctl_recv(host.ctl, &msg), 0);
	assert_int_equal(program_end(&host), EXIT_FAILURE);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(security__gives_the_same_key_after_a_reboot, setup,
						teardown),
		cmocka_unit_test_setup_teardown(security__never_unwraps_a_destroyed_volume, setup,
						teardown),
		cmocka_unit_test_setup_teardown(security__unseals_once_in_a_boot, setup, teardown),
		cmocka_unit_test_setup_teardown(security__refuses_everything_without_a_tpm, setup,
						teardown),
		cmocka_unit_test_setup_teardown(security__refuses_a_changed_boot_and_names_the_pcr,
						setup, teardown),
		cmocka_unit_test_setup_teardown(security__refuses_another_or_a_cleared_tpm, setup,
						teardown),
		cmocka_unit_test_setup_teardown(security__keeps_lab_and_production_apart, setup,
						teardown),
		cmocka_unit_test_setup_teardown(security__refuses_a_damaged_or_forged_root_sealed,
						setup, teardown),
		cmocka_unit_test_setup_teardown(security__never_replaces_a_lost_root_key, setup,
						teardown),
		cmocka_unit_test_setup_teardown(security__keeps_no_copy_of_a_released_key, setup,
						teardown),
		cmocka_unit_test_setup_teardown(security__answers_niterd_and_keeps_no_copy, setup,
						teardown),
		cmocka_unit_test_setup_teardown(security__makes_tunnels_and_keeps_their_secrets,
						setup, teardown),
		cmocka_unit_test_setup_teardown(security__signs_documents_with_the_key_it_keeps,
						setup, teardown),
		cmocka_unit_test_setup_teardown(security__opens_no_files_once_it_serves, setup,
						teardown),
		cmocka_unit_test_setup_teardown(security__ends_on_a_stranger_on_its_control_socket,
						setup, teardown),
	};

	if (argc != 2)
		return 1;
	program = argv[1];
	if (!swtpm_found()) {
		(void)fprintf(stderr, "skipped: swtpm is not installed\n");
		return 77;
	}
	return cmocka_run_group_tests_name("security/program", tests, NULL, NULL);
}
