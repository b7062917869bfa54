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

/* A line that begins an answer: forgets the one before, of a redirect or an interim one. */
static void begin_answer(hr_http_response *t)
{
    hr__http_headers_clear(&t->headers);
    t->redirecting = false;
}

static void end_answer(hr_http_response *t)
{
    long status = 0, version = 0;
    curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(t->easy, CURLINFO_HTTP_VERSION, &version);
    if (status < 200)
        return;
    const char *place = hr__http_headers_get(&t->headers, "location");
    t->redirecting = t->following && status >= 300 && status < 400 && place && place[0];
    if (t->redirecting) {
        t->redirects++;
        t->talking = false;
        /* Whoever is shown elsewhere with 303 goes there to get, whatever he came to do. */
        if (status == 303)
            curl_easy_setopt(t->easy, CURLOPT_CUSTOMREQUEST, NULL);
        return;
    }
    t->status = (int)status;
    t->version = version == CURL_HTTP_VERSION_1_0   ? 10
                 : version == CURL_HTTP_VERSION_1_1 ? 11
                 : version == CURL_HTTP_VERSION_2_0 ? 20
                 : version == CURL_HTTP_VERSION_3   ? 30
                                                    : 0;
    t->answered = true;
}

static size_t on_header(char *bytes, size_t one, size_t size, void *cookie)
{
    hr_http_response *t = cookie;
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
    hr_http_response *t = cookie;
    size_t have = hr_buf_size(&t->body);
    hr_event_set(&t->news);
    if (t->whole && size > t->room - (have < t->room ? have : t->room))
        return refuse(t, -EMSGSIZE);
    if (have > 0 && have + size > t->room) {
        t->paused |= CURLPAUSE_RECV;
        return CURL_WRITEFUNC_PAUSE;
    }
    return hr_buf_append(&t->body, bytes, size) < 0 ? refuse(t, -ENOMEM) : size;
}

static size_t on_upload(char *bytes, size_t one, size_t size, void *cookie)
{
    hr_http_response *t = cookie;
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

/* Called before each request that leaves. libcurl sends one again by itself when a kept connection
 * turns out dead: for what must not be done twice, that is the end. */
static int on_request(void *cookie, char *ip, char *local_ip, int port, int local_port)
{
    hr_http_response *t = cookie;
    if (t->tries > t->redirects && !t->idempotent) {
        refuse(t, HR_ELOST);
        return CURL_PREREQFUNC_ABORT;
    }
    t->tries++;
    t->talking = true;
    t->refusal = 0;
    hr_event_set(&t->news);
    return CURL_PREREQFUNC_OK;
}

static curl_socket_t on_open(void *cookie, curlsocktype purpose, struct curl_sockaddr *address)
{
    hr_http_response *t = cookie;
    int fd = socket(address->family, address->socktype | SOCK_CLOEXEC | SOCK_NONBLOCK,
                    address->protocol);
    if (fd >= 0)
        return fd;
    if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
        t->refusal = -errno;
    return CURL_SOCKET_BAD;
}

/* --- set up */

static CURL *take_handle(hr_http_session *session)
{
    return session->spare_count > 0 ? session->spares[--session->spare_count] : curl_easy_init();
}

static void give_handle(hr_http_session *session, CURL *easy)
{
    if (session->spare_count == HR__HTTP_SPARES || session->closed) {
        curl_easy_cleanup(easy);
        return;
    }
    curl_easy_setopt(easy, CURLOPT_COOKIEFILE, NULL); /* a reset would forget this list */
    curl_easy_reset(easy);
    session->spares[session->spare_count++] = easy;
}

static void set_tls(CURL *easy, const struct hr_tls_options *tls, enum hr_tls_verify verify)
{
    if (verify == HR_TLS_OFF)
        verify = tls->verify == HR_TLS_OFF ? HR_TLS_FULL : tls->verify;
    curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, verify == HR_TLS_NONE ? 0L : 1L);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, verify == HR_TLS_FULL ? 2L : 0L);
    if (tls->ca)
        curl_easy_setopt(easy, CURLOPT_CAINFO, tls->ca);
    if (tls->cert)
        curl_easy_setopt(easy, CURLOPT_SSLCERT, tls->cert);
    if (tls->cert)
        curl_easy_setopt(easy, CURLOPT_SSLKEY, tls->key ? tls->key : tls->cert);
}

