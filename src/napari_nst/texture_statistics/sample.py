"""Images and volumes to be measured: checked, in grey and in two phases, and their crops."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from napari_nst.texture_statistics.reading import checked_scale, read, read_mask
from napari_nst.texture_statistics.two_point import bright_half

Pixels = np.ndarray[Any, Any]
Values = np.ndarray[Any, np.dtype[np.float64]]
LEAST_SIDE = 32
"""Pixels, of an image along at least two axes: its crops have half of it."""

LEAST_SHARE = 0.25
"""Crops with less of the mask than this share are left out."""

_NAMES = {2: ("y", "x"), 3: ("z", "y", "x")}


@dataclass(frozen=True, eq=False)
class Sample:
    """An image (H, W), a volume (D, H, W), or a crop of one."""

    values: Pixels  # float32 in [0, 1], with channels as the last axis
    lightness: Values
    scale: tuple[float, ...]  # sides of a pixel
    unit: str
    mask: Pixels | None = None  # bool
    threshold: float | None = None  # lightness from which the phase begins; None: the bright half
    is_dark: bool = False  # the phase is the dark one

    @property
    def shape(self) -> tuple[int, ...]:
        """The number of pixels along each axis."""
        return tuple(self.lightness.shape)

    @property
    def ndim(self) -> int:
        """2 for an image, 3 for a volume."""
        return self.lightness.ndim

    @property
    def is_calibrated(self) -> bool:
        """Whether the size of a pixel is known."""
        return self.unit != "pixel" or any(side != 1 for side in self.scale)

    @property
    def axes(self) -> tuple[str, ...]:
        """The names of the axes."""
        return _NAMES[self.ndim]

    @property
    def inside(self) -> Values:
        """The lightness of all pixels that count, in one row."""
        return self.lightness.ravel() if self.mask is None else self.lightness[self.mask]

    @cached_property
    def share(self) -> Values:
        """How far each pixel belongs to the phase, in [0, 1]."""
        if self.threshold is not None:
            return self.phase.astype(float)
        half = bright_half(self.lightness, self.mask)
        return 1 - half if self.is_dark else half

    @cached_property
    def phase(self) -> Pixels:
        """Which pixels are of the phase."""
        least = float(np.median(self.inside)) if self.threshold is None else self.threshold
        # At the median, pixels of its value would make the bright half more than a half.
        bright = self.lightness > least if self.threshold is None else self.lightness >= least
        found: Pixels = ~bright if self.is_dark else bright
        return found if self.mask is None else found & self.mask

    def part(self, index: tuple[slice | int, ...]) -> Sample:
        """Return a crop, or a slice where the index has an integer."""
        kept = [axis for axis, one in enumerate(index) if isinstance(one, slice)]
        return replace(
            self,
            values=self.values[index],
            lightness=self.lightness[index],
            mask=None if self.mask is None else self.mask[index],
            scale=tuple(self.scale[axis] for axis in kept),
        )

    def slices(self, count: int) -> Iterator[Sample]:
        """Yield evenly spaced slices of a volume, along each axis at most `count`."""
        for axis, length in enumerate(self.shape):
            for at in np.unique(np.linspace(0, length - 1, count + 2)[1:-1].round().astype(int)):
                index: list[slice | int] = [slice(None)] * self.ndim
                index[axis] = int(at)
                yield self.part(tuple(index))

    def corners(self, shape: Sequence[int]) -> list[Sample]:
        """Return crops of a shape at the corners, each once, if enough of the mask is in them."""
        starts = [sorted({0, side - own}) for side, own in zip(self.shape, shape, strict=True)]
        crops = [
            self.part(tuple(slice(at, at + n) for at, n in zip(corner, shape, strict=True)))
            for corner in itertools.product(*starts)
        ]
        return [one for one in crops if one.mask is None or one.mask.mean() >= LEAST_SHARE]


def sample_of(image: Any, name: str, mask: Any, mask_name: str, scale: Any, unit: str) -> Sample:
    """Check an image or a volume, its mask, and the sides of its pixels."""
    found = read(image, name)
    selected = read_mask(mask, mask_name, name, found.shape)
    if found.mask is not None:
        selected = found.mask if selected is None else selected & found.mask
    box = _box(selected, len(found.shape))
    pixels = found.pixels[box]
    shape = pixels.shape[:-1]
    if len([side for side in shape if side >= LEAST_SIDE]) < 2:
        which = name if mask is None else f"{mask_name}` of `{name}"
        raise ValueError(
            f"`{which}` is {' × '.join(map(str, shape))} pixels; at least two of its sides must "
            f"have {LEAST_SIDE}, so that it can be cut into crops. Give a larger one."
        )
    if selected is not None:
        selected = None if selected[box].all() else selected[box]
    sides, own = found.scale, found.unit
    if scale is not None:
        sides, own = checked_scale(scale, len(shape)), unit
    if sides is None:
        sides, own = (1.0,) * len(shape), "pixel"
    white = 255 if pixels.dtype == np.uint8 else 1
    return Sample(pixels / np.float32(white), lightness_of(pixels), sides, own, selected)


def _box(mask: Pixels | None, ndim: int) -> tuple[slice, ...]:
    """Return the smallest box that has all of a mask."""
    if mask is None:
        return (slice(None),) * ndim
    places = [np.flatnonzero(mask.any(axis=tuple({*range(ndim)} - {axis}))) for axis in range(ndim)]
    return tuple(slice(one[0], one[-1] + 1) if one.size else slice(0) for one in places)


def lightness_of(pixels: Pixels) -> Values:
    """Return the lightness, float64 in [0, 1], of uint8 or float pixels with channels last.

    Of colours, it is 0.299 R + 0.587 G + 0.114 B, of 8 bits rounded as Pillow does.
    """
    if pixels.dtype == np.uint8:
        if pixels.shape[-1] < 3:
            return np.asarray(pixels[..., 0], float) / 255
        red, green, blue = (pixels[..., channel].astype(np.int64) for channel in range(3))
        found: Values = ((19595 * red + 38470 * green + 7471 * blue + 0x8000) >> 16) / 255
        return found
    if pixels.shape[-1] == 1:
        return pixels[..., 0].astype(float)
    lightness: Values = pixels[..., :3].astype(float) @ np.array([0.299, 0.587, 0.114])
    return lightness


def otsu(sample: Sample) -> float:
    """Return the lightness that divides an image into two phases, by Otsu's method (1979)."""
    from skimage.filters import threshold_otsu

    inside = sample.inside
    if inside.min() == inside.max():
        return float(inside.min())
    # The threshold is the largest value of the dark class.
    return float(np.nextafter(threshold_otsu(inside), np.inf))
