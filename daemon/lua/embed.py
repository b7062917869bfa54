#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Turns the Redis scripts into C: embed.py scripts.h scripts.c SCRIPT.lua…

Each NAME.lua becomes `const struct hr_redis_script script_NAME`, its source byte for byte, comments
included (they cost Redis nothing once the script is loaded, and MONITOR or a debugger shows them),
its SHA-1 computed here. The header repeats each script's sentence.
"""
import hashlib
import pathlib
import sys


HEADER = """/* SPDX-License-Identifier: MIT */
/* The Redis scripts; daemon/lua/NAME.lua documents keys, arguments and replies of script_NAME. */
#pragma once

#include "drivers/redis/script.h"
"""

BODY = """/* SPDX-License-Identifier: MIT */
/* The sources of the Redis scripts, as they stand in daemon/lua. */
#include "daemon/lua/scripts.h"
"""


def c_string(data):
    """One C literal a line of the source; whatever is not plain ASCII in octal."""
    plain = {ord(c): c for c in map(chr, range(32, 127))}
    plain |= {ord('"'): '\\"', ord("\\"): "\\\\", ord("?"): "\\?", ord("\n"): "\\n"}
    lines = data.splitlines(keepends=True)
    return "\n".join(
        '    "' + "".join(plain.get(b, "\\%03o" % b) for b in line) + '"' for line in lines
    )


def sentence(source, path):
    lines = source.decode().splitlines()
    if not lines[0].startswith("-- SPDX-License-Identifier:") or not lines[1].startswith("-- "):
        sys.exit(f"{path}: the first lines must be the license and a sentence saying what it does")
    return lines[1][3:]


def main():
    header, body, paths = sys.argv[1], sys.argv[2], sys.argv[3:]
    h = [HEADER]
    c = [BODY]
    for path in paths:
        source = pathlib.Path(path).read_bytes()
        name = pathlib.Path(path).stem
        h.append(f"\n/* {sentence(source, path)} */\n")
        h.append(f"extern const struct hr_redis_script script_{name};\n")
        c.append(
            f"\nconst struct hr_redis_script script_{name} = {{\n"
            f'    .name = "{name}",\n'
            f'    .sha1 = "{hashlib.sha1(source).hexdigest()}",\n'
            f"    .len = {len(source)},\n"
            f"    .source =\n{c_string(source)},\n}};\n"
        )
    pathlib.Path(header).write_text("".join(h))
    pathlib.Path(body).write_text("".join(c))


main()