static void set_session(hr_http_response *t)
{
    const hr_http_session *session = t->session;
    const struct hr_http_options *o = &session->options;
    CURL *easy = t->easy;
    curl_easy_setopt(easy, CURLOPT_SHARE, session->share);
    if (!o->no_cookies)
        curl_easy_setopt(easy, CURLOPT_COOKIEFILE, "");
    if (!o->no_compression)
        curl_easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, "");
    curl_easy_setopt(easy, CURLOPT_USERAGENT, o->user_agent);
    curl_easy_setopt(easy, CURLOPT_PROXY, o->proxy ? o->proxy : "");
    curl_easy_setopt(easy, CURLOPT_NOPROXY, "");
    hr_usec ms = o->connect_timeout / 1000 + 1;
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, ms < INT_MAX ? (long)ms : (long)INT_MAX);
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, t->following ? 1L : 0L);
    curl_easy_setopt(easy, CURLOPT_MAXREDIRS, (long)o->max_redirects);
}

static void set_callbacks(hr_http_response *t)
{
    CURL *easy = t->easy;
    curl_easy_setopt(easy, CURLOPT_PRIVATE, t);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, t->said);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, t);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, t);
    curl_easy_setopt(easy, CURLOPT_READFUNCTION, on_upload);
    curl_easy_setopt(easy, CURLOPT_READDATA, t);
    curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, on_request);
    curl_easy_setopt(easy, CURLOPT_PREREQDATA, t);
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, on_open);
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, t);
}

static void set_fixed(CURL *easy)
{
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
    /* What a proxy says to CONNECT is no part of the answer. */
    curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    /* A name that is still looked up when its request ends is left to its thread; otherwise the
     * loop would stand still until the resolver has given up. */
    curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
}

/* How the body goes, and by which method; curl_easy_setopt() fails here for want of memory only. */
static CURLcode set_body(hr_http_response *t, const struct hr_http_request *request,
                         const char *method)
{
    CURL *easy = t->easy;
    if (request->stream) {
        curl_easy_setopt(easy, CURLOPT_UPLOAD, 1L);
        curl_off_t size = request->body_size > 0 ? (curl_off_t)request->body_size : -1;
        curl_easy_setopt(easy, CURLOPT_INFILESIZE_LARGE, size);
        return curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, method);
    }
    if (request->body) {
        curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body_size);
        CURLcode code = curl_easy_setopt(easy, CURLOPT_COPYPOSTFIELDS, request->body);
        if (code != CURLE_OK || strcmp(method, "POST") == 0)
            return code;
    } else if (strcmp(method, "HEAD") == 0) {
        return curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
    } else if (strcmp(method, "GET") == 0) {
        return curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L);
    } else if (strcmp(method, "POST") == 0) {
        curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE, 0L);
        return curl_easy_setopt(easy, CURLOPT_COPYPOSTFIELDS, "");
    }
    return curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, method);
}

static int add_line(hr_http_response *t, const char *line)
{
    struct curl_slist *lines = curl_slist_append(t->lines, line);
    if (!lines)
        return hr_fail(-ENOMEM, "no memory for a header");
    t->lines = lines;
    return 0;
}

/* One line each: what could end it early would be another header, or another request. */
static int check_line(const char *line)
{
    const char *colon = strchr(line, ':');
    if (!colon || colon == line || line[strcspn(line, "\r\n")])
        return hr_fail(-EINVAL, "this is no header: %.60s", line);
    return 0;
}

