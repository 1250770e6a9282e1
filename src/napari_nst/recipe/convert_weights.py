"""Convert the layer weights of a recipe to another flavour of the network.

The features of a layer differ between flavours by a factor, and losses by a power of that factor.
Absolute weights that were tuned for one flavour are therefore far off for another. Relative losses
need no conversion.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from napari_nst.recipe.layer_names import LAYER_NAMES, canonical_layer
from napari_nst.recipe.recipe import Recipe, phase_recipe, term_recipe
from napari_nst.recipe.sections import COSINE_LOSSES, GRAM_LOSSES, HYPERCOLUMN_LOSSES, IMAGE_LOSSES

BYTES_TO_NORMALISED = 57.6
"""Ratio of features for pixels of 0–255 to features for normalised pixels: 255 × 0.226, the mean
standard deviation of ImageNet's channels. It neglects the biases of the network."""

# Measured on the caffe VGG-16, which was trained in the same way and resembles VGG-19.
_CAFFE = {
    "relu1_1": 23.0, "relu2_1": 169.0, "relu3_1": 234.0,
    "relu4_1": 137.0, "relu4_2": 76.0, "relu5_1": 20.0,
}  # fmt: skip

MEAN_ACTIVATIONS: Mapping[str, Mapping[str, float]] = MappingProxyType(
    {
        # Its filters are scaled to a mean of 1 (Gatys et al. 2016); 0.91–1.06 was measured.
        "gatys": dict.fromkeys(_CAFFE, 1.0),
        # Not measured but estimated: as if only the input differed from caffe's.
        "torchvision": {layer: mean / BYTES_TO_NORMALISED for layer, mean in _CAFFE.items()},
        "caffe": _CAFFE,
    }
)
"""Flavour → layer → mean of the layer's features over photographs."""

FLAVOURS: tuple[str, ...] = tuple(MEAN_ACTIVATIONS)
"""The published sets of weights that are known by name."""


def mean_activation(flavour: str, layer: str, network_input: str = "own") -> float:
    """Return the approximate mean of a layer's features, that of the nearest in the same block."""
    measured = MEAN_ACTIVATIONS[flavour]
    name = canonical_layer(layer).replace("conv", "relu")
    index = LAYER_NAMES.index(name)
    nearest = min(  # relu4_2 and pool4 are in block 4
        (other for other in measured if other[4] == name[4]),
        key=lambda other: abs(LAYER_NAMES.index(other) - index),
    )
    has_larger_input = flavour == "torchvision" and network_input == "255"
    return measured[nearest] * (BYTES_TO_NORMALISED if has_larger_input else 1.0)


def on_flavour(recipe: Recipe, flavour: str) -> Recipe:
    """Return a recipe for another flavour of the network, with converted layer weights.

    This is an approximation: it uses one mean activation per layer, over photographs. The loss is
    taken to grow with the fourth power of the features if it compares Gram matrices or
    autocorrelations, else with the second; ``mean_covariance`` has parts of both. Relative losses
    and those of cosines are not changed; of hypercolumns, the factors of the layers are.

    Parameters
    ----------
    recipe : Recipe
        A recipe for the flavour that its field `weights` names.
    flavour : {"gatys", "torchvision", "caffe"}
        The flavour to convert to. Its `network_input` is "own". ValueError if either flavour is
        none of these, such as a weights file.
    """
    if not isinstance(recipe, Recipe):
        raise TypeError(f"`recipe` must be a Recipe, such as preset('default'); not {recipe!r}.")
    _check_known(recipe.weights, "weights")
    _check_known(flavour, "flavour")
    if flavour == recipe.weights:
        return recipe

    def ratio(layer: str) -> float:
        own = mean_activation(recipe.weights, layer, recipe.network_input)
        return own / mean_activation(flavour, layer)

    return recipe.replace(weights=flavour, network_input="own", **_converted(recipe, ratio))


def _converted(recipe: Recipe, ratio: Callable[[str], float]) -> dict[str, Any]:
    """Return the fields of a recipe that are converted, its terms and phases among them."""
    own = _converted_layers(recipe, ratio)
    own["terms"] = [
        {**term, **_other(_converted_layers(alone, ratio), own, term)} if alone else term
        for term, alone in ((term, term_recipe(recipe, term)) for term in recipe.terms)
    ]
    phases = []
    for phase in recipe.phases:
        found = _converted(phase_recipe(recipe, phase), ratio)
        phases.append({**phase, **_other(found, own, phase)})
    return {**own, "phases": phases} if phases else own


def _converted_layers(recipe: Recipe, ratio: Callable[[str], float]) -> dict[str, Any]:
    """Return the converted layer weights of the losses that a recipe without its terms has."""

    def converted(
        layers: Mapping[str, float], loss: str, norm: str, power: int
    ) -> Mapping[str, float]:
        if recipe.hypercolumns and loss in HYPERCOLUMN_LOSSES:
            power = 1  # the weight is a factor of the features
        elif norm == "relative" or loss in COSINE_LOSSES:
            return dict(layers)
        return {layer: weight * ratio(layer) ** power for layer, weight in layers.items()}

    fields: dict[str, Any] = {}
    if recipe.content_weight:
        fields["content_layers"] = converted(
            recipe.content_layers, recipe.content_loss, recipe.content_norm, 2
        )
    if recipe.style_weight and recipe.style_loss not in IMAGE_LOSSES:
        power = 4 if recipe.style_loss in (*GRAM_LOSSES, "autocorrelation") else 2
        fields["style_layers"] = converted(
            recipe.style_layers, recipe.style_loss, recipe.style_norm, power
        )
    return fields


def _other(
    found: Mapping[str, Any], inherited: Mapping[str, Any], change: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the fields that a term or phase has to name, to differ from what it inherits."""
    return {
        name: value
        for name, value in found.items()
        if name in change or value != inherited.get(name)
    }


def _check_known(flavour: str, role: str) -> None:
    if flavour not in MEAN_ACTIVATIONS:
        known = ", ".join(MEAN_ACTIVATIONS)
        raise ValueError(
            f"{role} must be one of {known} for a recipe to be converted; not {flavour!r}."
        )
