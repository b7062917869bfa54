/* SPDX-License-Identifier: MIT */
/*
 * The file and the offset in it are what outlives the process: a program that may be loaded
 * anywhere is loaded somewhere else the next time, and most functions are static, so that the
 * dynamic linker does not know their names.
 */
#include "core/place.h"

#include <dlfcn.h>
#include <link.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

const char *hr__place_text(const void *place, char *text, size_t size)
{
    Dl_info info;
    if (!place || dladdr(place, &info) == 0 || !info.dli_fname) {
        snprintf(text, size, "?");
        return text;
    }
    const ElfW(Ehdr) *header = info.dli_fbase;
    uintptr_t start = header->e_type == ET_EXEC ? 0 : (uintptr_t)info.dli_fbase;
    const char *slash = strrchr(info.dli_fname, '/');
    snprintf(text, size, "%.32s+0x%zx", slash ? slash + 1 : info.dli_fname,
             (size_t)((uintptr_t)place - start));
    return text;
}
