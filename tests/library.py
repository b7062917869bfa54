#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Checks the libraries as their users get them: installed into an empty folder.

A program finds the runtime with `pkg-config headrace` alone, in C and in C++, and needs nothing but
libevent's core and libc to run. Each public header compiles by itself. What the shared libraries
export is what those headers declare, under the library's symbol version.

usage: library.py BUILD-DIR
"""

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

STRICT = ["-Wall", "-Wextra", "-Werror"]
COMPILERS = [
    ["gcc", "-std=c11", "-pedantic-errors", "-x", "c"],
    ["clang", "-std=gnu17", "-x", "c"],
    ["g++", "-std=c++17", "-x", "c++"],
]
NEEDED = {"libheadrace", "libevent_core", "libc"}
VERSION = "HEADRACE_0"


def run(*command, **options):
    return subprocess.run(command, check=False, capture_output=True, text=True, **options)


def pkg_config(root, *arguments):
    pc = next(root.rglob("headrace.pc")).parent
    prefix = root / Path(re.search(r"^prefix=/(.*)$", (pc / "headrace.pc").read_text(), re.M).group(1))
    asked = run("pkg-config", f"--define-variable=prefix={prefix}", *arguments,
                env={**os.environ, "PKG_CONFIG_PATH": str(pc)})
    asked.check_returncode()
    return asked.stdout.split()


def check_program(root):
    """Builds and runs the smallest program as C and as C++."""
    flags = pkg_config(root, "--cflags", "--libs", "headrace")
    folder = next(root.rglob("libheadrace.so")).parent
    for compiler in COMPILERS:
        program = root / "app"
        built = run(*compiler, *STRICT, "tests/library_app.c", "-x", "none", "-o", program, *flags)
        if built.returncode != 0:
            yield f"{compiler[0]}: a program does not build with {' '.join(flags)}:\n{built.stderr}"
            continue
        env = {**os.environ, "LD_LIBRARY_PATH": str(folder)}
        ran = run(program, env=env)
        if ran.returncode != 0 or ran.stdout != "10\n":
            yield f"{compiler[0]}: a program ends with {ran.returncode}: {ran.stdout}{ran.stderr}"
        loaded = set(re.findall(r"^\s*([a-z_+]+)\S* =>", run("ldd", program, env=env).stdout, re.M))
        own = {"libstdc++", "libm", "libgcc_s"} if compiler[0] == "g++" else set()
        if loaded - own != NEEDED:
            yield f"{compiler[0]}: a program needs {sorted(loaded - own)}, not {sorted(NEEDED)}"


def check_headers(root, headers):
    flags = pkg_config(root, "--cflags", "headrace-clients")
    for header in headers:
        for compiler in COMPILERS:
            compiled = run(*compiler, *STRICT, "-fsyntax-only", *flags, "-", input=f"#include <{header}>\n")
            if compiled.returncode != 0:
                yield f"{compiler[0]}: {header} does not stand alone:\n{compiled.stderr}"


def declared(text):
    """The names that HR_PUBLIC stands before in a header's text."""
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.S)
    text = re.sub(r"^\s*#.*?(?<!\\)$", "", text, flags=re.S | re.M)
    for declaration in re.findall(r"\bHR_PUBLIC\b([^;]*);", text):
        declaration = re.sub(r"__attribute__\(\(.*?\)\)", "", declaration)
        yield re.search(r"\b(hr_\w+)\s*(?:\(|$)", declaration).group(1)


def check_exports(root, library, headers, texts):
    listed = run("nm", "-D", "--defined-only", next(root.rglob(library))).stdout
    exported = {f[2] for f in map(str.split, listed.splitlines()) if len(f) == 3 and f[1] != "A"}
    promised = {f"{name}@@{VERSION}" for header in headers for name in declared(texts[header])}
    for name in sorted(promised - exported):
        yield f"{library}: does not export {name}"
    for name in sorted(exported - promised):
        yield f"{library}: exports {name}, which no public header declares"
    if len(promised) < 20:
        yield f"{library}: only {len(promised)} declarations were found"


def main(build):
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        run("meson", "install", "-C", build, "--no-rebuild", "--destdir", root).check_returncode()
        include = next(root.rglob("core/headrace.h")).parent.parent
        texts = {str(p.relative_to(include)): p.read_text() for p in sorted(include.rglob("*.h"))}
        core = [header for header in texts if re.fullmatch(r"core/\w+\.h", header)]
        http = ["drivers/http.h"]
        clients = [header for header in texts if header.startswith("drivers/") and header not in http]
        mistakes = [
            *check_program(root),
            *check_headers(root, texts),
            *check_exports(root, "libheadrace.so", core, texts),
            *check_exports(root, "libheadrace-clients.so", clients, texts),
            *check_exports(root, "libheadrace-http.so", http, texts),
        ]
    for mistake in mistakes:
        print(mistake)
    return 1 if mistakes else 0


sys.exit(main(Path(sys.argv[1])))
