-- SPDX-License-Identifier: MIT
-- Removes one dead letter for good, with its payload where that lies apart.
--
-- KEYS  1 the dead list     2 oversize; left out where dead letters lie on another server or slot
-- ARGV  1 index of the dead letter as it was read     2 the dead letter, byte for byte
--       3 its field in oversize where the payload lies there, else empty
-- Reply OK        done
--       CHANGED   something else stands at that index now: nothing written; read the list again
--
-- The index alone would hit a neighbour when somebody else changed the list meanwhile. Equal bytes
-- are the same dead letter, so it does not matter which of two is removed.

local dead, oversize, index = KEYS[1], KEYS[2], tonumber(ARGV[1])
if redis.call('LINDEX', dead, index) ~= ARGV[2] then
    return redis.status_reply('CHANGED')
end
if oversize then
    redis.call('HLEN', oversize)
end
local from_the_end = index < 0 or index > redis.call('LLEN', dead) / 2
redis.call('LREM', dead, from_the_end and -1 or 1, ARGV[2])
if ARGV[3] ~= '' then
    redis.call('HDEL', oversize, ARGV[3])
end
return redis.status_reply('OK')
