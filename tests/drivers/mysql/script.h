/* SPDX-License-Identifier: MIT */
/*
 * A server that knows one login by heart: it accepts one connection, says what it is to say, and
 * keeps what it hears.
 */
#pragma once

#include "tests/drivers/mysql/mysql_test.h"

#define SCRIPT_CAPABILITIES 0x000aa209u /* 4.1, transactions, plugins, several results */
#define SCRIPT_WITH_TLS     0x00000800u
#define SCRIPT_SALT         "12345678abcdefghijkl"
#define SCRIPT_PASSWORD     "s3cret" /* in the URL */

struct script {
    unsigned capabilities;
    const char *plugin; /* of the greeting */
    const void *early;  /* follows the greeting at once, of that size; NULL: nothing */
    size_t early_size;
    const void *answer; /* to the login; NULL: none, and all that follows is heard in silence */
    size_t answer_size;
    bool hangs_up; /* at the first that follows the answer */

    char url[96];
    int listener;
    char login[512]; /* the client's first packet */
    size_t n_login;
    char heard[512]; /* what followed the answer */
    size_t n_heard;
};

/* Listens; parameters go at the end of the url ("?tls=none"). */
void script_open(struct script *script, const char *parameters);

/* Writes the greeting with its header; returns its size, 128 bytes at most. */
size_t script_greeting(const struct script *script, char *packet);

/* Plays it once for a first loan of this time limit and password (NULL: the url's), and closes it.
 * The loan's code, and its record. */
int script_play(struct script *script, hr_usec limit, const char *password);

/* Fails the test when the running task's error does not say that. */
void script_expect_said(const char *part);
