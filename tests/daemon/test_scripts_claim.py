# SPDX-License-Identifier: MIT
"""claim and adopt against a real Redis: what a batch is made of, and what stays untouched."""
import json

import pytest
from redis import ResponseError

from support.scripts import LONG, Claimed

pytestmark = pytest.mark.usefixtures("invariant")


def test_takes_the_oldest_items_and_leaves_the_rest(s):
    s.push("a", "b", "c", "d")
    assert s.claim("1", items=3) == Claimed(0, 0, [b"a", b"b", b"c"])
    assert s.waiting() == [b"d"]
    assert s.batch("1") == [b"a", b"b", b"c"]


def test_head_right_takes_from_the_right_end_and_keeps_the_order_of_consumption(s):
    s.push(*[str(i) for i in range(300)])
    assert s.claim("1", items=200, head="right").entries == [b"%d" % i for i in range(299, 99, -1)]
    assert s.waiting() == [b"%d" % i for i in range(100)]


def test_items_are_bytes(s):
    odd = [b"", b"\0", b"\xff\xfe", b"a b\r\n", "ß注".encode(), b"$5\r\nhello\r\n"]
    s.push(*odd)
    assert s.claim("1").entries == odd == s.batch("1")


def test_an_empty_list_writes_nothing(s):
    assert s.claim("1") == b"NONE"
    assert not s.everything()


def test_r3_nothing_to_take_tells_when_the_next_delayed_item_is_due(s):
    s.delay("x:0", "later", s.now() + 5000)
    s.delay("x:1", "still later", s.now() + 50000)
    assert 4000 < s.claim("1") <= 5000
    assert s.own("1") is None and len(s.delayed()) == 2


def test_r3_a_batch_tells_what_it_left(s):
    s.push("a", "b", "c")
    s.claim("1", items=2)
    assert s.rest == 0, "an item"
    s.claim("2", items=2)
    assert s.rest == -1, "nothing"
    s.push("d")
    s.delay("x:0", "later", s.now() + 5000)
    s.claim("3")
    assert 4000 < s.rest <= 5000
    for i in range(3):
        s.delay(f"y:{i}", "due", s.now() - 1)
    s.claim("4", items=2)
    assert s.rest == 0, "a due retry"


def test_owner_and_lease_are_written_by_redis_own_clock(s):
    s.push("a")
    s.instance = "host two\nunit 1"
    before = s.now()
    s.claim("1", token="tok", lease=5000)
    assert before + 5000 <= s.lease("1") <= s.now() + 5000
    assert s.own("1") == ("tok", 1, 0, 0, 0, "print", "host two\nunit 1")


def test_r1_an_id_in_use_is_refused_and_nothing_is_written(s):
    s.push("a", "b")
    s.claim("1", items=1)
    before = s.everything()
    with pytest.raises(ResponseError, match="HRINUSE"):
        s.claim("1", token="other")
    assert s.everything() == before


def test_a_stray_batch_list_is_never_mixed_with_a_new_batch(s, no_invariant):
    s.push("a")
    s.client.rpush(s.key("batch:1"), "stray")
    with pytest.raises(ResponseError, match="HRINUSE"):
        s.claim("1")
    assert s.waiting() == [b"a"] and s.batch("1") == [b"stray"]


@pytest.mark.parametrize("limit, dead, full", [(2, 1, False), (2, 2, True), (2, 3, True), (0, 3, False)])
def test_full_dead_letters_stop_claiming(s, limit, dead, full):
    s.push("a")
    s.client.rpush(s.dead, *["x"] * dead)
    before = s.everything()
    reply = s.claim("1", limit=limit)
    assert (reply == b"FULL" and s.everything() == before) if full else reply.entries == [b"a"]


def test_a_manual_pause_lives_in_redis_and_stops_claiming(s):
    s.push("a")
    s.client.set(s.key("paused"), "by hand")
    before = s.everything()
    assert s.claim("1") == b"PAUSED"
    assert s.everything() == before
    s.client.delete(s.key("paused"))
    assert s.claim("1").entries == [b"a"]


# Retries.

