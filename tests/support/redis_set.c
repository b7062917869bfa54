/* SPDX-License-Identifier: MIT */
/*
 * Plain blocking calls, none of them headrace's. What sentinels and nodes would find out about each
 * other in seconds is told to them at the start, so that a set is ready in a fraction of one.
 */
#include "tests/support/redis_set.h"

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
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/support/certificates.h"
#include "tests/support/hrtest.h"

#define START_LIMIT_S 20
#define ANSWER_S      5
#define ARGS_MAX      64
#define MASTERS       3
#define PORTS         3 /* of a server */

/* What is up; one set at a time is enough. */

static pid_t pids[TEST_SET_MAX];
static char folder[sizeof(((struct test_set *)NULL)->dir)];

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    return remove(path);
}

static void reap(pid_t *pid)
{
    if (*pid <= 0)
        return;
    kill(*pid, SIGKILL);
    while (waitpid(*pid, NULL, 0) < 0 && errno == EINTR)
        ;
    *pid = 0;
}

static void end_running(void)
{
    for (size_t i = 0; i < TEST_SET_MAX; i++)
        reap(&pids[i]);
    if (folder[0])
        nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    folder[0] = '\0';
}

/* Ports are held until all are known, so that no two are the same. */
static void find_ports(uint16_t *ports, size_t count)
{
    int fds[PORTS * TEST_SET_MAX];
    for (size_t i = 0; i < count; i++) {
        struct sockaddr_in address = {.sin_family = AF_INET,
                                      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        socklen_t len = sizeof(address);
        fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        ASSERT_TRUE(fds[i] >= 0);
        ASSERT_EQ(bind(fds[i], (struct sockaddr *)&address, len), 0);
        ASSERT_EQ(getsockname(fds[i], (struct sockaddr *)&address, &len), 0);
        ports[i] = ntohs(address.sin_port);
    }
    for (size_t i = 0; i < count; i++)
        close(fds[i]);
}

struct args {
    const char *argv[ARGS_MAX];
    size_t count;
};

static void add(struct args *args, const char *word)
{
    ASSERT_TRUE(args->count < ARGS_MAX - 1);
    args->argv[args->count++] = word;
}

static void add_pair(struct args *args, const char *name, const char *value)
{
    add(args, name);
    add(args, value);
}

static void add_tls(struct args *args, const char *port)
{
    add_pair(args, "--tls-port", port);
    add_pair(args, "--tls-cert-file", test_certificate("server.pem"));
    add_pair(args, "--tls-key-file", test_certificate("server.pem"));
    add_pair(args, "--tls-ca-cert-file", test_certificate("ca.pem"));
    add_pair(args, "--tls-auth-clients", "no");
    add_pair(args, "--tls-replication", "yes");
}

static void exec_server(const struct test_set *set, const struct test_set_server *server)
{
    struct args args = {0};
    char port[8], bus[8], tls[8];
    snprintf(tls, sizeof(tls), "%u", server->tls);
    snprintf(port, sizeof(port), "%u", server->port);
    snprintf(bus, sizeof(bus), "%u", server->bus);
    add(&args, "redis-server");
    if (server->conf[0]) {
        add_pair(&args, server->conf, "--sentinel");
    } else {
        add_pair(&args, "--port", port);
        add_pair(&args, "--bind", "127.0.0.1");
        add_pair(&args, "--dir", server->dir);
        add_pair(&args, "--save", "");
        add_pair(&args, "--appendonly", "no");
        add_pair(&args, "--loglevel", "notice");
        add_pair(&args, "--repl-diskless-sync-delay", "0");
        add_pair(&args, "--repl-ping-replica-period", "1");
        add_pair(&args, "--enable-debug-command", "yes");
    }
    if (set->cluster && !server->conf[0]) {
        add_pair(&args, "--cluster-enabled", "yes");
        add_pair(&args, "--cluster-port", bus);
        add_pair(&args, "--cluster-node-timeout", "1000");
        add_pair(&args, "--cluster-replica-validity-factor", "0");
        add_pair(&args, "--cluster-require-full-coverage", "no");
        add_pair(&args, "--cluster-allow-replica-migration", "no");
    }
    if (set->password && !server->conf[0]) {
        add_pair(&args, "--requirepass", set->password);
        add_pair(&args, "--masterauth", set->password);
    }
    if (set->tls)
        add_tls(&args, tls);
    if (set->tls && set->cluster)
        add_pair(&args, "--tls-cluster", "yes");
    if (set->steady && set->cluster)
        add_pair(&args, "--cluster-replica-no-failover", "yes");
    char log[128];
    snprintf(log, sizeof(log), "%s/log", server->dir);
    int null = open("/dev/null", O_RDONLY), out = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);
    dup2(null, STDIN_FILENO);
    dup2(out, STDOUT_FILENO);
    dup2(out, STDERR_FILENO);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    execvp(args.argv[0], (char *const *)args.argv);
    _exit(127);
}

