/* SPDX-License-Identifier: MIT */
/*
 * How it works: mariadb-install-db fills a folder under /tmp once, mariadbd runs on it with small
 * buffers and without syncing, and libmariadb's ordinary blocking calls talk to it.
 */
#include "tests/support/mariadb_server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <mysql.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/support/ticker.h"

#define OPTIONS_MAX 40

static struct mariadb_server *running[8];

static void __attribute__((format(printf, 1, 2), noreturn)) die(const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    vfprintf(stderr, fmt, args);
    va_end(args);
    fputc('\n', stderr);
    exit(1);
}

static void nap(long ms)
{
    nanosleep(&(struct timespec){ms / 1000, ms % 1000 * 1000000}, NULL);
}

/* Starts a program whose output goes to a file in the server's folder; it ends with this thread. */
static pid_t spawn(const struct mariadb_server *server, const char *const argv[])
{
    char log[128];
    snprintf(log, sizeof(log), "%s/log", server->dir);
    pid_t parent = getpid();
    pid_t pid = fork();
    if (pid < 0)
        die("fork: %s", strerror(errno));
    if (pid > 0)
        return pid;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(1);
    int fd = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    dup2(fd, STDOUT_FILENO);
    dup2(fd, STDERR_FILENO);
    const char *path = getenv("PATH");
    char with_sbin[4096];
    snprintf(with_sbin, sizeof(with_sbin), "%s:/usr/sbin:/usr/bin", path ? path : "");
    setenv("PATH", with_sbin, 1);
    /* At its start a server deletes temporary tables that it finds, also another server's. */
    setenv("TMPDIR", server->dir, 1);
    execvp(argv[0], (char *const *)argv);
    dprintf(STDERR_FILENO, "%s: %s\n", argv[0], strerror(errno));
    _exit(127);
}

static void show_log(const struct mariadb_server *server)
{
    char line[512];
    snprintf(line, sizeof(line), "%s/log", server->dir);
    FILE *log = fopen(line, "r");
    while (log && fgets(line, sizeof(line), log))
        fputs(line, stderr);
    if (log)
        fclose(log);
}

static void install(struct mariadb_server *server)
{
    char data[128];
    snprintf(data, sizeof(data), "--datadir=%s/data", server->dir);
    const char *argv[] = {"mariadb-install-db",
                          "--no-defaults",
                          data,
                          geteuid() == 0 ? "--user=root" : "--skip-name-resolve",
                          "--auth-root-authentication-method=normal",
                          "--skip-test-db",
                          "--skip-name-resolve",
                          "--innodb-log-file-size=4M",
                          NULL};
    pid_t pid = spawn(server, argv);
    int status;
    if (waitpid(pid, &status, 0) != pid || status != 0) {
        show_log(server);
        die("mariadb-install-db failed");
    }
}

static MYSQL *try_connect(const struct mariadb_server *server)
{
    MYSQL *mysql = mysql_init(NULL);
    if (!mysql)
        die("no memory");
    my_bool no = 0;
    mysql_options(mysql, MYSQL_OPT_SSL_ENFORCE, &no);
    mysql_options(mysql, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, &no);
    if (mysql_real_connect(mysql, NULL, "root", "", NULL, 0, server->socket, 0))
        return mysql;
    mysql_close(mysql);
    return NULL;
}

static void launch(struct mariadb_server *server, const char *const *options)
{
    char data[128], socket_path[128], pid_file[128], port[32];
    snprintf(data, sizeof(data), "--datadir=%s/data", server->dir);
    snprintf(socket_path, sizeof(socket_path), "--socket=%s", server->socket);
    snprintf(pid_file, sizeof(pid_file), "--pid-file=%s/pid", server->dir);
    snprintf(port, sizeof(port), "--port=%u", server->port);
    const char *argv[OPTIONS_MAX] = {"mariadbd",
                                     "--no-defaults",
                                     data,
                                     socket_path,
                                     pid_file,
                                     geteuid() == 0 ? "--user=root" : "--skip-log-bin",
                                     server->port ? "--bind-address=127.0.0.1"
                                                  : "--skip-networking",
                                     port,
                                     "--skip-name-resolve",
                                     "--innodb-buffer-pool-size=16M",
                                     "--innodb-log-file-size=4M",
                                     "--innodb-flush-log-at-trx-commit=2",
                                     "--innodb-fast-shutdown=2",
                                     "--performance-schema=0",
                                     "--max-connections=50"};
    size_t n = 0;
    while (argv[n])
        n++;
    if (!options)
        argv[n++] = "--skip-ssl"; /* from 11.4 on a server makes itself a certificate */
    while (options && *options && n < OPTIONS_MAX - 1)
        argv[n++] = *options++;
    server->pid = spawn(server, argv);
    for (int i = 0; i < 3000; i++) {
        MYSQL *mysql = try_connect(server);
        if (mysql) {
            mysql_close(mysql);
            return;
        }
        if (waitpid(server->pid, NULL, WNOHANG) == server->pid)
            break;
        nap(10);
    }
    show_log(server);
    die("mariadbd does not answer");
}

