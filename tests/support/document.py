# SPDX-License-Identifier: MIT
"""Reads docs/from-asyncio.md: which programs it shows, and what it says they print.

A program is a section with the links [name.py](examples/name.py) and [name.c](examples/name.c); its
blocks are marked python, c and text, the last of which is the output.
"""
import os
import re

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
EXAMPLES = os.path.join(ROOT, "docs", "examples")
LINK = re.compile(r"\[(\w+)\.py\]\(examples/\1\.py\)")
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def read(*path):
    with open(os.path.join(ROOT, *path), encoding="utf-8") as file:
        return file.read()


def blocks(text, language):
    return [body for tag, body in BLOCK.findall(text) if tag == language]


def sections():
    """The sections of the document that show a program, by its name."""
    parts = re.split(r"^#{2,3} ", read("docs", "from-asyncio.md"), flags=re.MULTILINE)
    return {link.group(1): part for part in parts if (link := LINK.search(part))}


def output(section):
    """What a program prints, by its section; a line of … stands for those that were left out."""
    text, = blocks(section, "text")
    return text


def abridged(printed, said):
    """What was printed, with … for the lines that the document leaves out."""
    before, mark, after = said.partition("…\n")
    lines = printed.splitlines(keepends=True)
    left, right = before.count("\n"), len(lines) - after.count("\n")
    return "".join(lines[:left] + [mark] + lines[right:]) if mark and left < right else printed
