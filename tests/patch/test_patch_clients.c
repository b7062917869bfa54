/* SPDX-License-Identifier: MIT */
/*
 * Fifty tasks side by side with client libraries that know nothing of tasks: linked, preloaded, and
 * not at all. Servers answer when all have asked, so that nothing here depends on how fast it is.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/gather.h"
#include "core/patch/patch.h"
#include "tests/patch/fifty.h"
#include "tests/patch/gate.h"
#include "tests/support/hrtest.h"
#include "tests/support/redis_server.h"

TEST_REAL(s19_1_fifty_tasks_with_blocking_hiredis_wait_side_by_side)
{
    hr_auto(test_redis_end) struct test_redis redis = {0};
    test_redis_start(&redis, NULL);
    ASSERT_ERR(fifty_redis(redis.socket, 0), 0);
    ASSERT_ERR(fifty_redis("127.0.0.1", redis.port), 0);
    ASSERT_ERR(fifty_redis("localhost", redis.port), 0);
}

TEST_REAL(s19_1_fifty_tasks_with_libpq_wait_side_by_side)
{
    struct gate gate;
    if (!fifty_has_postgres())
        return;
    gate_open(&gate, GATE_POSTGRES, FIFTY);
    ASSERT_ERR(fifty_postgres(gate.port), 0);
    ASSERT_TRUE(gate_close(&gate));
}

static struct gate http;

static int download(void *path)
{
    char text[128];
    size_t length = 0;
    ssize_t n;
    struct sockaddr_in address = {
        .sin_family = AF_INET,
        .sin_port = htons(http.port),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ASSERT_EQ(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    int asked = snprintf(text, sizeof(text), "GET %s HTTP/1.0\r\n\r\n", (char *)path);
    ASSERT_EQ(write(fd, text, (size_t)asked), asked);
    while ((n = read(fd, text + length, sizeof(text) - 1 - length)) > 0)
        length += (size_t)n;
    text[length] = '\0';
    close(fd);
    const char *body = strstr(text, "\r\n\r\n");
    return n == 0 && body && strcmp(body + 4, path) == 0 ? 0 : -EIO;
}

TEST_REAL(s19_15_three_downloads_that_block_run_side_by_side)
{
    static char paths[][3] = {"/a", "/b", "/c"};
    hr_auto(hr_futures_done) struct hr_futures downloads = {0};
    gate_open(&http, GATE_HTTP, HR_ARRAY_LEN(paths));
    for (size_t i = 0; i < HR_ARRAY_LEN(paths); i++)
        hr_futures_add(&downloads, hr_create_task(NULL, download, paths[i]));
    ASSERT_ERR(hr_gather(&downloads, 0), 0);
    ASSERT_TRUE(gate_close(&http));
}

/* A program of our own with so many words; what it says stands in said. Its status. */
struct guest {
    const char *program, *preload, *patch;
    const char *words[2];
    char said[512];
};

static void become(const struct guest *guest, int output)
{
    dup2(output, STDOUT_FILENO);
    dup2(output, STDERR_FILENO);
    unsetenv("LD_PRELOAD");
    unsetenv("HEADRACE_PATCH");
    if (guest->preload)
        setenv("LD_PRELOAD", guest->preload, 1);
    if (guest->patch)
        setenv("HEADRACE_PATCH", guest->patch, 1);
    /* AddressSanitizer wants to come first and does not need to. */
    const char *options = getenv("ASAN_OPTIONS");
    char text[512];
    snprintf(text, sizeof(text), "%s:verify_asan_link_order=0", options ? options : "");
    setenv("ASAN_OPTIONS", text, 1);
    execl(guest->program, guest->program, guest->words[0], guest->words[1], NULL);
    _exit(127);
}

