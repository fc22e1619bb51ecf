-- SPDX-License-Identifier: Apache-2.0
-- A database as niterd wrote it at schema version 2. Never edited: store_test.c brings it up to date.
BEGIN TRANSACTION;
CREATE TABLE console (  instance_id TEXT PRIMARY KEY NOT NULL REFERENCES instance(id) ON DELETE CASCADE,  boot_cnt INTEGER NOT NULL, end_off INTEGER NOT NULL, data BLOB NOT NULL) STRICT, WITHOUT ROWID;
INSERT INTO "console" VALUES('i-0123456789abcdef1',1,100000,X'7265626F6F743A20506F77657220646F776E0D0A');
CREATE TABLE image (  id TEXT PRIMARY KEY NOT NULL, account TEXT NOT NULL, name TEXT NOT NULL, architecture TEXT NOT NULL,  kernel_version TEXT NOT NULL, cmdline TEXT NOT NULL,  kernel_bytes INTEGER NOT NULL, initrd_bytes INTEGER NOT NULL, disk_bytes INTEGER NOT NULL,  stored_bytes INTEGER NOT NULL,  sha256_kernel TEXT NOT NULL, sha256_initrd TEXT NOT NULL, sha256_disk TEXT NOT NULL,  created_ms INTEGER NOT NULL) STRICT, WITHOUT ROWID;
INSERT INTO "image" VALUES('ami-0123456789abcdef0','123456789012','debian','x86_64','6.1.0-40-cloud-amd64','root=PARTUUID=1 console=ttyS0',13000000,0,1073741824,400000000,'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa','','bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb',1795370000123);
CREATE TABLE instance (  id TEXT PRIMARY KEY NOT NULL, account TEXT NOT NULL, name TEXT NOT NULL, image_id TEXT NOT NULL,  type TEXT NOT NULL, cores INTEGER NOT NULL, threads INTEGER NOT NULL, ram_bytes INTEGER NOT NULL,  state INTEGER NOT NULL, reason_code TEXT NOT NULL, reason TEXT NOT NULL, boot_cnt INTEGER NOT NULL,  created_ms INTEGER NOT NULL, launched_ms INTEGER NOT NULL, ended_ms INTEGER NOT NULL, volume_us INTEGER NOT NULL DEFAULT 0, jail_us INTEGER NOT NULL DEFAULT 0, key_us INTEGER NOT NULL DEFAULT 0, attach_us INTEGER NOT NULL DEFAULT 0, first_run_us INTEGER NOT NULL DEFAULT 0, hv_cpu_us INTEGER NOT NULL DEFAULT 0) STRICT, WITHOUT ROWID;
INSERT INTO "instance" VALUES('i-0123456789abcdef0','123456789012','web','ami-0123456789abcdef0','t3.micro',1,2,1073741824,16,'','',3,1795370001000,1795370002000,0,700000,1000,2000,3000,4000,50);
INSERT INTO "instance" VALUES('i-0123456789abcdef1','123456789012','','ami-0123456789abcdef0','t3.nano',1,1,536870912,48,'Client.UserInitiatedShutdown','User initiated (2026-11-22 09:45:15 GMT)',1,1795370001500,1795370002500,1795370003500,0,0,0,0,0,0);
CREATE TABLE migration (  version INTEGER PRIMARY KEY NOT NULL, applied INTEGER NOT NULL) STRICT;
INSERT INTO "migration" VALUES(1,1795370000);
INSERT INTO "migration" VALUES(2,1795380000);
CREATE TABLE volume (  id TEXT PRIMARY KEY NOT NULL, account TEXT NOT NULL, image_id TEXT NOT NULL, size INTEGER NOT NULL,  state INTEGER NOT NULL, reason TEXT NOT NULL, created_ms INTEGER NOT NULL,  instance_id TEXT REFERENCES instance(id), device TEXT NOT NULL, device_idx INTEGER NOT NULL,  delete_on_termination INTEGER NOT NULL) STRICT, WITHOUT ROWID;
INSERT INTO "volume" VALUES('vol-0123456789abcdef0','123456789012','ami-0123456789abcdef0',8589934592,3,'',1795370001000,'i-0123456789abcdef0','/dev/xvda',0,1);
INSERT INTO "volume" VALUES('vol-0123456789abcdef1','123456789012','',4096,2,'',1795370001001,NULL,'',0,0);
CREATE UNIQUE INDEX image_name ON image(account, name);
CREATE UNIQUE INDEX instance_name ON instance(account, name) WHERE name <> '' AND state <> 48;
CREATE UNIQUE INDEX volume_slot ON volume(instance_id, device_idx) WHERE instance_id IS NOT NULL;
COMMIT;
