"""Regions that are too small for a layer, found before a run. NumPy and Pillow alone, no torch."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_nst.engine.job.guides import Labels, labels_in
from napari_nst.engine.job.style_size import Fit
from napari_nst.recipe import Recipe
from napari_nst.recipe.layer_names import poolings_before

if TYPE_CHECKING:
    from napari_nst.engine.job.job import Job

LEAST_SHARE = 0.5
"""A region exists at a layer where at least this share of some position's pixels is the region's.

Below it, every position sees more of what surrounds the region than of the region itself.
"""

_NAMES = {"stylize": ("guide", "style_guides"), "synthesize": ("region", "exemplar_region")}
"""Job → the arguments that labels of the content and of the styles come in."""


def too_small(order: Job) -> list[str]:
    """Say which regions of an order's guides are left out of which layers, at its finest scale.

    Returns
    -------
    list of str
        A sentence for the content, and for the styles, that have such regions.

    Raises
    ------
    ValueError
        If a region is too small for every style layer.
    """
    guides, content = order.guides, order.content
    if guides is None or content is None or not order.recipe.style_weight:
        return []
    of_content, of_styles = _NAMES[order.job]
    scale = order.scales[-1]
    whole = (slice(None), slice(None))
    # A label that is transparent everywhere asks for no style.
    visible = guides.content if content.alpha is None else guides.content * (content.alpha > 0.5)
    labelled = [(visible, content, Fit(whole, scale.shape), of_content)]
    for own, style, fit in zip(guides.styles, order.styles, order.fits(scale), strict=True):
        if own is not None:
            asked = np.where(np.isin(own, labels_in(visible)), own, 0)
            labelled.append((asked, style, fit, of_styles))
    sentences: dict[str, list[tuple[int, str]]] = {}
    for labels, image, fit, name in labelled:
        missing = vanishing(labels, fit, order.recipe, image.alpha)
        refuse_unseen(missing, name, order.recipe)
        sentences.setdefault(name, []).extend(missing)
    return [left_out(missing, name) for name, missing in sentences.items() if missing]


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
