/* SPDX-License-Identifier: MIT */
/*
 * A dead letter: one JSON object that says which item failed, why, and how to try it again.
 *
 *     {"job":"orders","id":"<batch>:<index>","payload":"…","error":{"class":"row","code":1406,
 *      "message":"…","column":"note","value":"…"},"attempts":1,
 *      "first_seen":"2026-11-21T04:10:07.123Z","last_seen":"…","host":"db1"}
 *
 * A payload that is not UTF-8 is payload_base64 instead; one that was too long to be looked at lies
 * apart, and payload_bytes and payload_at say how long it is and under which name. error.code is
 * absent when 0, column and value when empty.
 */
#pragma once

#include "daemon/item/envelope.h"
#include "daemon/item/json.h"

struct deadletter {
    const char *job;
    const char *host;
    char id[ENVELOPE_ID_MAX];
    unsigned attempts;
    int64_t first_seen, last_seen; /* ms since 1970; 0: not known, left out */
    struct failure error;
    const char *payload; /* NULL when it lies apart */
    size_t payload_len;
    uint64_t payload_bytes; /* read only: of a payload that lies apart */
    const char *payload_at; /* read only: its field in oversize, or NULL */
};

/* Writes the JSON text into the arena. 0, -E2BIG (the arena's limit) or -ENOMEM. */
int deadletter_write(struct arena *a, const struct deadletter *d, const char **ret,
                     size_t *ret_len);

/* Reads one back; its texts lie in the arena. Fields that are missing are empty, others than these
 * are passed over. 0, -EBADMSG when it is no dead letter (*why tells), -E2BIG or -ENOMEM. */
int deadletter_read(struct arena *a, const char *bytes, size_t len, struct deadletter *ret,
                    struct failure *why);

/* The two parts around `"id":"…","payload_bytes":N,"payload_at":"…"` of a dead letter that a Redis
 * script writes: `{"job":"orders",` and `,"error":{…},…}`. d's id and payload are not looked at. */
int deadletter_frame(struct arena *a, const struct deadletter *d, const char **ret_before,
                     const char **ret_after);
