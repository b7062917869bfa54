-- SPDX-License-Identifier: MIT
-- Gives a batch a new id, because the ledger knows the old one with another content.
--
-- KEYS  1 own     2 leases     3 batch:<id>     4 batch:<new id>
-- ARGV  1 id      2 token      3 new id
-- Reply OK      done; the batch waits under its new id, without an owner, for anyone to take it
--       GONE    no such batch: renamed before, or acknowledged; STALE: somebody else owns it
--       error   HRINUSE: the new id belongs to a batch already; nothing is written
--
-- Believing the ledger would lose the items, refusing it would leave the batch circling for ever.
-- Crashes are kept: a new name does not make a batch harmless.
--
-- Order of writes: HDEL and ZREM free before RENAME, HSET and ZADD: it works at maxmemory.

local own, leases, batch, new_batch = unpack(KEYS)
local id, new_id = ARGV[1], ARGV[3]

local value = redis.call('HGET', own, id)
if not value then
    return redis.status_reply('GONE')
end
local token, crashes, d, sink_print =
    string.match(value, '^(%S*) %d+ (%d+) [01] (%d+) (%S*) ')
if token ~= ARGV[2] then
    return redis.status_reply('STALE')
end
if redis.call('HEXISTS', own, new_id) == 1 or redis.call('EXISTS', new_batch) == 1 then
    return redis.error_reply('HRINUSE the new batch id is in use')
end
redis.call('ZCARD', leases)
local there = redis.call('EXISTS', batch) == 1

redis.call('HDEL', own, id)
redis.call('ZREM', leases, id)
if not there then
    return redis.status_reply('GONE')
end
redis.call('RENAME', batch, new_batch)
redis.call('HSET', own, new_id, ' 0 ' .. crashes .. ' 1 ' .. d .. ' ' .. sink_print .. ' ')
redis.call('ZADD', leases, 0, new_id)
return redis.status_reply('OK')
