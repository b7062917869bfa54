# SPDX-License-Identifier: MIT
"""Two generators taken in turn: the simplest scheduler there is."""


def task(name):
    for i in range(3):
        print(f"{name}{i}")
        yield


def main():
    tasks = [task("A"), task("B")]
    while True:
        for generator in tasks:
            try:
                next(generator)
            except StopIteration:
                return


main()
