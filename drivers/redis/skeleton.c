/* SPDX-License-Identifier: MIT */
/*
 * Opening an aggregate is seldom; what each value needs is in the header, so that reading it costs
 * no call.
 */
#include "drivers/redis/skeleton.h"

int hr__skeleton_open(struct hr__skeleton *reply, hr_reply *items, size_t n, bool aside)
{
    if (reply->depth == HR__SKELETON_DEPTH)
        return hr_fail(-EBADMSG, "the server does not speak the protocol: the reply is nested too "
                                 "deep");
    reply->frames[reply->depth++] = (struct hr__skeleton_frame){items, n, aside};
    return 0;
}
