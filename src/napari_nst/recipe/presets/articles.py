"""Recipes of six articles, with the public notebooks and programs that belong to them.

The articles do not give all values. Values marked "ours" are in none of the sources.
"""

from __future__ import annotations

from napari_nst.recipe.presets.registry import (
    BYTES,
    CLASSIC,
    NORMALISED,
    adam,
    published_recipe,
    register,
)
from napari_nst.recipe.recipe import Recipe

# The article optimises an image that is the tanh of free coefficients, for one layer of
# TensorFlow's VGG-19 at a time. The attributes conv1_1 … conv5_1 are outputs of ReLUs.
_LETS_ENHANCE = "Let's Enhance, article “Content and style loss using VGG network”"


@register(job="texture", source=_LETS_ENHANCE)
def lets_enhance_style() -> Recipe:
    """Let's Enhance: the Gram matrix of one deep layer, the image as tanh of free coefficients."""
    return published_recipe(
        weights="caffe",
        content_weight=0.0,
        # Mean square of Gram matrices divided by 50 × 75 × 256. No layer of the article's image has
        # that size, so the sums grow with the area, which does not matter to L-BFGS.
        style_layers={"relu5_1": (50 * 75 * 256) ** -2.0},
        style_weight=1.0,
        style_norm="raw",
        init="noise",  # ours: around the mean colour; the article has random coefficients
        image_range="tanh",
        size=600,  # the article has an image of 400 × 600
        steps=500,  # ours, like L-BFGS
    )


@register(job="reconstruction", source=_LETS_ENHANCE)
def lets_enhance_content() -> Recipe:
    """Let's Enhance: the features of one layer, the image as tanh of free coefficients."""
    return published_recipe(
        weights="caffe",
        style_weight=0.0,
        # Ours: the article shows conv1_1 … conv5_1, whose images are sharp up to block 3.
        content_layers={"relu3_1": 1.0},
        content_weight=1.0,  # × mean (F − P)²
        init="noise",  # ours: around the mean colour; the article has random coefficients
        image_range="tanh",
        size=600,  # the article has an image of 400 × 600
        steps=500,  # ours, like L-BFGS
    )


@register(
    job="transfer",
    source="TensorFlow's eager tutorial of 2018; S. Gautam, “Understanding Neural Style Transfer”",
)
def tf_eager() -> Recipe:
    """TensorFlow's eager tutorial of 2018: a deep content layer, Adam, from the content."""
    # The article has no numbers; these are from public copies of the tutorial.
    return published_recipe(
        weights="caffe",  # Keras has the same, converted
        # Keras's convolutions include the ReLU: these are relu5_2 and relu1_1 … relu5_1.
        content_layers={"block5_conv2": 1.0},
        content_weight=1e3,  # × mean (F − P)²
        style_layers={f"block{block}_conv1": 0.2 for block in range(1, 6)},  # their mean
        style_weight=1e-2,  # × mean (G/M − A/M)²
        init="content",
        image_range="clip",  # after every step
        size=512,  # longest side there too
        steps=1000,  # the tutorial returns the image with the lowest loss, a run here the last
        # TensorFlow adds epsilon before the bias correction, so that it is larger in early steps:
        # 0.1/√(1 − 0.999ᵗ).
        **adam(5.0, white=BYTES, beta1=0.99, epsilon=1e-1),
    )


# The article counts convolutions before their ReLU in PyTorch, so the network is torchvision's.
# Ours in all three recipes: the divisor of the Gram matrix, L-BFGS, the steps and the size.
_CONV_K = "Article on content and texture loss by conv_k, PyTorch"


@register(job="transfer", source=_CONV_K)
def conv_k_transfer() -> Recipe:
    """Convolutions before their ReLU: content conv_9, style conv_2, 4, 8 and 16."""
    return published_recipe(
        weights="torchvision",
        content_layers={"conv_9": 1.0},
        # Ours: relative to the energy of the targets, with which 1 and 0.5 balance. With means on
        # this network the style would be hundreds of times weaker than in other programs.
        content_norm="relative",
        style_norm="relative",
        content_weight=1.0,
        # 0.5 for each layer; the article could also mean their sum.
        style_layers=dict.fromkeys(("conv_2", "conv_4", "conv_8", "conv_16"), 0.5),
        style_weight=1.0,
        init="content",  # or noise, "about the same"
        size=512,  # ours
        steps=500,  # ours
    )


