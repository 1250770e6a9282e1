"""The recipes of L. A. Gatys, A. S. Ecker and M. Bethge."""

from __future__ import annotations

from napari_nst.recipe.presets.registry import register
from napari_nst.recipe.presets.units import CHANNELS, CLASSIC, UNIT_NOISE, published_recipe
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
