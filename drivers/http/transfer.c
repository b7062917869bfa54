/* SPDX-License-Identifier: MIT */
/*
 * One request and its answer, as libcurl reports them: callbacks note what has come and tell the
 * task that waits; a full buffer holds the peer back until the task has made room.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "core/timeout.h"
#include "drivers/http/impl.h"

/* --- what libcurl calls */

static size_t refuse(hr_http_response *t, int code)
{
    t->refusal = code;
    return 0;
}

static bool is_redirect(long status)
{
    return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

/* A line that begins an answer: forgets the one before, of a redirect or an interim one. libcurl
 * would go wherever a status from 300 to 399 names a place, which 304 (not modified) may do. */
static void begin_answer(hr_http_response *t)
{
    long status = 0;
    hr__http_headers_clear(&t->headers);
    t->redirecting = false;
    curl_easy_getinfo(t->handle->easy, CURLINFO_RESPONSE_CODE, &status);
    if (t->following && status >= 300 && status < 400)
        curl_easy_setopt(t->handle->easy, CURLOPT_FOLLOWLOCATION, is_redirect(status) ? 1L : 0L);
}

static void end_answer(hr_http_response *t)
{
    long status = 0, version = 0;
    curl_easy_getinfo(t->handle->easy, CURLINFO_RESPONSE_CODE, &status);
    if (status < 200 && status != 101) /* after which the server speaks another language */
        return;
    curl_easy_getinfo(t->handle->easy, CURLINFO_HTTP_VERSION, &version);
    t->version = version == CURL_HTTP_VERSION_1_0   ? 10
                 : version == CURL_HTTP_VERSION_1_1 ? 11
                 : version == CURL_HTTP_VERSION_2_0 ? 20
                 : version == CURL_HTTP_VERSION_3   ? 30
                                                    : 0;
    hr__http_spoilt_note(t);
    if (t->following && is_redirect(status)) {
        const char *place = hr__http_headers_get(&t->headers, "location");
        t->redirecting = place && place[0];
    }
    if (t->redirecting) {
        t->redirects++;
        t->talking = false;
        /* Whoever is shown elsewhere with 303 goes there to get, whatever he came to do. */
        if (status == 303)
            curl_easy_setopt(t->handle->easy, CURLOPT_CUSTOMREQUEST, NULL);
        return;
    }
    t->status = (int)status;
    t->answered = true;
}

static size_t on_header(char *bytes, size_t one, size_t size, void *cookie)
{
    hr_http_response *t = ((const struct hr__http_handle *)cookie)->user;
    hr_event_set(&t->news);
    if (t->answered) /* what follows a body in chunks */
        return size;
    if (size > 5 && strncasecmp(bytes, "HTTP/", 5) == 0) {
        begin_answer(t);
    } else if (size <= 2 && (bytes[0] == '\r' || bytes[0] == '\n')) {
        end_answer(t);
    } else {
        int r = hr__http_headers_add(&t->headers, bytes, size);
        if (r < 0)
            return refuse(t, r);
    }
    return size;
}

static size_t on_body(char *bytes, size_t one, size_t size, void *cookie)
{
    hr_http_response *t = ((const struct hr__http_handle *)cookie)->user;
    size_t have = hr_buf_size(&t->body);
    hr_event_set(&t->news);
    if (t->over) /* nobody wants it any more */
        return size;
    if (t->whole && size > t->room - (have < t->room ? have : t->room))
        return refuse(t, -EMSGSIZE);
    if (have > 0 && have + size > t->room) {
        t->paused |= CURLPAUSE_RECV;
        hr__http_socket_look(t);
        return CURL_WRITEFUNC_PAUSE;
    }
    return hr_buf_append(&t->body, bytes, size) < 0 ? refuse(t, -ENOMEM) : size;
}

static size_t on_upload(char *bytes, size_t one, size_t size, void *cookie)
{
    hr_http_response *t = ((const struct hr__http_handle *)cookie)->user;
    size_t have = hr_buf_size(&t->upload);
    hr_event_set(&t->news);
    if (have == 0 && t->upload_ended)
        return 0;
    if (have == 0) {
        t->paused |= CURLPAUSE_SEND;
        return CURL_READFUNC_PAUSE;
    }
    size = size < have ? size : have;
    memcpy(bytes, hr_buf_data(&t->upload), size);
    hr_buf_consume(&t->upload, size);
    return size;
}

/* A whole body goes without a word of ours: that some of it has gone is news. */
static int on_progress(void *cookie, curl_off_t to_get, curl_off_t got, curl_off_t to_send,
                       curl_off_t sent)
{
    hr_http_response *t = ((const struct hr__http_handle *)cookie)->user;
    if (sent != t->sent)
        hr_event_set(&t->news);
    t->sent = sent;
    return 0;
}

/* Called before each request that leaves. libcurl sends one again by itself when a kept connection
 * turns out dead: for what must not be done twice, that is the end. */
static int on_request(void *cookie, char *ip, char *local_ip, int port, int local_port)
{
    hr_http_response *t = ((const struct hr__http_handle *)cookie)->user;
    bool spoilt = hr__http_spoilt_check(t->session, local_ip, local_port, ip, port);
    if (spoilt != t->afresh)
        curl_easy_setopt(t->handle->easy, CURLOPT_FRESH_CONNECT, spoilt ? 1L : 0L);
    t->afresh = spoilt;
    if (spoilt)
        return CURL_PREREQFUNC_OK; /* to find that it cannot send */
    if (t->tries > t->redirects && !t->idempotent) {
        refuse(t, HR_ELOST);
        return CURL_PREREQFUNC_ABORT;
    }
    t->tries++;
    t->talking = true;
    t->since = hr_now();
    t->refusal = 0;
    return CURL_PREREQFUNC_OK;
}

static curl_socket_t on_open(void *cookie, curlsocktype purpose, struct curl_sockaddr *address)
{
    hr_http_response *t = ((const struct hr__http_handle *)cookie)->user;
    int fd = socket(address->family, address->socktype | SOCK_CLOEXEC | SOCK_NONBLOCK,
                    address->protocol);
    if (fd >= 0)
        return fd;
    if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
        t->refusal = -errno;
    return CURL_SOCKET_BAD;
}

void hr__http_transfer_follow(struct hr__http_handle *handle)
{
    CURL *easy = handle->easy;
    curl_easy_setopt(easy, CURLOPT_PRIVATE, handle);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, handle->said);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, handle);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, handle);
    curl_easy_setopt(easy, CURLOPT_READFUNCTION, on_upload);
    curl_easy_setopt(easy, CURLOPT_READDATA, handle);
    curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, on_request);
    curl_easy_setopt(easy, CURLOPT_PREREQDATA, handle);
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, on_open);
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, handle);
}

