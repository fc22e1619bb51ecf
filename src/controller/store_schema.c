/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The database's schema as a list of steps. A step, once released, is never edited; tests/corpora/store holds a
 * database of every version, and a test brings each of them up to date.
 */

#include <errno.h>
#include <stddef.h>
#include <stdio.h>

#include "base/log.h"
#include "controller/store.h"
#include "controller/store_priv.h"

static const char v1[] =
	"CREATE TABLE image ("
	"  id TEXT PRIMARY KEY NOT NULL, account TEXT NOT NULL, name TEXT NOT NULL, architecture "
	"TEXT NOT NULL,"
	"  kernel_version TEXT NOT NULL, cmdline TEXT NOT NULL,"
	"  kernel_bytes INTEGER NOT NULL, initrd_bytes INTEGER NOT NULL, disk_bytes INTEGER NOT "
	"NULL,"
	"  stored_bytes INTEGER NOT NULL,"
	"  sha256_kernel TEXT NOT NULL, sha256_initrd TEXT NOT NULL, sha256_disk TEXT NOT NULL,"
	"  created_ms INTEGER NOT NULL"
	") STRICT, WITHOUT ROWID;"
	"CREATE UNIQUE INDEX image_name ON image(account, name);"
	/* An image may go while a volume made of it lives on, so image_id is no foreign key. */
	"CREATE TABLE instance ("
	"  id TEXT PRIMARY KEY NOT NULL, account TEXT NOT NULL, name TEXT NOT NULL, image_id TEXT "
	"NOT NULL,"
	"  type TEXT NOT NULL, cores INTEGER NOT NULL, threads INTEGER NOT NULL, ram_bytes INTEGER "
	"NOT NULL,"
	"  state INTEGER NOT NULL, reason_code TEXT NOT NULL, reason TEXT NOT NULL, boot_cnt "
	"INTEGER NOT NULL,"
	"  created_ms INTEGER NOT NULL, launched_ms INTEGER NOT NULL, ended_ms INTEGER NOT NULL"
	") STRICT, WITHOUT ROWID;"
	"CREATE UNIQUE INDEX instance_name ON instance(account, name) WHERE name <> '' AND state "
	"<> 48;"
	"CREATE TABLE volume ("
	"  id TEXT PRIMARY KEY NOT NULL, account TEXT NOT NULL, image_id TEXT NOT NULL, size "
	"INTEGER NOT NULL,"
	"  state INTEGER NOT NULL, reason TEXT NOT NULL, created_ms INTEGER NOT NULL,"
	"  instance_id TEXT REFERENCES instance(id), device TEXT NOT NULL, device_idx INTEGER NOT "
	"NULL,"
	"  delete_on_termination INTEGER NOT NULL"
	") STRICT, WITHOUT ROWID;"
	"CREATE UNIQUE INDEX volume_slot ON volume(instance_id, device_idx) WHERE instance_id IS "
	"NOT NULL;"
	"CREATE TABLE console ("
	"  instance_id TEXT PRIMARY KEY NOT NULL REFERENCES instance(id) ON DELETE CASCADE,"
	"  boot_cnt INTEGER NOT NULL, end_off INTEGER NOT NULL, data BLOB NOT NULL"
	") STRICT, WITHOUT ROWID;";

/* The phases of the last launch. */
static const char v2[] = "ALTER TABLE instance ADD COLUMN volume_us INTEGER NOT NULL DEFAULT 0;"
			 "ALTER TABLE instance ADD COLUMN jail_us INTEGER NOT NULL DEFAULT 0;"
			 "ALTER TABLE instance ADD COLUMN key_us INTEGER NOT NULL DEFAULT 0;"
			 "ALTER TABLE instance ADD COLUMN attach_us INTEGER NOT NULL DEFAULT 0;"
			 "ALTER TABLE instance ADD COLUMN first_run_us INTEGER NOT NULL DEFAULT 0;"
			 "ALTER TABLE instance ADD COLUMN hv_cpu_us INTEGER NOT NULL DEFAULT 0;";

