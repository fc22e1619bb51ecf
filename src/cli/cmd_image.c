/* SPDX-License-Identifier: Apache-2.0 */

/* niter image build|put|ls|rm */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/client.h"
#include "cli/image.h"
#include "crypto/crypto.h"

enum { PATH_BYTES = 1024, BUILD_ARGS_MAX = 16 };

/* The script that builds: beside the program, or where $NITER_LIBEXEC says. */
static int script_find(const char *name, char ret[PATH_BYTES])
{
	const char *env = getenv("NITER_LIBEXEC"); /* NOLINT(concurrency-mt-unsafe): one thread */
	char self[PATH_BYTES / 2];
	ssize_t len;
	char *slash;

	if (env && env[0]) {
		snprintf(ret, PATH_BYTES, "%s/%s", env, name);
	} else {
		len = readlink("/proc/self/exe", self, sizeof(self) - 1);
		if (len < 0)
			return cli_error("cannot find my own program: %s", strerrordesc_np(errno));
		self[len] = '\0';
		slash = strrchr(self, '/');
		*(slash ? slash : self) = '\0';
		snprintf(ret, PATH_BYTES, "%s/../lib/niter/%s", self, name);
	}
	if (access(ret, X_OK) < 0)
		return cli_error("cannot run %s: install niter whole, or set NITER_LIBEXEC", ret);
	return CLI_OK;
}

/* Shows "step: …" lines as progress, everything else as it comes. */
static void script_follow(FILE *out)
{
	struct progress p = { .open = false };
	char line[512];

	while (fgets(line, sizeof(line), out)) {
		line[strcspn(line, "\n")] = '\0';
		if (strncmp(line, "step: ", 6) == 0) {
			progress_show(&p, line + 6, 0, 0);
		} else {
			progress_end(&p);
			fprintf(stderr, "%s\n", line);
		}
	}
	progress_end(&p);
}

static int script_run(char *const argv[])
{
	int pipe_fd[2], status = 0;
	FILE *out;
	pid_t pid;

	if (pipe2(pipe_fd, O_CLOEXEC) < 0)
		return cli_error("cannot start the build: %s", strerrordesc_np(errno));
	pid = fork();
	if (pid == 0) {
		if (dup2(pipe_fd[1], STDOUT_FILENO) >= 0)
			execv(argv[0], argv);
		_exit(127);
	}
	close(pipe_fd[1]);
	out = fdopen(pipe_fd[0], "r");
	if (out) {
		script_follow(out);
		(void)fclose(out);
	} else {
		close(pipe_fd[0]);
	}
	if (pid < 0 || waitpid(pid, &status, 0) < 0)
		return cli_error("cannot start the build: %s", strerrordesc_np(errno));
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return CLI_OK;
	return cli_error("the image could not be built: the lines above say why");
}

static void dir_remove(const char *dir)
{
	static const char *const names[] = { "kernel", "initrd", "disk.raw", "image.json" };
	char path[PATH_BYTES];

	for (size_t k = 0; k < ARRAY_SIZE(names); k++) {
		if (snprintf(path, sizeof(path), "%s/%s", dir, names[k]) < (int)sizeof(path))
			(void)unlink(path);
	}
	if (rmdir(dir) < 0)
		(void)cli_error("%s is left: remove it", dir);
}

/* A word of the script's command line; NULL values leave both out. */
static void arg_add(char **argv, size_t *cnt, const char *opt, const char *value)
{
	if (!value)
		return;
	must(*cnt + 2 < BUILD_ARGS_MAX);
	argv[(*cnt)++] = strdup(opt);
	argv[(*cnt)++] = strdup(value);
}

