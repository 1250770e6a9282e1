"""Regions that are too small at a layer, found before a run."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from napari_nst.engine.job.guides import Labels, labels_in
from napari_nst.engine.job.layers import layer_weights
from napari_nst.engine.job.style_size import Fit
from napari_nst.recipe import Recipe
from napari_nst.recipe.layer_names import poolings_before

LEAST_SHARE = 0.5
"""A region exists at a layer if it fills at least this share of some position: otherwise every
position shows more of the pixels around the region than of the region."""

Missing = tuple[int, str]
"""A label, and a layer at which its region is too small."""


def small_regions(
    labels: Labels, fit: Fit, recipe: Recipe, alpha: np.ndarray[Any, Any] | None = None
) -> list[Missing]:
    """Return each label with each style layer at which its region is too small.

    `fit` says how the labelled image is resampled for the run; `alpha` (H, W) weighs its pixels.
    """
    from PIL import Image

    height, width = fit.shape
    found = []
    for label in labels_in(labels):
        region = (labels == label)[fit.window].astype(np.float32)
        if alpha is not None:
            region *= alpha[fit.window]
        # Pillow shrinks with the same antialiasing filter as the run does.
        resampled = Image.fromarray(region).resize((width, height), Image.Resampling.BILINEAR)
        mask = np.asarray(resampled)
        found += [
            (label, layer)
            for layer in layer_weights(recipe, "style")
            if not region_exists(_pooled(mask, layer), recipe)
        ]
    return found


def region_exists(shares: np.ndarray[Any, Any], recipe: Recipe) -> bool:
    """Whether a region that fills these shares (H, W) of a layer's positions is large enough.

    The ``mrf`` loss also needs a whole patch inside the region.
    """
    most = shares.max(initial=0)
    if most < LEAST_SHARE - 1e-4:  # rounding errors of a filter
        return False
    if recipe.style_loss != "mrf":
        return True
    size, stride = recipe.patch_size, recipe.patch_stride
    if min(shares.shape) < size:
        return False
    patches = np.lib.stride_tricks.sliding_window_view(shares / most > 0.5, (size, size))
    return bool(patches[::stride, ::stride].all(axis=(-2, -1)).any())


def describe(missing: Iterable[Missing], argument: str) -> str:
    """Return a sentence that names the regions that some layers leave out."""
    layers: dict[int, list[str]] = {}
    for label, layer in missing:
        layers.setdefault(label, []).append(layer)
    parts = [f"label {label} at {', '.join(names)}" for label, names in layers.items()]
    return f"Regions of {argument} are too small for some layers, and left out: {'; '.join(parts)}."


def refuse_invisible(missing: Iterable[Missing], argument: str, recipe: Recipe) -> None:
    """Raise a ValueError if a region is too small at every style layer of a recipe."""
    layers = list(layer_weights(recipe, "style"))
    labels = [label for label, _ in missing]
    for label in sorted(set(labels)):
        if labels.count(label) == len(layers):
            raise ValueError(
                f"label {label} of {argument} is too small a region for each of the recipe's style "
                f"layers, {', '.join(layers)}; draw it larger, erase it, or take a larger size."
            )


def _pooled(mask: np.ndarray[Any, Any], layer: str) -> np.ndarray[Any, Any]:
    """Return the mean of a mask (H, W) over the pixels of each position of a layer."""
    side = 2 ** poolings_before(layer)
    height, width = (length // side for length in mask.shape)
    blocks = mask[: height * side, : width * side].reshape(height, side, width, side)
    means: np.ndarray[Any, Any] = blocks.mean(axis=(1, 3))
    return means
