-- SPDX-License-Identifier: MIT
-- Lists batches whose lease is over, the longest overdue first.
--
-- KEYS  1 own     2 leases
-- ARGV  1 most batches to list     2 print of the sink; '' lists whatever the print is
-- Reply array: how many batches of another print were passed over, then four elements for each
--       batch: id, generation, clean (1: its owner let it go or it never had one, so a takeover
--       counts no crash), crashes counted so far. A generation of -1 says that own does not know
--       the id: damage, which takeover clears up.
--
-- Writes nothing. Whoever wants one of them asks for it with takeover and this generation. The
-- outcome of a batch of another print would be written elsewhere, so it must not be touched, and it
-- must not hide those behind it either: hence the pages.

local own, leases, most, sink_print = KEYS[1], KEYS[2], tonumber(ARGV[1]), ARGV[2]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local foreign, listed, at, page, reply = 0, 0, 0, {}, {}
repeat
    page = redis.call('ZRANGEBYSCORE', leases, '-inf', now, 'LIMIT', at, most)
    at = at + #page
    for _, id in ipairs(page) do
        local value = redis.call('HGET', own, id) or ''
        local gen, crashes, clean, theirs = string.match(value, '^%S* (%d+) (%d+) ([01]) %d+ (%S*) ')
        if gen and sink_print ~= '' and theirs ~= sink_print then
            foreign = foreign + 1
        elseif listed < most then
            listed = listed + 1
            reply[#reply + 1] = id
            reply[#reply + 1] = tonumber(gen or -1)
            reply[#reply + 1] = tonumber(clean or 0)
            reply[#reply + 1] = tonumber(crashes or 0)
        end
    end
until #page < most or listed == most
table.insert(reply, 1, foreign)
return reply