/* Networks. Addresses are numbers, MACs text; a rule's remote side is a block or the members of a group. */
static const char v3[] =
	"CREATE TABLE vpc ("
	"  id TEXT PRIMARY KEY NOT NULL, account TEXT NOT NULL, addr INTEGER NOT NULL, prefix "
	"INTEGER NOT NULL,"
	"  vni INTEGER NOT NULL UNIQUE, domain TEXT NOT NULL, is_default INTEGER NOT NULL, "
	"created_ms INTEGER NOT NULL"
	") STRICT, WITHOUT ROWID;"
	"CREATE UNIQUE INDEX vpc_default ON vpc(account) WHERE is_default = 1;"
	"CREATE TABLE subnet ("
	"  id TEXT PRIMARY KEY NOT NULL, vpc_id TEXT NOT NULL REFERENCES vpc(id), addr INTEGER NOT "
	"NULL,"
	"  prefix INTEGER NOT NULL, is_default INTEGER NOT NULL, created_ms INTEGER NOT NULL, "
	"UNIQUE (vpc_id, addr)"
	") STRICT, WITHOUT ROWID;"
	"CREATE TABLE security_group ("
	"  id TEXT PRIMARY KEY NOT NULL, vpc_id TEXT NOT NULL REFERENCES vpc(id), account TEXT NOT "
	"NULL,"
	"  name TEXT NOT NULL, description TEXT NOT NULL, created_ms INTEGER NOT NULL, UNIQUE "
	"(vpc_id, name)"
	") STRICT, WITHOUT ROWID;"
	"CREATE TABLE security_rule ("
	"  id TEXT PRIMARY KEY NOT NULL, group_id TEXT NOT NULL REFERENCES security_group(id) ON "
	"DELETE CASCADE,"
	"  egress INTEGER NOT NULL, proto INTEGER NOT NULL, port_min INTEGER NOT NULL, port_max "
	"INTEGER NOT NULL,"
	"  addr INTEGER NOT NULL, prefix INTEGER NOT NULL, member_group_id TEXT REFERENCES "
	"security_group(id)"
	") STRICT, WITHOUT ROWID;"
	"CREATE TABLE interface ("
	"  id TEXT PRIMARY KEY NOT NULL, account TEXT NOT NULL, subnet_id TEXT NOT NULL REFERENCES "
	"subnet(id),"
	"  instance_id TEXT REFERENCES instance(id), device_idx INTEGER NOT NULL, mac TEXT NOT "
	"NULL UNIQUE,"
	"  addr INTEGER NOT NULL, source_dest_check INTEGER NOT NULL, outside_idx INTEGER NOT NULL,"
	"  created_ms INTEGER NOT NULL, UNIQUE (subnet_id, addr)"
	") STRICT, WITHOUT ROWID;"
	"CREATE UNIQUE INDEX interface_slot ON interface(instance_id, device_idx) WHERE "
	"instance_id IS NOT NULL;"
	"CREATE TABLE interface_group ("
	"  interface_id TEXT NOT NULL REFERENCES interface(id) ON DELETE CASCADE,"
	"  group_id TEXT NOT NULL REFERENCES security_group(id), PRIMARY KEY (interface_id, "
	"group_id)"
	") STRICT, WITHOUT ROWID;"
	"CREATE TABLE gateway ("
	"  id TEXT PRIMARY KEY NOT NULL, vpc_id TEXT NOT NULL UNIQUE REFERENCES vpc(id), mac TEXT "
	"NOT NULL UNIQUE"
	") STRICT, WITHOUT ROWID;"
	"CREATE TABLE launch_data ("
	"  instance_id TEXT PRIMARY KEY NOT NULL REFERENCES instance(id) ON DELETE CASCADE, "
	"key_name TEXT NOT NULL,"
	"  public_key TEXT NOT NULL, user_data BLOB"
	") STRICT, WITHOUT ROWID;"
	"CREATE TABLE peer ("
	"  number INTEGER PRIMARY KEY NOT NULL, name TEXT NOT NULL UNIQUE, addr INTEGER NOT NULL,"
	"  port INTEGER NOT NULL, fingerprint BLOB NOT NULL, UNIQUE (addr, port)"
	") STRICT, WITHOUT ROWID;"
	"CREATE TABLE remote ("
	"  vpc_id TEXT NOT NULL REFERENCES vpc(id), addr INTEGER NOT NULL, mac TEXT NOT NULL "
	"UNIQUE,"
	"  peer INTEGER NOT NULL REFERENCES peer(number) ON DELETE CASCADE, PRIMARY KEY (vpc_id, "
	"addr)"
	") STRICT, WITHOUT ROWID;"
	"CREATE TABLE forward ("
	"  host_port INTEGER PRIMARY KEY NOT NULL,"
	"  instance_id TEXT NOT NULL REFERENCES instance(id) ON DELETE CASCADE, port INTEGER NOT "
	"NULL"
	") STRICT, WITHOUT ROWID;";

