"""Convolutions with borders, of large features some rows at a time.

A copy of the whole with a border around it, and those in a layout of their own that libraries make
of what they are given and return, take as much memory as the features themselves, each. Of a strip
they take little, and stay in a cache.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import zip_longest

import torch
from torch import Tensor
from torch.nn import functional

from napari_nst.engine.vgg.stages import room_like

STRIP = 2**20
"""Numbers of features in a strip; of fewer, calls take longer than caches save."""

CHANNELS = (64, 128)
"""Of fewer, such as an image's, copies are small beside the result; of more, features are few."""

BEYOND = {"replicate": (0, -1), "reflect": (1, -2), "circular": (-1, 0)}
"""Padding mode → of which row of an image the one before the first is a copy, and after the last.
"""


def correlated(features: Tensor, kernels: Tensor, bias: Tensor | None, mode: str) -> Tensor:
    """Return features correlated with 3 × 3 kernels, (N, out, H, W).

    Parameters
    ----------
    features : Tensor
        (N, in, H, W).
    kernels, bias : Tensor, Tensor or None
        (out, in, 3, 3) and (out,).
    mode : {"zeros", "replicate", "reflect", "circular"}
        What lies beyond the border.
    """
    if not _goes_by_strips(features):
        if mode == "zeros":
            return functional.conv2d(features, kernels, bias, padding=1)
        return functional.conv2d(with_border(features, mode), kernels, bias)
    result = room_like(features, (len(kernels), *features.shape[2:]))
    for first, last in _strips(features):
        seen = _rows(features, first - 1, last + 1, mode)
        result[:, :, first:last] = functional.conv2d(seen, kernels, bias)
    return result


def adjoint(gradient: Tensor, turned: Tensor, mode: str, *, is_own: bool = False) -> Tensor:
    """Return the gradient by the features, (N, in, H, W), given that by what `correlated` returns.

    Parameters
    ----------
    gradient : Tensor
        (N, out, H, W).
    turned : Tensor
        (in, out, 3, 3): the kernels, turned by half a turn.
    mode : {"zeros", "replicate", "reflect", "circular"}
        What lay beyond the border; of all but zeros the gradient goes to what they are copies of.
    is_own : bool
        Whether nobody else has the gradient, so that the result may take its place.
    """
    if not _goes_by_strips(gradient):
        if mode == "zeros":
            return functional.conv2d(gradient, turned, padding=1)
        return without_border(functional.conv2d(gradient, turned, padding=2), mode)
    takes_place = is_own and gradient.shape[1] == len(turned)
    # Torch adds other gradients to this one in place, which it would not to a part of a padded one.
    shape = (len(turned), *gradient.shape[2:])
    result = gradient if takes_place else room_like(gradient, shape)
    height, ends = gradient.shape[2], list[Tensor]()
    strips = list(_strips(gradient))
    seen = _seen_back(gradient, strips[0], mode)
    for (first, last), following in zip_longest(strips, strips[1:]):
        rows = functional.conv2d(seen, turned)
        if following is not None:  # before the result takes the place of rows that it sees, too
            seen = _seen_back(gradient, following, mode)
        if mode != "zeros":
            rows = _folded(rows, 3, mode)
            if first == 0:
                ends.append(rows[:, :, 0].clone())
                rows = rows[:, :, 1:]
            if last == height:
                ends.append(rows[:, :, -1].clone())
                rows = rows[:, :, :-1]
        result[:, :, first:last] = rows
    for row, end in zip(BEYOND.get(mode, ()), ends, strict=True):
        result.select(2, row).add_(end)
    return result


def _seen_back(gradient: Tensor, strip: tuple[int, int], mode: str) -> Tensor:
    """Return what the gradient by a strip of features, and by what lies beyond it, is made of."""
    first, last = strip
    if mode == "zeros":
        return _rows(gradient, first - 1, last + 1, mode)
    begins, is_done = first == 0, last == gradient.shape[2]
    seen = _rows(gradient, first - 1 - begins, last + 1 + is_done, "zeros")
    return functional.pad(seen, (1, 1))


def with_border(features: Tensor, mode: str) -> Tensor:
    """Return features with a border of one around."""
    return functional.pad(features, (1, 1, 1, 1), "constant" if mode == "zeros" else mode)


def without_border(padded: Tensor, mode: str) -> Tensor:
    """Return the gradient by features, given that by the same with a border of one around."""
    if mode == "zeros":
        return padded[..., 1:-1, 1:-1]
    return _folded(_folded(padded, 2, mode), 3, mode)


def _goes_by_strips(features: Tensor) -> bool:
    """Whether features are too large to be convolved at once.

    In single precision on processors; elsewhere nobody has measured what it is worth.
    """
    is_single = features.is_cpu and features.dtype == torch.float32
    return is_single and features.shape[1] in CHANNELS and features.numel() > STRIP


def _strips(features: Tensor) -> Iterator[tuple[int, int]]:
    """Yield rows, from one to before another, all in turn."""
    height = features.shape[2]
    count = max(1, STRIP * height // features.numel())
    for first in range(0, height, count):
        yield first, min(first + count, height)


def _rows(features: Tensor, first: int, last: int, mode: str) -> Tensor:
    """Return some rows of features, also such as lie beyond them, with a border on both sides."""
    height = features.shape[2]
    above, below = max(0, -first), max(0, last - height)
    rows = features[:, :, first + above : last - below]
    if mode == "zeros":
        return functional.pad(rows, (1, 1, above, below))
    before, after = (features.select(2, row)[:, :, None] for row in BEYOND[mode])
    if above or below:
        rows = torch.cat([before] * above + [rows] + [after] * below, dim=2)
    return functional.pad(rows, (1, 1, 0, 0), mode)


def _folded(padded: Tensor, dim: int, mode: str) -> Tensor:
    """Return the gradient along a dimension, given that with what was beyond its ends."""
    inner = padded.narrow(dim, 1, padded.shape[dim] - 2)
    for index, end in zip(BEYOND[mode], (0, -1), strict=True):
        inner.select(dim, index).add_(padded.select(dim, end))
    return inner
