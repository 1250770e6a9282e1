"""The losses of a run, as its thread notes them and the window draws them."""

from __future__ import annotations

import math
from array import array
from typing import TYPE_CHECKING

from napari_nst.viewer.steering.change_text import change_text

if TYPE_CHECKING:
    from napari_nst.engine.iteration import Iteration


class LossTrace:
    """The losses of every iteration, by name; eight bytes per number, not a dict per step.

    Attributes
    ----------
    columns : dict of str to array
        Part → its loss at each iteration, NaN where there was no such part.
    marks : list of (int, str)
        Number of an iteration from which on something is otherwise, and what: another size, or
        what the user has changed.
    """

    def __init__(self) -> None:
        self.columns: dict[str, array[float]] = {}
        self.marks: list[tuple[int, str]] = []

    def append(self, losses: dict[str, float]) -> None:
        """Keep the losses of one iteration."""
        before = len(self)
        for name in losses:
            if name not in self.columns:
                self.columns[name] = array("d", [math.nan]) * before
        # The total last: whoever reads meanwhile goes by its length.
        for name in sorted(self.columns, key="total".__eq__):
            self.columns[name].append(losses.get(name, math.nan))

    def mark(self, before: Iteration | None, newest: Iteration) -> None:
        """Write down if from the newest iteration on the run is another one."""
        if newest.panels:
            return
        if before is not None and before.shape != newest.shape:
            self.marks.append((newest.step, f"{max(newest.shape)} px"))
        for change in newest.facts.get("steered", ()):
            if change["after_step"] == newest.step - 1:
                self.marks.append((newest.step, change_text(change)))

    def __len__(self) -> int:
        return len(self.columns.get("total", ()))