def test_due_retries_come_first_and_are_told_from_items_by_their_count(s):
    s.push("env-b", "raw")
    s.delay("x:1", "env-b", 2)
    s.delay("x:0", "env-a", 1)
    assert s.claim("1", items=10) == Claimed(2, 0, [b"env-a", b"env-b", b"env-b", b"raw"])
    assert s.own("1").d == 2
    assert not s.delayed() and not s.client.exists(s.key("delayed"))


def test_retries_that_are_not_due_stay(s):
    s.push("raw")
    s.delay("x:0", "now", s.now())
    s.delay("x:1", "later", s.now() + LONG)
    assert s.claim("1").entries == [b"now", b"raw"]
    assert s.delayed() == {"x:1": b"later"}


def test_retries_get_at_most_half_while_the_list_has_items(s):
    s.push(*"abcdefgh")
    for i in range(8):
        s.delay(f"x:{i}", f"env{i}", i)
    reply = s.claim("1", items=6)
    assert reply.d == 3 and len(reply.entries) == 6 and reply.entries[3:] == [b"a", b"b", b"c"]


def test_retries_may_fill_the_batch_when_the_list_is_empty(s):
    for i in range(8):
        s.delay(f"x:{i}", f"env{i}", i)
    assert s.claim("1", items=6) == Claimed(6, 0, [b"env%d" % i for i in range(6)])


def test_a_batch_of_one_item_does_not_starve_the_retries(s):
    s.push("a")
    s.delay("x:0", "env", 0)
    assert s.claim("1", items=1) == Claimed(1, 0, [b"env"])
    assert s.claim("2", items=1) == Claimed(0, 0, [b"a"])


def test_retries_are_bound_by_bytes_too(s):
    s.push("a" * 10)
    for i in range(5):
        s.delay(f"x:{i}", "e" * 30, i)
    reply = s.claim("1", size=130)
    assert reply.d == 2 and len(reply.entries) == 3
    assert s.claim("2", size=10).d == 1, "the first goes in however long it is"


def test_a_thousand_due_retries_go_in_at_once(s):
    for i in range(2500):
        s.delay(f"x:{i}", f"env{i}", i)
    assert s.claim("1", items=2500).d == 2500
    assert not s.delayed()


def test_a_delayed_member_without_its_envelope_is_removed(s, no_invariant):
    s.client.zadd(s.key("delayed"), {"x:0": 1})
    assert s.claim("1") == b"NONE"
    assert not s.everything()


# Sizes.

def test_takes_while_the_bytes_fit(s):
    s.push("a" * 40, "b" * 40, "c" * 20, "d")
    assert [len(e) for e in s.claim("1", size=100).entries] == [40, 40, 20]
    assert s.waiting() == [b"d"]


def test_the_first_item_goes_in_however_long_it_is(s):
    s.push("a" * 200, "b")
    assert [len(e) for e in s.claim("1", size=100).entries] == [200]
    s.push("c" * 200)
    s.client.ltrim(s.list, 1, -1)
    s.delay("x:0", "e" * 40)
    assert [len(e) for e in s.claim("2", size=100).entries] == [40, 200], "beside retries as well"


@pytest.mark.parametrize("head", ["left", "right"])
def test_many_items_of_many_sizes_all_go_through_in_order(s, head):
    items = [b"%d:" % i + b"x" * (i * 7919 % 400) for i in range(5000)]
    s.push(*items)
    got, n = [], 0
    while s.client.llen(s.list):
        n += 1
        reply = s.claim(str(n), items=1500, size=200_000, head=head)
        assert sum(map(len, reply.entries)) <= 200_000 and len(reply.entries) <= 1500
        got += reply.entries
    assert got == (items if head == "left" else items[::-1])
    assert n <= 8


def test_the_list_is_read_in_pieces_and_trimmed_once_before_anything_is_pushed(s, spy):
    s.push(*["x" * 100] * 4000)
    with spy() as calls:
        s.claim("1", items=3500)
    lengths = [int(c[3]) - int(c[2]) + 1 for c in calls if c[0] == "LRANGE"]
    assert lengths[0] == 64 and max(lengths) <= 1000 and sum(lengths) == 3500
    names = [c[0] for c in calls]
    assert names.count("LTRIM") == 1
    assert names.index("LTRIM") < names.index("RPUSH")
    assert max(len(c) - 2 for c in calls if c[0] == "RPUSH") == 1000


