/* SPDX-License-Identifier: MIT */
/*
 * libcurl's handles, made ready for their session once and used by one request after another.
 *
 * Making one ready costs more than a whole request by it. So a handle whose request asked for
 * nothing of its own, and went well, is kept as it is: the next request sets its URL, and no more.
 * The others are wiped and made ready anew.
 *
 * The two lines that a session says of itself are given to libcurl as lines: from an option it
 * makes a text of each, and of that the request, each time.
 */
#include <errno.h>
#include <stdio.h>

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
    curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, hr__http_socket_close);
    curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, session);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, ms < INT_MAX ? (long)ms : (long)INT_MAX);
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, o->max_redirects >= 0 ? 1L : 0L);
    curl_easy_setopt(easy, CURLOPT_MAXREDIRS, (long)o->max_redirects);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, session->lines);
    return (o->no_cookies || set_text(easy, CURLOPT_COOKIEFILE, "")) &&
           (o->no_compression || set_text(easy, CURLOPT_ACCEPT_ENCODING, "")) &&
           (session->lines || set_text(easy, CURLOPT_USERAGENT, o->user_agent)) &&
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

static bool make_ready(struct hr__http_handle *handle, const hr_http_session *session)
{
    CURL *easy = handle->easy;
    hr__http_transfer_follow(handle);
    return set_fixed(easy) && set_session(easy, session) && set_tls(easy, &session->options.tls);
}

/* What libcurl would say of itself, asked for any compression that it knows. */
static void name_encodings(char *ret, size_t size)
{
    const struct {
        int feature;
        const char *name;
    } known[] = {
        {CURL_VERSION_LIBZ,   "deflate, gzip"},
        {CURL_VERSION_BROTLI, "br"           },
        {CURL_VERSION_ZSTD,   "zstd"         },
    };
    int features = curl_version_info(CURLVERSION_NOW)->features;
    size_t n = 0;
    ret[0] = '\0';
    for (size_t i = 0; i < HR_ARRAY_LEN(known); i++) {
        if (features & known[i].feature)
            n += (size_t)snprintf(ret + n, size - n, "%s%s",
                                  n ? ", " : "Accept-Encoding: ", known[i].name);
    }
}

static int add_line(struct curl_slist **lines, const char *line)
{
    struct curl_slist *more = line[0] ? curl_slist_append(*lines, line) : *lines;
    if (line[0] && !more)
        return -ENOMEM;
    *lines = more;
    return 0;
}

int hr__http_handle_lines(hr_http_session *session)
{
    hr_auto(hr_freep) char *agent = NULL;
    char encodings[64];
    if (session->options.proxy) /* is told who asks by the option only */
        return 0;
    if (asprintf(&agent, "User-Agent: %s", session->options.user_agent) < 0) {
        agent = NULL;
        return -ENOMEM;
    }
    name_encodings(encodings, sizeof(encodings));
    int r = add_line(&session->lines, agent);
    return r < 0 || session->options.no_compression ? r : add_line(&session->lines, encodings);
}

void hr__http_handle_verify(CURL *easy, enum hr_tls_verify verify)
{
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, verify == HR_TLS_NONE ? 0L : 1L);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, verify == HR_TLS_FULL ? 2L : 0L);
}

hr_http_response *hr__http_handle_user(CURL *easy)
{
    struct hr__http_handle *handle = NULL;
    curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **)&handle);
    return handle->user;
}

static struct hr__http_handle *handle_free(struct hr__http_handle *handle)
{
    if (handle)
        curl_easy_cleanup(handle->easy);
    free(handle);
    return NULL;
}

void hr__http_handle_drop(void *handle)
{
    handle_free(handle);
}

static struct hr__http_handle *handle_new(const hr_http_session *session)
{
    struct hr__http_handle *handle = malloc(sizeof(*handle));
    if (!handle)
        return NULL;
    handle->easy = curl_easy_init();
    return handle->easy && make_ready(handle, session) ? handle : handle_free(handle);
}

int hr__http_handle_take(hr_http_response *t)
{
    hr_http_session *session = t->session;
    t->handle = hr__http_kept_take(&session->handles);
    if (!t->handle)
        t->handle = hr__http_kept_begin(session) ? handle_new(session) : NULL;
    if (!t->handle)
        return -ENOMEM;
    t->handle->user = t;
    t->handle->said[0] = '\0';
    return 0;
}

static bool wipe(struct hr__http_handle *handle, const hr_http_session *session)
{
    curl_easy_setopt(handle->easy, CURLOPT_COOKIEFILE, NULL); /* a reset would forget this list */
    curl_easy_reset(handle->easy);
    return make_ready(handle, session);
}

void hr__http_handle_give(hr_http_response *t)
{
    hr_http_session *session = t->session;
    struct hr__http_handle *handle = hr_take(t->handle);
    bool as_it_is = t->plain && t->answered && t->code == 0;
    /* libcurl 8.14 has a handle remember, past a reset, that a body in pieces is wanted again. */
    bool spoilt = t->streams && t->code < 0;
    bool ready = handle && !spoilt && !session->closed && (as_it_is || wipe(handle, session));
    if (!ready || !hr__http_kept_give(session, &session->handles, handle))
        handle_free(handle);
    curl_slist_free_all(hr_take(t->lines));
}
