"""What published programs have in common, and their units in ours."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from napari_nst.recipe.recipe import Recipe

CHANNELS: Mapping[str, int] = MappingProxyType(
    {"relu1_1": 64, "relu2_1": 128, "relu3_1": 256, "relu4_1": 512, "relu5_1": 512}
)
"""The classic style layers, the first of each block, and how many channels they have."""

CLASSIC = tuple(CHANNELS)

BYTES = 255.0
"""From black to white where a program's pixels are those of its files."""

NORMALISED = 1 / 0.226
"""From black to white where each channel is divided by its standard deviation, 0.226 on average:
ImageNet's 0.229, 0.224 and 0.225."""

FAINT = 1 / BYTES
"""Spread of noise that is N(0, 1) on pixels of 0–255, as Gatys's programs draw it."""

_COMMON: Mapping[str, Any] = MappingProxyType(
    {
        "min_size": 0,  # one scale
        "first_scale_share": 1.0,
        "content_norm": "mean",
        "style_loss": "gram",
        "style_norm": "mean",
        "tv_weight": 0.0,
        "style_scale": 1.0,
        "style_sizing": "fit",
        "init": "content",
        "noise": "normal",
        "noise_spread": 0.25,  # ours, where a source tells no other
        "color": "style",
        "image_range": "free",  # clipped when it is saved, not while it is optimised
        "network_input": "own",
        "pooling": "max",
        "rescale_pooling": False,
        "padding": "zeros",  # VGG's own
        "optimizer": "lbfgs",
        # Defaults of Torch 7's and of PyTorch's L-BFGS alike.
        "learning_rate": 0.0,  # the usual one, for L-BFGS theirs: 1
        "history": 100,
        "line_search": False,
        "ema": 0.0,
    }
)


def plain(**fields: Any) -> Recipe:
    """Make a recipe whose other fields are what published programs have in common.

    They are not left to our default recipe, which we tune. Four things are ours in every recipe:
    `size` is the longest side, a style keeps its aspect and is never enlarged, L-BFGS's first step
    is as long on average whatever the weights, and `precision` suits the machine.
    """
    return Recipe(**{**_COMMON, **fields})


def adam(
    rate: float,
    *,
    white: float,
    beta1: float = 0.9,
    beta2: float = 0.999,
    epsilon: float = 1e-8,
) -> dict[str, Any]:
    """Return the fields of Adam, whose steps are those of [0, 1] pixels here.

    Parameters
    ----------
    rate : float
        Learning rate of the source, in its own pixels.
    white : float
        How far white is from black in them: `BYTES` or `NORMALISED`.
    beta1, beta2, epsilon : float
        The source's; left out, the defaults that TensorFlow 1, PyTorch and Torch 7 share. Gradients
        are `white` times as large here, so `epsilon` is too.
    """
    return {
        "optimizer": "adam",
        "learning_rate": rate / white,
        "beta1": beta1,
        "beta2": beta2,
        "epsilon": epsilon * white,
    }
