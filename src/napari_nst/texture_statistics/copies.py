"""What a texture took over from its exemplar: squares, and the layout."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from scipy import fft

Pixels = np.ndarray[Any, Any]
Values = np.ndarray[Any, np.dtype[np.float64]]

SIMILAR = 0.9
"""Correlation from which a patch counts as taken over verbatim."""

SHADING = 8.0
"""Standard deviation in pixels of the Gaussian that is subtracted before patches are compared."""

FLAT = 0.1
"""Patches with less than this share of the texture's standard deviation are left out."""

SIDES = (8, 10, 12, 14, 16, 20, 24, 28, 32, 40, 48, 56, 64, 80, 96, 128, 160, 192, 256)
"""Sides of the patches that are compared, in pixels."""


ALIKE = 16
"""Side of the patches that even different photographs of one material have in common."""

APART = 1.5
"""Times the largest square that two crops of an exemplar share, up to which there is no copy."""


COARSE = 40
"""A side over the standard deviation of the Gaussian that leaves the layout of an image."""

SAME_LAYOUT = 0.3
"""Correlation from which a texture has the layout of its exemplar. Other parts of photographs of
gravel, brick and tissue reach 0.14, at 160 pixels."""


def copy_limit(between_crops: float) -> float:
    """Return the side up to which a shared square is no copy.

    `between_crops` is that of two crops of the exemplar, NaN if there are no crops. Crops have half
    the sides of an image, so that fewer patches are compared, and the largest is a little smaller.
    """
    return max(ALIKE, APART * between_crops) if between_crops > 0 else ALIKE


def largest_copy(texture: Pixels, exemplar: Pixels) -> int:
    """Return the side in pixels of the largest patch that a texture took from its exemplar.

    Both are lightness (H, W) in [0, 1]. A patch was taken over if its correlation with some place
    of the exemplar is `SIMILAR` or more, whatever its brightness, contrast and shading. Patches
    start at every quarter of their side, at least 4 pixels apart, so that a copied square is found
    if it is larger by that. Nearly flat patches, which are similar anywhere, do not count. 0 if not
    even the smallest of `SIDES` was.
    """
    image, source = _without_shading(texture), _without_shading(exemplar)
    least = FLAT * image.std()
    score = 0
    for side in SIDES:
        if side > min(*image.shape, *source.shape) or not _has_copy(image, source, side, least):
            break
        score = side
    return score


def layout_correlation(texture: Pixels, exemplar: Pixels) -> float:
    """Return the correlation of coarse structures at the same places; NaN for other shapes.

    Both are lightness (H, W). 1 is the same layout, which need not have a single copied square; 0
    is another one.
    """
    from skimage.filters import gaussian

    if texture.shape != exemplar.shape:
        return math.nan
    sigma = min(texture.shape) / COARSE
    one, other = (gaussian(image, sigma, mode="reflect") for image in (texture, exemplar))
    one, other = one - one.mean(), other - other.mean()
    size = math.sqrt(float((one**2).sum() * (other**2).sum()))
    return float((one * other).sum()) / size if size else math.nan


def _without_shading(lightness: Pixels) -> Values:
    from skimage.filters import gaussian

    shading = gaussian(lightness, SHADING, mode="reflect", truncate=4.0)
    detail: Values = (lightness - shading).astype(np.float32)
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
