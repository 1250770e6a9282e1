"""The losses that can be computed tile by tile, each with how it looks at a tile."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from napari_nst.engine.losses import (
    ContentLoss,
    MomentLoss,
    Moments,
    gradient_by_features,
    moment_losses,
)
from napari_nst.engine.objective.objective import Parts
from napari_nst.engine.tiling.features import cropped
from napari_nst.engine.tiling.grid import Tile
from napari_nst.engine.vgg.loss_scale import LossScale
from napari_nst.recipe.sections import MOMENT_LOSSES


@dataclass(frozen=True, eq=False)
class TiledContent:
    """A loss of each position of a layer: of which part, and how much it counts there."""

    part: str
    layer: str
    factor: float
    loss: ContentLoss
    scale: LossScale

    def within(self, tile: Tile) -> Callable[[Tensor], Tensor]:
        """Return what measures a tile's own features (1, C, h, w)."""
        where = tile.positions(self.layer)
        return lambda features: self.scale.magnified(
            self.factor * self.loss.in_window(features, where)
        )


@dataclass(frozen=True, eq=False)
class TiledStyle:
    """A loss of sums over a layer's positions: of which part, and how much it counts there."""

    part: str
    layer: str
    factor: float
    loss: MomentLoss
    scale: LossScale

    def moments(self, features: Tensor, tile: Tile) -> Moments:
        """Return what a tile's own features (1, C, h, w) add to the sums."""
        mask = cropped(self.loss.mask, tile, self.layer)
        return Moments.of(features, mask) if _counts(mask) else Moments.nothing(features)

    def pull(self, sums: Moments, parts: Parts) -> Pull:
        """Add the loss of sums over all tiles to its part; return how the total changes by them."""
        first, second = sums.first.requires_grad_(), sums.second.requires_grad_()
        with torch.enable_grad():
            compared = self.loss.compare(Moments(sums.weight, first, second))
            loss = self.scale.magnified(self.factor * compared)
        parts[self.part] += loss.detach().to(parts[self.part].device)
        by_first, by_second = torch.autograd.grad(
            loss, (first, second), allow_unused=True, materialize_grads=True
        )
        return Pull(self, by_first, by_second)


@dataclass(frozen=True, eq=False)
class Pull:
    """How the total changes with the sums that a style loss sees."""

    style: TiledStyle
    by_first: Tensor
    by_second: Tensor

    def on(self, features: Tensor, tile: Tile) -> Tensor | None:
        """Return the gradient by a tile's own features (1, C, h, w); None if they do not count."""
        mask = cropped(self.style.loss.mask, tile, self.style.layer)
        if not _counts(mask):
            return None
        return gradient_by_features(features, mask, self.by_first, self.by_second)


def summands(part: str, loss: nn.Module) -> list[tuple[float, MomentLoss]]:
    """Return losses of sums, and factors, that a style loss is the sum of.

    Raises
    ------
    ValueError
        If it is of another kind; the message calls it `part`.
    """
    found = moment_losses(loss)
    if found is None:
        raise ValueError(
            f"{part} is no function of sums over positions, which tiles could add up; take another "
            f"style_loss, one of {', '.join(MOMENT_LOSSES)}, or tile 0."
        )
    return found


def _counts(mask: Tensor | None) -> bool:
    """Whether some position counts: of many regions, most have nothing in most tiles."""
    return mask is None or bool(mask.any())
