# SPDX-License-Identifier: MIT
"""ack, giveback, release, split and rename against a real Redis: how a batch leaves its owner."""
import pytest
from redis import ResponseError

from support.scripts import LONG, Listed

pytestmark = pytest.mark.usefixtures("invariant")


def claimed(s, id="1", token="t", items=("a", "b", "c"), **options):
    s.push(*items)
    assert s.claim(id, token=token, items=len(items) + 10, **options).entries
    return id


def second_owner(s, id="1", token="new"):
    s.run_out(id)
    assert s.takeover(id, 1, token)


# ack

def test_ack_of_rows_leaves_nothing(s):
    claimed(s)
    assert s.ack("1") == b"OK"
    assert not s.everything()


def test_ack_moves_dead_and_retries_with_the_batch(s):
    claimed(s)
    before = s.now()
    assert s.ack("1", dead=[b"dead \xff\0", "dead 2"], retry=[(1, 5000, b"env \xff\0")]) == b"OK"
    assert s.letters() == [b"dead \xff\0", b"dead 2"]
    assert s.delayed() == {"1:1": b"env \xff\0"}
    due = s.client.zscore(s.key("delayed"), "1:1")
    assert before + 5000 <= due <= s.now() + 5000, "by Redis' own clock"
    assert s.own("1") is None and not s.batch("1")


def test_ack_repeated_is_gone_and_doubles_nothing(s):
    claimed(s)
    request = dict(dead=["dead"], retry=[(1, LONG, "env")])
    s.ack("1", **request)
    before = s.everything()
    assert s.ack("1", **request) == b"GONE"
    assert s.everything() == before


def test_ack_with_a_stale_token_writes_nothing(s):
    claimed(s)
    before = s.everything()
    assert s.ack("1", "other", dead=["dead"], retry=[(1, 0, "env")]) == b"STALE"
    assert s.everything() == before


def test_r2_two_equal_payloads_retried_stay_two(s):
    claimed(s, items=("same", "same"))
    s.ack("1", retry=[(0, 0, "env of same"), (1, 0, "env of same")])
    assert set(s.delayed()) == {"1:0", "1:1"}
    assert s.claim("2").entries == [b"env of same"] * 2


def test_r2_retries_of_two_batches_stay_apart(s):
    claimed(s, "1", items=("same",))
    claimed(s, "2", items=("same",))
    s.ack("1", retry=[(0, 0, "env")])
    s.ack("2", retry=[(0, 0, "env")])
    assert s.claim("3").d == 2


def test_ack_of_thousands_of_moves(s):
    items = [str(i) for i in range(5000)]
    claimed(s, items=items)
    dead = [f"dead {i}" for i in range(2500)]
    s.ack("1", dead=dead, retry=[(i, 0, f"env {i}") for i in range(2500, 5000)])
    assert s.letters() == [d.encode() for d in dead]
    assert len(s.delayed()) == 2500 and s.client.zcard(s.key("delayed")) == 2500


def test_ack_does_not_look_at_the_limit_of_the_dead_list(s):
    claimed(s, limit=1)
    s.client.rpush(s.dead, "x", "y")
    assert s.ack("1", dead=["z"]) == b"OK"
    assert s.claim("2", limit=1) == b"FULL"


def test_ack_without_a_dead_list_of_ours(s):
    claimed(s)
    args = ("own leases batch:1 delayed later", "1", "t", 0, 1, 0, "env")
    assert s.run("ack", *args) == b"OK"
    assert s.delayed() == {"1:1": b"env"}


@pytest.mark.parametrize("name", ["own", "leases", "delayed", "later", "dead"])
def test_ack_with_a_key_of_the_wrong_type_writes_nothing(s, no_invariant, name):
    claimed(s)
    s.client.delete(s.key(name))
    s.client.set(s.key(name), "not what it should be")
    before = s.everything()
    with pytest.raises(ResponseError, match="WRONGTYPE"):
        s.ack("1", dead=["dead"], retry=[(1, 0, "env")])
    assert s.everything() == before


# giveback

@pytest.mark.parametrize("head", ["left", "right"])
def test_giveback_restores_the_list_as_it_was(s, head):
    items = [b"%d" % i for i in range(2500)]
    s.push(*items)
    s.claim("1", items=2300, head=head)
    assert s.giveback("1", head=head) == b"OK"
    assert s.waiting() == items
    assert set(s.everything()) == {s.list.encode()}


