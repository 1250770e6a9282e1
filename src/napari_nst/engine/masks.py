"""Which pixels count, at the resolution of each layer."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional


def mask_at(mask: Tensor | None, layer: str) -> Tensor | None:
    """Return how much each position of a layer counts.

    Parameters
    ----------
    mask : Tensor or None
        (1, 1, H, W) in [0, 1], of the image's size; None where all pixels count alike.
    layer : str
        Canonical name of the layer.

    Returns
    -------
    Tensor or None
        (1, 1, H', W') in [0, 1]: the share of each position's pixels that count, so scaled that
        the largest is 1: a small region still counts somewhere in the deepest layer.
    """
    if mask is None:
        return None
    # Each block but the first starts with a pooling, which leaves out an odd last row; so does it.
    poolings = int(layer[4]) if layer.startswith("pool") else int(layer[-3]) - 1
    for _ in range(poolings):
        mask = functional.avg_pool2d(mask, 2)
    return mask / mask.amax().clamp_min(1e-6)
