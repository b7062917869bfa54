/* SPDX-License-Identifier: MIT */
/*
 * The server and the session that a test talks with, and short ways to ask.
 */
#pragma once

#include "drivers/http.h"
#include "tests/http/server.h"

extern struct rig {
    struct test_http server;
    hr_http_session *session;
} rig;

/* Starts the server, and makes a session: rig_begin(serve, .limit = 1). */
#define rig_begin(serve, ...) rig_begin_with(serve, (struct hr_http_options){__VA_ARGS__})
void rig_begin_with(bool (*serve)(struct test_conn *conn), struct hr_http_options options);
void rig_end(void);

/* The server's URL with that path; valid for 16 calls. */
const char *rig_url(const char *path);

/* What reading the whole body of a path comes to, and its text, "" where that fails; its status is
 * 200 in any case. */
int rig_get(const char *path, char *text, size_t size);

/* Byte i of a long body. */
char rig_byte(size_t i);
