/* SPDX-License-Identifier: MIT */
/*
 * What one request asks for beyond its session: method, body, lines, and how the server is
 * verified.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "drivers/http/impl.h"

const char *hr__http_method(const struct hr_http_request *request)
{
    if (request->method)
        return request->method;
    return request->body || request->stream ? "POST" : "GET";
}

const char *hr__http_show(const char *text, char *to, size_t size)
{
    size_t n = 0;
    for (; *text && n + sizeof("\\x00") <= size; text++) {
        bool control = (unsigned char)*text < ' ' || *text == 0x7f;
        n += (size_t)snprintf(to + n, size - n, control ? "\\x%02x" : "%c", (unsigned char)*text);
    }
    to[n] = '\0';
    return to;
}

/* Where a server expects one, that there is none is said: Content-Length: 0 (RFC 9110, 8.6). */
static bool may_have_body(const char *method)
{
    return strcmp(method, "POST") == 0 || strcmp(method, "PUT") == 0 ||
           strcmp(method, "PATCH") == 0;
}

/* Where a body of unknown size ends, libcurl before 8.1 overwrites what it holds back of another
 * answer on the same connection of HTTP/2 (in http2_data_done_send(); curl issue 10525 is of its
 * kind). So such a body goes alone: on a connection of its own, which nobody else is lent, since
 * its TLS is another by an option that means nothing from TLS 1.1 on. */
static void keep_alone(CURL *easy)
{
    if (curl_version_info(CURLVERSION_NOW)->version_num >= 0x080100)
        return;
    curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L);
    curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, 1L);
    curl_easy_setopt(easy, CURLOPT_SSL_OPTIONS, (long)CURLSSLOPT_ALLOW_BEAST);
}

static bool is_https(const char *url)
{
    return strncasecmp(url, "https:", 6) == 0;
}

