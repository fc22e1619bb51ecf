/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * host_main() - niter host start|stop|status|log
 * @argv: argv[0] is the word behind "host", the rest its options; --json and --help are among them
 * Return: the exit code, CLI_OK, CLI_FAILED or CLI_USAGE of cli.h.
 */
int host_main(int argc, char **argv);
