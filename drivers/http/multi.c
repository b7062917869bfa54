/* SPDX-License-Identifier: MIT */
/*
 * libcurl's multi interface on the loop: its one timer is a timer of the loop, and what its sockets
 * and the timer tell goes to it from here.
 *
 * What libcurl calls while it works completes nothing and frees nothing: it sets an event at most,
 * and the tasks that it wakes run later. So libcurl is never entered a second time from inside.
 *
 * It does not hear of a callback that found no memory, since it would declare the whole session
 * dead for that. The session remembers, and who is under way then fails for want of memory: they
 * could wait for ever for an event or a timer that is not there.
 */
#include <errno.h>

#include "drivers/http/impl.h"

/* Takes in which transfers are over. */
static void collect(hr_http_session *session)
{
    CURLMsg *message;
    int left;
    while ((message = curl_multi_info_read(session->multi, &left))) {
        CURLcode code = message->data.result;
        if (message->msg != CURLMSG_DONE)
            continue;
        hr_http_response *t = hr__http_handle_user(message->easy_handle);
        hr__http_transfer_over(t, hr__http_outcome(t, code));
    }
}

void hr__http_multi_settle(hr_http_session *session)
{
    while (session->starved && !hr_list_empty(&session->transfers)) {
        hr_http_response *t = hr_list_entry(session->transfers.next, hr_http_response, link);
        hr__http_explain(t, -ENOMEM, 0, "no memory to wait for the server");
        hr__http_transfer_over(t, -ENOMEM);
    }
    session->starved = false;
}

void hr__http_multi_act(hr_http_session *session, curl_socket_t fd, int events)
{
    int running;
    if (curl_multi_socket_action(session->multi, fd, events, &running) != CURLM_OK)
        session->starved = true; /* it fails for nothing else */
    collect(session);
    hr__http_multi_settle(session);
}

static void arm_timer(hr_http_session *session);

static void due(void *arg)
{
    hr_http_session *session = arg;
    session->timer = hr_handle_unref(session->timer);
    if (session->due <= hr_now())
        hr__http_multi_act(session, CURL_SOCKET_TIMEOUT, 0);
    else
        arm_timer(session);
}

static void disarm_timer(hr_http_session *session)
{
    hr_handle_cancel(session->timer);
    session->timer = hr_handle_unref(session->timer);
}

/* One that rings too early is armed anew then: nearly all of libcurl's moments are put off before
 * they come. */
static void arm_timer(hr_http_session *session)
{
    if (session->due == HR_FOREVER || (session->timer && session->rings <= session->due))
        return;
    disarm_timer(session);
    session->rings = session->due;
    session->timer = hr_handle_ref(hr_call_at(session->rings, due, session));
    session->starved = !session->timer || session->starved;
}

static int on_timer(CURLM *multi, long ms, void *cookie)
{
    hr_http_session *session = cookie;
    session->due = ms < 0 ? HR_FOREVER : hr_later(hr_now(), hr_ms(ms));
    arm_timer(session);
    return 0;
}

static int share_state(hr_http_session *session)
{
    session->share = curl_share_init();
    if (!session->share)
        return -ENOMEM;
    CURLSHcode code =
        curl_share_setopt(session->share, CURLSHOPT_SHARE, CURL_LOCK_DATA_SSL_SESSION);
    if (code == CURLSHE_OK && !session->options.no_cookies)
        code = curl_share_setopt(session->share, CURLSHOPT_SHARE, CURL_LOCK_DATA_COOKIE);
    return code == CURLSHE_NOMEM ? -ENOMEM : 0;
}

int hr__http_multi_begin(hr_http_session *session)
{
    session->multi = curl_multi_init();
    if (!session->multi)
        return -ENOMEM;
    curl_multi_setopt(session->multi, CURLMOPT_SOCKETFUNCTION, hr__http_socket_wanted);
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
    hr__http_kept_end(session);
    if (session->multi)
        curl_multi_cleanup(session->multi);
    session->multi = NULL;
    free(hr_take(session->sockets));
    session->socket_room = 0;
    if (session->share)
        curl_share_cleanup(session->share);
    session->share = NULL;
    disarm_timer(session);
}

int hr__http_multi_add(hr_http_response *t)
{
    CURLMcode code = curl_multi_add_handle(t->session->multi, t->handle->easy);
    return code == CURLM_OK ? 0 : -ENOMEM;
}

void hr__http_multi_remove(hr_http_response *t)
{
    curl_multi_remove_handle(t->session->multi, t->handle->easy);
    hr__http_socket_leave(t);
}
