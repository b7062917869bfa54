/* SPDX-License-Identifier: MIT */
/*
 * What the parts of the HTTP client share: a session on its loop (multi.c, socket.c), its handles
 * (handle.c), what it keeps (kept.c) and had better not (spoilt.c), what a request is
 * called (name.c, and wrong.c where its URL is none) and asks for (request.c), how it begins
 * (begin.c), its course (transfer.c), and how it ended (outcome.c).
 */
#pragma once

#include <curl/curl.h>

#include "core/buf.h"
#include "core/event.h"
#include "core/key_limiter.h"
#include "core/list.h"
#include "core/semaphore.h"
#include "drivers/http.h"

#define HR__HTTP_WHAT_MAX    128
#define HR__HTTP_URL_MAX     65536
#define HR__HTTP_HEADERS_MAX ((size_t)256 * 1024)

/* Things that are used again. */
struct hr__http_kept {
    void **things;
    size_t count, room;
    size_t most;  /* that are kept */
    size_t least; /* that there were since the sweeper ran last: nobody wanted these */
    void (*drop)(void *thing);
};

struct hr_http_session {
    unsigned refs; /* its owner, each response, each call that waits for a turn */
    bool closed;
    bool starved;  /* a callback of libcurl's found no memory */
    uint64_t home; /* the number of its loop, */
    hr_loop *loop; /* which may be gone: to be used there alone */
    struct hr_loop_end end;
    CURLM *multi;
    CURLSH *share;                    /* cookies and TLS sessions */
    struct hr__http_socket **sockets; /* by their descriptors */
    size_t socket_room;
    struct hr_list answered[512]; /* sockets that have, by local port */
    hr_handle *timer;             /* a reference: the session may outlive its loop */
    hr_usec due, rings;           /* when libcurl wants to be called; when the timer does */
    hr_semaphore turns;
    hr_key_limiter *hosts;                   /* NULL: no limit a host */
    struct hr_list transfers;                /* under way */
    struct curl_slist *lines;                /* that each plain request has */
    struct hr__http_kept handles, responses; /* of requests that are over */
    hr_usec kept_life;                       /* of what nobody wants, or up to twice as long */
    hr_handle *sweeper;                      /* a reference as well */
    struct hr_http_stats stats;
    struct hr_http_options options; /* with every default put in; strings are the session's */
    char *texts[6];
};

/* A handle of libcurl's, and whose callbacks are called for it. */
struct hr__http_handle {
    CURL *easy;
    hr_http_response *user; /* whoever took it last */
    char said[CURL_ERROR_SIZE];
};

/* Headers as they came: names and values, each ended by a NUL. */
struct hr__http_headers {
    struct hr_buf text;
    struct hr__http_header {
        size_t name, value; /* offsets in text */
    } * items;
    size_t count, capacity;
};

/* A connection's end. */
struct hr__http_end {
    char ip[64]; /* with its zone */
    int port;
};

/* A socket of libcurl's, and what it wants to know of it. */
struct hr__http_socket {
    hr_http_session *session;
    hr_http_response *user; /* that it was asked for last, while under way; or NULL */
    struct event *event;
    short wanted, watched; /* EV_READ, EV_WRITE */
    bool stays;            /* between requests */

    /* Once an answer has come by it over HTTP/1. */
    struct hr_list link; /* in the session's answered */
    struct hr__http_end here, there;
};

struct hr_http_response {
    struct hr_list link; /* in the session's transfers while under way */
    hr_http_session *session;
    struct hr__http_handle *handle; /* NULL once over */
    struct hr__http_socket *socket; /* the one libcurl watches for it, or NULL */
    struct curl_slist *lines;
    char *host; /* whose turn it has, or NULL */
    char *url;  /* where the answer came from, once over; NULL: from where it was asked for */
    bool has_turn;
    bool plain; /* asks for nothing but what its URL names */
    bool idempotent;
    bool following; /* redirects */
    bool afresh;    /* the connection before was spoilt */
    hr_event news;  /* something has happened that a waiting task may want to know */
    hr_usec deadline;

