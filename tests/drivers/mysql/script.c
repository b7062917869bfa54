/* SPDX-License-Identifier: MIT */
#include "tests/drivers/mysql/script.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/io.h"

void script_open(struct script *script, const char *parameters)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);
    script->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ASSERT_EQ(bind(script->listener, (struct sockaddr *)&address, len), 0);
    ASSERT_EQ(listen(script->listener, 4), 0);
    ASSERT_EQ(getsockname(script->listener, (struct sockaddr *)&address, &len), 0);
    snprintf(script->url, sizeof(script->url),
             "mysql://app:" SCRIPT_PASSWORD "@127.0.0.1:%u/test%s", ntohs(address.sin_port),
             parameters);
}

size_t script_greeting(const struct script *script, char *packet)
{
    static const char version[] = "8.0.36", salt[] = SCRIPT_SALT;
    unsigned caps = script->capabilities;
    char *at = packet + 4;
    *at++ = 10;
    at = (char *)memcpy(at, version, sizeof(version)) + sizeof(version);
    at = (char *)memcpy(at, "\1\0\0\0", 4) + 4;
    at = (char *)memcpy(at, salt, 8) + 8;
    *at++ = 0;
    *at++ = (char)caps;
    *at++ = (char)(caps >> 8);
    *at++ = 45;
    *at++ = 2;
    *at++ = 0;
    *at++ = (char)(caps >> 16);
    *at++ = (char)(caps >> 24);
    *at++ = 21;
    at = (char *)memset(at, 0, 10) + 10;
    at = (char *)memcpy(at, salt + 8, 13) + 13;
    at = stpcpy(at, script->plugin) + 1;
    memcpy(packet, (const char[]){(char)(at - packet - 4), 0, 0, 0}, 4);
    return (size_t)(at - packet);
}

static hr_async int hear(int fd, char *buffer, size_t size)
{
    int r = hr_wait_fd(fd, HR_READ);
    return r < 0 ? r : (int)recv(fd, buffer, size, MSG_DONTWAIT);
}

static int play(void *arg)
{
    struct script *script = arg;
    char packet[1024];
    int r = hr_wait_fd(script->listener, HR_READ);
    if (r < 0)
        return r;
    int fd = accept(script->listener, NULL, NULL);
    size_t size = script_greeting(script, packet);
    if (script->early)
        memcpy(packet + size, script->early, script->early_size);
    size += script->early_size;
    ASSERT_EQ(send(fd, packet, size, MSG_NOSIGNAL), size);
    r = hear(fd, script->login, sizeof(script->login));
    script->n_login = r > 0 ? (size_t)r : 0;
    if (r > 0 && script->answer)
        ASSERT_EQ(send(fd, script->answer, script->answer_size, MSG_NOSIGNAL), script->answer_size);
    static const char denied[] = "\17\0\0\4\377\25\4#28000denied";
    while (r > 0 && (r = hear(fd, packet, sizeof(packet))) > 0) {
        size = (size_t)r;
        if (size > sizeof(script->heard) - script->n_heard)
            size = sizeof(script->heard) - script->n_heard;
        memcpy(script->heard + script->n_heard, packet, size);
        script->n_heard += size;
        if (script->hangs_up)
            break;
        if (script->answer)
            (void)send(fd, denied, sizeof(denied) - 1, MSG_NOSIGNAL);
    }
    close(fd);
    return r < 0 ? r : 0;
}

int script_play(struct script *script, hr_usec limit, const char *password)
{
    hr_mysql_conn *conn = NULL;
    hr_usec start = hr_now();
    hr_task *player = hr_create_task("script", play, script);
    hr_mysql_pool *pool = hr_mysql_pool_new(&(struct hr_mysql_options){
        .url = script->url, .password = password, .connect_timeout = limit});
    ASSERT_TRUE(pool);
    int code = hr_mysql_acquire(pool, &conn);
    struct hr_error error = {0};
    hr_error_copy(&error, hr_last_error());
    ASSERT_TRUE(hr_now() - start < limit + hr_seconds(2));
    mysql_test_done(pool);
    ASSERT_ERR(hr_join(player), 0);
    close(script->listener);
    (void)hr_error_raise(&error);
    hr_error_done(&error);
    return code;
}

void script_expect_said(const char *part)
{
    if (!strstr(hr_last_error()->message, part))
        test_fail(__FILE__, __LINE__, "%s", hr_last_error()->message);
}
