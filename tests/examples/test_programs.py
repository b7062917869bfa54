# SPDX-License-Identifier: MIT
"""The programs of docs/from-asyncio.md print what the document says, in Python and in C.

They run as they are, several at a time, on a clock that is twice as fast (fast_clock.c): faster, and
half a second in a program would be too short to tell two of its steps apart on a busy machine.
"""
import os
import pty
import subprocess
import tempfile
import termios
from concurrent.futures import ThreadPoolExecutor

import pytest

from support.document import EXAMPLES, abridged, output, sections
from support.headraced import BUILD
from support.servers import RedisServer

CLOCK = os.path.join(BUILD, "tests", "examples", "fast_clock.so")
SECTIONS = sections()
PROGRAMS = [(name, language) for name in SECTIONS for language in ("python", "c")]


def command(name, language, redis):
    start = (["/usr/bin/python3", os.path.join(EXAMPLES, name + ".py")] if language == "python"
             else [os.path.join(BUILD, "docs", "examples", name)])
    url = f"unix://{redis.socket}?db={'python' == language:d}"
    return start + ([url] if name == "redis_list" else [])


def run(argv, env):
    done = subprocess.run(argv, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=60, check=False)
    return done.stdout, done.returncode


def run_and_interrupt(argv, env):
    """At a terminal of its own, where Ctrl-C is typed once three workers work."""
    terminal, theirs = pty.openpty()
    flags = termios.tcgetattr(theirs)
    flags[1] &= ~termios.OPOST
    flags[3] &= ~termios.ECHO
    termios.tcsetattr(theirs, termios.TCSANOW, flags)
    printed, typed = b"", False
    # setsid makes itself the leader of a session with this terminal, and then becomes the program.
    with subprocess.Popen(["setsid", "--ctty", *argv], env=env, stdin=theirs, stdout=theirs,
                          stderr=theirs) as program:
        os.close(theirs)
        try:
            while True:
                printed += os.read(terminal, 4096)
                if not typed and printed.count(b"working\n") == 3:
                    typed = os.write(terminal, b"\x03") == 1
        except OSError:  # nobody has the terminal open any more
            program.wait(timeout=60)
        finally:
            program.kill()
            os.close(terminal)
    return printed.decode(), program.returncode


def attempt(name, language, redis):
    """What the program printed, and its status."""
    env = {**os.environ, "LD_PRELOAD": CLOCK, "FAST_CLOCK": "2"}
    start = run_and_interrupt if name == "ctrl_c" else run
    return start(command(name, language, redis), env)


@pytest.fixture(scope="module")
def printed(session_folder):
    """What each program will have printed; they run side by side."""
    server = RedisServer(tempfile.mkdtemp(dir=session_folder)).start()
    with ThreadPoolExecutor(8) as pool:
        yield {program: pool.submit(attempt, *program, server) for program in PROGRAMS}
    server.kill()


@pytest.mark.parametrize("program", PROGRAMS, ids="-".join)
def test_prints_what_the_document_says(program, printed):
    said = output(SECTIONS[program[0]])
    text, status = printed[program].result()
    assert (abridged(text, said), status) == (said, 0)


@pytest.mark.parametrize("name", SECTIONS)
def test_prints_in_c_what_it_prints_in_python(name, printed):
    assert printed[name, "c"].result() == printed[name, "python"].result()
