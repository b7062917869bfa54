/* SPDX-License-Identifier: MIT */
/*
 * A scope whose entry and exit may wait, and whose exit runs whatever happens inside.
 */
#include <core/headrace.h>
#include <stdio.h>

static int server_open(void *server)
{
    int r = hr_sleep(hr_seconds(1));
    if (r >= 0)
        puts("connected");
    return r;
}

static int server_close(void *server, int code)
{
    printf("closing after %s\n", code < 0 ? "an error" : "success");
    int r = hr_sleep(hr_seconds(1));
    puts("closed");
    return code < 0 ? code : r;
}

static int server_ask(const char *question)
{
    if (!*question)
        return hr_fail(-EINVAL, "nothing was asked");
    int r = hr_sleep(hr_seconds(1));
    if (r >= 0)
        printf("an answer to %s\n", question);
    return r;
}

static int converse(const char *question)
{
    struct hr_exits exits = {0};
    int r = hr_exits_enter(&exits, server_open, server_close, NULL);
    if (r >= 0)
        r = server_ask(question);
    return hr_exits_leave(&exits, r);
}

static int run(void *arg)
{
    int r = converse("why");
    if (r < 0)
        return r;
    r = converse("");
    if (r == -EINVAL)
        printf("failed: %s\n", hr_error_message(r));
    return r == -EINVAL ? 0 : r;
}

int main(void)
{
    int r = hr_run(run, NULL);
    if (r < 0)
        fprintf(stderr, "async_context: %s\n", hr_error_message(r));
    return r < 0;
}
