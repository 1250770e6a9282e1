"""Masks at the resolution of each layer."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

from napari_nst.recipe.layer_names import poolings_before


def mask_at(mask: Tensor | None, layer: str) -> Tensor | None:
    """Return a mask (1, 1, H, W) of pixels as weights (1, 1, H', W') of a layer's positions.

    The weight is the share of the position's pixels that are selected, scaled so that the largest
    weight is 1: a small region still counts in the deepest layer.
    """
    if mask is None:
        return None
    mask = pooled(mask, layer)
    return mask / mask.amax().clamp_min(1e-6)


def pooled(mask: Tensor, layer: str) -> Tensor:
    """Return the share of each position's pixels that a mask selects, (1, 1, H', W')."""
    # Pooling drops an odd last row; so does avg_pool2d.
    for _ in range(poolings_before(layer)):
        mask = functional.avg_pool2d(mask, 2)
    return mask
