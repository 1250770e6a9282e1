"""Our own recipes: every loss relative to its target, so that weights suit any network."""

from __future__ import annotations

from napari_nst.recipe.presets.registry import published
from napari_nst.recipe.recipe import Recipe


@published("default", job="transfer", source="napari-nst")
def default() -> Recipe:
    """Ours: losses relative to their targets, coarse to fine, L-BFGS."""
    return Recipe()


@published("texture", job="texture", source="napari-nst")
def texture() -> Recipe:
    """Ours: mean and covariance of five layers, coarse to fine, from noise."""
    return Recipe(
        content_weight=0.0,
        tv_weight=0.0,  # a texture may be as grainy as its exemplar
        style_loss="mean_covariance",
        style_norm="relative",
        init="noise",
        noise="matched",  # right in its mean and spread at once
        size=256,
        min_size=64,  # what is larger than a deep feature sees is settled here
    )


@published("reconstruction", job="reconstruction", source="napari-nst")
def reconstruction() -> Recipe:
    """Ours: what one layer keeps of an image, relative to its energy, from noise."""
    return Recipe(
        style_weight=0.0,
        content_layers={"relu4_2": 1.0},
        content_norm="relative",
        tv_weight=1.0,  # little: enough against what pooling does not see
        init="noise",
        noise="normal",
        size=256,
        min_size=0,  # a coarser scale would tell what the layer does not keep at this one
    )
