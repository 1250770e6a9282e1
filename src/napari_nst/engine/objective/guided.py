"""Style losses of the regions that guides mark, at one scale of a run."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from napari_nst.engine.images.convert import resize
from napari_nst.engine.images.masked_image import MaskedImage
from napari_nst.engine.job.guides import Guides, Labels, region_exists
from napari_nst.engine.job.layers import layer_weights, shares_of
from napari_nst.engine.job.schedule import Fit
from napari_nst.engine.losses import STYLE_LOSSES, GuidedLoss, StyleLoss
from napari_nst.engine.objective.from_recipe import (
    StyleFeatures,
    WeightedLoss,
    exemplar_of,
    mask_at,
    pooled,
)
from napari_nst.recipe import Recipe


@dataclass(frozen=True, eq=False)
class _Region:
    """A labelled region of the content, and the regions of the styles with the same label."""

    label: int
    mask: Tensor  # (1, 1, H, W) in [0, 1], 0 where the content is transparent
    share: float  # of the visible content
    styles: dict[int, Tensor | None]  # index of a style → mask of its pixels, None for all


def guided_style_losses(
    recipe: Recipe,
    guides: Guides,
    shape: tuple[int, int],
    mask: Tensor | None,
    styles: Sequence[MaskedImage],
    fits: Sequence[Fit],
    features: Sequence[StyleFeatures],
) -> dict[str, WeightedLoss]:
    """Return a style loss of each layer that compares region by region.

    `shape` and `mask` are the content's at this scale; `styles`, `fits` and `features` are the
    resized styles, how they were resized, and their features.
    """
    weights = layer_weights(recipe, "style")
    losses: dict[str, dict[int, StyleLoss]] = {layer: {} for layer in weights}
    shares = {}
    for region in _regions(guides, shape, mask, styles, fits):
        shares[region.label] = region.share
        for layer in weights:
            # The user was told before the run which layers leave a region out.
            loss = _region_loss(recipe, region, layer, features)
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
) -> Iterator[_Region]:
    """Yield one region after the other: the masks of all labels at once would take memory."""
    whole, device = Fit((slice(None), slice(None)), shape), styles[0].image.device
    pixels = math.prod(shape) if visible is None else float(visible.sum())
    for label in guides.labels:
        mask = _region_mask(guides.content, label, whole, visible, device)
        masks = {}
        for index in guides.styles_for(label):
            labels, style = guides.styles[index], styles[index]
            if labels is None:
                masks[index] = style.mask
            else:
                masks[index] = _region_mask(labels, label, fits[index], style.mask, device)
        yield _Region(label, mask, float(mask.sum()) / pixels, masks)


def _region_mask(
    labels: Labels, label: int, fit: Fit, visible: Tensor | None, device: torch.device
) -> Tensor:
    marked = torch.from_numpy((labels[fit.window] == label).astype(np.float32))[None, None]
    mask = resize(marked.to(device), fit.shape, smooth=False)
    return mask if visible is None else mask * visible


def _region_loss(
    recipe: Recipe, region: _Region, layer: str, features: Sequence[StyleFeatures]
) -> StyleLoss | None:
    """Return the loss of a region at a layer; None if it or its styles are too small there."""
    masks = {
        index: mask
        for index, mask in region.styles.items()
        if mask is None or _exists(mask, layer, recipe)
    }
    if not masks or not _exists(region.mask, layer, recipe):
        return None
    blend = shares_of(recipe, len(features))
    total = sum(blend[index] for index in masks)
    exemplars = [
        # If the blend gives all styles of this region a share of 0, they count equally.
        exemplar_of(features[index], layer, blend[index] / total if total else 1 / len(masks), mask)
        for index, mask in masks.items()
    ]
    return STYLE_LOSSES[recipe.style_loss](exemplars, recipe, mask_at(region.mask, layer))


def _exists(mask: Tensor, layer: str, recipe: Recipe) -> bool:
    return region_exists(pooled(mask, layer)[0, 0].cpu().numpy(), recipe)
