/* SPDX-License-Identifier: MIT */
/*
 * What a client says first on a fresh connection: who it is, which protocol and database it wants.
 */
#pragma once

#include "drivers/redis/open.h"

/* All of it costs one round trip: HELLO 3 with user, password and name, or, with a server that
 * does not know it, a second one in RESP2. *ret_who may be NULL: not asked. The codes of a command;
 * HR_EREPLY says which the server refused. */
hr_async int hr__redis_greet(struct hr__redis_conn *conn, const struct hr__redis_target *target,
                             struct hr__redis_identity *ret_who);

/* The run_id in a reply to INFO server: which process answers, whatever its address. "" where it
 * does not tell. */
void hr__redis_read_server(const hr_reply *info, char ret[HR__REDIS_SERVER_MAX]);
