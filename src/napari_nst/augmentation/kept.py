"""How far the structures of a variant are from where they are in its image."""

from __future__ import annotations

from typing import Any

import numpy as np
from skimage.filters import gaussian, sobel, threshold_otsu
from skimage.registration import optical_flow_ilk
from skimage.transform import resize

Array = np.ndarray[Any, np.dtype[Any]]

_LONGEST = 512  # side in pixels at which both figures are computed
_FINE, _COARSE = 2.0, 8.0  # pixels: edges are smoothed, and judged by those around them
_EDGES = 0.8  # share of the pixels that are no edges
_RADIUS = 9  # pixels of the window that moves as one


def overlap(image: Array, variant: Array) -> float:
    """Return how much the bright phases of two images overlap: intersection over union.

    Both are (H, W) lightness of one shape; Otsu's method finds the bright phase of each. Where a
    variant is bright the image may be dark: the better of both counts.
    """
    if image.min() == image.max() or variant.min() == variant.max():
        return float(image.min() == image.max() and variant.min() == variant.max())
    one, other = (found > threshold_otsu(found) for found in (image, variant))
    return max(_share(one, other), _share(one, ~other))


def displacement(image: Array, variant: Array) -> float:
    """Return the median distance in pixels by which the edges of an image are elsewhere.

    Both are (H, W) lightness of one shape. It is the optical flow (Le Besnerais & Champagnat 2005,
    in scikit-image) between their edges, which must not depend on brightness: Sobel's gradient of
    the smoothed image, over its own standard deviation nearby.
    """
    ratio = min(1.0, _LONGEST / max(image.shape))
    small = tuple(max(1, round(side * ratio)) for side in image.shape)
    edges = [sobel(gaussian(resize(one, small), _FINE)) for one in (image, variant)]
    if not all(one.max() > 0 for one in edges):
        return 0.0
    flow = optical_flow_ilk(*(_relative(one) for one in edges), radius=_RADIUS)
    at = edges[0] > np.quantile(edges[0], _EDGES)
    lengths = np.hypot(*flow)[at] if at.any() else np.zeros(1)
    return float(np.median(lengths) / ratio)


def lightness(image: Array) -> Array:
    """Return (H, W) of an image (H, W), (H, W, 3) or (H, W, 4) in [0, 1]."""
    found: Array = image[..., :3].mean(axis=-1) if image.ndim == 3 else image
    return found


def _relative(edges: Array) -> Array:
    """Return edges less the mean around them, over the standard deviation around them."""
    above = edges - gaussian(edges, _COARSE)
    least = 1e-3 * float(edges.max())  # so that noise of flat areas stays small
    found: Array = above / (np.sqrt(gaussian(np.square(above), _COARSE)) + least)
    return found


def _share(one: Array, other: Array) -> float:
    return float((one & other).sum() / max((one | other).sum(), 1))
