"""The objective: Recipe + features of images → one number with named, weighted parts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from napari_nst.engine.bands import Bands
from napari_nst.engine.losses import (
    STYLE_LOSSES,
    ContentLoss,
    Part,
    SlicedWassersteinLoss,
    TotalVariationLoss,
    seam,
)
from napari_nst.engine.masks import mask_at
from napari_nst.engine.measured import SeenStyle, exemplar_of
from napari_nst.engine.vgg import VGG19, least_size
from napari_nst.recipe import Recipe
from napari_nst.recipe.layer_names import poolings_before

Parts = dict[str, Tensor]
"""Name of a part, such as ``style/relu1_1`` or ``tv`` → its weighted loss, a scalar."""

Features = Mapping[str, Tensor]
"""Layer → (1, C, H, W)."""


class WeightedLoss(nn.Module):
    """A loss times its weight."""

    def __init__(self, loss: nn.Module, weight: float) -> None:
        super().__init__()
        self.loss = loss
        self.weight = weight

    def forward(self, value: Tensor, **of_part: Any) -> Tensor:
        """Return the weighted loss of features or of an image, or of what the loss calls a part."""
        weighted: Tensor = self.loss(value, **of_part) * self.weight
        return weighted

    def extra_repr(self) -> str:
        """Say the weight."""
        return f"weight={self.weight:g}"


class Objective(nn.Module):
    """What a run minimises: a sum of weighted losses. Its `repr` reads as the objective.

    Parameters
    ----------
    network : VGG19
        Returns at least the layers that the losses ask for.
    on_features : mapping of str to WeightedLoss
        ``content/relu4_2`` → the loss of that layer's features.
    on_image : mapping of str to WeightedLoss
        ``tv`` → a loss of the image itself.
    kept : tuple of Tensor, optional
        Which pixels are free, (1, 1, H, W) bool, and an image (1, 3, H, W) that all others are
        taken from, whatever they are: they have no gradient.
    """

    free: Tensor | None
    fixed: Tensor | None

    def __init__(
        self,
        network: VGG19,
        on_features: Mapping[str, WeightedLoss],
        on_image: Mapping[str, WeightedLoss],
        kept: tuple[Tensor, Tensor] | None = None,
    ) -> None:
        super().__init__()
        free, fixed = kept or (None, None)
        self.register_buffer("free", free, persistent=False)
        self.register_buffer("fixed", fixed, persistent=False)
        self.on_features = nn.ModuleDict(on_features)
        self.on_image = nn.ModuleDict(on_image)
        self.network = network

    def forward(self, image: Tensor) -> Parts:
        """Return the weighted parts for an image (1, 3, H, W) in [0, 1]; they sum to the total."""
        image = self.seen(image)
        found: Parts = {}
        for layer, features in self.network.along(image):  # measured there: see `features_along`
            of_layer = [name for name in self.on_features if layer_of(name) == layer]
            found |= {name: self.on_features[name](features).to(image.device) for name in of_layer}
        parts = {name: found[name] for name in self.on_features}
        parts.update({name: loss(image) for name, loss in self.on_image.items()})
        return parts

    def bands_of(self, image: Tensor) -> Bands:
        """Return the rows that belong to each process, of an image (1, 3, H, W)."""
        return Bands.undivided(image.shape[2])

    def seen(self, image: Tensor) -> Tensor:
        """Return an image (1, 3, H, W) with what is kept in its place."""
        if self.free is None or self.fixed is None:
            return image
        return torch.where(self.free, image, self.fixed)

    def redraw(self) -> bool:
        """Draw anew what losses draw at random; return whether there is any."""
        random = [loss for loss in self.modules() if isinstance(loss, SlicedWassersteinLoss)]
        for loss in random:
            loss.redraw()
        return bool(random)


def network_layers(recipe: Recipe) -> list[str]:
    """Return the layers that a recipe's losses look at."""
    kinds = ("content", "style")
    return [layer for kind in kinds for layer in layer_weights(recipe, kind)]


def least_side(recipe: Recipe) -> int:
    """Return how many pixels both sides of an image must have for a recipe's losses."""
    least = least_size(network_layers(recipe), recipe.padding)
    if recipe.style_loss != "mrf":
        return least
    # A patch must fit into the features.
    layers = layer_weights(recipe, "style")
    return max(least, *(recipe.patch_size * least_size([layer]) for layer in layers), 1)


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
        rows = None
        if bands is not None and bands.are_divided:
            rows = Part(bands.own.positions(1 << poolings_before(layer)), bands.processes.total)
        loss = ContentLoss(
            features[layer], norm=recipe.content_norm, mask=mask_at(mask, layer), part=rows
        )
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


def image_losses(
    recipe: Recipe, free: Tensor | None = None, pulse: Callable[[], None] | None = None
) -> dict[str, WeightedLoss]:
    """Make the losses of the image itself.

    Parameters
    ----------
    recipe : Recipe
        Its `tv_weight`, without which there is no total variation.
    free : Tensor, optional
        Which pixels are, (1, 1, H, W) bool, where they shall go on seamlessly from the others.
    pulse : callable, optional
        As for `TotalVariationLoss`.
    """
    losses = {}
    if recipe.tv_weight:
        loss = TotalVariationLoss(
            recipe.tv_loss,
            recipe.tv_exponent,
            circular=recipe.padding == "circular",
            pulse=pulse,
        )
        losses["tv"] = WeightedLoss(loss, recipe.tv_weight)
    if free is not None:
        weight = seam.WEIGHT * sum(layer_weights(recipe, "style").values())
        losses["tv/border"] = WeightedLoss(seam.SeamLoss(free), weight)
    return losses


def shares_of(recipe: Recipe, styles: int) -> list[float]:
    """Return how much each of several styles counts; together 1.

    Raises
    ------
    ValueError
        If the recipe's blend is of another number of styles.
    """
    blend = recipe.style_blend or (1.0,) * styles
    if len(blend) != styles:
        raise ValueError(
            f"style_blend has {len(blend)} numbers for {styles} "
            f"style{'s' if styles != 1 else ''}; give one for each."
        )
    return [share / sum(blend) for share in blend]


def summarise(parts: Mapping[str, float]) -> dict[str, float]:
    """Add the sums that a user reads to an objective's parts.

    Returns
    -------
    dict of str to float
        ``total``, ``content``, ``style`` and ``tv`` (0 where the recipe has none), then each
        layer's part. The first is the sum of the next three.
    """
    sums = {
        kind: _sum_of(value for name, value in parts.items() if name.split("/")[0] == kind)
        for kind in ("content", "style", "tv")
    }
    return {"total": _sum_of(parts.values()), **sums, **parts}


def _sum_of(values: Iterable[float]) -> float:
    return float(sum(values))


def layer_weights(recipe: Recipe, kind: str) -> dict[str, float]:
    """Return the layers that count for ``content`` or ``style``, and how much in the total."""
    factor, layers = {
        "content": (recipe.content_weight, recipe.content_layers),
        "style": (recipe.style_weight, recipe.style_layers),
    }[kind]
    return {layer: factor * weight for layer, weight in layers.items() if factor * weight}


def layer_of(part: str) -> str:
    """Return the layer of a part such as ``style/relu1_1``."""
    return part.split("/")[1]
