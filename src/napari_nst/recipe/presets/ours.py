"""Our own recipes: all losses are relative, so that weights suit any network."""

from __future__ import annotations

from napari_nst.recipe.presets.registry import register
from napari_nst.recipe.recipe import Recipe


@register(job="transfer", source="napari-nst")
def default() -> Recipe:
    """Our own: losses relative to their targets, coarse to fine, L-BFGS."""
    return Recipe()


@register(job="texture", source="napari-nst")
def texture() -> Recipe:
    """Our own: mean and covariance of five layers, coarse to fine, from noise."""
    return Recipe(
        content_weight=0.0,
        tv_weight=0.0,  # a texture may be as grainy as its exemplar
        style_loss="mean_covariance",
        style_norm="relative",
        init="noise",
        noise="matched",  # starts with the mean and the standard deviation of the exemplar
        size=256,
        min_size=64,  # arranges structures larger than the receptive field of deep features
    )


@register(job="reconstruction", source="napari-nst")
def reconstruction() -> Recipe:
    """Our own: the features of one layer, relative to their energy, from noise."""
    return Recipe(
        style_weight=0.0,
        content_layers={"relu4_2": 1.0},
        content_norm="relative",
        tv_weight=1.0,  # small: suppresses the patterns that pooling hides from the features
        init="noise",
        noise="normal",
        size=256,
        min_size=0,  # a coarser scale would add information that the layer does not keep
    )
