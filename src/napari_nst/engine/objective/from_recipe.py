"""The losses that a recipe asks for, with their weights."""

from __future__ import annotations

import math
from collections.abc import Container, Iterable, Mapping, Sequence
from itertools import count
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional

from napari_nst.engine.images.masked_image import MaskedImage
from napari_nst.engine.job.layers import compared_layers, layer_weights, shares_of
from napari_nst.engine.losses import (
    STYLE_LOSSES,
    STYLE_LOSSES_OF_IMAGE,
    AnyExemplar,
    Exemplar,
    ImageLoss,
    SampledExemplar,
    SeamLoss,
    StyleLoss,
    TotalVariationLoss,
    content_loss,
)
from napari_nst.engine.losses.sampled import sampled_exemplar
from napari_nst.engine.losses.total_variation import SEAM_WEIGHT
from napari_nst.recipe import Recipe
from napari_nst.recipe.layer_names import poolings_before
from napari_nst.recipe.sections import SAMPLED_LOSSES

Features = Mapping[str, Tensor]
"""Layer → (1, C, H, W)."""


class StyleFeatures(Protocol):
    """What losses need of a style's features; masks (1, 1, H, W) select pixels."""

    def exemplar(self, layer: str, share: float, mask: Tensor | None) -> AnyExemplar:
        """Return the features or the moments at a layer."""

    def sampled(
        self, layers: Mapping[str, float], share: float, mask: Tensor | None, number: int, seed: int
    ) -> SampledExemplar:
        """Return vectors of layers, joined if there are several, at most so many."""


class WholeStyle:
    """The features of a style at each layer."""

    def __init__(self, features: Features) -> None:
        self.features = features

    def exemplar(self, layer: str, share: float, mask: Tensor | None) -> Exemplar:
        """Return the features at a layer."""
        return Exemplar(self.features[layer], share, mask_at(mask, layer))

    def sampled(
        self, layers: Mapping[str, float], share: float, mask: Tensor | None, number: int, seed: int
    ) -> SampledExemplar:
        """Return vectors of layers, joined if there are several, at most so many."""
        mask = mask_at(mask, next(iter(layers)))
        return sampled_exemplar(self.features, layers, share, mask, number, seed)


class RotatedStyle:
    """The features of a style and of its rotations by 90°, 180° and 270°."""

    def __init__(self, turned: Sequence[StyleFeatures]) -> None:
        self.turned = turned
        self._masks: list[Tensor | None] = [None] * len(turned)  # the last one, turned

    def exemplar(self, layer: str, share: float, mask: Tensor | None) -> AnyExemplar:
        """Return the features or the moments at a layer, of the style as it is."""
        return self.turned[0].exemplar(layer, share, mask)

    def sampled(
        self, layers: Mapping[str, float], share: float, mask: Tensor | None, number: int, seed: int
    ) -> SampledExemplar:
        """Return vectors of layers, joined if there are several, at most so many."""
        if self._masks[0] is not mask:
            # The same tensors for all layers: a tiled style reads all layers of a mask at once.
            turns = range(1, len(self.turned))
            turned = (None if mask is None else torch.rot90(mask, one, (2, 3)) for one in turns)
            self._masks = [mask, *turned]
        some = math.ceil(number / len(self.turned))
        found = [
            style.sampled(layers, share, own, some, seed)
            for style, own in zip(self.turned, self._masks, strict=True)
        ]
        return SampledExemplar(torch.cat([one.vectors for one in found]), share, found[0].exact)


def style_loss(
    recipe: Recipe,
    layers: Mapping[str, float],
    styles: Iterable[tuple[StyleFeatures, float, Tensor | None]],
    mask: Tensor | None,
) -> StyleLoss:
    """Return the style loss of a layer, or of several joined ones.

    Each style has features, a share, and a mask; this and the image's `mask` (1, 1, H, W) select
    pixels.
    """
    first = next(iter(layers))
    exemplars: list[AnyExemplar | SampledExemplar] = []
    for style, share, own in styles:
        if recipe.style_loss not in SAMPLED_LOSSES:
            exemplars.append(style.exemplar(first, share, own))
            continue
        if isinstance(style, RotatedStyle) and not recipe.style_rotations:  # another term has them
            style = style.turned[0]
        number, seed = recipe.style_samples, recipe.seed
        exemplars.append(style.sampled(layers, share, own, number, seed))
    return STYLE_LOSSES[recipe.style_loss](exemplars, recipe, mask_at(mask, first), layers)


