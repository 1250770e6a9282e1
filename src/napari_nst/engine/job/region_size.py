"""Regions that are too small for a layer, found before a run. NumPy and Pillow alone, no torch."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from napari_nst.engine.job.guides import Labels, labels_in
from napari_nst.engine.job.style_size import Fit
from napari_nst.recipe import Recipe
from napari_nst.recipe.layer_names import poolings_before

LEAST_SHARE = 0.5
"""A region exists at a layer where at least this share of some position's pixels is the region's.

Below it, every position sees more of what surrounds the region than of the region itself.
"""


def vanishing(
    labels: Labels, fit: Fit, recipe: Recipe, alpha: np.ndarray[Any, Any] | None = None
) -> list[tuple[int, str]]:
    """Return which regions are too small for which of a recipe's style layers.

    Parameters
    ----------
    labels : ndarray
        (H, W) int.
    fit : Fit
        How the image that they are of is brought to the size that the run works at.
    recipe : Recipe
        Its `style_layers` and, of the ``mrf`` loss, its patches, which have to fit into a region.
    alpha : ndarray, optional
        (H, W) in [0, 1]: how much of each pixel can be seen.

    Returns
    -------
    list of (int, str)
        Each label with each layer that has no place for it, in order: no position half of which
        is the region's, or no whole patch of them.
    """
    from PIL import Image

    height, width = fit.shape
    found = []
    for label in labels_in(labels):
        # Pillow shrinks with the filter that the run has from torch.
        region = (labels == label)[fit.window].astype(np.float32)
        if alpha is not None:
            region *= alpha[fit.window]
        resampled = Image.fromarray(region).resize((width, height), Image.Resampling.BILINEAR)
        mask = np.asarray(resampled)
        found += [
            (label, layer) for layer in _layers(recipe) if not covers(_pooled(mask, layer), recipe)
        ]
    return found


def covers(shares: np.ndarray[Any, Any], recipe: Recipe) -> bool:
    """Return whether a region exists at a layer.

    Parameters
    ----------
    shares : ndarray
        (H, W) float: how much of each position is the region's.
    recipe : Recipe
        Whose style loss looks at it.
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


def left_out(missing: Iterable[tuple[int, str]], name: str) -> str:
    """Say which regions of ``guide`` or ``style_guides`` some layers leave out.

    Parameters
    ----------
    missing : iterable of (int, str)
        As `vanishing` returns them.
    name : str
        The argument that the labels came in.
    """
    layers: dict[int, list[str]] = {}
    for label, layer in missing:
        layers.setdefault(label, []).append(layer)
    alike: dict[str, list[str]] = {}
    for label, some in layers.items():
        alike.setdefault(_listed(some), []).append(str(label))
    parts = [
        f"label{'s' if len(labels) > 1 else ''} {_listed(labels)} at {some}"
        for some, labels in alike.items()
    ]
    return f"Regions of {name} are too small for some layers, and left out: {'; '.join(parts)}."


def refuse_unseen(missing: Iterable[tuple[int, str]], name: str, recipe: Recipe) -> None:
    """Raise a ValueError if a region is too small for every style layer of a recipe."""
    layers = _layers(recipe)
    labels = [label for label, _ in missing]
    for label in sorted(set(labels)):
        if labels.count(label) == len(layers):
            raise ValueError(
                f"label {label} of {name} is too small a region for each of the recipe's style "
                f"layers, {_listed(layers)}; draw it larger, erase it, or take a larger size."
            )


def _layers(recipe: Recipe) -> list[str]:
    return [layer for layer, weight in recipe.style_layers.items() if weight]


def _pooled(mask: np.ndarray[Any, Any], layer: str) -> np.ndarray[Any, Any]:
    side = 2 ** poolings_before(layer)
    height, width = (length // side for length in mask.shape)
    blocks = mask[: height * side, : width * side].reshape(height, side, width, side)
    means: np.ndarray[Any, Any] = blocks.mean(axis=(1, 3))
    return means


def _listed(parts: Sequence[str]) -> str:
    return ", ".join(parts[:-1]) + (" and " if len(parts) > 1 else "") + parts[-1]
