"""The sections of a recipe: its fields, each with its default, its bounds and its help text."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from napari_nst.recipe.fields import (
    Control,
    changes,
    choice,
    layers,
    number,
    numbers,
    switch,
)

GRAM_LOSSES = ("gram", "shifted_gram", "centred_gram")
"""Style losses that compare Gram matrices."""

NORMS = {
    **dict.fromkeys(GRAM_LOSSES, ("relative", "mean", "per_channel", "per_element", "raw")),
    "mean_covariance": ("relative", "mean"),
    "mean_std": ("relative", "mean"),
    "wasserstein": ("relative", "mean"),
    "sliced_wasserstein": ("relative", "mean"),
    "sliced_rows": ("relative", "mean"),
    "autocorrelation": ("relative", "mean", "per_channel"),
    "spectrum": ("relative", "mean"),
    "two_point": ("relative", "mean"),
    "palette": ("relative", "mean"),
    "mrf": ("relative", "mean", "sum"),
    "remd": ("relative", "mean"),
    "nn": ("relative", "mean"),
    "moments": ("relative", "mean"),
    "sampled_wasserstein": ("relative", "mean"),
}
"""Style loss → the values of `style_norm` that it accepts, its usual one first."""

CONTENT_NORMS = {
    "features": ("relative", "mean", "sum"),
    "self_similarity": ("relative", "mean"),
}
"""Content loss → the values of `content_norm` that it accepts, its usual one first."""

HYPERCOLUMN_LOSSES = ("remd", "nn", "moments", "self_similarity")
"""Losses that can compare hypercolumns, which join several layers."""

SAMPLED_LOSSES = (*HYPERCOLUMN_LOSSES, "palette", "sampled_wasserstein")
"""Losses that compare samples: positions drawn at random."""

COSINE_LOSSES = ("remd", "nn", "self_similarity")
"""Losses that do not depend on the scale of the features."""

MOMENT_LOSSES = (*GRAM_LOSSES, "mean_covariance", "mean_std", "wasserstein")
"""Style losses that are functions of sums over positions, which can be added up over tiles."""

IMAGE_LOSSES = ("spectrum", "two_point", "palette")
"""Style losses of the image itself, which read no layer; they are computed whole beside tiles."""

TILED_LOSSES = (
    *MOMENT_LOSSES, "remd", "nn", "moments", "sampled_wasserstein", *IMAGE_LOSSES
)  # fmt: skip
"""Style losses that can be computed in tiles, or whole beside them."""

MIN_TILE = 128
"""Pixels. In smaller tiles the halo, 80 pixels on each side for relu5_1, dominates the cost."""


# fmt: off
# Each field: its default and its allowed values, then its help text.

@dataclass(frozen=True, kw_only=True)
class Schedule:
    """The sizes at which the image is optimised, and the number of iterations."""

    size: int = number(384, minimum=0, maximum=65536, step=64, help_text=
        "Longest side of the result in pixels; 0 keeps the size of the content. More gives finer "
        "strokes; the time grows with the area.")
    steps: int = number(150, minimum=1, maximum=1_000_000, step=20, help_text=
        "Number of iterations, over all scales together. More iterations refine the result, fewer "
        "give a quick preview.")
    min_size: int = number(180, minimum=0, maximum=65536, step=32, help_text=
        "Longest side in pixels at which the run starts, before it grows to the size of the "
        "result; 0 starts at that size. Less gives larger strokes and shapes, more keeps the "
        "shapes of the content.")
    scale_ratio: float = number(math.sqrt(2), minimum=1.1, maximum=16.0, step=0.1, help_text=
        "Size of each scale divided by the size of the scale before it. More gives fewer scales, "
        "less gives a smoother transition between scales.")
    first_scale_share: float = number(1.6, minimum=0.0, maximum=1000.0, step=0.1, help_text=
        "Iterations at the coarsest scale, relative to the iterations at each later scale. More "
        "spends them on the composition, less on details.")


@dataclass(frozen=True, kw_only=True)
class Losses:
    """The losses, the layers that they compare, and their weights."""

    style_weight: float = number(8.0, minimum=0.0, step=0.5, help_text=
        "Weight of the style. More changes the content more freely, less keeps closer to it.")
    content_weight: float = number(1.0, minimum=0.0, step=0.1, help_text=
        "Weight of the content. More keeps its shapes sharper, less lets the style dissolve them.")
    tv_weight: float = number(70.0, minimum=0.0, step=0.5, help_text=
        "Weight of total variation, the differences between neighbouring pixels. More gives a "
        "smoother result, less a crisper one that may be grainy.")
    content_layers: Mapping[str, float] = layers({"relu4_2": 1.0}, help_text=
        "Layers whose features are kept, each with a weight, such as relu4_2:1. Shallow layers "
        "keep the pixels, deep layers keep the arrangement.")
    style_layers: Mapping[str, float] = layers(
        {"relu1_1": 0.35, "relu2_1": 0.26, "relu3_1": 0.17, "relu4_1": 0.13, "relu5_1": 0.09},
        help_text=
        "Layers whose statistics describe the style, each with a weight. Shallow layers hold "
        "colours and fine texture, deep layers hold large strokes.")
    content_loss: str = choice(*CONTENT_NORMS, help_text=
        "How the content is compared: features compares the features of each position, "
        "self_similarity how alike positions are to each other, so that their features may change.")
    content_norm: str = choice("relative", "mean", "sum", help_text=
        "How content differences are scaled: relative divides them by the energy of the content "
        "features, so that one weight suits every network and layer; mean and sum are used by "
        "published recipes.")
    style_loss: str = choice(*NORMS, default="mean_covariance", help_text=
        "Which statistics of the features are compared: mean_covariance keeps the palette best; "
        "gram is the Gram matrix of 2015; shifted_gram and centred_gram subtract a mean first; "
        "mean_std compares means and standard deviations; wasserstein compares Gaussian fits, "
        "sliced_wasserstein whole distributions, sampled_wasserstein the same at some positions, "
        "mrf patches; sliced_rows, autocorrelation and the spectrum of the image keep what repeats "
        "over long distances, such as bricks; two_point compares how often two pixels at each "
        "distance are both bright; remd brings each feature near some feature of the style and the "
        "reverse, nn only to its nearest neighbour there; moments compares means and covariances "
        "by absolute differences; palette compares the colours of pixels.")
    style_norm: str = choice(
        "relative", "mean", "per_channel", "per_element", "raw", "sum", help_text=
        "How style differences are scaled: relative divides them by the energy of the style "
        "statistics, so that one weight suits every network and layer; mean, per_channel, "
        "per_element, raw and sum are used by published recipes.")
    projections: int = number(0, minimum=0, maximum=4096, step=16, help_text=
        "Number of random directions per layer for sliced_wasserstein, sliced_rows and "
        "sampled_wasserstein; 0 takes one per channel. More is steadier, less is faster.")
    patch_size: int = number(3, minimum=1, maximum=15, step=2, help_text=
        "Side of the patches for the style loss mrf, in feature positions. More copies larger "
        "pieces of the style, less mixes them more freely.")
    patch_stride: int = number(2, minimum=1, maximum=15, help_text=
        "Distance between patches for the style loss mrf, in feature positions. Less compares more "
        "patches and takes longer.")
    hypercolumns: bool = switch(False, help_text=
        "Join the layers of a loss into one long vector for each position, for the style losses "
        "remd, nn and moments and the content loss self_similarity. The weight of a layer is then "
        "a factor of its features.")
    samples: int = number(1024, minimum=16, maximum=65536, step=256, help_text=
        "Number of positions of the image that each step draws for the style losses remd, nn, "
        "moments, palette and sampled_wasserstein and the content loss self_similarity. More is "
        "steadier, less is faster.")
    style_samples: int = number(4096, minimum=16, maximum=262144, step=1024, help_text=
        "Number of positions of each style that are compared with these samples. More finds better "
        "matches, less is faster and needs less memory.")
    centred_cosine: bool = switch(True, help_text=
        "Subtract the mean of the features before remd and nn compare their directions. "
        "Without it, colours count more and shapes of strokes less.")
    nn_targets: str = choice("scale", "step", help_text=
        "When nearest neighbours in the style are chosen: scale chooses them once for each size, "
        "step again and again while the image changes.")
    style_rotations: bool = switch(False, help_text=
        "Compare samples with the style and with its rotations by 90, 180 and 270 degrees. More "
        "matches, and strokes in all directions.")
    tv_loss: str = choice("mean", "nine_point", "sum", "inner_sum", help_text=
        "How total variation is measured: mean averages over neighbouring pixels; nine_point "
        "includes diagonal neighbours; sum adds up differences of values from 0 to 255; inner_sum "
        "does so without the last row and column.")
    tv_exponent: float = number(2.0, minimum=0.5, maximum=6.0, step=0.25, help_text=
        "Exponent of the differences in total variation. 2 smooths noise, 1 keeps edges.")
    style_scale: float = number(1.0, minimum=0.05, maximum=20.0, step=0.1, help_text=
        "Size of the strokes relative to the content. More gives larger strokes, less finer ones.")
    style_sizing: str = choice("fit", "physical", help_text=
        "How the style is resized: fit makes its longest side that of the content, without "
        "enlarging it; physical shows one micrometre of both at the same size.")
    style_blend: tuple[float, ...] = numbers(minimum=0.0, help_text=
        "Relative weights of several styles, such as 0.7, 0.3. Empty weights all styles equally.")
    terms: tuple[Mapping[str, Any], ...] = changes(help_text=
        'Further losses as JSON, such as [{"style_loss": "mrf", "style_weight": 0.5}]: each '
        "changes fields of the content loss or of the style loss. A weight is a factor of the "
        "recipe's own.")


@dataclass(frozen=True, kw_only=True)
class Refine:
    """What changes during a run."""

    own_sizes: str = choice("all", "coarser", help_text=
        "Sizes of the recipe's own phase, if there are later phases: all, or coarser, which leaves "
        "the finest size to the later phases.")
    refine_share: float = number(0.3, minimum=0.0, maximum=1.0, step=0.05, help_text=
        "Share of the steps that all later phases take together. More refines longer; 1 leaves "
        "none for the recipe's own losses.")
    refine_strength: float = number(1.0, minimum=0.0, maximum=1000.0, step=0.1, help_text=
        "Factor of the style weight in later phases. More paints more freely, less keeps closer "
        "to the content.")
    phases: tuple[Mapping[str, Any], ...] = changes(help_text=
        'Later phases of a run as JSON, such as [{"optimizer": "adam", "steps": 2}]: each changes '
        "fields of the recipe; a weight is a factor of the recipe's own, steps are relative to "
        'the other later phases, and sizes are "finest", "coarser", "all", or n for the n-th '
        "finest.")


@dataclass(frozen=True, kw_only=True)
class Start:
    """The initial image."""

    init: str = choice("content", "style", "noise", "mix", "image", help_text=
        "Initial image: content keeps the composition; noise composes anew; mix blends content and "
        "noise; style starts from the style; image starts from another image.")
    noise: str = choice("normal", "uniform", "matched", "covariance", help_text=
        "Distribution of the noise: normal and uniform are centred on the mean colour of "
        "photographs; matched has the mean and the standard deviation of the style's colours, "
        "covariance also their correlation.")
    noise_spread: float = number(0.25, minimum=0.0, maximum=1.0, step=0.05, help_text=
        "Standard deviation of normal noise, or half the width of uniform noise; white is 1. More "
        "gives stronger noise, less a nearly uniform colour.")
    init_noise: float = number(0.5, minimum=0.0, maximum=1.0, step=0.05, help_text=
        "Proportion of noise in the initial image mix. More leaves the style more freedom, less "
        "stays closer to the content.")
    seed: int = number(0, minimum=0, maximum=2**31 - 1, help_text=
        "Seed of the noise. If the initial image has noise, each seed gives another variant.")


@dataclass(frozen=True, kw_only=True)
class Colour:
    """The colours and the value range of the image."""

    color: str = choice(
        "style", "luminance", "symmetric", "pca", "cholesky", "histogram", help_text=
        "Colours of the result: style takes those of the style; luminance keeps those of the "
        "content and changes only its lightness; symmetric, pca, cholesky and histogram first "
        "recolour the style like the content.")
    channels: str = choice("auto", "rgb", "grey", help_text=
        "Channels of the result: auto gives a grey result for grey data, without colour noise; rgb "
        "gives colour and grey gives grey for any data.")
    image_range: str = choice("clip", "free", "tanh", help_text=
        "How pixel values are kept between black and white: clip limits them after each step; free "
        "limits only the values that are shown; tanh optimises through a hyperbolic tangent.")
    final_color: str = choice("none", "style_chroma", help_text=
        "Colours after the last step: none leaves the result as it is; style_chroma keeps its "
        "lightness and takes the hues of the content, recoloured like the style. Grey results, "
        "textures and reconstructions stay as they are.")


@dataclass(frozen=True, kw_only=True)
class Network:
    """The network that computes the features."""

    weights: str = choice(default="gatys", help_text=
        "Pretrained VGG-19: gatys (normalised, as in the papers), torchvision, caffe, or the path "
        "of a weights file.")
    network_input: str = choice("own", "255", help_text=
        "How the network gets the image: own, scaled as the network was trained; 255, as values "
        "from 0 to 255 minus their mean, for any network.")
    pooling: str = choice("max", "average", "l2", help_text=
        "How the network pools features: max is crisper, average smoother, l2 in between.")
    rescale_pooling: bool = switch(True, help_text=
        "Rescale average and l2 pooled features to the magnitude of max pooled ones, so that "
        "weights mean the same. Published recipes switch this off.")
    padding: str = choice(
        "zeros", "replicate", "replicate_first", "reflect", "circular", default="replicate",
        help_text=
        "How the network pads images at their borders: zeros darkens the edges; replicate and "
        "reflect extend the image; replicate_first does so at the first layer only; circular makes "
        "a result that tiles without a seam.")


@dataclass(frozen=True, kw_only=True)
class Optimizer:
    """The optimiser, the number format and the device."""

    parametrization: str = choice("pixels", "laplacian", "decorrelated", help_text=
        "What is optimised: pixels each by itself; laplacian, the bands of a Laplacian pyramid, so "
        "that steps change large areas together; decorrelated, colours in coordinates that are "
        "uncorrelated in photographs, which avoids coloured grain.")
    optimizer: str = choice("lbfgs", "adam", "rmsprop", help_text=
        "Optimiser: lbfgs (L-BFGS) reaches a lower loss in the same time; adam needs less memory "
        "and is steadier; rmsprop is for published recipes.")
    learning_rate: float = number(0.0, minimum=0.0, maximum=1000.0, step=0.001, help_text=
        "Step length; 0 takes the default: 1 for L-BFGS, 0.02 for Adam, 0.002 for RMSprop. More is "
        "faster, less is steadier.")
    history: int = number(20, minimum=1, maximum=1000, help_text=
        "Number of past steps that L-BFGS uses. More gives better steps, less needs less memory.")
    line_search: bool = switch(False, help_text=
        "Let L-BFGS search for the length of each step (strong Wolfe conditions). Steadier, but "
        "each step takes several times as long.")
    beta1: float = number(0.9, minimum=0.0, maximum=0.9999, step=0.01, help_text=
        "Adam's decay rate for the mean gradient. More gives smoother steps, less follows changes "
        "of direction faster.")
    beta2: float = number(0.99, minimum=0.0, maximum=0.99999, step=0.001, help_text=
        "Decay rate of Adam and RMSprop for the squared gradient. More is steadier, less adapts "
        "faster.")
    epsilon: float = number(1e-8, minimum=1e-16, maximum=1e9, step=0.1, help_text=
        "Constant that Adam and RMSprop add to the root of the squared gradient. More shortens "
        "steps where gradients are small.")
    jitter: int = number(0, minimum=0, maximum=16, help_text=
        "Shift the image by some pixels, by others at each step of Adam, so that pooling leaves no "
        "regular pattern: the number of shifts that take turns. 8 is enough, 0 shifts nothing.")
    ema: float = number(0.0, minimum=0.0, maximum=0.9999, step=0.01, help_text=
        "Decay rate of the exponential moving average that is shown instead of the last step, such "
        "as 0.99; 0 shows each step. More is smoother and lags further behind.")
    precision: str = choice("auto", "float32", "bfloat16", "float16", help_text=
        "Number format of the network: auto takes the fastest format of this machine, which is "
        "bfloat16, float16 on NVIDIA GPUs without bfloat16, or float32 with Winograd convolutions; "
        "float32 is more exact and slower.")
    device: str = choice(default="auto", help_text=
        "Where to compute: auto takes a CUDA GPU if there is one, else an Apple GPU, else the CPU.")
    tile: int = number(0, minimum=0, maximum=65536, step=128, help_text=
        "Longest side in pixels of the tiles in which a large image is computed; 0 chooses it by "
        "the free memory. More is faster, less needs less memory; the result is the same.")

# fmt: on

_SECTIONS = {
    "Size and steps": Schedule,
    "Losses": Losses,
    "Refine": Refine,
    "Start": Start,
    "Colours": Colour,
    "Network": Network,
    "Optimiser": Optimizer,
}

SECTIONS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {title: tuple(f.name for f in dataclasses.fields(s)) for title, s in _SECTIONS.items()}
)
"""Title → the names of the fields in that section."""

CONTROLS: Mapping[str, Control] = MappingProxyType(
    {f.name: f.metadata["control"] for s in _SECTIONS.values() for f in dataclasses.fields(s)}
)
"""Field name → its `Control`, in the order of their display."""

UNUSED: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "transfer": (),
        "texture": (
            *("content_weight", "content_layers", "content_loss", "content_norm"),
            *("style_sizing", "color", "final_color"),
        ),
        "reconstruction": (
            *(name for name in CONTROLS if name.startswith("style_")),
            *("projections", "patch_size", "patch_stride", "centred_cosine", "nn_targets"),
            *("refine_strength", "color", "final_color"),
        ),
        "solid": (
            *("content_weight", "content_layers", "content_loss", "content_norm"),
            *("style_sizing", "style_blend", "style_samples", "style_rotations", "samples"),
            *("hypercolumns", "projections", "patch_size", "patch_stride", "centred_cosine"),
            *("nn_targets", "tv_loss", "init", "init_noise", "color", "final_color"),
            *("parametrization", "history", "line_search"),
        ),
    }
)
"""Job → the fields that do not affect it."""