class WeightedLoss(nn.Module):
    """A loss times its weight."""

    def __init__(self, loss: nn.Module, weight: float) -> None:
        super().__init__()
        self.loss = loss
        self.weight = weight

    def forward(self, value: Tensor) -> Tensor:
        """Return the weighted loss of features or of an image."""
        weighted: Tensor = self.loss(value) * self.weight
        return weighted

    def value_and_grad(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Return the weighted loss of an image, and its gradient by the image."""
        of_image: ImageLoss = self.loss  # type: ignore[assignment]
        value, gradient = of_image.value_and_grad(image)
        return value * self.weight, gradient.mul_(self.weight)

    def extra_repr(self) -> str:
        """Return the weight."""
        return f"weight={self.weight:g}"


def content_losses(
    recipe: Recipe, features: Features, mask: Tensor | None = None
) -> dict[str, WeightedLoss]:
    """Return the content loss of each layer, or of all layers joined.

    `features` are the content's, `mask` (1, 1, H, W) weights the pixels of the image.
    """
    return {
        f"content/{name}": WeightedLoss(
            content_loss(features, recipe, mask_at(mask, next(iter(layers))), layers), weight
        )
        for name, (weight, layers) in compared_layers(recipe, "content").items()
    }


def style_losses(
    recipe: Recipe,
    styles: Sequence[StyleFeatures],
    style_masks: Sequence[Tensor | None] | None = None,
    mask: Tensor | None = None,
) -> dict[str, WeightedLoss]:
    """Return the style loss of each layer, or of all layers joined.

    The masks (1, 1, H, W) weight pixels.
    """
    masks = style_masks or [None] * len(styles)
    each = list(zip(styles, shares_of(recipe, len(styles)), masks, strict=True))
    return {
        f"style/{name}": WeightedLoss(style_loss(recipe, layers, each, mask), weight)
        for name, (weight, layers) in compared_layers(recipe, "style").items()
    }


def style_loss_of_image(recipe: Recipe, styles: Sequence[MaskedImage]) -> dict[str, WeightedLoss]:
    """Return the style loss of the image itself; see `has_style_of_image`."""
    shares = shares_of(recipe, len(styles))
    exemplars = [
        Exemplar(style.image, share, style.mask)
        for style, share in zip(styles, shares, strict=True)
    ]
    loss = STYLE_LOSSES_OF_IMAGE[recipe.style_loss](exemplars, recipe, None)
    return {"style/image": WeightedLoss(loss, recipe.style_weight)}


def named_as_term(
    recipe: Recipe, losses: Mapping[str, WeightedLoss], others: Container[str]
) -> dict[str, WeightedLoss]:
    """Return the losses of a term by names of their own, such as ``style/relu1_1/mrf``.

    A second loss of that name, or one that is among the others, gets ``/2``.
    """
    named: dict[str, WeightedLoss] = {}
    for name, loss in losses.items():
        kind = recipe.content_loss if name.startswith("content/") else recipe.style_loss
        full = f"{name}/{kind}"
        numbered = (full if number == 1 else f"{full}/{number}" for number in count(1))
        named[next(one for one in numbered if one not in others and one not in named)] = loss
    return named


def image_losses(recipe: Recipe, seam_of: Tensor | None = None) -> dict[str, WeightedLoss]:
    """Return the losses of the image: total variation, and smoothness across a seam.

    `seam_of` (1, 1, H, W) bool is an inpainting mask whose border must not show.
    """
    losses = {}
    if recipe.tv_weight:
        variation = TotalVariationLoss(
            recipe.tv_loss, recipe.tv_exponent, circular=recipe.padding == "circular"
        )
        losses["tv"] = WeightedLoss(variation, recipe.tv_weight)
    if seam_of is not None:
        weight = SEAM_WEIGHT * sum(layer_weights(recipe, "style").values())
        losses["tv/border"] = WeightedLoss(SeamLoss(seam_of), weight)
    return losses


def mask_at(mask: Tensor | None, layer: str) -> Tensor | None:
    """Return a mask (1, 1, H, W) of pixels as weights (1, 1, H', W') of a layer's positions.

    The weight is the share of the position's pixels that are selected, scaled so that the largest
    weight is 1: a small region still counts in the deepest layer.
    """
    if mask is None:
        return None
    mask = pooled(mask, layer)
    return mask / mask.amax().clamp_min(1e-6)


def pooled(mask: Tensor, layer: str) -> Tensor:
    """Return the share of each position's pixels that a mask selects, (1, 1, H', W')."""
    # Pooling drops an odd last row; so does avg_pool2d.
    for _ in range(poolings_before(layer)):
        mask = functional.avg_pool2d(mask, 2)
    return mask
