/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Lab only: whoever reads this process's log reads everything the host sends. Never linked unless the build was
 * configured with -Dkey_export=true.
 */

#include <stdio.h>

#include "base/log.h"
#include "base/mem.h"
#include "wire/key_export.h"

static void hex(const uint8_t *b, size_t len, char *ret)
{
	size_t i;

	for (i = 0; i < len; i++)
		(void)snprintf(ret + 2 * i, 3, "%02x", b[i]);
}

static void sa_log(const struct ctl_tun_key *k, const struct ctl_tun_sa *sa, const char *dir)
{
	char key[2 * sizeof(sa->key) + 1], salt[2 * sizeof(sa->salt) + 1];

	hex(sa->key, sizeof(sa->key), key);
	hex(sa->salt, sizeof(sa->salt), salt);
	log_warn("key_export.sa", "dir=%s peer=%u epoch=%u vni=%u spi=0x%08x key=%s salt=%s", dir,
		 k->peer, k->epoch, k->vni, sa->spi, key, salt);
	mem_wipe(key, sizeof(key));
}

void key_export(const struct ctl_tun_key *k)
{
	sa_log(k, &k->tx, "tx");
	sa_log(k, &k->rx, "rx");
}
