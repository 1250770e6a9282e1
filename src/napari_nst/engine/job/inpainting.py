"""A region of a picture to fill, and the texture to fill it with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from napari_nst.engine.job.change import Change
from napari_nst.engine.job.guides import Guides, KeepOutside, Labels, read_labels
from napari_nst.engine.job.input_image import InputImage

Mask = np.ndarray[Any, np.dtype[np.bool_]]
"""(H, W) bool."""

Window = tuple[slice, slice]

MARGIN = 64
"""How many pixels around the region a run works on, so that a deep feature at its border sees what
is there: half the 92 pixels that one of relu4_1 looks at, and some for where it comes to lie."""

BORDER = 8
"""By how many pixels the region is enlarged where its statistics are taken: features astride its
border then are the texture's too, and nothing shows where it was."""


@dataclass(frozen=True, eq=False)
class Inpainting:
    """A region of a picture, and what it is filled with.

    Attributes
    ----------
    picture : InputImage
        All of it.
    free : ndarray
        (H, W) bool, of the picture's size: the pixels to fill.
    window : tuple of slice
        The rows and columns that the run works on, from its beginning to its end.
    exemplars : sequence of InputImage or None
        What gives the texture; None for what is around the region.
    exemplar_region : ndarray or None
        (H, W) whole numbers or bool: which pixels of the only exemplar; None for all.
    longest : int
        Longest side of what is taken from an exemplar with a region.
    """

    picture: InputImage
    free: Mask
    window: Window
    exemplars: Sequence[InputImage] | None
    exemplar_region: np.ndarray[Any, Any] | None
    longest: int

    @property
    def keep_outside(self) -> KeepOutside:
        """What stays as it is."""
        return KeepOutside(self.picture, self.free, self.window, seamless=True)

    @property
    def styles(self) -> list[InputImage]:
        """The exemplars, that with a region cut to it.

        Raises
        ------
        TypeError, ValueError
            If the region of the exemplar is not one, or what is around is too little.
        """
        return self._seen[0]

    @property
    def guides(self) -> Guides:
        """Where the texture goes, and which pixels of the exemplars count; raises likewise."""
        return Guides(_enlarged(self.free[self.window]), self._seen[1])

    @property
    def metadata(self) -> dict[str, Any]:
        """What a record says of it: sizes, not pixels."""
        metadata = {"filled_pixels": int(self.free.sum())}
        if self.exemplar_region is not None:
            metadata["exemplar_pixels"] = sum(int((labels > 0).sum()) for labels in self._seen[1])
        return metadata

    def changed(self, change: Change, exemplars: Sequence[InputImage] | None) -> Inpainting:
        """Return the same hole with what a caller wants otherwise, in the same window.

        Parameters
        ----------
        change : Change
            Its `region`, and its `exemplar_region`.
        exemplars : sequence of InputImage or None
            Others to go on with; None for those there are.

        Raises
        ------
        TypeError, ValueError
            If the region is not one, or reaches beyond the window.
        """
        hole = self if exemplars is None else replace(self, exemplars=exemplars)
        if change.region is None:
            return hole
        free = read_region(change.region(), self.picture)
        if np.count_nonzero(free) > np.count_nonzero(free[self.window]):
            raise ValueError(
                f"region reaches beyond the {MARGIN} pixels around where it was when the run "
                "began; erase what lies there, or start another run."
            )
        marked = None if change.exemplar_region is None else change.exemplar_region()
        return replace(
            hole, free=free, exemplar_region=None if marked is None else np.array(marked)
        )

    def differences(self, other: Inpainting) -> dict[str, Any]:
        """Return what another hole in the same picture has otherwise, as a record says it."""
        found = {"region": not np.array_equal(self.free, other.free)}
        own, its = self.exemplar_region, other.exemplar_region
        if own is None or its is None:
            found["exemplar_region"] = own is not its
        else:
            found["exemplar_region"] = not np.array_equal(own > 0, its > 0)
        return {name: True for name, differs in found.items() if differs}

    @cached_property
    def _seen(self) -> tuple[list[InputImage], tuple[Labels, ...]]:
        """The exemplars as they are looked at, and which of their pixels count."""
        if self.exemplars is None:
            return _surroundings(self.picture, self.free, self.exemplar_region)
        return _cut(self.exemplars, self.exemplar_region, self.longest)


