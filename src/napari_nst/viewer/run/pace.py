"""When something is drawn again."""

from __future__ import annotations

import math
import time
from typing import Any

CURVES = 1.0
"""Least seconds between two drawings of the losses."""

STACK = 2.0
"""Least seconds between two drawings of the history, for which napari lays out its slider anew."""

WORDS = 0.25
"""Least seconds between two reports."""

PATIENCE = 5.0
"""Seconds after which a report is made again though nothing is new but the time that is left."""


class Pace:
    """Says whether there is something new to draw, and the last drawing was a while ago.

    Whatever is drawn has Qt compose the whole window anew, and the optimiser's threads wait for
    each other, so that what the window takes of one core they lose on all.

    Parameters
    ----------
    least : float
        Seconds between two drawings.
    most : float
        Seconds after which what is not new is drawn, too.
    """

    def __init__(self, least: float, most: float = math.inf) -> None:
        self._least, self._most = least, most
        self._drawn: Any = None
        self._at = -math.inf

    def is_due(self, state: Any) -> bool:
        """Return whether a state is to be drawn now; if so, it counts as drawn."""
        now = time.perf_counter()
        waited = now - self._at
        if waited < (self._most if state == self._drawn else self._least):
            return False
        self._drawn, self._at = state, now
        return True
