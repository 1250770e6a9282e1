"""Pictures of a run that are kept, within a budget of memory, to go back to."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from napari_nst.io.frame_stack import Stack
from napari_nst.io.write_image import levels

if TYPE_CHECKING:
    from napari_nst.engine.iteration import Iteration

Pixels = np.ndarray[Any, Any]
Spacing = Literal["log", "even"]

MEGABYTE = 1_000_000

BUDGET = 200.0
"""Millions of bytes: as much as 250 pictures of 512 pixels in 8-bit RGB."""

LOG_RATIO = 1.05
"""Between steps that follow each other where they are spaced evenly in their logarithm."""


def eight_bit(picture: Pixels) -> Pixels:
    """Return a float picture in [0, 1] as uint8: a quarter of the memory, and as much to see."""
    return levels("picture", picture, 8)


class History:
    """Pictures of some steps of a run, spaced evenly or evenly in their logarithm.

    The first and the newest picture are always there. Where the others pass the budget, every
    second is dropped, and from then on half as many are wanted. A run that is extended goes on in
    the same history. One thread may add pictures while others read.

    Parameters
    ----------
    spacing : {"log", "even"}
        Steps to keep: with "log" each at first, where most changes, then fewer and fewer; with
        "even" each `every`-th.
    every : int
        How many steps lie between two pictures that are spaced evenly.
    megabytes : float
        The budget, in millions of bytes.
    convert : callable, optional
        What to make of an iteration's picture, which is float in [0, 1], before it is kept.

    Raises
    ------
    ValueError
        If one of them makes no sense.
    """

    def __init__(
        self,
        spacing: Spacing = "log",
        *,
        every: int = 1,
        megabytes: float = BUDGET,
        convert: Callable[[Pixels], Pixels] = eight_bit,
    ) -> None:
        if spacing not in get_args(Spacing):
            raise ValueError(f"spacing must be 'log' or 'even'; not {spacing!r}.")
        if every < 1:
            raise ValueError(f"every must be at least 1; not {every}.")
        if not megabytes > 0:
            raise ValueError(f"megabytes must be above 0; not {megabytes:g}.")
        self.budget = megabytes
        self._spacing = spacing
        self._every = every
        self._convert = convert
        self._coarser = 1
        self._pictures: dict[int, tuple[Pixels, str]] = {}  # steps ascend
        self._lock = threading.Lock()

    # ── what a run adds ──────────────────────────────────────────────────────────────────────

    def step(self, iteration: Iteration, *, is_last: bool = False) -> None:
        """Keep an iteration's picture if it is wanted; with `is_last` in any case.

        Of several pictures that are made in turn, none is kept: they are stacked themselves.
        """
        wanted = is_last or self.wants(iteration.step, iteration.steps)
        if wanted and not iteration.panels:
            self.keep(iteration.step, self._convert(iteration.picture), label_of(iteration))

    def wants(self, step: int, steps: int) -> bool:
        """Return whether to keep a step, counted from 1, of a run that has so many."""
        with self._lock:
            return step in (1, steps) or self._is_due(step)

    def keep(self, step: int, pixels: Pixels, label: str) -> None:
        """Keep a picture.

        Parameters
        ----------
        step : int
            Of which it is; not below those that are kept.
        pixels : ndarray
            (H, W) or (H, W, C), all pictures of one type and of as many channels. It is not copied.
        label : str
            What it is called.
        """
        with self._lock:
            newest = max(self._pictures, default=step)
            if step < newest:
                raise ValueError(f"step must not be below {newest}, which is kept; not {step}.")
            if len(self._pictures) > 1 and newest != step and not self._is_due(newest):
                del self._pictures[newest]  # it was there for being the newest alone
            self._pictures[step] = (pixels, label)
            while self._bytes() > self.budget * MEGABYTE and len(self._pictures) > 2:
                self._thin()

    def _is_due(self, step: int) -> bool:
        if self._spacing == "even":
            return step % (self._every * self._coarser) == 0
        # Steps are due where they pass the next power of the ratio, or, when half of them had to
        # go, of its square: all that are due then were due before.
        return _power(step) // self._coarser > _power(step - 1) // self._coarser

    def _thin(self) -> None:
        self._coarser *= 2
        ends = (min(self._pictures), max(self._pictures))
        for step in [step for step in self._pictures if step not in ends]:
            if not self._is_due(step):
                del self._pictures[step]

    def _bytes(self) -> int:
        return sum(pixels.nbytes for pixels, _ in self._pictures.values())

    # ── what there is to see ─────────────────────────────────────────────────────────────────

    @property
    def steps(self) -> list[int]:
        """The steps whose pictures are kept."""
        with self._lock:
            return list(self._pictures)

    @property
    def megabytes(self) -> float:
        """How much memory the pictures take, in millions of bytes."""
        with self._lock:
            return self._bytes() / MEGABYTE

    def stack(self) -> Stack:
        """Return the pictures that are kept now; what is kept later does not change it.

        Raises
        ------
        ValueError
            If there are none.
        """
        with self._lock:
            pictures = dict(self._pictures)
        if not pictures:
            raise ValueError("No picture has been kept yet; start a run, or wait for its first.")
        return Stack(pictures)


def label_of(iteration: Iteration) -> str:
    """Return what an iteration's picture is called; its size is that of the longest side."""
    return (
        f"iteration {iteration.step} of {iteration.steps}, {max(iteration.shape)} px, "
        f"loss {iteration.losses['total']:.3g}"
    )


def _power(step: int) -> int:
    """Return the largest power of the ratio that a step has reached; below 0 for none."""
    return math.floor(math.log(step) / math.log(LOG_RATIO)) if step else -1
