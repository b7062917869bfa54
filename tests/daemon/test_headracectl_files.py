# SPDX-License-Identifier: MIT
"""headracectl without a daemon: the commands that read files, help, and an output that fails."""
import json
import os
import subprocess

import pytest

from support.ctl import CONFIGURATION, CTL, DONE, INTERNAL, USAGE, Ctl, needs_ctl
from support.headraced import servers

pytestmark = needs_ctl


def folder_of(tmp_path, job, main=None):
    config = {"version": 1, "instance": "one", "servers": servers("redis://127.0.0.1/0", "mysql://app@127.0.0.1/shop")}
    config.update(main or {})
    (tmp_path / "jobs.d").mkdir()
    (tmp_path / "headrace.yaml").write_text(json.dumps(config))
    (tmp_path / "jobs.d" / "orders.yaml").write_text(json.dumps(job))
    return str(tmp_path)


LIST = {"source": {"redis_list": {"server": "queue", "key": "orders"}}}
INSERT = {"sink": {"mysql": {"server": "shop", "statement": "INSERT INTO orders (uid) VALUES (:uid)",
                             "params": {"uid": ".order_uid"}}}}


def test_check_counts_what_it_read(tmp_path):
    config = folder_of(tmp_path, {**LIST, **INSERT})
    assert Ctl()("check", "--config", config) == "ok: 1 job, 2 servers\n"
    assert Ctl().json("check", "-c", config) == {
        "ok": True, "jobs": 1, "servers": 2, "errors": 0, "diagnostics": []}


def test_check_of_a_job_by_itself_says_which_folder_to_give(tmp_path):
    config = folder_of(tmp_path, {**LIST, **INSERT})
    job = os.path.join(config, "jobs.d", "orders.yaml")
    status, _, err = Ctl().run("check", "--config", job)
    assert status == CONFIGURATION
    assert err.splitlines() == [f"{job}:1:1: error: is a job: give the folder with headrace.yaml, which "
                                f"names its servers (--config {config})"]
    assert "1 job, 2 servers" in Ctl()("check", "--config", config)


def test_check_reports_every_mistake_at_once(tmp_path):
    config = folder_of(tmp_path, {**LIST, **INSERT, "retyr": {}, "limits": {"concurrency": "many"}})
    status, out, err = Ctl().run("check", "--config", config)
    assert status == CONFIGURATION and out == ""
    assert "retyr" in err and "did you mean" in err and "concurrency" in err and len(err.splitlines()) == 2
    told = Ctl().json("check", "--config", config, want=CONFIGURATION)
    assert told["errors"] == 2 and {d["severity"] for d in told["diagnostics"]} == {"error"}
    assert all(d["file"].endswith("orders.yaml") and d["line"] == 1 and d["column"] > 1 for d in told["diagnostics"])
    Ctl()("check", "--config", str(tmp_path / "nothing"), want=CONFIGURATION)


def test_a_credential_that_cannot_be_read_is_a_note(tmp_path):
    config = folder_of(tmp_path, {**LIST, **INSERT}, {"servers": {
        "queue": {"redis": {"url": "redis://127.0.0.1/0", "password": "${cred:redis}"}},
        "shop": {"mysql": {"url": "mysql://app@127.0.0.1/shop"}}}})
    status, out, err = Ctl().run("check", "--config", config)
    assert status == DONE and "note" in err and "redis" in err and out.startswith("ok: ")
    assert Ctl().json("check", "--config", config)["diagnostics"][0]["severity"] == "note"


