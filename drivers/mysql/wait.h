/* SPDX-License-Identifier: MIT */
/*
 * The socket of a MySQL connection: where libmariadb would block, the task waits.
 *
 * libmariadb reaches its socket through a table of functions (a "pvio plugin"). For our connections
 * that table is the one in mysql/wait.c, so every call of the library is awaitable on the stack of
 * the task that makes it, the socket is one that we connected ourselves, without names, backlogs or
 * resolvers inside the library, and other users of the library in this process notice nothing.
 */
#pragma once

#include "core/io.h"

struct hr__mysql_wait {
    int fd;      /* -1: none, or the library has closed it */
    hr_io *io;   /* belongs to the loop that made the connection */
    int failed;  /* the code that ended a wait; every later one ends alike. 0: none */
    bool heard;  /* the library has gone on to read, so its request had left whole */
    bool tls;    /* the login may only go through TLS */
    bool plain;  /* it would not have: it was refused */
    bool silent; /* nothing waits any more: what would block fails */
};

/* Once a process: 0, -ENOMEM, or -ENOTSUP when this libmariadb is not one that we can drive. */
int hr__mysql_wait_setup(void);

/* Takes a connected, non-blocking socket: 0 or -ENOMEM (then fd is closed). */
int hr__mysql_wait_open(struct hr__mysql_wait *wait, int fd);

/* What the library opens next in this thread is this socket. Call mysql_real_connect() at once. */
void hr__mysql_wait_lend(struct hr__mysql_wait *wait);

/* Closes what the library has left open, or has never taken. */
void hr__mysql_wait_close(struct hr__mysql_wait *wait);

/* Without waiting: false when the peer has closed, or has said what nobody asked for. */
bool hr__mysql_wait_quiet(const struct hr__mysql_wait *wait);
