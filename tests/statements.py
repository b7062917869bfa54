#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Counts the promises of docs/semantics.md that have a test.

A test bears the numbers that it pins at the beginning of its name: TEST(s3_12_...), or
TEST(s5_1_s5_2_...) for two. Prints a line a section and the numbers that no test bears; fails when
a test bears a number that docs/semantics.md has not, or when that file skips a number.

usage: statements.py
"""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
HEADING = re.compile(r"^## (\d+) (.+)$", re.MULTILINE)
STATEMENT = re.compile(r"^- \*\*(\d+)\.(\d+)\*\* \S", re.MULTILINE)
TEST = re.compile(r"^TEST\w*\(((?:s\d+_\d+_)+)", re.MULTILINE)
NUMBER = re.compile(r"s(\d+)_(\d+)_")


def numbers_of_tests():
    """Yields (file, number) for each number that a test of the C test programs bears."""
    for path in sorted((ROOT / "tests").rglob("test_*.c")):
        for prefix in TEST.findall(path.read_text(encoding="utf-8")):
            for section, line in NUMBER.findall(prefix):
                yield path.name, (int(section), int(line))


def mistakes(titles, promised):
    """Yields what is wrong with the list itself, and with the numbers of tests."""
    for section in titles:
        lines = sorted(line for s, line in promised if s == section)
        if lines != list(range(1, len(lines) + 1)):
            yield f"docs/semantics.md: section {section} skips or repeats a number"
    for name, number in numbers_of_tests():
        if number not in promised:
            yield f"{name}: docs/semantics.md has no {number[0]}.{number[1]}"


def main():
    text = (ROOT / "docs/semantics.md").read_text(encoding="utf-8")
    titles = {int(number): title for number, title in HEADING.findall(text)}
    promised = [(int(section), int(line)) for section, line in STATEMENT.findall(text)]
    tested = {number for _, number in numbers_of_tests()}

    for section, title in titles.items():
        lines = [number for number in promised if number[0] == section]
        open_ = [f"{s}.{line}" for s, line in lines if (s, line) not in tested]
        print(f"{section:3} {title:40} {len(lines) - len(open_):3} of {len(lines):3}  {' '.join(open_)}".rstrip())
    wrong = list(mistakes(titles, promised))
    print(*wrong, sep="\n", end="\n" if wrong else "")
    print(f"{len(tested & set(promised))} of {len(promised)} promises have a test")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
