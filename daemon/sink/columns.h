/* SPDX-License-Identifier: MIT */
/*
 * What the server knows about the statement: that it can be prepared, and which columns its
 * parameters go to.
 */
#pragma once

#include "daemon/item/bind.h"
#include "daemon/settings.h"
#include "drivers/mysql.h"

/* Prepares the job's statement and, for a plain INSERT, reads the columns of its parameters into
 * columns (one for each, in their order; names are borrowed from conf). Parameters whose column is
 * not known keep kind COLUMN_UNKNOWN. 0, or a code with what the server said. */
hr_async int columns_learn(hr_mysql_pool *pool, const struct job_conf *conf,
                           struct column *columns);
