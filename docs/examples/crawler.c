/* SPDX-License-Identifier: MIT */
/*
 * 600 files are fetched, 500 at a time, and saved in threads.
 *
 *     cc crawler.c $(pkg-config --cflags --libs headrace-http) -o crawler
 *     ./crawler http://127.0.0.1:8000 /tmp
 */
#include <core/headrace.h>
#include <drivers/http.h>
#include <inttypes.h>
#include <stdio.h>

#define FILES 600

struct crawl {
    const char *base, *folder;
    hr_http_session *session;
    hr_semaphore at_once;
    uint64_t bytes;
};

struct download {
    struct crawl *crawl;
    int number;
};

static int download(void *arg)
{
    struct download *d = arg;
    struct crawl *crawl = d->crawl;
    hr_auto(hr_semaphore_releasep) hr_semaphore *held = NULL;
    hr_auto(hr_http_closep) hr_http_response *response = NULL;
    char url[256], path[256];
    uint64_t size;
    snprintf(url, sizeof(url), "%s/file/%d", crawl->base, d->number);
    snprintf(path, sizeof(path), "%s/c-%d", crawl->folder, d->number);
    int r = hr_semaphore_hold(&crawl->at_once, &held);
    if (r >= 0)
        r = hr_http_get(crawl->session, url, &response);
    if (r >= 0)
        r = hr_http_save(response, path, &size);
    if (r >= 0)
        crawl->bytes += size;
    return r;
}

static int run(void *arg)
{
    char **args = arg;
    static struct download downloads[FILES];
    struct crawl crawl = {.base = args[1], .folder = args[2]};
    hr_auto(hr_http_session_freep) hr_http_session *session =
        hr_http_session_new(&(struct hr_http_options){.limit = FILES});
    if (!session)
        return hr_last_error()->code;
    crawl.session = session;
    hr_semaphore_init(&crawl.at_once, 500, true);

    hr_auto(hr_futures_done) struct hr_futures tasks = {0};
    for (int i = 0; i < FILES; i++) {
        downloads[i] = (struct download){&crawl, i};
        hr_futures_add(&tasks, hr_create_task(NULL, download, &downloads[i]));
    }
    int r = hr_gather(&tasks, HR_CANCEL_REST);
    if (r >= 0)
        printf("saved %d files, %" PRIu64 " bytes\n", FILES, crawl.bytes);
    return r;
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "usage: %s http://… FOLDER\n", argv[0]);
        return 1;
    }
    int r = hr_run(run, argv);
    if (r < 0)
        fprintf(stderr, "crawler: %s\n", hr_error_message(r));
    return r < 0;
}
