-- SPDX-License-Identifier: MIT
-- Makes somebody else's batch ours, when its lease is over or its owner was our predecessor.
--
-- KEYS  1 own         2 leases     3 batch:<id>
-- ARGV  1 id          2 generation as `expired` or `mine` told it     3 new token
--       4 lease, ms   5 our instance name
--       6 predecessor: 1 waives "lease over" for a batch that own lists under our instance name
-- Reply array     generation, crashes, d, print of the sink, entry…: the batch is ours
--       MISSING   the id was there without its items, or without an owner entry: somebody deleted
--                 them; what was left of it is removed
--       nil       not to be had: gone, or taken or renewed by somebody else meanwhile
--
-- Repeating the request with the same token returns the batch again, with a fresh lease: so a lost
-- reply costs nothing and counts no second crash.
-- A takeover counts a crash, unless the last owner handed the batch back. The print is returned
-- because a batch whose outcome would be written elsewhere must not be touched.
--
-- Order of writes: ZREM of the old lease frees before HSET and ZADD take, so recovery goes on at
-- maxmemory.

local own, leases, batch = KEYS[1], KEYS[2], KEYS[3]
local id, new_token, instance = ARGV[1], ARGV[3], ARGV[5]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local value = redis.call('HGET', own, id)
local over = redis.call('ZSCORE', leases, id)
if not value then
    if over and tonumber(over) <= now then
        redis.call('ZREM', leases, id)
        return redis.status_reply('MISSING')
    end
    return false
end

local token, gen, crashes, clean, d, sink_print, owner =
    string.match(value, '^(%S*) (%d+) (%d+) ([01]) (%d+) (%S*) (.*)$')
if token ~= new_token then
    local waived = ARGV[6] == '1' and owner == instance
    if tonumber(gen) ~= tonumber(ARGV[2]) or (over and tonumber(over) > now and not waived) then
        return false
    end
    gen = gen + 1
    crashes = clean == '1' and crashes or crashes + 1
end

local reply = redis.call('LRANGE', batch, 0, -1)
redis.call('ZREM', leases, id)
if #reply == 0 then
    redis.call('HDEL', own, id)
    return redis.status_reply('MISSING')
end
redis.call('HSET', own, id, new_token .. ' ' .. gen .. ' ' .. crashes .. ' 0 ' .. d .. ' ' ..
    sink_print .. ' ' .. instance)
redis.call('ZADD', leases, now + tonumber(ARGV[4]), id)
table.insert(reply, 1, sink_print)
table.insert(reply, 1, tonumber(d))
table.insert(reply, 1, tonumber(crashes))
table.insert(reply, 1, tonumber(gen))
return reply
