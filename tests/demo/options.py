# SPDX-License-Identifier: MIT
"""What ./dev demo may be asked for. By itself it needs nothing that would have to be installed, so
that --help and what cannot be are answered at once."""
import argparse


def arguments(args=None):
    parser = argparse.ArgumentParser(
        prog="./dev demo",
        description="100,000 orders go from a Redis list into a MariaDB table while the daemon is killed.")
    parser.add_argument("--orders", type=int, default=100_000, metavar="N", help="how many (100000)")
    parser.add_argument("--keep", action="store_true",
                        help="leave Redis, MariaDB and headraced running, and say how to use them")
    given = parser.parse_args(args)
    if given.orders < 1000:
        parser.error("--orders: at least 1000, or there is nothing to be killed")
    return given


if __name__ == "__main__":
    arguments()
