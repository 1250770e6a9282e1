"""The losses of a run, which its thread writes and the window draws."""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from napari_nst.recipe import CONTROLS
from napari_nst.recipe.fields import Changes, LayerWeights

if TYPE_CHECKING:
    from napari_nst.engine.iteration import Iteration

KINDS = ("total", "content", "style", "tv")
"""The sums that a run reports; ``style/relu1_1`` is one layer's part of ``style``."""

_CHANGES = {
    "styles": "styles",
    "guides": "guides",
    "region": "region",
    "exemplar_region": "exemplar region",
    "painted_pixels": "painted",
}
"""Key of a recorded change that is no field of the recipe → its words."""


class LossTrace:
    """The losses of every iteration, and the iterations at which the size or a setting changed."""

    def __init__(
        self,
        before: int = 0,  # iterations of an interrupted run
        losses: Mapping[str, Iterable[float]] | None = None,  # of the iterations before, if known
    ) -> None:
        self._before = before
        self.columns = {  # name → losses, NaN where there was none
            name: array("d", list(column)[:before]) for name, column in (losses or {}).items()
        }
        self.marks: list[tuple[int, str]] = []  # (iteration, a few words for the change)

    def append(self, losses: dict[str, float]) -> None:
        """Add the losses of one iteration."""
        before = len(self) or self._before
        for name in losses:
            if name not in self.columns:
                self.columns[name] = array("d", [math.nan]) * before
        # The total comes last, because its length tells a reader in another thread what is there.
        for name in sorted(self.columns, key="total".__eq__):
            self.columns[name].append(losses.get(name, math.nan))

    def mark(self, before: Iteration | None, newest: Iteration) -> None:
        """Add marks if size, phase or settings of the newest iteration are not the last one's."""
        if newest.panels:
            return
        if before is not None:
            began = [f"{max(newest.shape)} px"] if before.shape != newest.shape else []
            if before.facts.get("phase") != newest.facts.get("phase"):
                began.append(_phase_text(newest.facts))
            if began:
                self.marks.append((newest.step, ", ".join(began)))
        for change in newest.facts.get("steered", ()):
            if change["after_step"] == newest.step - 1:
                self.marks.append((newest.step, _change_text(change)))

    def text(self, names: Iterable[str], step: int) -> str:
        """Return the losses of one iteration in lines: ``Iteration 20``, ``style 0.0421``."""
        losses = {name: self.columns[name][step - 1] for name in names}
        lines = [f"{n.replace('/', ' ')} {x:.3g}" for n, x in losses.items() if not math.isnan(x)]
        return "\n".join([f"Iteration {step}", *lines])

    def __len__(self) -> int:
        return len(self.columns.get("total", ()))


def in_order(names: Iterable[str]) -> list[str]:
    """Return names of losses in the order of `KINDS`, the sums before the layers."""
    return sorted(names, key=lambda name: ("/" in name, KINDS.index(name.partition("/")[0])))


def _phase_text(facts: Mapping[str, Any]) -> str:
    """Return the name of a phase: ``refine``, numbered if there are several later ones."""
    count = len(facts.get("recipe", {}).get("phases", ()))
    return "refine" if count == 1 else f"refine {facts['phase']}"


def _change_text(change: Mapping[str, Any]) -> str:
    """Return a recorded change of a run's settings in a few words, such as ``style weight 12``."""
    fields = [_field_text(name, value) for name, value in change.items() if name in CONTROLS]
    return ", ".join([*fields, *(words for key, words in _CHANGES.items() if key in change)])


def _field_text(name: str, value: Any) -> str:
    words = name.replace("_", " ").replace("tv ", "TV ")
    kind = CONTROLS[name].kind
    if kind in (LayerWeights, Changes, tuple):  # too long to write beside a curve
        return words
    return f"{words} {value:g}" if kind is float else f"{words} {value}"
