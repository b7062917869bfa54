# SPDX-License-Identifier: MIT
"""One line that tells how far the work is: live on a terminal, now and then elsewhere."""
import shutil
import sys
import time

_BAR = 16


class Progress:
    """show() as often as you like; it draws ten times a second, or on no terminal every two seconds.
    say() writes a line that stays."""

    def __init__(self, total, out=sys.stdout):
        self.total = total
        self.out = out
        self.live = out.isatty()
        self._every = 0.1 if self.live else 2.0
        self._drawn = 0.0
        self._moments = []

    def due(self):
        return time.monotonic() - self._drawn >= self._every

    def show(self, rows, queue, dead, force=False):
        if not force and not self.due():
            return
        self._drawn = time.monotonic()
        self._moments.append((self._drawn, rows))
        while len(self._moments) > 2 and self._moments[1][0] < self._drawn - 1.0:
            self._moments.pop(0)
        done = min(1.0, (rows + dead) / self.total)
        bar = ("#" * int(_BAR * done)).ljust(_BAR, ".")
        self._put(f"  [{bar}] {rows:>7,} rows  {self._rate():>6,}/s  queue {queue:>7,}  dead {dead:,}")

    def _rate(self):
        """Rows a second, over a second or since the line before."""
        (first, before), (last, now) = self._moments[0], self._moments[-1]
        return round((now - before) / (last - first)) if last > first else 0

    def _put(self, text):
        if self.live:
            width = shutil.get_terminal_size().columns
            self.out.write("\r\x1b[K" + text[:width - 1])
        else:
            self.out.write(text + "\n")
        self.out.flush()

    def say(self, text):
        self.out.write(("\r\x1b[K" if self.live else "") + text + "\n")
        self.out.flush()

    def end(self):
        if self.live:
            self.out.write("\n")
            self.out.flush()