int verb_image_build(const struct verb *v, int argc, char **argv)
{
	const char *suite = NULL, *include = NULL, *overlay = NULL, *size = NULL, *name = NULL,
		   *keep = NULL;
	const struct opt opts[] = {
		{ "--suite", OPT_TEXT, "SUITE", "Debian release: bookworm (default) or trixie",
		  &suite },
		{ "--include", OPT_TEXT, "PKG,PKG", "packages to add", &include },
		{ "--overlay", OPT_TEXT, "DIR", "files copied over the root", &overlay },
		{ "--size", OPT_TEXT, "MIB", "size of the disk in MiB", &size },
		{ "--name", OPT_TEXT, "NAME", "what to call the image; default debian-SUITE",
		  &name },
		{ "--output", OPT_TEXT, "DIR", "leave the image there instead of uploading it",
		  &keep },
	};
	char script[PATH_BYTES], dir[PATH_BYTES];
	const char *tmp = getenv("TMPDIR"); /* NOLINT(concurrency-mt-unsafe): one thread */
	char *args[BUILD_ARGS_MAX] = { script };
	size_t cnt = 1;
	int code;

	(void)opts_parse(v, argc, argv, opts, ARRAY_SIZE(opts));
	if (strcmp(argv[0], "debian") != 0)
		return cli_usage("unknown image kind \"%s\": only debian can be built", argv[0]);
	if (crypto_init() < 0)
		return cli_error("libcrypto lacks an algorithm: install Debian's libssl3");
	code = script_find("image-build-debian", script);
	if (code != CLI_OK)
		return code;
	snprintf(dir, sizeof(dir), "%s", keep ? keep : "");
	if (!keep) {
		snprintf(dir, sizeof(dir), "%s/niter-image.XXXXXX",
			 tmp && tmp[0] ? tmp : "/var/tmp");
		if (!mkdtemp(dir))
			return cli_error("cannot make %s: %s", dir, strerrordesc_np(errno));
	}
	arg_add(args, &cnt, "--suite", suite);
	arg_add(args, &cnt, "--include", include);
	arg_add(args, &cnt, "--overlay", overlay);
	arg_add(args, &cnt, "--size", size);
	args[cnt++] = dir;
	code = script_run(args);
	for (size_t k = 1; k + 1 < cnt; k++)
		free(args[k]);
	if (!keep) {
		if (code == CLI_OK)
			code = image_upload(dir, name);
		dir_remove(dir);
	}
	return code;
}

int verb_image_put(const struct verb *v, int argc, char **argv)
{
	const char *name = NULL;
	const struct opt opts[] = {
		{ "--name", OPT_TEXT, "NAME",
		  "what to call the image; default: what image.json says", &name },
	};

	(void)opts_parse(v, argc, argv, opts, ARRAY_SIZE(opts));
	if (crypto_init() < 0)
		return cli_error("libcrypto lacks an algorithm: install Debian's libssl3");
	return image_upload(argv[0], name);
}

static void image_rows(const json_t *list)
{
	static const char *const heads[] = { "ID", "NAME", "DISK", "STORED", "KERNEL", "AGE" };
	struct table t = { .col_cnt = ARRAY_SIZE(heads) };
	uint64_t now_ms = (uint64_t)time(NULL) * 1000;
	size_t k;
	json_t *i;
	char buf[32];

	for (k = 0; k < ARRAY_SIZE(heads); k++)
		table_add(&t, heads[k]);
	json_array_foreach(list, k, i)
	{
		table_add(&t, text_of(i, "id"));
		table_add(&t, text_of(i, "name"));
		table_add(&t, size_text(buf, sizeof(buf), u64_of(i, "disk_bytes")));
		table_add(&t, size_text(buf, sizeof(buf), u64_of(i, "stored_bytes")));
		table_add(&t, text_of(i, "kernel_version"));
		table_add(&t, age_text(buf, sizeof(buf), text_of(i, "created"), now_ms));
	}
	table_print(&t);
	table_done(&t);
}

int verb_image_ls(const struct verb *v, int argc, char **argv)
{
	json_t *result = NULL;
	int code;

	(void)opts_parse(v, argc, argv, NULL, 0);
	code = client_call_once("image.list", NULL, NULL, &result);
	if (code == CLI_OK && cli_json)
		json_print(result);
	else if (code == CLI_OK)
		image_rows(json_object_get(result, "images"));
	json_decref(result);
	return code;
}

int verb_image_rm(const struct verb *v, int argc, char **argv)
{
	int cnt = opts_parse(v, argc, argv, NULL, 0), code = CLI_OK;

	for (int k = 0; k < cnt; k++) {
		json_t *result = NULL;

		if (client_call_once("image.rm", json_pack("{s:s}", "image", argv[k]), NULL,
				     &result) != CLI_OK)
			code = CLI_FAILED;
		else if (cli_json)
			json_print(result);
		else
			puts(text_of(result, "removed"));
		json_decref(result);
	}
	return code;
}
