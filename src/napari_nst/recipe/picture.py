"""The part of a recipe that says what the picture is like: its sizes, its start, its colours."""

from __future__ import annotations

import math
from dataclasses import dataclass

from napari_nst.recipe.fields import choice, number


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """Which sizes a run works through, and for how long."""

    size: int = number(
        384,
        "Longest side of the result in pixels; 0 works at the content's own size. More shows finer "
        "strokes and takes longer, in proportion to the area.",
        least=0, most=65536, step=64,
    )  # fmt: skip
    steps: int = number(
        150,
        "Iterations over all scales together. More refines the result further, fewer is a quick "
        "look.",
        least=1, most=1_000_000, step=20,
    )  # fmt: skip
    min_size: int = number(
        180,
        "Longest side of the coarsest scale; 0 works at one scale only. Less gives larger strokes "
        "and shapes, more keeps the content's.",
        least=0, most=65536, step=32,
    )  # fmt: skip
    scale_ratio: float = number(
        math.sqrt(2),
        "How many times as long as the scale before each scale is. More takes fewer scales, less "
        "carries the picture over more gently.",
        least=1.1, most=16.0, step=0.1,
    )  # fmt: skip
    first_scale_share: float = number(
        1.6,
        "How many times as many steps the coarsest scale gets as each later one. More settles the "
        "composition, less leaves more steps for detail.",
        least=0.0, most=1000.0, step=0.1,
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Start:
    """What a run starts from."""

    init: str = choice(
        "content",
        "What the image starts from. Content keeps its composition, noise paints it anew, mix "
        "blends both; style, or an image of your own.",
        "content", "style", "noise", "mix", "image",
    )  # fmt: skip
    noise: str = choice(
        "normal",
        "Kind of noise: normal and uniform lie around the mean colour of photographs; matched has "
        "the mean colour and the spread of the style.",
        "normal", "uniform", "matched",
    )  # fmt: skip
    noise_spread: float = number(
        0.25,
        "Standard deviation of normal noise, half the width of uniform noise, where white is 1. "
        "More is wilder, less is nearly grey.",
        least=0.0, most=1.0, step=0.05,
    )  # fmt: skip
    init_noise: float = number(
        0.5,
        "Share of noise in a mixed start. More leaves the style freer, less stays nearer the "
        "content.",
        least=0.0, most=1.0, step=0.05,
    )  # fmt: skip
    seed: int = number(
        0,
        "Seed of the noise. Another number gives another variant where the run starts from noise.",
        least=0, most=2**31 - 1,
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Colour:
    """Which colours and values the picture may take."""

    color: str = choice(
        "style",
        "Whose colours: style takes the style's. Luminance keeps the content's and paints in light "
        "and dark alone; cholesky, pca, symmetric and histogram first recolour the style like the "
        "content.",
        "style", "luminance", "symmetric", "pca", "cholesky", "histogram",
    )  # fmt: skip
    channels: str = choice(
        "auto",
        "Auto makes a grey picture of grey data, without colour noise. Rgb paints grey data in "
        "colour, grey paints everything in grey.",
        "auto", "rgb", "grey",
    )  # fmt: skip
    image_range: str = choice(
        "clip",
        "How values stay between black and white. Clip cuts off each step, free cuts off only what "
        "is shown, tanh bends smoothly.",
        "clip", "free", "tanh",
    )  # fmt: skip
