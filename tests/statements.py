#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Counts the promises of docs/semantics.md and the traps of docs/traps.md that have a test.

A test bears the numbers that it pins at the beginning of its name: TEST(s3_12_...), or
TEST(s5_1_t2_...) for two. Prints a line a section and the numbers that no test bears; fails when
a test bears a number that the lists have not, or when a list skips a number.

usage: statements.py
"""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TEST = re.compile(r"^TEST\w*\(((?:s\d+_\d+_|[trl]\d+_)+)", re.MULTILINE)
NUMBER = re.compile(r"(?:s(\d+)_|([trl]))(\d+)_")


class List:
    """A document with sections, and in them numbered lines."""

    def __init__(self, path, section, separator):
        """section: what a section is called by; separator: what stands behind it in a line's number."""
        text = (ROOT / path).read_text(encoding="utf-8")
        self.path = path
        self.separator = separator
        self.titles = dict(re.findall(rf"^## ({section}) (.+)$", text, re.MULTILINE))
        line = rf"^- \*\*({section}){re.escape(separator)}(\d+)\*\* \S"
        self.lines = [(name, int(number)) for name, number in re.findall(line, text, re.MULTILINE)]

    def mistakes(self):
        """Yields what is wrong with the numbers of the list itself."""
        for section in self.titles:
            numbers = sorted(number for name, number in self.lines if name == section)
            if numbers != list(range(1, len(numbers) + 1)):
                yield f"{self.path}: section {section} skips or repeats a number"

    def show(self, tested):
        for section, title in self.titles.items():
            lines = [line for line in self.lines if line[0] == section]
            open_ = [f"{name}{self.separator}{n}" for name, n in lines if (name, n) not in tested]
            count = f"{len(lines) - len(open_):3} of {len(lines):3}"
            print(f"{section:>3} {title:40} {count}  {' '.join(open_)}".rstrip())


def numbers_of_tests():
    """Yields (file, (section, line)) for each number that a test of the C test programs bears."""
    for path in sorted((ROOT / "tests").rglob("test_*.c")):
        for prefix in TEST.findall(path.read_text(encoding="utf-8")):
            for section, trap, line in NUMBER.findall(prefix):
                yield path.name, (section or trap.upper(), int(line))


def main():
    promises = List("docs/semantics.md", r"\d+", ".")
    traps = List("docs/traps.md", "[A-Z]", "")
    known = set(promises.lines + traps.lines)
    tested = {number for _, number in numbers_of_tests()}
    wrong = [*promises.mistakes(), *traps.mistakes()]
    for name, (section, line) in numbers_of_tests():
        if (section, line) not in known:
            wrong.append(f"{name}: no list has {section} {line}")

    promises.show(tested)
    traps.show(tested)
    print(*wrong, sep="\n", end="\n" if wrong else "")
    print(f"{len(tested & set(promises.lines))} of {len(promises.lines)} promises, "
          f"{len(tested & set(traps.lines))} of {len(traps.lines)} traps have a test")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
