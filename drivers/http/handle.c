/* SPDX-License-Identifier: MIT */
/*
 * libcurl's handles, made ready for their session once and used by one request after another.
 *
 * Making one ready costs more than a whole request by it. So a handle whose request asked for
 * nothing of its own, and went well, is kept as it is; the others are wiped and made ready anew. As
 * many are kept as were under way at a time, and those that were not wanted for a while go.
 */
#include <errno.h>

#include "drivers/http/impl.h"

static bool set_text(CURL *easy, CURLoption option, const char *text)
{
    return curl_easy_setopt(easy, option, text) == CURLE_OK;
}

static bool set_session(CURL *easy, const hr_http_session *session)
{
    const struct hr_http_options *o = &session->options;
    hr_usec ms = o->connect_timeout / 1000 + 1;
    curl_easy_setopt(easy, CURLOPT_SHARE, session->share);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, ms < INT_MAX ? (long)ms : (long)INT_MAX);
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, o->max_redirects >= 0 ? 1L : 0L);
    curl_easy_setopt(easy, CURLOPT_MAXREDIRS, (long)o->max_redirects);
    return (o->no_cookies || set_text(easy, CURLOPT_COOKIEFILE, "")) &&
           (o->no_compression || set_text(easy, CURLOPT_ACCEPT_ENCODING, "")) &&
           set_text(easy, CURLOPT_USERAGENT, o->user_agent) &&
           set_text(easy, CURLOPT_PROXY, o->proxy ? o->proxy : "") &&
           set_text(easy, CURLOPT_NOPROXY, "");
}

static bool set_fixed(CURL *easy)
{
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
    /* What a proxy says to CONNECT is no part of the answer. */
    curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    /* A name that is still looked up when its request ends is left to its thread; otherwise the
     * loop would stand still until the resolver has given up. */
    curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
    return set_text(easy, CURLOPT_PROTOCOLS_STR, "http,https") &&
           set_text(easy, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
}

static bool set_tls(CURL *easy, const struct hr_tls_options *tls)
{
    curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    hr__http_handle_verify(easy, tls->verify == HR_TLS_OFF ? HR_TLS_FULL : tls->verify);
    if (tls->ca && !set_text(easy, CURLOPT_CAINFO, tls->ca))
        return false;
    return !tls->cert || (set_text(easy, CURLOPT_SSLCERT, tls->cert) &&
                          set_text(easy, CURLOPT_SSLKEY, tls->key ? tls->key : tls->cert));
}

static bool make_ready(CURL *easy, const hr_http_session *session)
{
    return set_fixed(easy) && set_session(easy, session) && set_tls(easy, &session->options.tls);
}

void hr__http_handle_verify(CURL *easy, enum hr_tls_verify verify)
{
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, verify == HR_TLS_NONE ? 0L : 1L);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, verify == HR_TLS_FULL ? 2L : 0L);
}

/* One call's share, so that what a burst leaves behind does not hold the loop up. */
#define SWEPT_AT_A_TIME 64

static void drop(hr_http_session *session, size_t n)
{
    while (n-- > 0)
        curl_easy_cleanup(session->spares[--session->spare_count]);
}

static bool arm_sweeper(hr_http_session *session, hr_usec span);

/* With none left nor under way there is nothing to sweep until one is made. */
static void sweep(void *arg)
{
    hr_http_session *session = arg;
    size_t unwanted = session->spare_least;
    bool more = unwanted > SWEPT_AT_A_TIME;
    session->sweeper = hr_handle_unref(session->sweeper);
    drop(session, more ? SWEPT_AT_A_TIME : unwanted);
    session->spare_least = more ? unwanted - SWEPT_AT_A_TIME : session->spare_count;
    bool any = session->spare_count > 0 || !hr_list_empty(&session->transfers);
    if (any && !arm_sweeper(session, more ? hr_ms(1) : session->spare_life))
        drop(session, session->spare_count);
}

static bool arm_sweeper(hr_http_session *session, hr_usec span)
{
    if (!session->sweeper)
        session->sweeper = hr_handle_ref(hr_call_later(span, sweep, session));
    return session->sweeper;
}

int hr__http_handle_take(hr_http_response *t)
{
    hr_http_session *session = t->session;
    if (session->spare_count > 0) {
        t->easy = session->spares[--session->spare_count];
        if (session->spare_count < session->spare_least)
            session->spare_least = session->spare_count;
        return 0;
    }
    session->spare_least = 0;
    CURL *easy = arm_sweeper(session, session->spare_life) ? curl_easy_init() : NULL;
    if (!easy || !make_ready(easy, session)) {
        curl_easy_cleanup(easy);
        return -ENOMEM;
    }
    t->easy = easy;
    return 0;
}

static bool has_room(hr_http_session *session)
{
    if (session->spare_count < session->spare_room)
        return true;
    size_t room = session->spare_room ? session->spare_room * 2 : 16;
    CURL **spares = reallocarray(session->spares, room, sizeof(CURL *));
    if (!spares)
        return false;
    session->spares = spares;
    session->spare_room = room;
    return true;
}

static bool wipe(CURL *easy, const hr_http_session *session)
{
    curl_easy_setopt(easy, CURLOPT_COOKIEFILE, NULL); /* a reset would forget this list */
    curl_easy_reset(easy);
    return make_ready(easy, session);
}

void hr__http_handle_give(hr_http_response *t)
{
    hr_http_session *session = t->session;
    CURL *easy = hr_take(t->easy);
    bool as_it_is = t->plain && t->answered && t->code == 0;
    /* libcurl 8.14 has a handle remember, past a reset, that a body in pieces is wanted again. */
    bool spoilt = t->streams && t->code < 0;
    bool keeps = !spoilt && !session->closed && session->sweeper && has_room(session);
    if (!easy || !keeps || !(as_it_is || wipe(easy, session)))
        curl_easy_cleanup(easy);
    else
        session->spares[session->spare_count++] = easy;
    curl_slist_free_all(hr_take(t->lines));
}

void hr__http_handles_end(hr_http_session *session)
{
    drop(session, session->spare_count);
    free(hr_take(session->spares));
    hr_handle_cancel(session->sweeper);
    session->sweeper = hr_handle_unref(session->sweeper);
    session->spare_room = 0;
}
