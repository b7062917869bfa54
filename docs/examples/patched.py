# SPDX-License-Identifier: MIT
"""Code that knows of no tasks and sleeps with the plain call; patched, only its own task sleeps."""
import time

import gevent
from gevent import monkey


def blocking_library(name):
    for i in range(3):
        print(f"{name}{i}")
        time.sleep(0.5)


monkey.patch_all()
gevent.joinall([gevent.spawn(blocking_library, name) for name in "ABC"])
