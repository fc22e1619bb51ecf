/* SPDX-License-Identifier: Apache-2.0 */

/* Public keys from clients. Asserted: what was taken is written as a line that is taken again and is the same key. */

#include <errno.h>
#include <string.h>

#include "crypto/ssh_key.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char line[SSH_LINE_MAX], print[SSH_FINGERPRINT_MAX];
	struct ssh_public p, q;
	int r;

	r = ssh_public_read(data, size, &p);
	must(r == 0 || r == -EBADMSG);
	if (r < 0)
		return 0;
	must(p.type == SSH_KEY_RSA || p.type == SSH_KEY_ED25519);
	ssh_public_line(&p, line);
	must(strlen(line) + 1 < sizeof(line));
	must(ssh_public_read(line, strlen(line), &q) == 0);
	must(q.type == p.type && q.len == p.len && memcmp(q.blob, p.blob, p.len) == 0);
	must(ssh_public_fingerprint(&p, print) == 0);
	must(strlen(print) == (p.type == SSH_KEY_RSA ? 47U : 44U));
	return 0;
}
