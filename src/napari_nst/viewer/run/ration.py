"""How much of a run's time may go into showing it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

SHARE = 1 / 20
"""Of a run's time. A GPU makes large pictures faster than they can be converted; a processor that
has to draw the window, too, makes none meanwhile."""


class Ration:
    """Says when something may be done again that is to take its share of the time and no more."""

    def __init__(self) -> None:
        self._began = self._again = 0.0

    def is_due(self) -> bool:
        """Return whether it has not been done for long enough."""
        return time.perf_counter() >= self._again

    def begin(self) -> None:
        """Note that it begins."""
        self._began = time.perf_counter()

    def end(self) -> None:
        """Note that it is done, and ration it by the time that it took."""
        now = time.perf_counter()
        self._again = now + (now - self._began) / SHARE

    @contextmanager
    def spending(self) -> Iterator[None]:
        """Ration what is done in this context."""
        self.begin()
        yield
        self.end()
