"""The objective: Recipe + images → one number with named, weighted parts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import torch
from torch import Tensor, nn

from napari_nst.engine.losses import STYLE_LOSSES, ContentLoss, TotalVariationLoss
from napari_nst.engine.vgg import VGG19
from napari_nst.recipe import Recipe

Parts = dict[str, Tensor]
"""Name of a part, such as ``style/relu1_1`` or ``tv`` → its weighted loss, a scalar."""


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
    """

    def __init__(
        self,
        network: VGG19,
        on_features: Mapping[str, WeightedLoss],
        on_image: Mapping[str, WeightedLoss],
    ) -> None:
        super().__init__()
        self.on_features = nn.ModuleDict(on_features)
        self.on_image = nn.ModuleDict(on_image)
        self.network = network

    def forward(self, image: Tensor) -> Parts:
        """Return the weighted parts for an image (1, 3, H, W) in [0, 1]; they sum to the total."""
        features = self.network(image)
        parts = {name: loss(features[_layer(name)]) for name, loss in self.on_features.items()}
        parts.update({name: loss(image) for name, loss in self.on_image.items()})
        return parts


def network_layers(recipe: Recipe) -> list[str]:
    """Return the layers that a recipe's losses look at."""
    return [_layer(name) for name in _layer_weights(recipe)]


def style_transfer_objective(
    recipe: Recipe, network: VGG19, content: Tensor, styles: Sequence[Tensor]
) -> Objective:
    """Compute the targets of a style transfer at one scale.

    Parameters
    ----------
    recipe : Recipe
        Layers, weights and kinds of the losses.
    network : VGG19
        Returns `network_layers` of the recipe.
    content : Tensor
        (1, 3, H, W), RGB in [0, 1], of the scale's size.
    styles : sequence of Tensor
        The same, of any sizes.
    """
    with torch.no_grad():
        of_content = network(content)
        of_styles = [network(style) for style in styles]
    losses: dict[str, WeightedLoss] = {}
    for name, weight in _layer_weights(recipe).items():
        layer = _layer(name)
        loss: nn.Module
        if name.startswith("content/"):
            loss = ContentLoss(of_content[layer], relative=recipe.relative)
        else:
            targets = [of_style[layer] for of_style in of_styles]
            loss = STYLE_LOSSES[recipe.style_loss](*targets, relative=recipe.relative)
        losses[name] = WeightedLoss(loss, weight)
    on_image = {}
    if recipe.tv_weight:
        on_image["tv"] = WeightedLoss(TotalVariationLoss(), recipe.tv_weight)
    return Objective(network, losses, on_image)


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


def _layer_weights(recipe: Recipe) -> dict[str, float]:
    """Name of each part that looks at features → its weight; parts without weight left out."""
    weighted = {
        f"{kind}/{layer}": factor * weight
        for kind, factor, layers in (
            ("content", recipe.content_weight, recipe.content_layers),
            ("style", recipe.style_weight, recipe.style_layers),
        )
        for layer, weight in layers.items()
    }
    return {name: weight for name, weight in weighted.items() if weight}


def _layer(part: str) -> str:
    return part.split("/")[1]
