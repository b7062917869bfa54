/* SPDX-License-Identifier: MIT */
/*
 * Bodies saved to files, semantics 24.13: by threads, whole or not at all.
 */
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/http/rig.h"
#include "tests/support/hrtest.h"

#define MIB ((size_t)1024 * 1024)

static char folder[] = "/tmp/hr-http-XXXXXX";
static char path[64];
static atomic_bool watching; /* other threads read, write and close as well */
static struct watched {
    pthread_t loop;
    atomic_uint pieces, names; /* written and given */
    atomic_uint closes;
    atomic_uint in_loop; /* by the thread that must not wait */
    atomic_uint strays;  /* closed, and not open */
    bool in_bits;        /* no call writes all, and every third is interrupted */
    bool full;           /* the disk, after the first piece */
} watched;

static void saw(atomic_uint *count)
{
    if (!watching)
        return;
    *count += 1;
    watched.in_loop += pthread_equal(pthread_self(), watched.loop) != 0;
}

__attribute__((visibility("default"))) ssize_t write(int fd, const void *bytes, size_t size)
{
    __typeof__(&write) real = (__typeof__(real))dlsym(RTLD_NEXT, "write");
    struct stat status;
    if (!watching || fstat(fd, &status) < 0 || !S_ISREG(status.st_mode))
        return real(fd, bytes, size);
    saw(&watched.pieces);
    bool interrupted = watched.in_bits && watched.pieces % 3 == 0;
    if (interrupted || (watched.full && watched.pieces > 1)) {
        errno = interrupted ? EINTR : ENOSPC;
        return -1;
    }
    return real(fd, bytes, watched.in_bits && size > 50000 ? 50000 : size);
}

__attribute__((visibility("default"))) int close(int fd)
{
    __typeof__(&close) real = (__typeof__(real))dlsym(RTLD_NEXT, "close");
    struct stat status;
    if (watching && fstat(fd, &status) == 0 && S_ISREG(status.st_mode))
        saw(&watched.closes);
    int r = real(fd);
    if (watching && r < 0)
        watched.strays += 1;
    return r;
}

__attribute__((visibility("default"))) int rename(const char *from, const char *to)
{
    __typeof__(&rename) real = (__typeof__(real))dlsym(RTLD_NEXT, "rename");
    saw(&watched.names);
    return real(from, to);
}

static bool no_chance; /* every random number is 0 */

__attribute__((visibility("default"))) ssize_t getrandom(void *bytes, size_t size, unsigned flags)
{
    __typeof__(&getrandom) real = (__typeof__(real))dlsym(RTLD_NEXT, "getrandom");
    ssize_t n = real(bytes, size, flags);
    if (no_chance && n > 0)
        memset(bytes, 0, (size_t)n);
    return n;
}

static size_t files_in_folder(void)
{
    size_t count = 0;
    DIR *dir = opendir(folder);
    for (const struct dirent *entry; (entry = readdir(dir));)
        count += entry->d_name[0] != '.';
    closedir(dir);
    return count;
}

/* While the file grows, a folder gets the name that was to be its own. */
static bool take_name(void)
{
    while (files_in_folder() == 0) {
        if (hr_sleep(hr_ms(1)) < 0)
            return false;
    }
    return mkdir(path, 0700) == 0;
}

