# SPDX-License-Identifier: MIT
"""Many interleavings of all scripts, seeded, against a model in Python of what they promise.

Several owners take steps in random order. Replies get lost and are asked for again, requests are
executed late or twice, owners freeze and wake with stale tokens. After each step the whole state of
Redis equals the model's; in the end every item has come out exactly once.
"""
import collections
import random

import pytest

from support import check
from support.scripts import LONG, Scripts

SEEDS = range(12)
STEPS = 120
LIMIT = 2


class Batch:
    def __init__(self, token, gen, crashes, clean, d, entries, over):
        self.token, self.gen, self.crashes, self.clean = token, gen, crashes, clean
        self.d, self.entries, self.over = d, entries, over
        self.named = bool(token)

    def own(self, instance):
        return (self.token, self.gen, self.crashes, self.clean, self.d, "print",
                instance if self.named else "")


class Model:
    """What the scripts promise, without a thought for how. Time is two values: over, or not."""

    def __init__(self):
        self.list, self.dead, self.oversize = [], [], {}
        self.batches, self.delayed = {}, {}

    def claim(self, id, token, items, size, payload, over, due):
        share = 2 if self.list else 1
        reply, used, members = [], 0, []
        for member in due[:max(1, items // share)]:
            envelope = self.delayed[member]
            if reply and used + len(envelope) > size / share:
                break
            reply.append(envelope)
            members.append(member)
            used += len(envelope)
        d, taken, long = len(reply), 0, 0
        while self.list and d + taken < items and (taken == 0 or used + len(self.list[0]) <= size):
            item = self.list.pop(0)
            taken += 1
            used += len(item)
            if len(item) > payload:
                self.oversize[f"{id}:oversize:{long}"] = item
                long += 1
            else:
                reply.append(item)
        for member in members:
            del self.delayed[member]
        if reply:
            self.batches[id] = Batch(token, 1, 0, 0, d, reply, over)
        return (d, long, reply) if reply or long else None

    def held(self, id, token):
        batch = self.batches.get(id)
        return b"GONE" if batch is None else batch if batch.token == token else b"STALE"

    def takeover(self, id, gen, token, over):
        batch = self.batches.get(id)
        if batch is None:
            return None
        if batch.token != token:
            if batch.gen != gen or not batch.over:
                return None
            batch.token, batch.gen, batch.named = token, gen + 1, True
            batch.crashes += 0 if batch.clean else 1
            batch.clean = 0
        batch.over = over
        return batch.gen, batch.crashes, batch.d, b"print", batch.entries

    def ack(self, id, token, dead, retry):
        batch = self.held(id, token)
        if isinstance(batch, bytes):
            return batch
        self.dead += dead
        self.delayed.update((f"{id}:{index}", envelope) for index, _, envelope in retry)
        del self.batches[id]
        return b"OK"

    def giveback(self, id, token):
        batch = self.held(id, token)
        if isinstance(batch, bytes):
            return batch
        if batch.gen != 1:
            return b"NOTFIRST"
        self.list[:0] = batch.entries[batch.d:]
        self.delayed.update((f"{id}:{i}", e) for i, e in enumerate(batch.entries[:batch.d]))
        del self.batches[id]
        return b"OK"

    def release(self, id, token):
        batch = self.held(id, token)
        if isinstance(batch, bytes):
            return batch
        batch.token, batch.clean, batch.crashes, batch.over = "", 1, 0, True
        return b"OK"

    def split(self, id, token, children):
        batch = self.held(id, token)
        if isinstance(batch, bytes):
            return batch
        n, k = len(batch.entries), len(children)
        for i, child in enumerate(children):
            first, last = i * n // k, (i + 1) * n // k
            if last > first:
                d = max(0, min(batch.d, last) - first)
                crashes = 0 if last - first == 1 else LIMIT - 1
                self.batches[child] = Batch("", 0, crashes, 1, d, batch.entries[first:last], True)
        del self.batches[id]
        return b"OK"

    def rename(self, id, token, new):
        batch = self.held(id, token)
        if isinstance(batch, bytes):
            return batch
        batch.token, batch.gen, batch.clean, batch.over, batch.named = "", 0, 1, True, False
        self.batches[new] = self.batches.pop(id)
        return b"OK"


class Play:
    """Owners with what they believe to hold, requests that were sent and may still be executed."""

    def __init__(self, scripts, seed):
        self.s, self.m, self.r = scripts, Model(), random.Random(seed)
        self.seed, self.ids, self.numbers = seed, 0, 0
        self.believed = []            # (id, token) of batches somebody believes to own
        self.late = []                # requests to be executed later, or again
        self.decided = {}             # id: outcome, as the ledger would keep it
        self.out = collections.Counter()
        self.pushed = []

    def fresh(self, what):
        self.ids += 1
        return f"{what}{self.seed}.{self.ids}"

    def payload(self, entry):
        """The item in an entry; envelopes here are `env|attempts|item`."""
        return entry.split(b"|", 2)[2] if entry.startswith(b"env|") else entry

    def push(self):
        for _ in range(self.r.randint(1, 12)):
            self.numbers += self.r.random() < .8  # some payloads are equal
            item = b"%d:" % self.numbers + b"x" * self.r.choice((0, 5, 20, 90))
            self.pushed.append(item)
            self.m.list.append(item)
            self.s.push(item)

    def claim(self):
        id, token = self.fresh("b"), self.fresh("t")
        args = dict(items=self.r.choice((1, 2, 5, 9)), size=self.r.choice((30, 100, 400)), payload=60,
                    lease=self.r.choice((0, LONG, LONG)))
        if self.r.random() < .1:
            self.late.append(("claim", id, token, args))  # sits in a socket
            assert self.s.adopt(id, token) is None
            return
        self.do_claim(id, token, args)
        if id in self.m.batches:
            self.believed.append((id, token))

    def do_claim(self, id, token, args):
        due = [x.decode() for x in self.s.client.zrange(self.s.key("delayed"), 0, -1)]
        want = self.m.claim(id, token, args["items"], args["size"], args["payload"],
                            args["lease"] == 0, due)
        got = self.s.claim(id, token, **args)
        assert got == (want or b"NONE")
        if self.r.random() < .2 and want and want[2]:
            assert self.s.adopt(id, token) == (want[0], 0, want[2])

    def takeover(self):
        for id in self.m.batches:
            if self.r.random() < .3 and self.m.batches[id].over:
                token, lease = self.fresh("t"), self.r.choice((0, LONG))
                gen = self.m.batches[id].gen - (self.r.random() < .1)
                want = self.m.takeover(id, gen, token, lease == 0)
                assert self.s.takeover(id, gen, token, lease) == want
                if want:
                    self.believed.append((id, token))
                    if self.r.random() < .2:
                        self.late.append(("takeover", id, gen, token, lease))
                return

    def outcome(self, id, entries):
        """What became of the batch: chosen once, as the ledger's first row decides."""
        if id not in self.decided:
            dead, retry = [], []
            for i, entry in enumerate(entries):
                attempts = int(entry.split(b"|")[1]) if entry.startswith(b"env|") else 0
                fate = self.r.random()
                if fate < .15:
                    dead.append(b"dead|" + self.payload(entry))
                elif fate < .4 and attempts < 3:
                    retry.append((i, 0, b"env|%d|" % (attempts + 1) + self.payload(entry)))
                else:
                    self.out[self.payload(entry)] += 1
            self.decided[id] = dead, retry
        return self.decided[id]

    def finish(self):
        if not self.believed:
            return
        id, token = self.r.choice(self.believed)
        batch = self.m.batches.get(id)
        ours = batch is not None and batch.token == token
        verb = self.r.choice(("ack", "ack", "ack", "giveback", "release", "split", "rename", "renew"))
        if id in self.decided:
            verb = "ack"  # whoever meets the ledger row carries out what it says
        if verb == "ack":
            entries = batch.entries if batch else []
            if not ours and id not in self.decided:
                request = ("ack", id, token, [b"dead|never"], [(0, 0, b"env|9|never")])
            else:
                request = ("ack", id, token, *self.outcome(id, entries))
        elif verb == "split":
            request = ("split", id, token, [f"{id}/{i}" for i in range(self.r.choice((2, 3, 10)))])
        elif verb == "rename":
            request = ("rename", id, token, self.fresh("b"))
        else:
            request = (verb, id, token)
        self.execute(request)
        if self.r.random() < .3:
            self.late.append(request)  # its reply was lost: asked again, sooner or later
        if verb != "renew" and self.r.random() < .7:
            self.believed.remove((id, token))

    def execute(self, request):
        verb, args = request[0], request[1:]
        if verb == "claim":
            self.do_claim(*args)
        elif verb == "takeover":
            id, gen, token, lease = args
            assert self.s.takeover(*args) == self.m.takeover(id, gen, token, lease == 0)
        elif verb == "ack":
            id, token, dead, retry = args
            assert self.s.ack(id, token, dead, retry) == self.m.ack(id, token, dead, retry)
        elif verb == "split":
            id, token, children = args
            assert self.s.split(id, token, LIMIT, *children) == self.m.split(id, token, children)
        elif verb == "renew":
            id, token = args
            batch = self.m.held(id, token)
            assert self.s.renew((id, token)) == [0 if isinstance(batch, bytes) else 1]
            if not isinstance(batch, bytes):
                batch.over = False
        else:
            assert getattr(self.s, verb)(*args) == getattr(self.m, verb)(*args)

    def belated(self):
        if self.late:
            self.execute(self.late.pop(self.r.randrange(len(self.late))))

    def run_out(self):
        """Time goes by for one batch."""
        ids = [id for id, batch in self.m.batches.items() if not batch.over]
        if ids:
            id = self.r.choice(ids)
            self.m.batches[id].over = True
            self.s.run_out(id)

    def compare(self):
        s, m = self.s, self.m
        assert s.waiting() == m.list
        assert {id: s.own(id) for id in m.batches} == {
            id: b.own(s.instance) for id, b in m.batches.items()}
        assert s.client.hlen(s.key("own")) == len(m.batches)
        assert s.delayed() == m.delayed
        assert {id: s.batch(id) for id in m.batches} == {id: b.entries for id, b in m.batches.items()}
        assert {x.id for x in s.expired()} == {id for id, b in m.batches.items() if b.over}
        assert [x for x in s.letters() if x.startswith(b"dead|")] == m.dead
        assert {k.decode(): v for k, v in s.client.hgetall(s.key("oversize")).items()} == m.oversize
        check.invariant(s.client, s.list)

    def drain(self):
        """Everybody is gone; one careful owner is left."""
        while self.late:
            self.belated()
        while self.m.batches or self.m.list or self.m.delayed:
            id, token = self.fresh("b"), self.fresh("t")
            self.do_claim(id, token, dict(items=50, size=5000, payload=60, lease=LONG))
            for id in list(self.m.batches):
                batch = self.m.batches[id]
                if not batch.over and batch.token != token:
                    batch.over = True
                    self.s.run_out(id)
                if batch.token != token:
                    new = self.fresh("t")
                    assert self.s.takeover(id, batch.gen, new) == self.m.takeover(
                        id, batch.gen, new, False)
                self.execute(("ack", id, batch.token, *self.outcome(id, batch.entries)))


@pytest.mark.parametrize("seed", SEEDS)
def test_random_interleavings_lose_and_double_nothing(script_redis, seed):
    script_redis.client.flushall()
    play = Play(Scripts(script_redis.client), seed)
    steps = [play.push, play.claim, play.claim, play.takeover, play.takeover, play.finish, play.finish,
             play.finish, play.belated, play.run_out]
    for _ in range(STEPS):
        play.r.choice(steps)()
        play.compare()
    play.drain()
    play.compare()
    ends = play.out + collections.Counter(x[5:] for x in play.m.dead)
    ends += collections.Counter(play.m.oversize.values())
    assert ends == collections.Counter(play.pushed)
    assert not check.leftovers(script_redis.client, "K")
