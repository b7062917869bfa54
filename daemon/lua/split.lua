-- SPDX-License-Identifier: MIT
-- Cuts a batch that keeps crashing its owners, or is too large for a transaction, into smaller
-- ones, which anyone may take.
--
-- KEYS  1 own     2 leases     3 batch:<id>     4… batch:<child>, one for each child
-- ARGV  1 id      2 token      4… ids of the children, in the order of KEYS
--       3 crash limit; 0: nobody has crashed, the batch is too large
-- Reply OK      done
--       GONE    no such batch: split before, or acknowledged; STALE: somebody else owns it
--       error   HRINUSE: a child's id belongs to a batch already; nothing is written
--
-- The ledger says `split` before this is asked for: otherwise an owner frozen just before its
-- commit would wake and commit the parent beside its children. Child i of k gets the entries from
-- floor(i*n/k) up to floor((i+1)*n/k), so carried out again it makes the same children of the same
-- ids; a child that would be empty is not made. A child of several items is one crash short of the
-- limit, so the next crash splits it again; a single item starts at 0, as it must crash alone as
-- often as the limit says before it is dead. Such children have had no owner (generation 0): they
-- are suspects. Those of a batch that was only too large are not: they begin at generation 1.
--
-- Order of writes: the parent is read and deleted, then the children are pushed: at maxmemory too.

local own, leases, batch = KEYS[1], KEYS[2], KEYS[3]
local id, children = ARGV[1], #ARGV - 3

local value = redis.call('HGET', own, id)
if not value then
    return redis.status_reply('GONE')
end
local token, d, sink_print = string.match(value, '^(%S*) %d+ %d+ [01] (%d+) (%S*) ')
if token ~= ARGV[2] then
    return redis.status_reply('STALE')
end
for i = 1, children do
    if redis.call('HEXISTS', own, ARGV[3 + i]) == 1 or redis.call('EXISTS', KEYS[3 + i]) == 1 then
        return redis.error_reply('HRINUSE the id of a child is in use')
    end
end
redis.call('ZCARD', leases)
local generation = ARGV[3] == '0' and 1 or 0
local entries = redis.call('LRANGE', batch, 0, -1)
d = tonumber(d)

redis.call('DEL', batch)
redis.call('HDEL', own, id)
redis.call('ZREM', leases, id)
for i = 1, children do
    local first = math.floor((i - 1) * #entries / children)
    local last = math.floor(i * #entries / children)
    if last > first then
        for j = first + 1, last, 1000 do
            redis.call('RPUSH', KEYS[3 + i], unpack(entries, j, math.min(j + 999, last)))
        end
        local crashes = last - first == 1 and 0 or math.max(0, ARGV[3] - 1)
        local envelopes = math.max(0, math.min(d, last) - first)
        redis.call('HSET', own, ARGV[3 + i],
            ' ' .. generation .. ' ' .. crashes .. ' 1 ' .. envelopes .. ' ' .. sink_print .. ' ')
        redis.call('ZADD', leases, 0, ARGV[3 + i])
    end
end
return redis.status_reply('OK')
