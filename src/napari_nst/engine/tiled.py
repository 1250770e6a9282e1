"""An objective and its exact gradient, tile by tile, in memory that the tile sets.

A style loss is a function of sums over positions. A first pass adds them up without gradients; how
the loss changes with the sums is then known, and with it the gradient by each position's features,
which a second pass takes back to the pixels (Galerne et al. 2024, "Scaling Painting Style
Transfer"). Contents are compared position by position, and need the second pass alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import cast

import torch
from torch import Tensor, nn

from napari_nst.engine.known_gradient import known, once_asked, with_gradient
from napari_nst.engine.losses import (
    ContentLoss,
    MomentLoss,
    Moments,
    gradient_by_features,
    moment_losses,
)
from napari_nst.engine.measured import cropped, features_in, grid_of
from napari_nst.engine.objective import Objective, Parts, WeightedLoss, layer_of
from napari_nst.engine.processes import Processes, present
from napari_nst.engine.tiles import Tile
from napari_nst.recipe.likeness import MOMENT_LOSSES

Watch = Callable[[int, int, "tuple[slice, slice] | None", "Tensor | None"], None]
"""Tiles done, of all in both passes; rows and columns, and pixels (1, 3, h, w), of the last one.

The latter two are None in the first pass.
"""


@dataclass(frozen=True, eq=False)
class _Style:
    """A loss of sums over a layer's positions: of which part, and how much it counts there."""

    part: str
    layer: str
    factor: float
    loss: MomentLoss


@dataclass(frozen=True, eq=False)
class _Content:
    """A loss of each position of a layer."""

    part: str
    layer: str
    factor: float
    loss: ContentLoss

    def within(self, tile: Tile) -> Callable[[Tensor], Tensor]:
        """Return what measures a tile's own features (1, C, h, w)."""
        return lambda features: (
            self.factor * self.loss.of_part(features, tile.positions(self.layer))
        )


@dataclass(frozen=True, eq=False)
class _Pull:
    """How the total changes with the sums that a style loss sees."""

    style: _Style
    by_first: Tensor
    by_second: Tensor

    def on(self, features: Tensor, tile: Tile) -> Tensor:
        """Return the gradient by a tile's own features (1, C, h, w)."""
        mask = cropped(self.style.loss.mask, tile, self.style.layer)
        return gradient_by_features(features, mask, self.by_first, self.by_second)


