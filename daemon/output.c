/* SPDX-License-Identifier: MIT */
#include "daemon/output.h"

#include <string.h>
#include <unistd.h>

/* Belongs to the thread that writes it. */
struct text {
    int fd;
    char *data;
    size_t len;
};

static void free_text(void *arg)
{
    struct text *text = arg;
    free(text->data);
    free(text);
}

static int write_text(void *arg, void **ret_value)
{
    struct text *text = arg;
    const char *at = text->data, *end = at + text->len;
    int r = 0;
    while (at < end && r >= 0) {
        ssize_t n = write(text->fd, at, (size_t)(end - at));
        if (n >= 0)
            at += n;
        else if (errno != EINTR)
            r = hr_fail(-errno, "standard %s: %s", text->fd == STDOUT_FILENO ? "output" : "error",
                        strerror(errno));
    }
    free_text(text);
    return r;
}

int output_write(int fd, char *data, size_t len)
{
    struct text *text = malloc(sizeof(*text));
    hr_future *written = NULL;
    if (text) {
        *text = (struct text){fd, data, len};
        written = hr_run_in_executor_with(&(struct hr_job_options){.free_arg = free_text},
                                          write_text, text);
    }
    if (!written) {
        free(data);
        free(text);
        return hr_fail(-ENOMEM, "writing out: out of memory");
    }
    return hr_join(written);
}
