-- SPDX-License-Identifier: MIT
-- Lets a batch go without deciding it: anyone may take it at once, and no crash is counted.
--
-- KEYS  1 own     2 leases
-- ARGV  1 id      2 token   3 crashes that the batch starts with at its next owner
-- Reply OK      done
--       GONE    no such batch; STALE: it is not ours, or not any more: nothing written. Asked again
--               after a lost reply, STALE means done
--
-- The batch keeps its id, so the next owner learns from the ledger what became of it; and its
-- instance, so that a successor under this name finds it with `mine` at once. It has no token any
-- more: a renewal or a repeated takeover of ours that is carried out late must not hold it for
-- another lease and have that counted as a crash. Crashes are counted since the last clean release,
-- so they start at 0 again; only a batch that is let go in an outage of its sink, so that others need
-- not wait with it, keeps what it has: nothing was found out about it.
--
-- Order of writes: ZREM frees before HSET and ZADD take, so it works at maxmemory.

local own, leases, id = KEYS[1], KEYS[2], ARGV[1]
local value = redis.call('HGET', own, id)
if not value then
    return redis.status_reply('GONE')
end
local token, gen, rest = string.match(value, '^(%S*) (%d+) %d+ [01] (.*)$')
if token ~= ARGV[2] then
    return redis.status_reply('STALE')
end
redis.call('ZREM', leases, id)
redis.call('HSET', own, id, ' ' .. gen .. ' ' .. ARGV[3] .. ' 1 ' .. rest)
redis.call('ZADD', leases, 0, id)
return redis.status_reply('OK')
