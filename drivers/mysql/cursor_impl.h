/* SPDX-License-Identifier: MIT */
/*
 * What becomes of a connection's cursors when it is given back.
 */
#pragma once

#include "drivers/mysql/conn.h"

/* From now on they fail with HR_ECLOSED. The connection is broken where one of them had left a part
 * of a reply. */
void hr__mysql_cursors_detach(hr_mysql_conn *conn);
