/* SPDX-License-Identifier: MIT */
/*
 * A session: its settings, its beginning and its end.
 */
#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "drivers/http/impl.h"
#include "drivers/missing.h"

static int global_code;

static void begin_globally(void)
{
    global_code = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK ? 0 : -ENOMEM;
}

/* --- settings */

static void put_defaults(struct hr_http_options *o)
{
    o->limit = o->limit ? o->limit : 100;
    o->connect_timeout = o->connect_timeout > 0 ? o->connect_timeout : hr_seconds(30);
    o->read_timeout = o->read_timeout > 0 ? o->read_timeout : hr_seconds(60);
    o->total_timeout = o->total_timeout > 0 ? o->total_timeout : hr_seconds(300);
    o->max_redirects = o->max_redirects ? o->max_redirects : 10;
    o->max_body = o->max_body ? o->max_body : (size_t)64 << 20;
    o->window = o->window ? o->window : (size_t)64 << 10;
    o->user_agent = o->user_agent ? o->user_agent : "headrace";
}

/* Makes the session own the text that a setting points to. */
static int own(hr_http_session *session, size_t i, const char **setting)
{
    if (!*setting)
        return 0;
    session->texts[i] = strdup(*setting);
    *setting = session->texts[i];
    return *setting ? 0 : -ENOMEM;
}

static int own_settings(hr_http_session *session)
{
    struct hr_http_options *o = &session->options;
    const char **texts[] = {&o->user_agent, &o->proxy, &o->tls.ca, &o->tls.cert, &o->tls.key};
    _Static_assert(HR_ARRAY_LEN(texts) <= HR_ARRAY_LEN(session->texts), "room for each");
    int r = 0;
    for (size_t i = 0; i < HR_ARRAY_LEN(texts) && r == 0; i++)
        r = own(session, i, texts[i]);
    return r;
}

/* libcurl would say of it that there is no connection, each time. */
static int check_proxy(const char *proxy)
{
    CURLU *url = curl_url();
    if (!url)
        return hr_fail(-ENOMEM, "no memory for an HTTP session");
    CURLUcode code =
        curl_url_set(url, CURLUPART_URL, proxy, CURLU_GUESS_SCHEME | CURLU_NON_SUPPORT_SCHEME);
    curl_url_cleanup(url);
    if (code == CURLUE_OUT_OF_MEMORY)
        return hr_fail(-ENOMEM, "no memory for an HTTP session");
    return code == CURLUE_OK
               ? 0
               : hr_fail(-EINVAL, "http: the proxy is not of the form http://host:port: %s",
                         curl_url_strerror(code));
}

static int check_settings(const struct hr_http_options *o)
{
    if (o->tls.key && !o->tls.cert)
        return hr_fail(-EINVAL, "http: a key without a certificate");
    if (o->user_agent[strcspn(o->user_agent, "\r\n")])
        return hr_fail(-EINVAL, "http: the user agent holds the end of a line");
    if (o->limit > INT_MAX || o->limit_per_host > INT_MAX)
        return hr_fail(-EINVAL, "http: no such limit");
    return o->proxy ? check_proxy(o->proxy) : 0;
}

/* --- its life */

static void destroy(hr_http_session *session)
{
    hr_list_remove(&session->end.link);
    hr__http_multi_end(session);
    hr_key_limiter_free(session->hosts);
    hr_semaphore_done(&session->turns);
    curl_slist_free_all(session->lines);
    for (size_t i = 0; i < HR_ARRAY_LEN(session->texts); i++)
        free(session->texts[i]);
    free(session);
}

void hr__http_session_unref(hr_http_session *session)
{
    if (--session->refs == 0)
        destroy(session);
}

static int begin(hr_http_session *session)
{
    int r = own_settings(session);
    if (r == 0 && session->options.limit_per_host > 0) {
        session->hosts = hr_key_limiter_new(session->options.limit_per_host);
        r = session->hosts ? 0 : -ENOMEM;
    }
    if (r == 0)
        r = hr__http_handle_lines(session);
    if (r == 0)
        r = hr__http_multi_begin(session);
    return r < 0 ? hr_fail(r, "no memory for an HTTP session") : 0;
}

static void loop_closes(void *session)
{
    hr_http_session_close(session);
}

hr_http_session *hr_http_session_new(const struct hr_http_options *options)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    struct hr_http_options o = options ? *options : (struct hr_http_options){0};
    hr_loop *loop = hr_running_loop();
    if (!loop) {
        hr_fail(HR_ENOLOOP, "an HTTP session belongs to a loop that runs");
        return NULL;
    }
    put_defaults(&o);
    if (check_settings(&o) < 0)
        return NULL;
    pthread_once(&once, begin_globally);
    hr_http_session *session = global_code == 0 ? malloc(sizeof(*session)) : NULL;
    if (!session) {
        hr_fail(-ENOMEM, "no memory for an HTTP session");
        return NULL;
    }
    *session = (hr_http_session){
        .refs = 1,
        .home = hr_running_loop_number(),
        .loop = loop,
        .options = o,
        .handles = {.most = o.limit,                           .drop = hr__http_handle_drop  },
        .responses = {.most = hr_memory_watched() ? 0 : o.limit, .drop = hr__http_response_drop},
        .kept_life = hr_seconds(10)
    };
    hr_list_init(&session->transfers);
    hr__http_spoilt_begin(session);
    hr_semaphore_init(&session->turns, o.limit, true);
    hr_loop_at_end(loop, &session->end, loop_closes, session);
    if (begin(session) < 0) {
        destroy(session);
        return NULL;
    }
    return session;
}

void hr_http_session_close(hr_http_session *session)
{
    if (!session || session->closed)
        return;
    session->closed = true;
    /* Turns that come back wake who waits for one, and each passes its own on. */
    while (!hr_list_empty(&session->transfers)) {
        hr_http_response *t = hr_list_entry(session->transfers.next, hr_http_response, link);
        hr__http_explain(t, HR_ECLOSED, 0, "the session was closed");
        hr__http_transfer_over(t, HR_ECLOSED);
    }
    hr__http_multi_end(session);
}

hr_http_session *hr_http_session_free(hr_http_session *session)
{
    if (!session)
        return NULL;
    hr_http_session_close(session);
    hr__http_session_unref(session);
    return NULL;
}

void hr_http_session_freep(hr_http_session **session)
{
    *session = hr_http_session_free(*session);
}

int hr_http_clear_cookies(hr_http_session *session)
{
    if (!session)
        return hr__missing_object("an HTTP session");
    if (session->closed)
        return 0;
    CURL *easy = curl_easy_init();
    if (!easy)
        return hr_fail(-ENOMEM, "no memory to clear cookies");
    curl_easy_setopt(easy, CURLOPT_SHARE, session->share);
    curl_easy_setopt(easy, CURLOPT_COOKIELIST, "ALL");
    curl_easy_cleanup(easy);
    return 0;
}

void hr_http_get_stats(const hr_http_session *session, struct hr_http_stats *ret)
{
    *ret = session ? session->stats : (struct hr_http_stats){0};
}
