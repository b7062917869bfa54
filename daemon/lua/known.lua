-- SPDX-License-Identifier: MIT
-- Tells which batches Redis still holds, so that the sweep of the ledger spares their rows.
--
-- KEYS  1 own
-- ARGV  ids
-- Reply array of integers, one for each id: 1 Redis holds the batch, 0 it does not
--
-- Writes nothing. A batch that was committed and not acknowledged may wait here for longer than the
-- ledger keeps its rows (everything stopped over a weekend); without its row it would be inserted
-- again.

local reply = {}
for i, id in ipairs(ARGV) do
    reply[i] = redis.call('HEXISTS', KEYS[1], id)
end
return reply
