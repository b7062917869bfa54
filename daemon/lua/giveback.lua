-- SPDX-License-Identifier: MIT
-- Puts an untouched batch back: items to the list, retries to the delayed, as if never claimed.
--
-- KEYS  1 own     2 leases     3 batch:<id>     4 delayed     5 later     6 the list
-- ARGV  1 id      2 token      3 end of the list that is consumed: left | right
-- Reply OK         done
--       GONE       no such batch; STALE: somebody else owns it: nothing written
--       NOTFIRST   the batch had an owner before us: nothing written, use `release`
--
-- Only for a first owner that never began a transaction with the batch: an earlier owner may be
-- frozen just before its commit, and the items would come again under an id its ledger row does not
-- name. Raw items return to the consuming end in their order; envelopes unchanged and due at once,
-- under <id>:<index>. No attempt was counted at the claim, so none is given back.
--
-- Order of writes: the types of all keys are seen first, then the batch is read and deleted, which
-- frees what the pushes take: it works at maxmemory.

local own, leases, batch, delayed, later, list = unpack(KEYS)
local id = ARGV[1]

local value = redis.call('HGET', own, id)
if not value then
    return redis.status_reply('GONE')
end
local token, gen, d = string.match(value, '^(%S*) (%d+) %d+ [01] (%d+) ')
if token ~= ARGV[2] then
    return redis.status_reply('STALE')
end
if gen ~= '1' then
    return redis.status_reply('NOTFIRST')
end
redis.call('ZCARD', leases)
redis.call('ZCARD', delayed)
redis.call('HLEN', later)
redis.call('LLEN', list)
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local entries = redis.call('LRANGE', batch, 0, -1)
d = tonumber(d)

redis.call('DEL', batch)
redis.call('HDEL', own, id)
redis.call('ZREM', leases, id)
local push = ARGV[3] == 'right' and 'RPUSH' or 'LPUSH'
local backwards = {}
for i = #entries, d + 1, -1 do
    backwards[#backwards + 1] = entries[i]
end
for i = 1, #backwards, 1000 do
    redis.call(push, list, unpack(backwards, i, math.min(i + 999, #backwards)))
end
for i = 1, math.min(d, #entries) do
    local member = id .. ':' .. (i - 1)
    redis.call('HSET', later, member, entries[i])
    redis.call('ZADD', delayed, now, member)
end
return redis.status_reply('OK')
