# SPDX-License-Identifier: MIT
"""docs/from-asyncio.md quotes its programs as they are, and shows all of them."""
import os
import re
from pathlib import Path

import pytest

from support.document import EXAMPLES, ROOT, blocks, read, sections

SECTIONS = sections()


@pytest.mark.parametrize("name", SECTIONS)
@pytest.mark.parametrize("language, suffix", [("python", ".py"), ("c", ".c")])
def test_a_block_is_a_piece_of_the_program(name, language, suffix):
    program = read("docs", "examples", name + suffix)
    quoted = blocks(SECTIONS[name], language)
    assert quoted
    for block in quoted:
        assert "\n" + block in program


def test_every_program_is_shown():
    twins = {name[:-3] for name in os.listdir(EXAMPLES) if name.endswith(".py")}
    assert twins == set(SECTIONS)


def test_the_readme_quotes_programs_as_they_are():
    programs = [read("docs", "examples", name) for name in os.listdir(EXAMPLES) if name.endswith(".c")]
    quoted = blocks(read("README.md"), "c")
    assert quoted
    for block in quoted:
        assert any("\n" + block in program for program in programs)


@pytest.mark.parametrize("guide, name", [("http.md", "http_tour.c"), ("mysql.md", "mysql_tour.c"),
                                         ("programs.md", "programs_tour.c"), ("redis.md", "redis_tour.c"),
                                         ("simulation.md", "simulation.c")])
def test_a_guide_quotes_its_program_as_it_is(guide, name):
    program = read("docs", "examples", name)
    quoted = [block for block in blocks(read("docs", guide), "c") if "hr_redis_cluster" not in block]
    assert quoted
    for block in quoted:
        assert "\n" + block in program


def test_every_name_in_the_document_is_one_of_the_headers():
    headers = [path for folder in ("core", "drivers") for path in Path(ROOT, folder).rglob("*.h")]
    known = set(re.findall(r"\w+", "".join(path.read_text(encoding="utf-8") for path in headers)))
    assert set(re.findall(r"\b(?:hr|HR)_\w+", read("docs", "from-asyncio.md"))) <= known