def test_giveback_puts_retries_back_unchanged_and_due_at_once(s):
    s.delay("x:0", b"env \xff\0 one")
    s.delay("x:1", b"env two")
    claimed(s, items=("a",))
    assert s.giveback("1") == b"OK"
    assert s.delayed() == {"1:0": b"env \xff\0 one", "1:1": b"env two"}
    assert s.waiting() == [b"a"]
    again = s.claim("2")
    assert again.d == 2 and set(again.entries) == {b"env \xff\0 one", b"env two", b"a"}


def test_giveback_repeated_doubles_nothing(s):
    s.delay("x:0", "env")
    claimed(s)
    s.giveback("1")
    before = s.everything()
    assert s.giveback("1") == b"GONE"
    assert s.everything() == before


def test_r10_a_second_owner_must_not_give_back(s):
    claimed(s)
    second_owner(s)
    before = s.everything()
    assert s.giveback("1", "new") == b"NOTFIRST"
    assert s.everything() == before
    assert s.release("1", "new") == b"OK"


@pytest.mark.parametrize("name", ["own", "leases", "delayed", "later", "list"])
def test_giveback_with_a_key_of_the_wrong_type_writes_nothing(s, no_invariant, name):
    s.delay("x:0", "env")
    claimed(s)
    s.client.delete(s.key(name))
    s.client.set(s.key(name), "not what it should be")
    before = s.everything()
    with pytest.raises(ResponseError, match="WRONGTYPE"):
        s.giveback("1")
    assert s.everything() == before


# release

def test_release_keeps_the_batch_under_its_id_for_anyone_at_once_and_counts_no_crash(s):
    claimed(s)
    assert s.release("1") == b"OK"
    assert s.expired() == [Listed("1", 1, 1, 0)] and s.lease("1") == 0
    taken = s.takeover("1", 1, "new")
    assert taken.entries == [b"a", b"b", b"c"] and taken.gen == 2 and taken.crashes == 0


def test_release_forgets_the_crashes_before_it(s):
    claimed(s)
    second_owner(s)
    assert s.own("1").crashes == 1
    s.release("1", "new")
    assert s.takeover("1", 2, "newer").crashes == 0
    s.run_out("1")
    assert s.takeover("1", 3, "newest").crashes == 1


def test_release_repeated_is_stale_and_writes_nothing(s):
    claimed(s)
    before = s.everything()
    assert s.release("1", "other") == b"STALE"
    assert s.everything() == before
    s.release("1")
    before = s.everything()
    assert s.release("1") == b"STALE"
    assert s.everything() == before
    assert s.release("2") == b"GONE"


def test_nothing_of_the_old_owner_reaches_a_released_batch(s):
    """Requests that sat in a socket: each would hold the batch for a lease and count a crash."""
    claimed(s, token="old")
    second_owner(s)
    s.release("1", "new")
    before = s.everything()
    assert s.takeover("1", 1, "new") is None
    assert s.takeover("1", 1, "new", predecessor=True) is None
    assert s.renew(("1", "new")) == [0]
    assert s.adopt("1", "new") is None
    assert s.everything() == before


def test_release_keeps_print_number_of_retries_and_instance(s):
    s.delay("x:0", "env")
    s.instance, s.print = "two words\n1 0 1", "p"
    claimed(s)
    s.release("1")
    assert s.own("1") == ("", 1, 0, 1, 1, "p", "two words\n1 0 1")


def test_a_successor_finds_at_once_what_its_predecessor_released(s):
    claimed(s)
    s.release("1")
    assert s.mine() == [Listed("1", 1, 1, 0)]
    taken = s.takeover("1", 1, "new", predecessor=True)
    assert taken.gen == 2 and taken.crashes == 0


# split

def test_split_cuts_in_halves_that_anyone_may_take(s):
    claimed(s, items="abcde")
    assert s.split("1", "t", 3, "c0", "c1") == b"OK"
    assert s.batch("c0") == [b"a", b"b"] and s.batch("c1") == [b"c", b"d", b"e"]
    assert s.own("1") is None and not s.batch("1") and s.lease("1") is None
    for child in ("c0", "c1"):
        assert s.own(child) == ("", 0, 2, 1, 0, "print", "") and s.lease(child) == 0
    taken = s.takeover("c0", 0, "new")
    assert taken.gen == 1 and taken.crashes == 2
    s.run_out("c0")
    assert s.takeover("c0", 1, "newer").crashes == 3, "one more crash and it is split again"


def test_split_starts_single_items_without_crashes(s):
    claimed(s, items="abc")
    s.split("1", "t", 3, "c0", "c1")
    assert s.own("c0").crashes == 0 and s.own("c1").crashes == 2