void hr__http_transfer_follow_upload(struct hr__http_handle *handle)
{
    curl_easy_setopt(handle->easy, CURLOPT_XFERINFOFUNCTION, on_progress);
    curl_easy_setopt(handle->easy, CURLOPT_XFERINFODATA, handle);
    curl_easy_setopt(handle->easy, CURLOPT_NOPROGRESS, 0L);
}

/* --- its course */

/* libcurl 7.88 never frees what it holds back for a paused transfer that goes while others share
 * its connection; resumed, it hands that out. */
static void drain(const hr_http_response *t)
{
    if (t->paused & CURLPAUSE_RECV && t->version >= 20)
        curl_easy_pause(t->handle->easy, t->paused & ~CURLPAUSE_RECV);
}

void hr__http_transfer_over(hr_http_response *t, int code)
{
    hr_http_session *session = t->session;
    char *url = NULL;
    long connections = 0;
    t->over = true;
    t->code = code;
    hr_list_remove(&t->link);
    drain(t);
    hr__http_multi_remove(t);
    curl_easy_getinfo(t->handle->easy, CURLINFO_EFFECTIVE_URL, &url);
    curl_easy_getinfo(t->handle->easy, CURLINFO_NUM_CONNECTS, &connections);
    if (url && strcmp(url, hr_buf_data(&t->asked)) != 0) {
        t->url = strdup(url);
        hr_buf_consume(&t->asked, SIZE_MAX); /* without memory it is not known */
    }
    session->stats.connections += (uint64_t)connections;
    session->stats.requests++;
    hr__http_handle_give(t);
    if (t->host)
        hr_key_limiter_release(session->hosts, t->host);
    free(hr_take(t->host));
    session->stats.under_way--;
    hr_semaphore_release(&session->turns);
    hr_event_set(&t->news);
}

void hr__http_transfer_resume(hr_http_response *t, int which)
{
    if (t->over || !(t->paused & which))
        return;
    t->paused &= ~which;
    hr__http_socket_look(t);
    CURLcode code = curl_easy_pause(t->handle->easy, t->paused);
    if (code != CURLE_OK && !t->over)
        hr__http_transfer_over(t, hr__http_outcome(t, code));
    hr__http_multi_settle(t->session);
}

static int too_late(hr_http_response *t, bool silent)
{
    const struct hr_http_options *o = &t->session->options;
    if (t->over)
        return 0;
    if (silent)
        hr__http_explain(t, -ETIMEDOUT, 0, "the server said nothing for %.1f s",
                         hr_in_seconds(o->read_timeout));
    else
        hr__http_explain(t, -ETIMEDOUT, 0, "not done in the time that was given (total_timeout)");
    hr__http_transfer_over(t, -ETIMEDOUT);
    return 0;
}

/* Until news, or the moment. 0, -ETIMEDOUT, -ECANCELED, or why there is no limit. The loop's clock
 * may stand behind the moment that it is: a span leaves the server its time all the same. */
static int wait_until(hr_http_response *t, hr_usec moment)
{
    struct hr_timeout limit = {0};
    int r = hr_timeout_enter(&limit, moment - hr_now());
    return r < 0 ? r : hr_timeout_leave(&limit, hr_event_wait_as(&t->news, "an HTTP server"));
}

int hr__http_transfer_wait(hr_http_response *t)
{
    hr_usec patience = t->session->options.read_timeout;
    hr_event_clear(&t->news);
    t->since = hr_now();
    for (;;) {
        hr_usec silence = hr_later(t->since, patience);
        int r = wait_until(t, silence < t->deadline ? silence : t->deadline);
        if (r == -ECANCELED)
            return hr_fail_native(r, 0, NULL, NULL, t->tries > 0, "%s: cancelled", t->what);
        if (r != -ETIMEDOUT)
            return r;
        hr_usec now = hr_now();
        bool silent = t->talking && now >= hr_later(t->since, patience);
        if (silent || now >= t->deadline)
            return too_late(t, now < t->deadline);
        if (!t->talking) /* its connection has a limit of its own */
            t->since = now;
    }
}

int hr__http_transfer_outcome(const hr_http_response *t)
{
    return t->code < 0 ? hr_error_raise(&t->error) : 0;
}
