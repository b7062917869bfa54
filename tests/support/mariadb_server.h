/* SPDX-License-Identifier: MIT */
/*
 * A private MariaDB server for tests: its own folder, a unix socket, and ways to hurt it.
 *
 * Everything here blocks the calling thread, loop or not. Whatever goes wrong ends the program. A
 * server dies with the program that started it, and its folder is removed.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct mariadb_server {
    char dir[64];
    char socket[96];
    uint16_t port; /* on 127.0.0.1; 0: none */
    pid_t pid;     /* 0 while it is down */
};

/* The one that the tests of a program share, started when first asked for. It has a database
 * "test", root without a password on the socket, and user "app" with password "s3cret/@:". */
struct mariadb_server *mariadb_server_shared(void);

/* As above, of the caller's own. tcp: listens on a free port too. options: NULL or more of them,
 * ended by NULL. */
void mariadb_server_start(struct mariadb_server *server, int tcp, const char *const *options);

/* Stops it for good and removes its folder. */
void mariadb_server_stop(struct mariadb_server *server);

/* SIGKILL, and a new start on the same data. */
void mariadb_server_kill(struct mariadb_server *server);
void mariadb_server_revive(struct mariadb_server *server);

/* SIGSTOP and SIGCONT: it accepts connections and says nothing. */
void mariadb_server_freeze(struct mariadb_server *server);
void mariadb_server_thaw(struct mariadb_server *server);

/* Runs statements as root, one connection a call. */
void mariadb_server_sql(struct mariadb_server *server, const char *sql);

/* The first value of the first row as a number; 0 for none. */
long long mariadb_server_number(struct mariadb_server *server, const char *sql);
