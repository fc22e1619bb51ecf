/* SPDX-License-Identifier: Apache-2.0 */

/* niter console: what the instance's serial port said. It is the tenant's; it is printed byte for byte. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/base64.h"
#include "cli/cli.h"
#include "cli/client.h"

enum { WAIT_MS = 20000 };

/* Where the reader stands. */
struct place {
	uint64_t off;
	uint64_t boot; /* 0: not known yet */
};

/* One piece printed. Return: CLI_OK, CLI_FAILED; *more: there is or will be more. */
static int piece(struct client *c, const char *ref, bool follow, struct place *at, bool *more)
{
	json_t *params, *result = NULL;
	const char *text;
	uint8_t *data = NULL;
	size_t len = 0;
	uint64_t boot;
	bool going;
	int code;

	params = json_pack("{s:s,s:I,s:I,s:I}", "instance", ref, "off", (json_int_t)at->off, "boot",
			   (json_int_t)at->boot, "wait_ms", (json_int_t)(follow ? WAIT_MS : 0));
	code = client_call(c, "console.read", params, NULL, &result);
	if (code != CLI_OK)
		return code;
	text = json_string_value(json_object_get(result, "data"));
	if (!text || base64_decode(text, &data, &len) < 0) {
		json_decref(result);
		return cli_error(
			"the host sent what is no base64: use the niter it was installed with");
	}
	if (cli_json)
		json_print(result);
	else
		(void)fwrite(data, 1, len, stdout);
	(void)fflush(stdout);
	boot = u64_of(result, "boot");
	at->off = u64_of(result, "off") + len;
	at->boot = boot;
	going = strcmp(text_of(result, "state"), "pending") == 0 ||
		strcmp(text_of(result, "state"), "running") == 0 ||
		strcmp(text_of(result, "state"), "stopping") == 0;
	*more = at->off < u64_of(result, "end") || (follow && going);
	free(data);
	json_decref(result);
	return CLI_OK;
}

int verb_console(const struct verb *v, int argc, char **argv)
{
	CLEANUP(client_freep) struct client *c = NULL;
	bool follow = false, more = true;
	const struct opt opts[] = {
		{ "--follow", OPT_FLAG, NULL, "go on until the instance stops", &follow },
	};
	struct place at = { 0, 0 };
	int code;

	(void)opts_parse(v, argc, argv, opts, ARRAY_SIZE(opts));
	code = client_open(&c);
	while (code == CLI_OK && more)
		code = piece(c, argv[0], follow, &at, &more);
	return code;
}
