/* SPDX-License-Identifier: MIT */
/*
 * Who is patched at the moment. Inside core/patch/ only.
 */
#pragma once

#include "core/patch/patch.h"

/* Whether a call of that family shall suspend: it is chosen, and a task makes it. */
bool hr__patch_on(enum hr_patch_family family);
