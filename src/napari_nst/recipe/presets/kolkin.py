"""Recipes of Kolkin et al., whose losses compare vectors at some positions of the images.

Both programs use torchvision's VGG-16. Here it is VGG-19, and the last layer of each block stands
for the last of theirs: relu3_4 for relu3_3, relu4_4 for relu4_3, and relu5_4 for relu5_3.
"""

from __future__ import annotations

from typing import Any

from napari_nst.recipe.presets.registry import adam, published_recipe, register
from napari_nst.recipe.recipe import Recipe

_UP_TO_BLOCK_3 = ("relu1_1", "relu1_2", "relu2_1", "relu2_2", "relu3_1", "relu3_2", "relu3_4")

_OCTAVES: dict[str, Any] = {"size": 512, "min_size": 64, "scale_ratio": 2.0, "refine_share": 1.0}


def _strotss_weights(alpha: float) -> tuple[float, float, list[dict[str, Any]]]:
    """Return the weights of content and style, and the terms, for a content weight."""
    # (α ℓ_content + ℓ_remd + ℓ_moments + ℓ_palette/max(α, 1))/(α + 2)
    terms: list[dict[str, Any]] = [
        {"style_loss": "moments", "style_norm": "mean"},
        {
            "style_loss": "palette",
            "style_norm": "mean",
            "style_weight": 1 / max(alpha, 1),
            "hypercolumns": False,
        },
    ]
    return alpha / (alpha + 2), 1 / (alpha + 2), terms


def _strotss(weights: str, layers: dict[str, float]) -> Recipe:
    """Return the recipe for a flavour, with the factors of the layers."""
    # Ours: the run starts from the content, and each size from the enlarged result before. The
    # program starts from the style's mean colour and adds the content's finest band to each start.
    # Its hypercolumns begin with RGB in [0, 1], three of 2179 channels, beside which all others
    # are larger; here they are left out. It draws the image's positions on a grid with a random
    # offset, here one of each run of neighbours is drawn.
    content_weight, style_weight, terms = _strotss_weights(2.0)  # of the finest size
    phases: list[dict[str, Any]] = []
    for size, alpha in ((4, 16.0), (3, 8.0), (2, 4.0), (1, 2.0)):  # halved at each size
        of_content, of_style, own = _strotss_weights(alpha)
        phases.append(
            {
                "sizes": size,
                "content_weight": of_content / content_weight,
                "style_weight": of_style / style_weight,
                "terms": own,
                "learning_rate": 1e-3 if size == 1 else 2e-3,
            }
        )
    return published_recipe(
        weights=weights,
        hypercolumns=True,
        content_loss="self_similarity",
        content_norm="relative",  # columns divided by their sums; there too × the positions
        content_layers=layers,
        content_weight=content_weight,
        style_loss="remd",
        style_norm="mean",
        style_layers=layers,
        style_weight=style_weight,
        centred_cosine=False,
        terms=terms,
        samples=1024,
        style_samples=5000,  # five draws of 1000
        parametrization="laplacian",
        **_OCTAVES,
        steps=4 * 250,
        phases=phases,
        optimizer="rmsprop",
        learning_rate=1e-3,
        beta2=0.99,  # torch's alpha
    )


_STROTSS_LAYERS = (*_UP_TO_BLOCK_3, "relu4_4", "relu5_4")


def _strotss_torchvision() -> Recipe:
    return _strotss("torchvision", dict.fromkeys(_STROTSS_LAYERS, 1.0))


@register(
    job="transfer",
    source="Kolkin et al. 2019, CVPR, “STROTSS”; nkolkin13/STROTSS 9a1543a",
    variants=(_strotss_torchvision,),
)
def strotss() -> Recipe:
    """STROTSS: optimal transport of hypercolumns, self-similarity, colours; RMSprop on bands."""
    # Factors that undo the normalisation of this network, so that layers have the ratios of mean
    # activations of the original one. Ours is their common size, which matters to the moments
    # alone: with four times these factors they dissolve the content.
    factors = {"1": 0.1, "2": 0.75, "3": 1.0, "4": 0.33, "5": 0.09}
    return _strotss("gatys", {layer: factors[layer[4]] for layer in _STROTSS_LAYERS})


@register(
    job="transfer",
    source="Kolkin et al. 2022, “Neural Neighbor Style Transfer”; "
    "nkolkin13/NeuralNeighborStyleTransfer 290976a",
)
def nnst() -> Recipe:
    """NNST: hypercolumns approach their nearest neighbours in the style, then each layer does."""
    # The intended formula: at 512 pixels the program compares relu4 features with those of relu3_3
    # that it has kept from the layer before, scrambled.
    # Ours: 4,096 positions at each step instead of every fourth row and column, 4,096 of each of
    # the four rotated styles, and a pyramid of five bands instead of eight. The run starts from the
    # content at 64 pixels; the program's start has three empty bands at 512.
    channels = {"1": 64, "2": 128, "3": 256, "4": 512}
    layers = (*_UP_TO_BLOCK_3, "relu4_1", "relu4_2", "relu4_4")
    alone = {
        "sizes": "finest",
        "hypercolumns": False,
        "style_layers": dict.fromkeys(layers, 1.0),
        "nn_targets": "step",
        "centred_cosine": True,
    }
    return published_recipe(
        weights="torchvision",
        content_weight=0.0,  # the content is in the targets alone
        hypercolumns=True,
        style_loss="nn",
        style_layers={layer: 1 / channels[layer[4]] for layer in layers},
        style_weight=1.0,
        nn_targets="scale",
        centred_cosine=False,  # targets are chosen by centred cosine all the same
        style_rotations=True,
        samples=4096,
        style_samples=4 * 4096,
        parametrization="laplacian",
        **{**_OCTAVES, "refine_share": 0.2},
        steps=5 * 200,
        phases=[alone],
        final_color="style_chroma",
        **adam(2e-3, white=1.0),
    )