static int run_guest(struct guest *guest)
{
    int ends[2], status;
    size_t length = 0;
    ssize_t n;
    ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
    pid_t child = fork();
    if (child == 0)
        become(guest, ends[1]);
    close(ends[1]);
    while ((n = read(ends[0], guest->said + length, sizeof(guest->said) - 1 - length)) > 0)
        length += (size_t)n;
    guest->said[length] = '\0';
    close(ends[0]);
    ASSERT_EQ(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

TEST_PLAIN(s19_3_a_word_that_names_no_family_is_reported_with_those_that_do)
{
    struct guest guest = {.program = GUEST_LINKED, .patch = "time,thyme", .words = {"who"}};
    ASSERT_EQ(run_guest(&guest), 0);
    ASSERT_TRUE(
        strstr(guest.said, "no such family: thyme; it is left out. There are: all none time"));
}

TEST_PLAIN(s19_3_the_environment_chooses_families_at_the_start)
{
    static const struct {
        const char *words;
        unsigned families;
    } cases[] = {
        {NULL,                   HR_PATCH_ALL                                    },
        {"all",                  HR_PATCH_ALL                                    },
        {"none",                 0                                               },
        {"time,poll",            HR_PATCH_TIME | HR_PATCH_POLL                   },
        {"all,-names,-file",     HR_PATCH_ALL & ~(HR_PATCH_NAMES | HR_PATCH_FILE)},
        {"-stream",              HR_PATCH_ALL & ~HR_PATCH_STREAM                 },
        {"socket,,file,-socket", HR_PATCH_FILE                                   },
    };
    char number[16];
    for (size_t i = 0; i < HR_ARRAY_LEN(cases); i++) {
        snprintf(number, sizeof(number), "%u\n", cases[i].families);
        struct guest guest = {.program = i % 2 ? GUEST_LINKED : GUEST,
                              .preload = i % 2 ? NULL : PATCH_LIBRARY,
                              .patch = cases[i].words,
                              .words = {"families"}};
        ASSERT_EQ(run_guest(&guest), 0);
        ASSERT_STR(guest.said, number);
    }
}

TEST_PLAIN(s19_3_a_program_gets_the_patch_by_linking_or_preloading_and_not_otherwise)
{
    struct guest guest = {.program = GUEST, .words = {"who"}};
    ASSERT_EQ(run_guest(&guest), 0);
    ASSERT_FALSE(strstr(guest.said, "headrace"));
    guest.preload = PATCH_LIBRARY;
    ASSERT_EQ(run_guest(&guest), 0);
    ASSERT_TRUE(strstr(guest.said, "libheadrace-patch.so"));
    guest = (struct guest){.program = GUEST_LINKED, .words = {"who"}};
    ASSERT_EQ(run_guest(&guest), 0);
    ASSERT_TRUE(strstr(guest.said, "libheadrace-patch.so"));
}

static void fifty_guests(struct guest guest)
{
    hr_auto(test_redis_end) struct test_redis redis = {0};
    test_redis_start(&redis, NULL);
    guest.words[0] = "redis";
    guest.words[1] = redis.socket;
    int status = run_guest(&guest);
    ASSERT_STR(guest.said, "");
    ASSERT_EQ(status, 0);

    struct gate gate;
    char port[8];
    if (!fifty_has_postgres())
        return;
    gate_open(&gate, GATE_POSTGRES, FIFTY);
    snprintf(port, sizeof(port), "%u", gate.port);
    guest.words[0] = "postgres";
    guest.words[1] = port;
    status = run_guest(&guest);
    ASSERT_STR(guest.said, "");
    ASSERT_EQ(status, 0);
    ASSERT_TRUE(gate_close(&gate));
}

TEST_PLAIN(s19_1_s19_3_fifty_tasks_of_a_program_that_links_the_patch)
{
    fifty_guests((struct guest){.program = GUEST_LINKED});
}

TEST_PLAIN(s19_1_s19_3_fifty_tasks_of_a_program_that_knows_nothing_of_the_patch)
{
    fifty_guests((struct guest){.program = GUEST, .preload = PATCH_LIBRARY, .patch = "all,-names"});
}
