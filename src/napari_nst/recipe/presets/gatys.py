"""The recipes of L. A. Gatys, A. S. Ecker and M. Bethge."""

from __future__ import annotations

from napari_nst.recipe.presets.registry import published
from napari_nst.recipe.presets.units import CHANNELS, CLASSIC, FAINT, plain
from napari_nst.recipe.recipe import Recipe


def _gatys_2016_caffe() -> Recipe:
    # NeuralImageSynthesis, the weights that its notebook calls "org net"; those of the authors'
    # PytorchNeuralStyleTransfer (2355c25) are the same.
    return plain(
        weights="caffe",  # VGG_ILSVRC_19_layers_conv, vgg_conv.pth
        content_layers={"relu4_2": 1.0},
        content_weight=1.0,  # × mean (F − P)²
        style_layers={layer: channels**-2 for layer, channels in CHANNELS.items()},
        style_weight=1e3,  # 1e3/C² per layer × mean (G/M − A/M)²
        size=512,  # √(height × width); the PyTorch notebook's is the short side
        steps=500,  # evaluations; the PyTorch notebook, in calls of 20, really makes 520
        init="content",
        noise_spread=FAINT,  # of "random", the other start that the notebook has
    )


@published(
    "gatys-2016",
    job="transfer",
    source="Gatys et al. 2016, CVPR; leongatys/NeuralImageSynthesis cced0b9",
    variants=(_gatys_2016_caffe,),
)
def gatys_2016() -> Recipe:
    """Gatys et al. 2016 on the normalised network they published with it."""
    # ExampleNotebooks/BasicStyleTransfer, the weights that it calls "norm net".
    return plain(
        weights="gatys",  # vgg_normalised.caffemodel
        content_layers={"relu4_2": 1.0},
        content_weight=1e6,  # × mean (F − P)²
        style_layers=dict.fromkeys(CLASSIC, 0.2),
        style_weight=1e9,  # 1e9/5 per layer × mean (G/M − A/M)²
        size=512,  # √(height × width); then 1024 for 200 steps, which is left to the user
        steps=500,  # evaluations of the objective, one per step
        init="content",
        noise_spread=FAINT,  # of "random", the other start that the notebook has
    )


@published(
    "gatys-2016-paper",
    job="transfer",
    source="Gatys et al. 2016, CVPR, the formulas of its section 2",
)
def gatys_2016_paper() -> Recipe:
    """Gatys et al. 2016 as printed: sums, average pooling, from white noise."""
    return plain(
        # The paper normalises its network, and there α/β as printed leaves no style: we looked.
        # Taken to be for the network as it was trained, it gives pictures like the paper's.
        weights="caffe",
        pooling="average",
        # The paper writes conv; its Caffe network rectifies in place.
        content_layers={"relu4_2": 1.0},
        content_norm="sum",
        content_weight=1.0 / 2,  # α = 1, and the half of ½ Σ (F − P)²; it grows with the size
        style_layers=dict.fromkeys(CLASSIC, 0.2),  # w = 1/5
        # β = 1e3, as the figures' α/β of 1e-3; and the quarter of Σ (G − A)²/(4 C² M²), where each
        # Gram matrix is divided by the positions of its own image.
        style_weight=1e3 / 4,
        init="noise",
        noise_spread=FAINT,  # not printed: that of the authors' programs
        size=512,  # the figures', about; area there
        steps=500,  # not printed: that of the authors' notebook
        # L-BFGS is printed, nothing of its settings.
    )


@published(
    "gatys-texture",
    job="texture",
    source="Gatys et al. 2015, NeurIPS; leongatys/DeepTextures, Example.ipynb",
)
def gatys_texture() -> Recipe:
    """Gatys et al. 2015: Gram matrices of four pools and the first layer, from noise."""
    # The program ends with a match of each channel's histogram to the exemplar's, left out here.
    return plain(
        weights="gatys",  # vgg_normalised.caffemodel
        pooling="average",  # VGG_ave_pool_deploy.prototxt; it rounds odd sides up, ours down
        content_weight=0.0,
        # The blob conv1_1 is rectified in place, and the pools come after rectifiers.
        style_layers=dict.fromkeys(("relu1_1", "pool1", "pool2", "pool3", "pool4"), 1.0),
        style_weight=1e9 / 4,  # 1e9 each, × ¼ mean (G/M − A/M)²: LossFunctions.gram_mse_loss
        init="noise",
        noise_spread=FAINT,  # N(0, 1) on 0–255
        # The program's bounds are the least and the greatest value of the whole exemplar.
        image_range="clip",
        size=256,  # √(height × width)
        steps=2000,  # maxiter
        history=20,  # maxcor
        line_search=True,  # SciPy's L-BFGS-B has one, of another kind
    )
