"""The same recipe for another flavour of the network, its weights converted.

A layer's features differ between flavours by a factor, and losses by powers of it, so absolute
weights that were tuned for one are far off for another. Relative losses need none of this.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from napari_nst.recipe.layer_names import LAYER_NAMES, canonical_layer
from napari_nst.recipe.likeness import GRAM_LOSSES
from napari_nst.recipe.recipe import Recipe

BYTES_TO_NORMALISED = 57.6
"""How many times as large features are where pixels of 0–255 are read in place of normalised ones:
255 × 0.226, the mean standard deviation of ImageNet's channels, as if there were no biases."""

# Of the VGG-16 that was trained in the same way, which VGG-19 resembles.
_CAFFE = {
    "relu1_1": 23.0,
    "relu2_1": 169.0,
    "relu3_1": 234.0,
    "relu4_1": 137.0,
    "relu4_2": 76.0,
    "relu5_1": 20.0,
}

MEAN_ACTIVATIONS: Mapping[str, Mapping[str, float]] = MappingProxyType(
    {
        # Its filters are scaled to it (Gatys et al. 2016); 0.91–1.06 is measured.
        "gatys": dict.fromkeys(_CAFFE, 1.0),
        # Not measured: caffe's, as if the two differed in their input alone. The roughest.
        "torchvision": {layer: mean / BYTES_TO_NORMALISED for layer, mean in _CAFFE.items()},
        "caffe": _CAFFE,
    }
)
"""Flavour → layer → mean of its features over photographs."""

FLAVOURS: tuple[str, ...] = tuple(MEAN_ACTIVATIONS)
"""The published sets of weights that are known by name."""


def mean_activation(flavour: str, layer: str, network_input: str = "own") -> float:
    """Return about how large a layer's features are.

    Parameters
    ----------
    flavour : str
        One of `MEAN_ACTIVATIONS`.
    layer : str
        Any layer or alias. A convolution is taken for its rectifier, one that was not measured for
        the nearest of its block that was; a pool belongs to the block that it ends.
    network_input : {"own", "255"}
        What the network reads, as in a recipe.

    Raises
    ------
    ValueError
        If the flavour or the layer is not known.
    """
    measured = MEAN_ACTIVATIONS[_known(flavour, "flavour")]
    name = canonical_layer(layer).replace("conv", "relu")
    place = LAYER_NAMES.index(name)
    nearest = min(
        (other for other in measured if _block(other) == _block(name)),
        key=lambda other: abs(LAYER_NAMES.index(other) - place),
    )
    fed_more = flavour == "torchvision" and network_input == "255"
    return measured[nearest] * (BYTES_TO_NORMALISED if fed_more else 1.0)


def on_flavour(recipe: Recipe, flavour: str) -> Recipe:
    """Return the same recipe for another network, each layer's weight converted.

    An approximation: it knows one mean per layer, of photographs (`MEAN_ACTIVATIONS`). Gram losses
    are of the fourth power in the features and the others of the second, but for
    ``mean_covariance``, which has parts of both; the second is taken for it. Relative losses stay
    as they are.

    Parameters
    ----------
    recipe : Recipe
        For the flavour that its `weights` name.
    flavour : {"gatys", "torchvision", "caffe"}
        The network to have the recipe for, reading its own input.

    Raises
    ------
    ValueError
        If either network is not one of these; of a file of weights nothing is known.
    """
    _known(recipe.weights, "weights")
    if _known(flavour, "flavour") == recipe.weights:
        return recipe

    def ratio(layer: str) -> float:
        own = mean_activation(recipe.weights, layer, recipe.network_input)
        return own / mean_activation(flavour, layer)

    style_power = 4 if recipe.style_loss in GRAM_LOSSES else 2
    return recipe.replace(
        weights=flavour,
        network_input="own",
        content_layers=_converted(recipe.content_layers, recipe.content_norm, ratio, 2),
        style_layers=_converted(recipe.style_layers, recipe.style_norm, ratio, style_power),
    )


def _converted(
    weights: Mapping[str, float], norm: str, ratio: Callable[[str], float], power: int
) -> Mapping[str, float]:
    """Return layer weights that give a loss in some power of the features the value it had."""
    if norm == "relative":
        return weights
    return {layer: weight * ratio(layer) ** power for layer, weight in weights.items()}


def _known(flavour: str, role: str) -> str:
    if flavour not in MEAN_ACTIVATIONS:
        known = ", ".join(MEAN_ACTIVATIONS)
        raise ValueError(
            f"{role} must be one of {known} for a recipe to be converted; not {flavour!r}."
        )
    return flavour


def _block(layer: str) -> str:
    """Return the number of a layer's block: relu4_2 and pool4 are of the fourth."""
    return next(letter for letter in layer if letter.isdigit())
