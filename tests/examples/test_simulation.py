# SPDX-License-Identifier: MIT
"""The program of docs/simulation.md prints what the guide says, and finds the mistake it is given."""
import os
import re
import subprocess

from support.document import blocks, read
from support.headraced import BUILD


def run(*argv):
    program = os.path.join(BUILD, "docs", "examples", "simulation")
    done = subprocess.run([program, *argv], capture_output=True, text=True, timeout=60, check=False)
    return done.stdout, done.stderr, done.returncode


def without_figures(text):
    return re.sub(r"\d+", "N", text)


def test_prints_what_the_guide_says():
    said = blocks(read("docs", "simulation.md"), "text")[0]
    printed, errors, status = run()
    assert (without_figures(printed), errors, status) == (without_figures(said), "", 0)
    assert min(map(int, re.findall(r"each of (\d+) steps", printed))) > 50


def test_a_shop_that_forgets_is_found_and_its_seed_told():
    printed, errors, status = run("forgetful")
    assert (printed, status) == ("", 1)
    found = re.fullmatch(r"seed (\d+): order \d was sold \d times\n", errors)
    assert found
    assert run("forgetful", found[1])[1:] == (errors, status)


def test_a_seed_alone_shows_the_same_events_each_time():
    printed, errors, status = run("7")
    assert (errors, status) == ("", 0)
    assert printed.count("\n") > 50 and "peer" in printed
    assert run("7") == (printed, errors, status)
