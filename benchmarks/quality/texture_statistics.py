"""Statistics of textures that no recipe optimises, on pixels alone.

Textures are uint8 (H, W) or (H, W, 3).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from PIL import Image
from scipy import fft
from scipy.ndimage import gaussian_filter

Pixels = np.ndarray[Any, Any]
Values = np.ndarray[Any, np.dtype[np.float64]]

BINS = 32
"""Rings of equal width in which the power spectrum is averaged."""

SIMILAR = 0.9
"""Correlation from which a patch counts as taken over verbatim."""

SHADING = 8.0
"""Standard deviation in pixels of the Gaussian that is subtracted before patches are compared."""

FLAT = 0.1
"""Patches with less than this share of the texture's standard deviation are left out."""

SIDES = (8, 10, 12, 14, 16, 20, 24, 28, 32, 40, 48, 56, 64, 80, 96, 128, 160, 192, 256)
"""Sides of the patches that are compared, in pixels."""


def grey(texture: Pixels) -> Values:
    """Return a texture's lightness, float64 (H, W) in [0, 1]."""
    return np.asarray(Image.fromarray(texture).convert("L"), float) / 255


def bright_half(lightness: Values) -> Values:
    """Return the share of each pixel in the brighter half of all pixels, in [0, 1].

    With 256 grey levels many pixels are as bright as the median. Each of them counts in part: if
    none of them counted, the phase would be 42 to 50 % of the pixels, and S2 would compare that.
    """
    median = np.median(lightness)
    brighter, equal = lightness > median, lightness == median
    part = (lightness.size / 2 - brighter.sum()) / max(equal.sum(), 1)
    return brighter + part * equal


def two_point_correlation(phase: Pixels, reach: int) -> Values:
    """Return S2, the probability that two points are both in a phase, for each displacement.

    Parameters
    ----------
    phase : ndarray
        (H, W) bool, true for pixels of the phase; or float in [0, 1], their share in it.
    reach : int
        Largest displacement in pixels, less than H and W.

    Returns
    -------
    ndarray
        (reach + 1, 2 reach + 1): displacements down 0 … reach, and right −reach … reach. The others
        are the same by symmetry. Without displacement it is the share of the phase. Only pairs of
        points inside the image count: it does not repeat.
    """
    height, width = phase.shape
    shape = (height + reach, width + reach)  # no displacement wraps around

    def counts(mask: Values) -> Values:
        power = np.abs(fft.rfft2(mask, shape)) ** 2
        found = fft.irfft2(power, shape)[: reach + 1]
        return np.concatenate([found[:, -reach:], found[:, : reach + 1]], axis=1)

    both: Values = counts(phase.astype(float)) / counts(np.ones(phase.shape))
    return both


def two_point_distance(one: Values, other: Values) -> float:
    """Return the root of the mean squared difference of two S2, each octave of lengths alike.

    Without that weight, of 1 ÷ length², the long displacements decide, since there are most of
    them, and their S2 is mostly chance.
    """
    reach = one.shape[0] - 1
    down, right = np.mgrid[: reach + 1, -reach : reach + 1]
    squared = down**2 + right**2
    weight = np.where(squared > 0, 1 / np.maximum(squared, 1), 0)
    return float(np.sqrt(np.average((one - other) ** 2, weights=weight)))


def power_spectrum(texture: Pixels) -> Values:
    """Return the logarithm (base 10) of the power at each of `BINS` spatial frequencies.

    They are equal steps up to half a cycle per pixel, averaged over directions. Power is added over
    channels, so that grain of any colour counts. The borders are faded out (Hann window).
    """
    pixels = texture.reshape(*texture.shape[:2], -1) / 255
    height, width = pixels.shape[:2]
    window = np.outer(np.hanning(height), np.hanning(width))[..., None]
    centred = pixels - pixels.mean(axis=(0, 1))
    spectrum = np.abs(fft.fft2(centred * window, axes=(0, 1))) ** 2 / (window**2).sum()
    power = spectrum.sum(axis=-1)
    radius = np.hypot(fft.fftfreq(height)[:, None], fft.fftfreq(width)[None])
    bins = (radius * 2 * BINS).astype(int)
    inside = (bins < BINS) & (radius > 0)
    sums = np.bincount(bins[inside], power[inside], BINS)
    mean = sums / np.maximum(np.bincount(bins[inside], minlength=BINS), 1)
    return np.log10(mean + 1e-12)  # far below the power of one grey level


def rms(difference: Values) -> float:
    """Return the root of the mean squared value."""
    return float(np.sqrt(np.mean(difference**2)))


def copy_score(texture: Pixels, exemplar: Pixels) -> int:
    """Return the side in pixels of the largest patch that a texture took from its exemplar.

    A patch was taken over if its correlation with some place of the exemplar is `SIMILAR` or more,
    whatever its brightness, contrast and shading. Patches start at every quarter of their side, at
    least 4 pixels apart, so that a copied square is found if it is larger by that. Nearly flat
    patches, which are similar anywhere, do not count. 0 if not even the smallest of `SIDES` was.
    """
    image, source = _without_shading(texture), _without_shading(exemplar)
    least = FLAT * image.std()
    score = 0
    for side in SIDES:
        if side > min(*image.shape, *source.shape) or not _has_copy(image, source, side, least):
            break
        score = side
    return score


def _without_shading(texture: Pixels) -> Values:
    lightness = grey(texture)
    detail: Values = (lightness - gaussian_filter(lightness, SHADING)).astype(np.float32)
    return detail


def _has_copy(image: Values, source: Values, side: int, least: float) -> bool:
    """Say whether some square patch of an image is somewhere in another."""
    count = side**2
    means = _window_means(source, side)
    spread = np.sqrt(np.maximum(_window_means(source**2, side) - means**2, 1e-12))
    shape = [fft.next_fast_len(length, real=True) for length in source.shape]
    transformed = fft.rfft2(source, shape)
    step = max(4, side // 4)
    for top in range(0, image.shape[0] - side + 1, step):
        patches = []
        for left in range(0, image.shape[1] - side + 1, step):
            patch = image[top : top + side, left : left + side]
            if (deviation := patch.std()) > least:
                patches.append((patch - patch.mean()) / deviation)
        if not patches:
            continue
        # The correlation of a patch with every place, from the product of transforms. A patch that
        # is as large as the source has one place, and none wraps around.
        products = fft.irfft2(transformed * fft.rfft2(np.array(patches), shape).conj(), shape)
        valid = products[:, : means.shape[0], : means.shape[1]]
        if (valid / (count * spread)).max() >= SIMILAR:
            return True
    return False


def _window_means(values: Values, side: int) -> Values:
    """Return the mean of each square of `side` pixels, (H − side + 1, W − side + 1)."""
    sums = np.pad(values.astype(float), ((1, 0), (1, 0))).cumsum(0).cumsum(1)
    windows = sums[side:, side:] - sums[:-side, side:] - sums[side:, :-side] + sums[:-side, :-side]
    means: Values = windows / side**2
    return means
