#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Counts the cases of test runs: prints "PASSED FAILED SKIPPED" for the given result files.

A file is meson's testlog.json (each program's own cmocka or TAP lines are counted, not the program)
or a JUnit XML as pytest writes it. A program that ends badly without naming a failed case, because
it crashed or leaked, counts as one failed case. Names of what failed go to standard error.
"""

import json
import os
import re
import sys
import xml.etree.ElementTree as xml

TAP = re.compile(r"^(ok|not ok)\b\s*\d*\s*(?:- )?(.*)$", re.MULTILINE)
CMOCKA = re.compile(r"^\[ +(OK|FAILED|SKIPPED|ERROR) +\] (\w+)$", re.MULTILINE)


def cases_of_program(output):
    """Yields (outcome, name) for every case that a test program reported."""
    seen = set()
    for word, name in CMOCKA.findall(output):
        if name not in seen:  # failures are listed again at the end
            seen.add(name)
            yield {"OK": "passed", "SKIPPED": "skipped"}.get(word, "failed"), name
    if seen:
        return
    for word, name in TAP.findall(output):
        if "# SKIP" in name.upper() or name.startswith("# skip"):
            yield "skipped", name
        else:
            yield ("passed" if word == "ok" else "failed"), name


def read_meson(path):
    with open(path, encoding="utf-8", errors="replace") as lines:
        for line in lines:
            run = json.loads(line)
            output = (run.get("stdout") or "") + "\n" + (run.get("stderr") or "")
            cases = [(outcome, f"{run['name']}: {name}") for outcome, name in cases_of_program(output)]
            ended_well = run["result"] in ("OK", "EXPECTEDFAIL")
            if run["result"] == "SKIP" and not cases:
                cases = [("skipped", run["name"])]
            elif not cases:
                cases = [("passed" if ended_well else "failed", f"{run['name']}: {run['result']}")]
            elif not ended_well and all(outcome != "failed" for outcome, _ in cases):
                cases.append(("failed", f"{run['name']}: {run['result']}, status {run['returncode']}"))
            yield from cases


def read_junit(path):
    for case in xml.parse(path).iter("testcase"):
        name = f"{case.get('classname')}: {case.get('name')}"
        if case.find("failure") is not None or case.find("error") is not None:
            yield "failed", name
        elif case.find("skipped") is not None:
            yield "skipped", name
        else:
            yield "passed", name


def main(paths):
    count = {"passed": 0, "failed": 0, "skipped": 0}
    for path in filter(os.path.exists, paths):  # a run that never began has no results
        for outcome, name in (read_junit if path.endswith(".xml") else read_meson)(path):
            count[outcome] += 1
            if outcome == "failed":
                print(f"failed: {name}", file=sys.stderr)
    print(count["passed"], count["failed"], count["skipped"])


main(sys.argv[1:])
