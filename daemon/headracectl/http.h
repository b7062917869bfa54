/* SPDX-License-Identifier: MIT */
/*
 * The HTTP client of a command line: one request, one answer, over a unix socket, waiting plainly.
 */
#pragma once

#include "daemon/headracectl/ctl.h"

struct http_answer {
    int status;
    char *body; /* to be freed; a NUL follows */
    size_t len;
};

/* Sends a request and waits for the whole answer. 0 and *ret; or an exit status, and what is wrong
 * has been said. */
int http_ask(struct ctl *ctl, const char *method, const char *path, const char *body, size_t len,
             struct http_answer *ret);
