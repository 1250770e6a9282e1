"""The objective: Recipe + features of images → one number with named, weighted parts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import torch
from torch import Tensor, nn

from napari_nst.engine.losses import SlicedWassersteinLoss
from napari_nst.engine.objective.from_recipe import WeightedLoss
from napari_nst.engine.run.bands import Bands
from napari_nst.engine.vgg.network import VGG19

Parts = dict[str, Tensor]
"""Name of a part, such as ``style/relu1_1`` or ``tv`` → its weighted loss, a scalar."""


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
        taken from, whatever they are: they have no gradient. Of several processes that divide the
        image, each has its own rows of both.
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
        scale = self.network.loss_scale
        # Measured there: see `features_along`.
        for layer, features in self.network.along(scale.reduced(image)):
            for name in self.on_features:
                if layer_of(name) == layer:
                    loss = scale.magnified(self.on_features[name](features))
                    found[name] = loss.to(image.device)
        parts = {name: found[name] for name in self.on_features}
        parts.update({name: loss(image) for name, loss in self.on_image.items()})
        return parts

    def bands_at(self, height: int) -> Bands:
        """Return the rows that belong to each process, of an image of so many."""
        return Bands.undivided(height)

    def seen(self, image: Tensor) -> Tensor:
        """Return an image (1, 3, H, W), or own rows of one, with what is kept in its place."""
        if self.free is None or self.fixed is None:
            return image
        return torch.where(self.free, image, self.fixed)

    def redraw(self) -> bool:
        """Draw anew what losses draw at random; return whether there is any."""
        random = [loss for loss in self.modules() if isinstance(loss, SlicedWassersteinLoss)]
        for loss in random:
            loss.redraw()
        return bool(random)


def bands_of(objective: Callable[[Tensor], Parts], height: int) -> Bands:
    """Return the rows that belong to each process, of an image that has an objective."""
    if isinstance(objective, Objective):
        return objective.bands_at(height)
    return Bands.undivided(height)


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


def layer_of(part: str) -> str:
    """Return the layer of a part such as ``style/relu1_1``."""
    return part.split("/")[1]
