/* SPDX-License-Identifier: MIT */
/*
 * A response as its reader has it: the body sent in pieces, status and headers, the body read; and
 * its memory.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "drivers/http/impl.h"
#include "drivers/missing.h"

/* What of a response's memory is worth keeping. */
#define URL_KEPT  ((size_t)512)
#define BODY_KEPT ((size_t)4096)

void hr__http_response_drop(void *response)
{
    hr_http_response *t = response;
    hr__http_headers_done(&t->headers);
    hr_buf_done(&t->asked);
    hr_buf_done(&t->upload);
    hr_buf_done(&t->body);
    free(t);
}

/* As new, but for the memory of its buffers. */
static hr_http_response *taken(hr_http_session *session)
{
    hr_http_response *t = hr__http_kept_take(&session->responses);
    if (t) {
        *t = (hr_http_response){
            .asked = t->asked, .headers = t->headers, .upload = t->upload, .body = t->body};
        return t;
    }
    t = calloc(1, sizeof(*t));
    if (!t)
        return NULL;
    hr__http_headers_init(&t->headers);
    hr_buf_init(&t->asked, SIZE_MAX);
    hr_buf_init(&t->body, SIZE_MAX);
    hr_buf_init(&t->upload, SIZE_MAX);
    return t;
}

hr_http_response *hr__http_response_new(hr_http_session *session,
                                        const struct hr_http_request *request)
{
    hr_http_response *t = taken(session);
    if (!t)
        return NULL;
    if (hr_buf_append_text(&t->asked, request->url) < 0) {
        hr__http_response_drop(t);
        return NULL;
    }
    hr_usec total =
        request->total_timeout > 0 ? request->total_timeout : session->options.total_timeout;
    t->session = session;
    t->deadline = hr_later(hr_now(), total);
    t->room = session->options.window;
    t->streams = request->stream;
    t->promised = request->stream ? request->body_size : 0;
    t->over = true; /* until it has begun */
    hr_list_init(&t->link);
    hr_event_init(&t->news);
    session->refs++;
    return t;
}

static void trim(struct hr_buf *buf, size_t size)
{
    hr_buf_consume(buf, SIZE_MAX);
    if (buf->capacity > size)
        hr_buf_done(buf);
}

hr_http_response *hr_http_close(hr_http_response *response)
{
    hr_http_response *t = response;
    if (!t)
        return NULL;
    if (!t->over) {
        hr__http_explain(t, -ECANCELED, 0, "closed");
        hr__http_transfer_over(t, -ECANCELED);
    }
    hr_http_session *session = t->session;
    hr_event_done(&t->news);
    free(hr_take(t->text));
    free(hr_take(t->url));
    hr__http_headers_trim(&t->headers);
    trim(&t->asked, URL_KEPT);
    trim(&t->upload, BODY_KEPT);
    trim(&t->body, BODY_KEPT);
    if (!hr__http_kept_give(session, &session->responses, t))
        hr__http_response_drop(t);
    hr__http_session_unref(session);
    return NULL;
}

void hr_http_closep(hr_http_response **response)
{
    *response = hr_http_close(*response);
}

/* --- sending */

static int append(hr_http_response *t, const char *bytes, size_t size)
{
    if (hr_buf_append(&t->upload, bytes, size) < 0)
        return hr_fail(-ENOMEM, "%s: no memory for the body", t->what);
    hr__http_transfer_resume(t, CURLPAUSE_SEND);
    return 0;
}

/* Gives bytes as there is room for them; *left is how much was not given. */
static int give(hr_http_response *t, const char *next, size_t *left)
{
    size_t window = t->session->options.window;
    while (*left > 0) {
        if (t->over && t->code < 0)
            return hr__http_transfer_outcome(t);
        if (t->answered)
            return hr_fail(-EPIPE, "%s: the server has answered already", t->what);
        size_t have = hr_buf_size(&t->upload);
        size_t n = have >= window ? 0 : window - have < *left ? window - have : *left;
        int r = n > 0 ? append(t, next, n) : hr__http_transfer_wait(t);
        if (r < 0)
            return r;
        next += n;
        *left -= n;
    }
    return 0;
}

int(hr_http_write)(hr_http_response *response, const void *bytes, size_t size)
{
    hr_http_response *t = response;
    if (!t)
        return hr__missing_object("an HTTP response");
    if (!t->streams || t->upload_ended)
        return hr_fail(-EINVAL, "%s: nothing more can be sent", t->what);
    if (t->promised > 0 && size > t->promised - t->given)
        return hr_fail(-EINVAL, "%s: more than the %zu bytes that body_size said", t->what,
                       t->promised);
    t->given += size;
    int r = give(t, bytes, &size);
    t->given -= size;
    return r;
}

/* What the server takes next for the rest of the body must never be another request: libcurl does
 * not count, and would keep the connection. */
