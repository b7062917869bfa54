/* SPDX-License-Identifier: MIT */
/*
 * libmariadb's headers: its calls, its own errors, and those of servers. Only drivers/mysql/wait.c
 * needs more of them, which it says there.
 */
#pragma once

#include <errmsg.h>
#include <mysql.h>
#include <mysqld_error.h>
