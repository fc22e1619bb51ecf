/* SPDX-License-Identifier: Apache-2.0 */
#include "security/root.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/fd.h"
#include "base/mem.h"
#include "crypto/kdf.h"
#include "security/dir.h"
#include "security/sealed.h"
#include "security/tpm.h"

enum { PCR_CLOSED_POS = 2 }; /* PCR 11 in sealed_pcr_idx */

static const char label_production[] = "niter/root/v1/production";
static const char label_lab[] = "niter/root/v1/lab";

static int PRINTF_LIKE(4, 5)
	refuse(struct root_refusal *f, int err, const char *why, const char *fmt, ...)
{
	va_list ap;

	(void)snprintf(f->why, sizeof(f->why), "%s", why);
	va_start(ap, fmt);
	(void)vsnprintf(f->text, sizeof(f->text), fmt, ap);
	va_end(ap);
	return err;
}

static int refuse_tpm(struct root_refusal *f, const char *text)
{
	return refuse(f, -EIO, "the TPM failed",
		      "the TPM failed (%s): check that it is switched on, owned by nobody else and "
		      "working, then reboot",
		      text);
}

/* Is there a file of this name? Return: 1, 0, -errno. */
static int file_exists(int dir, const char *name)
{
	CLEANUP(fd_closep) int fd = dir_open(dir, name);

	if (fd == -ENOENT)
		return 0;
	return fd < 0 ? fd : 1;
}

/* 32 bytes of the kernel's generator and 32 of the TPM's, mixed: as good as the better of the two. */
static int secret_make(struct tpm *t, struct key **ret)
{
	static const char info[] = "niter/root/make/v1";
	CLEANUP(key_freep) struct key *ours = NULL, *theirs = NULL, *both = NULL;
	int r;

	r = key_new_random(TPM_ROOT_BYTES, &ours);
	if (r < 0)
		return r;
	r = tpm_random(t, TPM_ROOT_BYTES, &theirs);
	if (r < 0)
		return r;
	r = key_new_zero(2 * TPM_ROOT_BYTES, &both);
	if (r < 0)
		return r;
	memcpy(key_bytes_mut(both), key_bytes(ours), TPM_ROOT_BYTES);
	memcpy(key_bytes_mut(both) + TPM_ROOT_BYTES, key_bytes(theirs), TPM_ROOT_BYTES);
	return kdf_hkdf_sha384(both, NULL, 0, info, sizeof(info) - 1, TPM_ROOT_BYTES, ret);
}

static int sealed_save(int dir, const struct sealed *s, struct root_refusal *f)
{
	uint8_t buf[SEALED_FILE_MAX];
	int len, r;

	len = sealed_encode(s, buf, sizeof(buf));
	r = len < 0 ? len : dir_write_new(dir, ROOT_FILE, buf, (size_t)len);
	if (r < 0)
		return refuse(f, r, "root.sealed not written",
			      "the root key was made, but %s could not be written (%s): make room "
			      "on the state disk, "
			      "then reboot; nothing was encrypted yet",
			      ROOT_FILE, strerrordesc_np(-r));
	return 0;
}

/* Has a program of ours closed PCR 11 in a boot that had nothing else in it? */
static int pcr_closed_from_zero(const uint8_t pcr[SEALED_PCR_BYTES])
{
	static const uint8_t zero[SEALED_PCR_BYTES];
	uint8_t closed[SEALED_PCR_BYTES];
	int r;

	r = tpm_pcr_closed_value(zero, closed);
	if (r < 0)
		return r;
	return memcmp(pcr, closed, sizeof(closed)) == 0;
}

static int root_create(struct tpm *t, int dir, bool lab, struct key **ret, struct root_refusal *f)
{
	const char *label = lab ? label_lab : label_production;
	CLEANUP(key_freep) struct key *secret = NULL, *again = NULL;
	struct sealed s;
	tpm_pcrs pcr;
	int r;

	r = file_exists(dir, STORE_FILE);
	if (r < 0)
		return refuse(f, r, "store unreadable", "the key store cannot be read (%s)",
			      strerrordesc_np(-r));
	if (r > 0)
		return refuse(f, -ENOKEY, "root.sealed is lost",
			      "%s is missing but %s is there: put %s back from a copy; without it "
			      "every volume of this "
			      "host is lost, and only then remove %s to start anew",
			      ROOT_FILE, STORE_FILE, ROOT_FILE, STORE_FILE);
	r = tpm_pcrs_read(t, pcr);
	if (r == -ENOENT)
		return refuse(f, -EIO, "no SHA-256 PCRs",
			      "the TPM has no SHA-256 PCR bank: switch it on in the firmware "
			      "set-up, then reboot");
	if (r < 0)
		return refuse_tpm(f, tpm_text(t));
	r = pcr_closed_from_zero(pcr[PCR_CLOSED_POS]);
	if (r != 0)
		return refuse(
			f, -EALREADY, "PCR 11 is closed",
			"the root key of this boot was used up before: drain and reboot this host");
	r = secret_make(t, &secret);
	if (r < 0)
		return refuse_tpm(f, tpm_text(t));
	r = tpm_seal(t, secret, pcr, label, &s);
	if (r < 0)
		return refuse_tpm(f, tpm_text(t));
	s.lab = lab;
	/* A seal that has not been opened once is not to be trusted with a volume. */
	r = tpm_unseal(t, &s, label, &again);
	if (r < 0 || !key_equal(secret, again))
		return refuse_tpm(f, tpm_text(t));
	r = sealed_save(dir, &s, f);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(secret);
	return 0;
}

