/* SPDX-License-Identifier: MIT */
/*
 * libcurl's multi interface on the loop: its sockets are events of the loop's base, its one timer
 * is a timer of the loop.
 *
 * What libcurl calls while it works completes nothing and frees nothing: it sets an event at most,
 * and the tasks that it wakes run later. So libcurl is never entered a second time from inside.
 *
 * While a response is paused libcurl does not hear what comes for it over HTTP/1: some versions,
 * 8.5 for one, ask for that all the same, and would read on and keep what nobody wants yet.
 *
 * Nor does it hear of a callback that found no memory, since it would declare the whole session
 * dead for that. The session remembers, and who is under way then fails for want of memory: they
 * could wait for ever for an event or a timer that is not there.
 */
#include <errno.h>
#include <event2/event.h>

#include "drivers/http/impl.h"

/* What libcurl wants to know of a socket. */
struct hr__http_socket {
    hr_http_session *session;
    hr_http_response *user; /* that it was asked for last, while under way; or NULL */
    struct event *event;
    short wanted, watched; /* EV_READ, EV_WRITE */
};

static hr_http_response *user_of(CURL *easy)
{
    struct hr__http_handle *handle = NULL;
    curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **)&handle);
    return handle->user;
}

/* Takes in which transfers are over. */
static void collect(hr_http_session *session)
{
    CURLMsg *message;
    int left;
    while ((message = curl_multi_info_read(session->multi, &left))) {
        CURLcode code = message->data.result;
        if (message->msg != CURLMSG_DONE)
            continue;
        hr_http_response *t = user_of(message->easy_handle);
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

static void act(hr_http_session *session, curl_socket_t fd, int events)
{
    int running;
    if (curl_multi_socket_action(session->multi, fd, events, &running) != CURLM_OK)
        session->starved = true; /* it fails for nothing else */
    collect(session);
    hr__http_multi_settle(session);
}

static void fired(evutil_socket_t fd, short events, void *arg)
{
    const struct hr__http_socket *at = arg;
    act(at->session, fd,
        (events & EV_READ ? CURL_CSELECT_IN : 0) | (events & EV_WRITE ? CURL_CSELECT_OUT : 0));
}

static void due(void *arg)
{
    hr_http_session *session = arg;
    session->timer = hr_handle_unref(session->timer);
    act(session, CURL_SOCKET_TIMEOUT, 0);
}

/* Over HTTP/1 the connection is the one response's alone; the others are paused by libcurl, which
 * goes on reading for those that share one. */
static bool is_held_back(const hr_http_response *t)
{
    return t && t->paused & CURLPAUSE_RECV && t->version < 20;
}

static bool watch(struct hr__http_socket *at)
{
    short events = (short)(at->wanted & (is_held_back(at->user) ? ~EV_READ : ~0));
    struct event_base *base = hr_loop_event_base(at->session->loop);
    if (!base) /* a forked child got none */
        return false;
    if (events == at->watched)
        return true;
    event_del(at->event);
    event_assign(at->event, base, event_get_fd(at->event), events | EV_PERSIST, fired, at);
    at->watched = events;
    return events == 0 || hr_loop_event_add(at->session->loop, at->event) == 0;
}

static void use(struct hr__http_socket *at, hr_http_response *t)
{
    if (at && at->user)
        at->user->socket = NULL;
    if (t && t->socket)
        t->socket->user = NULL;
    if (at)
        at->user = t;
    if (t)
        t->socket = at;
}

static struct hr__http_socket *socket_new(hr_http_session *session, curl_socket_t fd)
{
    struct event_base *base = hr_loop_event_base(session->loop);
    struct hr__http_socket *at = base ? malloc(sizeof(*at)) : NULL;
    if (!at)
        return NULL;
    *at = (struct hr__http_socket){.session = session};
    at->event = event_new(base, fd, EV_PERSIST, fired, at);
    if (!at->event) {
        free(at);
        return NULL;
    }
    curl_multi_assign(session->multi, fd, at);
    return at;
}

static void socket_free(struct hr__http_socket *at)
{
    if (!at)
        return;
    use(at, NULL);
    hr_loop_event_free(at->session->loop, at->event);
    free(at);
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *cookie, void *mine)
{
    hr_http_session *session = cookie;
    if (what == CURL_POLL_REMOVE) {
        socket_free(mine);
        curl_multi_assign(session->multi, fd, NULL);
        return 0;
    }
    struct hr__http_socket *at = mine ? mine : socket_new(session, fd);
    if (at) {
        use(at, user_of(easy));
        at->wanted =
            (short)((what & CURL_POLL_IN ? EV_READ : 0) | (what & CURL_POLL_OUT ? EV_WRITE : 0));
    }
    session->starved = !at || !watch(at) || session->starved;
    return 0;
}

void hr__http_multi_look(hr_http_response *t)
{
    if (t->socket && !watch(t->socket))
        t->session->starved = true;
}

static void disarm_timer(hr_http_session *session)
{
    hr_handle_cancel(session->timer);
    session->timer = hr_handle_unref(session->timer);
}

static int on_timer(CURLM *multi, long ms, void *cookie)
{
    hr_http_session *session = cookie;
    disarm_timer(session);
    if (ms < 0)
        return 0;
    session->timer = hr_handle_ref(hr_call_later(hr_ms(ms), due, session));
    session->starved = !session->timer || session->starved;
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
    hr__http_handles_end(session);
    if (session->multi)
        curl_multi_cleanup(session->multi);
    session->multi = NULL;
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
    use(NULL, t);
}
