"""Iterations as an optimiser of any speed would make them."""

import time

import torch

from napari_nst.engine.iteration import Iteration
from napari_nst.engine.steering import TileDone
from napari_nst.errors import Cancelled


def iteration(
    step, steps, shape=(48, 64), *, level=None, grey=False, alpha=None, panel=0, panels=(),
    full_shape=None, facts=None, free=None,
):  # fmt: skip
    """An iteration whose picture says which step it is, or is of one level."""
    losses = {"total": 3.0 / step, "content": 1.0 / step, "style": 2.0 / step, "tv": 0.0}
    pixels = torch.full((1, 3, *shape), step / steps if level is None else level)
    return Iteration(
        step, steps, losses, shape, step * 1e-3, (steps - step) * 1e-3, pixels,
        alpha=None if alpha is None else torch.full((1, 1, *shape), alpha),
        is_grey=grey, full_shape=full_shape or shape, panel=panel, panels=tuple(panels),
        facts={"device": "cpu", "precision": "float32", **(facts or {})}, free=free,
    )  # fmt: skip


def evaluate(step, level, shape, side, steering, state):
    """Evaluate a step in tiles, in two passes; stop as soon as the engine would."""
    corners = [(y, x) for y in range(0, shape[0], side) for x in range(0, shape[1], side)]
    total = 2 * len(corners)
    for done in range(1, total + 1):
        while state.until_tile == (step, done - 1) and not steering.stopped:
            time.sleep(0.002)
        if steering.stopped:
            raise Cancelled("Stopped by the user.")
        window = pixels = None
        if done > len(corners):
            spans = zip(corners[done - len(corners) - 1], shape, strict=True)
            window = tuple(slice(at, min(at + side, end)) for at, end in spans)
            pixels = torch.full((1, 3, *(span.stop - span.start for span in window)), level)
        steering.watch(TileDone(step, done, total, window, pixels, shape))
