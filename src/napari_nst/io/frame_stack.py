"""Frames of several sizes as one array."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

Pixels = np.ndarray[Any, Any]


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
