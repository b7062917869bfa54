/* SPDX-License-Identifier: MIT */
/*
 * libcurl's multi interface and nothing around it: so many handles, each asking again when it has
 * its answer. The request is, byte by byte, the one that our client sends.
 *
 *   curl_multi http_get HANDLES COUNT URL
 */
#include <curl/curl.h>

#include "tests/bench/measure.h"

static uint64_t bytes;

static size_t count_bytes(char *data, size_t size, size_t n, void *cookie)
{
    bytes += size * n;
    return size * n;
}

static _Noreturn void die(const char *why)
{
    fprintf(stderr, "curl_multi: %s\n", why);
    exit(1);
}

static void ask(CURLM *multi, CURL *easy)
{
    if (curl_multi_add_handle(multi, easy) != CURLM_OK)
        die("cannot add a handle");
}

static void begin(CURLM *multi, const char *url)
{
    CURL *easy = curl_easy_init();
    if (!easy)
        die("no handle");
    curl_easy_setopt(easy, CURLOPT_URL, url);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, count_bytes);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_USERAGENT, "headrace");
    curl_easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, "");
    ask(multi, easy);
}

/* Returns how many answers came. */
static uint64_t take_answers(CURLM *multi, uint64_t *left)
{
    CURLMsg *message;
    uint64_t answers = 0;
    int more;
    while ((message = curl_multi_info_read(multi, &more))) {
        CURL *easy = message->easy_handle;
        if (message->data.result != CURLE_OK)
            die(curl_easy_strerror(message->data.result));
        answers++;
        curl_multi_remove_handle(multi, easy);
        if (*left > 0) {
            --*left;
            ask(multi, easy);
        } else {
            curl_easy_cleanup(easy);
        }
    }
    return answers;
}

int main(int argc, char **argv)
{
    if (argc != 5)
        die("usage: curl_multi http_get HANDLES COUNT URL");
    uint64_t handles = strtoull(argv[2], NULL, 10), count = strtoull(argv[3], NULL, 10);
    if (handles == 0 || count < handles)
        die("COUNT is at least HANDLES, and that at least 1");
    curl_global_init(CURL_GLOBAL_DEFAULT);
    CURLM *multi = curl_multi_init();
    curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, (long)handles);
    struct measure begun = measure_begin();
    for (uint64_t i = 0; i < handles; i++)
        begin(multi, argv[4]);
    uint64_t left = count - handles, answers = 0;
    while (answers < count) {
        int running;
        if (curl_multi_perform(multi, &running) != CURLM_OK ||
            curl_multi_poll(multi, NULL, 0, 1000, NULL) != CURLM_OK)
            die("the multi interface failed");
        answers += take_answers(multi, &left);
    }
    measure_end(&begun, argv[1], count);
    curl_multi_cleanup(multi);
    curl_global_cleanup();
    return bytes == 0;
}