    /* What has happened, in this order. */
    unsigned tries; /* how often a request left, or was about to */
    bool talking;   /* the latest one did: the server's silence counts, */
    hr_usec since;  /* from then on, or from when somebody began to wait for it */
    bool answered;  /* status and headers are there */
    bool over;      /* no more will come */
    int code;       /* how it ended, once over */
    struct hr_error error;
    int refusal; /* why a callback of ours ended it, or 0 */

    int paused; /* CURLPAUSE_ bits */
    int status, version;
    unsigned redirects;
    bool redirecting; /* the headers that come are those of a redirect */
    struct hr__http_headers headers;

    struct hr_buf upload; /* given and not sent */
    bool streams;         /* the body comes by hr_http_write() */
    size_t promised;      /* of it in all; 0: nobody said */
    size_t given;
    curl_off_t sent; /* of a whole body */
    bool upload_ended;

    struct hr_buf body; /* received and not read */
    size_t room;        /* of body, before the server is held back */
    bool whole;         /* all of it is wanted: more than room is an error */
    char *text;         /* as UTF-8, when that is another text than body's */
    size_t text_size;

    struct hr_buf asked;          /* the URL of its request */
    char what[HR__HTTP_WHAT_MAX]; /* "GET http://host/path", for messages */
};

/* --- multi.c: libcurl on the loop */

/* 0 or -ENOMEM; end takes half-made ones as well. */
int hr__http_multi_begin(hr_http_session *session);
void hr__http_multi_end(hr_http_session *session);

/* Starts and stops a transfer whose handle is made. A negative code without a record. */
int hr__http_multi_add(hr_http_response *t);
void hr__http_multi_remove(hr_http_response *t);

/* Tells libcurl of a socket (CURL_CSELECT_ bits), or CURL_SOCKET_TIMEOUT. */
void hr__http_multi_act(hr_http_session *session, curl_socket_t fd, int events);

/* Ends who is under way with -ENOMEM, where something they wait for could not be set up. */
void hr__http_multi_settle(hr_http_session *session);

/* --- socket.c */

/* What libcurl wants to know of one (CURL_POLL_), and for which request, and that it closes one;
 * cookie is the session. */
int hr__http_socket_wanted(CURL *easy, curl_socket_t fd, int what, void *cookie, void *unused);
int hr__http_socket_close(void *cookie, curl_socket_t fd);

/* Has its socket watched anew, since it was paused or goes on. */
void hr__http_socket_look(hr_http_response *t);

/* It is under way no more. */
void hr__http_socket_leave(hr_http_response *t);

/* --- kept.c */

/* The latest that was kept, or NULL. */
void *hr__http_kept_take(struct hr__http_kept *kept);

/* Keeps a thing while there is room for it and somebody sweeps, or returns false. */
bool hr__http_kept_give(hr_http_session *session, struct hr__http_kept *kept, void *thing);

/* Something that can be kept is to be made: has the sweeper come. False without memory for it. */
bool hr__http_kept_begin(hr_http_session *session);

/* Drops all, and nothing is kept any more. */
void hr__http_kept_end(hr_http_session *session);

/* --- spoilt.c */

void hr__http_spoilt_begin(hr_http_session *session);

/* An answer has come by its connection. */
void hr__http_spoilt_note(const hr_http_response *t);

/* Whether the server has said something since the last answer on the connection between these two
 * ends: it is shut down then. */
bool hr__http_spoilt_check(hr_http_session *session, const char *here, int here_port,
                           const char *there, int there_port);

/* --- handle.c */

/* Whose handle it is. */
hr_http_response *hr__http_handle_user(CURL *easy);

/* Takes a ready handle for it; 0 or -ENOMEM, without a record. Gives it back once it is in no multi
 * any more; there may be none. Drops one. */
int hr__http_handle_take(hr_http_response *t);
void hr__http_handle_give(hr_http_response *t);
void hr__http_handle_drop(void *handle);

