/* SPDX-License-Identifier: Apache-2.0 */

#include "controller/store.h"

#include <errno.h>
#include <setjmp.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static const char *golden, *golden2, *golden3, *golden4; /* tests/corpora/store/v1.sql, … */
static char dir[] = "/tmp/niter-store.XXXXXX";

static struct image image_of(const char *id, const char *name)
{
	struct image i = { .kernel_bytes = 1, .disk_bytes = UINT64_C(1) << 40, .created_ms = 5 };

	snprintf(i.id, sizeof(i.id), "%s", id);
	snprintf(i.account, sizeof(i.account), "%s", MODEL_ACCOUNT_DEFAULT);
	snprintf(i.name, sizeof(i.name), "%s", name);
	snprintf(i.architecture, sizeof(i.architecture), "x86_64");
	snprintf(i.cmdline, sizeof(i.cmdline), "root=\"x\" console=ttyS0");
	return i;
}

static struct instance instance_of(const char *id, const char *name, enum instance_state s)
{
	struct instance i = {
		.cores = 1, .threads = 2, .ram_bytes = 1 << 20, .state = s, .created_ms = 7
	};

	snprintf(i.id, sizeof(i.id), "%s", id);
	snprintf(i.account, sizeof(i.account), "%s", MODEL_ACCOUNT_DEFAULT);
	snprintf(i.name, sizeof(i.name), "%s", name);
	snprintf(i.image_id, sizeof(i.image_id), "ami-0123456789abcdef0");
	snprintf(i.type, sizeof(i.type), "t3.nano");
	return i;
}

static struct volume volume_of(const char *id, const char *instance_id, unsigned idx)
{
	struct volume v = { .size = 4096,
			    .state = VOLUME_IN_USE,
			    .device_idx = idx,
			    .delete_on_termination = true };

	snprintf(v.id, sizeof(v.id), "%s", id);
	snprintf(v.account, sizeof(v.account), "%s", MODEL_ACCOUNT_DEFAULT);
	snprintf(v.instance_id, sizeof(v.instance_id), "%s", instance_id);
	return v;
}

static void store__gives_back_what_was_put(void **state)
{
	struct image i = image_of("ami-0123456789abcdef0", "debian");
	static struct image i2;
	struct instance n = instance_of("i-0123456789abcdef0", "web", INSTANCE_RUNNING), n2 = { 0 };
	struct volume v = volume_of("vol-0123456789abcdef0", n.id, 0), v2 = { 0 };
	static struct console_tail c, c2;
	struct store *s;

	(void)state;
	assert_int_equal(store_open(":memory:", &s), 0);
	assert_int_equal(store_get_id(s, &tbl_images, i.id, &i2), -ENOENT);
	assert_int_equal(store_put(s, &tbl_images, &i), 0);
	assert_int_equal(store_get_id(s, &tbl_images, i.id, &i2), 0);
	assert_memory_equal(&i, &i2, sizeof(i));
	n.times.first_run_us = 12345;
	snprintf(n.reason, sizeof(n.reason), "it's \"quoted\"; DROP TABLE instance");
	assert_int_equal(store_put(s, &tbl_instances, &n), 0);
	assert_int_equal(store_get_id(s, &tbl_instances, n.id, &n2), 0);
	assert_memory_equal(&n, &n2, sizeof(n));
	assert_int_equal(store_put(s, &tbl_volumes, &v), 0);
	assert_int_equal(store_get_id(s, &tbl_volumes, v.id, &v2), 0);
	assert_memory_equal(&v, &v2, sizeof(v));
	snprintf(c.instance_id, sizeof(c.instance_id), "%s", n.id);
	c.boot_cnt = 3;
	c.len = sizeof(c.data);
	c.end = 1 << 20;
	memset(c.data, 0xa5, sizeof(c.data));
	assert_int_equal(store_put(s, &tbl_consoles, &c), 0);
	assert_int_equal(store_get_id(s, &tbl_consoles, n.id, &c2), 0);
	assert_memory_equal(&c, &c2, sizeof(c));
	n.state = INSTANCE_STOPPED;
	assert_int_equal(store_put(s, &tbl_instances, &n), 0);
	assert_int_equal(store_get_id(s, &tbl_instances, n.id, &n2), 0);
	assert_int_equal(n2.state, INSTANCE_STOPPED);
	assert_int_equal(store_get_id(s, &tbl_consoles, n.id, &c2),
			 0); /* an update is no replacement */
	store_free(s);
}

