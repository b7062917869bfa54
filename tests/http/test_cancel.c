/* SPDX-License-Identifier: MIT */
/*
 * A cancel at every wait of everything the HTTP client does, plain and TLS, on a session that has
 * not connected yet and on one that has: nothing stays behind, and nobody else is harmed.
 */
#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/http/rig.h"
#include "tests/support/cancel_each.h"
#include "tests/support/certificates.h"
#include "tests/support/hrtest.h"

#define SAID   3000
#define WINDOW 128

static char folder[] = "/tmp/hr-http-cancel-XXXXXX";
static char file[64];

static bool serve(struct test_conn *conn)
{
    static const char text[SAID / 10];
    if (test_conn_asks(conn, "/away"))
        return test_conn_say(conn, "HTTP/1.1 302 Found\r\nLocation: /\r\n"
                                   "Set-Cookie: a=1\r\nContent-Length: 0\r\n\r\n");
    if (test_conn_asks(conn, "/slow") && hr_sleep(hr_ms(2)) < 0)
        return false;
    bool ok = test_conn_say(conn, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", SAID);
    for (int i = 0; i < 10 && ok; i++)
        ok = test_conn_send(conn, text, sizeof(text)) && hr_yield() == 0;
    return ok;
}

/* --- what is done */

static int take_all(hr_http_response *response)
{
    const void *bytes;
    size_t size;
    int r = hr_http_bytes(response, &bytes, &size);
    if (r == 0)
        ASSERT_EQ(size, SAID);
    return r;
}

static int get(void *arg)
{
    hr_auto(hr_http_closep) hr_http_response *response = NULL;
    int r = hr_http_get(rig.session, rig_url("/"), &response);
    return r < 0 ? r : take_all(response);
}

static int get_redirected(void *arg)
{
    hr_auto(hr_http_closep) hr_http_response *response = NULL;
    int r = hr_http_get(rig.session, rig_url("/away"), &response);
    return r < 0 ? r : take_all(response);
}

static int post(void *arg)
{
    hr_auto(hr_http_closep) hr_http_response *response = NULL;
    const char *text;
    int r = hr_http_post(rig.session, rig_url("/"), "text/plain", "a=1", 3, &response);
    return r < 0 ? r : hr_http_text(response, &text, NULL);
}

static int exchange_pieces(void *arg)
{
    hr_auto(hr_http_closep) hr_http_response *response = NULL;
    char bytes[64] = "";
    struct hr_http_request request = {.url = rig_url("/"), .stream = true};
    int r = hr_http_begin(rig.session, &request, &response);
    for (int i = 0; i < 8 && r >= 0; i++)
        r = hr_http_write(response, bytes, sizeof(bytes));
    if (r >= 0)
        r = hr_http_finish(response);
    while (r >= 0 && (r = (int)hr_http_read(response, bytes, sizeof(bytes))) > 0)
        ;
    return r;
}

static int save(void *arg)
{
    hr_auto(hr_http_closep) hr_http_response *response = NULL;
    int r = hr_http_get(rig.session, rig_url("/"), &response);
    return r < 0 ? r : hr_http_save(response, file, NULL);
}

static int get_slow(void *arg)
{
    hr_auto(hr_http_closep) hr_http_response *response = NULL;
    return hr_http_get(rig.session, rig_url("/slow"), &response);
}

/* The only turn of all, or of its host, is somebody else's. */
static int wait_for_turn(void *arg)
{
    hr_task *before = hr_create_task("before", get_slow, NULL);
    hr_task *behind = hr_create_task("behind", get_slow, NULL);
    hr_shield_enter();
    int first = hr_yield();
    hr_shield_leave();
    int r = first < 0 ? first : get(NULL);
    hr_shield_enter();
    int went = hr_join(before), came = hr_join(behind);
    hr_shield_leave();
    ASSERT_ERR(went, 0);
    ASSERT_ERR(came, 0); /* also when the one between them has gone */
    return r;
}

static const struct operation {
    const char *name;
    int (*run)(void *arg);
    unsigned limit, limit_per_host;
} operations[] = {
    {"get",              get,             0, 0},
    {"redirect",         get_redirected,  0, 0},
    {"post",             post,            0, 0},
    {"pieces",           exchange_pieces, 0, 0},
    {"save",             save,            0, 0},
    {"turn",             wait_for_turn,   1, 0},
    {"turn at the host", wait_for_turn,   0, 1},
};

/* --- */

static void open_session(const struct operation *operation)
{
    rig.session = hr_http_session_new(&(struct hr_http_options){
        .window = WINDOW,
        .limit = operation->limit,
        .limit_per_host = operation->limit_per_host,
        .tls.ca = rig.server.secure ? test_certificate("ca.pem") : NULL,
    });
    ASSERT_TRUE(rig.session);
}

/* The file is there when it is whole, and what it grew in never. */
static void check_folder(void)
{
    DIR *dir = opendir(folder);
    for (const struct dirent *entry; (entry = readdir(dir));)
        ASSERT_TRUE(entry->d_name[0] == '.' || strcmp(entry->d_name, "file") == 0);
    closedir(dir);
    struct stat status;
    if (stat(file, &status) == 0)
        ASSERT_EQ(status.st_size, SAID);
    unlink(file);
}

static void check(void *arg)
{
    struct hr_http_stats stats;
    hr_http_get_stats(rig.session, &stats);
    ASSERT_EQ(stats.under_way + stats.waiting, 0);
    ASSERT_ERR(get(NULL), 0);
    check_folder();
}

/* The first wait of a session that is new each time, then the second. */
static void sweep_cold(const struct operation *operation)
{
    bool reached = true;
    for (int n = 1; reached; n++) {
        open_session(operation);
        test_cancelled_at(operation->name, operation->run, NULL, n, &reached);
        check(NULL);
        hr_http_session_freep(&rig.session);
    }
}

static void sweep_all(bool secure)
{
    strcpy(strrchr(folder, '-'), "-XXXXXX");
    ASSERT_TRUE(mkdtemp(folder));
    snprintf(file, sizeof(file), "%s/file", folder);
    (secure ? test_https_start : test_http_start)(&rig.server, serve);
    for (size_t i = 0; i < HR_ARRAY_LEN(operations); i++) {
        sweep_cold(&operations[i]);
        open_session(&operations[i]);
        check(NULL);
        test_cancel_at_each_wait(operations[i].name, operations[i].run, NULL, check);
        hr_http_session_freep(&rig.session);
    }
    test_http_stop(&rig.server);
    rmdir(folder);
}

TEST_REAL(every_call_of_http_can_be_cancelled_at_every_wait)
{
    sweep_all(false);
}

TEST_REAL(every_call_of_http_can_be_cancelled_at_every_wait_over_tls)
{
    sweep_all(true);
}
