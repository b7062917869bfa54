-- SPDX-License-Identifier: MIT
-- Counts where the items of a list are, at one moment.
--
-- KEYS  1 the list     2 paused     3 own     4 delayed     5 the dead list
--       6… batch:<id>, any number
-- ARGV  none
-- Reply array: 1 now, ms of Redis' clock          2 ready: items in the list
--              3 leased: entries of the batch lists from KEYS[6] on
--              4 delayed: items waiting for their retry     5 dead letters
--              6 when the soonest delayed item is (or was) due, ms; 0 when there is none
--              7 paused by hand: 1 or 0
--              then the ids of all batches, whoever owns them
--
-- Writes nothing. Every key is named in KEYS, so the batches are counted by asking twice: first for
-- the ids, then with their lists.

local list, paused, own, delayed, dead = unpack(KEYS, 1, 5)
local time = redis.call('TIME')
local leased = 0
for i = 6, #KEYS do
    leased = leased + redis.call('LLEN', KEYS[i])
end
local soonest = redis.call('ZRANGE', delayed, 0, 0, 'WITHSCORES')
local reply = {
    time[1] * 1000 + math.floor(time[2] / 1000),
    redis.call('LLEN', list),
    leased,
    redis.call('ZCARD', delayed),
    redis.call('LLEN', dead),
    tonumber(soonest[2] or 0),
    redis.call('EXISTS', paused),
}
for _, id in ipairs(redis.call('HKEYS', own)) do
    reply[#reply + 1] = id
end
return reply
