/* SPDX-License-Identifier: MIT */
#include "daemon/options.h"

#include <getopt.h>
#include <stdio.h>
#include <sysexits.h>

static const char help[] =
    "Usage: headraced [--config FILE|DIR] [--check]\n"
    "\n"
    "Carries work from Redis lists into MySQL rows, each item once.\n"
    "\n"
    "  -c, --config FILE|DIR  configuration; default /etc/headrace\n"
    "      --check            check the configuration, print every mistake, exit\n"
    "  -V, --version          print the version, exit\n"
    "  -h, --help             print this, exit\n"
    "\n"
    "See headraced(8) and headrace.yaml(5).\n";

struct options options_parse(int argc, char **argv)
{
    enum { CHECK = 256 };
    static const struct option known[] = {
        {"config",  required_argument, NULL, 'c'  },
        {"check",   no_argument,       NULL, CHECK},
        {"version", no_argument,       NULL, 'V'  },
        {"help",    no_argument,       NULL, 'h'  },
        {NULL,      0,                 NULL, 0    },
    };
    struct options options = {.config = "/etc/headrace", .exit_status = -1};
    int c;
    while ((c = getopt_long(argc, argv, "c:Vh", known, NULL)) != -1) {
        switch (c) {
        case 'c':
            options.config = optarg;
            break;
        case CHECK:
            options.check_only = true;
            break;
        case 'V':
            puts("headraced " HEADRACE_VERSION);
            options.exit_status = EX_OK;
            return options;
        case 'h':
            fputs(help, stdout);
            options.exit_status = EX_OK;
            return options;
        default:
            fputs("Try: headraced --help\n", stderr);
            options.exit_status = EX_USAGE;
            return options;
        }
    }
    if (optind < argc) {
        fprintf(stderr, "headraced: unexpected argument: %s\nTry: headraced --help\n",
                argv[optind]);
        options.exit_status = EX_USAGE;
    }
    return options;
}
