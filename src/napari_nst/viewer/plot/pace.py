"""When the losses are drawn again."""

from __future__ import annotations

import time

SECONDS = 1.0
"""Least time between two drawings. The optimiser's threads wait for each other, so that what the
window takes of one core they lose on all."""


class Pace:
    """Says whether there is something new to draw, and the last drawing was a while ago."""

    def __init__(self) -> None:
        self._drawn, self._at = 0, 0.0

    def is_due(self, iterations: int) -> bool:
        """Return whether so many iterations are to be drawn now; if so, they count as drawn."""
        now = time.perf_counter()
        if iterations == self._drawn or now - self._at < SECONDS:
            return False
        self._drawn, self._at = iterations, now
        return True