/* How the body goes, and by which method; curl_easy_setopt() fails here for want of memory only. */
static CURLcode set_body(hr_http_response *t, const struct hr_http_request *request,
                         const char *method)
{
    CURL *easy = t->handle->easy;
    bool posts = strcmp(method, "POST") == 0;
    if (request->stream) {
        curl_off_t size = request->body_size > 0 ? (curl_off_t)request->body_size : -1;
        if (size < 0 && is_https(request->url))
            keep_alone(easy);
        curl_easy_setopt(easy, posts ? CURLOPT_POST : CURLOPT_UPLOAD, 1L);
        curl_easy_setopt(easy, posts ? CURLOPT_POSTFIELDSIZE_LARGE : CURLOPT_INFILESIZE_LARGE,
                         size);
        return posts ? CURLE_OK : curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, method);
    }
    if (request->body || may_have_body(method)) {
        size_t size = request->body ? request->body_size : 0;
        curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)size);
        if (size > 0)
            hr__http_transfer_follow_upload(t->handle);
        CURLcode code =
            curl_easy_setopt(easy, CURLOPT_COPYPOSTFIELDS, request->body ? request->body : "");
        if (code != CURLE_OK || posts)
            return code;
        /* Only a POST turns into a GET there. */
        curl_easy_setopt(easy, CURLOPT_POSTREDIR,
                         (long)(CURL_REDIR_POST_301 | CURL_REDIR_POST_302));
    } else if (strcmp(method, "HEAD") == 0) {
        return curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
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

/* One line each, and a name that is one: what could end it early, or begin with a blank, would be
 * part of another header, or another request. */
static int check_line(const char *line, size_t number)
{
    static const char token[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
                                "!#$%&'*+-.^_`|~"; /* RFC 9110, 5.6.2 */
    size_t size = strspn(line, token);
    if (size == 0 || line[size] != ':')
        return hr_fail(-EINVAL, "http: header %zu is not of the form \"Name: value\"", number);
    if (line[strcspn(line, "\r\n")])
        return hr_fail(-EINVAL,
                       "http: the header %.*s holds the end of a line: each is one, without it",
                       (int)(size < 40 ? size : 40), line);
    return 0;
}

/* By a line without a value libcurl understands that the header is not wanted; "Name;" is its word
 * for one that is empty. */
static int add_header(hr_http_response *t, const char *line)
{
    size_t size = strcspn(line, ":"), blanks = strspn(line + size + 1, " \t");
    if (line[size + 1 + blanks])
        return add_line(t, line);
    hr_auto(hr_freep) char *empty = NULL;
    if (asprintf(&empty, "%.*s;", (int)size, line) < 0) {
        empty = NULL;
        return hr_fail(-ENOMEM, "no memory for a header");
    }
    return add_line(t, empty);
}

static int set_lines(hr_http_response *t, const struct hr_http_request *request)
{
    int r = add_line(t, "Expect:");
    bool typed = false;
    for (size_t i = 0; r == 0 && request->headers && request->headers[i]; i++) {
        const char *line = request->headers[i];
        typed = typed || strncasecmp(line, "content-type:", 13) == 0;
        r = check_line(line, i + 1);
        if (r == 0)
            r = add_header(t, line);
    }
    if (r == 0 && request->content_type && typed)
        return hr_fail(-EINVAL, "http: two types of content, one of them among the headers");
    if (r == 0 && request->content_type) {
        char type[256];
        int n = snprintf(type, sizeof(type), "Content-Type: %s", request->content_type);
        r = (size_t)n < sizeof(type) ? check_line(type, 0)
                                     : hr_fail(-EINVAL, "http: this content type is too long");
        if (r == 0)
            r = add_line(t, type);
    } else if (r == 0 && !typed) {
        r = add_line(t, "Content-Type:"); /* libcurl would call it a form */
    }
    if (r == 0)
        curl_easy_setopt(t->handle->easy, CURLOPT_HTTPHEADER, t->lines);
    return r;
}

/* Whether it asks for nothing but what a URL names; an '@' may stand behind a password, which is no
 * business of the handle's next request. */
static bool is_plain(const struct hr_http_request *request, const char *method)
{
    return strcmp(method, "GET") == 0 && !request->body && !request->stream && !request->headers &&
           !request->content_type && request->verify == HR_TLS_OFF && !strchr(request->url, '@');
}

/* Without TLS it would show in the first answer only whether a connection can be shared. */
static void set_sharing(CURL *easy, const char *url)
{
    curl_easy_setopt(easy, CURLOPT_PIPEWAIT, strncasecmp(url, "https:", 6) == 0 ? 1L : 0L);
}

static int set_own(hr_http_response *t, const struct hr_http_request *request, const char *method)
{
    if (request->verify != HR_TLS_OFF)
        hr__http_handle_verify(t->handle->easy, request->verify);
    const char *agent = t->session->options.user_agent; /* is one of a plain request's lines */
    if (curl_easy_setopt(t->handle->easy, CURLOPT_USERAGENT, agent) != CURLE_OK ||
        set_body(t, request, method) != CURLE_OK)
        return hr_fail(-ENOMEM, "no memory for a request");
    return set_lines(t, request);
}

int hr__http_request_set_up(hr_http_response *t, const struct hr_http_request *request)
{
    const char *method = hr__http_method(request);
    t->idempotent =
        request->idempotent || (strcmp(method, "POST") != 0 && strcmp(method, "PATCH") != 0);
    t->following = t->session->options.max_redirects >= 0;
    t->plain = is_plain(request, method);
    if (hr__http_handle_take(t) < 0)
        return hr_fail(-ENOMEM, "no memory for a request");
    if (t->session->options.wait_to_share)
        set_sharing(t->handle->easy, request->url);
    if (curl_easy_setopt(t->handle->easy, CURLOPT_URL, request->url) != CURLE_OK)
        return hr_fail(-ENOMEM, "no memory for a request");
    return t->plain ? 0 : set_own(t, request, method);
}
