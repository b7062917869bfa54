/* SPDX-License-Identifier: MIT */
/*
 * The admin server: HTTP and JSON for headracectl, text for Prometheus, on the daemon's own loop.
 *
 * Actions, payloads and job detail are on the unix socket only (mode 0660). TCP serves GET
 * /metrics, /livez, /readyz and /healthz and nothing else, with the Host header checked.
 */
#pragma once

#include "core/headrace.h"

struct app;
struct admin;
struct evbuffer;

/* Opens the sockets that the settings name; a socket file nobody listens on is replaced. 0, or a
 * code with its record. */
int admin_new(struct app *app, struct admin **ret);

/* Waits for the requests that are being answered; when it is cancelled, it cancels them. Then free
 * closes the sockets. Both take NULL. */
hr_async int admin_close(struct admin *admin);
struct admin *admin_free(struct admin *admin);

/* One request, as handlers see it. They run in a task of their own and may wait. */
struct admin_call {
    struct app *app;
    struct job *job;   /* of /jobs/NAME/…, else NULL */
    const char *query; /* after ?, or "" */
    const char *body;  /* not ended by NUL */
    size_t body_len;
    struct evbuffer *answer; /* what they write */
    const char *type;        /* content type of the answer: JSON unless they change it */
};

/* Returns an HTTP status; a negative code becomes 500 or 503 with its message. */
typedef int admin_handler(struct admin_call *call);

struct admin_route {
    const char *method, *path; /* path may contain NAME, which stands for a job's */
    admin_handler *handler;
    bool tcp; /* also over TCP */
};

/* The routes of each file; the last has no method. */
extern const struct admin_route admin_job_routes[];
extern const struct admin_route admin_dead_routes[];
extern const struct admin_route admin_enqueue_routes[];
extern const struct admin_route admin_health_routes[];

/* Writes a JSON string with its quotes. Bytes that are not UTF-8 become U+FFFD. */
void admin_put_string(struct evbuffer *to, const char *text, size_t len);

/* A number of the query (?limit=10), or fallback; texts are returned decoded and malloc'ed. */
uint64_t admin_query_number(const struct admin_call *call, const char *name, uint64_t fallback);
char *admin_query_text(const struct admin_call *call, const char *name);

/* Writes {"error":"…"} and returns status. */
int admin_refuse(struct admin_call *call, int status, const char *fmt, ...) hr_printf_like(3, 4);
