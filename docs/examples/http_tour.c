/* SPDX-License-Identifier: MIT */
/*
 * What the HTTP client offers beside a simple GET; docs/http.md quotes from here.
 *
 *     cc http_tour.c $(pkg-config --cflags --libs headrace-http) -o http_tour
 *     ./http_tour http://127.0.0.1:8000
 *
 * /echo answers with the body it got, /file/N with some text, /never not at all.
 */
#include <core/headrace.h>
#include <drivers/http.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct tour {
    hr_http_session *session;
    const char *base;
    char url[256];
};

static const char *url(struct tour *tour, const char *path)
{
    snprintf(tour->url, sizeof(tour->url), "%s%s", tour->base, path);
    return tour->url;
}

/* A status is an answer, whatever it says; an error is when there is none. */
static int post_order(struct tour *tour)
{
    static const char order[] = "{\"uid\":\"a-1\",\"amount\":\"9.90\"}";
    hr_auto(hr_http_closep) hr_http_response *response = NULL;
    const char *text;
    int r = hr_http_post(tour->session, url(tour, "/echo"), "application/json", order,
                         strlen(order), &response);
    if (r >= 0)
        r = hr_http_text(response, &text, NULL);
    if (r >= 0)
        printf("%d %s: %s\n", hr_http_status(response), hr_http_header(response, "content-type"),
               text);
    return r;
}

/* A body of any size, a piece at a time: the server is held back while nobody reads. */
static int count_lines(struct tour *tour)
{
    hr_auto(hr_http_closep) hr_http_response *response = NULL;
    char piece[4096];
    size_t lines = 0;
    ssize_t r = hr_http_get(tour->session, url(tour, "/file/7"), &response);
    while (r >= 0 && (r = hr_http_read(response, piece, sizeof(piece))) > 0) {
        for (ssize_t i = 0; i < r; i++)
            lines += piece[i] == '\n';
    }
    if (r >= 0)
        printf("%zu lines\n", lines);
    return (int)r;
}

/* A body that is written as it is made; its size need not be known. */
static int upload(struct tour *tour)
{
    hr_auto(hr_http_closep) hr_http_response *response = NULL;
    const struct hr_http_request request = {.url = url(tour, "/echo"), .stream = true};
    uint64_t came = 0;
    ssize_t r = hr_http_begin(tour->session, &request, &response);
    for (int i = 0; r >= 0 && i < 1000; i++) {
        char line[32];
        r = hr_http_write(response, line, (size_t)sprintf(line, "line %d\n", i));
    }
    if (r >= 0)
        r = hr_http_finish(response);
    char piece[4096];
    while (r >= 0 && (r = hr_http_read(response, piece, sizeof(piece))) > 0)
        came += (uint64_t)r;
    if (r >= 0)
        printf("%" PRIu64 " bytes came back\n", came);
    return (int)r;
}

/* A limit of one request, and what is known of it afterwards. */
static int ask_in_vain(struct tour *tour)
{
    hr_auto(hr_http_closep) hr_http_response *response = NULL;
    const struct hr_http_request request = {.url = url(tour, "/never"),
                                            .total_timeout = hr_ms(200)};
    int r = hr_http_send(tour->session, &request, &response);
    if (r != -ETIMEDOUT)
        return r;
    printf("gave up; %s\n", hr_last_error()->sent ? "it had been sent" : "nothing was sent");
    return 0;
}

static int tour(void *base)
{
    hr_auto(hr_http_session_freep) hr_http_session *session =
        hr_http_session_new(&(struct hr_http_options){.limit_per_host = 8});
    if (!session)
        return hr_last_error()->code;
    struct tour tour = {.session = session, .base = base};
    int (*const stops[])(struct tour *) = {post_order, count_lines, upload, ask_in_vain};
    int r = 0;
    for (size_t i = 0; r >= 0 && i < sizeof(stops) / sizeof(*stops); i++)
        r = stops[i](&tour);
    return r;
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: http_tour http://…\n");
        return 64;
    }
    int r = hr_run(tour, argv[1]);
    if (r < 0)
        fprintf(stderr, "http_tour: %s\n", hr_error_message(r));
    return r < 0;
}
