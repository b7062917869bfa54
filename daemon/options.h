/* SPDX-License-Identifier: MIT */
/*
 * The daemon's arguments.
 */
#pragma once

#include "core/base.h"

struct options {
    const char *config; /* file or folder */
    bool check_only;
    int exit_status; /* ≥ 0: everything is said, exit with it */
};

/* Reads argv; prints help, version or what is wrong. */
struct options options_parse(int argc, char **argv);
