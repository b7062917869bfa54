-- SPDX-License-Identifier: MIT
-- Puts an item among those that wait for a retry, due at once: one whose dead letter lies on another
-- server, where no script reaches it. It is removed there afterwards.
--
-- KEYS  1 delayed     2 later
-- ARGV  1 id of the dead letter     2 the envelope to be processed: attempts 0, the same id
-- Reply OK
--
-- Done twice before the item is claimed it is one item still. The types of both keys are seen first.

local delayed, later = KEYS[1], KEYS[2]
redis.call('ZCARD', delayed)
redis.call('HLEN', later)
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

redis.call('HSET', later, ARGV[1], ARGV[2])
redis.call('ZADD', delayed, now, ARGV[1])
return redis.status_reply('OK')
