/* SPDX-License-Identifier: MIT */
/*
 * How a request ended, in our codes: never sent, sent and lost, refused, cut.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "drivers/http/impl.h"

#define MIB            ((size_t)1 << 20)
#define CODE_TOO_LARGE 100 /* CURLE_TOO_LARGE, since libcurl 8.6 */

int hr__http_explain(hr_http_response *t, int code, int native, const char *fmt, ...)
{
    va_list args;
    t->error = (struct hr_error){.code = code, .native = native, .sent = t->tries > 0};
    int n = snprintf(t->error.message, sizeof(t->error.message), "%.120s: ", t->what);
    va_start(args, fmt);
    vsnprintf(t->error.message + n, sizeof(t->error.message) - (size_t)n, fmt, args);
    va_end(args);
    return code;
}

/* No connection: also where libcurl wanted one to ask again, or to follow a redirect. */
static int unconnected(const hr_http_response *t)
{
    return t->tries > 0 ? HR_ELOST : -ENOTCONN;
}

/* What a lost or broken conversation means depends on how far it came. */
static int broken(const hr_http_response *t)
{
    return t->answered ? -EBADMSG : unconnected(t);
}

static int code_of(const hr_http_response *t, CURLcode code)
{
    switch (code) {
    case CURLE_OUT_OF_MEMORY:
        return -ENOMEM;
    case CURLE_OPERATION_TIMEDOUT:
        return -ETIMEDOUT;
    case CURLE_UNSUPPORTED_PROTOCOL: /* also a redirect to one, and HTTP/0.9 */
    case CURLE_URL_MALFORMAT:
    case CURLE_BAD_FUNCTION_ARGUMENT: /* a line that continues none */
        return t->tries > 0 ? -EBADMSG : -EINVAL;
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_CONNECT:
        return unconnected(t);
    case CURLE_TOO_MANY_REDIRECTS:
        return -ELOOP;
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_ENGINE_INITFAILED:
    case CURLE_SSL_ISSUER_ERROR:
        return -EPROTO;
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CRL_BADFILE:
        return -EINVAL;
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_BAD_CONTENT_ENCODING:
        return -EBADMSG;
    default:
        return broken(t);
    }
}

/* A callback of ours has ended it. */
static int refused(hr_http_response *t)
{
    switch (t->refusal) {
    case HR_ELOST:
        return hr__http_explain(t, HR_ELOST, 0, "the kept connection was lost");
    case -EMSGSIZE:
        if (t->whole)
            return hr__http_explain(t, -EMSGSIZE, 0, "the body is longer than max_body, %zu bytes",
                                    t->room);
        return hr__http_explain(t, -EMSGSIZE, 0, "%s too long",
                                t->answered ? "the body is" : "the headers are");
    case -ENOMEM:
        return hr__http_explain(t, -ENOMEM, 0, "no memory");
    default: /* no socket: errno is the same number */
        if (t->tries > 0)
            return hr__http_explain(t, HR_ELOST, -t->refusal, "no connection to ask again: %s",
                                    hr_error_text(t->refusal));
        return hr__http_explain(t, t->refusal, -t->refusal, "%s", hr_error_text(t->refusal));
    }
}

/* What was written in pieces is gone once it was sent. A place is shown without what may be secret
 * in it. */
static int no_second_time(hr_http_response *t)
{
    const char *place = hr__http_headers_get(&t->headers, "location");
    if (!t->redirecting || !place)
        return hr__http_explain(t, HR_ELOST, 0,
                                "the connection was lost, and a body in pieces cannot be sent "
                                "again by itself: begin the request anew");
    bool secret = strchr(place, '@');
    return hr__http_explain(t, HR_ELOST, 0,
                            "the server wants the body at %.*s instead, and a body in pieces is "
                            "gone: send it there, or whole",
                            secret ? 13 : (int)strcspn(place, "?#"),
                            secret ? "another place" : place);
}

/* A body that ends short behind an answer: libcurl 8.14 calls that an error of the transfer, also
 * when all of the answer is there. */
static bool is_whole(const hr_http_response *t)
{
    curl_off_t has = 0, said = -1;
    curl_easy_getinfo(t->handle->easy, CURLINFO_SIZE_DOWNLOAD_T, &has);
    curl_easy_getinfo(t->handle->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &said);
    return t->answered && has == said;
}

/* libcurl has limits of its own: 100 KiB a header, a little more than ours for all of them with
 * those of interim answers, and 64 MiB of a compressed body that came in one piece while it was
 * paused. Before 8.6 it says of the first and the last that memory is out, which can be asked. */
static bool is_too_long(hr_http_response *t, CURLcode code)
{
    long headers = 0;
    char *room;
    if ((int)code == CODE_TOO_LARGE)
        return true;
    if (code == CURLE_OUT_OF_MEMORY)
        return (t->answered ? t->paused & CURLPAUSE_RECV : t->talking) &&
               hr_buf_reserve(&t->body, MIB, &room) == 0;
    if (code != CURLE_RECV_ERROR || t->answered)
        return false;
    curl_easy_getinfo(t->handle->easy, CURLINFO_HEADER_SIZE, &headers);
    return headers > (long)HR__HTTP_HEADERS_MAX;
}

/* What libcurl says. At a port of the other one of http and https that helps nobody, nor has it a
 * code of its own: the words are those of OpenSSL, GnuTLS and libcurl. */
static const char *words(CURLcode code, const char *said)
{
    bool plain = strstr(said, "wrong version number") || strstr(said, "unexpected TLS packet");
    if (code == CURLE_SSL_CONNECT_ERROR && plain)
        return "no TLS is spoken there: ask by http://, or at the port of https://";
    if (code == CURLE_UNSUPPORTED_PROTOCOL && strstr(said, "HTTP/0.9"))
        return "the answer is no HTTP: a port that wants TLS is asked by https://";
    return said[0] ? said : curl_easy_strerror(code);
}

int hr__http_outcome(hr_http_response *t, CURLcode code)
{
    if (code == CURLE_OK && !t->answered) /* some versions take half a head for one */
        return hr__http_explain(t, HR_ELOST, 0, "the connection was lost amid the headers");
    if (code == CURLE_OK)
        return 0;
    if (t->refusal == 0 && is_too_long(t, code))
        t->refusal = -EMSGSIZE;
    if (t->refusal < 0)
        return refused(t);
    if (code == CURLE_SEND_FAIL_REWIND)
        return no_second_time(t);
    if (code == CURLE_READ_ERROR && is_whole(t))
        return 0;
    int r = code_of(t, code);
    long os_errno = 0;
    curl_easy_getinfo(t->handle->easy, CURLINFO_OS_ERRNO, &os_errno);
    /* A handshake that the peer left is told as a lost connection. Unless a connect has failed,
     * errno is that of an earlier request, which the handle keeps. */
    bool own = r == -ENOTCONN && code == CURLE_COULDNT_CONNECT;
    return hr__http_explain(t, r, own ? (int)os_errno : 0, "%s", words(code, t->handle->said));
}
