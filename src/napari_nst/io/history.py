"""The history of a run: some of its images, within a limit of memory."""

from __future__ import annotations

import math
import threading
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal, get_args

import numpy as np

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


class FrameStack:
    """Frames of several sizes as one read-only array; small frames are enlarged when they are read.

    The frames are not copied; ``np.asarray`` makes an array with all of them. napari accepts the
    stack as the data of a layer.

    `frames` maps each step to its pixels and its label, in order. `convert` is applied to each
    frame when it is read, for example to move its axes.
    """

    def __init__(
        self,
        frames: Mapping[int, tuple[Pixels, str]],
        convert: Callable[[Pixels], Pixels] = np.asarray,
    ) -> None:
        self._frames = dict(frames)
        self._convert = convert
        self.steps = tuple(frames)
        self.labels = tuple(label for _, label in frames.values())
        height, width = max((one.shape[:2] for one in self.originals), key=math.prod)
        self.size: tuple[int, int] = (int(height), int(width))  # of the largest frame
        first = self._frame(self.steps[0])
        self.shape: tuple[int, ...] = (len(frames), *first.shape)
        self.dtype: np.dtype[Any] = first.dtype
        self.ndim = len(self.shape)

    @property
    def originals(self) -> list[Pixels]:
        """The frames at their own sizes."""
        return [pixels for pixels, _ in self._frames.values()]

    def converted(self, convert: Callable[[Pixels], Pixels]) -> FrameStack:
        """Return a stack of the same frames with another `convert`."""
        return FrameStack(self._frames, convert)

    def nearest(self, step: int) -> int:
        """Return the index of the frame whose step is nearest, the earlier one of two."""
        after = bisect_left(self.steps, step)
        around = [index for index in (after - 1, after) if 0 <= index < len(self.steps)]
        return min(around, key=lambda index: abs(self.steps[index] - step))

    def __len__(self) -> int:
        return self.shape[0]

    def __iter__(self) -> Iterator[Pixels]:
        return map(self._frame, self.steps)

    def __getitem__(self, key: Any) -> Pixels:
        first, *rest = key if isinstance(key, tuple) else (key,)
        if isinstance(first, (int, np.integer)):
            frame: Pixels = self._frame(self.steps[first])[tuple(rest)]
            return frame
        if isinstance(first, slice) and (chosen := self.steps[first]):
            return np.stack([self._frame(step)[tuple(rest)] for step in chosen])
        part: Pixels = np.asarray(self)[key]
        return part

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Pixels:
        if copy is False:
            raise ValueError("A frame stack cannot be an array without a copy.")
        whole = np.empty(self.shape, dtype or self.dtype)
        for index, frame in enumerate(self):
            whole[index] = frame
        return whole

    def _frame(self, step: int) -> Pixels:
        pixels, _ = self._frames[step]
        return self._convert(enlarged(pixels, self.size))


def enlarged(pixels: Pixels, shape: tuple[int, int]) -> Pixels:
    """Return an image (H, W) or (H, W, C) at another height and width, interpolated linearly.

    The outer edges stay in place and the type is kept; integers are rounded.
    """
    if pixels.shape[:2] == shape:
        return pixels
    exact = np.float32 if pixels.dtype.itemsize <= 2 else np.float64
    result: Pixels = pixels.astype(exact)
    for axis, length in enumerate(shape):
        result = _enlarged_along(result, axis, length)
    return (result if pixels.dtype.kind == "f" else np.rint(result)).astype(pixels.dtype)


def _enlarged_along(pixels: Pixels, axis: int, length: int) -> Pixels:
    old_length = pixels.shape[axis]
    at = np.clip((np.arange(length) + 0.5) * old_length / length - 0.5, 0, old_length - 1)
    before = at.astype(int)
    after = np.minimum(before + 1, old_length - 1)
    weight = (at - before).astype(pixels.dtype)
    weight = weight.reshape([-1 if one == axis else 1 for one in range(pixels.ndim)])
    first: Pixels = np.take(pixels, before, axis)
    second: Pixels = np.take(pixels, after, axis)
    # In place, because temporary arrays would double the time.
    second -= first
    second *= weight
    second += first
    return second


def repeated(pixels: Pixels, shape: tuple[int, int]) -> Pixels:
    """Return an image at another height and width by nearest neighbour, faster than `enlarged`."""
    rows, columns = (
        np.arange(length) * old_length // length
        for length, old_length in zip(shape, pixels.shape[:2], strict=True)
    )
    result: Pixels = pixels[rows[:, None], columns]
    return result