static void launch(struct test_set *set, size_t i)
{
    pid_t parent = getpid();
    pid_t pid = fork();
    ASSERT_TRUE(pid >= 0);
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() == parent)
            exec_server(set, &set->servers[i]);
        _exit(127);
    }
    set->servers[i].pid = pids[i] = pid;
}

static int connect_to(const struct test_set_server *server)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                                  .sin_port = htons(server->port)};
    struct timeval limit = {.tv_sec = ANSWER_S};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
        return fd;
    close(fd);
    return -1;
}

static bool say(int fd, const char *words)
{
    char line[1024];
    int n = snprintf(line, sizeof(line), "%s\r\n", words);
    return write(fd, line, (size_t)n) == n;
}

const char *test_set_ask(const struct test_set *set, size_t i, const char *words)
{
    static char answer[16384];
    const struct test_set_server *server = &set->servers[i];
    int fd = connect_to(server);
    answer[0] = '\0';
    if (fd < 0)
        return answer;
    ssize_t got = 1;
    if (set->password && !server->conf[0]) {
        char auth[128];
        snprintf(auth, sizeof(auth), "AUTH %s", set->password);
        got = say(fd, auth) ? read(fd, answer, sizeof(answer) - 1) : -1;
    }
    got = got > 0 && say(fd, words) ? read(fd, answer, sizeof(answer) - 1) : -1;
    answer[got > 0 ? got : 0] = '\0';
    close(fd);
    return answer;
}

uint16_t test_set_port(const struct test_set *set, size_t i)
{
    return set->tls ? set->servers[i].tls : set->servers[i].port;
}

bool test_set_says(const struct test_set *set, size_t i, const char *words, const char *text)
{
    return strstr(test_set_ask(set, i, words), text) != NULL;
}

void test_set_wait(const struct test_set *set, size_t i, const char *words, const char *text)
{
    const struct timespec moment = {.tv_nsec = 5000000};
    for (int n = 0; n < START_LIMIT_S * 200; n++) {
        if (test_set_says(set, i, words, text))
            return;
        nanosleep(&moment, NULL);
    }
    test_fail(__FILE__, __LINE__, "server %zu: %s does not say %s", i, words, text);
}

const char *test_set_id(const struct test_set *set, size_t i)
{
    static char id[41];
    const char *answer = test_set_ask(set, i, "CLUSTER MYID");
    const char *at = strchr(answer, '\n');
    ASSERT_TRUE(at && strlen(at) > 40);
    memcpy(id, at + 1, 40);
    return id;
}

/* Folders and ports for that many servers. */
static void prepare(struct test_set *set, size_t count)
{
    static bool registered;
    if (!registered)
        atexit(end_running);
    registered = true;
    end_running();

    uint16_t ports[PORTS * TEST_SET_MAX];
    find_ports(ports, PORTS * count);
    snprintf(set->dir, sizeof(set->dir), "/tmp/hr-set-XXXXXX");
    ASSERT_TRUE(mkdtemp(set->dir));
    memcpy(folder, set->dir, sizeof(folder));

    set->count = count;
    for (size_t i = 0; i < count; i++) {
        struct test_set_server *server = &set->servers[i];
        server->port = ports[PORTS * i];
        server->bus = ports[PORTS * i + 1];
        server->tls = ports[PORTS * i + 2];
        snprintf(server->dir, sizeof(server->dir), "%s/%zu", set->dir, i);
        ASSERT_EQ(mkdir(server->dir, 0700), 0);
    }
}

/* --- behind sentinels */

/* The first one finds a dead master long before the others do, and may say so alone: two that stand
 * for election at once might both fail, and wait for seconds. */
static void write_sentinel_conf(struct test_set *set, size_t i)
{
    struct test_set_server *server = &set->servers[i];
    snprintf(server->conf, sizeof(server->conf), "%s/conf", server->dir);
    FILE *file = fopen(server->conf, "w");
    ASSERT_TRUE(file);
    fprintf(file,
            "port %u\nbind 127.0.0.1\ndir %s\nloglevel notice\n"
            "sentinel myid %040zx\n"
            "sentinel monitor main 127.0.0.1 %u 1\n"
            "sentinel down-after-milliseconds main %u\n"
            "sentinel failover-timeout main %u\n"
            "sentinel known-replica main 127.0.0.1 %u\n",
            server->port, server->dir, i + 1, test_set_port(set, 0),
            set->steady              ? 600000
            : i == TEST_SET_SENTINEL ? 300
                                     : 2000,
            set->steady ? 600000 : 1500, test_set_port(set, 1));
    for (size_t other = TEST_SET_SENTINEL; other < set->count; other++) {
        if (other != i)
            fprintf(file, "sentinel known-sentinel main 127.0.0.1 %u %040zx\n",
                    test_set_port(set, other), other + 1);
    }
    if (set->password)
        fprintf(file, "sentinel auth-pass main %s\n", set->password);
    fclose(file);
}

/* Patient ones obey an order also where a busy machine makes everybody late: a replica is fit to be
 * a master if it was heard of within a few periods, and who finds its own clock jump does nothing
 * for half a minute. */
