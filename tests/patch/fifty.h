/* SPDX-License-Identifier: MIT */
/*
 * Client libraries that know nothing of tasks, each in fifty tasks at once.
 */
#pragma once

#include "core/base.h"

#define FIFTY 50

/* Called in a task. Each waits in a blocking pop on a connection of hiredis (port 0: path is a unix
 * socket, else an address) until all fifty do, which another client sees. 0, or an error. */
hr_async int fifty_redis(const char *path, int port);

/* The same with libpq and a server that answers nobody before all have asked (gate.h). */
hr_async int fifty_postgres(int port);

/* Whether libpq was there when this was built. */
bool fifty_has_postgres(void);
