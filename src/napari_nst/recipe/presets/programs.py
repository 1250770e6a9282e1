"""Recipes of published papers and programs, taken from their source code."""

from __future__ import annotations

from typing import Any

from napari_nst.recipe.presets.registry import (
    BYTES,
    CHANNELS,
    CLASSIC,
    UNIT_NOISE,
    adam,
    published_recipe,
    register,
)
from napari_nst.recipe.recipe import Recipe


def _gatys_2016_caffe() -> Recipe:
    # NeuralImageSynthesis, weights for "org net"; the authors' PytorchNeuralStyleTransfer (2355c25)
    # has the same.
    return published_recipe(
        weights="caffe",  # VGG_ILSVRC_19_layers_conv, vgg_conv.pth
        content_layers={"relu4_2": 1.0},
        content_weight=1.0,  # × mean (F − P)²
        style_layers={layer: channels**-2 for layer, channels in CHANNELS.items()},
        style_weight=1e3,  # 1e3/C² per layer × mean (G/M − A/M)²
        size=512,  # √(height × width); the short side in the PyTorch notebook
        steps=500,  # evaluations; 520 in the PyTorch notebook, which makes calls of 20
        init="content",
        noise_spread=UNIT_NOISE,  # for "random", the notebook's other initial image
    )


@register(
    job="transfer",
    source="Gatys et al. 2016, CVPR; leongatys/NeuralImageSynthesis cced0b9",
    variants=(_gatys_2016_caffe,),
)
def gatys_2016() -> Recipe:
    """Gatys et al. 2016 on the normalised network they published with it."""
    # ExampleNotebooks/BasicStyleTransfer, weights for "norm net".
    return published_recipe(
        weights="gatys",  # vgg_normalised.caffemodel
        content_layers={"relu4_2": 1.0},
        content_weight=1e6,  # × mean (F − P)²
        style_layers=dict.fromkeys(CLASSIC, 0.2),
        style_weight=1e9,  # 1e9/5 per layer × mean (G/M − A/M)²
        size=512,  # √(height × width); a second run at 1024 for 200 steps is left to the user
        steps=500,  # evaluations of the objective, one per step
        init="content",
        noise_spread=UNIT_NOISE,  # for "random", the notebook's other initial image
    )


@register(job="transfer", source="Gatys et al. 2016, CVPR, the formulas of its section 2")
def gatys_2016_paper() -> Recipe:
    """Gatys et al. 2016 as printed: sums, average pooling, from white noise."""
    return published_recipe(
        # The paper uses the normalised network, but on that network α/β as printed gives no visible
        # style. On the network as it was trained the pictures are like the paper's.
        weights="caffe",
        pooling="average",
        # The paper writes conv; its Caffe network applies ReLU in place.
        content_layers={"relu4_2": 1.0},
        content_norm="sum",
        content_weight=1.0 / 2,  # α = 1, and the half of ½ Σ (F − P)²; it grows with the size
        style_layers=dict.fromkeys(CLASSIC, 0.2),  # w = 1/5
        # β = 1e3 from α/β = 1e-3 of the figures; the quarter of Σ (G − A)²/(4 C² M²), where each
        # Gram matrix is divided by the number of positions in its own image.
        style_weight=1e3 / 4,
        init="noise",
        noise_spread=UNIT_NOISE,  # not printed; from the authors' programs
        size=512,  # about as in the figures, where it is the area
        steps=500,  # not printed; from the authors' notebook
        # The paper uses L-BFGS and does not print its settings.
    )