@pytest.mark.parametrize("more, kinds, words", [
    ({}, {"kept", "lost", "doubled", "waits"}, ["exactly one row", "ledger", "Redis falls back"]),
    ({"delivery": "at_least_once"}, {"kept", "lost", "doubled", "waits"},
     ["none is lost, some may come twice", "the same dead letter may be written twice"]),
    ({"delivery": "at_most_once"}, {"lost", "doubled", "waits"}, ["some may be lost"]),
    ({"dead_letter": {"redis_list": {"server": "other", "key": "morgue"}}},
     {"kept", "lost", "doubled", "waits"}, ["pushed again with the same id", "morgue (server other)"]),
])
def test_explain_tells_what_is_lost_or_doubled(tmp_path, more, kinds, words):
    main = {"servers": {**servers("redis://127.0.0.1/0", "mysql://app:secret@127.0.0.1/shop"),
                        "other": {"redis": {"url": "redis://127.0.0.2/0"}}}}
    config = folder_of(tmp_path, {**LIST, **INSERT, **more}, main)
    out = Ctl()("explain", "orders", "--config", config)
    told = Ctl().json("explain", "orders", "--config", config)
    assert told["delivery"] == more.get("delivery", "exactly_once")
    assert {f["outcome"] for f in told["failures"]} == kinds
    for word in words:
        assert word.lower() in out.lower() and word.lower() in json.dumps(told).lower()
    assert "secret" not in out


def test_explain_says_where_a_step_drops_but_not_what_was_put_in(tmp_path, monkeypatch):
    monkeypatch.setenv("TOKEN", "hush-hush")
    config = folder_of(tmp_path, {"source": {"lines": {"path": "-"}}, "sink": {"print": {}}, "steps": [
        {"drop": {"when": ".test == true"}}, {"drop": {"when": '.token == "${TOKEN}"'}}]})
    out = Ctl()("explain", "orders", "--config", config)
    assert "drops items where .test == true," in out and "where its expression is true," in out
    assert "hush" not in out


def test_explain_of_lines_and_of_no_job(tmp_path):
    config = folder_of(tmp_path, {"source": {"lines": {"path": "-"}}, "sink": {"print": {}}})
    out = Ctl()("explain", "orders", "--config", config)
    assert "Reads each line of standard input" in out and "standard error" in out
    assert "no job oders" in Ctl().error("explain", "oders", "--config", config, want=USAGE)
    assert "(its jobs: " in Ctl().error("explain", "nope", "--config", config, want=USAGE)
    assert "orders" in Ctl().error("explain", "nope", "--config", config, want=USAGE)


def test_ledger_prints_a_statement_that_works(tmp_path, mariadb):
    config = folder_of(tmp_path, {**LIST, **INSERT})
    out = Ctl()("ledger", "--config", config)
    assert "server shop, for: orders" in out
    mariadb.script(out)
    assert mariadb.count("headrace_ledger") == 0
    told = Ctl().json("ledger", "--config", config)
    assert told["servers"] == [{"server": "shop", "jobs": ["orders"]}] and told["ddl"] in out


def test_ledger_says_when_no_job_needs_it(tmp_path):
    config = folder_of(tmp_path, {**LIST, **INSERT, "delivery": "at_least_once"})
    assert "no job of this configuration needs it" in Ctl()("ledger", "--config", config)
    assert Ctl().json("ledger", "--config", config)["servers"] == []


@pytest.mark.parametrize("command", ["status", "pause", "resume", "dead ls", "dead show", "dead retry", "dead rm",
                                     "enqueue", "check", "explain", "ledger"])
def test_each_command_has_help(command):
    out = Ctl()(*command.split(), "--help")
    assert out.startswith(f"Usage: headracectl {command} ") and "--json" in out
    assert command in Ctl()("--help")


def test_version():
    name, version = Ctl()("--version").split()
    assert name == "headracectl" and version[0].isdigit()


def test_output_that_cannot_be_written_is_an_error(tmp_path):
    config = folder_of(tmp_path, {**LIST, **INSERT})
    with open("/dev/full", "wb") as full:
        done = subprocess.run([CTL, "ledger", "--config", config], stdout=full, stderr=subprocess.PIPE)
    assert done.returncode == INTERNAL and b"standard output cannot be written" in done.stderr
