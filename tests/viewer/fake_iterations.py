"""Iterations as an optimiser of any speed would make them."""

import torch

from napari_nst.engine.optimize import Iteration


def iteration(
    step, steps, shape=(48, 64), *, level=None, grey=False, alpha=None, panel=0, panels=(),
    full_shape=None, facts=None,
):  # fmt: skip
    """An iteration whose picture says which step it is, or is of one level."""
    losses = {"total": 3.0 / step, "content": 1.0 / step, "style": 2.0 / step, "tv": 0.0}
    pixels = torch.full((1, 3, *shape), step / steps if level is None else level)
    return Iteration(
        step, steps, losses, shape, step * 1e-3, (steps - step) * 1e-3, pixels,
        alpha=None if alpha is None else torch.full((1, 1, *shape), alpha),
        is_grey=grey, full_shape=full_shape or shape, panel=panel, panels=tuple(panels),
        facts=facts or {},
    )  # fmt: skip