static uint16_t free_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, len) ||
        getsockname(fd, (struct sockaddr *)&address, &len))
        die("no free port");
    close(fd);
    return ntohs(address.sin_port);
}

static void stop_all(void)
{
    for (size_t i = 0; i < sizeof(running) / sizeof(running[0]); i++) {
        if (running[i])
            mariadb_server_stop(running[i]);
    }
}

void mariadb_server_start(struct mariadb_server *server, int tcp, const char *const *options)
{
    static int hooked;
    TICKER_EXCUSED();
    if (!hooked++)
        atexit(stop_all);
    *server = (struct mariadb_server){.port = tcp ? free_port() : 0};
    snprintf(server->dir, sizeof(server->dir), "/tmp/hr-mariadb-XXXXXX");
    if (!mkdtemp(server->dir))
        die("%s: %s", server->dir, strerror(errno));
    snprintf(server->socket, sizeof(server->socket), "%s/sock", server->dir);
    for (size_t i = 0; i < sizeof(running) / sizeof(running[0]); i++) {
        if (!running[i]) {
            running[i] = server;
            break;
        }
    }
    install(server);
    launch(server, options);
    mariadb_server_sql(server, "CREATE DATABASE test CHARACTER SET utf8mb4;"
                               "CREATE USER app@localhost IDENTIFIED BY 's3cret/@:';"
                               "CREATE USER app@'%' IDENTIFIED BY 's3cret/@:';"
                               "GRANT ALL ON *.* TO app@localhost;"
                               "GRANT ALL ON *.* TO app@'%'");
}

struct mariadb_server *mariadb_server_shared(void)
{
    static struct mariadb_server server;
    if (!server.dir[0])
        mariadb_server_start(&server, 1, NULL);
    if (!server.pid)
        mariadb_server_revive(&server);
    return &server;
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

static void end(struct mariadb_server *server, int signal)
{
    TICKER_EXCUSED();
    if (!server->pid)
        return;
    kill(server->pid, SIGCONT);
    kill(server->pid, signal);
    waitpid(server->pid, NULL, 0);
    server->pid = 0;
}

void mariadb_server_stop(struct mariadb_server *server)
{
    end(server, SIGKILL); /* its data is of no more use */
    if (server->dir[0])
        nftw(server->dir, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    server->dir[0] = '\0';
    for (size_t i = 0; i < sizeof(running) / sizeof(running[0]); i++) {
        if (running[i] == server)
            running[i] = NULL;
    }
}

void mariadb_server_kill(struct mariadb_server *server)
{
    end(server, SIGKILL);
}

void mariadb_server_revive(struct mariadb_server *server)
{
    TICKER_EXCUSED();
    launch(server, NULL);
}

void mariadb_server_freeze(struct mariadb_server *server)
{
    TICKER_EXCUSED();
    int status = 0;
    kill(server->pid, SIGSTOP);
    if (waitpid(server->pid, &status, WUNTRACED) != server->pid || !WIFSTOPPED(status))
        die("the test server does not stop");
}

void mariadb_server_thaw(struct mariadb_server *server)
{
    kill(server->pid, SIGCONT);
}

static MYSQL *run(struct mariadb_server *server, const char *sql)
{
    MYSQL *mysql = try_connect(server);
    if (!mysql)
        die("cannot connect to the test server");
    mysql_set_server_option(mysql, MYSQL_OPTION_MULTI_STATEMENTS_ON);
    mysql_select_db(mysql, "test");
    if (mysql_query(mysql, sql))
        die("%s: %s", sql, mysql_error(mysql));
    return mysql;
}

void mariadb_server_sql(struct mariadb_server *server, const char *sql)
{
    TICKER_EXCUSED();
    MYSQL *mysql = run(server, sql);
    int r;
    do {
        mysql_free_result(mysql_store_result(mysql));
    } while ((r = mysql_next_result(mysql)) == 0);
    if (r > 0)
        die("%s: %s", sql, mysql_error(mysql));
    mysql_close(mysql);
}

long long mariadb_server_number(struct mariadb_server *server, const char *sql)
{
    TICKER_EXCUSED();
    MYSQL *mysql = run(server, sql);
    MYSQL_RES *rows = mysql_store_result(mysql);
    MYSQL_ROW row = rows ? mysql_fetch_row(rows) : NULL;
    long long number = row && row[0] ? atoll(row[0]) : 0;
    mysql_free_result(rows);
    mysql_close(mysql);
    return number;
}
