# SPDX-License-Identifier: MIT
"""The accounts: what was pushed against rows and dead letters, and what a list leaves in Redis."""
import base64
import collections
import json


def tag(key):
    """What stands before :hr: in the keys that belong to a list: {K}, or K with its own hash tag."""
    start = key.find("{")
    end = key.find("}", start + 1)
    if start >= 0 and end > start + 1:
        return key
    return "{" + key + "}"


def hr(key, name):
    return f"{tag(key)}:hr:{name}"


# Not a transaction: MULTI is refused at maxmemory.
_LOOK = """return {
    redis.call('HKEYS', KEYS[1]), redis.call('ZRANGE', KEYS[2], 0, -1),
    redis.call('ZRANGE', KEYS[3], 0, -1), redis.call('HKEYS', KEYS[4]), redis.call('KEYS', ARGV[1])
}"""


def invariant(client, key):
    """Asserts, at one moment: an id is in own if and only if in leases, if and only if its batch list
    exists with at least one entry; a retry is in delayed if and only if in later."""
    own, leases, delayed, later, batches = client.eval(
        _LOOK, 4, *[hr(key, name) for name in ("own", "leases", "delayed", "later")],
        _glob(hr(key, "batch:")) + "*")
    prefix = len(hr(key, "batch:").encode())
    assert set(own) == set(leases), f"own {sorted(own)} is not leases {sorted(leases)}"
    ids = {b[prefix:] for b in batches}
    assert set(own) == ids, f"own {sorted(own)} is not the batch lists {sorted(ids)}"
    assert set(delayed) == set(later), f"delayed {sorted(delayed)} is not later {sorted(later)}"


def leftovers(client, key):
    """Keys of the list that are there besides the list, its dead letters and their payloads."""
    allowed = {hr(key, "oversize"), hr(key, "paused")}
    found = {k.decode() for k in client.keys(_glob(tag(key) + ":hr:") + "*")}
    return sorted(found - allowed)


def _glob(text):
    return "".join("\\" + c if c in "*?[]\\" else c for c in text)


def no_attempt_used(redis, key="orders"):
    """Nothing is dead and nothing waits for a retry."""
    return redis.client.llen(key + ":dead") == 0 and redis.client.zcard(hr(key, "delayed")) == 0


def dead_letters(client, dead="orders:dead"):
    return [json.loads(letter) for letter in client.lrange(dead, 0, -1)]


def payload(client, letter, key="orders"):
    """The item of a dead letter, as the bytes that were pushed."""
    if "payload_base64" in letter:
        return base64.b64decode(letter["payload_base64"])
    if "payload_at" in letter:
        return client.hget(hr(key, "oversize"), letter["payload_at"])
    return letter["payload"].encode()


def name_of(item):
    """What an item is counted by: its order id where it has one, else its bytes."""
    try:
        return json.loads(item)["order_uid"]
    except (ValueError, KeyError, TypeError):
        return bytes(item)


class Accounts:
    """lost and doubled: items with fewer or more ends (rows + dead letters) than pushes.

    Orders that share an order_uid on purpose count together.
    """

    def __init__(self, redis, mariadb, pushed, key="orders", table="orders", dead=None):
        client = redis.client
        self.letters = dead_letters(client, dead or key + ":dead")
        self.dead = collections.Counter(name_of(payload(client, x, key)) for x in self.letters)
        self.rows = collections.Counter(mariadb.column(table, "uid"))
        self.pushed = collections.Counter(name_of(item) for item in pushed)
        ends = self.rows + self.dead
        self.lost = self.pushed - ends
        self.doubled = ends - self.pushed
        self.waiting = client.llen(key)
        self.leftovers = leftovers(client, key)

    def classes(self):
        return collections.Counter(letter["error"]["class"] for letter in self.letters)


def everything_once(redis, mariadb, pushed, key="orders", table="orders", dead=0):
    """Asserts that every item ended exactly once, that so many of them are dead letters, and that
    nothing else is left. Returns the accounts. dead=None: any number."""
    a = Accounts(redis, mariadb, pushed, key, table)
    assert a.waiting == 0, f"{a.waiting} items still in the list"
    assert not a.leftovers, f"left in Redis: {a.leftovers}"
    assert not a.lost, f"{sum(a.lost.values())} lost, e.g. {list(a.lost)[:3]}"
    assert not a.doubled, f"{sum(a.doubled.values())} doubled, e.g. {list(a.doubled)[:3]}"
    if dead is not None:
        assert len(a.letters) == dead, f"{len(a.letters)} dead letters: {a.letters[:3]}"
    return a


def nothing_lost(redis, mariadb, pushed, key="orders", table="orders"):
    """The at_least_once promise: every item ended at least once, and nothing is stuck."""
    a = Accounts(redis, mariadb, pushed, key, table)
    assert a.waiting == 0, f"{a.waiting} items still in the list"
    assert not a.leftovers, f"left in Redis: {a.leftovers}"
    assert not a.lost, f"{sum(a.lost.values())} lost, e.g. {list(a.lost)[:3]}"
    return a
