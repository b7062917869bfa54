/* SPDX-License-Identifier: MIT */
/*
 * How a statement is killed: by a connection of its own, as the pool's may all be waiting for it.
 */
#include "drivers/mysql/kill.h"

#include <stdio.h>

#include "core/task.h"
#include "core/timeout.h"
#include "drivers/mysql/call.h"

struct killing {
    struct hr__mysql_server *server;
    struct hr__mysql_host *host; /* on another one, another session has this number */
    unsigned long id;
    size_t place; /* among the server's */
};

static void killing_over(void *arg)
{
    struct killing *killing = arg;
    hr_future_unref(hr_take(killing->server->killers[killing->place]));
    hr__mysql_server_unref(killing->server);
    free(killing);
}

static hr_async int send_kill(hr_mysql_conn *conn, unsigned long id)
{
    char sql[64];
    struct hr__mysql_call call;
    snprintf(sql, sizeof(sql), "KILL QUERY %lu", id);
    int r = hr__mysql_enter(&call, conn, sql, conn->server->connect_timeout);
    return r < 0 ? r : hr__mysql_leave(&call, hr__mysql_run(conn, sql));
}

static int kill_statement(void *arg)
{
    struct killing *killing = arg;
    struct hr__mysql_server *server = killing->server;
    hr_mysql_conn *conn;
    int r = hr__mysql_wait_setup();
    if (r >= 0)
        r = hr__mysql_open_host(server, killing->host, server->connect_timeout, &conn);
    if (r >= 0) {
        r = send_kill(conn, killing->id);
        hr__mysql_conn_ops.close(conn, r >= 0);
        server->counts.killed += r >= 0;
    }
    killing_over(killing);
    return 0; /* it was worth a try; a session that is gone is none to kill */
}

void hr__mysql_kill(const hr_mysql_conn *conn)
{
    struct hr__mysql_server *server = conn->server;
    size_t place = 0;
    while (place < HR__MYSQL_KILLS_MAX && server->killers[place])
        place++;
    if (place == HR__MYSQL_KILLS_MAX)
        return;
    struct killing *killing = malloc(sizeof(*killing));
    if (!killing)
        return;
    *killing = (struct killing){server, conn->host, mysql_thread_id(conn->mysql), place};
    server->refs++;
    const struct hr_task_options options = {.name = "mysql kill", .free_arg = killing_over};
    server->killers[place] = hr_create_task_with(&options, kill_statement, killing);
    if (!server->killers[place])
        killing_over(killing);
}

int hr__mysql_kills_end(struct hr__mysql_server *server)
{
    for (size_t i = 0; i < HR__MYSQL_KILLS_MAX; i++) {
        if (!server->killers[i])
            continue;
        hr_auto(hr_future_unrefp) hr_future *killer = hr_future_ref(server->killers[i]);
        int r = hr_shield(hr_future_ref(killer));
        if (r == -ECANCELED && !hr_future_done(killer))
            return r;
    }
    return 0;
}
