/* SPDX-License-Identifier: MIT */
/*
 * What the programs that are compared as clients ask their servers: the same from each.
 *
 * The peers in other languages repeat these lines.
 */
#pragma once

#define CLIENTS_KEY    "key:__rand_int__" /* redis-benchmark knows no other */
#define CLIENTS_VALUE  "sixteen bytes..."
#define CLIENTS_ROWS   10000 /* in kv, with the keys 1 to 10000 */
#define CLIENTS_BATCH  1000  /* rows of one bulk insert */
#define CLIENTS_SELECT "SELECT v FROM kv WHERE k = ?"
#define CLIENTS_INSERT "INSERT INTO bulk (n, v) VALUES (?, ?)"
#define CLIENTS_EMPTY  "TRUNCATE TABLE bulk"