static bool serve_bytes(struct test_conn *conn)
{
    static char piece[32768];
    size_t size = strtoul(conn->path + 1, NULL, 10) * MIB;
    bool shorter = strstr(conn->path, "short");
    bool ok = test_conn_say(conn, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", size + shorter);
    for (size_t said = 0; ok && said < size; said += sizeof(piece)) {
        for (size_t i = 0; i < sizeof(piece); i++)
            piece[i] = rig_byte(said + i);
        ok = test_conn_send(conn, piece, sizeof(piece));
        if (said == 0 && strstr(conn->path, "taken"))
            ok = ok && take_name();
    }
    return ok && !shorter;
}

static void begin(void)
{
    strcpy(strrchr(folder, '-'), "-XXXXXX");
    ASSERT_TRUE(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/file", folder);
    rig_begin(serve_bytes);
}

static void end(void)
{
    rig_end();
    unlink(path);
    ASSERT_EQ(rmdir(folder), 0); /* nothing else was in it */
}

static int save(const char *what, const char *to, uint64_t *size)
{
    hr_auto(hr_http_closep) hr_http_response *response = NULL;
    ASSERT_ERR(hr_http_get(rig.session, rig_url(what), &response), 0);
    return hr_http_save(response, to, size);
}

/* The file holds the bytes of the body from there on. */
static void check_file(size_t from, size_t size)
{
    struct stat status;
    ASSERT_EQ(stat(path, &status), 0);
    ASSERT_EQ(status.st_size, size);
    FILE *file = fopen(path, "re");
    ASSERT_TRUE(file);
    for (size_t i = from; i < from + size; i++) {
        if ((char)getc_unlocked(file) != rig_byte(i))
            test_fail(__FILE__, __LINE__, "byte %zu is another", i);
    }
    fclose(file);
}

TEST_REAL(s24_13_a_body_is_saved_by_threads_whole_or_not_at_all)
{
    uint64_t size;
    begin();
    watched = (struct watched){.loop = pthread_self()};
    watching = true;
    ASSERT_ERR(save("/8", path, &size), 0);
    watching = false;
    ASSERT_EQ(size, 8 * MIB);
    ASSERT_TRUE(watched.pieces >= 8);
    ASSERT_EQ(watched.names, 1);
    ASSERT_EQ(watched.in_loop, 0);
    check_file(0, 8 * MIB);

    ASSERT_ERR(save("/1", "/no/such/folder/file", NULL), -ENOENT);
    ASSERT_TRUE(strstr(hr_last_error()->message, "/no/such/folder/file"));
    watching = true;
    ASSERT_ERR(save("/1/short", path, NULL), -EBADMSG);
    ASSERT_TRUE(strstr(hr_last_error()->message, "GET http"));
    ASSERT_EQ(watched.strays, 0);
    ASSERT_EQ(watched.in_loop, 0);
    watching = false;
    check_file(0, 8 * MIB); /* the one that was there */
    ASSERT_EQ(files_in_folder(), 1);
    ASSERT_ERR(save("/1", path, NULL), 0);
    check_file(0, MIB);
    end();
}

TEST_REAL(s24_13_a_name_that_no_file_can_have_is_refused_before_the_body_is_taken)
{
    char wrong[512];
    begin();
    watched = (struct watched){.loop = pthread_self()};
    watching = true;
    ASSERT_ERR(save("/1", folder, NULL), -EISDIR);
    ASSERT_TRUE(strstr(hr_last_error()->message, folder));
    snprintf(wrong, sizeof(wrong), "%s/", folder);
    ASSERT_ERR(save("/1", wrong, NULL), -EISDIR);
    snprintf(wrong, sizeof(wrong), "%s/%0256d", folder, 7);
    ASSERT_ERR(save("/1", wrong, NULL), -ENAMETOOLONG);
    ASSERT_ERR(save("/1", "", NULL), -EINVAL);
    ASSERT_ERR(save("/1", NULL, NULL), -EINVAL);
    ASSERT_EQ(watched.pieces, 0);
    ASSERT_EQ(watched.in_loop, 0);
    watching = false;
    ASSERT_EQ(files_in_folder(), 0);

    ASSERT_EQ(symlink(folder, path), 0); /* which is no folder itself, and gives way */
    ASSERT_ERR(save("/1", path, NULL), 0);
    check_file(0, MIB);
    end();
}

TEST_REAL(s24_13_what_cannot_be_given_its_name_leaves_nothing)
{
    begin();
    watched = (struct watched){.loop = pthread_self()};
    watching = true;
    ASSERT_ERR(save("/1/taken", path, NULL), -EISDIR);
    ASSERT_EQ(watched.strays, 0); /* a descriptor that is closed twice may be another's */
    ASSERT_EQ(watched.in_loop, 0);
    watching = false;
    ASSERT_EQ(files_in_folder(), 1);
    ASSERT_EQ(rmdir(path), 0);
    end();
}

TEST_REAL(s24_13_a_disk_may_take_bits_and_may_be_full)
{
    begin();
    watched = (struct watched){.loop = pthread_self(), .in_bits = true};
    watching = true;
    ASSERT_ERR(save("/4", path, NULL), 0);
    ASSERT_TRUE(watched.pieces > 4 * MIB / 50000);
    check_file(0, 4 * MIB);
    watched = (struct watched){.loop = pthread_self(), .full = true};
    watching = true;
    ASSERT_ERR(save("/1", path, NULL), -ENOSPC);
    ASSERT_TRUE(strstr(hr_last_error()->message, path));
    ASSERT_EQ(watched.strays, 0);
    watching = false;
    ASSERT_EQ(files_in_folder(), 1);
    check_file(0, 4 * MIB);
    end();
}

TEST_REAL(s24_13_what_was_read_already_is_not_saved)
{
    hr_auto(hr_http_closep) hr_http_response *response = NULL;
    uint64_t size;
    char bytes[100];
    begin();
    ASSERT_ERR(hr_http_get(rig.session, rig_url("/1"), &response), 0);
    ASSERT_EQ(hr_http_read(response, bytes, sizeof(bytes)), sizeof(bytes));
    ASSERT_ERR(hr_http_save(response, path, &size), 0);
    ASSERT_EQ(size, MIB - sizeof(bytes));
    check_file(sizeof(bytes), MIB - sizeof(bytes));
    hr_http_closep(&response);
    end();
}

TEST_REAL(s24_13_a_file_that_is_there_is_never_grown_in)
{
    char partial[96], text[16] = "";
    begin();
    snprintf(partial, sizeof(partial), "%s.0000000000000000", path);
    FILE *file = fopen(partial, "we");
    ASSERT_TRUE(file && fputs("mine", file) >= 0 && fclose(file) == 0);
    no_chance = true;
    ASSERT_ERR(save("/1", path, NULL), -EEXIST);
    no_chance = false;
    file = fopen(partial, "re");
    ASSERT_TRUE(file && fgets(text, sizeof(text), file) && fclose(file) == 0);
    ASSERT_STR(text, "mine");
    unlink(partial);
    end();
}

TEST_REAL(s24_13_a_file_may_have_the_longest_name_there_is)
{
    char longest[512];
    begin();
    snprintf(longest, sizeof(longest), "%s/%0255d", folder, 7);
    ASSERT_ERR(save("/1", longest, NULL), 0);
    ASSERT_EQ(unlink(longest), 0);
    end();
}
