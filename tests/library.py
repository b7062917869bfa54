#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Checks the libraries as their users get them: installed into an empty folder.

A program finds the runtime with `pkg-config headrace` alone, in C and in C++, and needs nothing but
libevent's core and libc to run. Each public header compiles by itself. What the shared libraries
export is what those headers declare, under the library's symbol version; libheadrace-patch also has
calls of libc, under none. Each is known by its soname, needs what it is said to need, and is found
by pkg-config under its own name. Compilers warn where what a constructor gives is dropped.

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

# What each library may need besides the runtime and libc, and the program that uses it.
LIBRARIES = {
    "headrace": ({"libevent_core"}, "core/headrace.h", "hr_loop_close(0)"),
    "headrace-patch": ({"libevent_core"}, "core/patch/patch.h", "hr_patch(HR_PATCH_ALL)"),
    "headrace-clients": (
        {"libmariadb", "libssl", "libcrypto"}, "drivers/redis.h", "hr_redis_free(0) != 0"),
    "headrace-http": ({"libevent_core", "libcurl"}, "drivers/http.h", "hr_http_session_free(0) != 0"),
}

# libc's calls, as libheadrace-patch has them: without a version, so that any reference finds them.
PATCHED = set("""
    sleep usleep nanosleep clock_nanosleep
    read readv write writev __read_chk
    recv recvfrom recvmsg send sendto sendmsg __recv_chk __recvfrom_chk
    connect accept accept4 close
    poll ppoll select pselect epoll_wait epoll_pwait __poll_chk __ppoll_chk
    getaddrinfo getnameinfo
    gethostbyname gethostbyname2 gethostbyaddr gethostbyname_r gethostbyname2_r gethostbyaddr_r
""".split())


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
        built = run(*compiler, *STRICT, "tests/library_app.c", "-o", program, *flags)
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


def check_owned(texts):
    """Whether calls that make something for the caller say so: dropped, it is never freed."""
    makers = 0
    for header, text in texts.items():
        text = re.sub(r"/\*.*?\*/", "", text, flags=re.S)
        for kind, name in re.findall(r"\bHR_PUBLIC\s([\w\s]+\*)\s*(hr_\w+)\s*\(", text):
            if re.search(r"_new(_\w+)?$|_future$|_spawn$|_start$", name) and name != "hr_task_group_spawn":
                makers += 1
                if "hr_owned" not in kind.split():
                    yield f"{header}: {name}() is not hr_owned"
    if makers < 30:
        yield f"only {makers} calls were found that make something"


def exports_of(library):
    listed = run("nm", "-D", "--defined-only", library).stdout
    return {f[2] for f in map(str.split, listed.splitlines()) if len(f) == 3 and f[1] != "A"}


def check_exports(root, library, headers, texts):
    exported = {name for name in exports_of(next(root.rglob(library))) if name not in PATCHED}
    promised = {f"{name}@@{VERSION}" for header in headers for name in declared(texts[header])}
    for name in sorted(promised - exported):
        yield f"{library}: does not export {name}"
    for name in sorted(exported - promised):
        yield f"{library}: exports {name}, which no public header declares"
    if len(promised) < 20 and library != "libheadrace-patch.so":
        yield f"{library}: only {len(promised)} declarations were found"


def check_patched(root, header):
    """The calls of libc that the patch library has: those that its header names, and no others."""
    exported = exports_of(next(root.rglob("libheadrace-patch.so")))
    families = header[header.index("enum hr_patch_family"):header.index("HR_PATCH_ALL")]
    named = set(re.findall(r"\b[a-z_0-9]{4,}\b(?!…)", " ".join(re.findall(r'": (.*?)\*/', families)))) & PATCHED
    for name in sorted(named - exported):
        yield f"libheadrace-patch.so: does not export {name}, which its header names"
    for name in sorted(PATCHED - exported):
        yield f"libheadrace-patch.so: does not export {name} without a version"
    if len(named) < 15:
        yield f"libheadrace-patch.so: only {sorted(named)} were found in its header"


def check_library(root, name):
    """Its soname, what it needs, and that a program finds it by pkg-config and runs with it."""
    needs, header, call = LIBRARIES[name]
    library = next(root.rglob(f"lib{name}.so"))
    dynamic = run("readelf", "-d", library).stdout
    soname = re.findall(r"soname: \[(.*)\]", dynamic)
    if soname != [f"lib{name}.so.0"]:
        yield f"{name}: its soname is {soname}"
    needed = {re.sub(r"[-.].*", "", n) for n in re.findall(r"NEEDED.*\[(.*)\]", dynamic)} - {"ld"}
    allowed = needs | {"libc"} | ({"libheadrace"} if name != "headrace" else set())
    if needed != allowed:
        yield f"{name}: needs {sorted(needed)}, not {sorted(allowed)}"
    version = pkg_config(root, "--modversion", name)
    if version != pkg_config(root, "--modversion", "headrace") or not library.resolve().name.endswith(version[0]):
        yield f"{name}: pkg-config says {version} of {library.resolve().name}"

    program = root / name
    text = f"#include <{header}>\nint main(void) {{ return {call}; }}\n"
    flags = pkg_config(root, "--cflags", "--libs", name)
    built = run("gcc", *STRICT, "-x", "c", "-", "-x", "none", "-o", program, *flags, input=text)
    if built.returncode != 0:
        yield f"{name}: a program does not build with {' '.join(flags)}:\n{built.stderr}"
        return
    env = {**os.environ, "LD_LIBRARY_PATH": str(library.parent), "LD_DEBUG": "bindings", "LD_BIND_NOW": "1"}
    ran = run(program, env=env)
    if ran.returncode != 0:
        yield f"{name}: a program ends with {ran.returncode}"
    if name == "headrace-patch" and not re.search(
        r"binding file \S*libheadrace\.so\S* .* to \S*libheadrace-patch\.so\S* .*`read' \[GLIBC", ran.stderr
    ):
        yield f"{name}: a reference to libc's read does not find the library's"


def main(build):
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        run("meson", "install", "-C", build, "--no-rebuild", "--destdir", root).check_returncode()
        include = next(root.rglob("core/headrace.h")).parent.parent
        texts = {str(p.relative_to(include)): p.read_text() for p in sorted(include.rglob("*.h"))}
        core = [header for header in texts if re.fullmatch(r"core/\w+\.h", header)]
        patch = ["core/patch/patch.h"]
        http = ["drivers/http.h"]
        clients = [header for header in texts if header.startswith("drivers/") and header not in http]
        mistakes = [
            *check_program(root),
            *(mistake for name in LIBRARIES for mistake in check_library(root, name)),
            *check_headers(root, texts),
            *check_exports(root, "libheadrace.so", core, texts),
            *check_exports(root, "libheadrace-clients.so", clients, texts),
            *check_exports(root, "libheadrace-http.so", http, texts),
            *check_exports(root, "libheadrace-patch.so", patch, texts),
            *check_owned(texts),
            *check_patched(root, texts[patch[0]]),
        ]
    for mistake in mistakes:
        print(mistake)
    return 1 if mistakes else 0


sys.exit(main(Path(sys.argv[1])))