def test_long_items_are_read_in_smaller_pieces(s, spy):
    s.push(*["x" * 10_000] * 400)
    with spy() as calls:
        reply = s.claim("1", size=1_000_000)
    read = sum(int(c[3]) - int(c[2]) + 1 for c in calls if c[0] == "LRANGE")
    assert len(reply.entries) == 100 and read <= 102


# Payloads that are too long.

def test_an_item_too_long_is_a_dead_letter_unread_and_its_neighbours_go_on(s):
    s.push("a", "L" * 101, "b", "M" * 100, "N" * 200)
    assert s.claim("1", payload=100) == Claimed(0, 2, [b"a", b"b", b"M" * 100])
    assert s.batch("1") == [b"a", b"b", b"M" * 100]
    assert s.letter(0) == {"job": "j", "id": "1:oversize:0", "payload_bytes": 101,
                           "payload_at": "1:oversize:0", "attempts": 0}
    assert s.letter(1)["payload_bytes"] == 200
    assert s.client.hgetall(s.key("oversize")) == {
        b"1:oversize:0": b"L" * 101, b"1:oversize:1": b"N" * 200}


def test_only_items_too_long_make_no_batch(s):
    s.push("L" * 101)
    assert s.claim("1", payload=100) == Claimed(0, 1, [])
    assert s.own("1") is None and s.lease("1") is None and not s.waiting()
    assert s.client.hlen(s.key("oversize")) == s.client.llen(s.dead) == 1


def test_items_too_long_count_so_that_one_claim_looks_at_a_bounded_part(s):
    s.push(*["L" * 101] * 500)
    assert s.claim("1", items=100, payload=100) == Claimed(0, 100, [])
    assert s.claim("2", size=1010, payload=100) == Claimed(0, 10, [])
    assert len(s.waiting()) == 390


def test_without_a_dead_list_nothing_is_too_long(s):
    s.push("L" * 101)
    assert s.claim("1", payload=100, dead=False).entries == [b"L" * 101]


# at_most_once.

def test_at_most_once_returns_the_items_and_keeps_nothing(s):
    s.push("a", "b")
    s.delay("x:0", "env")
    assert s.claim("1", token="") == Claimed(1, 0, [b"env", b"a", b"b"])
    assert not s.everything()


def test_at_most_once_keeps_the_payloads_that_are_too_long(s):
    s.push("a", "L" * 101)
    assert s.claim("1", token="", payload=100) == Claimed(0, 1, [b"a"])
    assert json.loads(s.letters()[0])["id"] == "1:oversize:0"
    assert set(s.everything()) == {s.dead.encode(), s.key("oversize").encode()}


# A lost reply.

def test_r4_adopt_returns_what_the_lost_reply_had(s):
    s.push("a", "b")
    s.delay("x:0", "env")
    claimed = s.claim("1", token="mine")
    assert s.adopt("1", "mine") == claimed
    assert s.adopt("1", "mine") == claimed


def test_r4_adopt_gives_nothing_to_somebody_else(s):
    s.push("a")
    s.claim("1", token="mine")
    for token in ("other", "", "min", "mine 1"):
        assert s.adopt("1", token) is None


def test_r4_adopt_creates_nothing_and_a_late_claim_is_an_orphan_to_be_recovered(s):
    s.push("a", "b")
    assert s.adopt("1", "mine") is None
    assert set(s.everything()) == {s.list.encode()}
    s.claim("1", token="mine", lease=0, items=1)  # the request that sat in a socket
    assert s.claim("2").entries == [b"b"]
    [orphan] = s.expired()
    assert s.takeover(orphan.id, orphan.gen, "new").entries == [b"a"]


# Damage.

@pytest.mark.parametrize("name", ["list", "own", "leases", "delayed", "later", "oversize", "dead"])
def test_a_key_of_the_wrong_type_fails_before_anything_is_written(s, no_invariant, name):
    for other in ("list", "delayed"):
        if other != name:
            s.push("a", "L" * 101) if other == "list" else s.client.zadd(s.key("delayed"), {"x:0": 1})
    if name != "later":
        s.client.hset(s.key("later"), "x:0", "env")
    s.client.delete(s.key(name))
    s.client.set(s.key(name), "not what it should be")
    before = s.everything()
    with pytest.raises(ResponseError, match="WRONGTYPE"):
        s.claim("1", payload=100)
    assert s.everything() == before
