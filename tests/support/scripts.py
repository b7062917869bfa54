# SPDX-License-Identifier: MIT
"""The Redis scripts as Python calls: EVAL of the very files that are compiled into the daemon."""
import collections
import hashlib
import json
import os

from support.check import hr
from support.orders import orders

FOLDER = os.path.join(os.path.dirname(__file__), "..", "..", "daemon", "lua")
NAMES = sorted(f[:-4] for f in os.listdir(FOLDER) if f.endswith(".lua"))

Claimed = collections.namedtuple("Claimed", "d too_long entries")
Taken = collections.namedtuple("Taken", "gen crashes d print entries")
Listed = collections.namedtuple("Listed", "id gen clean crashes")
Counts = collections.namedtuple("Counts", "now ready leased delayed dead due paused ids")
Own = collections.namedtuple("Own", "token gen crashes clean d print instance")

LONG = 3_600_000  # ms: a lease or delay that is not over in this test


def source(name):
    with open(os.path.join(FOLDER, name + ".lua"), encoding="utf-8") as f:
        return f.read()


def sha1(name):
    """What a daemon's request for this script holds: to find it on the wire."""
    with open(os.path.join(FOLDER, name + ".lua"), "rb") as f:
        return hashlib.sha1(f.read()).hexdigest().encode()


def preload(client):
    """So that the first request already goes by its hash."""
    for name in NAMES:
        client.script_load(source(name))


def sink_print(redis, mariadb, daemon):
    """The print of the daemon's sink, as it stands in a batch of its own."""
    with mariadb.connect(autocommit=False) as lock, lock.cursor() as cursor:
        cursor.execute("LOCK TABLES orders WRITE")
        redis.client.rpush("orders", *orders(1, seed=77))
        value = daemon.until(lambda: redis.client.hvals(hr("orders", "own")), what="a batch")[0]
    daemon.until_drained(redis)
    mariadb.execute("DELETE FROM orders")
    return value.decode().split(" ")[5]


class Scripts:
    """One list, seen by one instance. ids and tokens are text here; entries are bytes."""

    def __init__(self, client, key="K", dead=None, instance="one", sink="print"):
        self.client = client
        self.list = key
        self.dead = dead or key + ":dead"
        self.instance = instance
        self.print = sink
        self.last_keys = ()
        self.rest = None

    def key(self, name):
        return {"list": self.list, "dead": self.dead}.get(name) or hr(self.list, name)

    def run(self, script, names, *args):
        self.last_keys = [self.key(n) for n in names.split()]
        return self.client.eval(source(script), len(self.last_keys), *self.last_keys, *args)

    def claim(self, id, token="t", items=1000, size=1 << 20, payload=0, lease=LONG, limit=0,
              head="left", dead=True):
        """Claimed, or b"NONE", b"FULL", b"PAUSED", or the ms until something is due. What the claim left
        is in self.rest."""
        names = f"list paused own leases delayed later oversize batch:{id}" + " dead" * dead
        reply = self.run("claim", names, id, token, items, size, payload, lease, limit, self.print,
                         self.instance, head, '{"job":"j",', ',"attempts":0}')
        if not isinstance(reply, list):
            return reply
        self.rest = reply[2]
        return Claimed(reply[0], reply[1], reply[3:])

    def adopt(self, id, token="t"):
        reply = self.run("adopt", f"own batch:{id}", id, token)
        return Claimed(reply[0], 0, reply[1:]) if reply else None

    def renew(self, *pairs, lease=LONG):
        return self.run("renew", "own leases", lease, *[x for pair in pairs for x in pair])

    @staticmethod
    def _listed(reply):
        return [Listed(reply[i].decode(), *reply[i + 1:i + 4]) for i in range(1, len(reply), 4)]

    def expired(self, limit=1000, sink=""):
        return self._listed(self.run("expired", "own leases", limit, sink))

    def mine(self, instance=None, sink=""):
        return self._listed(self.run("mine", "own", instance or self.instance, sink))

    def foreign(self, sink, instance=None, limit=1000):
        """How many batches expired() or, for an instance, mine() pass over: of another sink's print."""
        if instance:
            return self.run("mine", "own", instance, sink)[0]
        return self.run("expired", "own leases", limit, sink)[0]

    def takeover(self, id, gen, token, lease=LONG, predecessor=False):
        """Taken, None, or b"MISSING"."""
        reply = self.run("takeover", f"own leases batch:{id}", id, gen, token, lease, self.instance,
                         int(predecessor))
        return Taken(*reply[:4], reply[4:]) if isinstance(reply, list) else reply

    def ack(self, id, token="t", dead=(), retry=()):
        """retry: (index, delay ms, envelope) each."""
        names = f"own leases batch:{id} delayed later dead"
        return self.run("ack", names, id, token, len(dead), *dead, *[x for r in retry for x in r])

    def giveback(self, id, token="t", head="left"):
        return self.run("giveback", f"own leases batch:{id} delayed later list", id, token, head)

    def release(self, id, token="t", crashes=0):
        return self.run("release", "own leases", id, token, crashes)

    def split(self, id, token, limit, *children):
        names = f"own leases batch:{id} " + " ".join("batch:" + c for c in children)
        return self.run("split", names, id, token, limit, *children)

    def rename(self, id, token, new):
        return self.run("rename", f"own leases batch:{id} batch:{new}", id, token, new)

    def known(self, *ids):
        return self.run("known", "own", *ids)

    def counts(self, *ids):
        names = "list paused own delayed dead " + " ".join("batch:" + i for i in ids)
        reply = self.run("counts", names)
        return Counts(*reply[:7], {i.decode() for i in reply[7:]})

    def dead_retry(self, index, letter, id, envelope, oversize=""):
        return self.run("dead_retry", "dead delayed later oversize", index, letter, id, envelope,
                        oversize)

    def dead_rm(self, index, letter, oversize="", remote=False):
        return self.run("dead_rm", "dead" + " oversize" * (not remote), index, letter, oversize)

    def put_back(self, id, envelope):
        return self.run("delay", "delayed later", id, envelope)

    # What lies in Redis, for tests to look at.

    def push(self, *items):
        for i in range(0, len(items), 1000):
            self.client.rpush(self.list, *items[i:i + 1000])

    def waiting(self):
        return self.client.lrange(self.list, 0, -1)

    def batch(self, id):
        return self.client.lrange(self.key("batch:" + id), 0, -1)

    def own(self, id):
        """The parsed own entry, or None. instance stands last and may hold spaces."""
        value = self.client.hget(self.key("own"), id)
        if value is None:
            return None
        token, gen, crashes, clean, d, sink, instance = value.decode().split(" ", 6)
        return Own(token, int(gen), int(crashes), int(clean), int(d), sink, instance)

    def lease(self, id):
        return self.client.zscore(self.key("leases"), id)

    def now(self):
        seconds, micros = self.client.time()
        return seconds * 1000 + micros // 1000

    def delayed(self):
        """{envelope id: envelope}"""
        return {k.decode(): v for k, v in self.client.hgetall(self.key("later")).items()}

    def delay(self, member, envelope, due=0):
        self.client.zadd(self.key("delayed"), {member: due})
        self.client.hset(self.key("later"), member, envelope)

    def letters(self):
        return self.client.lrange(self.dead, 0, -1)

    def letter(self, index):
        return json.loads(self.client.lindex(self.dead, index))

    def everything(self):
        """All of Redis, to be compared."""
        return {k: self.client.dump(k) for k in self.client.keys("*")}

    def run_out(self, id):
        """As if the lease of a batch were over by now."""
        self.client.zadd(self.key("leases"), {id: 1}, xx=True)
