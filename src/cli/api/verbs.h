/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The verbs of instances and volumes as a tenant has them: calls of the EC2 API. They stand in for those of the operator's
 * connection when the command line or the environment names an endpoint or a profile.
 */

#include "cli/cli.h"

int api_run(const struct verb *v, int argc, char **argv);
int api_ps(const struct verb *v, int argc, char **argv);
int api_stop(const struct verb *v, int argc, char **argv);
int api_start(const struct verb *v, int argc, char **argv);
int api_reboot(const struct verb *v, int argc, char **argv);
int api_rm(const struct verb *v, int argc, char **argv);
int api_types(const struct verb *v, int argc, char **argv);
int api_console(const struct verb *v, int argc, char **argv);
int api_volume_ls(const struct verb *v, int argc, char **argv);
int api_volume_create(const struct verb *v, int argc, char **argv);
int api_volume_rm(const struct verb *v, int argc, char **argv);
