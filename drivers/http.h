/* SPDX-License-Identifier: MIT */
/*
 * An HTTP client for tasks. It reads like blocking code and blocks only the task.
 *
 *     hr_auto(hr_http_session_freep) hr_http_session *session = hr_http_session_new(NULL);
 *     hr_auto(hr_http_closep) hr_http_response *response = NULL;
 *     const char *text;
 *     int r = hr_http_get(session, "https://example.org/", &response);
 *     if (r >= 0)
 *         r = hr_http_text(response, &text, NULL);
 *
 * A session keeps connections and cookies. A response is a scope: while it is open its body can be
 * read as it comes, and what is not read is not taken from the server. An HTTP status of 404 is an
 * answer like others, no error of the call. Only http and https; a proxy only where it is asked
 * for.
 */
#pragma once

#include <sys/types.h>

#include "core/loop.h"
#include "drivers/tls.h"

typedef struct hr_http_session hr_http_session;
typedef struct hr_http_response hr_http_response;

/* Zeros mean the defaults; strings are copied. */
struct hr_http_options {
    unsigned limit;            /* requests under way at most, so connections, too; 0: 100 */
    unsigned limit_per_host;   /* of one scheme, host and port; 0: no limit of its own */
    hr_usec connect_timeout;   /* name, connection and TLS; 0: 30 s */
    hr_usec read_timeout;      /* in which the server says nothing, and takes nothing, while
                                * somebody waits for it; 0: 60 s */
    hr_usec total_timeout;     /* a request, from the call to the end of the body; 0: 5 minutes */
    int max_redirects;         /* 0: 10; < 0: none is followed, the answer is the redirect */
    size_t max_body;           /* of hr_http_bytes() and hr_http_text(); 0: 64 MiB */
    size_t window;             /* of a body in memory while it is read or written; 0: 64 KiB */
    struct hr_tls_options tls; /* of https; HR_TLS_OFF: HR_TLS_FULL */
    const char *user_agent;    /* NULL: "headrace" */
    const char *proxy;         /* "http://host:port"; NULL: none, whatever the environment says */
    bool no_cookies;           /* neither kept nor sent */
    bool no_compression;       /* bodies are not asked for in compressed form */
    bool wait_to_share;        /* https: who finds a connection in the making waits for it, in case
                                * it is HTTP/2 and can be shared; where none comes about, requests
                                * fail one behind the other. One that is open is shared always */
};

/* A session of the running loop; NULL options mean the defaults. NULL, with a record: -ENOMEM,
 * HR_ENOLOOP, -EINVAL, -ENOTSUP (built without libcurl). */
HR_PUBLIC hr_owned hr_http_session *hr_http_session_new(const struct hr_http_options *options);

/* Ends what is under way and who waits with HR_ECLOSED, and hangs up; never waits, and twice is
 * fine. A request afterwards gives HR_ECLOSED. free closes, too, and so does the loop's end;
 * responses that are open stay what they are until they are closed. */
HR_PUBLIC void hr_http_session_close(hr_http_session *session);
HR_PUBLIC hr_http_session *hr_http_session_free(hr_http_session *session);
HR_PUBLIC void hr_http_session_freep(hr_http_session **session);

/* Forgets all cookies. 0 or -ENOMEM. */
HR_PUBLIC int hr_http_clear_cookies(hr_http_session *session);

struct hr_http_stats {
    unsigned under_way;   /* requests that have a turn */
    unsigned waiting;     /* for their turn */
    uint64_t requests;    /* that ended, since the start */
    uint64_t connections; /* opened for them */
};
HR_PUBLIC void hr_http_get_stats(const hr_http_session *session,
                                 struct hr_http_stats *ret); /* NULL: zeros */

struct hr_http_request {
    const char *method;         /* NULL: GET, or POST with a body */
    const char *url;            /* a user and password in it are sent by basic authentication */
    const char *const *headers; /* "Name: value", "Name:" without one; ends with NULL; NULL: none */
    const char *content_type;   /* of the body; NULL: what headers say, else none is said */
    const void *body;           /* copied; NULL: none */
    size_t body_size;           /* of body, or of all that hr_http_write() will send; 0 there:
                                 * not known, and it goes in chunks */
    bool stream;                /* the body comes by hr_http_write() */
    bool idempotent;            /* may be sent again when a kept connection turns out dead; of
                                 * methods other than POST and PATCH that is assumed */
    enum hr_tls_verify verify;  /* for this request; HR_TLS_OFF: the session's */
    hr_usec total_timeout;      /* for this request; 0: the session's */
};

/* Waits for a turn, sends a request and waits for the answer's status and headers; the body is left
 * to the calls below. *ret is the caller's, for hr_http_close(). 0, or
 *   -EINVAL      the URL (of up to 64 KiB), a header or the method is none; HEAD with a body, a
 *                body_size without one, a whole body and stream; a file of the session's tls, as
 *                they are read when a connection is opened; the record says what is wrong
 *   -ENOTCONN    never sent: no such host, refused, unreachable; the record says why, and its
 *                native is errno where there is one
 *   -EMFILE · -ENFILE · -ENOBUFS     no descriptor or socket for this request, also never sent
 *   HR_ELOST     sent, and the connection was lost before the answer
 *   -ETIMEDOUT   one of the three limits; the record says which, and by sent whether it had left
 *   -EPROTO      TLS: the certificate is not accepted, or the handshake failed
 *   -ELOOP       too many redirects
 *   -EBADMSG     the answer is no HTTP
 *   -EMSGSIZE    its headers take more than 256 KiB, or one of them more than 100 KiB
 *   HR_ECLOSED · -ECANCELED (it is taken back) · -ENOMEM · HR_ENOTASK · HR_EWRONGLOOP
 * Redirects (301, 302, 303, 307, 308) are followed: method and body go along, but 303 is followed
 * with GET, and so is a POST at 301 and 302. */