static int set_lines(hr_http_response *t, const struct hr_http_request *request)
{
    int r = add_line(t, "Expect:");
    bool typed = false;
    for (size_t i = 0; r == 0 && request->headers && request->headers[i]; i++) {
        const char *line = request->headers[i];
        typed = typed || strncasecmp(line, "content-type:", 13) == 0;
        r = check_line(line);
        if (r == 0)
            r = add_line(t, line);
    }
    if (r == 0 && request->content_type) {
        char type[256];
        int n = snprintf(type, sizeof(type), "Content-Type: %s", request->content_type);
        r = (size_t)n < sizeof(type) ? check_line(type)
                                     : hr_fail(-EINVAL, "this content type is too long");
        if (r == 0)
            r = add_line(t, type);
    } else if (r == 0 && !typed) {
        r = add_line(t, "Content-Type:"); /* libcurl would call it a form */
    }
    if (r == 0)
        curl_easy_setopt(t->easy, CURLOPT_HTTPHEADER, t->lines);
    return r;
}

int hr__http_transfer_set_up(hr_http_response *t, const struct hr_http_request *request)
{
    bool body = request->body || request->stream;
    const char *method = request->method ? request->method : body ? "POST" : "GET";
    t->idempotent =
        request->idempotent || (strcmp(method, "POST") != 0 && strcmp(method, "PATCH") != 0);
    t->following = t->session->options.max_redirects >= 0;
    t->easy = take_handle(t->session);
    if (!t->easy)
        return hr_fail(-ENOMEM, "no memory for a request");
    set_fixed(t->easy);
    set_session(t);
    set_tls(t->easy, &t->session->options.tls, request->verify);
    set_callbacks(t);
    if (set_body(t, request, method) != CURLE_OK ||
        curl_easy_setopt(t->easy, CURLOPT_URL, request->url) != CURLE_OK)
        return hr_fail(-ENOMEM, "no memory for a request");
    return set_lines(t, request);
}

/* --- its course */

void hr__http_transfer_over(hr_http_response *t, int code)
{
    hr_http_session *session = t->session;
    char *url = NULL;
    long connections = 0;
    t->over = true;
    t->code = code;
    hr_list_remove(&t->link);
    hr__http_multi_remove(t);
    curl_easy_getinfo(t->easy, CURLINFO_EFFECTIVE_URL, &url);
    curl_easy_getinfo(t->easy, CURLINFO_NUM_CONNECTS, &connections);
    t->url = url ? strdup(url) : NULL;
    session->stats.connections += (uint64_t)connections;
    session->stats.requests++;
    give_handle(session, hr_take(t->easy));
    curl_slist_free_all(hr_take(t->lines));
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
    CURLcode code = curl_easy_pause(t->easy, t->paused);
    if (code != CURLE_OK && !t->over)
        hr__http_transfer_over(t, hr__http_outcome(t, code));
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
        hr__http_explain(t, -ETIMEDOUT, 0, "not done in the time that was given");
    hr__http_transfer_over(t, -ETIMEDOUT);
    return 0;
}

int hr__http_transfer_wait(hr_http_response *t)
{
    struct hr_timeout limit = {0};
    hr_usec silence = hr_later(hr_now(), t->session->options.read_timeout);
    bool silent = t->talking && silence < t->deadline;
    hr_event_clear(&t->news);
    int r = hr_timeout_enter_at(&limit, silent ? silence : t->deadline);
    if (r < 0)
        return r;
    r = hr_timeout_leave(&limit, hr_event_wait(&t->news));
    if (r == -ECANCELED)
        return hr_fail_native(r, 0, NULL, NULL, t->tries > 0, "%s: cancelled", t->what);
    return r == -ETIMEDOUT ? too_late(t, silent) : r;
}

int hr__http_transfer_outcome(const hr_http_response *t)
{
    return t->code < 0 ? hr_error_raise(&t->error) : 0;
}
