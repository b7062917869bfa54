/* SPDX-License-Identifier: MIT */
/*
 * The HTTP client of a build without libcurl: there is no session, and so none of the rest.
 */
#include <errno.h>

#include "drivers/http.h"

static int missing(void)
{
    return hr_fail(-ENOTSUP, "this headrace was built without libcurl, so it has no HTTP");
}

hr_http_session *hr_http_session_new(const struct hr_http_options *options)
{
    missing();
    return NULL;
}

void hr_http_session_close(hr_http_session *session) {}

hr_http_session *hr_http_session_free(hr_http_session *session)
{
    return NULL;
}

void hr_http_session_freep(hr_http_session **session) {}

int hr_http_clear_cookies(hr_http_session *session)
{
    return missing();
}

void hr_http_get_stats(const hr_http_session *session, struct hr_http_stats *ret)
{
    *ret = (struct hr_http_stats){0};
}

int(hr_http_send)(hr_http_session *session, const struct hr_http_request *request,
                  hr_http_response **ret)
{
    return missing();
}

int(hr_http_get)(hr_http_session *session, const char *url, hr_http_response **ret)
{
    return missing();
}

int(hr_http_post)(hr_http_session *session, const char *url, const char *content_type,
                  const void *body, size_t size, hr_http_response **ret)
{
    return missing();
}

int(hr_http_begin)(hr_http_session *session, const struct hr_http_request *request,
                   hr_http_response **ret)
{
    return missing();
}

int(hr_http_write)(hr_http_response *response, const void *bytes, size_t size)
{
    return missing();
}

int(hr_http_finish)(hr_http_response *response)
{
    return missing();
}

hr_http_response *hr_http_close(hr_http_response *response)
{
    return NULL;
}

void hr_http_closep(hr_http_response **response) {}

int hr_http_status(const hr_http_response *response)
{
    return 0;
}

const char *hr_http_header(const hr_http_response *response, const char *name)
{
    return NULL;
}

bool hr_http_header_at(const hr_http_response *response, size_t i, const char **ret_name,
                       const char **ret_value)
{
    return false;
}

const char *hr_http_url(const hr_http_response *response)
{
    return "";
}

unsigned hr_http_redirects(const hr_http_response *response)
{
    return 0;
}

int hr_http_version(const hr_http_response *response)
{
    return 0;
}

ssize_t(hr_http_read)(hr_http_response *response, void *bytes, size_t size)
{
    return missing();
}

int(hr_http_bytes)(hr_http_response *response, const void **ret, size_t *ret_size)
{
    return missing();
}

int(hr_http_text)(hr_http_response *response, const char **ret, size_t *ret_size)
{
    return missing();
}

int(hr_http_save)(hr_http_response *response, const char *path, uint64_t *ret_size)
{
    return missing();
}