class TiledObjective(Objective):
    """An objective that looks at an image in tiles: the same parts, and the same gradient.

    Parameters
    ----------
    objective : Objective
        What to compute. Its style losses have to be functions of sums over positions.
    tile : int
        Longest side in pixels of a tile, as for `Grid.of`.
    watch : callable, optional
        Called after each tile, of either pass.

    Raises
    ------
    ValueError
        If a style loss is of another kind.
    """

    def __init__(self, objective: Objective, tile: int, watch: Watch | None = None) -> None:
        free, fixed = objective.free, objective.fixed
        on_features = cast("dict[str, WeightedLoss]", dict(objective.on_features))
        super().__init__(
            objective.network,
            on_features,
            cast("dict[str, WeightedLoss]", dict(objective.on_image)),
            None if free is None or fixed is None else (free, fixed),
        )
        self.tile = tile
        self.watch = watch
        self._contents: list[_Content] = []
        self._styles: list[_Style] = []
        for part, weighted in on_features.items():
            layer, weight, loss = layer_of(part), weighted.weight, weighted.loss
            if isinstance(loss, ContentLoss):
                self._contents.append(_Content(part, layer, weight, loss))
            else:
                self._styles += [
                    _Style(part, layer, weight * factor, one)
                    for factor, one in _summands(part, loss)
                ]

    def forward(self, image: Tensor) -> Parts:
        """Return the weighted parts for an image (1, 3, H, W) in [0, 1].

        They sum to the total, and it is the total alone that has a gradient: weighing the parts
        otherwise and going back raises a `ValueError`.
        """
        image = self.seen(image)
        with torch.no_grad():
            parts, gradient = self._computed(image.detach())
        return known(image, gradient, parts)

    def _computed(self, image: Tensor) -> tuple[Parts, Tensor]:
        """Return the parts, and the gradient of their sum by an image."""
        grid = grid_of(self.network, image, self.tile)
        # Where there are more processes than tiles, each computes all of them.
        processes = present() if len(grid) >= present().count else Processes()
        tiles = processes.own(grid.tiles)
        total = (2 if self._styles else 1) * len(tiles)
        parts = {part: image.new_zeros(()) for part in self.on_features}
        pulls: list[_Pull] = []
        if self._styles:
            sums: dict[_Style, Moments] = {}
            for done, tile in enumerate(tiles, start=1):
                self._add_up(tile, image, sums)
                self._tell(done, total, None, None)
            sums = _added_up(sums, processes)
            pulls = [self._pull(style, moments, parts) for style, moments in sums.items()]
        gradient = torch.zeros_like(image, memory_format=torch.contiguous_format)
        for done, tile in enumerate(tiles, start=total - len(tiles) + 1):
            tile.add(self._gradient_of(tile, image, pulls, parts), gradient)
            self._tell(done, total, tile.window, image[(..., *tile.window)])
        processes.add_up([gradient, *(parts[content.part] for content in self._contents)])
        return parts | self._of_image(image, gradient), gradient

    def _of_image(self, image: Tensor, gradient: Tensor) -> Parts:
        """Return the losses of the image itself; add how they change to a gradient."""
        parts = {}
        for part, loss in self.on_image.items():
            parts[part], by_image = with_gradient(loss, image)
            gradient += by_image
        return parts

    def _add_up(self, tile: Tile, image: Tensor, sums: dict[_Style, Moments]) -> None:
        """Add a tile's features to the sums that the style losses see."""
        features = features_in(tile, self.network, image)
        for style in self._styles:
            mask = cropped(style.loss.mask, tile, style.layer)
            moments = Moments.of(features[style.layer], mask)
            sums[style] = sums[style] + moments if style in sums else moments

    @staticmethod
    def _pull(style: _Style, sums: Moments, parts: Parts) -> _Pull:
        """Add a style loss to its part; return how the total changes with the sums."""
        first, second = sums.first.requires_grad_(), sums.second.requires_grad_()
        with torch.enable_grad():
            loss = style.factor * style.loss.compare(Moments(sums.weight, first, second))
        parts[style.part] += loss.detach().to(parts[style.part].device)
        by_first, by_second = torch.autograd.grad(
            loss, (first, second), allow_unused=True, materialize_grads=True
        )
        return _Pull(style, by_first, by_second)

    def _gradient_of(
        self, tile: Tile, image: Tensor, pulls: Sequence[_Pull], parts: Parts
    ) -> Tensor:
        """Return the gradient by the pixels of a tile's reach; add its content to the parts."""
        pixels = tile.cut(image).detach().requires_grad_()
        total = torch.zeros((), device=self.network.device)
        with torch.enable_grad():
            for layer, features in self.network.along(pixels, tile.joins):
                slope = partial(self._by_features, tile, layer, pulls, parts)
                total = total + once_asked(slope, features)
        (gradient,) = torch.autograd.grad(total, pixels)
        return gradient

    def _by_features(
        self, tile: Tile, layer: str, pulls: Sequence[_Pull], parts: Parts, features: Tensor
    ) -> Tensor:
        """Return the gradient by a layer of a tile's reach; add its content to the parts."""
        # Positions beyond the tile's own are another tile's to pull.
        gradient = torch.zeros_like(features)
        own = (..., *tile.within_reach(layer))
        for pull in pulls:
            if pull.style.layer == layer:
                gradient[own] += pull.on(features[own], tile)
        for content in self._contents:
            if content.layer == layer:
                loss, by_features = with_gradient(content.within(tile), features[own])
                parts[content.part] += loss.to(parts[content.part].device)
                gradient[own] += by_features
        return gradient

    def _tell(
        self, done: int, total: int, window: tuple[slice, slice] | None, pixels: Tensor | None
    ) -> None:
        if self.watch is not None:
            self.watch(done, total, window, pixels)


def _added_up(sums: dict[_Style, Moments], processes: Processes) -> dict[_Style, Moments]:
    """Return the sums over the tiles of all processes."""
    if processes.count == 1:
        return sums
    firsts = [moments.first.contiguous() for moments in sums.values()]
    seconds = [moments.second.contiguous() for moments in sums.values()]
    weights = torch.tensor(
        [moments.weight for moments in sums.values()], dtype=torch.float64, device=firsts[0].device
    )
    processes.add_up([weights, *firsts, *seconds])
    return {
        style: Moments(weight, first, second)
        for style, weight, first, second in zip(
            sums, weights.tolist(), firsts, seconds, strict=True
        )
    }


def _summands(part: str, loss: nn.Module) -> list[tuple[float, MomentLoss]]:
    found = moment_losses(loss)
    if found is None:
        raise ValueError(
            f"{part} is no function of sums over positions, which tiles could add up; take another "
            f"style_loss, one of {', '.join(MOMENT_LOSSES)}, or tile 0."
        )
    return found
