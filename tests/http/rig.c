/* SPDX-License-Identifier: MIT */
#include "tests/http/rig.h"

#include <stdio.h>

#include "tests/support/hrtest.h"

struct rig rig;

void rig_begin_with(bool (*serve)(struct test_conn *conn), struct hr_http_options options)
{
    test_http_start(&rig.server, serve);
    rig.session = hr_http_session_new(&options);
    ASSERT_TRUE(rig.session);
}

void rig_end(void)
{
    hr_http_session_freep(&rig.session);
    test_http_stop(&rig.server);
}

const char *rig_url(const char *path)
{
    static char texts[16][512];
    static unsigned next;
    char *text = texts[next++ % HR_ARRAY_LEN(texts)];
    snprintf(text, sizeof(texts[0]), "%s%s", rig.server.url, path);
    return text;
}

int rig_get(const char *path, char *text, size_t size)
{
    hr_auto(hr_http_closep) hr_http_response *response = NULL;
    const char *body;
    ASSERT_ERR(hr_http_get(rig.session, rig_url(path), &response), 0);
    ASSERT_EQ(hr_http_status(response), 200);
    int r = hr_http_text(response, &body, NULL);
    snprintf(text, size, "%s", r == 0 ? body : "");
    return r;
}

char rig_byte(size_t i)
{
    return (char)(i * 7 + (i >> 9));
}
