"""The curves of an image, of its exemplar and of the exemplar's crops, as they are drawn."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from napari_nst.texture_statistics.measure import GREY_LEVELS, Measured, shares
from napari_nst.texture_statistics.result import Curve
from napari_nst.texture_statistics.spectrum import BINS, SECTORS
from napari_nst.texture_statistics.two_point import along, radial

Values = np.ndarray[Any, Any]

LEVELS = 32
"""Bins of the histogram that is drawn."""


Of = Callable[[Measured], Values]


def curves_of(
    image: Measured, exemplar: Measured | None, crops: Sequence[Measured], unit: str
) -> tuple[Curve, ...]:
    """Return all curves."""
    both = [image] if exemplar is None else [image, exemplar]

    def curve(name: str, x: Values, of: Of, x_label: str, y_label: str = "probability") -> Curve:
        lines = [_padded(of(one), len(x)) for one in (*both, *crops)]
        nothing = np.full(len(x), np.nan)
        several = np.array(lines[len(both) :] if len(crops) > 1 else [nothing])
        wanted = nothing if exemplar is None else lines[1]
        low, high = several.min(axis=0), several.max(axis=0)
        return Curve(name, x_label, y_label, x, lines[0], wanted, low, high)

    distance, axes = f"distance ({unit})", list(enumerate(image.axes))

    def along_axes(name: str, count: Callable[[int], int], of: Callable[[int], Of]) -> list[Curve]:
        return [
            curve(f"{name} {label}", np.arange(count(axis)) * image.scale[axis], of(axis), distance)
            for axis, label in axes
        ]

    lengths, _ = radial(image.s2, image.scale)
    found = [
        curve("S2", lengths, lambda one: radial(one.s2, one.scale)[1], distance),
        *along_axes("S2", lambda axis: len(along(image.s2, axis)), _s2_along),
        *along_axes("lineal path", lambda axis: len(image.paths[axis]), _path_along),
    ]
    for axis, label in axes:
        longest = max(_length_of_most(one.chords[axis]) for one in both)
        x = np.arange(1, longest + 1) * image.scale[axis]
        of = _chords_along(axis, longest)
        found.append(curve(f"chord lengths {label}", x, of, f"length ({unit})", "share of chords"))
    x = (np.arange(BINS) + 0.5) / BINS * image.highest
    label = f"frequency (1/{unit})"
    found.append(curve("power spectrum", x, lambda one: one.spectrum, label, "log10 of power"))
    if image.directions is not None:
        x, label = np.arange(SECTORS) * 180 / SECTORS, "direction (degrees)"
        found.append(curve("power by direction", x, _directions, label, "power over its mean"))
    x = (np.arange(LEVELS) + 0.5) / LEVELS
    found.append(curve("grey histogram", x, _histogram, "lightness", "density"))
    return tuple(found)


def _s2_along(axis: int) -> Of:
    return lambda one: along(one.s2, axis)


def _path_along(axis: int) -> Of:
    return lambda one: one.paths[axis]


def _chords_along(axis: int, longest: int) -> Of:
    return lambda one: shares(one.chords[axis], longest + 1)[1:]


def _directions(measured: Measured) -> Values:
    return np.array([]) if measured.directions is None else measured.directions


def _histogram(measured: Measured) -> Values:
    shares: Values = measured.histogram.reshape(LEVELS, GREY_LEVELS // LEVELS).sum(axis=1) * LEVELS
    return shares


def _padded(values: Values, count: int) -> Values:
    """Return a curve with NaN beyond its end."""
    kept = np.asarray(values, float)[:count]
    return np.pad(kept, (0, count - len(kept)), constant_values=np.nan)


def _length_of_most(counts: Values) -> int:
    """Return the length that 99 % of the chords have at most, at least 2."""
    total = counts.cumsum()
    return max(2, int(np.searchsorted(total, 0.99 * total[-1]))) if counts.any() else 2
