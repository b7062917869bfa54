-- SPDX-License-Identifier: MIT
-- Returns the batch of a claim whose reply was lost, if that claim was carried out.
--
-- KEYS  1 own     2 batch:<id>
-- ARGV  1 id      2 token, both as in the claim
-- Reply array     d, entry…: the batch, with its first d entries envelopes of retried items
--       nil       not there, or not ours: forget the id and claim with a new one
--
-- Writes nothing. Sending the claim itself again would not do: the first one may still sit in a
-- socket, and two claims under one id are two batches of which the ledger lets only one in. A claim
-- that is carried out after this question leaves a batch that is recovered when its lease is over.

local value = redis.call('HGET', KEYS[1], ARGV[1])
if not value then
    return false
end
local token, d = string.match(value, '^(%S*) %d+ %d+ [01] (%d+) ')
if token ~= ARGV[2] then
    return false
end
local reply = redis.call('LRANGE', KEYS[2], 0, -1)
table.insert(reply, 1, tonumber(d))
return reply
