/* SPDX-License-Identifier: Apache-2.0 */

#include "cli/files.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"

ssize_t small_file_read(const char *path, char *buf, size_t cap, const char *too_big)
{
	FILE *f = fopen(path, "re");
	size_t len;
	bool bad;

	if (!f) {
		(void)cli_error("cannot read %s: %s", path, strerrordesc_np(errno));
		return -1;
	}
	len = fread(buf, 1, cap, f);
	bad = ferror(f) != 0; /* a directory opens, and then cannot be read */
	if (!bad && len == cap && fgetc(f) != EOF) {
		(void)cli_error("%s %s", path, too_big);
		len = cap + 1;
	} else if (bad) {
		(void)cli_error("cannot read %s: is it a file?", path);
		len = cap + 1;
	}
	(void)fclose(f);
	return len > cap ? -1 : (ssize_t)len;
}

/* "/home/me/.ssh/my key.pub" -> "my key" */
static void key_name_of(const char *path, char *ret, size_t cap)
{
	const char *slash = strrchr(path, '/');
	size_t len;

	snprintf(ret, cap, "%s", slash ? slash + 1 : path);
	len = strlen(ret);
	if (len > 4 && strcmp(ret + len - 4, ".pub") == 0)
		ret[len - 4] = '\0';
	for (char *p = ret; *p; p++)
		if (*p < 0x20 || *p > 0x7e)
			*p = '_';
}

int public_key_read(const char *path, char ret_line[KEY_FILE_MAX + 1], char *ret_name, size_t cap)
{
	ssize_t len = small_file_read(path, ret_line, KEY_FILE_MAX,
				      "is too big for a public key: give the .pub file");

	if (len < 0)
		return CLI_FAILED;
	ret_line[len] = '\0';
	if (strstr(ret_line, "PRIVATE KEY"))
		return cli_error(
			"%s is a private key: give its .pub file, and keep this one to yourself",
			path);
	if (memchr(ret_line, 0, (size_t)len) == NULL)
		ret_line[strcspn(ret_line, "\r\n")] = '\0';
	if (strlen(ret_line) == 0)
		return cli_error("%s holds no public key: give a .pub file that ssh-keygen wrote",
				 path);
	key_name_of(path, ret_name, cap);
	return CLI_OK;
}
