"""What the network holds of features on the way through it and back, told from its layers."""

from __future__ import annotations

from collections.abc import Iterable

import torch

from napari_nst.engine.job.layers import network_layers
from napari_nst.engine.vgg.weights.formats import SHAPES
from napari_nst.recipe import Recipe
from napari_nst.recipe.layer_names import LAYER_NAMES, canonical_layer, poolings_before

# Fitted as what is in `memory`, which adds all up.

TEMPORARY = 0.5
"""Tensors of the widest layer, 64 numbers per pixel, that a pass has beside those that it keeps."""

AT_TOP = 3.0
"""Such tensors that there are where the way back reaches the first layers: its gradients."""

BORDERED = 1.0
"""Such tensors more, of the features with a border around them, in formats whose convolutions do
not go by strips."""

FREED, MOST_FREED = 6.0, 170_000_000
"""Of such tensors too, and in bytes: what the C library keeps of freed memory for the next pass."""


def held_bytes(recipe: Recipe, dtype: torch.dtype, pixels: int) -> float:
    """Return what there is at most for an image of some pixels on the way to it and back."""
    widest = _widest(dtype, pixels)
    bordered = 0.0 if dtype == torch.float32 else BORDERED * widest
    kept = pixels * _kept(recipe, dtype)
    return max(kept + TEMPORARY * widest, AT_TOP * widest) + bordered


def freed_bytes(dtype: torch.dtype, pixels: int) -> float:
    """Return what the C library keeps of what was freed on that way."""
    return min(FREED * _widest(dtype, pixels), MOST_FREED)


def width(layers: Iterable[str]) -> float:
    """Return how many numbers some layers have together for each pixel of an image."""
    names = [canonical_layer(name) for name in layers]
    return sum(_channels(name) / (1 << 2 * poolings_before(name)) for name in names)


def up_to_deepest(layers: Iterable[str]) -> tuple[str, ...]:
    """Return all layers in turn, down to the deepest of some."""
    deepest = max(LAYER_NAMES.index(canonical_layer(name)) for name in layers)
    return LAYER_NAMES[: deepest + 1]


def _widest(dtype: torch.dtype, pixels: int) -> float:
    """Return the bytes of the widest layer's features of an image of some pixels."""
    return pixels * width(["relu1_1"]) * dtype.itemsize


def _kept(recipe: Recipe, dtype: torch.dtype) -> float:
    """Return the bytes for each pixel that rectifiers and poolings keep for the way back."""
    asked = {canonical_layer(name) for name in network_layers(recipe)}
    passed = up_to_deepest(asked)
    total = 0.0
    for name, following in zip(passed, (*passed[1:], ""), strict=True):
        if name.startswith("relu"):
            is_pooled = following.startswith("pool")
            if name in asked or (is_pooled and recipe.pooling == "l2"):
                total += width([name]) * dtype.itemsize
            elif is_pooled and recipe.pooling == "max":
                total += width([following]) * 2  # places, in 16 bits
            else:
                total += width([name])  # signs, in bytes
    return total


def _channels(layer: str) -> int:
    number = "2" if layer.startswith("pool") else layer[-1]
    return SHAPES[f"conv{layer[4]}_{number}.weight"][0]
