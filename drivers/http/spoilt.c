/* SPDX-License-Identifier: MIT */
/*
 * Kept connections on which the server has spoken unasked: what it said there would be taken for
 * the answer to the next request, and the answer to that for the one after.
 *
 * libcurl 7.88 sees only that such a connection is not closed, and hands it out again with a
 * farewell in it: a 408, TLS's close_notify, or anything else. So one that has answered is known by
 * its two ends, and looked at before the next request leaves. One that is spoilt is shut down under
 * libcurl, which cannot send then and opens another; nothing has left.
 *
 * Over HTTP/2 a server may speak at any time.
 */
#include <event2/event.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "drivers/http/impl.h"

static struct hr_list *place(hr_http_session *session, int port)
{
    return &session->answered[(unsigned)port % HR_ARRAY_LEN(session->answered)];
}

static const struct hr__http_socket *find(hr_http_session *session, const char *here, int here_port,
                                          const char *there, int there_port)
{
    hr_list_foreach (node, place(session, here_port)) {
        const struct hr__http_socket *at = hr_list_entry(node, struct hr__http_socket, link);
        if (at->here.port == here_port && at->there.port == there_port &&
            strcmp(at->here.ip, here) == 0 && strcmp(at->there.ip, there) == 0)
            return at;
    }
    return NULL;
}

static void get_end(CURL *easy, CURLINFO ip_of, CURLINFO port_of, struct hr__http_end *ret)
{
    const char *ip = NULL;
    long port = 0;
    curl_easy_getinfo(easy, ip_of, (char **)&ip);
    curl_easy_getinfo(easy, port_of, &port);
    snprintf(ret->ip, sizeof(ret->ip), "%s", ip ? ip : "");
    ret->port = (int)port;
}

void hr__http_spoilt_begin(hr_http_session *session)
{
    for (size_t i = 0; i < HR_ARRAY_LEN(session->answered); i++)
        hr_list_init(&session->answered[i]);
}

void hr__http_spoilt_note(const hr_http_response *t)
{
    struct hr__http_socket *at = t->socket;
    if (!at)
        return;
    at->stays = true;
    if (at->here.port > 0 || t->version >= 20)
        return;
    get_end(t->handle->easy, CURLINFO_LOCAL_IP, CURLINFO_LOCAL_PORT, &at->here);
    get_end(t->handle->easy, CURLINFO_PRIMARY_IP, CURLINFO_PRIMARY_PORT, &at->there);
    hr_list_append(place(t->session, at->here.port), &at->link);
}

bool hr__http_spoilt_check(hr_http_session *session, const char *here, int here_port,
                           const char *there, int there_port)
{
    char byte;
    const struct hr__http_socket *at = find(session, here, here_port, there, there_port);
    if (!at || recv(event_get_fd(at->event), &byte, 1, MSG_PEEK | MSG_DONTWAIT) <= 0)
        return false;
    shutdown(event_get_fd(at->event), SHUT_RDWR);
    return true;
}