static void store__refuses_what_cannot_be(void **state)
{
	static struct image a, b;
	struct instance n = instance_of("i-0123456789abcdef0", "web", INSTANCE_RUNNING);
	struct instance m = instance_of("i-0123456789abcdef1", "web", INSTANCE_RUNNING);
	struct volume v = volume_of("vol-0123456789abcdef0", n.id, 0),
		      w = volume_of("vol-0123456789abcdef1", n.id, 0);
	struct store *s;

	(void)state;
	a = image_of("ami-0123456789abcdef0", "debian");
	b = image_of("ami-0123456789abcdef1", "debian");
	assert_int_equal(store_open(":memory:", &s), 0);
	assert_int_equal(store_put(s, &tbl_images, &a), 0);
	assert_int_equal(store_put(s, &tbl_images, &b), -EEXIST); /* a name is one image's */
	assert_int_equal(store_put(s, &tbl_volumes, &v), -EBUSY); /* an instance must exist first */
	assert_int_equal(store_put(s, &tbl_instances, &n), 0);
	assert_int_equal(store_put(s, &tbl_instances, &m), -EEXIST);
	assert_int_equal(store_put(s, &tbl_volumes, &v), 0);
	assert_int_equal(store_put(s, &tbl_volumes, &w), -EEXIST); /* a slot holds one volume */
	assert_int_equal(store_delete_id(s, &tbl_instances, n.id), -EBUSY);
	assert_int_equal(store_delete_id(s, &tbl_volumes, v.id), 0);
	assert_int_equal(store_delete_id(s, &tbl_volumes, v.id), -ENOENT);
	n.state = INSTANCE_TERMINATED; /* whose name is free again */
	assert_int_equal(store_put(s, &tbl_instances, &n), 0);
	assert_int_equal(store_put(s, &tbl_instances, &m), 0);
	assert_int_equal(store_delete_id(s, &tbl_instances, n.id), 0);
	m.ram_bytes = UINT64_MAX; /* no number of SQL's */
	assert_int_equal(store_put(s, &tbl_instances, &m), -EINVAL);
	store_free(s);
}

static void store_rollback__undoes_and_commit_keeps(void **state)
{
	struct image a = image_of("ami-0123456789abcdef0", "debian"), out;
	struct store *s;

	(void)state;
	assert_int_equal(store_open(":memory:", &s), 0);
	assert_int_equal(store_begin(s), 0);
	assert_int_equal(store_put(s, &tbl_images, &a), 0);
	store_rollback(s);
	assert_int_equal(store_get_id(s, &tbl_images, a.id, &out), -ENOENT);
	store_rollback(s);
	assert_int_equal(store_begin(s), 0);
	assert_int_equal(store_put(s, &tbl_images, &a), 0);
	assert_int_equal(store_commit(s), 0);
	assert_int_equal(store_get_id(s, &tbl_images, a.id, &out), 0);
	store_free(s);
}

/* Runs @sql on a fresh database in a file and closes it. */
static void db_make(const char *path, const char *sql)
{
	sqlite3 *db;

	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
}

static char *file_text(const char *path)
{
	static char text[64 * 1024];
	FILE *f = fopen(path, "r");
	size_t n;

	assert_non_null(f);
	n = fread(text, 1, sizeof(text) - 1, f);
	text[n] = '\0';
	(void)fclose(f);
	return text;
}

