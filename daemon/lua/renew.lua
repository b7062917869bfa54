-- SPDX-License-Identifier: MIT
-- Renews the leases of all batches of one owner in one call.
--
-- KEYS  1 own         2 leases
-- ARGV  1 lease, ms   then for each batch: its id, its token
-- Reply array of integers, one for each batch in the order asked: 1 renewed; 0 stale, somebody else
--       owns it or it is gone: drop it
--
-- A lease that is over and was not taken is still its owner's: after an outage of Redis all leases
-- are over and all owners are alive. Never creates anything.
--
-- Order of writes: ZREM of the old lease, then ZADD of the new one. ZADD alone would be refused at
-- maxmemory; and a lease that was not there is not made.

local own, leases = KEYS[1], KEYS[2]
local time = redis.call('TIME')
local over = time[1] * 1000 + math.floor(time[2] / 1000) + tonumber(ARGV[1])

local reply = {}
for i = 2, #ARGV, 2 do
    local id, value = ARGV[i], redis.call('HGET', own, ARGV[i])
    local ours = value and string.match(value, '^%S*') == ARGV[i + 1]
    if ours and redis.call('ZREM', leases, id) == 1 then
        redis.call('ZADD', leases, over, id)
        reply[#reply + 1] = 1
    else
        reply[#reply + 1] = 0
    end
end
return reply
