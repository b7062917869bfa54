/* SPDX-License-Identifier: MIT */
/*
 * What a descriptor is, as far as it matters for not blocking. Inside core/patch/ only.
 */
#pragma once

#include <sys/types.h>

#include "core/base.h"

enum hr__patch_kind {
    HR__PATCH_PLAIN,  /* does not block, or is not open: the plain call says it all */
    HR__PATCH_SOCKET, /* MSG_DONTWAIT works */
    HR__PATCH_PIPE,   /* RWF_NOWAIT works on newer kernels */
    HR__PATCH_DEVICE, /* a terminal, an eventfd …: poll(), and hope that nobody comes between */
    HR__PATCH_FILE,   /* cannot be polled */
};

enum hr__patch_kind hr__patch_kind(int fd);
