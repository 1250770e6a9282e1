"""The part of a recipe that says what the picture shall be like: its losses and their weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from napari_nst.recipe.fields import choice, layers, number, numbers

GRAM_LOSSES = ("gram", "shifted_gram", "centred_gram")
"""Style losses that compare Gram matrices."""

NORMS = {
    **dict.fromkeys(GRAM_LOSSES, ("relative", "mean", "per_channel", "per_element", "raw")),
    "mean_covariance": ("relative", "mean"),
    "wasserstein": ("relative", "mean"),
    "sliced_wasserstein": ("relative", "mean"),
    "mrf": ("relative", "mean", "sum"),
}
"""Style loss → the ways in which it can be scaled."""

MOMENT_LOSSES = (*GRAM_LOSSES, "mean_covariance", "wasserstein")
"""Style losses that see sums over positions alone, which tiles can add up."""


@dataclass(frozen=True, kw_only=True)
class Likeness:
    """What is compared, how, and how much each counts."""

    style_weight: float = number(
        8.0,
        "How strongly the result takes on the style. More paints more freely, less keeps closer "
        "to the content.",
        least=0.0, step=0.5,
    )  # fmt: skip
    content_weight: float = number(
        1.0,
        "How strongly the result keeps the shapes of the content. More keeps them sharper, less "
        "lets the style dissolve them.",
        least=0.0, step=0.1,
    )  # fmt: skip
    tv_weight: float = number(
        70.0,
        "Weight of total variation, the differences between neighbouring pixels. More is smoother, "
        "less is crisper but may be grainy.",
        least=0.0, step=0.5,
    )  # fmt: skip
    content_layers: Mapping[str, float] = layers(
        {"relu4_2": 1.0},
        "Layers whose features are kept, each with its weight, such as relu4_2:1. Shallow layers "
        "keep pixels, deep ones arrangement.",
    )
    style_layers: Mapping[str, float] = layers(
        {"relu1_1": 0.35, "relu2_1": 0.26, "relu3_1": 0.17, "relu4_1": 0.13, "relu5_1": 0.09},
        "Layers whose statistics make the style, each with its weight. Shallow layers carry "
        "colours and fine texture, deep ones large strokes.",
    )
    content_norm: str = choice(
        "relative",
        "How content differences are scaled: relative to the content's own energy, which suits "
        "every network and layer, or their plain mean or sum, as published recipes have it.",
        "relative", "mean", "sum",
    )  # fmt: skip
    style_loss: str = choice(
        "mean_covariance",
        "Which statistics of the features make a style: mean_covariance keeps its palette, gram is "
        "the classic of 2015, shifted_gram and centred_gram take a mean off first, wasserstein "
        "compares bell curves, sliced_wasserstein whole distributions, mrf patches.",
        *NORMS,
    )
    style_norm: str = choice(
        "relative",
        "How style differences are scaled: relative to the style's own energy, which suits every "
        "network and layer, or one of the published ways, mean, per_channel, per_element, raw and "
        "sum.",
        "relative", "mean", "per_channel", "per_element", "raw", "sum",
    )  # fmt: skip
    projections: int = number(
        0,
        "Random directions per layer of sliced_wasserstein; 0 takes as many as the layer has "
        "channels. More is steadier, less is faster.",
        least=0, most=4096, step=16,
    )  # fmt: skip
    patch_size: int = number(
        3,
        "Side of the patches of mrf, in features. More copies larger pieces of the style, less "
        "mixes it more freely.",
        least=1, most=15, step=2,
    )  # fmt: skip
    patch_stride: int = number(
        2,
        "Distance between the patches of mrf, in features. Less compares more patches and takes "
        "longer.",
        least=1, most=15,
    )  # fmt: skip
    tv_loss: str = choice(
        "mean",
        "How total variation is measured: the mean over neighbours, nine_point with the diagonal "
        "ones too, the sum over all on a scale of 255, or inner_sum without the last row and "
        "column.",
        "mean", "nine_point", "sum", "inner_sum",
    )  # fmt: skip
    tv_exponent: float = number(
        2.0,
        "Power of the differences in total variation. 2 smooths noise, 1 keeps edges.",
        least=0.5, most=6.0, step=0.25,
    )  # fmt: skip
    style_scale: float = number(
        1.0,
        "Size of the strokes relative to the content. More gives larger strokes, less finer ones.",
        least=0.05, most=20.0, step=0.1,
    )  # fmt: skip
    style_sizing: str = choice(
        "fit",
        "Fit makes the style as long as the content, never larger than its own pixels. Physical "
        "puts one micrometre of style on one micrometre of content.",
        "fit", "physical",
    )  # fmt: skip
    style_blend: tuple[float, ...] = numbers(
        "How much each of several styles counts, such as 0.7, 0.3. Empty counts them alike.",
        least=0.0,
    )
