-- SPDX-License-Identifier: MIT
-- Ends a batch whose outcome is decided: failed items go where the outcome says, the batch goes.
--
-- KEYS  1 own     2 leases     3 batch:<id>     4 delayed     5 later
--       6 the dead list; left out when dead letters go to another server or slot (no dead letters
--         may be given then)
-- ARGV  1 id      2 token      3 number of dead letters     then the dead letters
--       then for each item to be retried: its index in the batch, its delay in ms, its envelope
-- Reply OK      done
--       GONE    no such batch: acknowledged before, or Redis fell back to an older state
--       STALE   somebody else owns it
--       With GONE and STALE nothing is written, and the caller drops the batch.
--
-- To be repeated as it is until a reply comes: the second time is GONE. One script, so that dead
-- letters and retries appear with the disappearance of the batch, once. The delayed member is
-- <id>:<index>: two equal payloads, or two retries of one, must not melt into one.
-- The limit of the dead list is not looked at: refusing would hold a batch that is decided.
--
-- Order of writes: the types of all keys are seen first, so that nothing can fail after the DEL;
-- DEL frees the batch before RPUSH, HSET and ZADD take memory, so it works at maxmemory.

local own, leases, batch, delayed, later, dead = unpack(KEYS)
local id, letters = ARGV[1], tonumber(ARGV[3])

local value = redis.call('HGET', own, id)
if not value then
    return redis.status_reply('GONE')
end
if string.match(value, '^%S*') ~= ARGV[2] then
    return redis.status_reply('STALE')
end
redis.call('ZCARD', leases)
redis.call('ZCARD', delayed)
redis.call('HLEN', later)
if letters > 0 then
    redis.call('LLEN', dead)
end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

redis.call('DEL', batch)
redis.call('HDEL', own, id)
redis.call('ZREM', leases, id)
for i = 4, 3 + letters, 1000 do
    redis.call('RPUSH', dead, unpack(ARGV, i, math.min(i + 999, 3 + letters)))
end
for i = 4 + letters, #ARGV, 3 do
    local member = id .. ':' .. ARGV[i]
    redis.call('HSET', later, member, ARGV[i + 2])
    redis.call('ZADD', delayed, now + tonumber(ARGV[i + 1]), member)
end
return redis.status_reply('OK')
