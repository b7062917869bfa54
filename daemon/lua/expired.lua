-- SPDX-License-Identifier: MIT
-- Lists batches whose lease is over, the longest overdue first.
--
-- KEYS  1 own     2 leases
-- ARGV  1 most batches to list
-- Reply array, four elements for each batch: id, generation, clean (1: its owner let it go or it
--       never had one, so a takeover counts no crash), crashes counted so far. A generation of -1
--       says that own does not know the id: damage, which takeover clears up.
--
-- Writes nothing. Whoever wants one of them asks for it with takeover and this generation.

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local reply = {}
for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', now, 'LIMIT', 0, ARGV[1])) do
    local value = redis.call('HGET', KEYS[1], id) or ''
    local gen, crashes, clean = string.match(value, '^%S* (%d+) (%d+) ([01]) ')
    reply[#reply + 1] = id
    reply[#reply + 1] = tonumber(gen or -1)
    reply[#reply + 1] = tonumber(clean or 0)
    reply[#reply + 1] = tonumber(crashes or 0)
end
return reply
