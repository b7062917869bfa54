# SPDX-License-Identifier: MIT
"""Three tasks of five short sleeps go round together, as gevent's do."""
import gevent


def worker(name):
    for i in range(5):
        print(f"{name}{i}")
        gevent.sleep(0.5)


gevent.joinall([gevent.spawn(worker, name) for name in "ABC"])
