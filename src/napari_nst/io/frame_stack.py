"""Pictures of several sizes as one array."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from napari_nst.io.enlarging import enlarged

Pixels = np.ndarray[Any, Any]


class Stack:
    """Pictures of several sizes as one array, each enlarged to the largest when it is looked at.

    It takes no memory beside the pictures' own, whatever their sizes; ``np.asarray`` makes a whole
    array of it. Viewers take it as it is.

    Parameters
    ----------
    pictures : mapping of int to (ndarray, str)
        Step → picture and label, in order.
    arrange : callable, optional
        What to make of each picture, such as other axes.

    Attributes
    ----------
    steps, labels : tuple
        Of the pictures.
    size : tuple of int
        Height and width of the largest.
    """

    def __init__(
        self,
        pictures: Mapping[int, tuple[Pixels, str]],
        arrange: Callable[[Pixels], Pixels] = np.asarray,
    ) -> None:
        self._pictures = dict(pictures)
        self._arrange = arrange
        self.steps = tuple(pictures)
        self.labels = tuple(label for _, label in pictures.values())
        height, width = max((one.shape[:2] for one in self.originals), key=math.prod)
        self.size: tuple[int, int] = (int(height), int(width))
        first = self._of(self.steps[0])
        self.shape: tuple[int, ...] = (len(pictures), *first.shape)
        self.dtype: np.dtype[Any] = first.dtype
        self.ndim = len(self.shape)

    @property
    def originals(self) -> list[Pixels]:
        """The pictures, each at the size that it has."""
        return [pixels for pixels, _ in self._pictures.values()]

    def arranged(self, arrange: Callable[[Pixels], Pixels]) -> Stack:
        """Return the same pictures, with something else made of each."""
        return Stack(self._pictures, arrange)

    def nearest(self, step: int) -> int:
        """Return the index of the picture whose step is nearest, of two the earlier."""
        after = bisect_left(self.steps, step)
        around = [index for index in (after - 1, after) if 0 <= index < len(self.steps)]
        return min(around, key=lambda index: abs(self.steps[index] - step))

    def __len__(self) -> int:
        return self.shape[0]

    def __iter__(self) -> Iterator[Pixels]:
        return map(self._of, self.steps)

    def __getitem__(self, key: Any) -> Pixels:
        which, *rest = key if isinstance(key, tuple) else (key,)
        if isinstance(which, (int, np.integer)):
            picture: Pixels = self._of(self.steps[which])[tuple(rest)]
            return picture
        if isinstance(which, slice):
            chosen = self.steps[which]
            if chosen:
                return np.stack([self._of(step)[tuple(rest)] for step in chosen])
        part: Pixels = np.asarray(self)[key]
        return part

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Pixels:
        if copy is False:
            raise ValueError("A stack has no array that could be had without a copy.")
        whole = np.empty(self.shape, dtype or self.dtype)
        for index, picture in enumerate(self):
            whole[index] = picture
        return whole

    def _of(self, step: int) -> Pixels:
        pixels, _ = self._pictures[step]
        return self._arrange(enlarged(pixels, self.size))
