/* SPDX-License-Identifier: MIT */
/*
 * ledger: the statement that makes the table of protocol.md 3, for an administrator to run.
 */
#include <string.h>

#include "daemon/headracectl/files.h"
#include "daemon/headracectl/print.h"
#include "daemon/ledger.h"

static bool needs(const struct job_conf *job, const struct server_conf *server)
{
    return job->delivery == EXACTLY_ONCE && job->sink.server == server;
}

static void print_names(const struct settings *settings, const struct server_conf *server,
                        bool json)
{
    const char *between = "";
    for (size_t i = 0; i < settings->n_jobs; i++) {
        const char *name = settings->jobs[i].name;
        if (!needs(&settings->jobs[i], server))
            continue;
        fputs(between, stdout);
        if (json)
            print_json_string(stdout, name, strlen(name));
        else
            fputs(name, stdout);
        between = json ? "," : ", ";
    }
}

static bool is_needed(const struct settings *settings, const struct server_conf *server)
{
    bool needed = false;
    for (size_t i = 0; i < settings->n_jobs; i++)
        needed |= needs(&settings->jobs[i], server);
    return needed;
}

static void print_json(const struct settings *settings)
{
    const char *between = "";
    fputs("{\"ddl\":", stdout);
    print_json_string(stdout, ledger_ddl, strlen(ledger_ddl));
    fputs(",\"servers\":[", stdout);
    for (size_t i = 0; i < settings->n_servers; i++) {
        const struct server_conf *server = &settings->servers[i];
        if (!is_needed(settings, server))
            continue;
        printf("%s{\"server\":", between);
        print_json_string(stdout, server->name, strlen(server->name));
        fputs(",\"jobs\":[", stdout);
        print_names(settings, server, true);
        fputs("]}", stdout);
        between = ",";
    }
    puts("]}");
}

static void print_sql(const struct settings *settings)
{
    bool needed = false;
    for (size_t i = 0; i < settings->n_servers; i++) {
        const struct server_conf *server = &settings->servers[i];
        if (!is_needed(settings, server))
            continue;
        needed = true;
        printf("-- needed in the database of server %s, for: ", server->name);
        print_names(settings, server, false);
        puts("");
    }
    puts(
        needed
            ? "-- headraced makes it where it may CREATE. Where it may not, it needs SELECT, INSERT,\n"
              "-- UPDATE and DELETE on this table."
            : "-- no job of this configuration needs it: only delivery: exactly_once does");
    printf("%s;\n", ledger_ddl);
}

int ledger_command(struct ctl *ctl)
{
    hr_auto(settings_freep) struct settings *settings = NULL;
    int status = files_load(ctl, &settings);
    if (status != 0)
        return status;
    if (ctl->json)
        print_json(settings);
    else
        print_sql(settings);
    return EX_OK;
}
