"""Our own recipes: all losses are relative, so that weights suit any network."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from napari_nst.recipe.presets.registry import register
from napari_nst.recipe.recipe import Recipe

# The last steps compare more of the style than its moments, so that strokes become crisp, and keep
# more of the content. Adam takes them on an image that is shifted at each, against the pattern of
# the pooling grid that L-BFGS leaves. Total variation would blur the strokes.
_REFINEMENT: Mapping[str, Any] = {
    "optimizer": "adam",
    "learning_rate": 0.02,
    "jitter": 8,
    "steps": 2.0,
    "content_weight": 3.0,
    "tv_weight": 0.0,
    "style_weight": 0.25,
    "style_layers": {"relu1_1": 0.25, "relu2_2": 0.25, "relu3_3": 0.25, "relu4_1": 0.25},
    "terms": (
        {
            "style_loss": "sampled_wasserstein",
            "style_layers": {"relu2_2": 0.5, "relu3_3": 0.5},
            "style_weight": 24.0,
            "samples": 4096,
            "projections": 64,
        },
        {
            "style_loss": "remd",
            "style_layers": dict.fromkeys(
                ("relu1_1", "relu2_1", "relu3_1", "relu3_3", "relu4_1", "relu4_2"), 1 / 6
            ),
            "style_weight": 1.25,
        },
    ),
}

# Long steps remove the pattern, and leave grain in flat areas, which short ones remove.
_SMOOTHING: Mapping[str, Any] = {**_REFINEMENT, "learning_rate": 0.006, "steps": 1.0}


@register(job="transfer", source="napari-nst")
def default() -> Recipe:
    """Our own: relative losses, coarse to fine, L-BFGS, then finer strokes by Adam."""
    return Recipe(
        style_weight=10.0,
        # relu4_2 alone keeps houses but loses faces; with relu3_2 it may weigh less.
        content_layers={"relu3_2": 0.17, "relu4_2": 0.33},
        tv_weight=23.0,
        min_size=90,  # forms of the style that are larger than strokes appear at small sizes
        refine_share=0.22,
        phases=(_REFINEMENT, _SMOOTHING),
    )


@register(job="transfer", source="napari-nst")
def draft() -> Recipe:
    """Our own: the default at 256 px with a quarter of the steps, in a fifth of the time."""
    # So few steps suffice for two sizes, and all refining ones must be long to remove the pattern.
    return default().replace(
        size=256, steps=40, min_size=180, refine_share=0.4, phases=(_REFINEMENT,)
    )


@register(job="texture", source="napari-nst")
def texture() -> Recipe:
    """Our own: mean and covariance of four layers, and the spectrum, coarse to fine, from noise.

    Regions are filled without the spectrum, which is that of a whole image.
    """
    return Recipe(
        content_weight=0.0,
        tv_weight=0.0,  # a texture may be as grainy as its exemplar
        style_loss="mean_covariance",
        style_norm="relative",
        # At small sizes relu5_1 has too few positions: it repeats the exemplar's layout, and blurs.
        style_layers={"relu1_1": 0.35, "relu2_1": 0.26, "relu3_1": 0.2, "relu4_1": 0.19},
        # Keeps what repeats over distances that no feature reads, such as courses of bricks.
        # At the finest size it would leave lines: opposite borders of an exemplar differ.
        terms=({"style_loss": "spectrum", "style_weight": 0.125},),
        own_sizes="coarser",
        refine_share=0.25,
        # Enlarging leaves no fine details; L-BFGS adds them in few steps if relu1_1 counts more.
        phases=(
            {
                "terms": (),
                "style_layers": {"relu1_1": 3.5, "relu2_1": 0.26, "relu3_1": 0.2, "relu4_1": 0.19},
            },
        ),
        init="noise",
        noise="covariance",  # other colours than the exemplar's would stay as coloured grain
        size=256,
        steps=200,
        min_size=32,  # arranges structures larger than the receptive field of deep features
        # Stripes that enlarging leaves repeat with each product of ratios. With √2 that is 2 px
        # after two sizes, a regular pattern; powers of 1.5 are no whole numbers.
        scale_ratio=1.5,
    )


@register(job="reconstruction", source="napari-nst")
def reconstruction() -> Recipe:
    """Our own: the features of one layer, relative to their energy, from noise."""
    return Recipe(
        style_weight=0.0,
        content_layers={"relu4_2": 1.0},
        content_norm="relative",
        tv_weight=5.0,  # small: suppresses the patterns that pooling hides from the features
        # Areas move together: the same steps reach two thirds of the loss, with the colours of
        # large areas and without the pattern that pooling leaves.
        parametrization="laplacian",
        init="noise",
        noise="normal",
        size=256,
        min_size=0,  # a coarser scale would add information that the layer does not keep
    )


@register(job="solid", source="napari-nst")
def solid() -> Recipe:
    """Our own: mean and covariance of four layers over slices along each axis, by Adam."""
    return texture().replace(
        terms=(),
        size=0,  # the exemplar's pixels are as large as voxels
        steps=200,
        min_size=16,  # of noise, coarse structures would be too weak
        scale_ratio=2.0,
        own_sizes="all",
        # Each step compares other slices, which L-BFGS cannot follow. Steps of Adam's usual length,
        # 0.02, leave grain, because each voxel is in few of the slices.
        optimizer="adam",
        learning_rate=0.01,
        jitter=8,
        refine_share=0.25,
        phases=({"learning_rate": 0.003},),
    )