static int end_short(hr_http_response *t)
{
    curl_easy_setopt(t->handle->easy, CURLOPT_FORBID_REUSE, 1L);
    if (t->answered)
        return 0;
    int r =
        hr__http_explain(t, -EINVAL, 0, "%zu bytes of a body were written where body_size said %zu",
                         t->given, t->promised);
    hr__http_transfer_over(t, r);
    return hr__http_transfer_outcome(t);
}

int(hr_http_finish)(hr_http_response *response)
{
    hr_http_response *t = response;
    if (!t)
        return hr__missing_object("an HTTP response");
    if (t->streams && !t->upload_ended) {
        t->upload_ended = true;
        int r = !t->over && t->given < t->promised ? end_short(t) : 0;
        if (r < 0)
            return r;
        hr__http_transfer_resume(t, CURLPAUSE_SEND);
    }
    while (!t->answered && !t->over) {
        int r = hr__http_transfer_wait(t);
        if (r < 0)
            return r;
    }
    return t->answered ? 0 : hr__http_transfer_outcome(t);
}

/* --- what it says */

int hr_http_status(const hr_http_response *response)
{
    return response ? response->status : 0;
}

const char *hr_http_header(const hr_http_response *response, const char *name)
{
    return response ? hr__http_headers_get(&response->headers, name) : NULL;
}

bool hr_http_header_at(const hr_http_response *response, size_t i, const char **ret_name,
                       const char **ret_value)
{
    if (!response || i >= response->headers.count)
        return false;
    const char *text = hr_buf_data(&response->headers.text);
    *ret_name = text + response->headers.items[i].name;
    *ret_value = text + response->headers.items[i].value;
    return true;
}

const char *hr_http_url(const hr_http_response *response)
{
    if (!response)
        return "";
    const char *url = response->url ? response->url : hr_buf_data(&response->asked);
    if (response->handle)
        curl_easy_getinfo(response->handle->easy, CURLINFO_EFFECTIVE_URL, (char **)&url);
    return url ? url : "";
}

unsigned hr_http_redirects(const hr_http_response *response)
{
    return response ? response->redirects : 0;
}

int hr_http_version(const hr_http_response *response)
{
    return response ? response->version : 0;
}

/* --- its body */

static int check_answered(const hr_http_response *t)
{
    if (!t)
        return hr__missing_object("an HTTP response");
    return t->answered ? 0 : hr_fail(-EINVAL, "%s: there is no answer yet", t->what);
}

ssize_t(hr_http_read)(hr_http_response *response, void *bytes, size_t size)
{
    hr_http_response *t = response;
    int r = check_answered(t);
    if (r < 0)
        return r;
    while (hr_buf_size(&t->body) == 0) {
        if (t->over)
            return hr__http_transfer_outcome(t);
        if (t->paused & CURLPAUSE_RECV)
            hr__http_transfer_resume(t, CURLPAUSE_RECV);
        else if ((r = hr__http_transfer_wait(t)) < 0)
            return r;
    }
    size_t have = hr_buf_size(&t->body);
    size = size < have ? size : have;
    memcpy(bytes, hr_buf_data(&t->body), size);
    hr_buf_consume(&t->body, size);
    return (ssize_t)size;
}

/* Lets all of it come. */
static int read_whole(hr_http_response *t)
{
    int r = check_answered(t);
    if (r < 0)
        return r;
    t->whole = true;
    t->room = t->session->options.max_body;
    hr__http_transfer_resume(t, CURLPAUSE_RECV);
    while (!t->over) {
        r = hr__http_transfer_wait(t);
        if (r < 0)
            return r;
    }
    r = hr__http_transfer_outcome(t);
    if (r == 0 && hr_buf_size(&t->body) > t->room) /* it had come before it was asked for */
        return hr_fail_native(-EMSGSIZE, 0, NULL, NULL, true,
                              "%s: the body is longer than max_body, %zu bytes", t->what, t->room);
    return r;
}

int(hr_http_bytes)(hr_http_response *response, const void **ret, size_t *ret_size)
{
    int r = read_whole(response);
    if (r < 0)
        return r;
    *ret = hr_buf_data(&response->body);
    if (ret_size)
        *ret_size = hr_buf_size(&response->body);
    return 0;
}

/* What cannot be text, by the request it came for. */
static int no_text(const hr_http_response *t, int r)
{
    char why[HR_ERROR_MESSAGE_MAX];
    snprintf(why, sizeof(why), "%s", hr_last_error()->message);
    return hr_fail(r, "%.120s: %s", t->what, why);
}

int(hr_http_text)(hr_http_response *response, const char **ret, size_t *ret_size)
{
    hr_http_response *t = response;
    const void *bytes;
    size_t size;
    int r = hr_http_bytes(t, &bytes, &size);
    if (r == 0 && !t->text)
        r = hr__http_decode(hr_http_header(t, "content-type"), bytes, size, &t->text,
                            &t->text_size);
    if (r < 0)
        return r == -EILSEQ ? no_text(t, r) : r;
    *ret = t->text ? t->text : bytes;
    if (ret_size)
        *ret_size = t->text ? t->text_size : size;
    return 0;
}
