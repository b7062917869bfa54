# SPDX-License-Identifier: MIT
"""All scripts in a Redis at maxmemory, in a Redis Cluster, and what holds for each of them."""
import hashlib
import os
import re
import subprocess
import sys

import pytest
import redis as redis_py
from redis import ResponseError

from support import check
from support.process import until
from support.scripts import FOLDER, LONG, NAMES, Scripts, source

pytestmark = pytest.mark.usefixtures("invariant")


def fill(s):
    """Puts Redis beyond its limit: not one more push is taken."""
    used = s.client.info("memory")["used_memory"]
    s.client.config_set("maxmemory-policy", "noeviction")
    s.client.config_set("maxmemory", used - used // 20)
    with pytest.raises(ResponseError, match="maxmemory"):
        s.client.rpush("other", "x")


def busy(s):
    """Eight batches, one of them with its lease over, and something everywhere else."""
    s.push(*[b"%04d" % i + b"x" * 200 for i in range(3000)])
    s.push("L" * 5000)
    s.client.lmove(s.list, s.list, "RIGHT", "LEFT")
    for i in range(20):
        s.delay(f"x:{i}", f"env {i} " + "y" * 200, i)
    for i in range(8):
        s.claim(str(i), items=100)
    s.run_out("1")
    s.client.rpush(s.dead, "letter one", "letter two")


OPERATIONS = {
    "claim": lambda s: len(s.claim("new", items=500).entries) == 500,
    "claim_too_long": lambda s: (s.giveback("0"), s.claim("new", items=5, payload=1000))[1].too_long == 1,
    "at_most_once": lambda s: len(s.claim("new", token="", items=500).entries) == 500,
    "adopt": lambda s: len(s.adopt("1").entries) == 100,
    "renew": lambda s: s.renew(*[(str(i), "t") for i in range(8)], lease=2 * LONG) == [1] * 8,
    "takeover": lambda s: s.takeover("1", 1, "new" * 20).gen == 2,
    "predecessor": lambda s: s.takeover("2", 1, "new" * 20, predecessor=True).gen == 2,
    "ack": lambda s: s.ack("1") == b"OK",
    "ack_moves": lambda s: s.ack("1", dead=["d" * 300] * 50,
                                 retry=[(i, 0, "e" * 300) for i in range(50)]) == b"OK",
    "giveback": lambda s: s.giveback("1") == b"OK",
    "release": lambda s: s.release("1") == b"OK",
    "split": lambda s: s.split("1", "t", 3, *[f"c{i}" for i in range(10)]) == b"OK",
    "rename": lambda s: s.rename("1", "t", "a-much-longer-name-than-before") == b"OK",
    "dead_retry": lambda s: s.dead_retry(1, "letter two", "b:7", "env") == b"OK",
    "dead_rm": lambda s: s.dead_rm(0, "letter one") == b"OK",
    "reading": lambda s: (s.known("1") == [1] and s.counts().dead == 2 and len(s.mine()) == 8
                          and len(s.expired()) == 1),
}


@pytest.mark.parametrize("operation", OPERATIONS)
def test_works_at_maxmemory_because_its_first_write_frees(s, operation):
    busy(s)
    fill(s)
    assert OPERATIONS[operation](s)


def test_a_noeviction_redis_at_maxmemory_drains_to_empty(s):
    """Items that fail on the way included: retried once, and every 50th dead in the end."""
    items = [b"%05d" % i + b"x" * 220 for i in range(12_000)]
    s.push(*items)
    fill(s)
    rows, n = [], 0
    while True:
        n += 1
        got = s.claim(str(n))
        if got == b"NONE":
            break
        retry, dead = [], []
        for i, entry in enumerate(got.entries):
            number = int(entry[-225:-220])
            if number % 50 == 0 and i >= got.d:
                retry.append((i, 0, b"envelope of " + entry))
            elif number % 50 == 0:
                dead.append(b'{"id": "%d", "payload": "' % number + entry + b'"}')
            else:
                rows.append(entry)
        assert s.renew((str(n), "t")) == [1]
        assert s.ack(str(n), dead=dead, retry=retry) == b"OK"
    assert sorted(rows) == [x for i, x in enumerate(items) if i % 50]
    assert len(s.letters()) == 240
    assert set(s.everything()) == {s.dead.encode()}


def scripts_of_a_life(s):
    """Every script at least once; returns {script: the keys it was given}."""
    keys, run = {}, s.run

    def noting(script, names, *args):
        try:
            return run(script, names, *args)
        finally:
            keys.setdefault(script, set()).update(s.last_keys)
    s.run = noting
    s.push(*"abcdefghijkl", "L" * 101)
    s.delay("x:0", "env")
    s.claim("1", payload=100, items=6, token="t")
    s.adopt("1")
    s.renew(("1", "t"))
    s.mine()
    s.known("1")
    s.counts("1")
    s.run_out("1")
    [old] = s.expired()
    s.takeover("1", old.gen, "u")
    s.split("1", "u", 3, "c0", "c1")
    s.takeover("c0", 0, "v")
    s.ack("c0", "v", dead=["dead 1", "dead 2"], retry=[(0, 0, "env")])
    s.takeover("c1", 0, "w")
    s.rename("c1", "w", "d")
    s.takeover("d", 0, "x")
    s.release("d", "x")
    s.claim("2", payload=100)
    s.dead_retry(0, "dead 1", "b:1", "env")
    s.dead_rm(0, "dead 2")
    s.giveback("2")
    s.put_back("b:2", "env")
    return keys


def test_every_script_names_all_keys_it_touches(s, spy):
    with spy() as calls:
        given = scripts_of_a_life(s)
    assert set(given) == set(NAMES)
    touched = {c[1] for c in calls if c[0] != "TIME"} | {c[2] for c in calls if c[0] == "RENAME"}
    assert touched <= set().union(*given.values())
    assert not [n for n in NAMES if re.search(r"redis\.call\('\w+', *['\"]|:hr:", source(n))]


def test_all_scripts_run_in_a_redis_cluster(new_redis):
    client = new_redis(cluster_enabled="yes").client
    client.execute_command("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
    until(lambda: b"cluster_state:ok" in client.execute_command("CLUSTER", "INFO"))
    for key in ("K", "{shop}:orders", "odd {key} *?[x]"):
        scripts_of_a_life(Scripts(client, key, dead=check.tag(key) + ":dead"))
        check.invariant(client, key)


def test_a_redis_user_needs_no_more_than_these_commands(s):
    commands = set()
    for name in NAMES:
        commands |= {c.lower() for c in re.findall(r"redis\.call\('(\w+)'", source(name))}
    commands |= {"rpush", "lpush"}
    commands |= {"eval", "zadd", "hset", "set", "ping"}  # what the test itself uses
    s.client.acl_setuser("narrow", enabled=True, reset=True, nopass=True, keys=["K", "K:dead", "{K}:hr:*"],
                         commands=["+" + c for c in sorted(commands)])
    try:
        pool = s.client.connection_pool
        narrow = redis_py.Redis(unix_socket_path=pool.connection_kwargs["path"], username="narrow",
                                password="x")
        scripts_of_a_life(Scripts(narrow))
    finally:
        s.client.acl_deluser("narrow")


def test_what_is_compiled_in_is_what_stands_in_the_files(session_folder):
    header, body = (os.path.join(session_folder, "scripts." + x) for x in "hc")
    files = [os.path.join(FOLDER, n + ".lua") for n in NAMES]
    subprocess.run([sys.executable, os.path.join(FOLDER, "embed.py"), header, body, *files], check=True)
    with open(body, encoding="ascii") as f:
        made = f.read()
    for name in NAMES:
        data = source(name).encode()
        block = made.split(f"script_{name} = {{")[1].split("\n};")[0]
        literal = "".join(re.findall(r'^    "(.*)",?$', block, re.MULTILINE))
        text = literal.replace("\\?", "?").encode().decode("unicode_escape").encode("latin-1")
        assert text == data
        assert f'.sha1 = "{hashlib.sha1(data).hexdigest()}"' in block and f".len = {len(data)}" in block
