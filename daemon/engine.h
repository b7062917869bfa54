/* SPDX-License-Identifier: MIT */
/*
 * Whether a table takes part in transactions: a promise of exactly once rests on it.
 */
#pragma once

#include "drivers/mysql.h"

/* Looks up the engine of a table, written as in SQL (t, `t`, db.t). 0 for InnoDB and for what the
 * server does not tell (views); MISCONFIGURED for any other engine; or a code of hr_mysql_query().
 */
hr_async int engine_check(hr_mysql_conn *conn, const char *table);
