/* SPDX-License-Identifier: MIT */
/*
 * Names to addresses.
 */
#include "drivers/resolve.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/un.h>

#include "drivers/dial.h"
#include "tests/drivers/names.h"
#include "tests/support/hrtest.h"

static int ask(const char *host, struct hr_address ret[HR_ADDRESSES_MAX])
{
    atomic_store(&test_names_asked, 0);
    return hr_resolve(host, 6379, ret);
}

static void assert_address(const struct hr_address *address, const char *want)
{
    char text[INET6_ADDRSTRLEN];
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)&address->addr;
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)&address->addr;
    bool is_v6 = address->addr.ss_family == AF_INET6;
    inet_ntop(address->addr.ss_family, is_v6 ? (const void *)&v6->sin6_addr : &v4->sin_addr, text,
              sizeof(text));
    ASSERT_STR(text, want);
    ASSERT_EQ(ntohs(is_v6 ? v6->sin6_port : v4->sin_port), 6379);
    ASSERT_EQ(address->len, is_v6 ? sizeof(*v6) : sizeof(*v4));
}

TEST_REAL(a_literal_address_asks_nobody)
{
    struct hr_address addresses[HR_ADDRESSES_MAX];
    ASSERT_ERR(ask("127.0.0.1", addresses), 1);
    assert_address(&addresses[0], "127.0.0.1");
    ASSERT_ERR(ask("2001:db8::1", addresses), 1);
    assert_address(&addresses[0], "2001:db8::1");
    ASSERT_EQ(atomic_load(&test_names_asked), 0);
}

TEST_REAL(a_name_is_asked_once_and_then_known)
{
    struct hr_address addresses[HR_ADDRESSES_MAX];
    hr_resolve_forget("two.test");
    ASSERT_ERR(ask("two.test", addresses), 2);
    assert_address(&addresses[0], "127.0.0.1");
    assert_address(&addresses[1], "::1");
    ASSERT_EQ(atomic_load(&test_names_asked), 1);
    memset(addresses, 0, sizeof(addresses));
    ASSERT_ERR(ask("two.test", addresses), 2);
    assert_address(&addresses[1], "::1");
    ASSERT_EQ(atomic_load(&test_names_asked), 0);

    hr_resolve_forget("two.test");
    ASSERT_ERR(ask("two.test", addresses), 2);
    ASSERT_EQ(atomic_load(&test_names_asked), 1);
}

static int ask_and_ask_again(void *arg)
{
    struct hr_address addresses[HR_ADDRESSES_MAX];
    ASSERT_ERR(ask("known.test", addresses), 1);
    ASSERT_EQ(atomic_load(&test_names_asked), 1);
    ASSERT_ERR(ask("known.test", addresses), 1);
    ASSERT_EQ(atomic_load(&test_names_asked), 0);
    return 0;
}

/* Its clock may have been another one. */
TEST_PLAIN(what_an_earlier_loop_knew_is_asked_for_anew_and_then_known)
{
    for (int i = 0; i < 3; i++)
        ASSERT_ERR(hr_run(ask_and_ask_again, NULL), 0);
    hr_resolve_forget("known.test");
}

TEST_REAL(a_failure_says_which_and_is_known_for_a_moment)
{
    struct hr_address addresses[HR_ADDRESSES_MAX];
    ASSERT_ERR(ask("gone.test", addresses), -ENOENT);
    ASSERT_TRUE(strstr(hr_last_error()->message, "gone.test"));
    ASSERT_ERR(ask("down.test", addresses), -EAGAIN);
    ASSERT_EQ(atomic_load(&test_names_asked), 1);
    ASSERT_ERR(ask("gone.test", addresses), -ENOENT);
    ASSERT_EQ(atomic_load(&test_names_asked), 0);
    hr_resolve_forget("gone.test");
    hr_resolve_forget("down.test");
}

TEST_REAL(a_name_whose_addresses_do_not_answer_is_asked_for_anew)
{
    struct hr_url url = {0};
    int fd = -1;
    ASSERT_ERR(hr_url_parse("mysql://closed.test:1/db", &url, NULL, NULL), 0);
    for (int i = 0; i < 2; i++) {
        atomic_store(&test_names_asked, 0);
        ASSERT_ERR(hr__dial(&url, hr_seconds(5), &fd), -ECONNREFUSED);
        ASSERT_EQ(atomic_load(&test_names_asked), 1);
    }
    hr_url_done(&url);
}

TEST_REAL(more_names_than_the_cache_holds_are_no_harm)
{
    struct hr_address addresses[HR_ADDRESSES_MAX];
    for (int i = 0; i < 100; i++) {
        char host[24];
        snprintf(host, sizeof(host), "n%d.test", i);
        ASSERT_ERR(ask(host, addresses), 1);
        ASSERT_EQ(atomic_load(&test_names_asked), 1);
        ASSERT_ERR(ask(host, addresses), 1);
        ASSERT_EQ(atomic_load(&test_names_asked), 0);
    }
    for (int i = 0; i < 100; i++) {
        char host[24];
        snprintf(host, sizeof(host), "n%d.test", i);
        hr_resolve_forget(host); /* a full cache has no room for the failures of another test */
    }
}

static int resolve_slow(void *arg)
{
    struct hr_address addresses[HR_ADDRESSES_MAX];
    return hr_resolve("slow.test", 1, addresses);
}

TEST_REAL(the_loop_goes_on_while_a_name_server_is_silent)
{
    struct hr_address addresses[HR_ADDRESSES_MAX];
    int before = atomic_load(&test_names_answered);
    atomic_store(&test_names_stuck, true);
    hr_task *task = hr_create_task("resolver", resolve_slow, NULL);
    for (int i = 0; i < 20; i++)
        ASSERT_ERR(hr_sleep(hr_ms(1)), 0);
    ASSERT_FALSE(hr_future_done(task));
    hr_task_cancel(task, NULL);
    ASSERT_ERR(hr_join(task), -ECANCELED);
    atomic_store(&test_names_stuck, false);
    /* The thread comes back with an answer that nobody wants; later ones come behind it. */
    while (atomic_load(&test_names_answered) == before)
        ASSERT_ERR(hr_sleep(hr_ms(1)), 0);
    ASSERT_ERR(ask("behind.test", addresses), 1);
    ASSERT_ERR(ask("behind2.test", addresses), 1);
}

TEST_REAL(a_name_that_cannot_be_one_is_refused)
{
    char host[400];
    struct hr_address addresses[HR_ADDRESSES_MAX];
    memset(host, 'x', sizeof(host) - 1);
    host[sizeof(host) - 1] = '\0';
    ASSERT_ERR(ask(host, addresses), -ENOENT);
    ASSERT_EQ(atomic_load(&test_names_asked), 0);
}

TEST_PLAIN(a_socket_path_becomes_an_address)
{
    struct hr_address address;
    ASSERT_EQ(hr_address_unix("/run/x.sock", &address), 0);
    ASSERT_EQ(address.addr.ss_family, AF_UNIX);
    ASSERT_STR(((struct sockaddr_un *)&address.addr)->sun_path, "/run/x.sock");
    char path[200];
    memset(path, 'x', sizeof(path) - 1);
    path[sizeof(path) - 1] = '\0';
    ASSERT_EQ(hr_address_unix(path, &address), -ENAMETOOLONG);
}
