/* SPDX-License-Identifier: MIT */
/*
 * How a request begins: it is looked at, waits for its turn, and is handed to libcurl.
 */
#include <errno.h>
#include <string.h>

#include "core/timeout.h"
#include "drivers/http/impl.h"
#include "drivers/missing.h"

/* A method is a word of capitals: nothing that could end the line it stands in. */
static int check_request(const struct hr_http_request *request)
{
    if (!request || !request->url)
        return hr_fail(-EINVAL, "http: no URL");
    const char *method = request->method;
    if (strlen(request->url) > HR__HTTP_URL_MAX)
        return hr_fail(-EINVAL, "http: the URL is longer than 64 KiB: what is as long is a body");
    char shown[40];
    if (method && (!method[0] || method[strspn(method, "ABCDEFGHIJKLMNOPQRSTUVWXYZ-")]))
        return hr_fail(-EINVAL, "http: this is no method, which is a word of capitals: %s",
                       hr__http_show(method, shown, sizeof(shown)));
    if (method && strcmp(method, "HEAD") == 0 && (request->body || request->stream))
        return hr_fail(-EINVAL, "http: HEAD has no body to send");
    if (request->body && request->stream)
        return hr_fail(-EINVAL, "http: a body is given whole or comes in pieces, not both");
    if (request->body_size > 0 && !request->body && !request->stream)
        return hr_fail(-EINVAL, "http: body_size says %zu and there is no body",
                       request->body_size);
    return 0;
}

/* Waits for a turn, first among those of the same host (NULL: there is no limit a host), so that
 * nobody who waits for his host keeps others from theirs. */
static int take_turn(hr_http_session *session, const char *host)
{
    int r = host ? hr_key_limiter_acquire(session->hosts, host) : 0;
    if (r < 0)
        return r;
    r = hr_semaphore_acquire(&session->turns);
    if (r == 0 && session->closed) {
        hr_semaphore_release(&session->turns);
        r = hr_fail(HR_ECLOSED, "the HTTP session was closed");
    }
    if (r < 0 && host)
        hr_key_limiter_release(session->hosts, host);
    return r;
}

static int wait_for_turn(hr_http_response *t, const char *host)
{
    struct hr_timeout limit = {0};
    hr_http_session *session = t->session;
    int r = hr_timeout_enter_at(&limit, t->deadline);
    if (r < 0)
        return r;
    session->stats.waiting++;
    r = hr_timeout_leave(&limit, take_turn(session, host));
    session->stats.waiting--;
    if (r == -ETIMEDOUT)
        return hr_fail(r, "%s: no turn in the time that was given (total_timeout)", t->what);
    if (r == -ECANCELED)
        return hr_fail(r, "%s: cancelled", t->what);
    if (r == 0)
        session->stats.under_way++;
    return r;
}

/* A turn whose request cannot even begin. */
static void give_turn_back(hr_http_response *t)
{
    hr_http_session *session = t->session;
    if (t->host)
        hr_key_limiter_release(session->hosts, t->host);
    free(hr_take(t->host));
    session->stats.under_way--;
    hr_semaphore_release(&session->turns);
}

static int start(hr_http_response *t, const struct hr_http_request *request)
{
    int r = hr__http_request_set_up(t, request);
    if (r == 0 && hr__http_multi_add(t) < 0)
        r = hr_fail(-ENOMEM, "no memory for a request");
    if (r < 0) {
        hr__http_handle_give(t);
        give_turn_back(t);
        return r;
    }
    t->over = false;
    hr_list_append(&t->session->transfers, &t->link);
    hr__http_multi_settle(t->session);
    return 0;
}

int(hr_http_begin)(hr_http_session *session, const struct hr_http_request *request,
                   hr_http_response **ret)
{
    hr_auto(hr_freep) char *host = NULL;
    if (!hr_current_task())
        return hr_fail(HR_ENOTASK, "only a task can wait");
    if (!session)
        return hr__missing_object("an HTTP session");
    if (session->home != hr_running_loop_number())
        return hr_fail(HR_EWRONGLOOP, "the HTTP session belongs to another loop");
    if (session->closed)
        return hr_fail(HR_ECLOSED, "the HTTP session was closed");
    int r = check_request(request);
    if (r < 0)
        return r;
    hr_auto(hr_http_closep) hr_http_response *t = hr__http_response_new(session, request);
    r = t ? hr__http_name(hr__http_method(request), request->url, session->hosts, t->what, &host)
          : -ENOMEM;
    if (r == -ENOMEM)
        return hr_fail(r, "no memory for a request");
    if (r < 0)
        return r;
    r = wait_for_turn(t, session->hosts ? host : NULL);
    if (r == 0) {
        t->host = session->hosts ? hr_take(host) : NULL;
        r = start(t, request);
    }
    if (r < 0)
        return r;
    *ret = hr_take(t);
    return 0;
}

int(hr_http_send)(hr_http_session *session, const struct hr_http_request *request,
                  hr_http_response **ret)
{
    hr_auto(hr_http_closep) hr_http_response *response = NULL;
    if (request && request->stream)
        return hr_fail(-EINVAL, "http: a body in pieces begins with hr_http_begin()");
    int r = hr_http_begin(session, request, &response);
    if (r == 0)
        r = hr_http_finish(response);
    if (r == 0)
        *ret = hr_take(response);
    return r;
}

int(hr_http_get)(hr_http_session *session, const char *url, hr_http_response **ret)
{
    return hr_http_send(session, &(struct hr_http_request){.url = url}, ret);
}

int(hr_http_post)(hr_http_session *session, const char *url, const char *content_type,
                  const void *body, size_t size, hr_http_response **ret)
{
    struct hr_http_request request = {
        .url = url,
        .content_type = content_type,
        .body = body ? body : "",
        .body_size = size,
    };
    return hr_http_send(session, &request, ret);
}
