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
from support.pages import PageServer
from support.servers import MariaDBServer, RedisServer, bootstrap, free_port

CLOCK = os.path.join(BUILD, "tests", "examples", "fast_clock.so")
SECTIONS = sections()
PROGRAMS = [(name, language) for name in SECTIONS for language in ("python", "c")]


class Servers:
    """Two of Redis, a MariaDB that stands for two, as it starts slowly, and pages by HTTP."""

    def __init__(self, folder):
        self.redis = [RedisServer(tempfile.mkdtemp(dir=folder)) for _ in range(2)]
        self.mariadb = MariaDBServer(tempfile.mkdtemp(dir=folder), bootstrap(os.path.join(folder, "template")),
                                     port=free_port())
        self.pages = PageServer()
        self.folder = tempfile.mkdtemp(dir=folder)

    def start(self):
        for server in (*self.redis, self.mariadb, self.pages):
            server.start()
        self.mariadb.execute("GRANT SELECT ON mysql.* TO app@'127.0.0.1'")
        return self

    def kill(self):
        for server in (*self.redis, self.mariadb, self.pages):
            server.kill()

    def arguments(self, name, language):
        """The servers that a program is told of; each of its two languages has a database of its own."""
        redis = [f"unix://{server.socket}?db={'python' == language:d}" for server in self.redis]
        return {"redis_list": redis[:1], "two_redis": redis,
                "fetch_pages": [self.pages.url], "crawler": [self.pages.url, self.folder],
                "two_mysql": [f"127.0.0.1:{self.mariadb.port}"] * 2}.get(name, [])


def command(name, language, servers):
    start = (["/usr/bin/python3", os.path.join(EXAMPLES, name + ".py")] if language == "python"
             else [os.path.join(BUILD, "docs", "examples", name)])
    return start + servers.arguments(name, language)


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


def attempt(name, language, servers):
    """What the program printed, and its status."""
    # A client's calls go out of fashion between releases of Debian.
    env = {**os.environ, "LD_PRELOAD": CLOCK, "FAST_CLOCK": "2", "PYTHONWARNINGS": "ignore::DeprecationWarning"}
    start = run_and_interrupt if name == "ctrl_c" else run
    return start(command(name, language, servers), env)


@pytest.fixture(scope="module")
def printed(session_folder):
    """What each program will have printed; they run side by side."""
    servers = Servers(session_folder)
    try:
        servers.start()
        with ThreadPoolExecutor(8) as pool:
            yield {"folder": servers.folder,
                   **{program: pool.submit(attempt, *program, servers) for program in PROGRAMS}}
    finally:
        servers.kill()


@pytest.mark.parametrize("program", PROGRAMS, ids="-".join)
def test_prints_what_the_document_says(program, printed):
    said = output(SECTIONS[program[0]])
    text, status = printed[program].result()
    assert (abridged(text, said), status) == (said, 0)


def test_the_crawlers_save_what_the_server_has(printed):
    folder = printed["folder"]
    for language in ("python", "c"):
        assert printed["crawler", language].result()[1] == 0
        for number in range(600):
            with open(os.path.join(folder, f"{language}-{number}"), "rb") as file:
                assert file.read() == f"{number}\n".encode() * 100
    assert len(os.listdir(folder)) == 1200


@pytest.mark.parametrize("name", SECTIONS)
def test_prints_in_c_what_it_prints_in_python(name, printed):
    assert printed[name, "c"].result() == printed[name, "python"].result()