static void store_open__brings_version_1_up_to_date(void **state)
{
	static struct console_tail c;
	struct instance *list;
	struct volume v;
	struct image i;
	struct store *s;
	char path[64];
	size_t cnt;

	(void)state;
	snprintf(path, sizeof(path), "%s/v1.db", dir);
	db_make(path, file_text(golden));
	for (int again = 0; again < 2; again++) { /* the second time it is of today */
		assert_int_equal(store_open(path, &s), 0);
		assert_int_equal(store_list(s, &tbl_instances, (void **)&list, &cnt), 0);
		assert_int_equal(cnt, 2);
		assert_string_equal(list[0].name, "web");
		assert_int_equal(list[0].state, INSTANCE_RUNNING);
		assert_int_equal(list[0].boot_cnt, 3);
		assert_int_equal(list[0].times.first_run_us, 0);
		assert_int_equal(list[1].state, INSTANCE_TERMINATED);
		assert_string_equal(list[1].reason, "User initiated (2026-11-22 09:45:15 GMT)");
		free(list);
		assert_int_equal(store_get_id(s, &tbl_volumes, "vol-0123456789abcdef0", &v), 0);
		assert_string_equal(v.device, "/dev/xvda");
		assert_true(v.delete_on_termination);
		assert_int_equal(store_get_id(s, &tbl_images, "ami-0123456789abcdef0", &i), 0);
		assert_int_equal(i.created_ms, UINT64_C(1795370000123));
		assert_int_equal(store_get_id(s, &tbl_consoles, "i-0123456789abcdef1", &c), 0);
		assert_int_equal(c.len, 20);
		assert_int_equal(c.end, 100000);
		store_free(s);
	}
}

static void store_open__brings_version_2_up_to_date(void **state)
{
	struct instance n = { 0 };
	struct vpc v = { .id = "vpc-0123456789abcdef0",
			 .account = MODEL_ACCOUNT_DEFAULT,
			 .prefix = 16,
			 .vni = 0x1001 };
	struct store *s;
	char path[64];
	void *list;
	size_t cnt;

	(void)state;
	snprintf(path, sizeof(path), "%s/v2.db", dir);
	db_make(path, file_text(golden2));
	for (int again = 0; again < 2; again++) {
		assert_int_equal(store_open(path, &s), 0);
		assert_int_equal(store_get_id(s, &tbl_instances, "i-0123456789abcdef0", &n), 0);
		assert_int_equal(n.times.volume_us, 700000);
		assert_int_equal(store_list(s, &tbl_vpcs, &list, &cnt), 0);
		assert_int_equal(cnt, again); /* networks are new: none was there */
		free(list);
		assert_int_equal(store_put(s, &tbl_vpcs, &v), 0);
		store_free(s);
	}
}

/* What the EC2 API added is as if it had been so from the start. */
static void store_open__brings_version_3_up_to_date(void **state)
{
	struct interface ni = { .id = "eni-0123456789abcdef0" };
	struct launch_data *d = calloc(1, sizeof(*d));
	struct instance n = { 0 };
	struct volume v = { 0 };
	struct group_rule r = { 0 };
	struct vpc vpc = { 0 };
	struct store *s;
	char path[64];

	(void)state;
	assert_non_null(d);
	snprintf(path, sizeof(path), "%s/v3.db", dir);
	db_make(path, file_text(golden3));
	for (int again = 0; again < 2; again++) {
		assert_int_equal(store_open(path, &s), 0);
		assert_int_equal(store_get_id(s, &tbl_instances, "i-0123456789abcdef0", &n), 0);
		assert_string_equal(n.reservation_id, "r-0123456789abcdef0");
		assert_string_equal(n.key_name, "laptop");
		assert_true(n.imds_enabled);
		assert_int_equal(n.imds_hop_limit, 1);
		assert_false(n.keep_termination);
		assert_int_equal(store_get_id(s, &tbl_volumes, "vol-0123456789abcdef0", &v), 0);
		assert_string_equal(v.type, "gp3");
		assert_int_equal(v.iops, 3000);
		assert_int_equal(v.attached_ms, v.created_ms);
		assert_int_equal(store_get_id(s, &tbl_volumes, "vol-0123456789abcdef1", &v), 0);
		assert_int_equal(v.attached_ms, 0); /* it is free */
		assert_int_equal(store_get(s, &tbl_interfaces, &ni), 0);
		assert_string_equal(ni.attachment_id, "eni-attach-0123456789abcdef0");
		assert_int_equal(ni.attached_ms, UINT64_C(1795390001000));
		assert_true(ni.delete_on_termination);
		assert_int_equal(store_get_id(s, &tbl_group_rules, "sgr-0123456789abcdef0", &r), 0);
		assert_string_equal(r.member_group_id, "sg-0123456789abcdef0");
		assert_int_equal(store_get_id(s, &tbl_vpcs, "vpc-0123456789abcdef0", &vpc), 0);
		assert_true(vpc.dns_support);
		assert_true(vpc.dns_hostnames);
		assert_int_equal(store_get_id(s, &tbl_launch_data, "i-0123456789abcdef0", d), 0);
		assert_int_equal(d->user_data.len, 5);
		assert_memory_equal(d->user_data.b, "#!\n\0\xff", 5);
		assert_int_equal(store_cnt(s, &tbl_accounts), 0);
		assert_int_equal(store_cnt(s, &tbl_remotes), 1);
		store_free(s);
	}
	free(d);
}

