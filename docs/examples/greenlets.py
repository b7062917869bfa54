# SPDX-License-Identifier: MIT
"""Three greenlets in a ring, each of which hands control to the next by name."""
from greenlet import greenlet


def station(name, following):
    for i in range(5):
        print(f"{name}{i}")
        ring[following].switch()


ring = {}
for name, following in (("A", "B"), ("B", "C"), ("C", "A")):
    ring[name] = greenlet(lambda name=name, following=following: station(name, following))
ring["A"].switch()
print("the ring is over")
