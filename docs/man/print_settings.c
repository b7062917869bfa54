/* SPDX-License-Identifier: MIT */
/*
 * Completes headrace.yaml(5): the page with the list of settings, printed from the very tables that
 * read the configuration, in place of the line @SETTINGS@.
 */
#include <stdio.h>
#include <string.h>

#include "daemon/settings.h"

int main(void)
{
    char line[4096];
    while (fgets(line, sizeof(line), stdin)) {
        if (strcmp(line, "@SETTINGS@\n") == 0)
            settings_print_man(stdout);
        else
            fputs(line, stdout);
    }
    return ferror(stdin) || fflush(stdout) != 0;
}
