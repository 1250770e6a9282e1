"""Losses as a recipe weighs them, made from the features of images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import Tensor, nn

from napari_nst.engine.job.layers import layer_weights, shares_of
from napari_nst.engine.losses import STYLE_LOSSES, ContentLoss, ImageLoss, TotalVariationLoss, seam
from napari_nst.engine.objective.masks import mask_at
from napari_nst.engine.run.bands import Bands
from napari_nst.engine.tiling.features import SeenStyle, exemplar_of
from napari_nst.recipe import Recipe
from napari_nst.recipe.layer_names import poolings_before

Features = Mapping[str, Tensor]
"""Layer → (1, C, H, W)."""


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
        loss: ImageLoss = self.loss  # type: ignore[assignment]
        value, gradient = loss.value_and_grad(image)
        return value * self.weight, gradient.mul_(self.weight)

    def extra_repr(self) -> str:
        """Say the weight."""
        return f"weight={self.weight:g}"


def content_losses(
    recipe: Recipe, features: Features, mask: Tensor | None = None, bands: Bands | None = None
) -> dict[str, WeightedLoss]:
    """Make the losses that keep a content's features.

    Parameters
    ----------
    recipe : Recipe
        Its `content_layers`, `content_weight` and `content_norm`.
    features : mapping of str to Tensor
        Layer → features of the content.
    mask : Tensor, optional
        Which pixels count, (1, 1, H, W) of the image's size.
    bands : Bands, optional
        Of which the features are this process's, where they are divided.
    """
    losses = {}
    for layer, weight in layer_weights(recipe, "content").items():
        own = mask_at(mask, layer)
        divided = bands is not None and bands.are_divided
        if bands is not None and own is not None and divided:
            own = own[:, :, bands.own.positions(1 << poolings_before(layer))]
        loss = ContentLoss(features[layer], norm=recipe.content_norm, mask=own)
        if bands is not None and divided and recipe.content_norm != "sum":
            loss.divisor = bands.processes.total(loss.divisor)
        losses[f"content/{layer}"] = WeightedLoss(loss, weight)
    return losses


def style_losses(
    recipe: Recipe,
    styles: Sequence[SeenStyle],
    style_masks: Sequence[Tensor | None] | None = None,
    mask: Tensor | None = None,
) -> dict[str, WeightedLoss]:
    """Make the losses that take over styles' statistics.

    Parameters
    ----------
    recipe : Recipe
        Its `style_layers`, `style_weight`, `style_blend`, `style_loss` and `style_norm`.
    styles : sequence of SeenStyle
        For each style layer → features, of any size, or what measures them.
    style_masks : sequence of Tensor or None, optional
        Which pixels of each style count.
    mask : Tensor, optional
        Which pixels of the image count.
    """
    masks = style_masks or [None] * len(styles)
    shares = shares_of(recipe, len(styles))
    losses = {}
    for layer, weight in layer_weights(recipe, "style").items():
        exemplars = [
            exemplar_of(style, layer, share, own)
            for style, share, own in zip(styles, shares, masks, strict=True)
        ]
        loss = STYLE_LOSSES[recipe.style_loss](exemplars, recipe, mask_at(mask, layer))
        losses[f"style/{layer}"] = WeightedLoss(loss, weight)
    return losses


def image_losses(recipe: Recipe, free: Tensor | None = None) -> dict[str, WeightedLoss]:
    """Make the losses of the image itself.

    Parameters
    ----------
    recipe : Recipe
        Its `tv_weight`, without which there is no total variation.
    free : Tensor, optional
        Which pixels are, (1, 1, H, W) bool, where they shall go on seamlessly from the others.
    """
    losses = {}
    if recipe.tv_weight:
        loss = TotalVariationLoss(
            recipe.tv_loss,
            recipe.tv_exponent,
            circular=recipe.padding == "circular",
        )
        losses["tv"] = WeightedLoss(loss, recipe.tv_weight)
    if free is not None:
        weight = seam.WEIGHT * sum(layer_weights(recipe, "style").values())
        losses["tv/border"] = WeightedLoss(seam.SeamLoss(free), weight)
    return losses