static void store_open__reads_version_4(void **state)
{
	struct client_token t = { .account = MODEL_ACCOUNT_DEFAULT,
				  .action = "RunInstances",
				  .token = "token-1" };
	struct tag tag = { .resource_id = "i-0123456789abcdef0", .key = "Name" };
	struct access_key key = { .id = "AKIAABCDEFGHIJKLMNOP" };
	struct key_pair pair = { .id = "key-0123456789abcdef0" };
	struct volume v = { .id = "vol-0123456789abcdef0" };
	static struct kms_key kms;
	struct store *s;
	char path[64];

	(void)state;
	snprintf(path, sizeof(path), "%s/v4.db", dir);
	db_make(path, file_text(golden4));
	assert_int_equal(store_open(path, &s), 0);
	assert_int_equal(store_get(s, &tbl_client_tokens, &t), 0);
	assert_string_equal(t.result, "r-0123456789abcdef0");
	assert_int_equal(store_get(s, &tbl_tags, &tag), 0);
	assert_string_equal(tag.value, "web");
	assert_int_equal(store_get(s, &tbl_access_keys, &key), 0);
	assert_int_equal(key.sealed_len, 3);
	assert_memory_equal(key.sealed, "\1\2\xff", 3);
	assert_int_equal(store_get(s, &tbl_key_pairs, &pair), 0);
	assert_string_equal(pair.type, "ed25519");
	assert_int_equal(store_get(s, &tbl_volumes, &v), 0);
	assert_int_equal(store_get_id(s, &tbl_kms_keys, v.kms_key_id, &kms), 0);
	assert_true(kms.by_service);
	assert_int_equal(kms.state, KMS_KEY_ENABLED);
	store_free(s);
}

static struct interface interface_of(const char *id, const char *instance_id, uint32_t addr,
				     uint8_t mac)
{
	struct interface i = { .subnet_id = "subnet-0123456789abcdef0",
			       .addr = addr,
			       .mac = { 6, 0, 0, 0, 0, mac } };

	snprintf(i.id, sizeof(i.id), "%s", id);
	snprintf(i.instance_id, sizeof(i.instance_id), "%s", instance_id);
	return i;
}

static void network_put(struct store *s)
{
	struct vpc v = {
		.id = "vpc-0123456789abcdef0", .prefix = 16, .vni = 0x1001, .is_default = true
	};
	struct subnet sub = { .id = "subnet-0123456789abcdef0",
			      .vpc_id = "vpc-0123456789abcdef0",
			      .prefix = 20 };
	struct instance n = instance_of("i-0123456789abcdef0", "web", INSTANCE_RUNNING);

	assert_int_equal(store_put(s, &tbl_instances, &n), 0);
	assert_int_equal(store_put(s, &tbl_subnets, &sub), -EBUSY); /* a network must exist first */
	assert_int_equal(store_put(s, &tbl_vpcs, &v), 0);
	assert_int_equal(store_put(s, &tbl_subnets, &sub), 0);
}