def test_split_of_what_is_only_too_large_makes_no_suspects(s):
    """Nobody has crashed: the children are as if they had had an owner who let them go."""
    claimed(s, items="abc")
    s.split("1", "t", 0, "c0", "c1")
    for child in ("c0", "c1"):
        assert s.own(child) == ("", 1, 0, 1, 0, "print", "") and s.lease(child) == 0
    taken = s.takeover("c1", 1, "new")
    assert taken.gen == 2 and taken.crashes == 0 and taken.entries == [b"b", b"c"]


def test_split_in_ten_makes_no_empty_child(s):
    s.delay("x:0", "env")
    claimed(s, items="ab")
    children = [f"c{i}" for i in range(10)]
    s.split("1", "t", 3, *children)
    made = [s.batch(c) for c in children if s.own(c)]
    assert made == [[b"env"], [b"a"], [b"b"]]


def test_split_keeps_retries_and_items_apart(s):
    for i in range(3):
        s.delay(f"x:{i}", f"env{i}", i)
    claimed(s, items="abc")
    s.split("1", "t", 3, "c0", "c1", "c2")
    entries = [(s.own(c).d, s.batch(c)) for c in ("c0", "c1", "c2")]
    assert entries == [(2, [b"env0", b"env1"]), (1, [b"env2", b"a"]), (0, [b"b", b"c"])]


def test_r8_split_of_a_gone_parent_is_gone_and_touches_no_child(s):
    claimed(s)
    s.split("1", "t", 3, "c0", "c1")
    s.takeover("c0", 0, "new")
    before = s.everything()
    assert s.split("1", "t", 3, "c0", "c1") == b"GONE"
    assert s.everything() == before


def test_split_carried_out_again_after_a_fall_back_makes_the_same_children(s):
    claimed(s, items=[str(i) for i in range(2501)])
    snapshot = s.everything()
    s.split("1", "t", 3, "c0", "c1")
    first = s.everything()
    s.client.flushall()
    for key, value in snapshot.items():
        s.client.restore(key, 0, value)
    s.split("1", "t", 3, "c0", "c1")
    assert s.everything() == first
    assert s.batch("c0") + s.batch("c1") == [b"%d" % i for i in range(2501)]


def test_split_refuses_a_child_id_in_use(s):
    claimed(s, "1")
    claimed(s, "c1")
    before = s.everything()
    with pytest.raises(ResponseError, match="HRINUSE"):
        s.split("1", "t", 3, "c0", "c1")
    assert s.everything() == before


@pytest.mark.parametrize("operation", ["split", "rename"])
def test_a_stray_batch_list_is_not_mixed_with_another_batch(s, no_invariant, operation):
    claimed(s)
    s.client.rpush(s.key("batch:x"), "stray")
    before = s.everything()
    with pytest.raises(ResponseError, match="HRINUSE"):
        s.split("1", "t", 3, "c0", "x") if operation == "split" else s.rename("1", "t", "x")
    assert s.everything() == before


@pytest.mark.parametrize("operation, name", [
    ("split", "own"), ("split", "leases"), ("split", "batch:1"), ("rename", "own"), ("rename", "leases")])
def test_split_and_rename_with_a_key_of_the_wrong_type_write_nothing(s, no_invariant, operation, name):
    claimed(s)
    s.client.delete(s.key(name))
    s.client.set(s.key(name), "not what it should be")
    before = s.everything()
    with pytest.raises(ResponseError, match="WRONGTYPE"):
        s.split("1", "t", 3, "c0", "c1") if operation == "split" else s.rename("1", "t", "2")
    assert s.everything() == before


# rename

def test_r6_rename_gives_the_same_items_a_new_id_for_anyone(s):
    s.delay("x:0", "env")
    claimed(s)
    second_owner(s)
    assert s.rename("1", "new", "2") == b"OK"
    assert s.own("2") == ("", 0, 1, 1, 1, "print", "") and s.lease("2") == 0
    assert s.own("1") is None and not s.batch("1")
    assert s.takeover("2", 0, "newer").entries == [b"env", b"a", b"b", b"c"]


def test_rename_repeated_is_gone(s):
    claimed(s)
    s.rename("1", "t", "2")
    before = s.everything()
    assert s.rename("1", "t", "2") == b"GONE"
    assert s.everything() == before


def test_rename_refuses_an_id_in_use(s):
    claimed(s, "1")
    claimed(s, "2")
    before = s.everything()
    with pytest.raises(ResponseError, match="HRINUSE"):
        s.rename("1", "t", "2")
    assert s.everything() == before
