/* SPDX-License-Identifier: MIT */
#include "daemon/instance.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* A file name for any instance name: letters, digits and a few signs stay, the rest is escaped. */
static void file_name(const char *name, char *ret, size_t size)
{
    size_t len = 0;
    for (const char *c = name; *c && len + 4 < size; c++) {
        bool plain = strchr("-_.@", *c) || (*c >= '0' && *c <= '9') || (*c >= 'A' && *c <= 'Z') ||
                     (*c >= 'a' && *c <= 'z');
        len += (size_t)snprintf(ret + len, size - len, plain ? "%c" : "%%%02x", (unsigned char)*c);
    }
    ret[len] = '\0';
}

/* A directory under /tmp could be somebody else's trap. */
static int check_directory(const char *path)
{
    struct stat st;
    if (mkdir(path, 0750) < 0 && errno != EEXIST)
        return hr_fail(-errno, "runtime directory %s: %s", path, strerror(errno));
    if (stat(path, &st) < 0)
        return hr_fail(-errno, "runtime directory %s: %s", path, strerror(errno));
    if (geteuid() != 0 && st.st_uid != geteuid())
        return hr_fail(-EPERM, "runtime directory %s belongs to another user", path);
    return 0;
}

int instance_lock(struct instance *ret, const char *name, const char *directory)
{
    struct instance instance = {.name = name, .lock = -1};
    int r = check_directory(directory);
    if (r < 0)
        return r;
    char file[128], path[512];
    file_name(name, file, sizeof(file));
    snprintf(path, sizeof(path), "%s/%s.lock", directory, file);
    instance.lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
    if (instance.lock < 0)
        return hr_fail(-errno, "%s: %s", path, strerror(errno));
    if (flock(instance.lock, LOCK_EX | LOCK_NB) < 0) {
        r = errno == EWOULDBLOCK
                ? hr_fail(-EBUSY,
                          "another headraced runs as instance %s (%s is locked); each needs a "
                          "name of its own, the setting instance",
                          name, path)
                : hr_fail(-errno, "%s: %s", path, strerror(errno));
        close(instance.lock);
        return r;
    }
    *ret = instance;
    return 0;
}

void instance_unlock(struct instance *instance)
{
    if (instance->lock >= 0)
        close(instance->lock);
    instance->lock = -1;
}
