/* SPDX-License-Identifier: MIT */
/*
 * URLs of servers: any text is refused at a place inside it, or taken apart into sane parts.
 */
#include "drivers/url.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    hr_auto(hr_freep) char *text = malloc(size + 1);
    memcpy(text, data, size);
    text[size] = '\0';

    struct hr_url url;
    const char *what = NULL;
    size_t offset = SIZE_MAX;
    if (hr_url_parse(text, &url, &what, &offset) < 0) {
        if (!what || offset > strlen(text))
            __builtin_trap();
        return 0;
    }
    bool is_socket = url.socket != NULL;
    if (is_socket == (url.host != NULL) || (is_socket && url.socket[0] != '/'))
        __builtin_trap();
    hr_url_done(&url);
    return 0;
}
