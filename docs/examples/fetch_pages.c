/* SPDX-License-Identifier: MIT */
/*
 * Several pages are fetched side by side.
 *
 *     cc fetch_pages.c $(pkg-config --cflags --libs headrace-http) -o fetch_pages
 *     ./fetch_pages http://127.0.0.1:8000
 */
#include <core/headrace.h>
#include <drivers/http.h>
#include <stdio.h>

struct page {
    hr_http_session *session;
    const char *base, *name;
    char text[128];
};

static int fetch(void *arg)
{
    struct page *page = arg;
    hr_auto(hr_http_closep) hr_http_response *response = NULL;
    const char *text;
    char url[256];
    snprintf(url, sizeof(url), "%s/%s", page->base, page->name);
    int r = hr_http_get(page->session, url, &response);
    if (r >= 0)
        r = hr_http_text(response, &text, NULL);
    if (r >= 0)
        snprintf(page->text, sizeof(page->text), "%d %s", hr_http_status(response), text);
    return r;
}

static int run(void *arg)
{
    const char *const names[] = {"red", "green", "blue", "missing"};
    struct page pages[4];
    hr_auto(hr_http_session_freep) hr_http_session *session = hr_http_session_new(NULL);
    if (!session)
        return hr_last_error()->code;
    hr_auto(hr_futures_done) struct hr_futures fetches = {0};
    for (int i = 0; i < 4; i++) {
        pages[i] = (struct page){.session = session, .base = arg, .name = names[i]};
        hr_futures_add(&fetches, hr_create_task(names[i], fetch, &pages[i]));
    }
    int r = hr_gather(&fetches, HR_CANCEL_REST);
    for (int i = 0; i < 4 && r >= 0; i++)
        printf("%s: %s\n", pages[i].name, pages[i].text);
    return r;
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: %s http://…\n", argv[0]);
        return 1;
    }
    int r = hr_run(run, argv[1]);
    if (r < 0)
        fprintf(stderr, "fetch_pages: %s\n", hr_error_message(r));
    return r < 0;
}
