"""The history of a run: some of its images, within a limit of memory, as one array."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal, get_args

import numpy as np

from napari_nst.io.image_files.write_image import eight_bit

Pixels = np.ndarray[Any, Any]
Spacing = Literal["log", "even"]

DEFAULT_MEGABYTES = 200.0  # 250 images of 512 × 512 pixels in 8-bit RGB
LOG_RATIO = 1.05  # of successive steps with logarithmic spacing


class History:
    """Images of some steps of a run: with the spacing "even" each `every`-th, with "log" fewer.

    The first and the newest image are always kept. When the images exceed `megabytes`, every second
    one is removed, and from then on half as many are added.
    """

    def __init__(
        self,
        spacing: Spacing = "log",
        *,
        every: int = 1,
        megabytes: float = DEFAULT_MEGABYTES,
        convert: Callable[[Pixels], Pixels] = eight_bit,  # of a float picture before it is kept
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
        self._lock = threading.RLock()  # one thread may add images while others read them

    def step(self, iteration: Any, *, is_last: bool = False) -> None:
        """Keep the picture of an `Iteration` of one panel if its step is wanted or is the last."""
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
            while self.megabytes > self.max_megabytes and len(self._frames) > 2:
                self._stride *= 2
                for between in list(self._frames)[1:-1]:
                    if not self._is_due(between):
                        del self._frames[between]

    @property
    def steps(self) -> list[int]:
        """The steps whose images are kept."""
        with self._lock:
            return list(self._frames)

    @property
    def megabytes(self) -> float:
        """The memory of the images in millions of bytes."""
        with self._lock:
            return sum(pixels.nbytes for pixels, _ in self._frames.values()) / 1e6

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
        if step == 1:
            return True
        # A step is due if it reaches a new power of the ratio whose exponent the stride divides.
        # Steps that are due with a doubled stride were due before.
        before, after = (math.floor(math.log(one, LOG_RATIO)) for one in (step - 1, step))
        return after // self._stride > before // self._stride


class FrameStack:
    """Frames of several sizes, enlarged when read, as one array that napari accepts as data."""

    def __init__(
        self,
        frames: Mapping[int, tuple[Pixels, str]],  # step → pixels and label, in order; not copied
        convert: Callable[[Pixels], Pixels] = np.asarray,  # of each frame when it is read
    ) -> None:
        self._frames = dict(frames)
        self._convert = convert
        self.steps = tuple(frames)
        self.labels = tuple(label for _, label in frames.values())
        self.originals = [pixels for pixels, _ in frames.values()]  # at their own sizes
        height, width = max((one.shape[:2] for one in self.originals), key=math.prod)
        self.size: tuple[int, int] = (int(height), int(width))  # of the largest frame
        first = self._frame(0)
        self.shape: tuple[int, ...] = (len(frames), *first.shape)
        self.dtype: np.dtype[Any] = first.dtype
        self.ndim = len(self.shape)

    def converted(self, convert: Callable[[Pixels], Pixels]) -> FrameStack:
        """Return a stack of the same frames with another `convert`."""
        return FrameStack(self._frames, convert)

    def nearest(self, step: int) -> int:
        """Return the index of the frame whose step is nearest, the earlier one of two."""
        return min(range(len(self)), key=lambda index: abs(self.steps[index] - step))

    def __len__(self) -> int:
        return self.shape[0]

    def __iter__(self) -> Iterator[Pixels]:
        return map(self._frame, range(len(self)))

    def __getitem__(self, key: Any) -> Pixels:
        first, *rest = key if isinstance(key, tuple) else (key,)
        if isinstance(first, (int, np.integer)):
            frame: Pixels = self._frame(int(first))[tuple(rest)]
            return frame
        if isinstance(first, slice) and (chosen := range(len(self))[first]):
            return np.stack([self._frame(index)[tuple(rest)] for index in chosen])
        part: Pixels = np.asarray(self)[key]
        return part

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Pixels:
        if copy is False:
            raise ValueError("A frame stack cannot be an array without a copy.")
        whole = np.empty(self.shape, dtype or self.dtype)
        for index, frame in enumerate(self):
            whole[index] = frame
        return whole

    def _frame(self, index: int) -> Pixels:
        return self._convert(enlarged(self.originals[index], self.size))


def enlarged(pixels: Pixels, shape: tuple[int, int]) -> Pixels:
    """Return an image (H, W) or (H, W, C) of the same type, interpolated linearly to a shape."""
    if pixels.shape[:2] == shape:
        return pixels
    # Not by scikit-image, which takes five to ten times as long when the slider moves.
    exact = np.float32 if pixels.dtype.itemsize <= 2 else np.float64
    result: Pixels = pixels.astype(exact)
    for axis, length in enumerate(shape):
        last = pixels.shape[axis] - 1
        at = np.clip((np.arange(length) + 0.5) * (last + 1) / length - 0.5, 0, last)
        before = at.astype(int)
        weight = (at - before).astype(exact).reshape(-1, *[1] * (pixels.ndim - 1 - axis))
        first = np.take(result, before, axis)
        result = np.take(result, np.minimum(before + 1, last), axis)
        # In place, because temporary arrays would double the time.
        result -= first
        result *= weight
        result += first
    return (result if pixels.dtype.kind == "f" else np.rint(result)).astype(pixels.dtype)