@register(job="texture", source="Gatys et al. 2015, NeurIPS; leongatys/DeepTextures, Example.ipynb")
def gatys_texture() -> Recipe:
    """Gatys et al. 2015: Gram matrices of four pools and the first layer, from noise."""
    # The program finally matches the histogram of each channel to the exemplar; this is left out.
    return published_recipe(
        weights="gatys",  # vgg_normalised.caffemodel
        pooling="average",  # VGG_ave_pool_deploy.prototxt; rounds odd sides up, ours rounds down
        content_weight=0.0,
        # ReLU is applied to the blob conv1_1 in place, and the pools follow a ReLU.
        style_layers=dict.fromkeys(("relu1_1", "pool1", "pool2", "pool3", "pool4"), 1.0),
        style_weight=1e9 / 4,  # 1e9 each, × ¼ mean (G/M − A/M)²: LossFunctions.gram_mse_loss
        init="noise",
        noise_spread=UNIT_NOISE,  # N(0, 1) on 0–255
        # The program clips to the smallest and the largest value of the exemplar.
        image_range="clip",
        size=256,  # √(height × width)
        steps=2000,  # maxiter
        history=20,  # maxcor
        line_search=True,  # SciPy's L-BFGS-B has another kind of line search
    )


@register(
    job="transfer", source="jcjohnson/neural-style 053a6e3; ProGamerGov/neural-style-pt 7251405"
)
def neural_style() -> Recipe:
    """Johnson's neural-style in its PyTorch version: from noise, 1000 steps of L-BFGS."""
    return published_recipe(
        weights="caffe",  # vgg19-d01eb7cb.pth
        content_layers={"relu4_2": 1.0},
        content_weight=5.0,  # × mean (F − P)²
        style_layers=dict.fromkeys(CLASSIC, 1.0),
        style_weight=100.0,  # for each layer, not for their mean
        style_norm="per_channel",  # mean (G/(CM) − A/(CM))²
        tv_weight=1e-3,
        # In PyTorch Σ |dx| + Σ |dy| on 0–255; in Lua the gradient of half a sum of squares.
        tv_loss="sum",
        tv_exponent=1.0,
        init="noise",
        noise_spread=0.001 / BYTES,  # 0.001 × N(0, 1) around the mean colour
        size=512,  # longest side there too; the program enlarges the style to it
        steps=1000,  # evaluations, without tolerances
    )


@register(job="transfer", source="crowsonkb/style-transfer-pytorch e7e2c71")
def crowsonkb() -> Recipe:
    """Crowson's program: Wasserstein distance of Gaussian fits, coarse to fine, averaged steps."""
    return published_recipe(
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
        ema=0.99,  # starts anew at each scale, and the next scale starts from the average
    )


def _spst(**fields: Any) -> Recipe:
    return published_recipe(
        weights="caffe",  # vgg_conv.pth
        style_layers={layer: channels**-2 for layer, channels in CHANNELS.items()},
        style_weight=1e3,  # 1e3/C² per layer × mean (G/M − A/M)²
        terms=[
            {
                "style_loss": "mean_std",
                "style_layers": dict.fromkeys(CLASSIC, 1.0),
                # 1e4 × (mean (μ − μₛ)² + mean (σ − σₛ)²): 1e3/C² × C² × wmeanstd/100, with
                # wmeanstd = 1000. Ours is half of the sum.
                "style_weight": 2 * 1e4 / 1e3,
            }
        ],
        scale_ratio=2.0,
        **fields,
    )


_SPST = "Galerne et al. 2024, EGSR; bgalerne/scaling_painting_style_transfer d39643c"


@register(job="transfer", source=_SPST)
def spst() -> Recipe:
    """Galerne et al. 2024: Gram matrices, means and deviations, for large pictures in tiles."""
    return _spst(
        content_layers={"relu4_2": 1.0},
        content_weight=1.0,  # × mean (F − P)²
        init="content",
        # The size is halved until the short side has at most 1023 pixels. Larger results need a
        # larger size alone, with 66 and then 30 more steps for each doubling.
        size=1024,
        min_size=512,
        steps=600 + 200,  # spst-fast, the program's default; spst-baseline has 600 + 300
        first_scale_share=3.0,
        history=100,  # at the first scale; 10 at the others
    )


