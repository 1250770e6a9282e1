"""All statistics of one image or volume, and the distances between those of two."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from napari_nst.texture_statistics.lines import Counts, chord_counts, lineal_path
from napari_nst.texture_statistics.minkowski import (
    boundary_per_area,
    euler_per_size,
    surface_per_volume,
)
from napari_nst.texture_statistics.sample import Sample
from napari_nst.texture_statistics.spectrum import Spectrum, rms
from napari_nst.texture_statistics.two_point import (
    along,
    correlation_length,
    radial,
    two_point_correlation,
    two_point_distance,
)

Values = np.ndarray[Any, Any]

GREY_LEVELS = 256
"""Bins of the histogram: those of 8 bits."""

REACH = 4
"""Displacements extend to this fraction of a side: there are few pairs of points beyond."""


@dataclass(frozen=True, eq=False)
class Measured:
    """The statistics of one image, or their means over several images of equal pixels."""

    scale: tuple[float, ...]
    axes: tuple[str, ...]
    numbers: dict[str, float]  # name → value
    units: dict[str, str]  # the same names
    s2: Values
    paths: list[Values]  # the lineal path along each axis
    chords: list[Counts]  # how many chords of each length along each axis
    spectrum: Values
    highest: float  # the highest frequency of the spectrum, in cycles per unit of length
    directions: Values | None  # None for a volume
    histogram: Values  # shares of the grey levels


def measure(sample: Sample, reach: Sequence[int]) -> Measured:
    """Return the statistics of an image or a volume; S2 and lineal paths up to a reach."""
    phase, mask, unit, ndim = sample.phase, sample.mask, sample.unit, sample.ndim
    inside = ... if mask is None else mask
    s2 = two_point_correlation(sample.share, reach, mask)
    paths = [lineal_path(phase, axis, most, mask) for axis, most in enumerate(reach)]
    chords = [chord_counts(phase, axis, mask) for axis in range(ndim)]
    spectrum = Spectrum(sample.values, sample.scale, mask)
    numbers: dict[str, tuple[float, str]] = {
        "mean lightness": (float(sample.inside.mean()), ""),
        "contrast": (float(sample.inside.std()), ""),
        "volume fraction": (float(sample.share[inside].mean()), ""),
        "correlation length": (correlation_length(*radial(s2, sample.scale)), unit),
    }
    for axis, name in enumerate(sample.axes):
        line = along(s2, axis)
        lengths = np.arange(len(line)) * sample.scale[axis]
        numbers[f"correlation length {name}"] = (correlation_length(lengths, line), unit)
    for axis, name in enumerate(sample.axes):
        numbers[f"mean chord {name}"] = (_mean_length(chords[axis]) * sample.scale[axis], unit)
    boundary = boundary_per_area if ndim == 2 else surface_per_volume
    of_boundary, of_size = ("boundary", "area") if ndim == 2 else ("surface", "volume")
    numbers[f"{of_boundary} per {of_size}"] = (boundary(phase, sample.scale, mask), f"1/{unit}")
    numbers[f"Euler number per {of_size}"] = (
        euler_per_size(phase, sample.scale, mask),
        f"1/{unit}{'²' if ndim == 2 else '³'}",
    )
    numbers["anisotropy of the spectrum"] = (spectrum.anisotropy, "")
    histogram, _ = np.histogram(sample.inside, GREY_LEVELS, (0, 1))
    return Measured(
        sample.scale,
        sample.axes,
        {name: value for name, (value, _) in numbers.items()},
        {name: one for name, (_, one) in numbers.items()},
        s2,
        paths,
        chords,
        spectrum.radial,
        spectrum.highest,
        spectrum.directions if ndim == 2 else None,
        histogram / histogram.sum(),
    )


def mean_of(all_measured: Sequence[Measured]) -> Measured:
    """Return the means over several images; chords are those of all together."""
    if len(all_measured) == 1:
        return all_measured[0]
    first, count = all_measured[0], len(all_measured)

    def mean(parts: Iterable[Values]) -> Values:
        total: Any = sum(parts, start=np.float64(0))
        return np.asarray(total / count)

    directions = [one.directions for one in all_measured if one.directions is not None]
    return Measured(
        first.scale,
        first.axes,
        {name: _mean_of_known([one.numbers[name] for one in all_measured]) for name in first.units},
        first.units,
        mean(one.s2 for one in all_measured),
        [mean(one.paths[axis] for one in all_measured) for axis in range(len(first.paths))],
        [_sum([one.chords[axis] for one in all_measured]) for axis in range(len(first.chords))],
        mean(one.spectrum for one in all_measured),
        first.highest,
        mean(directions) if directions else None,
        mean(one.histogram for one in all_measured),
    )


DISTANCES = ("S2", "lineal path", "chord lengths", "power spectrum", "grey histogram")
"""The curves that are compared."""


def distances(one: Measured, other: Measured) -> dict[str, float]:
    """Return the distance between each of the curves of two images, by name in `DISTANCES`."""
    paths = np.concatenate([a - b for a, b in zip(one.paths, other.paths, strict=True)])
    chords = [
        _wasserstein(a, b) * side
        for a, b, side in zip(one.chords, other.chords, one.scale, strict=True)
    ]
    return {
        "S2": two_point_distance(one.s2, other.s2),
        "lineal path": rms(paths),
        "chord lengths": float(np.mean(chords)),
        "power spectrum": rms(one.spectrum - other.spectrum),
        "grey histogram": _wasserstein(one.histogram, other.histogram) / GREY_LEVELS,
    }


def shares(counts: Counts, length: int) -> Values:
    """Return how many of all chords have each length in pixels, 0 … length − 1."""
    padded = np.pad(counts, (0, max(0, length - len(counts))))[:length]
    found: Values = padded / max(counts.sum(), 1)
    return found


def _mean_length(counts: Counts) -> float:
    total = counts.sum()
    return float((counts * np.arange(len(counts))).sum() / total) if total else math.nan


def _sum(several: Sequence[Counts]) -> Counts:
    longest = max(map(len, several))
    padded = [np.pad(one, (0, longest - len(one))) for one in several]
    total: Counts = np.sum(padded, axis=0)
    return total


def _mean_of_known(values: Sequence[float]) -> float:
    known = [one for one in values if not math.isnan(one)]
    return sum(known) / len(known) if known else math.nan


def _wasserstein(one: Values | Counts, other: Values | Counts) -> float:
    """Return the Wasserstein distance between two distributions over 0, 1, 2 …; NaN if empty."""
    from scipy.stats import wasserstein_distance

    if not one.sum() or not other.sum():
        return math.nan
    return float(wasserstein_distance(np.arange(len(one)), np.arange(len(other)), one, other))
