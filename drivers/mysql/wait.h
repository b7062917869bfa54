/* SPDX-License-Identifier: MIT */
/*
 * The socket of a MySQL connection: where libmariadb would block, the task waits.
 *
 * libmariadb reaches its socket through a table of functions (a "pvio plugin"). For our connections
 * that table is the one in mysql/wait.c, so every call of the library is awaitable on the stack of
 * the task that makes it, the socket is one that we connected ourselves, without names, backlogs or
 * resolvers inside the library, and other users of the library in this process notice nothing.
 *
 * TLS is ours as well (drivers/tls): the library knows nothing of it. Where its login would go out,
 * the request for TLS goes in front, and hands are shaken.
 */
#pragma once

#include "drivers/wire.h"

struct hr__mysql_wait {
    struct hr__wire wire;        /* closed: none, or the library has closed it */
    struct hr__tls_context *tls; /* borrowed; the login goes through TLS. NULL: plain */
    const char *host;            /* the name that the server's certificate has to bear; borrowed */
    struct st_ma_pvio *pvio;     /* the library's side of it; NULL: not connected */
    int failed;      /* the code that ended a wait; every later one ends alike. 0: none */
    bool heard;      /* the library has gone on to read, so its request had left whole */
    bool asked;      /* something was sent, and nothing received since */
    bool logging_in; /* until the login is over */
    bool silent;     /* nothing waits any more: what would block fails */
    char why[192];   /* what went wrong on the way and only we know; "": nothing */
};

/* Once a process: 0, -ENOMEM, or -ENOTSUP when this libmariadb is not one that we can drive. */
int hr__mysql_wait_setup(void);

/* Takes a connected, non-blocking socket: 0 or -ENOMEM (then fd is closed). */
int hr__mysql_wait_open(struct hr__mysql_wait *wait, int fd);

/* What the library opens next in this thread is this socket. Call mysql_real_connect() at once. */
void hr__mysql_wait_lend(struct hr__mysql_wait *wait);

/* Looks at what the library will read next, without taking it: receives once if nothing is there.
 * Returns its length; 0: nothing to see, and the library's own reading will tell why. */
hr_async size_t hr__mysql_wait_peek(struct hr__mysql_wait *wait, const unsigned char **ret);

/* Takes all that was seen: the library will not read it. */
void hr__mysql_wait_take(struct hr__mysql_wait *wait);

/* Closes what the library has left open, or has never taken. */
void hr__mysql_wait_close(struct hr__mysql_wait *wait);
