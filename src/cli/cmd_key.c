/* SPDX-License-Identifier: Apache-2.0 */

/* niter key ls|create|import|rm: SSH keys that instances are launched with. */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "cli/api/ec2.h"
#include "cli/base64.h"
#include "cli/cli.h"
#include "cli/files.h"

int verb_key_ls(const struct verb *v, int argc, char **argv)
{
	static const char *const heads[] = { "NAME", "ID", "TYPE", "FINGERPRINT" };
	struct table t = { .col_cnt = ARRAY_SIZE(heads) };
	json_t *result = NULL, *key;
	size_t k;
	int code;

	(void)opts_parse(v, argc, argv, NULL, 0);
	code = ec2_call("DescribeKeyPairs", NULL, &result);
	if (code == CLI_OK && cli_json) {
		json_print(result);
	} else if (code == CLI_OK) {
		for (k = 0; k < ARRAY_SIZE(heads); k++)
			table_add(&t, heads[k]);
		json_array_foreach(json_object_get(result, "keySet"), k, key)
		{
			table_add(&t, text_of(key, "keyName"));
			table_add(&t, text_of(key, "keyPairId"));
			table_add(&t, text_of(key, "keyType"));
			table_add(&t, text_of(key, "keyFingerprint"));
		}
		table_print(&t);
		table_done(&t);
	}
	json_decref(result);
	return code;
}

/* What is made for the key before there is one: readable by its owner only, and never in the place of a file. */
static int private_key_open(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (fd < 0)
		(void)cli_error("cannot make %s: %s; choose another with --file", path,
				strerrordesc_np(errno));
	return fd;
}

/* A key whose private half is in no file is of no use to anybody. */
static int private_key_write(int fd, const char *path, const json_t *made)
{
	const char *pem = text_of(made, "keyMaterial");
	struct ec2_params q = { .text = NULL };
	size_t len = strlen(pem);

	if (write(fd, pem, len) == (ssize_t)len && fsync(fd) == 0)
		return CLI_OK;
	(void)cli_error("cannot write %s: %s; the key is removed again", path,
			strerrordesc_np(errno));
	ec2_add(&q, "KeyPairId", text_of(made, "keyPairId"));
	(void)!ec2_call("DeleteKeyPair", &q, NULL);
	return CLI_FAILED;
}

int verb_key_create(const struct verb *v, int argc, char **argv)
{
	const char *file = NULL, *type = "ed25519";
	const struct opt opts[] = {
		{ "--file", OPT_TEXT, "FILE", "where to put the private key; default NAME.pem",
		  &file },
		{ "--type", OPT_TEXT, "TYPE", "ed25519 (default) or rsa", &type },
	};
	CLEANUP(fd_closep) int fd = -1;
	struct ec2_params q = { .text = NULL };
	json_t *result = NULL;
	char path[512];
	int code;

	(void)opts_parse(v, argc, argv, opts, ARRAY_SIZE(opts));
	snprintf(path, sizeof(path), "%s%s", file ? file : argv[0], file ? "" : ".pem");
	fd = private_key_open(path);
	if (fd < 0)
		return CLI_FAILED;
	ec2_add(&q, "KeyName", argv[0]);
	ec2_add(&q, "KeyType", type);
	code = ec2_call("CreateKeyPair", &q, &result);
	if (code == CLI_OK)
		code = private_key_write(fd, path, result);
	if (code != CLI_OK)
		(void)unlink(path);
	if (code == CLI_OK) {
		(void)json_object_del(result, "keyMaterial");
		if (cli_json)
			json_print(result);
		else
			printf("%s %s\n", text_of(result, "keyPairId"), path);
	}
	json_decref(result);
	return code;
}

int verb_key_import(const struct verb *v, int argc, char **argv)
{
	const char *name = NULL;
	const struct opt opts[] = { { "--name", OPT_TEXT, "NAME",
				      "what to call it; default: the file's name", &name } };
	char line[KEY_FILE_MAX + 1], key_name[64];
	struct ec2_params q = { .text = NULL };
	json_t *result = NULL;
	char *text;
	int code;

	(void)opts_parse(v, argc, argv, opts, ARRAY_SIZE(opts));
	code = public_key_read(argv[0], line, key_name, sizeof(key_name));
	if (code != CLI_OK)
		return code;
	text = base64_encode((const uint8_t *)line, strlen(line));
	ec2_add(&q, "KeyName", name ? name : key_name);
	ec2_add(&q, "PublicKeyMaterial", text);
	free(text);
	code = ec2_call("ImportKeyPair", &q, &result);
	if (code == CLI_OK && cli_json)
		json_print(result);
	else if (code == CLI_OK)
		puts(text_of(result, "keyPairId"));
	json_decref(result);
	return code;
}

int verb_key_rm(const struct verb *v, int argc, char **argv)
{
	int cnt = opts_parse(v, argc, argv, NULL, 0), code = CLI_OK;

	for (int k = 0; k < cnt; k++) {
		struct ec2_params q = { .text = NULL };

		ec2_add(&q, strncmp(argv[k], "key-", 4) == 0 ? "KeyPairId" : "KeyName", argv[k]);
		if (ec2_call("DeleteKeyPair", &q, NULL) != CLI_OK)
			code = CLI_FAILED;
		else if (!cli_json)
			puts(argv[k]);
	}
	return code;
}
