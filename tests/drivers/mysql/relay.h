/* SPDX-License-Identifier: MIT */
/*
 * A relay of tasks in front of a MariaDB server, that knows the packets which pass: it makes the
 * server look like another one, goes silent in the middle of a handshake, or talks nonsense.
 */
#pragma once

#include "core/headrace.h"

struct relay {
    uint16_t port; /* of 127.0.0.1, where the client connects */

    /* Both before relay_start(). */
    bool elder;     /* it is MySQL 8: another name, and nothing that MariaDB has added */
    bool halts_tls; /* the server's first record of TLS passes, and then nothing any more */

    bool garbles; /* at any time: the server's next answer is nonsense */

    unsigned bulks; /* COM_STMT_BULK_EXECUTE seen, which an elder server does not know */
    bool halted;

    uint16_t to;
    int listener;
    hr_task *acceptor;
};

/* Relays one connection after the other to this port of loopback. Fails the test when it cannot. */
void relay_start(struct relay *relay, uint16_t to);
void relay_end(struct relay *relay);
