/* SPDX-License-Identifier: MIT */
#include "daemon/instance.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

int instance_directory(char *ret, size_t size)
{
    const char *given = getenv("RUNTIME_DIRECTORY");
    const char *user = getenv("XDG_RUNTIME_DIR");
    int len;
    if (given && *given) /* systemd may list several, the first is ours */
        len = snprintf(ret, size, "%.*s", (int)strcspn(given, ":"), given);
    else if (geteuid() == 0 || !user || !*user)
        len = snprintf(ret, size, "/run/headrace");
    else
        len = snprintf(ret, size, "%s/headrace", user);
    if (len < 0 || (size_t)len >= size)
        return hr_fail(-ENAMETOOLONG, "the path of the runtime directory is too long");
    return 0;
}

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

int instance_lock(struct instance *ret, const char *name)
{
    struct instance instance = {.name = name, .lock = -1};
    int r = instance_directory(instance.directory, sizeof(instance.directory));
    if (r < 0)
        return r;
    if (mkdir(instance.directory, 0750) < 0 && errno != EEXIST)
        return hr_fail(-errno, "runtime directory %s: %s", instance.directory, strerror(errno));

    char file[128], path[512];
    file_name(name, file, sizeof(file));
    snprintf(path, sizeof(path), "%s/%s.lock", instance.directory, file);
    instance.lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
    if (instance.lock < 0)
        return hr_fail(-errno, "%s: %s", path, strerror(errno));
    if (flock(instance.lock, LOCK_EX | LOCK_NB) < 0) {
        r = errno == EWOULDBLOCK
                ? hr_fail(-EBUSY, "another headraced runs as instance %s (%s is locked)", name,
                          path)
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
