/* SPDX-License-Identifier: Apache-2.0 */

#include "cli/api/local.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "cli/cli.h"
#include "cli/client.h"
#include "cli/host_dirs.h"

#define SECTION "local"
#define ACCOUNT "123456789012" /* the host's own */

enum { INI_MAX = 4096 };

/* HOME/api.ini, wiped by the caller. Return: whether it holds a whole key. */
static bool ini_read(const char *path, struct profile *p)
{
	CLEANUP(fd_closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
	char text[INI_MAX + 1];
	ssize_t len = fd < 0 ? -1 : read(fd, text, INI_MAX);
	bool ok;

	if (len < 0)
		return false;
	text[len] = '\0';
	ok = profile_ini_get(text, SECTION, "aws_access_key_id", p->access_key_id,
			     sizeof(p->access_key_id)) == 0 &&
	     profile_ini_get(text, SECTION, "aws_secret_access_key", p->secret,
			     sizeof(p->secret)) == 0 &&
	     profile_ini_get(text, SECTION, "region", p->region, sizeof(p->region)) == 0;
	explicit_bzero(text, sizeof(text));
	return ok;
}

/* Whole or not at all, readable by its owner only. */
static int ini_write(const char *path, const struct profile *p)
{
	char text[INI_MAX], part[HOST_PATH_MAX + 8];
	int fd, len, r = CLI_OK;

	len = snprintf(text, sizeof(text),
		       "[" SECTION
		       "]\naws_access_key_id = %s\naws_secret_access_key = %s\nregion = %s\n",
		       p->access_key_id, p->secret, p->region);
	snprintf(part, sizeof(part), "%s.%d", path, (int)getpid());
	fd = open(part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0 || write(fd, text, (size_t)len) != len || rename(part, path) < 0)
		r = cli_error("cannot keep the access key in %s: %s", path, strerrordesc_np(errno));
	if (r != CLI_OK)
		(void)unlink(part);
	fd_closep(&fd);
	explicit_bzero(text, sizeof(text));
	return r;
}

/* The operator's connection gives the host's own account a key. */
static int key_make(const char *path, struct profile *p)
{
	json_t *result = NULL;
	int code = client_call_once("account.key.create", json_pack("{s:s}", "account", ACCOUNT),
				    NULL, &result);

	if (code != CLI_OK)
		return code;
	snprintf(p->access_key_id, sizeof(p->access_key_id), "%s",
		 text_of(result, "access_key_id"));
	snprintf(p->secret, sizeof(p->secret), "%s", text_of(result, "secret_access_key"));
	snprintf(p->region, sizeof(p->region), "%s", text_of(result, "region"));
	json_decref(result);
	return ini_write(path, p);
}

static int endpoint_find(struct profile *p)
{
	struct host_record record;

	if (p->endpoint[0])
		return CLI_OK;
	host_record_load(&record);
	if (record.mode == HOST_NONE)
		return cli_error("no host runs here: niter host start; or say where the API is "
				 "with --endpoint");
	if (!record.api_port)
		return cli_error(
			"the host was started without the API: stop it and start it again");
	snprintf(p->endpoint, sizeof(p->endpoint), "http://127.0.0.1:%u", record.api_port);
	return CLI_OK;
}

int local_profile(struct profile *p, bool key)
{
	char path[HOST_PATH_MAX];
	int code;

	if (key && p->endpoint[0])
		return cli_error("say who asks %s, with --profile or AWS_ACCESS_KEY_ID and "
				 "AWS_SECRET_ACCESS_KEY",
				 p->endpoint);
	code = endpoint_find(p);
	if (code != CLI_OK || !key)
		return code;
	if (host_path(path, "api.ini") < 0)
		return cli_error("the path of the host's files is too long");
	return ini_read(path, p) ? CLI_OK : key_make(path, p);
}
