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
static int name_any(const char *method, const char *text, char **ret_what, char **ret_host)
{
    hr_auto(curl_url_cleanupp) CURLU *url = curl_url();
    hr_auto(curl_freep) char *scheme = NULL;
    hr_auto(curl_freep) char *host = NULL;
    hr_auto(curl_freep) char *port = NULL;
    hr_auto(curl_freep) char *path = NULL;
    if (!url)
        return -ENOMEM;
    CURLUcode code = curl_url_set(url, CURLUPART_URL, text, 0);
    if (code == CURLUE_OUT_OF_MEMORY)
        return -ENOMEM;
    if (code != CURLUE_OK)
        return hr_fail(-EINVAL, "http: the URL is not of the form http://host:port/path");
    if ((code = curl_url_get(url, CURLUPART_SCHEME, &scheme, 0)) == CURLUE_OK &&
        (code = curl_url_get(url, CURLUPART_HOST, &host, 0)) == CURLUE_OK &&
        (code = curl_url_get(url, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT)) == CURLUE_OK)
        code = curl_url_get(url, CURLUPART_PATH, &path, 0);
    if (code == CURLUE_OUT_OF_MEMORY)
        return -ENOMEM;
    if (code != CURLUE_OK)
        return hr_fail(-EINVAL, "http: the URL names no host: http://host:port/path");
    if (strcmp(scheme, "http") != 0 && strcmp(scheme, "https") != 0)
        return hr_fail(-EINVAL, "http: %.20s is neither http nor https", scheme);
    if (asprintf(ret_host, "%s://%s:%s", scheme, host, port) < 0)
        *ret_host = NULL;
    if (asprintf(ret_what, "%s %s://%s:%s%.*s", method, scheme, host, port, PATH_SHOWN, path) < 0)
        *ret_what = NULL;
    if (!*ret_host || !*ret_what)
        return -ENOMEM;
    lower(*ret_host);
    return 0;
}

/* How many bytes of a URL of the common form, "http://a-name:port/path", may be shown; 0 when it is
 * another. What follows is for libcurl to judge, which takes any path. */
static size_t common_form(const char *url)
{
    static const char name[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.";
    size_t n = strncmp(url, "http://", 7) == 0 ? 7 : strncmp(url, "https://", 8) == 0 ? 8 : 0;
    size_t host = n > 0 ? strspn(url + n, name) : 0;
    if (host == 0)
        return 0;
    n += host;
    if (url[n] == ':') {
        char *end;
        if (!isdigit((unsigned char)url[n + 1]) || strtoul(url + n + 1, &end, 10) > UINT16_MAX)
            return 0;
        n = (size_t)(end - url);
    }
    if (url[n] && !strchr("/?#", url[n]))
        return 0;
    for (const char *p = url + n; *p; p++) {
        if ((unsigned char)*p <= ' ' || *p == 0x7f)
            return 0;
    }
    size_t path = strcspn(url + n, "?#");
    return n + (path < PATH_SHOWN ? path : PATH_SHOWN);
}

int hr__http_name(const char *method, const char *url, bool with_host, char **ret_what,
                  char **ret_host)
{
    size_t shown = with_host ? 0 : common_form(url), word = strlen(method);
    if (shown == 0)
        return name_any(method, url, ret_what, ret_host);
    char *what = malloc(word + 1 + shown + 1);
    if (!what)
        return -ENOMEM;
    memcpy(what, method, word);
    what[word] = ' ';
    memcpy(what + word + 1, url, shown);
    what[word + 1 + shown] = '\0';
    *ret_what = what;
    return 0;
}
