# SPDX-License-Identifier: MIT
"""renew, expired, mine and takeover against a real Redis: who owns a batch, and from when."""
import pytest
from redis import ResponseError

from support.scripts import LONG, Listed, Taken

pytestmark = pytest.mark.usefixtures("invariant")


def claimed(s, id="1", token="t", items=("a", "b"), **options):
    s.push(*items)
    assert s.claim(id, token=token, **options).entries
    return id


# renew

def test_renew_sets_the_lease_by_redis_own_clock(s):
    claimed(s, lease=10)
    before = s.now()
    assert s.renew(("1", "t"), lease=7000) == [1]
    assert before + 7000 <= s.lease("1") <= s.now() + 7000


def test_one_call_renews_all_batches_of_a_daemon_and_tells_each_fate(s):
    for i in range(40):
        claimed(s, str(i), token=f"t{i}", lease=10)
    s.ack("3", "t3")
    s.run_out("7")
    s.takeover("7", 1, "thief")
    replies = s.renew(*[(str(i), f"t{i}") for i in range(40)], lease=LONG)
    assert replies == [0 if i in (3, 7) else 1 for i in range(40)]
    assert all(s.lease(str(i)) > s.now() + LONG - 5000 for i in range(40) if i != 3)


def test_renewing_nothing_is_allowed(s):
    assert s.renew() == []


def test_renew_with_a_stale_token_changes_nothing(s):
    claimed(s)
    before = s.everything()
    assert s.renew(("1", "other"), ("1", ""), ("1", "t 1")) == [0, 0, 0]
    assert s.everything() == before


def test_renew_never_creates(s, no_invariant):
    assert s.renew(("1", "t")) == [0]
    assert not s.everything()
    claimed(s)
    s.client.zrem(s.key("leases"), "1")
    assert s.renew(("1", "t")) == [0]
    assert s.lease("1") is None


def test_a_lease_that_is_over_and_not_taken_is_still_its_owners(s):
    claimed(s)
    s.run_out("1")
    assert s.renew(("1", "t")) == [1]
    assert s.expired() == []
    assert s.takeover("1", 1, "thief") is None


# expired and mine

def test_expired_lists_only_leases_that_are_over_the_longest_first(s):
    for id in "abc":
        claimed(s, id)
    s.client.zadd(s.key("leases"), {"a": 20, "b": 10})
    assert s.expired() == [Listed("b", 1, 0, 0), Listed("a", 1, 0, 0)]
    assert s.expired(limit=1) == [Listed("b", 1, 0, 0)]


def test_expired_tells_generation_clean_and_crashes(s):
    claimed(s)
    s.run_out("1")
    s.takeover("1", 1, "u", lease=0)
    assert s.expired() == [Listed("1", 2, 0, 1)]
    s.release("1", "u")
    assert s.expired() == [Listed("1", 2, 1, 0)]


def test_mine_lists_what_own_has_under_the_name_and_nothing_else(s):
    for id, name in (("1", "one"), ("2", "on"), ("3", "one "), ("4", "one"), ("5", "p one")):
        s.instance = name
        claimed(s, id)
    assert {x.id for x in s.mine("one")} == {"1", "4"}
    assert s.mine("one")[0][1:] == (1, 0, 0)
    assert s.mine("nobody") == []


def test_mine_does_not_list_children_that_nobody_owns(s):
    claimed(s)
    s.split("1", "t", 3, "c0", "c1")
    assert s.mine() == [] and len(s.expired()) == 2


def test_batches_of_another_print_are_counted_and_passed_over(s):
    """They must not hide those behind them either, however few are asked for."""
    for id, sink in (("1", "theirs"), ("2", "theirs"), ("3", "theirs"), ("4", "print"), ("5", "print")):
        s.print = sink
        claimed(s, id)
        s.client.zadd(s.key("leases"), {id: int(id)})
    assert s.foreign("print") == 3 and s.foreign("theirs") == 2 and s.foreign("") == 0
    assert [x.id for x in s.expired(sink="print")] == ["4", "5"]
    assert [x.id for x in s.expired(limit=1, sink="print")] == ["4"]
    assert [x.id for x in s.mine(sink="print")] in (["4", "5"], ["5", "4"])
    assert s.foreign("print", instance="one") == 3 and s.foreign("print", instance="two") == 0


# takeover

def test_takeover_waits_until_the_lease_is_over(s):
    claimed(s)
    before = s.everything()
    assert s.takeover("1", 1, "new") is None
    assert s.everything() == before