/* Accounts and what the EC2 API adds. Instances and interfaces of before get what they would have been given. */
static const char v4[] =
	"CREATE TABLE account ("
	"  id TEXT PRIMARY KEY NOT NULL, name TEXT NOT NULL, created_ms INTEGER NOT NULL"
	") STRICT, WITHOUT ROWID;"
	"CREATE TABLE access_key ("
	"  id TEXT PRIMARY KEY NOT NULL, account TEXT NOT NULL REFERENCES account(id), sealed BLOB "
	"NOT NULL, created_ms INTEGER NOT NULL"
	") STRICT, WITHOUT ROWID;"
	"CREATE INDEX access_key_account ON access_key(account);"
	"CREATE TABLE key_pair ("
	"  id TEXT PRIMARY KEY NOT NULL, account TEXT NOT NULL, name TEXT NOT NULL, type TEXT NOT "
	"NULL,"
	"  fingerprint TEXT NOT NULL, public_key TEXT NOT NULL, created_ms INTEGER NOT NULL, "
	"UNIQUE (account, name)"
	") STRICT, WITHOUT ROWID;"
	"CREATE TABLE tag ("
	"  resource_id TEXT NOT NULL, tag_key TEXT NOT NULL, account TEXT NOT NULL, value TEXT NOT "
	"NULL,"
	"  PRIMARY KEY (resource_id, tag_key)"
	") STRICT, WITHOUT ROWID;"
	"CREATE TABLE client_token ("
	"  account TEXT NOT NULL, action TEXT NOT NULL, token TEXT NOT NULL, digest TEXT NOT NULL,"
	"  result TEXT NOT NULL, created_ms INTEGER NOT NULL, PRIMARY KEY (account, action, token)"
	") STRICT, WITHOUT ROWID;"
	"CREATE TABLE setting ("
	"  name TEXT PRIMARY KEY NOT NULL, value TEXT NOT NULL"
	") STRICT, WITHOUT ROWID;"
	"CREATE TABLE kms_key ("
	"  id TEXT PRIMARY KEY NOT NULL, account TEXT NOT NULL, description TEXT NOT NULL,"
	"  by_service INTEGER NOT NULL, state INTEGER NOT NULL, created_ms INTEGER NOT NULL,"
	"  deletion_ms INTEGER NOT NULL"
	") STRICT, WITHOUT ROWID;"
	"CREATE UNIQUE INDEX kms_key_service ON kms_key(account) WHERE by_service = 1;"

	"ALTER TABLE volume ADD COLUMN type TEXT NOT NULL DEFAULT 'gp3';"
	"ALTER TABLE volume ADD COLUMN iops INTEGER NOT NULL DEFAULT 3000;"
	"ALTER TABLE volume ADD COLUMN throughput INTEGER NOT NULL DEFAULT 125;"
	"ALTER TABLE volume ADD COLUMN kms_key_id TEXT NOT NULL DEFAULT '';"
	"ALTER TABLE volume ADD COLUMN attached_ms INTEGER NOT NULL DEFAULT 0;"
	"UPDATE volume SET attached_ms = created_ms WHERE instance_id IS NOT NULL;"

	"ALTER TABLE instance ADD COLUMN reservation_id TEXT NOT NULL DEFAULT '';"
	"ALTER TABLE instance ADD COLUMN launch_idx INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE instance ADD COLUMN client_token TEXT NOT NULL DEFAULT '';"
	"ALTER TABLE instance ADD COLUMN key_name TEXT NOT NULL DEFAULT '';"
	"ALTER TABLE instance ADD COLUMN shutdown_terminates INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE instance ADD COLUMN keep_termination INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE instance ADD COLUMN keep_stop INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE instance ADD COLUMN imds_enabled INTEGER NOT NULL DEFAULT 1;"
	"ALTER TABLE instance ADD COLUMN imds_tags INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE instance ADD COLUMN imds_hop_limit INTEGER NOT NULL DEFAULT 1;"
	"ALTER TABLE instance ADD COLUMN enclaves INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE instance ADD COLUMN monitored INTEGER NOT NULL DEFAULT 0;"
	"UPDATE instance SET reservation_id = 'r-' || substr(id, 3), key_name = coalesce("
	"  (SELECT l.key_name FROM launch_data l WHERE l.instance_id = instance.id), '');"

	"ALTER TABLE vpc ADD COLUMN dns_support INTEGER NOT NULL DEFAULT 1;"
	"ALTER TABLE vpc ADD COLUMN dns_hostnames INTEGER NOT NULL DEFAULT 1;"
	"ALTER TABLE subnet ADD COLUMN map_public_ip INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE security_rule ADD COLUMN description TEXT NOT NULL DEFAULT '';"
	"ALTER TABLE interface ADD COLUMN description TEXT NOT NULL DEFAULT '';"
	"ALTER TABLE interface ADD COLUMN attachment_id TEXT NOT NULL DEFAULT '';"
	"ALTER TABLE interface ADD COLUMN attached_ms INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE interface ADD COLUMN delete_on_termination INTEGER NOT NULL DEFAULT 1;"
	"UPDATE interface SET attachment_id = 'eni-attach-' || substr(id, 5), attached_ms = "
	"created_ms WHERE instance_id IS NOT NULL;"

	/* What a foreign key is looked up by when the row it names goes. */
	"CREATE INDEX security_rule_group ON security_rule(group_id);"
	"CREATE INDEX security_rule_member ON security_rule(member_group_id) WHERE "
	"member_group_id IS NOT NULL;"
	"CREATE INDEX interface_group_group ON interface_group(group_id);"
	"CREATE INDEX remote_peer ON remote(peer);"
	"CREATE INDEX forward_instance ON forward(instance_id);";

