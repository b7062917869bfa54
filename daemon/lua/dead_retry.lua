-- SPDX-License-Identifier: MIT
-- Moves one dead letter back to the items that wait for a retry, due at once.
--
-- KEYS  1 the dead list     2 delayed     3 later     4 oversize
-- ARGV  1 index of the dead letter as it was read     2 the dead letter, byte for byte
--       3 its id            4 the envelope to be processed: attempts 0, the same dead letter id
--       5 its field in oversize where the payload lay there, else empty
-- Reply OK        done
--       CHANGED   something else stands at that index now: nothing written; read the list again
--
-- The index alone would hit a neighbour when somebody else changed the list meanwhile. Equal bytes
-- are the same dead letter, so it does not matter which of two is removed. One id pushed twice (by
-- an acknowledgement to another server) becomes one item again.
--
-- Order of writes: the types of all keys are seen first; LREM and HDEL free memory before HSET and
-- ZADD take any.

local dead, delayed, later, oversize = unpack(KEYS)
local index = tonumber(ARGV[1])
if redis.call('LINDEX', dead, index) ~= ARGV[2] then
    return redis.status_reply('CHANGED')
end
redis.call('ZCARD', delayed)
redis.call('HLEN', later)
redis.call('HLEN', oversize)
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local from_the_end = index < 0 or index > redis.call('LLEN', dead) / 2
redis.call('LREM', dead, from_the_end and -1 or 1, ARGV[2])
if ARGV[5] ~= '' then
    redis.call('HDEL', oversize, ARGV[5])
end
redis.call('HSET', later, ARGV[3], ARGV[4])
redis.call('ZADD', delayed, now, ARGV[3])
return redis.status_reply('OK')
