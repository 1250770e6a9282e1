"""The recipes of programs that are in use, read in their sources."""

from __future__ import annotations

from napari_nst.recipe.presets.registry import published
from napari_nst.recipe.presets.units import BYTES, CLASSIC, adam, plain
from napari_nst.recipe.recipe import Recipe


@published(
    "neural-style",
    job="transfer",
    source="jcjohnson/neural-style 053a6e3; ProGamerGov/neural-style-pt 7251405",
)
def neural_style() -> Recipe:
    """Johnson's neural-style in its PyTorch version: from noise, 1000 steps of L-BFGS."""
    return plain(
        weights="caffe",  # vgg19-d01eb7cb.pth
        content_layers={"relu4_2": 1.0},
        content_weight=5.0,  # × mean (F − P)²
        style_layers=dict.fromkeys(CLASSIC, 1.0),
        style_weight=100.0,  # for each layer, not for their mean
        style_norm="per_channel",  # mean (G/(CM) − A/(CM))²
        tv_weight=1e-3,
        # PyTorch's: Σ |dx| + Σ |dy| on 0–255. Lua's adds the gradient of half a sum of squares.
        tv_loss="sum",
        tv_exponent=1.0,
        init="noise",
        noise_spread=0.001 / BYTES,  # 0.001 × N(0, 1) around the mean colour
        size=512,  # longest side there too; a style is enlarged to it
        steps=1000,  # evaluations, tolerances switched off
    )


@published("crowsonkb", job="transfer", source="crowsonkb/style-transfer-pytorch e7e2c71")
def crowsonkb() -> Recipe:
    """Crowson's program: Wasserstein distance of Gaussian fits, coarse to fine, averaged."""
    return plain(
        weights="torchvision",
        padding="replicate_first",
        content_layers={"relu4_2": 1.0},
        content_weight=0.015,  # × mean (F − P)²
        style_layers={
            layer: weight / 341  # 341 is their sum
            for layer, weight in zip(CLASSIC, (256, 64, 16, 4, 1), strict=True)
        },
        style_weight=1.0,
        style_loss="wasserstein",
        style_norm="mean",  # over channels, of means and of covariances
        tv_weight=2.0,
        tv_loss="nine_point",
        tv_exponent=2.0,
        size=512,
        min_size=128,
        scale_ratio=2**0.5,  # 128, 181, 256, 362, 512
        steps=1000 + 4 * 500,
        first_scale_share=2.0,
        image_range="clip",  # after every step
        **adam(0.02, white=1.0, beta2=0.99),  # its pixels are in [0, 1]
        ema=0.99,  # begun anew at each scale; it is what the next scale starts from
    )


@published("pystiche", job="transfer", source="pystiche/pystiche a2c2eba, its command line")
def pystiche() -> Recipe:
    """Gram matrices on torchvision's network: the command line of pystiche."""
    return plain(
        weights="torchvision",
        content_layers={"relu4_2": 1.0},
        content_weight=1.0,  # × mean (F − P)²
        style_layers=dict.fromkeys(CLASSIC, 0.2),  # layer weights "mean"
        style_weight=1e3,  # × mean (G/M − A/M)²
        init="content",
        noise="uniform",  # of its other start, from black to white
        noise_spread=0.5,
        size=500,  # the short side there
        steps=500,
    )


@published(
    "gordicaleksa", job="transfer", source="gordicaleksa/pytorch-neural-style-transfer 1719b37"
)
def gordicaleksa() -> Recipe:
    """Gordić's program: L-BFGS with line search, torchvision's network fed 0 to 255."""
    return plain(
        weights="torchvision",
        network_input="255",  # RGB × 255 less the mean, not divided by a deviation
        # Its conv4_2 is rectified in place by the first module of the next slice.
        content_layers={"relu4_2": 1.0},
        content_weight=1e5,  # × mean (F − P)²
        style_layers=dict.fromkeys(CLASSIC, 0.2),  # the mean over layers
        # Σ over C² entries of (G/(CM) − A/(CM))², which is the mean of (G/M − A/M)².
        style_weight=3e4,
        tv_weight=1.0,
        tv_loss="sum",  # Σ |dx| + Σ |dy| on 0–255
        tv_exponent=1.0,
        init="content",
        noise_spread=90 / BYTES,  # of its other start
        size=400,  # the height there, of content and style
        steps=1000,  # evaluations there, several of which make a step here
        line_search=True,  # strong Wolfe
    )


_UP_TO_RELU4_4 = (
    *("relu1_1", "relu1_2", "relu2_1", "relu2_2"),
    *("relu3_1", "relu3_2", "relu3_3", "relu3_4"),
    *("relu4_1", "relu4_2", "relu4_3", "relu4_4"),
)


@published(
    "sliced-wasserstein",
    job="texture",
    source="Heitz et al. 2021, CVPR; "
    "tchambon/A-Sliced-Wasserstein-Loss-for-Neural-Texture-Synthesis 491ee6d",
)
def sliced_wasserstein() -> Recipe:
    """Heitz et al. 2021: sorted projections of the features of twelve layers."""
    return plain(
        # The source has a file of its own, a VGG-19 whose activations are rescaled; the normalised
        # one is the nearest in kind.
        weights="gatys",
        pooling="average",
        padding="reflect",  # at every convolution
        content_weight=0.0,
        style_layers=dict.fromkeys(_UP_TO_RELU4_4, 1.0),  # a plain sum
        style_weight=1.0,
        # At s times the size the program repeats the exemplar's values, here quantiles are read.
        style_loss="sliced_wasserstein",
        style_norm="mean",  # over directions and positions
        projections=0,  # as many directions as channels, drawn anew at each evaluation
        init="noise",
        noise_spread=0.01,  # around the exemplar's mean colour there, around photographs' here
        size=256,  # its examples'; the program takes the exemplar as it is
        steps=64 * 64,  # 64 calls of 64; the picture it keeps is that before the last call
    )
