#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Checks that calls go one way: daemon -> drivers -> core, daemon -> config.

Two views of it: what each folder includes, and which of our symbols each static library takes from
outside itself. Foreign libraries are included in one place each. And docs/architecture.md, the map,
has a word for every file.

usage: layers.py BUILD-DIR
"""

import re
import subprocess
import sys
from pathlib import Path

# folder: what it may include besides itself
INCLUDES = {
    "core": [],
    "core/patch": ["core/"],
    "drivers": ["core/"],
    "drivers/http": ["core/", "drivers/http.h", "drivers/missing.h", "drivers/tls.h"],
    "config": ["core/base.h"],
    "daemon/item": ["core/base.h", "config/"],
    "daemon": ["core/", "drivers/", "config/"],
}

PATCH = "core/patch/libhr-patch.a"  # defines libc's calls, which everybody may use

# library: libraries whose symbols it may use
LIBRARIES = {
    "core/libhr-core.a": [],
    PATCH: ["core/libhr-core.a"],
    "drivers/libhr-drivers.a": ["core/libhr-core.a"],
    "drivers/http/libhr-http.a": ["core/libhr-core.a"],
    "config/libhr-config.a": [],
    "daemon/item/libhr-item.a": ["config/libhr-config.a"],
}
ANYWHERE = {"hr_assert_failed"}  # comes with core/base.h

# foreign header: the files that may include it
FOREIGN = {
    "curl": ["drivers/http/impl.h"],
    "hiredis": ["tests/*"],
    "errmsg.h": ["drivers/mysql/library.h"],
    "ma_": ["drivers/mysql/wait.c"],
    "mysql": ["drivers/mysql/library.h", "drivers/mysql/wait.c"],
    "openssl": ["drivers/tls*.[ch]"],
    "yyjson.h": ["daemon/item/json*.c"],
    "yaml.h": ["config/yaml.c"],
    "systemd": ["daemon/notify.c", "daemon/log*.c"],
}


def folder_of(path):
    return next(f for f in sorted(INCLUDES, key=len, reverse=True) if path.as_posix().startswith(f + "/"))


def check_includes():
    for top in ("core", "drivers", "config", "daemon"):
        for path in sorted(Path(top).rglob("*.[chS]")):
            folder = folder_of(path)
            text = path.read_text(encoding="utf-8")
            for name in re.findall(r'^#\s*include "([^"]+)"', text, re.MULTILINE):
                if not any(name.startswith(ok) for ok in [folder + "/", *INCLUDES[folder]]):
                    yield f"{path}: {folder}/ does not include {name}"
            for name in re.findall(r"^#\s*include <([^>]+)>", text, re.MULTILINE):
                for foreign, allowed in FOREIGN.items():
                    if name.startswith(foreign) and not any(path.match(glob) for glob in allowed):
                        yield f"{path}: <{name}> belongs to {', '.join(allowed)}"


def check_places():
    """Each call of a Redis header that waits has its macro, which names the caller's place; but those
    that end a client, and the one that asks others for the caller."""
    for path in [Path("drivers/redis.h"), *sorted(Path("drivers/redis").glob("*.h"))]:
        text = re.sub(r"/\*.*?\*/", "", path.read_text(encoding="utf-8"), flags=re.S)
        named = set(re.findall(r"^#define (\w+)\(\.\.\.\)\s+hr_from_here\(", text, re.MULTILINE))
        calls = set(re.findall(r"HR_PUBLIC hr_async [\w *]*?(hr_\w+)\(", text))
        for call in sorted(calls ^ named):
            if not call.endswith(("_close", "_each")):
                yield f"{path}: {call} is a call that waits, or a macro, but not both"


def check_map():
    """Each file is named in its folder's section, alone or by a name that its own begins with; or all
    of its folder is (`headracectl/`). Headers of an inside belong to what they are the inside of."""
    text = Path("docs/architecture.md").read_text(encoding="utf-8")
    for top in ("core", "drivers", "config", "daemon"):
        section = re.search(rf"^## {top}:.*?(?=^## )", text, re.MULTILINE | re.DOTALL).group(0)
        words = " ".join(re.findall(r"`([^`]+)`", section)).split()
        words = [re.sub(r"\.[ch]$", "", word.removeprefix(f"{top}/")) for word in words]
        named = re.compile("|".join(
            re.escape(word).replace(r"\*", ".*") + (".*" if word.endswith("/") else "(_.*)?") for word in words
        ))
        for path in sorted(Path(top).rglob("*.[chS]")):
            name = path.relative_to(top).with_suffix("").as_posix()
            if not named.fullmatch(name) and not name.endswith(("_impl", "/impl")):
                yield f"{path}: docs/architecture.md has no word for it"


def symbols(library):
    """Returns what a library defines for others and what it wants from elsewhere."""
    text = subprocess.run(["nm", "-g", library], check=True, capture_output=True, text=True).stdout
    defined, wanted = set(), set()
    for line in text.splitlines():
        fields = line.split()
        if len(fields) == 3 and fields[1] != "U":
            defined.add(fields[2])
        elif len(fields) == 2 and fields[0] == "U":
            wanted.add(fields[1])
    return defined, wanted - defined


def check_symbols(build):
    known = {name: symbols(build / name) for name in LIBRARIES}
    known[PATCH] = ({s for s in known[PATCH][0] if s.startswith("hr_")}, known[PATCH][1])
    ours = set().union(*(defined for defined, _ in known.values()))
    for name, below in LIBRARIES.items():
        allowed = ANYWHERE.union(*(known[other][0] for other in below))
        for symbol in sorted((known[name][1] & ours) - allowed):
            yield f"{name}: calls {symbol}, which is above it or beside it"
        for symbol in sorted(known[name][1]):
            if symbol.startswith("hr__"):
                yield f"{name}: calls {symbol}, which is another folder's own"


def check_exports(build):
    """Every public function of the static libraries leaves the shared ones, and nothing else does."""
    libraries = [
        ("core/libhr-core.a", "libheadrace.so", r"hr_[^_]"),
        (PATCH, "libheadrace-patch.so", r"(?!hr__)"),
        ("drivers/libhr-drivers.a", "libheadrace-clients.so", r"hr_[^_]"),
        ("drivers/http/libhr-http.a", "libheadrace-http.so", r"hr_[^_]"),
    ]
    for static, shared, ours in libraries:
        text = subprocess.run(
            ["nm", "-D", "--defined-only", "--without-symbol-versions", build / "packaging" / shared],
            check=True, capture_output=True, text=True,
        ).stdout
        exported = {f[2] for f in map(str.split, text.splitlines()) if len(f) == 3 and f[1] != "A"}
        public = {s for s in symbols(build / static)[0] if re.match(ours, s)}
        for symbol in sorted(public - exported):
            yield f"{shared}: lacks {symbol}: HR_PUBLIC, or hr__ if it is the folder's own"
        for symbol in sorted(exported - public):
            yield f"{shared}: exports {symbol}"


def main(build):
    mistakes = [
        *check_includes(), *check_places(), *check_map(), *check_symbols(build), *check_exports(build),
    ]
    for mistake in mistakes:
        print(mistake)
    return 1 if mistakes else 0


sys.exit(main(Path(sys.argv[1])))
