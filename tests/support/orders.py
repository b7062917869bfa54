# SPDX-License-Identifier: MIT
"""Orders as a shop would push them: JSON of about 230 bytes with notes in many scripts, seeded.

Among them, on request, bad ones of each kind, with what the dead letter must say.
"""
import json
import random

_WORDS = (
    "bitte klingeln Größe Straße Müller café naïve señor Łódź Ελλάδα Москва 注文 東京 配送 🚚 📦 ✓ déjà "
    "order express pallet 2× ½ №5 before delivery call leave with neighbour gift wrap back door"
).split()

SCHEMA = """
CREATE TABLE {table} (
    id BIGINT AUTO_INCREMENT PRIMARY KEY,
    uid VARCHAR(36) NOT NULL,
    customer_id INT UNSIGNED NOT NULL,
    amount DECIMAL(10,2) NOT NULL,
    note VARCHAR(160) NULL,
    placed_at DATETIME NOT NULL{unique}
) ENGINE=InnoDB
"""

STATEMENT = (
    "INSERT INTO {table} (uid, customer_id, amount, note, placed_at)"
    " VALUES (:uid, :customer_id, :amount, :note, :placed_at)"
)

PARAMS = {
    "uid": ".order_uid", "customer_id": ".customer_id", "amount": ".amount", "note": ".note",
    "placed_at": {"expr": ".placed_at", "as": "time"},
}


def create_table(mariadb, table="orders", unique=True):
    """With unique=False a doubled order is two rows, which a test can count."""
    mariadb.execute(SCHEMA.format(
        table=table, unique=",\n    UNIQUE KEY uid (uid)" if unique else ",\n    KEY uid (uid)"))


def uid(i, seed=1):
    """The unique id of order i. The seed is part of it: two series never meet."""
    return "%08x-%04x-4%03x-8%03x-%012x" % (
        (i * 2654435761) & 0xFFFFFFFF, seed & 0xFFFF, i >> 20 & 0xFFF, i >> 8 & 0xFFF, i)


def uids(n, seed=1):
    return sorted(uid(i, seed) for i in range(n))


def order(i, seed=1):
    """Order i as a dict; the same for the same i and seed."""
    r = random.Random(seed << 32 | i)
    note, want = "", r.randint(40, 80)
    while len(note) < want:
        note += r.choice(_WORDS) + " "
    return {
        "order_uid": uid(i, seed),
        "customer_id": r.randint(1, 5_000_000),
        "amount": "%d.%02d" % (r.randint(1, 900), r.randint(0, 99)),
        "placed_at": "2026-%02d-%02dT%02d:%02d:%02dZ" % (
            r.randint(1, 12), r.randint(1, 28), r.randint(0, 23), r.randint(0, 59), r.randint(0, 59)),
        "note": note[:want].strip(),
    }


def encode(item):
    return json.dumps(item, ensure_ascii=False, separators=(",", ":")).encode()


def orders(n, seed=1):
    """The first n orders of a series, as bytes to push."""
    return [encode(order(i, seed)) for i in range(n)]


def _with(**changes):
    return lambda i, seed: encode({**order(i, seed), **changes})


def _without(name):
    return lambda i, seed: encode({k: v for k, v in order(i, seed).items() if k != name})


# kind: (how to make it, error class, error code where the server has one, column)
BAD = {
    "text_too_long": (_with(note="ü" * 161), "row", 1406, "note"),
    "out_of_range": (_with(customer_id=4_294_967_296), "row", 1264, "customer_id"),
    "negative": (_with(customer_id=-1), "row", 1264, "customer_id"),
    "bad_date": (_with(placed_at="2026-02-30T10:00:00Z"), "row", 1292, "placed_at"),
    "missing_field": (_without("order_uid"), "row", 1048, "uid"),
    "null_field": (_with(customer_id=None), "row", 1048, "customer_id"),
    "too_many_decimals": (_with(amount="1.239"), "row", None, "amount"),
    "not_json": (lambda i, seed: encode(order(i, seed))[:-1], "decode", None, None),
    "not_utf8": (lambda i, seed: encode(order(i, seed)).replace(b'"note":"', b'"note":"\xff\xfe'),
                 "decode", None, None),
    "empty": (lambda i, seed: b"", "decode", None, None),
}


def bad(kind, i, seed=2):
    return BAD[kind][0](i, seed)


def duplicate_of(i, seed=1):
    """Another order with the unique id of order i: 1062 where the table has its unique key."""
    return encode({**order(i, seed), "customer_id": 1, "note": "again"})


def mixed(n, n_bad, seed=1):
    """n items of which n_bad are bad, kinds in turn, spread evenly. Returns (items, {item: kind})."""
    items, kinds, names = orders(n - n_bad, seed), {}, [k for k in BAD if k != "empty"]
    for j in range(n_bad):
        kind = names[j % len(names)]
        item = bad(kind, j, seed + 1000)
        kinds[item] = kind
        items.insert((j + 1) * len(items) // (n_bad + 1), item)
    return items, kinds
