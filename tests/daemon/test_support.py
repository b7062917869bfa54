# SPDX-License-Identifier: MIT
"""The tools of the stories do what the stories rely on."""
import signal
import socket

import pymysql
import pytest
import redis as redis_py

from support import check, orders
from support.process import until


def connect(proxy, **options):
    return redis_py.Redis(unix_socket_path=proxy.listen, socket_timeout=0.5, retry=None, **options)


def test_redis_keeps_over_kill_what_it_confirmed(redis):
    redis.client.rpush("k", "a")
    redis.restart()
    assert redis.client.lrange("k", 0, -1) == [b"a"]


def test_mariadb_keeps_over_kill_what_it_confirmed(mariadb):
    mariadb.execute("INSERT INTO orders (uid, customer_id, amount, placed_at) VALUES ('a', 1, 1, NOW())")
    mariadb.restart()
    assert mariadb.column("orders", "uid") == ["a"]


def test_a_frozen_server_is_silent_until_thawed(redis):
    impatient = redis_py.Redis(unix_socket_path=redis.socket, socket_timeout=0.1, retry=None)
    redis.freeze()
    with pytest.raises(redis_py.TimeoutError):
        impatient.ping()
    redis.thaw()
    assert redis.client.ping()


def test_orders_are_what_they_claim():
    made = orders.orders(300)
    assert len(set(made)) == 300 and made == orders.orders(300)
    assert 200 <= sum(map(len, made)) / 300 <= 280
    assert orders.uids(300) == sorted({check.name_of(item) for item in made})
    assert any(max(item) > 127 for item in made)


@pytest.mark.parametrize("kind", [k for k, v in orders.BAD.items() if v[2]])
def test_each_bad_order_gets_the_errno_it_is_for(mariadb, kind):
    order = orders.json.loads(orders.bad(kind, 0))
    with mariadb.connect() as connection, connection.cursor() as cursor:
        with pytest.raises(pymysql.MySQLError) as error:
            cursor.execute(
                "INSERT INTO orders (uid, customer_id, amount, note, placed_at) VALUES (%s,%s,%s,%s,%s)",
                (order.get("order_uid"), order["customer_id"], order["amount"], order["note"],
                 order["placed_at"].rstrip("Z")))
    assert error.value.args[0] == orders.BAD[kind][2]


@pytest.mark.parametrize("tcp", [False, True])
def test_a_proxy_passes_refuses_cuts_stalls_and_splits(redis, new_proxy, tcp):
    proxy = new_proxy(redis, tcp)
    where = {"host": "127.0.0.1", "port": proxy.listen[1]} if tcp else {"unix_socket_path": proxy.listen}
    client = redis_py.Redis(**where, socket_timeout=0.3, retry=None)
    assert client.ping() and proxy.connections == 1
    proxy.cut()
    assert client.ping() and proxy.connections == 2
    proxy.down()
    with pytest.raises(redis_py.ConnectionError):
        client.ping()
    proxy.accept()
    proxy.split(1)
    assert client.echo("x" * 300) == b"x" * 300
    proxy.split(0)
    proxy.stall()
    with pytest.raises(redis_py.TimeoutError):
        client.ping()
    proxy.resume()
    assert client.ping()


def test_a_lost_reply_was_carried_out_and_a_lost_request_was_not(redis, new_proxy):
    proxy = new_proxy(redis)
    client = connect(proxy)
    proxy.lose_reply(b"INCR")
    with pytest.raises(redis_py.ConnectionError):
        client.incr("n")
    assert redis.client.get("n") == b"1" and proxy.pending == 0
    proxy.lose_request(b"INCR")
    with pytest.raises(redis_py.ConnectionError):
        client.incr("n")
    assert redis.client.get("n") == b"1"
    assert client.incr("n") == 2


def test_a_vanished_client_stays_connected_at_the_server(redis, new_proxy):
    proxy = new_proxy(redis)
    client = connect(proxy, client_name="gone")
    client.ping()
    proxy.vanish()
    client.connection_pool.disconnect()
    there = lambda: any(c["name"] == "gone" for c in redis.client.client_list())
    assert connect(proxy).ping() and there()
    proxy.release()
    until(lambda: not there())


def test_a_proxy_greets_in_place_of_the_server(redis, new_proxy):
    proxy = new_proxy(redis)
    proxy.greet(b"-ERR max number of clients reached\r\n")
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(proxy.listen)
        assert s.recv(100) == b"-ERR max number of clients reached\r\n"
    assert connect(proxy).ping()


def test_an_action_runs_when_the_request_has_passed(redis, new_proxy):
    proxy = new_proxy(redis)
    client, seen = connect(proxy), []
    proxy.on_request(b"SET", lambda: seen.append(proxy.pending))
    assert client.set("a", "b") and seen == [0]
    proxy.lose_request(b"SET", action=lambda: redis.signal(signal.SIGKILL))
    with pytest.raises(redis_py.ConnectionError):
        client.set("a", "c")
    redis.wait()
    assert redis.start().client.get("a") == b"b"
