# SPDX-License-Identifier: MIT
"""The accounts of the demo: every order against rows and dead letters, as a table for people."""
import collections
import json

from demo.orders import FINGERPRINT
from support import check


class Report:
    """Compares what was pushed with what is there now."""

    def __init__(self, series, redis, mariadb):
        self.series = series
        self.accounts = check.Accounts(redis, mariadb, series.items)
        self.rows = sum(self.accounts.rows.values())
        self.lost = sum(self.accounts.lost.values())
        self.doubled = sum(self.accounts.doubled.values())
        self.altered = [uid for uid, value in mariadb.execute(f"SELECT uid, {FINGERPRINT} FROM orders")
                        if value not in series.rows.get(uid, ())]
        self.unexpected = list(self._unexpected(redis.client))

    def _unexpected(self, client):
        """Dead letters that do not say what is wrong with their order."""
        for letter in self.accounts.letters:
            fate = self.series.fates.get(check.name_of(check.payload(client, letter)))
            error = letter["error"]
            said = (error["class"], error.get("code"), error.get("column"))
            if fate is None or said != (fate.error_class, fate.code, fate.column):
                yield f"{said} of {letter['id']}, a case of: {fate.kind if fate else 'a good order'}"

    def problems(self):
        """What is off, a sentence each. Empty when all is as promised."""
        n_bad = len(self.series.fates)
        n_good = len(self.series.items) - n_bad
        a = self.accounts
        found = []
        if self.rows != n_good:
            found.append(f"{self.rows:,} rows instead of {n_good:,}")
        if len(a.letters) != n_bad:
            found.append(f"{len(a.letters)} dead letters instead of {n_bad}")
        if self.lost:
            found.append(f"{self.lost} lost, for example {list(a.lost)[0]}")
        if self.doubled:
            found.append(f"{self.doubled} doubled, for example {list(a.doubled)[0]}")
        if self.altered:
            found.append(f"{len(self.altered)} rows altered, for example {self.altered[0]}")
        if a.waiting or a.leftovers:
            found.append(f"left in Redis: {a.waiting} in the list, {a.leftovers}")
        return found + [f"an unexpected dead letter: {text}" for text in self.unexpected]

    def table(self, run):
        """run: what happened meanwhile, see demo.py."""
        lines = [
            ("pushed", f"{len(self.series.items):,}",
             f"JSON orders of {self.series.mean_size:.0f} bytes, by plain RPUSH"),
            ("rows", f"{self.rows:,}", "in MariaDB, on disk at each commit"),
            ("dead letters", f"{len(self.accounts.letters):,}", self._classes()),
            *[("", "", text) for text in self._examples()],
            ("lost", f"{self.lost}", "pushed, and neither a row nor a dead letter"),
            ("doubled", f"{self.doubled}", "more rows and dead letters than pushes"),
            ("altered", f"{len(self.altered)}", "rows whose columns are not what was pushed"),
            ("kills", f"{run.kills}", run.story),
            ("rows/s", f"{self.rows / run.seconds:,.0f}", f"{run.seconds:.2f} s, all restarts included"),
            ("CPU seconds", f"{run.cpu_seconds:.2f}", f"user and system, of {run.runs} runs of headraced"),
            ("peak memory", f"{run.peak_memory / 2**20:.1f}", "MiB resident, of headraced"),
        ]
        return "\n".join(f"  {name:<13}{figure:>9}   {text}".rstrip() for name, figure, text in lines)

    def _classes(self):
        """row 22 (1048 5 · 1062 5 …) · expect 10 · …"""
        classes = collections.defaultdict(collections.Counter)
        for letter in self.accounts.letters:
            classes[letter["error"]["class"]][letter["error"].get("code")] += 1
        parts = []
        for name, codes in sorted(classes.items(), key=lambda c: -sum(c[1].values())):
            known = ", ".join(f"{n} × {code}" for code, n in sorted(codes.items(), key=str) if code)
            parts.append(f"{name} {sum(codes.values())}" + (f" ({known})" if known else ""))
        return " · ".join(parts)

    def _examples(self):
        """Two dead letters of different errno."""
        by_code = {letter["error"]["code"]: letter["error"] for letter in self.accounts.letters
                   if letter["error"].get("code") and "value" in letter["error"]}
        for code in sorted(by_code, reverse=True)[:2]:
            error = by_code[code]
            value = error["value"] if len(error["value"]) <= 32 else error["value"][:32] + "…"
            yield f"{code} {error['column']} = {json.dumps(value, ensure_ascii=False)}"
