"""Which pixels count, at the resolution of each layer."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

from napari_nst.recipe.layer_names import poolings_before


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
    mask = pooled(mask, layer)
    return mask / mask.amax().clamp_min(1e-6)


def pooled(mask: Tensor, layer: str) -> Tensor:
    """Return the share of each position's pixels that count, (1, 1, H', W') of (1, 1, H, W)."""
    # A pooling leaves out an odd last row; so does this.
    for _ in range(poolings_before(layer)):
        mask = functional.avg_pool2d(mask, 2)
    return mask
