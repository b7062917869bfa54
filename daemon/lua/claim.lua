-- SPDX-License-Identifier: MIT
-- Takes due retries, then items of the list, and makes them one batch under a lease.
--
-- KEYS  1 the list     2 paused     3 own     4 leases     5 delayed     6 later     7 oversize
--       8 batch:<id>   9 the dead list; left out when dead letters go to another server or slot
-- ARGV  1 id of the new batch, never sent in a claim before (not even in one whose reply was lost)
--       2 token of the owner (no spaces); empty: at most once, the items are returned, nothing kept
--       3 most items     4 most bytes     5 longest payload (0, or without KEYS[9]: any)
--       6 lease, ms      7 dead letters at which nothing is claimed any more (0: no limit)
--       8 print of the sink (no spaces)   9 instance name of the owner (any text)
--      10 end of the list to take from: left | right
--      11, 12 what stands before and after `"id":"…","payload_bytes":N,"payload_at":"…"` in the
--         dead letter of an item that is too long: `{"job":"orders",` and `,"attempts":0,…}`
-- Reply PAUSED    somebody paused the list by hand
--       FULL      the dead list is at its limit
--       NONE      nothing to take, and nothing delayed
--       integer   nothing to take now; the next delayed item is due in so many ms (at least 1)
--       array     d, number of items that were too long, rest, entry…: the first d entries are
--                 envelopes of retried items, the others raw items in the order of consumption. No
--                 entries at all when everything taken was too long: there is no batch then, claim
--                 again. rest: 0 when more can be claimed at once, else ms until the next delayed
--                 item is due, -1 when there is none; so an emptied list is waited at, not asked.
--       error     HRINUSE: the id belongs to a batch already; nothing is written
--
-- Retries get at most half of the batch (in items and bytes, but always one) while the list has
-- items too, so that neither starves the other. Items that are too long count as items and bytes,
-- so one call looks at a bounded part of the list, whatever lies in it. The first item of the list
-- goes in however long it is: an item longer than a batch must not block the list. It is read in
-- pieces because Lua holds all that LRANGE returns.
--
-- Order of writes: everything is read, and every key's type seen, before the first write; so no
-- later command can fail and leave items in neither place. Then ZREM, HDEL and LTRIM free memory,
-- and only then something is pushed. A Redis at maxmemory refuses a script at its first command
-- that may take memory, but not one that has freed some: so it can be drained to empty.

local list, paused, own, leases, delayed, later, oversize, batch, dead = unpack(KEYS)
local id, token = ARGV[1], ARGV[2]
local max_items, max_bytes = tonumber(ARGV[3]), tonumber(ARGV[4])
local max_payload, lease, dead_limit = tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7])
local sink_print, instance, right = ARGV[8], ARGV[9], ARGV[10] == 'right'

if redis.call('HEXISTS', own, id) == 1 or redis.call('EXISTS', batch) == 1 then
    return redis.error_reply('HRINUSE the batch id is in use')
end
if redis.call('EXISTS', paused) == 1 then
    return redis.status_reply('PAUSED')
end
local dead_letters = dead and redis.call('LLEN', dead) or 0
if dead_limit > 0 and dead_letters >= dead_limit then
    return redis.status_reply('FULL')
end

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local waiting = redis.call('LLEN', list)
redis.call('ZCARD', leases)

-- reply[1] to reply[3] are filled in at the end.
local reply, bytes = { 0, 0, 0 }, 0

-- Due retries. A member of delayed without an envelope in later is damage: it is removed, so that
-- it is not found again for ever.
local share = waiting > 0 and 2 or 1
local due = redis.call('ZRANGEBYSCORE', delayed, '-inf', now, 'LIMIT', 0,
    math.max(1, math.floor(max_items / share)))
local members = {}
for _, member in ipairs(due) do
    local envelope = redis.call('HGET', later, member)
    if envelope then
        if #reply > 3 and bytes + #envelope > max_bytes / share then
            break
        end
        bytes = bytes + #envelope
        reply[#reply + 1] = envelope
    end
    members[#members + 1] = member
end
local d = #reply - 3

-- Items of the list: `taken` of them, counted from the end they are consumed at.
local taken, taken_bytes, too_long, full = 0, 0, {}, false
while not full and taken < waiting and d + taken < max_items do
    local n = 64
    if taken > 0 then
        local mean = math.max(1, taken_bytes / taken)
        n = math.min(1000, 1 + math.floor(math.max(0, max_bytes - bytes) / mean))
    end
    n = math.min(n, max_items - d - taken)
    local piece
    if right then
        piece = redis.call('LRANGE', list, -taken - n, -taken - 1)
    else
        piece = redis.call('LRANGE', list, taken, taken + n - 1)
    end
    for i = 1, #piece do
        local item = piece[right and #piece + 1 - i or i]
        if taken > 0 and bytes + #item > max_bytes then
            full = true
            break
        end
        taken = taken + 1
        taken_bytes = taken_bytes + #item
        bytes = bytes + #item
        if dead and max_payload > 0 and #item > max_payload then
            too_long[#too_long + 1] = item
        else
            reply[#reply + 1] = item
        end
    end
end
if #too_long > 0 then
    redis.call('HLEN', oversize)
end

-- Here the writing begins.
for i = 1, #members, 1000 do
    local last = math.min(i + 999, #members)
    redis.call('ZREM', delayed, unpack(members, i, last))
    redis.call('HDEL', later, unpack(members, i, last))
end
if taken > 0 then
    if right then
        redis.call('LTRIM', list, 0, -taken - 1)
    else
        redis.call('LTRIM', list, taken, -1)
    end
end
for i, item in ipairs(too_long) do
    local at = id .. ':oversize:' .. (i - 1)
    redis.call('HSET', oversize, at, item)
    redis.call('RPUSH', dead, ARGV[11] .. '"id":"' .. at .. '","payload_bytes":' .. #item ..
        ',"payload_at":"' .. at .. '"' .. ARGV[12])
end

local rest = 0
if taken == waiting then
    local soonest = redis.call('ZRANGE', delayed, 0, 0, 'WITHSCORES')
    rest = soonest[1] and math.max(0, soonest[2] - now) or -1
end
reply[1], reply[2], reply[3] = d, #too_long, rest
if #reply == 3 and #too_long == 0 then
    return rest < 0 and redis.status_reply('NONE') or math.max(1, rest)
end
if #reply == 3 or token == '' then
    return reply
end
for i = 4, #reply, 1000 do
    redis.call('RPUSH', batch, unpack(reply, i, math.min(i + 999, #reply)))
end
redis.call('HSET', own, id, token .. ' 1 0 0 ' .. d .. ' ' .. sink_print .. ' ' .. instance)
redis.call('ZADD', leases, now + lease, id)
return reply
