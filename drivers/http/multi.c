/* SPDX-License-Identifier: MIT */
/*
 * libcurl's multi interface on the loop: its sockets are events of the loop's base, its one timer
 * is a timer of the loop.
 *
 * What libcurl calls while it works completes nothing and frees nothing: it sets an event at most,
 * and the tasks that it wakes run later. So libcurl is never entered a second time from inside.
 */
#include <errno.h>
#include <event2/event.h>

#include "drivers/http/impl.h"

/* Takes in which transfers are over. */
static void collect(hr_http_session *session)
{
    CURLMsg *message;
    int left;
    while ((message = curl_multi_info_read(session->multi, &left))) {
        hr_http_response *t = NULL;
        CURLcode code = message->data.result;
        if (message->msg != CURLMSG_DONE)
            continue;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&t);
        hr__http_transfer_over(t, hr__http_outcome(t, code));
    }
}

static void act(hr_http_session *session, curl_socket_t fd, int events)
{
    int running;
    curl_multi_socket_action(session->multi, fd, events, &running);
    collect(session);
}

static void fired(evutil_socket_t fd, short events, void *arg)
{
    act(arg, fd,
        (events & EV_READ ? CURL_CSELECT_IN : 0) | (events & EV_WRITE ? CURL_CSELECT_OUT : 0));
}

static void due(void *arg)
{
    hr_http_session *session = arg;
    session->timer = NULL;
    act(session, CURL_SOCKET_TIMEOUT, 0);
}

static int watch(hr_http_session *session, curl_socket_t fd, int what, struct event *event)
{
    short events =
        (short)((what & CURL_POLL_IN ? EV_READ : 0) | (what & CURL_POLL_OUT ? EV_WRITE : 0));
    struct event_base *base = hr_loop_event_base(session->loop);
    if (event) {
        event_del(event);
        event_assign(event, base, fd, events | EV_PERSIST, fired, session);
    } else {
        event = event_new(base, fd, events | EV_PERSIST, fired, session);
        if (!event)
            return -1;
        curl_multi_assign(session->multi, fd, event);
    }
    return event_add(event, NULL) == 0 ? 0 : -1;
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *cookie, void *mine)
{
    hr_http_session *session = cookie;
    if (what != CURL_POLL_REMOVE)
        return watch(session, fd, what, mine);
    if (mine) {
        event_free(mine);
        curl_multi_assign(session->multi, fd, NULL);
    }
    return 0;
}

static int on_timer(CURLM *multi, long ms, void *cookie)
{
    hr_http_session *session = cookie;
    if (session->timer)
        hr_handle_cancel(session->timer);
    session->timer = NULL;
    if (ms < 0)
        return 0;
    session->timer = hr_call_later(hr_ms(ms), due, session);
    return session->timer ? 0 : -1;
}

static int share_state(hr_http_session *session)
{
    session->share = curl_share_init();
    if (!session->share)
        return -ENOMEM;
    curl_share_setopt(session->share, CURLSHOPT_SHARE, CURL_LOCK_DATA_SSL_SESSION);
    if (!session->options.no_cookies)
        curl_share_setopt(session->share, CURLSHOPT_SHARE, CURL_LOCK_DATA_COOKIE);
    return 0;
}

int hr__http_multi_begin(hr_http_session *session)
{
    session->multi = curl_multi_init();
    if (!session->multi)
        return -ENOMEM;
    curl_multi_setopt(session->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    curl_multi_setopt(session->multi, CURLMOPT_SOCKETDATA, session);
    curl_multi_setopt(session->multi, CURLMOPT_TIMERFUNCTION, on_timer);
    curl_multi_setopt(session->multi, CURLMOPT_TIMERDATA, session);
    /* Turns keep most of this already; a redirect may lead to another host. */
    long limit = (long)session->options.limit, each = (long)session->options.limit_per_host;
    curl_multi_setopt(session->multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, limit);
    curl_multi_setopt(session->multi, CURLMOPT_MAXCONNECTS, limit);
    curl_multi_setopt(session->multi, CURLMOPT_MAX_HOST_CONNECTIONS, each);
    return share_state(session);
}

void hr__http_multi_end(hr_http_session *session)
{
    while (session->spare_count > 0)
        curl_easy_cleanup(session->spares[--session->spare_count]);
    if (session->multi)
        curl_multi_cleanup(session->multi);
    session->multi = NULL;
    if (session->share)
        curl_share_cleanup(session->share);
    session->share = NULL;
    if (session->timer)
        hr_handle_cancel(session->timer);
    session->timer = NULL;
}

int hr__http_multi_add(hr_http_response *t)
{
    CURLMcode code = curl_multi_add_handle(t->session->multi, t->easy);
    return code == CURLM_OK ? 0 : -ENOMEM;
}

void hr__http_multi_remove(hr_http_response *t)
{
    curl_multi_remove_handle(t->session->multi, t->easy);
}
