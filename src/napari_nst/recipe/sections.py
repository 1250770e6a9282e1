"""The sections of a recipe: its fields, each with its default, its bounds and its help text."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from napari_nst.recipe.fields import choice, layers, number, numbers, switch

GRAM_LOSSES = ("gram", "shifted_gram", "centred_gram")
"""Style losses that compare Gram matrices."""

NORMS = {
    **dict.fromkeys(GRAM_LOSSES, ("relative", "mean", "per_channel", "per_element", "raw")),
    "mean_covariance": ("relative", "mean"),
    "wasserstein": ("relative", "mean"),
    "sliced_wasserstein": ("relative", "mean"),
    "mrf": ("relative", "mean", "sum"),
}
"""Style loss → the values of `style_norm` that it accepts."""

MOMENT_LOSSES = (*GRAM_LOSSES, "mean_covariance", "wasserstein")
"""Style losses that are functions of sums over positions, which can be added up over tiles."""

MIN_TILE = 128
"""Pixels. In smaller tiles the halo, 80 pixels on each side for relu5_1, dominates the cost."""


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """The sizes at which the image is optimised, and the number of iterations."""

    size: int = number(
        384,
        "Longest side of the result in pixels; 0 keeps the size of the content. More gives finer "
        "strokes; the time grows with the area.",
        minimum=0, maximum=65536, step=64,
    )  # fmt: skip
    steps: int = number(
        150,
        "Number of iterations, over all scales together. More iterations refine the result, fewer "
        "give a quick preview.",
        minimum=1, maximum=1_000_000, step=20,
    )  # fmt: skip
    min_size: int = number(
        180,
        "Longest side of the coarsest scale in pixels; 0 uses a single scale. Less gives larger "
        "strokes and shapes, more keeps the shapes of the content.",
        minimum=0, maximum=65536, step=32,
    )  # fmt: skip
    scale_ratio: float = number(
        math.sqrt(2),
        "Size of each scale divided by the size of the scale before it. More gives fewer scales, "
        "less gives a smoother transition between scales.",
        minimum=1.1, maximum=16.0, step=0.1,
    )  # fmt: skip
    first_scale_share: float = number(
        1.6,
        "Iterations at the coarsest scale, relative to the iterations at each later scale. More "
        "spends them on the composition, less on details.",
        minimum=0.0, maximum=1000.0, step=0.1,
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Losses:
    """The losses, the layers that they compare, and their weights."""

    style_weight: float = number(
        8.0,
        "Weight of the style. More changes the content more freely, less keeps closer to it.",
        minimum=0.0, step=0.5,
    )  # fmt: skip
    content_weight: float = number(
        1.0,
        "Weight of the content. More keeps its shapes sharper, less lets the style dissolve them.",
        minimum=0.0, step=0.1,
    )  # fmt: skip
    tv_weight: float = number(
        70.0,
        "Weight of total variation, the differences between neighbouring pixels. More gives a "
        "smoother result, less a crisper one that may be grainy.",
        minimum=0.0, step=0.5,
    )  # fmt: skip
    content_layers: Mapping[str, float] = layers(
        {"relu4_2": 1.0},
        "Layers whose features are kept, each with a weight, such as relu4_2:1. Shallow layers "
        "keep the pixels, deep layers keep the arrangement.",
    )
    style_layers: Mapping[str, float] = layers(
        {"relu1_1": 0.35, "relu2_1": 0.26, "relu3_1": 0.17, "relu4_1": 0.13, "relu5_1": 0.09},
        "Layers whose statistics describe the style, each with a weight. Shallow layers hold "
        "colours and fine texture, deep layers hold large strokes.",
    )
    content_norm: str = choice(
        "relative",
        "How content differences are scaled: relative divides them by the energy of the content "
        "features, so that one weight suits every network and layer; mean and sum are used by "
        "published recipes.",
        "relative", "mean", "sum",
    )  # fmt: skip
    style_loss: str = choice(
        "mean_covariance",
        "Which statistics of the features are compared: mean_covariance keeps the palette best; "
        "gram is the Gram matrix of 2015; shifted_gram and centred_gram subtract a mean first; "
        "wasserstein compares Gaussian fits, sliced_wasserstein whole distributions, mrf patches.",
        *NORMS,
    )
    style_norm: str = choice(
        "relative",
        "How style differences are scaled: relative divides them by the energy of the style "
        "statistics, so that one weight suits every network and layer; mean, per_channel, "
        "per_element, raw and sum are used by published recipes.",
        "relative", "mean", "per_channel", "per_element", "raw", "sum",
    )  # fmt: skip
    projections: int = number(
        0,
        "Number of random directions per layer for the style loss sliced_wasserstein; 0 takes one "
        "per channel. More is steadier, less is faster.",
        minimum=0, maximum=4096, step=16,
    )  # fmt: skip
    patch_size: int = number(
        3,
        "Side of the patches for the style loss mrf, in feature positions. More copies larger "
        "pieces of the style, less mixes them more freely.",
        minimum=1, maximum=15, step=2,
    )  # fmt: skip
    patch_stride: int = number(
        2,
        "Distance between patches for the style loss mrf, in feature positions. Less compares more "
        "patches and takes longer.",
        minimum=1, maximum=15,
    )  # fmt: skip
    tv_loss: str = choice(
        "mean",
        "How total variation is measured: mean averages over neighbouring pixels; nine_point "
        "includes diagonal neighbours; sum adds up differences of values from 0 to 255; inner_sum "
        "does so without the last row and column.",
        "mean", "nine_point", "sum", "inner_sum",
    )  # fmt: skip
    tv_exponent: float = number(
        2.0,
        "Exponent of the differences in total variation. 2 smooths noise, 1 keeps edges.",
        minimum=0.5, maximum=6.0, step=0.25,
    )  # fmt: skip
    style_scale: float = number(
        1.0,
        "Size of the strokes relative to the content. More gives larger strokes, less finer ones.",
        minimum=0.05, maximum=20.0, step=0.1,
    )  # fmt: skip
    style_sizing: str = choice(
        "fit",
        "How the style is resized: fit makes its longest side that of the content, without "
        "enlarging it; physical shows one micrometre of both at the same size.",
        "fit", "physical",
    )  # fmt: skip
    style_blend: tuple[float, ...] = numbers(
        "Relative weights of several styles, such as 0.7, 0.3. Empty weights all styles equally.",
        minimum=0.0,
    )


@dataclass(frozen=True, kw_only=True)
class Start:
    """The initial image."""

    init: str = choice(
        "content",
        "Initial image: content keeps the composition; noise composes anew; mix blends content "
        "and noise; style starts from the style; image starts from another image.",
        "content", "style", "noise", "mix", "image",
    )  # fmt: skip
    noise: str = choice(
        "normal",
        "Distribution of the noise: normal and uniform are centred on the mean colour of "
        "photographs; matched has the mean and the standard deviation of the style's colours.",
        "normal", "uniform", "matched",
    )  # fmt: skip
    noise_spread: float = number(
        0.25,
        "Standard deviation of normal noise, or half the width of uniform noise; white is 1. More "
        "gives stronger noise, less a nearly uniform colour.",
        minimum=0.0, maximum=1.0, step=0.05,
    )  # fmt: skip
    init_noise: float = number(
        0.5,
        "Proportion of noise in the initial image mix. More leaves the style more freedom, less "
        "stays closer to the content.",
        minimum=0.0, maximum=1.0, step=0.05,
    )  # fmt: skip
    seed: int = number(
        0,
        "Seed of the noise. If the initial image has noise, each seed gives another variant.",
        minimum=0, maximum=2**31 - 1,
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Colour:
    """The colours and the value range of the image."""

    color: str = choice(
        "style",
        "Colours of the result: style takes those of the style; luminance keeps those of the "
        "content and changes only its lightness; symmetric, pca, cholesky and histogram first "
        "recolour the style like the content.",
        "style", "luminance", "symmetric", "pca", "cholesky", "histogram",
    )  # fmt: skip
    channels: str = choice(
        "auto",
        "Channels of the result: auto gives a grey result for grey data, without colour noise; rgb "
        "gives colour and grey gives grey for any data.",
        "auto", "rgb", "grey",
    )  # fmt: skip
    image_range: str = choice(
        "clip",
        "How pixel values are kept between black and white: clip limits them after each step; free "
        "limits only the values that are shown; tanh optimises through a hyperbolic tangent.",
        "clip", "free", "tanh",
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Network:
    """The network that computes the features."""

    weights: str = choice(
        "gatys",
        "Pretrained VGG-19: gatys (normalised, as in the papers), torchvision, caffe, or the path "
        "of a weights file.",
    )
    network_input: str = choice(
        "own",
        "Input range of the network: own is the range that the network was trained on; 255 is "
        "pixels from 0 to 255 minus their mean, for any network.",
        "own", "255",
    )  # fmt: skip
    pooling: str = choice(
        "max",
        "How the network pools features: max is crisper, average smoother, l2 in between.",
        "max", "average", "l2",
    )  # fmt: skip
    rescale_pooling: bool = switch(
        True,
        "Rescale average and l2 pooled features to the magnitude of max pooled ones, so that "
        "weights mean the same. Published recipes switch this off.",
    )
    padding: str = choice(
        "replicate",
        "How the network pads images at their borders: zeros darkens the edges; replicate and "
        "reflect extend the image; replicate_first does so at the first layer only; circular makes "
        "a result that tiles without a seam.",
        "zeros", "replicate", "replicate_first", "reflect", "circular",
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Optimizer:
    """The optimiser, the number format and the device."""

    optimizer: str = choice(
        "lbfgs",
        "Optimiser: lbfgs (L-BFGS) reaches a lower loss in the same time; adam needs less memory "
        "and is steadier.",
        "lbfgs", "adam",
    )  # fmt: skip
    learning_rate: float = number(
        0.0,
        "Step length; 0 takes the default, 1 for L-BFGS and 0.02 for Adam. More is faster, less is "
        "steadier.",
        minimum=0.0, maximum=1000.0, step=0.001,
    )  # fmt: skip
    history: int = number(
        20,
        "Number of past steps that L-BFGS uses. More gives better steps, less needs less memory.",
        minimum=1, maximum=1000,
    )  # fmt: skip
    line_search: bool = switch(
        False,
        "Let L-BFGS search for the length of each step (strong Wolfe conditions). Steadier, but "
        "each step takes several times as long.",
    )
    beta1: float = number(
        0.9,
        "Adam's decay rate for the mean gradient. More gives smoother steps, less follows changes "
        "of direction faster.",
        minimum=0.0, maximum=0.9999, step=0.01,
    )  # fmt: skip
    beta2: float = number(
        0.99,
        "Adam's decay rate for the squared gradient. More is steadier, less adapts faster.",
        minimum=0.0, maximum=0.99999, step=0.001,
    )  # fmt: skip
    epsilon: float = number(
        1e-8,
        "Constant that Adam adds to the root of the squared gradient. More shortens steps where "
        "gradients are small.",
        minimum=1e-16, maximum=1e9, step=0.1,
    )  # fmt: skip
    ema: float = number(
        0.0,
        "Decay rate of the exponential moving average that is shown instead of the last step, such "
        "as 0.99; 0 shows each step. More is smoother and lags further behind.",
        minimum=0.0, maximum=0.9999, step=0.01,
    )  # fmt: skip
    precision: str = choice(
        "auto",
        "Number format of the network: auto takes the fastest format of this machine, which is "
        "bfloat16, float16 on NVIDIA GPUs without bfloat16, or float32 with Winograd convolutions; "
        "float32 is more exact and slower.",
        "auto", "float32", "bfloat16", "float16",
    )  # fmt: skip
    device: str = choice(
        "auto",
        "Where to compute: auto takes a CUDA GPU if there is one, else an Apple GPU, else the CPU.",
    )
    tile: int = number(
        0,
        "Longest side in pixels of the tiles in which a large image is computed; 0 chooses it by "
        "the free memory. More is faster, less needs less memory; the result is the same.",
        minimum=0, maximum=65536, step=128,
    )  # fmt: skip
