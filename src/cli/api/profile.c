/* SPDX-License-Identifier: Apache-2.0 */

#include "cli/api/profile.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/api/local.h"
#include "cli/cli.h"

enum { FILE_MAX = 256 * 1024 };

const char *cli_endpoint, *cli_profile;

static const char *env(const char *name)
{
	const char *v = getenv(name); /* NOLINT(concurrency-mt-unsafe): one thread */

	return v && v[0] ? v : NULL;
}

void profile_wipe(struct profile *p)
{
	explicit_bzero(p, sizeof(*p));
}

static const char *blanks_skip(const char *s, const char *end)
{
	while (s < end && (*s == ' ' || *s == '\t'))
		s++;
	return s;
}

static const char *blanks_trim(const char *s, const char *end)
{
	while (end > s && (end[-1] == ' ' || end[-1] == '\t' || end[-1] == '\r'))
		end--;
	return end;
}

static bool span_is(const char *s, const char *end, const char *word)
{
	return (size_t)(end - s) == strlen(word) && memcmp(s, word, (size_t)(end - s)) == 0;
}

int profile_ini_get(const char *text, const char *section, const char *key, char *ret, size_t cap)
{
	bool inside = false;
	const char *next;

	for (const char *line = text; *line; line = next) {
		const char *end = line + strcspn(line, "\n"), *s = blanks_skip(line, end), *eq;

		next = *end ? end + 1 : end;
		end = blanks_trim(s, end);
		if (s < end && *s == '[' && end[-1] == ']') {
			inside = span_is(s + 1, end - 1, section);
			continue;
		}
		eq = s < end ? memchr(s, '=', (size_t)(end - s)) : NULL;
		if (!inside || !eq || *s == '#' || *s == ';' ||
		    !span_is(s, blanks_trim(s, eq), key))
			continue;
		s = blanks_skip(eq + 1, end);
		if ((size_t)(end - s) >= cap)
			return -ENAMETOOLONG;
		memcpy(ret, s, (size_t)(end - s));
		ret[end - s] = '\0';
		return 0;
	}
	return -ENOENT;
}

/* The file $@variable names, else ~/.aws/@name. Return: its text (owned, wiped by the caller), NULL. */
static char *file_text(const char *variable, const char *name)
{
	const char *path = env(variable), *home = env("HOME");
	char buf[512];
	char *text;
	size_t len;
	FILE *f;

	if (!path)
		snprintf(buf, sizeof(buf), "%s/.aws/%s", home ? home : "", name);
	f = fopen(path ? path : buf, "re");
	if (!f)
		return NULL;
	text = calloc(1, FILE_MAX + 1);
	len = text ? fread(text, 1, FILE_MAX, f) : 0;
	if (text)
		text[len] = '\0';
	(void)fclose(f);
	return text;
}

static void text_free(char *text)
{
	if (text)
		explicit_bzero(text, strlen(text));
	free(text);
}

/* Return: CLI_OK, or CLI_FAILED with the line printed when there is no such profile. */
static int files_read(const char *name, struct profile *p)
{
	char *config = file_text("AWS_CONFIG_FILE", "config"),
	     *keys = file_text("AWS_SHARED_CREDENTIALS_FILE", "credentials");
	char section[PROFILE_TEXT_MAX];
	int have;

	snprintf(section, sizeof(section), "%s%s", strcmp(name, "default") == 0 ? "" : "profile ",
		 name);
	if (config) {
		(void)!profile_ini_get(config, section, "region", p->region, sizeof(p->region));
		(void)!profile_ini_get(config, section, "endpoint_url", p->endpoint,
				       sizeof(p->endpoint));
		(void)!profile_ini_get(config, section, "ca_bundle", p->ca_bundle,
				       sizeof(p->ca_bundle));
	}
	have = keys ? profile_ini_get(keys, name, "aws_access_key_id", p->access_key_id,
				      sizeof(p->access_key_id))
		    : -ENOENT;
	if (have == 0)
		have = profile_ini_get(keys, name, "aws_secret_access_key", p->secret,
				       sizeof(p->secret));
	text_free(config);
	text_free(keys);
	return have == 0 ? CLI_OK
			 : cli_error("profile \"%s\" has no access key in ~/.aws/credentials; make "
				     "one with niter account key create",
				     name);
}

static void set(char *ret, size_t cap, const char *value)
{
	if (value)
		snprintf(ret, cap, "%s", value);
}

/* Who asks: AWS_ACCESS_KEY_ID, a named profile, or nobody was named. */
static int credentials_get(struct profile *ret, bool *ret_named)
{
	const char *name = cli_profile ? cli_profile : env("AWS_PROFILE");
	const char *id = env("AWS_ACCESS_KEY_ID"), *secret = env("AWS_SECRET_ACCESS_KEY");

	*ret_named = true;
	if (cli_profile || (name && !id))
		return files_read(name, ret);
	if (id && secret) {
		set(ret->access_key_id, sizeof(ret->access_key_id), id);
		set(ret->secret, sizeof(ret->secret), secret);
		return CLI_OK;
	}
	*ret_named = false;
	return CLI_OK;
}

static bool is_option(const char *word, const char *name)
{
	size_t len = strlen(name);

	return strncmp(word, name, len) == 0 && (word[len] == '\0' || word[len] == '=');
}

bool profile_is_named(int argc, char *const *argv)
{
	for (int k = 0; k < argc && strcmp(argv[k], "--") != 0; k++)
		if (is_option(argv[k], "--endpoint") || is_option(argv[k], "--profile"))
			return true;
	return env("AWS_ENDPOINT_URL_EC2") || env("AWS_ENDPOINT_URL");
}

int profile_get(struct profile *ret)
{
	const char *endpoint = cli_endpoint ? cli_endpoint : env("AWS_ENDPOINT_URL_EC2");
	const char *region = env("AWS_REGION");
	bool named = false;
	int r;

	memset(ret, 0, sizeof(*ret));
	r = credentials_get(ret, &named);
	if (r != CLI_OK)
		return r;
	set(ret->endpoint, sizeof(ret->endpoint), endpoint ? endpoint : env("AWS_ENDPOINT_URL"));
	set(ret->region, sizeof(ret->region), region ? region : env("AWS_DEFAULT_REGION"));
	set(ret->ca_bundle, sizeof(ret->ca_bundle), env("AWS_CA_BUNDLE"));
	if (!named || !ret->endpoint[0])
		r = local_profile(ret, !named);
	if (r == CLI_OK && !ret->region[0])
		set(ret->region, sizeof(ret->region), "us-east-1");
	if (r != CLI_OK)
		profile_wipe(ret);
	return r;
}