static void start_sentinels(struct test_set *set)
{
    static const char quick[] = "SENTINEL DEBUG INFO-PERIOD 100 PING-PERIOD 100 ASK-PERIOD 100 "
                                "PUBLISH-PERIOD 500";
    static const char patient[] = "SENTINEL DEBUG INFO-PERIOD 1000 PING-PERIOD 1000 ASK-PERIOD 100 "
                                  "PUBLISH-PERIOD 500 TILT-TRIGGER 600000";
    prepare(set, TEST_SET_SENTINEL + 3);
    launch(set, 0);
    launch(set, 1);
    test_set_wait(set, 0, "PING", "PONG");
    test_set_wait(set, 1, "PING", "PONG");
    char words[64];
    snprintf(words, sizeof(words), "REPLICAOF 127.0.0.1 %u", test_set_port(set, 0));
    test_set_ask(set, 1, words);
    test_set_wait(set, 1, "INFO replication", "master_link_status:up");
    for (size_t i = TEST_SET_SENTINEL; i < set->count; i++) {
        write_sentinel_conf(set, i);
        launch(set, i);
    }
    for (size_t i = TEST_SET_SENTINEL; i < set->count; i++) {
        test_set_wait(set, i, "PING", "PONG");
        test_set_ask(set, i, set->steady ? patient : quick);
        test_set_wait(set, i, "SENTINEL CKQUORUM main", "+OK 3 usable");
    }
}

void test_set_start_sentinels(struct test_set *set, const char *password)
{
    *set = (struct test_set){.password = password};
    start_sentinels(set);
}

void test_set_start_sentinels_steady(struct test_set *set)
{
    *set = (struct test_set){.steady = true};
    start_sentinels(set);
}

/* The certificates are made before there are children to need them. */
void test_set_start_sentinels_tls(struct test_set *set)
{
    *set = (struct test_set){.tls = test_certificates() != NULL, .steady = true};
    start_sentinels(set);
}

/* --- a cluster */

static void meet(const struct test_set *set, size_t i)
{
    char words[80];
    snprintf(words, sizeof(words), "CLUSTER MEET 127.0.0.1 %u %u", test_set_port(set, i),
             set->servers[i].bus);
    ASSERT_TRUE(test_set_says(set, 0, words, "+OK"));
}

static void give_slots(const struct test_set *set, size_t i)
{
    static const unsigned ends[MASTERS + 1] = {0, 5461, 10923, 16384};
    char words[80];
    snprintf(words, sizeof(words), "CLUSTER SET-CONFIG-EPOCH %zu", i + 1);
    ASSERT_TRUE(test_set_says(set, i, words, "+OK"));
    snprintf(words, sizeof(words), "CLUSTER ADDSLOTSRANGE %u %u", ends[i], ends[i + 1] - 1);
    ASSERT_TRUE(test_set_says(set, i, words, "+OK"));
}

static void start_cluster(struct test_set *set)
{
    prepare(set, (size_t)2 * MASTERS);
    for (size_t i = 0; i < set->count; i++)
        launch(set, i);
    for (size_t i = 0; i < set->count; i++) {
        test_set_wait(set, i, "PING", "PONG");
        if (i < MASTERS)
            give_slots(set, i);
        if (i > 0)
            meet(set, i);
    }
    for (size_t i = MASTERS; i < set->count; i++) {
        char words[80];
        snprintf(words, sizeof(words), "CLUSTER REPLICATE %s", test_set_id(set, i - MASTERS));
        test_set_wait(set, i, words, "+OK"); /* once it has heard of its master */
    }
    for (size_t i = 0; i < set->count; i++) {
        test_set_wait(set, i, "CLUSTER INFO", "cluster_state:ok");
        test_set_wait(set, i, "CLUSTER INFO", "cluster_known_nodes:6");
    }
    for (size_t replica = MASTERS; replica < set->count; replica++) {
        char port[16];
        test_set_wait(set, replica, "INFO replication", "master_link_status:up");
        snprintf(port, sizeof(port), ":%u\r\n", set->servers[replica].port);
        for (size_t i = 0; i < set->count; i++)
            test_set_wait(set, i, "CLUSTER SLOTS", port);
    }
}

void test_set_start_cluster(struct test_set *set)
{
    *set = (struct test_set){.cluster = true};
    start_cluster(set);
}

void test_set_start_cluster_tls(struct test_set *set)
{
    *set = (struct test_set){.cluster = true, .tls = test_certificates() != NULL, .steady = true};
    start_cluster(set);
}

/* --- bad days */

void test_set_kill(struct test_set *set, size_t i)
{
    reap(&pids[i]);
    set->servers[i].pid = 0;
}

void test_set_freeze(struct test_set *set, size_t i)
{
    int status;
    kill(set->servers[i].pid, SIGSTOP);
    while (waitpid(set->servers[i].pid, &status, WUNTRACED) < 0 && errno == EINTR)
        ;
}

void test_set_thaw(struct test_set *set, size_t i)
{
    if (set->servers[i].pid > 0)
        kill(set->servers[i].pid, SIGCONT);
}

void test_set_end(struct test_set *set)
{
    end_running();
    set->count = 0;
}
