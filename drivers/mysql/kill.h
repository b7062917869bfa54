/* SPDX-License-Identifier: MIT */
/*
 * KILL QUERY for a statement that was given up: the server would run it to its end otherwise.
 */
#pragma once

#include "drivers/mysql/conn.h"

/* Starts a task that connects and kills what the connection runs; does not wait. The connection is
 * never used again, so what comes late hits nobody. With four under way, or without memory, the
 * statement is left to run. */
void hr__mysql_kill(const hr_mysql_conn *conn);

/* Waits until none is under way: 0 or -ECANCELED. */
hr_async int hr__mysql_kills_end(struct hr__mysql_server *server);
