"""The recipes of five articles, and of the public notebooks that they explain.

Articles leave much unsaid. What is marked "ours" here is told by none of them.
"""

from __future__ import annotations

from napari_nst.recipe.presets.registry import published
from napari_nst.recipe.presets.units import BYTES, CLASSIC, NORMALISED, adam, plain
from napari_nst.recipe.recipe import Recipe

# The image as tanh of free coefficients, one layer at a time, in TensorFlow's VGG-19, whose
# attributes conv1_1 … conv5_1 come after the rectifier.
_LETS_ENHANCE = "Let's Enhance, article “Content and style loss using VGG network”"


@published("lets-enhance-style", job="texture", source=_LETS_ENHANCE)
def lets_enhance_style() -> Recipe:
    """Let's Enhance: one deep layer's Gram matrix, the image as tanh of free numbers."""
    return plain(
        weights="caffe",
        content_weight=0.0,
        # Gram matrices over 50 × 75 × 256, mean squared; no layer of the article's image is of that
        # size, and the sums grow with the area. L-BFGS does not mind.
        style_layers={"relu5_1": (50 * 75 * 256) ** -2.0},
        style_weight=1.0,
        style_norm="raw",
        init="noise",  # ours: around the mean colour; the article draws coefficients
        image_range="tanh",
        size=600,  # the article's image: 400 × 600
        steps=500,  # ours, as is L-BFGS
    )


@published("lets-enhance-content", job="reconstruction", source=_LETS_ENHANCE)
def lets_enhance_content() -> Recipe:
    """Let's Enhance: one layer's features, the image as tanh of free numbers."""
    return plain(
        weights="caffe",
        style_weight=0.0,
        # Ours: the article shows conv1_1 … conv5_1 in turn, sharp as far as block 3.
        content_layers={"relu3_1": 1.0},
        content_weight=1.0,  # × mean (F − P)²
        init="noise",  # ours: around the mean colour; the article draws coefficients
        image_range="tanh",
        size=600,  # the article's image: 400 × 600
        steps=500,  # ours, as is L-BFGS
    )


@published(
    "tf-eager",
    job="transfer",
    source="TensorFlow's eager tutorial of 2018; S. Gautam, “Understanding Neural Style Transfer”",
)
def tf_eager() -> Recipe:
    """TensorFlow's eager tutorial of 2018: a deep content layer, Adam, from the content."""
    # The article tells no numbers; these are the tutorial's, read in public copies of it.
    return plain(
        weights="caffe",  # Keras's are the same, converted
        # Keras's convolutions include the rectifier: these are relu5_2 and relu1_1 … relu5_1.
        content_layers={"block5_conv2": 1.0},
        content_weight=1e3,  # × mean (F − P)²
        style_layers={f"block{block}_conv1": 0.2 for block in range(1, 6)},  # their mean
        style_weight=1e-2,  # × mean (G/M − A/M)²
        init="content",
        image_range="clip",  # after every step
        size=512,  # longest side there too
        steps=1000,  # the tutorial returns the image of the lowest loss, a run here its last
        # TensorFlow adds epsilon before it makes up for Adam's cold start, so there it is larger
        # at first: 0.1/√(1 − 0.999ᵗ).
        **adam(5.0, white=BYTES, beta1=0.99, epsilon=1e-1),
    )


# Layers by their count, before the rectifier, in PyTorch, so on torchvision's network. Ours in all
# three: how the Gram matrix is divided, L-BFGS, the steps and the size.
_CONV_K = "Article on content and texture loss by conv_k, PyTorch"


@published("conv-k-transfer", job="transfer", source=_CONV_K)
def conv_k_transfer() -> Recipe:
    """Layers counted before the rectifier: content conv_9, style conv_2, 4, 8 and 16."""
    return plain(
        weights="torchvision",
        content_layers={"conv_9": 1.0},
        # Ours: relative to the targets' energies, by which 1 and 0.5 balance. With plain means on
        # this network the style would be hundreds of times weaker than in other programs.
        content_norm="relative",
        style_norm="relative",
        content_weight=1.0,
        # 0.5 is each layer's; the article could also be read as their sum's.
        style_layers=dict.fromkeys(("conv_2", "conv_4", "conv_8", "conv_16"), 0.5),
        style_weight=1.0,
        init="content",  # or noise, "about the same"
        size=512,  # ours
        steps=500,  # ours
    )


@published("conv-k-texture", job="texture", source=_CONV_K)
def conv_k_texture() -> Recipe:
    """Gram matrices of conv_2, 4, 8 and 16, before the rectifier, from noise."""
    return plain(
        weights="torchvision",
        content_weight=0.0,
        # Ours: the article tries which layers do what; these are those of its transfer.
        style_layers=dict.fromkeys(("conv_2", "conv_4", "conv_8", "conv_16"), 0.5),
        style_weight=1.0,
        style_norm="mean",  # ours: (G/M − A/M)²
        init="noise",
        noise_spread=0.02,  # ours; with much more, the reconstruction keeps some of it
        size=256,  # ours
        steps=500,  # ours
    )


@published("conv-k-reconstruction", job="reconstruction", source=_CONV_K)
def conv_k_reconstruction() -> Recipe:
    """Features of conv_4 before the rectifier, from noise."""
    return plain(
        weights="torchvision",
        style_weight=0.0,
        content_layers={"conv_4": 1.0},  # the one that it prefers
        content_weight=1.0,  # × mean (F − P)²
        init="noise",
        noise_spread=0.02,  # ours; with much more, the reconstruction keeps some of it
        size=256,  # ours
        steps=500,  # ours
    )


@published(
    "udacity",
    job="transfer",
    source="udacity/deep-learning-v2-pytorch 48c94bb; “Neural Style Transfer with Deep VGG model”",
)
def udacity() -> Recipe:
    """Udacity's notebook: a share for each layer, Gram losses over their size, slow Adam."""
    return plain(
        weights="torchvision",
        # The notebook keeps conv4_2 and conv1_1 … conv5_1, which are rectified in place at once.
        content_layers={"relu4_2": 1.0},
        content_weight=1.0,  # α, × mean (F − P)²
        style_layers=dict(zip(CLASSIC, (1.0, 0.8, 0.5, 0.3, 0.1), strict=True)),
        style_weight=1e6,  # β
        style_norm="per_element",  # mean (G − A)²/(C·M): it grows with the size
        init="content",
        size=400,  # the short side there, and the style squashed to the content's shape
        steps=2000,
        **adam(0.003, white=NORMALISED),
    )


@published("tf-gatys", job="transfer", source="Article “Gatys et al. in TensorFlow”")
def tf_gatys() -> Recipe:
    """Gatys et al. in TensorFlow: sums and average pooling, 5000 steps of Adam."""
    return plain(
        weights="caffe",  # pixels of 0–255 less their mean
        pooling="average",
        # It collects the outputs of rectifiers: the second of block 4, the first of each.
        content_layers={"relu4_2": 1.0},
        content_norm="sum",
        content_weight=1e-4 / 2,  # α = 10e-5, and the half of ½ Σ (F − P)²
        style_layers=dict.fromkeys(CLASSIC, 0.2),  # their mean
        style_weight=5.0 / 4,  # β = 5, and the quarter of Σ (G − A)²/(4 C² M²)
        init="content",  # ours
        image_range="clip",  # ours
        size=512,  # ours
        steps=5000,
        **adam(5.0, white=BYTES),  # its other settings are TensorFlow 1's defaults
    )
