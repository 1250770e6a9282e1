"""Recipes of textures whose losses know long distances, taken from their source code."""

from __future__ import annotations

from typing import Any

from napari_nst.recipe.presets.registry import UNIT_NOISE, published_recipe, register
from napari_nst.recipe.recipe import Recipe

_GONTHIER = (
    "Gonthier et al. 2022, Journal of Mathematical Imaging and Vision; "
    "ngonthier/various_exp_texture_synthesis"
)


def _gonthier(**fields: Any) -> Recipe:
    return published_recipe(
        weights="gatys",  # normalizedvgg.mat
        pooling="average",  # rounds odd sides up there, down here
        content_weight=0.0,
        style_layers=dict.fromkeys(("relu1_1", "pool1", "pool2", "pool3", "pool4"), 1 / 5),
        style_weight=1e9 / 4,  # 1e9/(2N²L) × ½ Σ for each of L = 5 layers of N channels
        init="noise",
        noise_spread=UNIT_NOISE,  # N(0, 1) on 0–255, around the mean colour of the exemplar there
        image_range="clip",  # there to the smallest and the largest value of the exemplar
        # MSInit with K = 2: a quarter, a half and the whole size, each from the result before. The
        # article's images have 1024 pixels.
        size=512,
        min_size=128,
        scale_ratio=2.0,
        steps=3 * 2000,  # maxiter of each size
        history=20,  # maxcor
        line_search=True,  # SciPy's L-BFGS-B has another kind of line search
        **fields,
    )


@register(job="texture", source=_GONTHIER)
def gonthier_spectrum() -> Recipe:
    """Gonthier et al. 2022: Gram matrices and the spectrum of the image, for regular textures."""
    return _gonthier(
        terms=[
            {
                "style_loss": "spectrum",
                "style_norm": "mean",
                # β/(3M) × ½ Σ (x − x̂)² on 0–255, with β = 1e5; the program's own numbers for three
                # regular textures are better with 100.
                "style_weight": 1e5 / 2 * 255**2 / (1e9 / 4),
            }
        ],
    )


@register(job="texture", source=_GONTHIER)
def gonthier_autocorrelation() -> Recipe:
    """Gonthier et al. 2022: autocorrelation of each feature map, for regular textures."""
    return _gonthier(
        style_loss="autocorrelation",
        style_norm="per_channel",  # 1/N² × Σ over N channels; gamma is 1
    )


_UP_TO_RELU5_2 = (
    *("relu1_1", "relu1_2", "relu2_1", "relu2_2"),
    *("relu3_1", "relu3_2", "relu3_3", "relu3_4"),
    *("relu4_1", "relu4_2", "relu5_1", "relu5_2"),
)
_WITHOUT_RELU3_3_AND_3_4 = tuple(
    layer for layer in _UP_TO_RELU5_2 if layer not in ("relu3_3", "relu3_4")
)


@register(
    job="texture", source="Yin & Chua 2023, ICASSP; liping1005/LongRangeSlicedWasserstein d022c89"
)
def long_range_sw() -> Recipe:
    """Yin & Chua 2023: sliced Wasserstein over channels and over rows, for regular textures."""
    weight = 1 / 255**2 / 22  # mean of the 22 losses, for features of an input of 0–255
    return published_recipe(
        weights="caffe",  # vgg_conv.pth
        pooling="average",
        padding="reflect",
        content_weight=0.0,
        style_layers=dict.fromkeys(_UP_TO_RELU5_2, weight),
        style_weight=1.0,
        style_loss="sliced_wasserstein",
        style_norm="mean",  # over directions and positions
        projections=0,  # as many directions as channels or rows
        # In main_synthesis.py as published, the line with these ten layers is a comment, so that no
        # rows are compared; this is the article's method.
        terms=[
            {
                "style_loss": "sliced_rows",
                "style_layers": dict.fromkeys(_WITHOUT_RELU3_3_AND_3_4, weight),
            }
        ],
        init="noise",
        noise="uniform",
        noise_spread=0.005,  # from 0 to 0.01 there, around the mean colour of photographs here
        image_range="free",  # clipped at the end
        size=256,  # ours; a power of 2 there
        steps=20 * 50,  # for one scale; new directions after each 50, after each 10 here
    )
