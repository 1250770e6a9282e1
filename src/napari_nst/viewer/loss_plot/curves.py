"""Losses as curves: which of the numbers to draw in so many pixels, and what they say."""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from napari_nst.viewer.loss_plot.trace import LossTrace

KINDS = ("total", "content", "style", "tv")
"""The sums that a run reports; ``style/relu1_1`` is one layer's part of the kind ``style``."""


def kind_of(name: str) -> str:
    """Return what a loss is a part of: ``style`` for ``style/relu1_1``."""
    return name.partition("/")[0]


def in_order(names: Iterable[str]) -> list[str]:
    """Return losses in the order of their kinds, the sums before the layers."""
    place = {kind: at for at, kind in enumerate(KINDS)}
    return sorted(names, key=lambda name: ("/" in name, place.get(kind_of(name), len(KINDS))))


def has_values(column: array[float]) -> bool:
    """Whether there is anything of a loss to draw on a logarithmic axis."""
    losses = np.array(column[:])
    return bool((np.isfinite(losses) & (losses > 0)).any())


def thinned(
    column: array[float], low: float, high: float, pixels: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the points of a curve between two iterations, not many more than there are pixels.

    Where many iterations share a pixel, only their least and largest loss is drawn: a peak stays a
    peak. A loss that is 0, negative or not finite makes a gap.

    Parameters
    ----------
    column : array of float
        The losses of iterations 1, 2, …; another thread may append meanwhile.
    low, high : float
        The iterations that are seen, and one more on either side for the lines that lead there.
    pixels : int
        Their width.

    Returns
    -------
    iterations, logarithms : ndarray of float64
        Numbers of the iterations, ascending, and the decimal logarithms of their losses.
    """
    start = max(0, math.floor(low) - 2)
    stop = min(len(column), math.ceil(high) + 1)
    # A power of two, and counted from the first: as a run grows, neighbours stay together and the
    # curve does not flicker.
    stride = 1 << ((max(0, stop - start - 1) // max(1, pixels)).bit_length())
    start -= start % stride
    # A slice is a copy: nobody can append to an array while numpy looks at it.
    losses = np.array(column[start:stop])
    losses[~(losses > 0)] = np.nan
    steps = np.arange(start + 1, start + 1 + len(losses), dtype=np.float64)
    if stride > 1:
        whole = np.full(-(-len(losses) // stride) * stride, np.nan)
        whole[: len(losses)] = losses
        blocks = whole.reshape(-1, stride)
        losses = np.stack([np.fmax.reduce(blocks, 1), np.fmin.reduce(blocks, 1)], 1).ravel()
        middles = np.minimum(steps[::stride] + stride / 2, steps[-1])
        steps = np.stack([steps[::stride], middles], 1).ravel()
    logarithms = np.log10(losses)
    logarithms[np.isinf(logarithms)] = np.nan
    return steps, logarithms


def losses_text(trace: LossTrace, names: Iterable[str], step: int) -> str:
    """Return one iteration's losses in lines: ``Iteration 20``, ``style 0.0421``."""
    lines = [f"Iteration {step}"]
    for name in names:
        loss = trace.columns[name][step - 1]
        if not math.isnan(loss):
            lines.append(f"{name.replace('/', ' ')} {loss:.3g}")
    return "\n".join(lines)
