"""The two-point correlation S2 of a phase, and the lengths that it has."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy import fft

Pixels = np.ndarray[Any, Any]
Values = np.ndarray[Any, Any]

LEAST_PAIRS = 0.5
"""Fewer pairs of points inside a mask are a rounding error of the Fourier transform."""


def bright_half(lightness: Pixels, mask: Pixels | None = None) -> Values:
    """Return the share of each pixel in the brighter half of all pixels, in [0, 1].

    With 256 grey levels many pixels are as bright as the median. Each of them counts in part: if
    none of them counted, the phase would be 42 to 50 % of the pixels, and S2 would compare that.
    """
    inside = lightness if mask is None else lightness[mask]
    median = np.median(inside)
    part = (inside.size / 2 - (inside > median).sum()) / max((inside == median).sum(), 1)
    share: Values = (lightness > median) + part * (lightness == median)
    return share if mask is None else share * mask


def two_point_correlation(
    phase: Pixels, reach: int | Sequence[int], mask: Pixels | None = None
) -> Values:
    """Return S2, the probability that two points are both in a phase, for each displacement.

    Parameters
    ----------
    phase : ndarray
        (H, W) or (D, H, W) bool, true for pixels of the phase; or float in [0, 1], their share.
    reach : int or sequence of int
        Largest displacement in pixels along each axis, less than its length.
    mask : ndarray, optional
        Bool, of the same shape. Only pairs of points that are both inside count; all by default.

    Returns
    -------
    ndarray
        (reach + 1, 2 reach + 1, …): displacements along the first axis 0 … reach, along the others
        −reach … reach. The rest is the same by symmetry. Without displacement it is the share of
        the phase. The image does not repeat. NaN where no two points have the displacement.
    """
    most = [reach] * phase.ndim if isinstance(reach, int) else list(reach)
    inside = np.ones(phase.shape) if mask is None else mask.astype(float)
    counts = pair_sums(inside, most)
    both = pair_sums(phase * inside, most)
    with np.errstate(invalid="ignore", divide="ignore"):
        found: Values = np.where(counts > LEAST_PAIRS, both / counts, np.nan)
    return found


def pair_sums(values: Pixels, reach: Sequence[int]) -> Values:
    """Return the sum of products of two points, for each displacement."""
    # As many zeros beyond the borders let no pair wrap around.
    shape = [
        fft.next_fast_len(side + most, real=True)
        for side, most in zip(values.shape, reach, strict=True)
    ]
    power = np.abs(fft.rfftn(values, shape)) ** 2
    found: Values = fft.irfftn(power, shape)
    for axis, most in enumerate(reach):
        found = np.take(found, np.arange(-most if axis else 0, most + 1), axis, mode="wrap")
    return found


def displacements(shape: Sequence[int], scale: Sequence[float]) -> list[Values]:
    """Return the displacement along each axis, in units of `scale`, at each place of an S2."""
    counts = [n if axis == 0 else (n + 1) // 2 for axis, n in enumerate(shape)]
    axes = [
        np.arange(-(n - 1) if axis else 0, n) * side
        for axis, (n, side) in enumerate(zip(counts, scale, strict=True))
    ]
    return list(np.meshgrid(*axes, indexing="ij", sparse=True))


def two_point_distance(one: Values, other: Values) -> float:
    """Return the root of the mean squared difference of two S2, each octave of lengths alike.

    Without that weight, of 1 ÷ lengthⁿ in n dimensions, the long displacements decide, since there
    are most of them, and their S2 is mostly chance.
    """
    length = np.sqrt(sum(one**2 for one in displacements(one.shape, [1.0] * one.ndim)))
    weight = np.where(length > 0, 1 / np.maximum(length, 1) ** one.ndim, 0)
    error = (one - other) ** 2
    known = np.isfinite(error)
    return float(np.sqrt(np.average(error[known], weights=weight[known])))


def radial(correlation: Values, scale: Sequence[float]) -> tuple[Values, Values]:
    """Return lengths, and S2 averaged over all displacements that are as long, to one pixel."""
    step = max(scale)
    length = np.sqrt(sum(one**2 for one in displacements(correlation.shape, scale)))
    bins = np.rint(length / step).astype(int)
    bins[(bins == 0) & (length > 0)] = 1  # pixels that are no squares have shorter ones
    reach = [n - 1 if axis == 0 else n // 2 for axis, n in enumerate(correlation.shape)]
    count = round(max(np.multiply(reach, scale)) / step) + 1
    known = np.isfinite(correlation) & (bins < count)
    # Each displacement counts together with its opposite, which the first plane alone has.
    weight = np.ones(correlation.shape)
    weight[0] = 0.5
    number, sums, lengths = (
        np.bincount(bins[known], weights=(weight * one)[known], minlength=count)
        for one in (np.ones(()), correlation, length)
    )
    with np.errstate(invalid="ignore"):
        return lengths / number, sums / number


def along(correlation: Values, axis: int) -> Values:
    """Return S2 of the displacements 0, 1, 2 … along one axis."""
    middle = [0 if other == 0 else n // 2 for other, n in enumerate(correlation.shape)]
    index: list[Any] = list(middle)
    index[axis] = slice(middle[axis], None)
    line: Values = correlation[tuple(index)]
    return line


def correlation_length(lengths: Values, correlation: Values) -> float:
    """Return the length at which the correlation, from 1 at 0 to 0 for unrelated points, is 1/e.

    That is (S2(r) − φ²) ÷ (φ − φ²), φ = S2(0); NaN if it is above 1/e at all lengths, or if all
    points are in one phase.
    """
    share = correlation[0]
    if not 0 < share < 1:
        return math.nan
    relative = (correlation - share**2) / (share - share**2) - math.exp(-1)
    below = np.flatnonzero(relative <= 0)
    if not below.size:
        return math.nan
    last = int(below[0])
    before, after = relative[last - 1], relative[last]
    part = before / (before - after)
    return float(lengths[last - 1] + part * (lengths[last] - lengths[last - 1]))