@register(job="texture", source=_SPST)
def spst_texture() -> Recipe:
    """Galerne et al. 2024, without content: Gram matrices, means and deviations, from noise."""
    return _spst(
        content_weight=0.0,
        init="noise",
        noise_spread=10 * UNIT_NOISE,  # 10 × N(0, 1) on 0–255, around the mean colour
        size=512,  # ours; the program keeps the size of the exemplar
        min_size=129,  # halved until the short side has at most 256 pixels
        steps=600 + 300,  # spst-baseline; 300 more for each doubling of the size
        first_scale_share=2.0,
        history=100,  # at the first scale; 10 at the others
    )


@register(job="transfer", source="pystiche/pystiche a2c2eba, its command line")
def pystiche() -> Recipe:
    """Gram matrices on torchvision's network: the command line of pystiche."""
    return published_recipe(
        weights="torchvision",
        content_layers={"relu4_2": 1.0},
        content_weight=1.0,  # × mean (F − P)²
        style_layers=dict.fromkeys(CLASSIC, 0.2),  # layer weights "mean"
        style_weight=1e3,  # × mean (G/M − A/M)²
        init="content",
        noise="uniform",  # from black to white, the program's other initial image
        noise_spread=0.5,
        size=500,  # the short side there
        steps=500,
    )


@register(job="transfer", source="gordicaleksa/pytorch-neural-style-transfer 1719b37")
def gordicaleksa() -> Recipe:
    """Gordić's program: L-BFGS with line search, torchvision's network on pixels of 0 to 255."""
    return published_recipe(
        weights="torchvision",
        network_input="255",  # RGB × 255 minus the mean, not divided by a standard deviation
        # The first module of the next slice applies ReLU to its conv4_2 in place.
        content_layers={"relu4_2": 1.0},
        content_weight=1e5,  # × mean (F − P)²
        style_layers=dict.fromkeys(CLASSIC, 0.2),  # the mean over layers
        # Σ over C² entries of (G/(CM) − A/(CM))², which is the mean of (G/M − A/M)².
        style_weight=3e4,
        tv_weight=1.0,
        tv_loss="sum",  # Σ |dx| + Σ |dy| on 0–255
        tv_exponent=1.0,
        init="content",
        noise_spread=90 / BYTES,  # for its other initial image
        size=400,  # height of content and style there
        steps=1000,  # evaluations there; a step here takes several
        line_search=True,  # strong Wolfe
    )


_UP_TO_RELU4_4 = (
    *("relu1_1", "relu1_2", "relu2_1", "relu2_2"),
    *("relu3_1", "relu3_2", "relu3_3", "relu3_4"),
    *("relu4_1", "relu4_2", "relu4_3", "relu4_4"),
)


@register(
    job="texture",
    source="Heitz et al. 2021, CVPR; "
    "tchambon/A-Sliced-Wasserstein-Loss-for-Neural-Texture-Synthesis 491ee6d",
)
def sliced_wasserstein() -> Recipe:
    """Heitz et al. 2021: sorted projections of the features of twelve layers."""
    return published_recipe(
        # The source has its own file of a VGG-19 with rescaled activations; the normalised network
        # is the most similar one.
        weights="gatys",
        pooling="average",
        padding="reflect",  # at every convolution
        content_weight=0.0,
        style_layers=dict.fromkeys(_UP_TO_RELU4_4, 1.0),  # a plain sum
        style_weight=1.0,
        # For larger images the program repeats the exemplar's values; here they are quantiles.
        style_loss="sliced_wasserstein",
        style_norm="mean",  # over directions and positions
        projections=0,  # as many directions as channels, new ones at each evaluation
        init="noise",
        noise_spread=0.01,  # around the mean colour of the exemplar there, of photographs here
        size=256,  # size of its examples; the program does not resize
        steps=64 * 64,  # 64 calls of 64; the program returns the image before the last call
    )
