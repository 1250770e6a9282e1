"""Style losses of the regions that guides mark, at one scale of a run."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from napari_nst.engine.images.convert import resize
from napari_nst.engine.images.masked_image import MaskedImage
from napari_nst.engine.job.guides import Guides, Labels, region_exists
from napari_nst.engine.job.layers import compared_layers, shares_of
from napari_nst.engine.job.schedule import Fit
from napari_nst.engine.losses import GuidedLoss, StyleLoss
from napari_nst.engine.objective.from_recipe import StyleFeatures, WeightedLoss, pooled, style_loss
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
    compared = compared_layers(recipe, "style")
    losses: dict[str, dict[int, StyleLoss]] = {name: {} for name in compared}
    shares = {}
    for region in _regions(guides, shape, mask, styles, fits):
        shares[region.label] = region.share
        for name, (_, layers) in compared.items():
            # The user was told before the run which layers leave a region out.
            loss = _region_loss(recipe, region, layers, features)
            if loss is not None:
                losses[name][region.label] = loss
    return {
        f"style/{name}": WeightedLoss(GuidedLoss(losses[name], shares), weight)
        for name, (weight, _) in compared.items()
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
    recipe: Recipe,
    region: _Region,
    layers: Mapping[str, float],
    features: Sequence[StyleFeatures],
) -> StyleLoss | None:
    """Return the loss of a region; None if it or its styles are too small at the first layer."""
    layer = next(iter(layers))
    masks = {
        index: mask
        for index, mask in region.styles.items()
        if mask is None or _exists(mask, layer, recipe)
    }
    if not masks or not _exists(region.mask, layer, recipe):
        return None
    blend = shares_of(recipe, len(features))
    total = sum(blend[index] for index in masks)
    styles = [
        # If the blend gives all styles of this region a share of 0, they count equally.
        (features[index], blend[index] / total if total else 1 / len(masks), mask)
        for index, mask in masks.items()
    ]
    return style_loss(recipe, layers, styles, region.mask)


def _exists(mask: Tensor, layer: str, recipe: Recipe) -> bool:
    return region_exists(pooled(mask, layer)[0, 0].cpu().numpy(), recipe)
