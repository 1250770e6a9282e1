"""Motion between the slices of a stack: optical flow, where it is certain, and flicker."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from typing import Any

import numpy as np
from scipy import ndimage
from skimage.registration import optical_flow_ilk
from skimage.transform import resize

Array = np.ndarray[Any, np.dtype[np.float32]]

_RADIUS = 7  # pixels of the window that moves as one; scikit-image's default
_LONGEST = 512  # side in pixels at which the flow is computed; it is smooth


def flow_between(now: Array, before: Array) -> Array:
    """Return rows and columns (2, H, W) by which each pixel of `now` is elsewhere in `before`.

    Both are (H, W) or (H, W, 3). The method is that of Le Besnerais & Champagnat 2005, in
    scikit-image.
    """
    one, other = grey(now), grey(before)
    ratio = min(1.0, _LONGEST / max(one.shape))
    if ratio < 1:
        small = [max(1, round(side * ratio)) for side in one.shape]
        one, other = (resize(image, small, anti_aliasing=True) for image in (one, other))
    if not (one.std() and other.std()):  # nothing can be seen to move
        return np.zeros((2, *grey(now).shape), np.float32)
    flow = np.asarray(optical_flow_ilk(one, other, radius=_RADIUS, dtype=np.float32))
    if ratio < 1:
        flow = resize(flow, (2, *grey(now).shape), order=1) / ratio
    return flow.astype(np.float32)


def warped(image: Array, flow: Array) -> Array:
    """Return an image (H, W) or (H, W, C), with each pixel taken from where the flow points."""
    points = _points(flow)
    if image.ndim == 2:
        return _read_at(image, points)
    return np.stack([_read_at(image[..., i], points) for i in range(image.shape[2])], axis=-1)


def certainty(forward: Array, backward: Array) -> Array:
    """Return 1 where a flow is certain, else 0, (H, W).

    It is uncertain where the flow back does not lead to where it began, as behind a moving object,
    and at the borders of motion (Ruder et al. 2016, equations 5 and 6, after Sundaram et al. 2010).
    """
    back = np.stack(
        [_read_at(one, np.indices(one.shape, np.float32) + forward) for one in backward]
    )
    missed = np.square(forward + back).sum(axis=0)
    lengths = np.square(forward).sum(axis=0) + np.square(back).sum(axis=0)
    hidden = missed > 0.01 * lengths + 0.5
    slopes = sum(np.square(np.gradient(one)).sum(axis=0) for one in forward)
    border = slopes > 0.01 * np.square(forward).sum(axis=0) + 0.002
    rows, columns = _points(forward)
    height, width = missed.shape
    outside = (rows < 0) | (rows > height - 1) | (columns < 0) | (columns > width - 1)
    certain: Array = (~(hidden | border | outside)).astype(np.float32)
    return certain


def flicker(results: Iterable[Array], contents: Iterable[Array]) -> float:
    """Return how much more a result changes from slice to slice than its content.

    It is the mean difference between each slice and the one before, moved by the optical flow of
    the content, over that of the content; pixels whose flow is uncertain do not count. 1 is the
    content's own change, which is noise and what moves between two slices.

    Parameters
    ----------
    results, contents : iterable of array
        Slices in their order, (H, W), (H, W, 3) or (H, W, 4) in [0, 1]; contents are resampled to
        the size of the results.

    Returns
    -------
    float
        0 for a result that moves as its content does and changes in nothing else.

    Raises
    ------
    ValueError
        If there are fewer than two slices, or the content does not change.
    """
    changes: list[tuple[float, float]] = []
    for (before, old), (now, new) in pairwise(zip(results, contents, strict=True)):
        old, new = (sized(one, now.shape[:2]) for one in (old, new))
        forward = flow_between(new, old)
        certain = certainty(forward, flow_between(old, new))
        changes.append(
            (
                _difference(now, warped(before, forward), certain),
                _difference(new, warped(old, forward), certain),
            )
        )
    if not changes:
        raise ValueError("`results` must be at least two slices.")
    of_result, of_content = np.sum(changes, axis=0)
    if not of_content:
        raise ValueError("`contents` do not change from slice to slice.")
    return float(of_result / of_content)


def _difference(one: Array, other: Array, weights: Array) -> float:
    found = np.abs(grey(one) - grey(other))
    return float((found * weights).sum() / max(float(weights.sum()), 1.0))


def sized(image: Array, shape: tuple[int, ...]) -> Array:
    """Return an image of another height and width."""
    if image.shape[:2] == shape:
        return image
    found: Array = resize(image, (*shape, *image.shape[2:]), anti_aliasing=True)
    return found.astype(np.float32)


def grey(image: Array) -> Array:
    """Return the mean of the colours of an image (H, W) or (H, W, C)."""
    found: Array = image[..., :3].mean(axis=-1) if image.ndim == 3 else image
    return found.astype(np.float32, copy=False)


def _points(flow: Array) -> Array:
    """Return the row and the column that each pixel of a flow points to."""
    found: Array = np.indices(flow.shape[1:], np.float32) + flow
    return found


def _read_at(image: Array, points: Array) -> Array:
    read = ndimage.map_coordinates  # type: ignore[attr-defined]
    found: Array = read(image, points, order=1, mode="nearest")
    return found
