-- SPDX-License-Identifier: MIT
-- Lists the batches that an instance owns, for the successor that starts under its name.
--
-- KEYS  1 own
-- ARGV  1 instance name     2 print of the sink; '' lists whatever the print is
-- Reply array as `expired` has it: how many of another print were passed over, then four elements
--       for each batch: id, generation, clean, crashes
--
-- Writes nothing. The caller holds the lock on the instance name, so the owner is dead; takeover
-- then waives the wait for the end of the lease. Only a convenience: should the lock lie, token and
-- ledger protect as ever.

local foreign, reply, entries = 0, {}, redis.call('HGETALL', KEYS[1])
for i = 1, #entries, 2 do
    local gen, crashes, clean, sink_print, instance =
        string.match(entries[i + 1], '^%S* (%d+) (%d+) ([01]) %d+ (%S*) (.*)$')
    if instance == ARGV[1] and ARGV[2] ~= '' and sink_print ~= ARGV[2] then
        foreign = foreign + 1
    elseif instance == ARGV[1] then
        reply[#reply + 1] = entries[i]
        reply[#reply + 1] = tonumber(gen)
        reply[#reply + 1] = tonumber(clean)
        reply[#reply + 1] = tonumber(crashes)
    end
end
table.insert(reply, 1, foreign)
return reply
