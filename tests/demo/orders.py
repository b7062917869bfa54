# SPDX-License-Identifier: MIT
"""The orders of the demo: what is pushed, and what has to become of each of them.

They are the orders of the stories with a currency, as the example job reads them.
"""
import collections
import random
import zlib

from support.check import name_of
from support.orders import encode, order

SEED = 2026
_CURRENCIES = ("EUR", "CHF", "GBP", "USD")

# What the example job makes of an item that it cannot make a row of. code: the server's errno.
Fate = collections.namedtuple("Fate", "kind error_class code column")

# Each with what spoils an order; the two without are made in Series.
_KINDS = (
    (Fate("text too long", "row", 1406, "note"),
     lambda o: o.update(note=" ".join([o["note"]] * 5))),
    (Fate("number out of range", "row", 1264, "customer_id"),
     lambda o: o.update(customer_id=4_294_967_296)),
    (Fate("bad date", "expect", None, "placed_at"),
     lambda o: o.update(placed_at="2026-02-30T10:00:00Z")),
    (Fate("missing required field", "row", 1048, "customer_id"),
     lambda o: o.pop("customer_id")),
    (Fate("more decimals than the column", "expect", None, "amount"),
     lambda o: o.update(amount="19.999")),
    (Fate("duplicate key", "row", 1062, "uid"), None),
    (Fate("not JSON", "decode", None, None), None),
)


def make(i):
    """Order i as a dict, always the same."""
    o = order(i, SEED)
    o["currency"] = _CURRENCIES[o["customer_id"] % len(_CURRENCIES)]
    return o


def fingerprint(o):
    """What FINGERPRINT gives for the row that order o becomes."""
    placed_at = o["placed_at"].replace("T", " ").rstrip("Z")
    values = (o["customer_id"], o["amount"], o["currency"], o["note"], placed_at)
    return zlib.crc32("|".join(map(str, values)).encode())


FINGERPRINT = "CRC32(CONCAT_WS('|', customer_id, amount, currency, note, placed_at))"


class Series:
    """n orders of which n_bad are bad, kinds in turn, at seeded places.

    items: the bytes to push, in order. pushed: how often each name (see check.name_of) is pushed.
    fates: {name: Fate} of the bad ones. rows: {order id: the fingerprints that its row may have}.
    """

    def __init__(self, n, n_bad):
        self.items, self.fates, self.rows = [], {}, {}
        self.pushed = collections.Counter()
        rng = random.Random(SEED)
        # The first order is good, so that a duplicate has one before it to duplicate.
        bad = {place: _KINDS[j % len(_KINDS)]
               for j, place in enumerate(sorted(rng.sample(range(1, n), n_bad)))}
        good = [0]
        for i in range(n):
            if i in bad:
                self._add_bad(i, *bad[i], rng.choice(good))
            else:
                good.append(i)
                o = make(i)
                self.rows[o["order_uid"]] = {fingerprint(o)}
                self._add(encode(o), o["order_uid"])

    def _add(self, item, name):
        self.items.append(item)
        self.pushed[name] += 1

    def _add_bad(self, i, fate, spoil, another):
        o = make(i)
        if fate.code == 1062:
            # Another order under a number that is taken; which of the two comes first is not said.
            o["order_uid"] = make(another)["order_uid"]
            self.rows[o["order_uid"]].add(fingerprint(o))
        elif spoil:
            spoil(o)
        item = encode(o)
        if fate.error_class == "decode":
            item = item[:-1]
        name = name_of(item)
        self.fates[name] = fate
        self._add(item, name)

    @property
    def mean_size(self):
        return sum(map(len, self.items)) / len(self.items)
