# SPDX-License-Identifier: MIT
"""The scripts that people and the ledger's sweep ask: known, counts, dead_retry, dead_rm, delay."""
import pytest
from redis import ResponseError

from support.scripts import LONG

pytestmark = pytest.mark.usefixtures("invariant")


def test_r11_known_tells_which_batches_redis_still_holds(s):
    s.push(*"abc")
    for id in "123":
        s.claim(id, items=1)
    s.ack("2")
    before = s.everything()
    assert s.known("3", "2", "1", "nothing") == [1, 0, 1, 0]
    assert s.known(*[str(i) for i in range(500)]) == [int(i in (1, 3)) for i in range(500)]
    assert s.everything() == before


def test_counts_of_nothing(s):
    c = s.counts()
    assert c[1:] == (0, 0, 0, 0, 0, 0, set()) and abs(c.now - s.now()) < 5000


def test_counts_tells_where_every_item_is(s):
    s.push(*"abcdefgh")
    s.claim("1", items=3)
    s.claim("2", items=2)
    s.claim("3", items=1)
    s.ack("3", retry=[(0, LONG, "env")])
    s.delay("x:0", "env", 1234)
    s.client.rpush(s.dead, "x", "y", "z")
    s.client.set(s.key("paused"), "by hand")
    assert s.counts().ids == {"1", "2"}
    c = s.counts("1", "2", "gone")
    assert c[1:] == (2, 5, 2, 3, 1234, 1, {"1", "2"})


def test_dead_retry_moves_the_letter_back_due_at_once_with_its_id(s):
    s.client.rpush(s.dead, "one", "two", "three")
    assert s.dead_retry(1, "two", "b:7", "env of two") == b"OK"
    assert s.letters() == [b"one", b"three"]
    assert s.delayed() == {"b:7": b"env of two"}
    assert s.claim("1").entries == [b"env of two"]


def test_dead_retry_takes_the_payload_that_lay_apart_with_it(s):
    s.push("L" * 101)
    s.claim("1", payload=100)
    s.dead_retry(0, s.letters()[0], "1:oversize:0", b"env with " + b"L" * 101, "1:oversize:0")
    assert not s.letters() and not s.client.exists(s.key("oversize"))
    assert s.claim("2", payload=100).entries == [b"env with " + b"L" * 101]


def test_one_letter_pushed_twice_becomes_one_item_again(s):
    s.client.rpush(s.dead, "same", "same")
    s.dead_retry(0, "same", "b:7", "env")
    s.dead_retry(0, "same", "b:7", "env")
    assert not s.letters() and s.delayed() == {"b:7": b"env"}


def test_dead_rm_removes_one_letter_and_its_payload(s):
    s.push("L" * 101, "M" * 102)
    s.claim("1", payload=100)
    assert s.dead_rm(0, s.letters()[0], "1:oversize:0") == b"OK"
    assert [x for x in s.client.hkeys(s.key("oversize"))] == [b"1:oversize:1"]
    assert len(s.letters()) == 1


def test_a_letter_on_another_server_goes_in_two_steps(s):
    s.client.rpush(s.dead, "one", "two")
    assert s.put_back("b:7", "env of two") == s.put_back("b:7", "env of two") == b"OK"
    assert s.dead_rm(1, "two", remote=True) == b"OK"
    assert s.letters() == [b"one"] and s.delayed() == {"b:7": b"env of two"}
    assert s.claim("1").entries == [b"env of two"]


@pytest.mark.parametrize("name", ["delayed", "later"])
def test_putting_back_with_a_key_of_the_wrong_type_writes_nothing(s, no_invariant, name):
    s.client.set(s.key(name), "not what it should be")
    before = s.everything()
    with pytest.raises(ResponseError, match="WRONGTYPE"):
        s.put_back("b:7", "env")
    assert s.everything() == before


@pytest.mark.parametrize("index", [0, 1, 4, 5, -1])
def test_of_equal_letters_just_one_goes(s, index):
    s.client.rpush(s.dead, *["same"] * 6)
    assert s.dead_rm(index, "same") == b"OK"
    assert len(s.letters()) == 5


@pytest.mark.parametrize("name", ["delayed", "later", "oversize"])
def test_dead_retry_with_a_key_of_the_wrong_type_writes_nothing(s, no_invariant, name):
    s.client.rpush(s.dead, "one")
    s.client.set(s.key(name), "not what it should be")
    before = s.everything()
    with pytest.raises(ResponseError, match="WRONGTYPE"):
        s.dead_retry(0, "one", "b:7", "env")
    assert s.everything() == before


def test_dead_rm_with_a_key_of_the_wrong_type_writes_nothing(s, no_invariant):
    s.client.rpush(s.dead, "one")
    s.client.set(s.key("oversize"), "not what it should be")
    before = s.everything()
    with pytest.raises(ResponseError, match="WRONGTYPE"):
        s.dead_rm(0, "one", "x")
    assert s.everything() == before


@pytest.mark.parametrize("operation", ["retry", "rm"])
@pytest.mark.parametrize("index, letter", [(0, "two"), (1, "one"), (2, "two"), (9, "two"), (1, "tw")])
def test_a_list_changed_meanwhile_is_not_touched(s, operation, index, letter):
    s.client.rpush(s.dead, "one", "two", "three")
    s.client.hset(s.key("oversize"), "x", "payload")
    before = s.everything()
    if operation == "retry":
        assert s.dead_retry(index, letter, "b:7", "env", "x") == b"CHANGED"
    else:
        assert s.dead_rm(index, letter, "x") == b"CHANGED"
    assert s.everything() == before