static void store_net__gives_back_what_was_put(void **state)
{
	struct interface i = interface_of("eni-0123456789abcdef0", "i-0123456789abcdef0",
					  0xac1f0004, 1),
			 i2 = i;
	struct launch_data *d = calloc(1, sizeof(*d)), *d2 = calloc(1, sizeof(*d2));
	struct peer p = { .number = 7,
			  .name = "b",
			  .addr = 0x0a4d0002,
			  .port = 4500,
			  .fingerprint = { 1, 2, 255 } },
		    p2 = p;
	struct store *s;

	(void)state;
	assert_non_null(d);
	assert_non_null(d2);
	assert_int_equal(store_open(":memory:", &s), 0);
	network_put(s);
	i.source_dest_check = true;
	i.created_ms = 1795370000123;
	assert_int_equal(store_put(s, &tbl_interfaces, &i), 0);
	assert_int_equal(store_get(s, &tbl_interfaces, &i2), 0);
	assert_memory_equal(&i, &i2, sizeof(i));
	snprintf(d->instance_id, sizeof(d->instance_id), "i-0123456789abcdef0");
	memcpy(d2->instance_id, d->instance_id, sizeof(d->instance_id));
	assert_int_equal(store_get(s, &tbl_launch_data, d2), -ENOENT);
	d->user_data.len = sizeof(d->user_data.b);
	memset(d->user_data.b, 0, sizeof(d->user_data.b)); /* bytes, not text */
	d->user_data.b[5] = 0xff;
	assert_int_equal(store_put(s, &tbl_launch_data, d), 0);
	assert_int_equal(store_get(s, &tbl_launch_data, d2), 0);
	assert_memory_equal(d, d2, sizeof(*d));
	assert_int_equal(store_put(s, &tbl_peers, &p), 0);
	memset(&p2.fingerprint, 0, sizeof(p2.fingerprint));
	assert_int_equal(store_get(s, &tbl_peers, &p2), 0);
	assert_memory_equal(&p, &p2, sizeof(p));
	assert_int_equal(store_delete(s, &tbl_peers, &p), 0);
	assert_int_equal(store_delete(s, &tbl_peers, &p), -ENOENT);
	free(d);
	free(d2);
	store_free(s);
}

static void store_net__refuses_what_cannot_be(void **state)
{
	struct interface a =
		interface_of("eni-0123456789abcdef0", "i-0123456789abcdef0", 0xac1f0004, 1);
	struct interface b = interface_of("eni-0123456789abcdef1", "", 0xac1f0004, 2);
	struct store *s;

	(void)state;
	assert_int_equal(store_open(":memory:", &s), 0);
	network_put(s);
	assert_int_equal(store_put(s, &tbl_interfaces, &a), 0);
	assert_int_equal(store_put(s, &tbl_interfaces, &b), -EEXIST); /* an address is one's */
	b.addr++;
	b.mac[5] = 1;
	assert_int_equal(store_put(s, &tbl_interfaces, &b), -EEXIST); /* and so is a MAC */
	b.mac[5] = 2;
	assert_int_equal(store_put(s, &tbl_interfaces, &b), 0);
	snprintf(b.instance_id, sizeof(b.instance_id), "i-0123456789abcdef9");
	assert_int_equal(store_put(s, &tbl_interfaces, &b),
			 -EBUSY); /* of an instance that is not there */
	assert_int_equal(store_delete_id(s, &tbl_instances, "i-0123456789abcdef0"), -EBUSY);
	store_free(s);
}

