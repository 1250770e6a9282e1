"""Layers and their weights, as a recipe holds them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from numbers import Real
from typing import Any, NoReturn

from napari_nst.recipe.layer_names import canonical_layer


class LayerWeights(dict[str, float]):
    """Layer name → weight: a dict that cannot be changed, so that a recipe stays what it was."""

    def _refuse(self, *_: Any, **__: Any) -> NoReturn:
        raise TypeError("A recipe cannot be changed; make another with its replace().")

    __setitem__ = __delitem__ = __ior__ = _refuse
    clear = pop = popitem = setdefault = update = _refuse

    def __hash__(self) -> int:  # type: ignore[override]
        return hash(frozenset(self.items()))

    def __reduce__(self) -> tuple[type[LayerWeights], tuple[dict[str, float]]]:
        return LayerWeights, (dict(self),)


def checked_layers(name: str, layers: object) -> LayerWeights:
    """Return layer weights under their canonical names.

    Parameters
    ----------
    name : str
        The field, to name in an error.
    layers : mapping of str to float
        By any names of the layers.

    Raises
    ------
    TypeError
        If it is no mapping to numbers.
    ValueError
        If there is no such layer, one is named twice, or a weight is negative or not finite.
    """
    if not isinstance(layers, Mapping):
        raise TypeError(f"{name} must map layer names to weights, not {layers!r}.")
    checked: dict[str, float] = {}
    for layer, weight in layers.items():
        if isinstance(weight, bool) or not isinstance(weight, Real):
            raise TypeError(f"{name}[{layer!r}] must be a number, not {weight!r}.")
        number = float(weight)
        if not (math.isfinite(number) and number >= 0):
            raise ValueError(f"{name}[{layer!r}] must be a number of at least 0; not {weight!r}.")
        canonical = canonical_layer(layer)
        if canonical in checked:
            raise ValueError(f"{name} names {canonical} twice, once as {layer!r}; give it once.")
        checked[canonical] = number
    return LayerWeights(checked)


def parse_layers(name: str, text: str) -> dict[str, float]:
    """Read layers that a user typed: ``relu4_2:1, relu5_1:0.5``; a weight left out is 1.

    Raises
    ------
    ValueError
        If a weight is no number, or a layer is named twice.
    """
    parsed: dict[str, float] = {}
    for entry in text.replace(",", " ").split():
        layer, _, weight = entry.partition(":")
        try:
            number = float(weight or 1)
        except ValueError:
            raise ValueError(
                f"{name} must be layers and weights such as relu4_2:1, relu5_1:0.5; not {entry!r}."
            ) from None
        if layer in parsed:
            raise ValueError(f"{name} names {layer} twice; give it once.")
        parsed[layer] = number
    return parsed


def format_layers(layers: Mapping[str, float]) -> str:
    """Write layers as `parse_layers` reads them."""
    return ", ".join(f"{layer}:{weight!r}" for layer, weight in layers.items())