HR_PUBLIC hr_async int hr_http_send(hr_http_session *session, const struct hr_http_request *request,
                                    hr_http_response **ret);

/* The common ones. content_type as in the request. */
HR_PUBLIC hr_async int hr_http_get(hr_http_session *session, const char *url,
                                   hr_http_response **ret);
HR_PUBLIC hr_async int hr_http_post(hr_http_session *session, const char *url,
                                    const char *content_type, const void *body, size_t size,
                                    hr_http_response **ret);

/* A body in pieces, with request->stream:
 *     r = hr_http_begin(session, &request, &response);     waits for a turn only
 *     r = hr_http_write(response, bytes, size);            as often as it takes
 *     r = hr_http_finish(response);                        status and headers are there
 * write waits while a window's worth is on its way; -EPIPE: the server has answered already, and
 * wants no more; -EINVAL: it would be more than body_size (nothing of it goes). finish ends the
 * body and gives the codes of hr_http_send(), -EINVAL also for less than body_size, which ends the
 * request and its connection; after a failure the response is still to be closed. A redirect that
 * wants the body again is an error: HR_ELOST. */
HR_PUBLIC hr_async int hr_http_begin(hr_http_session *session,
                                     const struct hr_http_request *request, hr_http_response **ret);
HR_PUBLIC hr_async int hr_http_write(hr_http_response *response, const void *bytes, size_t size);
HR_PUBLIC hr_async int hr_http_finish(hr_http_response *response);

/* Gives the connection back when the body was read, else hangs up; never waits. Takes NULL; returns
 * NULL. */
HR_PUBLIC hr_http_response *hr_http_close(hr_http_response *response);
HR_PUBLIC void hr_http_closep(hr_http_response **response);

/* The status (200, 404, …); 0 before there is one. Interim answers are passed over, but 101 is the
 * last one: its body is what the server says in the other language, until it hangs up. A response
 * that is NULL says nothing, here and below: 0, NULL, false, "". */
HR_PUBLIC int hr_http_status(const hr_http_response *response);

/* The first header of that name, in upper or lower case; NULL when there is none. The i-th one of
 * all; false behind the last. Borrowed from the response. */
HR_PUBLIC const char *hr_http_header(const hr_http_response *response, const char *name);
HR_PUBLIC bool hr_http_header_at(const hr_http_response *response, size_t i, const char **ret_name,
                                 const char **ret_value);

/* Where the answer came from, after redirects; how many there were; and which HTTP was spoken: 10,
 * 11, 20 or 30. */
HR_PUBLIC const char *hr_http_url(const hr_http_response *response);
HR_PUBLIC unsigned hr_http_redirects(const hr_http_response *response);
HR_PUBLIC int hr_http_version(const hr_http_response *response);

/* The next bytes of the body, decompressed: at least one and at most size (> 0), waiting until
 * there are some; 0 at its end. One task at a time.
 *   -EBADMSG     the body is shorter than it should be, or garbled
 *   -EMSGSIZE    it was compressed, and 64 MiB came out of a few KiB at once
 *   -EINVAL      there is no answer yet
 *   -ETIMEDOUT · HR_ECLOSED · -ECANCELED (nothing was read) · -ENOMEM */
HR_PUBLIC hr_async ssize_t hr_http_read(hr_http_response *response, void *bytes, size_t size);

/* All of the body that was not read yet; NUL-terminated, borrowed from the response, the same at
 * each call. text wants it to be text: UTF-8, or what the Content-Type's charset says, of which
 * us-ascii and iso-8859-1 are known; *ret is UTF-8. ret_size may be NULL. Codes of hr_http_read(),
 * -EMSGSIZE (more than max_body), -EILSEQ (no text in that charset, or one that is not known). */
HR_PUBLIC hr_async int hr_http_bytes(hr_http_response *response, const void **ret,
                                     size_t *ret_size);
HR_PUBLIC hr_async int hr_http_text(hr_http_response *response, const char **ret, size_t *ret_size);

/* Writes the rest of the body to a file, in threads: the loop goes on, however slow the disk is. It
 * appears under its name when it is whole, in the place of one that was there; on failure it does
 * not. A cancel waits for the write that is under way. *ret_size (or NULL) is its size. Codes of
 * hr_http_read(), or -errno of the file: for a folder (-EISDIR), or a name that no file can have,
 * before anything of the body is taken. */
HR_PUBLIC hr_async int hr_http_save(hr_http_response *response, const char *path,
                                    uint64_t *ret_size);

/* A failure names the caller's place in the program. */
#define hr_http_send(...)   hr_from_here(hr_http_send(__VA_ARGS__))
#define hr_http_get(...)    hr_from_here(hr_http_get(__VA_ARGS__))
#define hr_http_post(...)   hr_from_here(hr_http_post(__VA_ARGS__))
#define hr_http_begin(...)  hr_from_here(hr_http_begin(__VA_ARGS__))
#define hr_http_write(...)  hr_from_here(hr_http_write(__VA_ARGS__))
#define hr_http_finish(...) hr_from_here(hr_http_finish(__VA_ARGS__))
#define hr_http_read(...)   hr_size_from_here(hr_http_read(__VA_ARGS__))
#define hr_http_bytes(...)  hr_from_here(hr_http_bytes(__VA_ARGS__))
#define hr_http_text(...)   hr_from_here(hr_http_text(__VA_ARGS__))
#define hr_http_save(...)   hr_from_here(hr_http_save(__VA_ARGS__))