/* What this program never wrote is reported, not believed. */
static void store_net__reports_rows_it_never_wrote(void **state)
{
	static const char *const bad[] = {
		"INSERT INTO peer VALUES(1, 'b', 5000000000, 4500, zeroblob(32))",
		"INSERT INTO peer VALUES(1, 'b', -1, 4500, zeroblob(32))",
		"INSERT INTO peer VALUES(1, 'b', 1, 4500, zeroblob(31))",
		"INSERT INTO peer VALUES(1, printf('%.*c', 64, 'x'), 1, 4500, zeroblob(32))",
	};
	static const char good[] = "INSERT INTO peer VALUES(1, 'b', 1, 4500, zeroblob(32))";
	char path[64];

	(void)state;
	for (size_t k = 0; k <= ARRAY_SIZE(bad); k++) {
		struct store *s = NULL;

		snprintf(path, sizeof(path), "%s/net%zu.db", dir, k);
		db_make(path, file_text(golden2));
		assert_int_equal(store_open(path, &s), 0);
		store_freep(&s);
		db_make(path, k == ARRAY_SIZE(bad) ? good : bad[k]);
		assert_int_equal(store_open(path, &s), k == ARRAY_SIZE(bad) ? 0 : -EUCLEAN);
		store_free(s);
	}
}

static void store_open__refuses_what_a_newer_niterd_wrote(void **state)
{
	struct store *s = NULL;
	char path[64];

	(void)state;
	snprintf(path, sizeof(path), "%s/v99.db", dir);
	db_make(path, file_text(golden));
	db_make(path, "INSERT INTO migration VALUES (99, 0)");
	assert_int_equal(store_open(path, &s), -ENOTSUP);
	assert_null(s);
}

static void store_open__refuses_what_is_no_database(void **state)
{
	struct store *s = NULL;
	char path[64];
	FILE *f;

	(void)state;
	snprintf(path, sizeof(path), "%s/no.db", dir);
	f = fopen(path, "w");
	assert_non_null(f);
	for (int k = 0; k < 1000; k++)
		(void)fputs("this is no database\n", f);
	(void)fclose(f);
	assert_int_equal(store_open(path, &s), -EUCLEAN);
}

/* A row that this program never wrote is reported, not believed. */
static void store__reports_rows_it_never_wrote(void **state)
{
	static const char *const bad[] = {
		"UPDATE instance SET state = 17",
		"UPDATE instance SET cores = -1",
		"UPDATE instance SET type = printf('%.*c', 100, 'x')",
		"UPDATE volume SET state = 0",
		"UPDATE console SET end_off = 1", /* too big for memory: found when asked for */
	};
	char path[64];

	(void)state;
	for (size_t k = 0; k < ARRAY_SIZE(bad); k++) {
		static struct console_tail c;
		struct store *s = NULL;
		int r;

		snprintf(path, sizeof(path), "%s/bad%zu.db", dir, k);
		db_make(path, file_text(golden));
		db_make(path, bad[k]);
		r = store_open(path, &s);
		assert_int_equal(r, k + 1 < ARRAY_SIZE(bad) ? -EUCLEAN : 0);
		if (r == 0)
			assert_int_equal(store_get_id(s, &tbl_consoles, "i-0123456789abcdef1", &c),
					 -EUCLEAN);
		store_free(s);
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(store__gives_back_what_was_put),
		cmocka_unit_test(store__refuses_what_cannot_be),
		cmocka_unit_test(store_rollback__undoes_and_commit_keeps),
		cmocka_unit_test(store_open__brings_version_1_up_to_date),
		cmocka_unit_test(store_open__brings_version_2_up_to_date),
		cmocka_unit_test(store_open__brings_version_3_up_to_date),
		cmocka_unit_test(store_open__reads_version_4),
		cmocka_unit_test(store_net__gives_back_what_was_put),
		cmocka_unit_test(store_net__refuses_what_cannot_be),
		cmocka_unit_test(store_net__reports_rows_it_never_wrote),
		cmocka_unit_test(store_open__refuses_what_a_newer_niterd_wrote),
		cmocka_unit_test(store_open__refuses_what_is_no_database),
		cmocka_unit_test(store__reports_rows_it_never_wrote),
	};
	char cmd[128];
	int r;

	if (argc != 5 || !mkdtemp(dir))
		return 1;
	golden = argv[1];
	golden2 = argv[2];
	golden3 = argv[3];
	golden4 = argv[4];
	r = cmocka_run_group_tests(tests, NULL, NULL);
	snprintf(cmd, sizeof(cmd), "rm -r %s", dir);
	return system(cmd) == 0 ? r : 1;
}
