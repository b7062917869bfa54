# SPDX-License-Identifier: MIT
"""./dev demo, smaller: it ends well, says what it has to, and leaves nothing behind; or runs on."""
import glob
import json
import os
import re
import shlex
import shutil
import subprocess
import sys

import pytest

from support.headraced import BUILD
from support.process import until

ROOT = os.path.join(os.path.dirname(__file__), "..", "..")
DEMO = os.path.join(ROOT, "tests", "demo", "demo.py")

pytestmark = pytest.mark.skipif(
    not os.path.exists(os.path.join(BUILD, "headraced")), reason="no headraced in " + BUILD)


@pytest.fixture
def demo(session_folder):
    """demo("--keep") runs it with 10,000 orders; returns what it wrote."""
    def run(*options):
        done = subprocess.run(
            [sys.executable, DEMO, "--orders", "10000", *options], capture_output=True, text=True,
            timeout=120, check=False, env={**os.environ, "TMPDIR": session_folder})
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout
    return run


def figures(said):
    """{name: figure} of the table."""
    return {name: figure.replace(",", "") for name, figure in
            re.findall(r"^  ([a-zA-Z][a-zA-Z/ ]+?) {2,}([\d,.]+)   ", said, re.MULTILINE)}


def test_the_table_of_the_demo(demo, session_folder):
    said = demo()
    table = figures(said)
    expected = {"pushed": "10000", "rows": "9963", "dead letters": "37", "lost": "0", "doubled": "0",
                "altered": "0"}
    assert {name: table.get(name) for name in expected} == expected, said
    for name in ("kills", "rows/s", "CPU seconds", "peak memory"):
        assert float(table[name]) > 0, said
    assert "row 22 (5 × 1048, 5 × 1062, 6 × 1264, 6 × 1406) · expect 10 · decode 5" in said
    assert '1264 customer_id = "4294967296"' in said
    assert not glob.glob(os.path.join(session_folder, "headrace-demo-*"))


def test_kept_it_carries_what_is_pushed_until_it_is_stopped(demo, session_folder):
    said = demo("--keep")
    folder, = glob.glob(os.path.join(session_folder, "headrace-demo-*"))
    push, look = (shlex.split(line) for line in said.splitlines()
                  if re.match("  (redis-cli .* RPUSH|mariadb) ", line))
    try:
        subprocess.run(push, check=True, capture_output=True)
        uid = json.loads(push[-1])["order_uid"]
        until(lambda: uid in subprocess.run(look, check=True, capture_output=True, text=True).stdout,
              what="the row of the order pushed by hand")
    finally:
        subprocess.run([os.path.join(folder, "stop")], check=True)
    assert not os.path.exists(folder)


@pytest.fixture
def dev(tmp_path):
    """dev("demo", "--help") runs that in a clone that has nothing to build, and must not try."""
    shutil.copy(os.path.join(ROOT, "dev"), tmp_path)
    for folder in ("demo", "bench"):
        shutil.copytree(os.path.join(ROOT, "tests", folder), tmp_path / "tests" / folder,
                        ignore=lambda _, names: [name for name in names if not name.endswith(".py")])
    yield lambda *words: subprocess.run([tmp_path / "dev", *words], capture_output=True, text=True,
                                        timeout=60, check=False)
    assert not (tmp_path / "build").exists()


@pytest.mark.parametrize(
    "command", ["demo", "bench", "test", "lint", "sanitize", "fuzz", "package", "deps", "build"])
def test_a_command_is_explained_at_once_and_without_a_build(command, dev):
    for option in ("-h", "--help"):
        done = dev(command, option)
        own = command if command in ("demo", "bench") else "COMMAND"
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.startswith(f"usage: ./dev {own}")


@pytest.mark.parametrize("words, said", [
    (["--kepp"], "unrecognized arguments: --kepp"),
    (["--orders", "10"], "at least 1000"),
], ids=["option", "value"])
def test_a_demo_that_cannot_be_is_refused_before_anything_is_built(words, said, dev):
    done = dev("demo", *words)
    assert done.returncode == 2 and said in done.stderr
