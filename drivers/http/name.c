/* SPDX-License-Identifier: MIT */
/*
 * What a request is called: in messages without user, password and query, any of which may be
 * secret; and among the turns of its host by scheme, host and port.
 */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "drivers/http/impl.h"

#define PATH_SHOWN 80

static void curl_url_cleanupp(CURLU **url)
{
    curl_url_cleanup(*url);
}

static void curl_freep(char **text)
{
    curl_free(*text);
}

static void lower(char *text)
{
    for (; *text; text++)
        *text = (char)tolower((unsigned char)*text);
}

/* Takes any URL apart, as libcurl will. */
static int name_any(const char *method, const char *text, char ret_what[HR__HTTP_WHAT_MAX],
                    char **ret_host)
{
    hr_auto(curl_url_cleanupp) CURLU *url = curl_url();
    hr_auto(curl_freep) char *scheme = NULL;
    hr_auto(curl_freep) char *host = NULL;
    hr_auto(curl_freep) char *port = NULL;
    hr_auto(curl_freep) char *path = NULL;
    if (!url)
        return -ENOMEM;
    CURLUcode code = curl_url_set(url, CURLUPART_URL, text, 0);
    if (code == CURLUE_OK &&
        (code = curl_url_get(url, CURLUPART_SCHEME, &scheme, 0)) == CURLUE_OK &&
        (code = curl_url_get(url, CURLUPART_HOST, &host, 0)) == CURLUE_OK &&
        (code = curl_url_get(url, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT)) == CURLUE_OK)
        code = curl_url_get(url, CURLUPART_PATH, &path, 0);
    if (code == CURLUE_OUT_OF_MEMORY)
        return -ENOMEM;
    if (code != CURLUE_OK)
        return hr__http_refuse_url(text, curl_url_strerror(code));
    if (strcmp(scheme, "http") != 0 && strcmp(scheme, "https") != 0)
        return hr__http_refuse_url(text, "another scheme");
    if (asprintf(ret_host, "%s://%s:%s", scheme, host, port) < 0) {
        *ret_host = NULL;
        return -ENOMEM;
    }
    snprintf(ret_what, HR__HTTP_WHAT_MAX, "%.20s %s://%s:%s%.*s", method, scheme, host, port,
             PATH_SHOWN, path);
    lower(*ret_host);
    return 0;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_of_a_name(char c)
{
    char small = (char)(c | 0x20);
    return is_digit(c) || (small >= 'a' && small <= 'z') || c == '-' || c == '.';
}

/* Where the port at p ends, NULL when it is none. */
static const char *after_port(const char *p)
{
    const char *begin = p;
    unsigned port = 0;
    while (is_digit(*p) && port <= UINT16_MAX)
        port = port * 10 + (unsigned)(*p++ - '0');
    return p > begin && port <= UINT16_MAX ? p : NULL;
}

/* How many bytes of a URL of the common form, "http://a-name:port/path", may be shown; 0 when it is
 * another. What follows is for libcurl to judge, which takes any path. */
static size_t common_form(const char *url)
{
    size_t scheme = strncmp(url, "http://", 7) == 0 ? 7 : strncmp(url, "https://", 8) == 0 ? 8 : 0;
    const char *p = url + scheme;
    while (is_of_a_name(*p))
        p++;
    if (scheme == 0 || p == url + scheme)
        return 0;
    if (*p == ':')
        p = after_port(p + 1);
    if (!p || (*p && *p != '/' && *p != '?' && *p != '#'))
        return 0;
    const char *path = p, *shown = NULL;
    for (; *p; p++) {
        if ((unsigned char)*p <= ' ' || *p == 0x7f)
            return 0;
        if (!shown && (*p == '?' || *p == '#'))
            shown = p;
    }
    shown = shown ? shown : p;
    return (size_t)(shown - path < PATH_SHOWN ? shown - url : path - url + PATH_SHOWN);
}

int hr__http_name(const char *method, const char *url, bool with_host,
                  char ret_what[HR__HTTP_WHAT_MAX], char **ret_host)
{
    size_t shown = with_host ? 0 : common_form(url), word = strlen(method);
    if (shown == 0)
        return name_any(method, url, ret_what, ret_host);
    if (word + 1 + shown >= HR__HTTP_WHAT_MAX) {
        snprintf(ret_what, HR__HTTP_WHAT_MAX, "%.20s %.*s", method, (int)shown, url);
        return 0;
    }
    memcpy(ret_what, method, word);
    ret_what[word] = ' ';
    memcpy(ret_what + word + 1, url, shown);
    ret_what[word + 1 + shown] = '\0';
    return 0;
}
