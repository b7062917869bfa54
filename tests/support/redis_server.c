/* SPDX-License-Identifier: MIT */
/*
 * Plain blocking calls, none of them headrace's: what tests the drivers must not lean on them.
 */
#include "tests/support/redis_server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/support/certificates.h"
#include "tests/support/hrtest.h"
#include "tests/support/ticker.h"

#define START_LIMIT_S 20
#define ARGS_MAX      40

/* The server that is up; one at a time is enough. */
static struct test_redis running;

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    return remove(path);
}

static void reap(pid_t pid, int signal)
{
    kill(pid, signal);
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        ;
}

static void end_running(void)
{
    if (running.pid > 0)
        reap(running.pid, SIGKILL);
    if (running.dir[0])
        nftw(running.dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    memset(&running, 0, sizeof(running));
}

static uint16_t find_free_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ASSERT_TRUE(fd >= 0);
    ASSERT_EQ(bind(fd, (struct sockaddr *)&address, len), 0);
    ASSERT_EQ(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    close(fd);
    return ntohs(address.sin_port);
}

static void exec_server(const struct test_redis *redis)
{
    char port[8];
    const char *argv[ARGS_MAX] = {
        "redis-server",
        redis->tls ? "--tls-port" : "--port",
        port,
        "--bind",
        "127.0.0.1",
        "--unixsocket",
        redis->socket,
        "--dir",
        redis->dir,
        "--save",
        "",
        "--appendonly",
        "no",
        "--loglevel",
        "warning",
        "--databases",
        "16",
        "--daemonize",
        "no",
    };
    size_t n = 19;
    snprintf(port, sizeof(port), "%u", redis->port);
    for (size_t i = 0; redis->args && redis->args[i] && n < ARGS_MAX - 1; i++)
        argv[n++] = redis->args[i];

    int log = open("/dev/null", O_RDWR);
    dup2(log, STDIN_FILENO);
    dup2(log, STDOUT_FILENO);
    dup2(log, STDERR_FILENO);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    execvp(argv[0], (char *const *)argv);
    _exit(127);
}

static int connect_to(const struct test_redis *redis)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct timeval limit = {.tv_sec = START_LIMIT_S};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    snprintf(address.sun_path, sizeof(address.sun_path), "%s", redis->socket);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
        return fd;
    close(fd);
    return -1;
}

static const char *ask(const struct test_redis *redis, const char *words)
{
    static char answer[4096];
    int fd = connect_to(redis);
    answer[0] = '\0';
    if (fd < 0)
        return answer;
    char line[512];
    int n = snprintf(line, sizeof(line), "%s\r\n", words);
    ssize_t got = write(fd, line, (size_t)n) == n ? read(fd, answer, sizeof(answer) - 1) : -1;
    answer[got > 0 ? got : 0] = '\0';
    close(fd);
    return answer;
}

const char *test_redis_ask(const struct test_redis *redis, const char *words)
{
    TICKER_EXCUSED();
    return ask(redis, words);
}

/* An answer of any kind will do: with a password it is an error. */
static void wait_until_up(struct test_redis *redis)
{
    const struct timespec moment = {.tv_nsec = 1000000};
    for (int i = 0; i < START_LIMIT_S * 1000; i++) {
        const char *answer = ask(redis, "PING");
        if (answer[0] && strncmp(answer, "-LOADING", 8) != 0)
            return;
        nanosleep(&moment, NULL);
        ASSERT_EQ(waitpid(redis->pid, NULL, WNOHANG), 0);
    }
    test_fail(__FILE__, __LINE__, "redis-server did not come up");
}

static void launch(struct test_redis *redis)
{
    pid_t parent = getpid();
    redis->pid = fork();
    ASSERT_TRUE(redis->pid >= 0);
    if (redis->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() == parent)
            exec_server(redis);
        _exit(127);
    }
    running = *redis;
    wait_until_up(redis);
}

static void start(struct test_redis *redis, const char *const *args, bool tls)
{
    static bool registered;
    TICKER_EXCUSED();
    if (!registered)
        atexit(end_running);
    registered = true;
    end_running();

    memset(redis, 0, sizeof(*redis));
    redis->args = args;
    redis->tls = tls;
    snprintf(redis->dir, sizeof(redis->dir), "/tmp/hr-redis-XXXXXX");
    ASSERT_TRUE(mkdtemp(redis->dir));
    running = *redis;
    redis->port = find_free_port();
    snprintf(redis->socket, sizeof(redis->socket), "%s/s.sock", redis->dir);
    snprintf(redis->unix_url, sizeof(redis->unix_url), "unix://%s", redis->socket);
    snprintf(redis->tcp_url, sizeof(redis->tcp_url),
             tls ? "rediss://localhost:%u" : "redis://127.0.0.1:%u", redis->port);
    launch(redis);
}

void test_redis_start(struct test_redis *redis, const char *const *args)
{
    start(redis, args, false);
}

void test_redis_start_tls(struct test_redis *redis, bool clients)
{
    const char *server = test_certificate("server.pem"), *authority = test_certificate("ca.pem");
    static const char *args[11];
    const char *const settings[] = {
        "--port",
        "0",
        "--tls-cert-file",
        server,
        "--tls-key-file",
        server,
        "--tls-ca-cert-file",
        authority,
        "--tls-auth-clients",
        clients ? "yes" : "no",
        NULL,
    };
    memcpy(args, settings, sizeof(args));
    start(redis, args, true);
}

void test_redis_restart(struct test_redis *redis)
{
    TICKER_EXCUSED();
    launch(redis);
}

void test_redis_kill(struct test_redis *redis)
{
    TICKER_EXCUSED();
    reap(redis->pid, SIGKILL);
    redis->pid = running.pid = 0;
    unlink(redis->socket);
}

void test_redis_freeze(struct test_redis *redis)
{
    int status;
    TICKER_EXCUSED();
    kill(redis->pid, SIGSTOP);
    while (waitpid(redis->pid, &status, WUNTRACED) < 0 && errno == EINTR)
        ;
}

void test_redis_thaw(struct test_redis *redis)
{
    kill(redis->pid, SIGCONT);
}

void test_redis_end(struct test_redis *redis)
{
    TICKER_EXCUSED();
    end_running();
    redis->pid = 0;
}
