"""How much of a picture's detail lies on the network's pooling grid."""

from __future__ import annotations

from typing import Any

import numpy as np
from PIL import Image

PERIODS = (2, 4, 8, 16)
"""Pixels between pooled positions at relu2_1, 3_1, 4_1 and 5_1."""

AROUND, BESIDE = 6, 2
"""Frequencies from a peak up to which its neighbourhood extends, and which still belong to it."""


def grid_figures(picture: np.ndarray[Any, Any]) -> dict[int, float]:
    """Return, for each period in `PERIODS`, by how much it stands out of the picture's spectrum.

    The differences of neighbouring grey values are averaged along rows and along columns. Where
    they are stronger at every second or fourth place, the power of this profile has a peak at that
    period. The figure is the peak ÷ the median of its neighbourhood, the geometric mean of both
    directions: about 1 to 4 without a grid.

    Parameters
    ----------
    picture : ndarray
        uint8 (H, W) or (H, W, 3), at least 64 pixels high and wide.
    """
    if min(picture.shape[:2]) < 64:
        raise ValueError(f"a picture must have at least 64 pixels a side; not {picture.shape}.")
    grey = np.asarray(Image.fromarray(picture).convert("L")) / 255
    rows, columns = (_peaks(grey, axis) for axis in (0, 1))
    return {period: float(np.sqrt(rows[period] * columns[period])) for period in PERIODS}


def _peaks(grey: np.ndarray[Any, Any], axis: int) -> dict[int, float]:
    """Return the peak at each period ÷ its neighbourhood, along one axis."""
    profile = np.abs(np.diff(grey, axis=axis)).mean(axis=1 - axis)
    length = len(profile) // max(PERIODS) * max(PERIODS)
    profile = profile[:length] - profile[:length].mean()
    power = np.abs(np.fft.rfft(profile * np.hanning(length))) ** 2
    found = {}
    for period in PERIODS:
        middle = length // period
        first, last = max(middle - AROUND, 1), min(middle + AROUND + 1, len(power))
        near = [power[index] for index in range(first, last) if abs(index - middle) > BESIDE]
        peak = power[max(middle - 1, 0) : middle + 2].max()
        found[period] = float(peak / np.median(near))
    return found
