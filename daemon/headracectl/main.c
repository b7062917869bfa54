/* SPDX-License-Identifier: MIT */
/*
 * headracectl: what people ask a running daemon, and what can be told from its configuration.
 */
#include <errno.h>
#include <locale.h>
#include <signal.h>
#include <string.h>

#include "daemon/headracectl/ctl.h"

const struct command commands[] = {
    {"status",                                                                                   status_command, "[JOB]", 0, 1, TAKES_SOCKET, "how the jobs fare",
     "Exit status 1 when one of them is not healthy.\n"},
    {"pause",                                                                                   pause_command, "JOB", 1, 1, TAKES_SOCKET, "stop claiming, on all daemons",
     "Batches that are begun are finished. It holds until it is resumed, also over restarts.\n"},
    {"resume",                                                                                         resume_command, "JOB", 1, 1, TAKES_SOCKET, "take a pause back", NULL},
    {"dead ls",                                                                       dead_ls_command, "JOB", 1, 1, TAKES_SOCKET | TAKES_CLASS | TAKES_LIMIT,
     "list dead letters, 50 unless --limit says otherwise", NULL},
    {"dead show",                                                                                          dead_show_command, "JOB ID...", 2, 1001, TAKES_SOCKET,
     "show dead letters whole, with their items", NULL},
    {"dead retry",dead_retry_command, "JOB ID...|--all|--class CLASS", 1, 1001,
     TAKES_SOCKET | TAKES_CHOICE | TAKES_CLASS | TAKES_LIMIT,
     "process the items of dead letters again", "At once, with no attempts used; what fails again is a dead letter with the same id.\n"},
    {"dead rm",                                                                                         dead_rm_command, "JOB ID...|--all|--class CLASS", 1, 1001,
     TAKES_SOCKET | TAKES_CHOICE | TAKES_CLASS | TAKES_LIMIT,
     "remove dead letters and their items for good", NULL},
    {"enqueue",                                                                              enqueue_command, "JOB [FILE|-]", 1, 2, TAKES_SOCKET,
     "push each line of a file or of standard input as an item", "Empty lines are passed over.\n"},
    {"check", check_command, "", 0, 0, TAKES_CONFIG | TAKES_ONLINE,
     "read the configuration and print every mistake in it", "Exit status 78 when there is one. Nothing is connected to.\n"},
    {"explain",                                                                                   explain_command, "JOB", 1, 1, TAKES_CONFIG,
     "what a job does, and what it promises at which failure", NULL},
    {"ledger",                                                                                     ledger_command, "", 0, 0, TAKES_CONFIG,
     "print the statement that makes the ledger's table, and where it is needed", NULL},
    {NULL                                                                                        },
};

int main(int argc, char **argv)
{
    setlocale(LC_CTYPE, "");
    signal(SIGPIPE, SIG_IGN);
    struct ctl ctl = {.config = "/etc/headrace"};
    int status = options_parse(&ctl, argc, argv);
    if (status < 0)
        status = ctl.command->run(&ctl);
    if ((fflush(stdout) != 0 || ferror(stdout)) && errno != EPIPE) {
        fprintf(stderr, "headracectl: standard output cannot be written: %s\n", strerror(errno));
        return EX_SOFTWARE;
    }
    return status;
}
