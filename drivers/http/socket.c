/* SPDX-License-Identifier: MIT */
/*
 * libcurl's sockets as events of the loop's base, found by their descriptors.
 *
 * libcurl forgets a connection's socket at the end of each request and names it anew in the next.
 * The event stays as it is in between, since the next request wants to hear what this one did,
 * until libcurl closes the socket or something comes that nobody wants. Not before an answer has
 * come by it: some versions do not tell of the end of an attempt to connect.
 *
 * By a kept connection that no request uses nothing comes but its end. libcurl would leave it as it
 * is, half closed, until it looks for a connection again; so it is shut down under libcurl, and
 * holds no more than a descriptor from then on.
 *
 * While a response is paused libcurl does not hear what comes for it over HTTP/1: some versions,
 * 8.5 for one, ask for that all the same, and would read on and keep what nobody wants yet.
 */
#include <event2/event.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "drivers/http/impl.h"

/* Over HTTP/1 the connection is the one response's alone; the others are paused by libcurl, which
 * goes on reading for those that share one. */
static bool is_held_back(const hr_http_response *t)
{
    return t && t->paused & CURLPAUSE_RECV && t->version < 20;
}

static bool is_of_http_1(const struct hr__http_socket *at)
{
    return at->here.port > 0;
}

/* HTTP/2 is shared: the one user that is known says nothing of others. */
static bool is_idle(const struct hr__http_socket *at)
{
    return at->stays && at->wanted == 0 && !at->user &&
           (is_of_http_1(at) || hr_list_empty(&at->session->transfers));
}

static void fired(evutil_socket_t fd, short events, void *arg);

/* What nobody reads is told of once, where the base can do that. */
static short watched_idly(struct event_base *base)
{
    return event_base_get_features(base) & EV_FEATURE_ET ? EV_READ | EV_ET : 0;
}

static bool watch(struct hr__http_socket *at)
{
    short events = (short)(at->wanted & (is_held_back(at->user) ? ~EV_READ : ~0));
    struct event_base *base = hr_loop_event_base(at->session->loop);
    if (!base) /* a forked child got none */
        return false;
    if (is_idle(at))
        events = watched_idly(base);
    if (events == at->watched)
        return true;
    event_del(at->event);
    event_assign(at->event, base, event_get_fd(at->event), events | EV_PERSIST, fired, at);
    at->watched = events;
    return events == 0 || hr_loop_event_add(at->session->loop, at->event) == 0;
}

/* Over HTTP/1 by whatever comes; over HTTP/2 a server may speak at any time. It is looked for
 * again, as libcurl may have read since what the loop was told of. */
static bool has_ended(const struct hr__http_socket *at)
{
    short signs = is_of_http_1(at) ? POLLRDHUP | POLLIN : POLLRDHUP;
    struct pollfd end = {.fd = event_get_fd(at->event), .events = signs};
    return is_idle(at) && poll(&end, 1, 0) > 0;
}

static void shut_down(struct hr__http_socket *at)
{
    shutdown(event_get_fd(at->event), SHUT_RDWR);
    event_del(at->event);
    at->watched = 0;
}

static void fired(evutil_socket_t fd, short events, void *arg)
{
    struct hr__http_socket *at = arg;
    events &= at->wanted;
    if (events)
        hr__http_multi_act(at->session, fd,
                           (events & EV_READ ? CURL_CSELECT_IN : 0) |
                               (events & EV_WRITE ? CURL_CSELECT_OUT : 0));
    else if (has_ended(at))
        shut_down(at);
    else
        watch(at); /* less than before */
}

/* --- where they stand */

static struct hr__http_socket *find(const hr_http_session *session, curl_socket_t fd)
{
    return (size_t)fd < session->socket_room ? session->sockets[fd] : NULL;
}

static bool has_room(hr_http_session *session, curl_socket_t fd)
{
    size_t have = session->socket_room, room = have ? have : 64;
    while (room <= (size_t)fd)
        room *= 2;
    if (room == have)
        return true;
    struct hr__http_socket **sockets =
        reallocarray(session->sockets, room, sizeof(session->sockets[0]));
    if (!sockets)
        return false;
    memset(sockets + have, 0, (room - have) * sizeof(sockets[0]));
    session->sockets = sockets;
    session->socket_room = room;
    return true;
}

static struct hr__http_socket *socket_new(hr_http_session *session, curl_socket_t fd)
{
    struct event_base *base = hr_loop_event_base(session->loop);
    struct hr__http_socket *at = base && has_room(session, fd) ? malloc(sizeof(*at)) : NULL;
    if (!at)
        return NULL;
    *at = (struct hr__http_socket){.session = session};
    hr_list_init(&at->link);
    at->event = event_new(base, fd, EV_PERSIST, fired, at);
    if (!at->event) {
        free(at);
        return NULL;
    }
    session->sockets[fd] = at;
    return at;
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

static void socket_free(hr_http_session *session, curl_socket_t fd)
{
    struct hr__http_socket *at = find(session, fd);
    if (!at)
        return;
    session->sockets[fd] = NULL;
    use(at, NULL);
    hr_list_remove(&at->link);
    hr_loop_event_free(session->loop, at->event);
    free(at);
}

/* --- what libcurl calls */

int hr__http_socket_close(void *cookie, curl_socket_t fd)
{
    socket_free(cookie, fd);
    return close(fd);
}

static void leave(hr_http_session *session, curl_socket_t fd, struct hr__http_socket *at)
{
    if (at->stays)
        at->wanted = 0; /* and its user's until that is over: it may be paused */
    else
        socket_free(session, fd);
}

int hr__http_socket_wanted(CURL *easy, curl_socket_t fd, int what, void *cookie, void *unused)
{
    hr_http_session *session = cookie;
    struct hr__http_socket *at = find(session, fd);
    if (what == CURL_POLL_REMOVE) {
        if (at)
            leave(session, fd, at);
        return 0;
    }
    at = at ? at : socket_new(session, fd);
    if (at) {
        use(at, hr__http_handle_user(easy));
        at->wanted =
            (short)((what & CURL_POLL_IN ? EV_READ : 0) | (what & CURL_POLL_OUT ? EV_WRITE : 0));
    }
    session->starved = !at || !watch(at) || session->starved;
    return 0;
}

void hr__http_socket_look(hr_http_response *t)
{
    if (t->socket && !watch(t->socket))
        t->session->starved = true;
}

void hr__http_socket_leave(hr_http_response *t)
{
    use(NULL, t);
}
