/* SPDX-License-Identifier: MIT */
/*
 * What cannot be polled: files and names, in a thread.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "core/patch/patch.h"
#include "core/task.h"
#include "tests/patch/witness.h"
#include "tests/support/hrtest.h"

static int open_file(void)
{
    char path[] = "/tmp/headrace-patch-XXXXXX";
    int fd = mkostemp(path, O_CLOEXEC);
    ASSERT_TRUE(fd >= 0);
    unlink(path);
    return fd;
}

static bool in_a_thread(void)
{
    pthread_t thread;
    ASSERT_TRUE(witness_thread(&thread));
    return !pthread_equal(thread, pthread_self());
}

static int counts(void *passes)
{
    while (hr_yield() == 0)
        ++*(int *)passes;
    return 0;
}

TEST_REAL(s19_7_files_are_read_and_written_in_the_pool)
{
    int fd = open_file(), passes = 0;
    char text[8] = "";
    hr_task *other = hr_create_task("other", counts, &passes);
    witness_reset();
    ASSERT_EQ(write(fd, "abcdef", 6), 6);
    ASSERT_TRUE(in_a_thread());
    ASSERT_TRUE(passes > 0);
    ASSERT_EQ(lseek(fd, 2, SEEK_SET), 2);
    witness_reset();
    ASSERT_EQ(read(fd, text, sizeof(text)), 4);
    ASSERT_TRUE(in_a_thread());
    ASSERT_STR(text, "cdef");
    ASSERT_EQ(read(fd, text, sizeof(text)), 0);
    hr_task_cancel(other, NULL);
    ASSERT_ERR(hr_join(other), 0);
    close(fd);

    fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    errno = 0;
    ASSERT_EQ(write(fd, text, 1), -1);
    ASSERT_EQ(errno, EBADF);
    close(fd);
}

/* The thread reads into what the caller owns: nobody leaves before it is done. */
TEST_REAL(s19_13_a_cancelled_read_of_a_file_says_what_it_has)
{
    int fd = open_file();
    char text[8] = "";
    ASSERT_EQ(write(fd, "abcdef", 6), 6);
    ASSERT_EQ(lseek(fd, 0, SEEK_SET), 0);
    hr_task_cancel(hr_current_task(), NULL);
    ASSERT_EQ(read(fd, text, sizeof(text)), 6);
    ASSERT_STR(text, "abcdef");
    ASSERT_ERR(hr_yield(), -ECANCELED);
    hr_task_uncancel(hr_current_task());
    close(fd);
}

TEST_REAL(files_stay_with_the_task_where_their_family_is_left_out)
{
    int fd = open_file();
    ASSERT_EQ(hr_patch(HR_PATCH_ALL & ~HR_PATCH_FILE), 0);
    witness_reset();
    char text[] = "abc";
    ASSERT_EQ(writev(fd, &(struct iovec){text, 3}, 1), 3);
    ASSERT_FALSE(in_a_thread());
    ASSERT_EQ(hr_patch(HR_PATCH_ALL), 0);
    close(fd);
}

static int looks_up(void *host)
{
    struct addrinfo *found = NULL, hints = {.ai_socktype = SOCK_STREAM, .ai_family = AF_INET};
    if (getaddrinfo(host, "80", &hints, &found) != 0)
        return -EIO;
    struct sockaddr_in address;
    memcpy(&address, found->ai_addr, sizeof(address));
    freeaddrinfo(found);
    return address.sin_addr.s_addr == htonl(INADDR_LOOPBACK) ? ntohs(address.sin_port) : -EIO;
}

static int looks_up_and_keeps_errno(void *host)
{
    errno = ENOTTY;
    int r = looks_up(host);
    return errno == ENOTTY ? r : -EIO;
}

TEST_REAL(s19_7_a_name_is_looked_up_in_the_pool)
{
    witness_reset();
    hr_task *task = hr_create_task("slow", looks_up_and_keeps_errno, (char *)WITNESS_SLOW_NAME);
    test_passes(2); /* it waits, and nobody else does */
    ASSERT_FALSE(hr_future_done(task));
    witness_answer();
    ASSERT_ERR(hr_join(task), 80);
    ASSERT_TRUE(in_a_thread());
}

TEST(a_numeric_address_needs_no_thread)
{
    witness_reset();
    ASSERT_ERR(looks_up((char *)"127.0.0.1"), 80);
    ASSERT_FALSE(in_a_thread());
}

TEST_REAL(names_of_addresses_and_the_old_calls_give_what_they_give_elsewhere)
{
    char host[NI_MAXHOST], service[NI_MAXSERV], buffer[1024];
    struct sockaddr_in address = {
        .sin_family = AF_INET,
        .sin_port = htons(80),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    struct sockaddr *plain = (struct sockaddr *)&address;
    ASSERT_EQ(getnameinfo(plain, sizeof(address), host, sizeof(host), service, sizeof(service),
                          NI_NUMERICSERV),
              0);
    ASSERT_TRUE(host[0]);
    ASSERT_STR(service, "80");
    ASSERT_EQ(getnameinfo(plain, sizeof(address), host, 2, NULL, 0, 0), EAI_OVERFLOW);
    ASSERT_EQ(getnameinfo(plain, sizeof(address), host, sizeof(host), NULL, 0, NI_NUMERICHOST), 0);
    ASSERT_STR(host, "127.0.0.1");

    struct hostent *found = gethostbyname("127.0.0.1"), entry;
    ASSERT_TRUE(found);
    ASSERT_EQ(memcmp(found->h_addr_list[0], &address.sin_addr, sizeof(address.sin_addr)), 0);
    int error;
    ASSERT_EQ(gethostbyname_r("127.0.0.1", &entry, buffer, sizeof(buffer), &found, &error), 0);
    ASSERT_PTR(found, &entry);
    ASSERT_EQ(memcmp(entry.h_addr_list[0], &address.sin_addr, sizeof(address.sin_addr)), 0);
    ASSERT_PTR(gethostbyname("no name has blanks"), NULL);
    ASSERT_TRUE(h_errno != 0);
}
