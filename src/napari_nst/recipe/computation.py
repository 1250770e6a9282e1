"""The part of a recipe that says how it is computed: the network, the optimiser, the machine."""

from __future__ import annotations

from dataclasses import dataclass

from napari_nst.recipe.fields import choice, number, switch

LEAST_TILE = 128
"""Pixels: smaller tiles are mostly overlap with their neighbours, 80 on each side to relu5_1."""


@dataclass(frozen=True, kw_only=True)
class Network:
    """Which features of an image are compared."""

    weights: str = choice(
        "gatys",
        "The pretrained VGG-19: gatys (normalised, as in the papers), torchvision, caffe, or a "
        "file of your own.",
    )
    network_input: str = choice(
        "own",
        "What the network reads: own is what it was trained on, 255 is pixels of 0 to 255 less "
        "their mean, whatever it was trained on.",
        "own", "255",
    )  # fmt: skip
    pooling: str = choice(
        "max",
        "How the network shrinks its features. Max is crisper, average smoother, l2 between them.",
        "max", "average", "l2",
    )  # fmt: skip
    rescale_pooling: bool = switch(
        True,
        "Give pooled features the size that max pooling gives them, so that weights mean the same. "
        "Published recipes switch it off.",
    )
    padding: str = choice(
        "replicate",
        "What the network sees beyond the border. Zeros darken the edge, replicate and reflect "
        "extend it, replicate_first does so at the first layer only, circular makes the result "
        "tile without a seam.",
        "zeros", "replicate", "replicate_first", "reflect", "circular",
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Optimizer:
    """How the picture is improved, and where."""

    optimizer: str = choice(
        "lbfgs",
        "L-BFGS ends lower in the same time; Adam needs less memory and is steadier.",
        "lbfgs", "adam",
    )  # fmt: skip
    learning_rate: float = number(
        0.0,
        "Step length; 0 takes the optimiser's usual one, 1 for L-BFGS and 0.02 for Adam. More is "
        "faster but less steady, less is slower but safer.",
        least=0.0, most=1000.0, step=0.001,
    )  # fmt: skip
    history: int = number(
        20,
        "How many past steps L-BFGS remembers. More takes better steps and more memory, less is "
        "lighter.",
        least=1, most=1000,
    )  # fmt: skip
    line_search: bool = switch(
        False,
        "Let L-BFGS try several lengths of each step (strong Wolfe). Steadier, and several times "
        "as long per step.",
    )
    beta1: float = number(
        0.9,
        "Adam's memory of the direction. More is smoother, less is quicker to turn.",
        least=0.0, most=0.9999, step=0.01,
    )  # fmt: skip
    beta2: float = number(
        0.99,
        "Adam's memory of the gradient's size. More is steadier, less adapts faster.",
        least=0.0, most=0.99999, step=0.001,
    )  # fmt: skip
    epsilon: float = number(
        1e-8,
        "Gradient below which Adam takes shorter steps. More damps small gradients.",
        least=1e-16, most=1e9, step=0.1,
    )  # fmt: skip
    ema: float = number(
        0.0,
        "Show the moving average of the steps with this memory, such as 0.99; 0 shows each step. "
        "More is smoother and lags behind.",
        least=0.0, most=0.9999, step=0.01,
    )  # fmt: skip
    precision: str = choice(
        "auto",
        "Number format of the network: auto takes what this machine is fastest with, bfloat16, "
        "float16 on NVIDIA GPUs that have no other of 16 bits, or float32 with fewer "
        "multiplications; float32 is slower and exact.",
        "auto", "float32", "bfloat16", "float16",
    )  # fmt: skip
    device: str = choice(
        "auto",
        "Where to compute: auto takes a CUDA GPU if there is one, then an Apple GPU, then the "
        "processor.",
    )
    tile: int = number(
        0,
        "Longest side in pixels of the tiles that a larger picture is computed in; 0 takes what "
        "memory allows. More is faster, less takes less memory; the result is the same.",
        least=0, most=65536, step=128,
    )  # fmt: skip
