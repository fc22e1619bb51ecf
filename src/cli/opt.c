/* SPDX-License-Identifier: Apache-2.0 */

/* Command lines by table. Options may stand anywhere; "--" ends them; "--name=X" is "--name X". */

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/api/profile.h"
#include "cli/cli.h"

bool cli_json;

int cli_error(const char *fmt, ...)
{
	va_list ap;

	fflush(stdout);
	fputs("niter: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	return CLI_FAILED;
}

int cli_usage(const char *fmt, ...)
{
	va_list ap;

	fputs("niter: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputs(": run niter --help\n", stderr);
	return CLI_USAGE;
}

/* What every verb has. */
static const struct opt common[] = {
	{ "--json", OPT_FLAG, NULL, "print the result as JSON", &cli_json },
	{ "--profile", OPT_TEXT, "NAME", "... as this profile of ~/.aws", &cli_profile },
	{ "--endpoint", OPT_TEXT, "URL", "speak to this EC2 API, as a tenant", &cli_endpoint },
	{ "--help", OPT_FLAG, NULL, "print this", NULL },
};

static void opt_help(const struct opt *o)
{
	char left[40];

	snprintf(left, sizeof(left), "%s%s%s", o->name, o->arg ? " " : "", o->arg ? o->arg : "");
	printf("  %-22s %s\n", left, o->about);
}

static void verb_help(const struct verb *v, const struct opt *opts, size_t opt_cnt)
{
	printf("niter %s%s%s%s\n\n%s.\n\n", v->name, v->args[0] ? " " : "", v->args,
	       opt_cnt ? " [OPTIONS]" : "", v->about);
	for (size_t k = 0; k < opt_cnt; k++)
		opt_help(&opts[k]);
	for (size_t k = 0; k < ARRAY_SIZE(common); k++)
		opt_help(&common[k]);
}

static NORETURN void wrong(const struct verb *v, const char *what, const char *word)
{
	fprintf(stderr, "niter: %s%s%s%s: run niter %s --help\n", what, word ? " \"" : "",
		word ? word : "", word ? "\"" : "", v->name);
	exit(CLI_USAGE); /* NOLINT(concurrency-mt-unsafe): one thread */
}

static const struct opt *opt_find(const char *word, size_t len, const struct opt *opts,
				  size_t opt_cnt)
{
	for (size_t k = 0; k < opt_cnt; k++)
		if (strlen(opts[k].name) == len && strncmp(opts[k].name, word, len) == 0)
			return &opts[k];
	return NULL;
}

/* One option at argv[at]. Return: how many words it took. */
static int opt_take(const struct verb *v, int argc, char **argv, int at, const struct opt *opts,
		    size_t opt_cnt)
{
	const char *word = argv[at], *eq = strchr(word, '=');
	size_t len = eq ? (size_t)(eq - word) : strlen(word);
	const struct opt *o = opt_find(word, len, opts, opt_cnt);

	if (!o)
		o = opt_find(word, len, common, ARRAY_SIZE(common));
	if (!o)
		wrong(v, "unknown option", word);
	if (o->type == OPT_FLAG) {
		if (eq)
			wrong(v, "this option takes no value:", o->name);
		*(bool *)o->ret = true;
		return 1;
	}
	if (!eq && at + 1 >= argc)
		wrong(v, "this option needs a value:", o->name);
	*(const char **)o->ret = eq ? eq + 1 : argv[at + 1];
	return eq ? 1 : 2;
}

int opts_parse(const struct verb *v, int argc, char **argv, const struct opt *opts, size_t opt_cnt)
{
	bool only_words = false;
	int cnt = 0, at = 0;

	while (at < argc) {
		char *word = argv[at];

		if (only_words || word[0] != '-' || word[1] == '\0') {
			argv[cnt++] = word;
			at++;
		} else if (strcmp(word, "--") == 0) {
			only_words = true;
			at++;
		} else if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0) {
			verb_help(v, opts, opt_cnt);
			exit(CLI_OK); /* NOLINT(concurrency-mt-unsafe): one thread */
		} else {
			at += opt_take(v, argc, argv, at, opts, opt_cnt);
		}
	}
	if (cnt < v->args_min)
		wrong(v, "something is missing:", v->args);
	if (v->args_max >= 0 && cnt > v->args_max)
		wrong(v, "one word too many:", argv[v->args_max]);
	return cnt;
}