/* The lines that a plain request has and that libcurl would write anew each time, into the session.
 * 0 or -ENOMEM. */
int hr__http_handle_lines(hr_http_session *session);

/* How the handle's server is verified. */
void hr__http_handle_verify(CURL *easy, enum hr_tls_verify verify);

/* --- name.c */

/* Names a request, as far as there is room; *ret_host only where it is asked for, or was found by
 * the way: it is the caller's, also on failure. 0, -ENOMEM without a record, -EINVAL with one. */
int hr__http_name(const char *method, const char *url, bool with_host,
                  char ret_what[HR__HTTP_WHAT_MAX], char **ret_host);

/* --- wrong.c */

/* Says what is wrong with a URL that libcurl does not take, for the reason it gives; returns
 * -EINVAL. */
int hr__http_refuse_url(const char *url, const char *reason);

/* --- request.c */

/* GET, or POST with a body, unless it says otherwise. */
const char *hr__http_method(const struct hr_http_request *request);

/* Text as a message may show it: control characters as \xNN, cut to what fits. */
const char *hr__http_show(const char *text, char *to, size_t size);

/* Makes the handle for it. 0, -EINVAL, -ENOMEM, with a record. */
int hr__http_request_set_up(hr_http_response *t, const struct hr_http_request *request);

/* --- transfer.c: the course of one */

/* Has a handle report to its user. */
void hr__http_transfer_follow(struct hr__http_handle *handle);

/* Has it report as well how a whole body goes out. */
void hr__http_transfer_follow_upload(struct hr__http_handle *handle);

/* It is over: keeps the outcome, gives handle and turn back, tells who waits. */
void hr__http_transfer_over(hr_http_response *t, int code);

/* Lets it send or receive again (CURLPAUSE_RECV, CURLPAUSE_SEND). */
void hr__http_transfer_resume(hr_http_response *t, int which);

/* Waits until something has happened, within the limits; what passes a limit is over then. 0, or
 * -ECANCELED, or how it ended. */
hr_async int hr__http_transfer_wait(hr_http_response *t);

/* The outcome of one that is over, with its record: 0 or its code. */
int hr__http_transfer_outcome(const hr_http_response *t);

/* --- outcome.c: what libcurl said, in our codes */

/* Our code for a transfer that libcurl has ended; fills t->error. */
int hr__http_outcome(hr_http_response *t, CURLcode code);

/* Fills t->error and returns code. */
int hr__http_explain(hr_http_response *t, int code, int native, const char *fmt, ...)
    hr_printf_like(4, 5);

/* --- headers.c */

void hr__http_headers_init(struct hr__http_headers *headers);
void hr__http_headers_done(struct hr__http_headers *headers);
void hr__http_headers_clear(struct hr__http_headers *headers);

/* Forgets them as well, and frees memory of an unusual size. */
void hr__http_headers_trim(struct hr__http_headers *headers);

/* Keeps a line "Name: value", or the continuation of the one before. 0, -EMSGSIZE, -ENOMEM. */
int hr__http_headers_add(struct hr__http_headers *headers, const char *line, size_t size);

/* The first value of that name, or NULL. */
const char *hr__http_headers_get(const struct hr__http_headers *headers, const char *name);

/* --- text.c */

/* Whether bytes are UTF-8 text. */
bool hr__http_is_utf8(const char *bytes, size_t size);

/* Bytes in the charset that a Content-Type (or NULL) tells, as UTF-8: *ret is NULL when they are as
 * they should be, else a new text of the caller's. 0, -EILSEQ, -ENOMEM, with a record. */
int hr__http_decode(const char *content_type, const char *bytes, size_t size, char **ret,
                    size_t *ret_size);

/* --- response.c */

/* One for a request that has not begun, over until then; frees the memory of one. NULL without
 * memory, without a record. */
hr_http_response *hr__http_response_new(hr_http_session *session,
                                        const struct hr_http_request *request);
void hr__http_response_drop(void *response);

/* --- session.c */

void hr__http_session_unref(hr_http_session *session);
