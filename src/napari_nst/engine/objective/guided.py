"""Style losses by region, from guides and features, at one scale of a run."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from napari_nst.engine.images.convert import resize
from napari_nst.engine.images.masked_image import MaskedImage
from napari_nst.engine.job.guides import Guides, Labels
from napari_nst.engine.job.layers import layer_weights, shares_of
from napari_nst.engine.job.region_size import region_exists
from napari_nst.engine.job.style_size import Fit
from napari_nst.engine.losses import STYLE_LOSSES, GuidedLoss, StyleLoss
from napari_nst.engine.objective.from_recipe import WeightedLoss
from napari_nst.engine.objective.masks import mask_at, pooled
from napari_nst.engine.tiling.features import SeenStyle, exemplar_of
from napari_nst.recipe import Recipe


@dataclass(frozen=True, eq=False)
class Region:
    """A region of the content with those of the styles that serve it.

    Attributes
    ----------
    label : int
        Of all of them.
    mask : Tensor
        (1, 1, H, W) in [0, 1]: the content's region, without what is transparent.
    share : float
        Of the visible content.
    styles : dict of int to Tensor or None
        Index of each style that serves the region → which of its pixels do; None for all.
    """

    label: int
    mask: Tensor
    share: float
    styles: dict[int, Tensor | None]


def guided_style_losses(
    recipe: Recipe,
    guides: Guides,
    shape: tuple[int, int],
    mask: Tensor | None,
    styles: Sequence[MaskedImage],
    fits: Sequence[Fit],
    seen: Sequence[SeenStyle],
) -> dict[str, WeightedLoss]:
    """Make the losses that take over styles' statistics, region by region.

    Parameters
    ----------
    recipe : Recipe
        As for `style_losses`.
    guides : Guides
        Of content and styles as they came.
    shape : tuple of int
        Height and width of the content at the scale.
    mask : Tensor or None
        How much each of its pixels counts, (1, 1, H, W); None where all count alike.
    styles : sequence of Subject
        At the scale's sizes.
    fits : sequence of Fit
        How each style came to its.
    seen : sequence of SeenStyle
        What is known of each style, as for `style_losses`.
    """
    weights = layer_weights(recipe, "style")
    losses: dict[str, dict[int, StyleLoss]] = {layer: {} for layer in weights}
    shares = {}
    for region in _regions(guides, shape, mask, styles, fits):
        shares[region.label] = region.share
        for layer in weights:
            # Which layers leave a region out has been told before the run.
            loss = _region_loss(recipe, region, layer, seen)
            if loss is not None:
                losses[layer][region.label] = loss
    return {
        f"style/{layer}": WeightedLoss(GuidedLoss(losses[layer], shares), weight)
        for layer, weight in weights.items()
    }


def _regions(
    guides: Guides,
    shape: tuple[int, int],
    visible: Tensor | None,
    styles: Sequence[MaskedImage],
    fits: Sequence[Fit],
) -> Iterator[Region]:
    """Make one region's masks after the other: all at once would take memory for each label."""
    whole, device = Fit((slice(None), slice(None)), shape), styles[0].image.device
    pixels = math.prod(shape) if visible is None else float(visible.sum())
    for label in guides.labels:
        mask = _region_mask(guides.content, label, whole, visible, device)
        serving = {}
        for index in guides.styles_for(label):
            labels, style = guides.styles[index], styles[index]
            if labels is None:
                serving[index] = style.mask
            else:
                serving[index] = _region_mask(labels, label, fits[index], style.mask, device)
        yield Region(label, mask, float(mask.sum()) / pixels, serving)


def _region_mask(
    labels: Labels, label: int, fit: Fit, visible: Tensor | None, device: torch.device
) -> Tensor:
    marked = torch.from_numpy((labels[fit.window] == label).astype(np.float32))[None, None]
    mask = resize(marked.to(device), fit.shape, smooth=False)
    return mask if visible is None else mask * visible


def _region_loss(
    recipe: Recipe, region: Region, layer: str, styles: Sequence[SeenStyle]
) -> StyleLoss | None:
    """Return the loss of a region at a layer, None where it or all of its styles are too small."""
    serving = {
        index: mask
        for index, mask in region.styles.items()
        if mask is None or _exists(mask, layer, recipe)
    }
    if not serving or not _exists(region.mask, layer, recipe):
        return None
    blend = shares_of(recipe, len(styles))
    total = sum(blend[index] for index in serving)
    exemplars = [
        # Styles that the blend leaves out altogether are alike where there is no other.
        exemplar_of(styles[index], layer, blend[index] / total if total else 1 / len(serving), mask)
        for index, mask in serving.items()
    ]
    return STYLE_LOSSES[recipe.style_loss](exemplars, recipe, mask_at(region.mask, layer))


def _exists(mask: Tensor, layer: str, recipe: Recipe) -> bool:
    return region_exists(pooled(mask, layer)[0, 0].cpu().numpy(), recipe)