@register(job="texture", source=_CONV_K)
def conv_k_texture() -> Recipe:
    """Gram matrices of conv_2, 4, 8 and 16 before their ReLU, from noise."""
    return published_recipe(
        weights="torchvision",
        content_weight=0.0,
        # Ours: the article tries several layers; these are the layers of its style transfer.
        style_layers=dict.fromkeys(("conv_2", "conv_4", "conv_8", "conv_16"), 0.5),
        style_weight=1.0,
        style_norm="mean",  # ours: (G/M − A/M)²
        init="noise",
        noise_spread=0.02,  # ours; much stronger noise would remain visible
        size=256,  # ours
        steps=500,  # ours
    )


@register(job="reconstruction", source=_CONV_K)
def conv_k_reconstruction() -> Recipe:
    """Features of conv_4 before its ReLU, from noise."""
    return published_recipe(
        weights="torchvision",
        style_weight=0.0,
        content_layers={"conv_4": 1.0},  # the layer that the article prefers
        content_weight=1.0,  # × mean (F − P)²
        init="noise",
        noise_spread=0.02,  # ours; much stronger noise would remain visible
        size=256,  # ours
        steps=500,  # ours
    )


@register(
    job="transfer",
    source="udacity/deep-learning-v2-pytorch 48c94bb; “Neural Style Transfer with Deep VGG model”",
)
def udacity() -> Recipe:
    """Udacity's notebook: one weight per layer, Gram losses divided by layer size, slow Adam."""
    return published_recipe(
        weights="torchvision",
        # The notebook keeps conv4_2 and conv1_1 … conv5_1, to which ReLU is then applied in place.
        content_layers={"relu4_2": 1.0},
        content_weight=1.0,  # α, × mean (F − P)²
        style_layers=dict(zip(CLASSIC, (1.0, 0.8, 0.5, 0.3, 0.1), strict=True)),
        style_weight=1e6,  # β
        style_norm="per_element",  # mean (G − A)²/(C·M), which grows with the size
        init="content",
        size=400,  # the short side there; the style is resized to the content's shape
        steps=2000,
        **adam(0.003, white=NORMALISED),
    )


@register(job="transfer", source="Article “Gatys et al. in TensorFlow”")
def tf_gatys() -> Recipe:
    """Gatys et al. in TensorFlow: sums and average pooling, 5000 steps of Adam."""
    return published_recipe(
        weights="caffe",  # pixels of 0–255 minus their mean
        pooling="average",
        # The article compares outputs of ReLUs: the second of block 4, the first of each block.
        content_layers={"relu4_2": 1.0},
        content_norm="sum",
        content_weight=1e-4 / 2,  # α = 10e-5, and the half of ½ Σ (F − P)²
        style_layers=dict.fromkeys(CLASSIC, 0.2),  # their mean
        style_weight=5.0 / 4,  # β = 5, and the quarter of Σ (G − A)²/(4 C² M²)
        init="content",  # ours
        image_range="clip",  # ours
        size=512,  # ours
        steps=5000,
        **adam(5.0, white=BYTES),  # the other settings are TensorFlow 1's defaults
    )


@register(
    job="transfer", source="Li & Wand 2016, CVPR; chuanli11/CNNMRF 3f42a4b; pystiche/papers 0d8179d"
)
def li_wand() -> Recipe:
    """Li & Wand 2016: each patch of features approaches the style's nearest patch, in octaves."""
    # As in their program and in pystiche's replication, not as printed. Both divide the gradient
    # at each feature by the number of patches that cover the feature, but not the loss. Here the
    # loss is divided, which gives the same gradient.
    return published_recipe(
        weights="caffe",
        content_layers={"relu4_1": 1.0},
        content_weight=20.0,  # × mean (F − P)²
        style_layers={"relu3_1": 1.0, "relu4_1": 1.0},
        style_weight=1e-4 / 2,  # 1e-4, and the half of ½ Σ over patches and entries
        style_loss="mrf",
        style_norm="sum",
        patch_size=3,
        patch_stride=2,  # without rotated and scaled patches: the program sets both numbers to 0
        tv_weight=1e-3 / 2,  # 1e-3, and the half of ½ Σ (dx² + dy²) on 0–255
        tv_loss="inner_sum",
        tv_exponent=2.0,
        init="content",
        size=384,  # longest side there too
        min_size=96,
        scale_ratio=2.0,  # 96, 192, 384
        steps=300,  # 100 each
        first_scale_share=1.0,
        history=100,  # in pystiche; 25 in the Lua program
    )
