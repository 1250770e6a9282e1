"""Segments inside a phase along an axis: the lineal path, and the lengths of chords."""

from __future__ import annotations

from typing import Any

import numpy as np

Pixels = np.ndarray[Any, Any]
Values = np.ndarray[Any, np.dtype[np.float64]]
Counts = np.ndarray[Any, np.dtype[np.int64]]


def lineal_path(phase: Pixels, axis: int, reach: int, mask: Pixels | None = None) -> Values:
    """Return the probability that a segment along an axis is wholly in a phase.

    Parameters
    ----------
    phase : ndarray
        Bool, of any number of dimensions.
    axis, reach : int
        The axis, and the largest distance in pixels between the ends of a segment.
    mask : ndarray, optional
        Bool, of the same shape. Only segments inside count; all by default.

    Returns
    -------
    ndarray
        (reach + 1,) for the distances 0 … reach; at 0 it is the share of the phase. NaN where no
        segment fits into the mask.
    """
    inside = np.ones(phase.shape, bool) if mask is None else mask
    found, possible = (
        _segments(_runs(one, axis)[0], reach).astype(float) for one in (phase & inside, inside)
    )
    with np.errstate(invalid="ignore"):
        path: Values = found / possible
    return path


def chord_counts(phase: Pixels, axis: int, mask: Pixels | None = None) -> Counts:
    """Return how many chords of a phase along an axis have each length in pixels, 0 … longest.

    A chord is a run of pixels of the phase between two pixels of the other phase. Runs that the
    border of the image or of the mask cuts are left out.
    """
    inside = np.ones(phase.shape, bool) if mask is None else mask
    lengths, starts, lines = _runs(phase & inside, axis)
    known = np.pad(_lines(inside, axis), ((0, 0), (1, 1)))
    whole = known[lines, starts] & known[lines, starts + lengths + 1]
    return np.bincount(lengths[whole]).astype(np.int64)


def _runs(inside: Pixels, axis: int) -> tuple[Counts, Counts, Counts]:
    """Return length, first position and line of each run of true pixels along an axis."""
    steps = np.diff(np.pad(_lines(inside, axis), ((0, 0), (1, 1))).astype(np.int8))
    lines, starts = np.nonzero(steps == 1)
    ends = np.nonzero(steps == -1)[1]
    return ends - starts, starts, lines


def _lines(values: Pixels, axis: int) -> Pixels:
    return np.moveaxis(values, axis, -1).reshape(-1, values.shape[axis])


def _segments(lengths: Counts, reach: int) -> Counts:
    """Return how many segments of 1 … reach + 1 pixels fit into runs of these lengths."""
    counts = np.bincount(lengths, minlength=reach + 2)
    # Of a run of n pixels, n − d positions are the start of a segment of d + 1 pixels.
    found: Counts = counts[::-1].cumsum().cumsum()[::-1][1 : reach + 2]
    return found