/* The PCRs are not those of the time of sealing: which, and what does that mean? */
static int refuse_pcrs(struct tpm *t, const struct sealed *s, struct root_refusal *f)
{
	uint8_t closed[SEALED_PCR_BYTES];
	char list[SEALED_PCR_CNT * 4] = "";
	size_t i, len = 0;
	tpm_pcrs now = { { 0 } };

	if (tpm_pcrs_read(t, now) < 0)
		return refuse_tpm(f, tpm_text(t));
	if (tpm_pcr_closed_value(s->pcr[PCR_CLOSED_POS], closed) == 0 &&
	    memcmp(closed, now[PCR_CLOSED_POS], sizeof(closed)) == 0)
		return refuse(
			f, -EALREADY, "already unsealed in this boot",
			"the root key was already unsealed in this boot and cannot be a second "
			"time: running "
			"instances go on, no volume can be attached; drain and reboot this host");
	for (i = 0; i < SEALED_PCR_CNT; i++) {
		if (memcmp(now[i], s->pcr[i], SEALED_PCR_BYTES) == 0)
			continue;
		len += (size_t)snprintf(list + len, sizeof(list) - len, " %u", sealed_pcr_idx[i]);
	}
	return refuse(
		f, -EACCES, "the boot has changed",
		"the root key cannot be unsealed: this boot is not the one it was sealed to "
		"(changed PCRs:%s); "
		"boot the host image, command line and secure boot settings it was sealed with",
		len ? list : " none");
}

static int root_unseal(struct tpm *t, const struct sealed *s, struct key **ret,
		       struct root_refusal *f)
{
	uint8_t name[SEALED_NAME_MAX];
	uint16_t name_len = tpm_srk_name(t, name);
	int r;

	if (name_len != s->srk_name_len || memcmp(name, s->srk_name, name_len) != 0)
		return refuse(
			f, -EKEYREJECTED, "another TPM",
			"%s belongs to another TPM, or this TPM was cleared: use the server it was "
			"made on, or "
			"remove the whole key store to start anew (its volumes are lost then)",
			ROOT_FILE);
	r = tpm_unseal(t, s, s->lab ? label_lab : label_production, ret);
	if (r == -EACCES)
		return refuse_pcrs(t, s, f);
	if (r == -EKEYREJECTED)
		return refuse(f, r, "root.sealed is forged",
			      "%s was not made by this TPM under the boot it names: put the "
			      "original back from a copy",
			      ROOT_FILE);
	if (r < 0)
		return refuse_tpm(f, tpm_text(t));
	return 0;
}

/* What root.sealed says. Return: 0, 1 it does not exist, or refused. */
static int sealed_load(int dir, bool lab, struct sealed *ret, struct root_refusal *f)
{
	uint8_t buf[SEALED_FILE_MAX];
	int len, r;

	len = dir_read(dir, ROOT_FILE, buf, sizeof(buf));
	if (len == -ENOENT)
		return 1;
	if (len < 0 && len != -EFBIG)
		return refuse(f, len, "root.sealed unreadable", "%s cannot be read (%s)", ROOT_FILE,
			      strerrordesc_np(-len));
	r = len < 0 ? -EPROTO : sealed_decode(buf, (size_t)len, ret);
	if (r == -ENOTSUP)
		return refuse(f, r, "root.sealed is too new",
			      "%s was written by a newer Niter: install that version", ROOT_FILE);
	if (r < 0)
		return refuse(f, -EBADMSG, "root.sealed is damaged",
			      "%s is damaged: put it back from a copy", ROOT_FILE);
	if (ret->lab != lab)
		return refuse(f, -EPERM, lab ? "not a lab key" : "a lab key",
			      lab ? "%s belongs to a measured boot; a lab boot never gets it: boot "
				    "the measured host image"
				  : "%s was made in a lab boot; a measured boot does not use it: "
				    "remove the key store and "
				    "its lab volumes to start anew",
			      ROOT_FILE);
	return 0;
}

/* A lab secret and a production secret never lead to the same keys, whatever else is the same. */
static int root_separate(const struct key *secret, bool lab, struct key **ret)
{
	const char *label = lab ? label_lab : label_production;

	return kdf_hkdf_sha384(secret, NULL, 0, label, strlen(label), TPM_ROOT_BYTES, ret);
}

int root_open(int dir, int tpm_fd, bool lab, struct key **ret, struct root_refusal *ret_refusal)
{
	CLEANUP(key_freep) struct key *secret = NULL;
	CLEANUP(tpm_freep) struct tpm *t = NULL;
	char text[TPM_TEXT_MAX] = "";
	struct sealed s;
	int r, absent;

	if (tpm_fd < 0)
		return refuse(ret_refusal, -ENODEV, "no TPM 2.0",
			      "no TPM 2.0: switch the TPM on in the firmware set-up, or start the "
			      "host with a software "
			      "TPM (swtpm); without one there is no root key and no volume can be "
			      "made or attached");
	absent = sealed_load(dir, lab, &s, ret_refusal);
	if (absent < 0)
		return absent;
	r = tpm_open(tpm_fd, &t, text);
	if (r < 0)
		return refuse_tpm(ret_refusal, text);
	r = absent ? root_create(t, dir, lab, &secret, ret_refusal)
		   : root_unseal(t, &s, &secret, ret_refusal);
	if (r < 0)
		return r;
	r = tpm_pcr_close(t);
	if (r < 0)
		return refuse_tpm(ret_refusal, tpm_text(t));
	return root_separate(secret, lab, ret);
}
