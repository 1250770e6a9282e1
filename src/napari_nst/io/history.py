"""The history of a run: some of its images, within a limit of memory."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from typing import Any, Literal, get_args

import numpy as np

from napari_nst.io.frame_stack import FrameStack
from napari_nst.io.write_image import quantized

Pixels = np.ndarray[Any, Any]
Spacing = Literal["log", "even"]

MEGABYTE = 1_000_000

DEFAULT_MEGABYTES = 200.0
"""Memory for 250 images of 512 × 512 pixels in 8-bit RGB."""

LOG_RATIO = 1.05
"""Ratio of successive steps with logarithmic spacing."""


def eight_bit(picture: Pixels) -> Pixels:
    """Return a float picture in [0, 1] as uint8."""
    return quantized("picture", picture, 8)


class History:
    """Images of some steps of a run, with even or logarithmic spacing.

    The first and the newest image are always kept. When the images exceed `megabytes`, every second
    one is removed, and from then on half as many are added. A run that is continued uses the same
    history. One thread may add images while others read them.

    With the spacing "even" each `every`-th step is kept. `convert` is applied to an iteration's
    picture, float in [0, 1], before it is kept.
    """

    def __init__(
        self,
        spacing: Spacing = "log",
        *,
        every: int = 1,
        megabytes: float = DEFAULT_MEGABYTES,
        convert: Callable[[Pixels], Pixels] = eight_bit,
    ) -> None:
        if spacing not in get_args(Spacing):
            raise ValueError(f"spacing must be 'log' or 'even'; not {spacing!r}.")
        if every < 1:
            raise ValueError(f"every must be at least 1; not {every}.")
        if not megabytes > 0:
            raise ValueError(f"megabytes must be above 0; not {megabytes:g}.")
        self.max_megabytes = megabytes
        self._spacing = spacing
        self._every = every
        self._convert = convert
        self._stride = 1  # doubled whenever every second image is removed
        self._frames: dict[int, tuple[Pixels, str]] = {}  # steps ascend
        self._lock = threading.Lock()

    def step(self, iteration: Any, *, is_last: bool = False) -> None:
        """Keep the picture of a `napari_nst.Iteration` if its step is wanted or it is the last.

        Iterations of comparisons, which have several panels, are not kept.
        """
        wanted = is_last or self.wants(iteration.step, iteration.steps)
        if wanted and not iteration.panels:
            label = (
                f"iteration {iteration.step} of {iteration.steps}, {max(iteration.shape)} px, "
                f"loss {iteration.losses['total']:.3g}"
            )
            self.keep(iteration.step, self._convert(iteration.picture), label)

    def wants(self, step: int, steps: int) -> bool:
        """Return whether to keep a step, counted from 1, of a run with that many steps."""
        with self._lock:
            return step in (1, steps) or self._is_due(step)

    def keep(self, step: int, pixels: Pixels, label: str) -> None:
        """Keep an image (H, W) or (H, W, C) without copying it; steps must not decrease."""
        with self._lock:
            newest = max(self._frames, default=step)
            if step < newest:
                raise ValueError(f"step must not be below {newest}, the newest; not {step}.")
            if len(self._frames) > 1 and newest != step and not self._is_due(newest):
                del self._frames[newest]  # it was only kept because it was the newest
            self._frames[step] = (pixels, label)
            while self._bytes() > self.max_megabytes * MEGABYTE and len(self._frames) > 2:
                self._remove_every_second()

    @property
    def steps(self) -> list[int]:
        """The steps whose images are kept."""
        with self._lock:
            return list(self._frames)

    @property
    def megabytes(self) -> float:
        """The memory of the images in millions of bytes."""
        with self._lock:
            return self._bytes() / MEGABYTE

    def stack(self) -> FrameStack:
        """Return the images kept so far; raise a ValueError if there are none."""
        with self._lock:
            frames = dict(self._frames)
        if not frames:
            raise ValueError("No picture has been kept yet; start a run, or wait for its first.")
        return FrameStack(frames)

    def _is_due(self, step: int) -> bool:
        if self._spacing == "even":
            return step % (self._every * self._stride) == 0
        # A step is due if it reaches a new power of the ratio whose exponent the stride divides.
        # Steps that are due with a doubled stride were due before.
        return _log_step(step) // self._stride > _log_step(step - 1) // self._stride

    def _remove_every_second(self) -> None:
        self._stride *= 2
        ends = (min(self._frames), max(self._frames))
        for step in list(self._frames):
            if step not in ends and not self._is_due(step):
                del self._frames[step]

    def _bytes(self) -> int:
        return sum(pixels.nbytes for pixels, _ in self._frames.values())


def _log_step(step: int) -> int:
    """Return the exponent of the largest power of the ratio up to a step, and -1 for 0."""
    return math.floor(math.log(step) / math.log(LOG_RATIO)) if step else -1