static const char *const steps[STORE_VERSION] = { v1, v2, v3, v4 };

static int version_get(sqlite3 *db, int *ret)
{
	sqlite3_stmt *st = NULL;
	int rc;

	rc = sqlite3_prepare_v2(db, "SELECT coalesce(max(version), 0) FROM migration", -1, &st,
				NULL);
	if (rc != SQLITE_OK)
		return store_errno(rc);
	rc = sqlite3_step(st);
	if (rc == SQLITE_ROW)
		*ret = sqlite3_column_int(st, 0);
	sqlite3_finalize(st);
	return rc == SQLITE_ROW ? 0 : store_errno(rc);
}

static int step_apply(sqlite3 *db, int to)
{
	char note[128];
	int r;

	r = store_exec(db, "BEGIN IMMEDIATE");
	if (r < 0)
		return r;
	snprintf(note, sizeof(note), "INSERT INTO migration VALUES (%d, unixepoch())", to);
	r = store_exec(db, steps[to - 1]);
	if (r == 0)
		r = store_exec(db, note);
	if (r == 0)
		r = store_exec(db, "COMMIT");
	if (r < 0)
		(void)!store_exec(db, "ROLLBACK");
	return r;
}

int store_schema_update(sqlite3 *db)
{
	int version = 0, r;

	r = store_exec(db,
		       "CREATE TABLE IF NOT EXISTS migration ("
		       "  version INTEGER PRIMARY KEY NOT NULL, applied INTEGER NOT NULL) STRICT");
	if (r < 0)
		return r;
	r = version_get(db, &version);
	if (r < 0)
		return r;
	if (version > STORE_VERSION)
		return -ENOTSUP;

	while (version < STORE_VERSION) {
		version++;
		r = step_apply(db, version);
		if (r < 0)
			return r;
		log_debug("store.migrated", "version=%d", version);
	}
	return 0;
}
