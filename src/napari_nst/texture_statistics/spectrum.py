"""The power spectrum of a texture, and how its power depends on the direction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy import fft

Pixels = np.ndarray[Any, Any]
Values = np.ndarray[Any, np.dtype[np.float64]]

BINS = 32
"""Rings of equal width in which the power spectrum is averaged."""

SECTORS = 18
"""Directions of 10° each, in which power is added."""

LEAST_POWER = 1e-12
"""Added before the logarithm: far below the power of one grey level."""


class Spectrum:
    """The power of a texture at each spatial frequency.

    Power is added over channels, so that grain of any colour counts. The borders are faded out
    (Hann window).

    Parameters
    ----------
    values : ndarray
        (H, W, C) or (D, H, W, C) in [0, 1].
    scale : sequence of float, optional
        Sides of a pixel; 1 by default.
    mask : ndarray, optional
        Bool, without the axis of channels. Pixels outside count as the mean.
    """

    def __init__(
        self, values: Pixels, scale: Sequence[float] | None = None, mask: Pixels | None = None
    ) -> None:
        shape = values.shape[:-1]
        scale = [1.0] * len(shape) if scale is None else scale
        window: Any = np.ones((1,) * len(shape))
        for axis, side in enumerate(shape):
            faded = np.hanning(side) if side > 4 else np.ones(side)
            window = window * faded.reshape([-1 if one == axis else 1 for one in range(len(shape))])
        if mask is not None:
            window = window * mask
        mean = values.mean(axis=tuple(range(len(shape)))) if mask is None else values[mask].mean(0)
        power: Any = 0.0
        for channel in range(values.shape[-1]):
            faded = (values[..., channel] - mean[channel]) * window
            power = power + np.abs(fft.fftn(faded)) ** 2
        self.highest = 0.5 / max(scale)  # the highest frequency, in cycles per unit of length
        axes = [fft.fftfreq(n, side) for n, side in zip(shape, scale, strict=True)]
        self._axes = np.meshgrid(*axes, indexing="ij", sparse=True)
        self._radius = np.sqrt(sum(one**2 for one in self._axes))
        self._bins = (self._radius / self.highest * BINS).astype(int)
        self._inside = (self._bins < BINS) & (self._radius > 0)
        self._power = power / (window**2).sum()

    @property
    def radial(self) -> Values:
        """The logarithm (base 10) of the mean power in rings up to the highest frequency.

        That is half a cycle per pixel. NaN in rings that have no frequency.
        """
        bins = self._bins[self._inside]
        sums = np.bincount(bins, self._power[self._inside], BINS)
        number = np.bincount(bins, minlength=BINS)
        with np.errstate(invalid="ignore"):
            return np.log10(sums / number + LEAST_POWER)

    @property
    def directions(self) -> Values:
        """The power of waves in each of `SECTORS` directions, from 0° to 180°; their mean is 1.

        Waves along x, whose stripes stand upright, are at 0°, those along y, down, at 90°.
        """
        down, right = self._axes
        angle = np.arctan2(down, right) % np.pi
        # Sectors are around multiples of 10°, so that the axes are in the middle of one.
        sectors = np.rint(angle / np.pi * SECTORS).astype(int) % SECTORS
        power = np.bincount(sectors[self._inside], self._power[self._inside], SECTORS)
        number = np.bincount(sectors[self._inside], minlength=SECTORS)
        density = power / np.maximum(number, 1)
        shares: Values = density / (density.mean() or 1.0)
        return shares

    @property
    def anisotropy(self) -> float:
        """How much the power depends on the direction, from 0 (not at all) to 1 (stripes).

        That is (λ₁ − λ₂) ÷ (λ₁ + λ₂) for the largest and the smallest eigenvalue of the mean of
        k kᵀ ÷ |k|² over all frequencies k, weighted by their power.
        """
        power = self._power[self._inside]
        if not power.any():
            return 0.0
        full = np.broadcast_arrays(*self._axes)
        waves = np.stack([one[self._inside] for one in full]) / self._radius[self._inside]
        tensor = (waves * power) @ waves.T / power.sum()
        smallest, *_, largest = np.linalg.eigvalsh(tensor)
        return float((largest - smallest) / (largest + smallest))


def rms(difference: Pixels) -> float:
    """Return the root of the mean squared value, of those that are known."""
    known = difference[np.isfinite(difference)]
    return float(np.sqrt(np.mean(known**2))) if known.size else float("nan")