def read_region(region: ArrayLike | None, picture: InputImage) -> Mask:
    """Check the region of a picture that a caller handed in, and return its pixels."""
    if region is None:
        raise ValueError("into needs a region to fill; give one, with numbers above 0 there.")
    free: Mask = read_labels(region, "region", "image into which", picture.shape) > 0
    if not free.any():
        raise ValueError("region labels no pixel; give those to fill a number above 0.")
    return free


def around(marked: Mask, margin: int) -> Window:
    """Return the rows and columns of what is marked, and a margin inside the image."""
    rows, columns = (
        slice(max(0, int(at.min()) - margin), min(side, int(at.max()) + 1 + margin))
        for at, side in zip(marked.nonzero(), marked.shape, strict=True)
    )
    return rows, columns


def part(picture: InputImage, window: Window) -> InputImage:
    """Return some rows and columns of a picture."""
    alpha = None if picture.alpha is None else picture.alpha[window]
    return InputImage(picture.rgb[window], alpha, picture.is_grey, picture.metadata)


def _surroundings(
    picture: InputImage, free: Mask, exemplar_region: ArrayLike | None
) -> tuple[list[InputImage], tuple[Labels, ...]]:
    """Return what is around a region as an exemplar, and which of its pixels count."""
    if exemplar_region is not None:
        raise ValueError("exemplar_region says where in an exemplar to look; give that too.")
    rows, columns = around(free, 0)
    size = max(rows.stop - rows.start, columns.stop - columns.start)
    window = around(free, max(MARGIN, size))
    seen = part(picture, window)
    hidden = free[window]
    alpha = (~hidden).astype(np.float32) * (1 if seen.alpha is None else seen.alpha)
    # What fills the region now is hidden from the network, and so has an edge that is no texture's.
    labels = 1 - _enlarged(hidden)
    if not (labels * alpha > 0.5).any():
        raise ValueError("region leaves too little of into to take a texture from; give exemplar.")
    # Without metadata: it is none of the images that the caller handed in.
    return [InputImage(seen.rgb, alpha, seen.is_grey, {})], (labels,)


def _cut(
    exemplars: Sequence[InputImage], exemplar_region: ArrayLike | None, longest: int
) -> tuple[list[InputImage], tuple[Labels, ...]]:
    """Return the exemplars, that with a region cut to it, and which of their pixels count."""
    if exemplar_region is None:
        return list(exemplars), tuple(np.ones(one.shape, np.int64) for one in exemplars)
    if len(exemplars) != 1:
        raise ValueError("exemplar_region is of one exemplar, and there are several; leave it out.")
    marked = read_labels(exemplar_region, "exemplar_region", "exemplar", exemplars[0].shape) > 0
    if not marked.any():
        raise ValueError("exemplar_region labels no pixel; give those to take a number above 0.")
    window = _densest(marked, longest)
    return [part(exemplars[0], window)], (marked[window].astype(np.int64),)


def _densest(marked: Mask, longest: int) -> Window:
    """Return the window, no longer than that, which has the most marked pixels."""
    tables = np.pad(marked.cumsum(axis=0).cumsum(axis=1), ((1, 0), (1, 0)))
    height, width = (min(side, longest) for side in marked.shape)
    counts = (
        tables[height:, width:] - tables[:-height, width:] - tables[height:, :-width]
        + tables[:-height, :-width]
    )  # fmt: skip
    top, left = np.unravel_index(counts.argmax(), counts.shape)
    return slice(int(top), int(top) + height), slice(int(left), int(left) + width)


def _enlarged(free: Mask) -> Labels:
    """Return a mask grown by `BORDER` pixels on each side, as labels 0 and 1."""
    marked = np.pad(free, BORDER)
    for axis in (0, 1):
        windows = np.lib.stride_tricks.sliding_window_view(marked, 2 * BORDER + 1, axis=axis)
        marked = np.any(windows, axis=-1)
    return marked.astype(np.int64)