def test_takeover_counts_generation_and_crash_and_returns_all_of_the_batch(s):
    s.delay("x:0", "env")
    claimed(s)
    s.run_out("1")
    s.instance = "two"
    before = s.now()
    assert s.takeover("1", 1, "new", lease=5000) == Taken(2, 1, 1, b"print", [b"env", b"a", b"b"])
    assert s.own("1") == ("new", 2, 1, 0, 1, "print", "two")
    assert before + 5000 <= s.lease("1") <= s.now() + 5000
    s.run_out("1")
    assert s.takeover("1", 2, "newer").crashes == 2


def test_takeover_with_an_old_generation_gets_nothing(s):
    claimed(s)
    s.run_out("1")
    assert s.takeover("1", 1, "new", lease=0)
    before = s.everything()
    assert s.takeover("1", 1, "late") is None
    assert s.everything() == before


def test_takeover_of_a_gone_batch_gets_nothing(s):
    assert s.takeover("1", 1, "new") is None
    assert not s.everything()


def test_takeover_repeated_after_a_lost_reply_returns_the_same_and_counts_no_second_crash(s):
    claimed(s)
    s.run_out("1")
    first = s.takeover("1", 1, "new", lease=0)
    assert s.takeover("1", 1, "new", lease=LONG) == first
    assert s.own("1").gen == 2 and s.own("1").crashes == 1
    assert s.expired() == [], "with a fresh lease"


def test_takeover_of_a_clean_batch_counts_no_crash_but_the_next_one_does(s):
    claimed(s)
    s.release("1")
    assert s.takeover("1", 1, "new").crashes == 0
    s.run_out("1")
    assert s.takeover("1", 2, "newer").crashes == 1


def test_the_old_token_is_stale_everywhere_after_a_takeover(s):
    claimed(s, token="old")
    s.run_out("1")
    s.takeover("1", 1, "new")
    before = s.everything()
    assert s.renew(("1", "old")) == [0]
    assert s.adopt("1", "old") is None
    assert s.ack("1", "old", dead=["x"], retry=[(0, 0, "e")]) == b"STALE"
    assert s.giveback("1", "old") == b"STALE"
    assert s.release("1", "old") == b"STALE"
    assert s.split("1", "old", 3, "c0", "c1") == b"STALE"
    assert s.rename("1", "old", "2") == b"STALE"
    assert s.everything() == before


def test_the_successor_takes_its_predecessors_batches_at_once(s):
    claimed(s)
    [mine] = s.mine()
    taken = s.takeover(mine.id, mine.gen, "new", predecessor=True)
    assert taken.gen == 2 and taken.crashes == 1, "the predecessor died with it in hand"


def test_only_the_predecessors_lease_is_waived(s):
    claimed(s)
    assert s.takeover("1", 1, "new", predecessor=False) is None
    s.instance = "on"
    assert s.takeover("1", 1, "new", predecessor=True) is None
    s.instance = "one"
    assert s.takeover("1", 2, "new", predecessor=True) is None, "the generation counts all the same"


def test_a_successor_does_not_take_what_another_has_taken_meanwhile(s):
    claimed(s)
    [mine] = s.mine()
    s.run_out("1")
    other = type(s)(s.client, instance="two")
    assert other.takeover("1", 1, "theirs").gen == 2
    assert s.takeover(mine.id, mine.gen, "new", predecessor=True) is None


def test_a_batch_whose_items_were_deleted_is_removed_everywhere(s):
    claimed(s)
    s.client.delete(s.key("batch:1"))
    s.run_out("1")
    assert s.takeover("1", 1, "new") == b"MISSING"
    assert not s.everything()


def test_a_lease_without_an_owner_is_cleared_up(s, no_invariant):
    s.client.zadd(s.key("leases"), {"1": 1})
    assert s.expired() == [Listed("1", -1, 0, 0)]
    assert s.takeover("1", -1, "new") == b"MISSING"
    assert not s.everything()


@pytest.mark.parametrize("name", ["own", "leases", "batch:1"])
def test_takeover_with_a_key_of_the_wrong_type_writes_nothing(s, no_invariant, name):
    claimed(s)
    s.run_out("1")
    s.client.delete(s.key(name))
    s.client.set(s.key(name), "not what it should be")
    before = s.everything()
    with pytest.raises(ResponseError, match="WRONGTYPE"):
        s.takeover("1", 1, "new")
    assert s.everything() == before
