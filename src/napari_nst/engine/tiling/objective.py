"""An objective and its exact gradient, tile by tile, in memory that the tile sets.

A style loss is a function of sums over positions. A first pass adds them up without gradients; how
the loss changes with the sums is then known, and with it the gradient by each position's features,
which a second pass takes back to the pixels (Galerne et al. 2024, "Scaling Painting Style
Transfer"). Contents are compared position by position, and need the second pass alone.

Where several processes divide the image, each goes through the tiles of its own rows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import cast

import torch
from torch import Tensor

from napari_nst.engine.losses import ContentLoss, Moments
from napari_nst.engine.objective.from_recipe import WeightedLoss
from napari_nst.engine.objective.objective import Objective, Parts, layer_of
from napari_nst.engine.run.bands import Bands
from napari_nst.engine.run.shelf import MEMORY, Shelf
from napari_nst.engine.tiling.features import added_up, own_rows
from napari_nst.engine.tiling.grid import Grid, Tile
from napari_nst.engine.tiling.known_gradient import known, once_asked, with_gradient
from napari_nst.engine.tiling.tiled_losses import Pull, TiledContent, TiledStyle, summands

Watch = Callable[[int, int, "tuple[slice, slice] | None", "Tensor | None"], None]
"""Tiles done, of all in both passes; rows and columns, and pixels (1, 3, h, w), of the last one.

The latter two are None in the first pass.
"""


@dataclass(frozen=True, eq=False)
class _Way:
    """From a tile's pixels through the network; it can be gone back once."""

    pixels: Tensor
    total: Tensor

    def back(self) -> Tensor:
        """Return the gradient by the pixels of the tile's reach."""
        (gradient,) = torch.autograd.grad(self.total, self.pixels)
        return gradient


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
    bands : Bands, optional
        The rows of the image that belong to each of several processes. Contents, masks and what is
        kept then have this one's alone.
    shelf : Shelf, optional
        Where its gradient lies.

    Raises
    ------
    ValueError
        If a style loss is of another kind.
    """

    def __init__(
        self,
        objective: Objective,
        tile: int,
        watch: Watch | None = None,
        bands: Bands | None = None,
        shelf: Shelf = MEMORY,
    ) -> None:
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
        self._bands = bands
        self._shelf = shelf
        self._contents: list[TiledContent] = []
        self._styles: list[TiledStyle] = []
        scale = objective.network.loss_scale
        for part, weighted in on_features.items():
            layer, weight, loss = layer_of(part), weighted.weight, weighted.loss
            if isinstance(loss, ContentLoss):
                self._contents.append(TiledContent(part, layer, weight, loss, scale))
            else:
                for factor, one in summands(part, loss):
                    if bands is not None:
                        one.mask = own_rows(one.mask, bands, layer)
                    self._styles.append(TiledStyle(part, layer, weight * factor, one, scale))

    def bands_at(self, height: int) -> Bands:
        """Return the rows that belong to each process, of an image of so many."""
        return super().bands_at(height) if self._bands is None else self._bands

    def forward(self, image: Tensor) -> Parts:
        """Return the weighted parts for an image (1, 3, H, W) in [0, 1].

        They sum to the total, and it is the total alone that has a gradient: weighing the parts
        otherwise and going back raises a `ValueError`.

        Of several processes, each has its own rows of the image, or all of them.
        """
        bands = self.bands_at(image.shape[2])
        has_all = bands.has_all(image)
        with torch.no_grad():
            rows = image.detach()
            parts, gradient = self._computed(self.seen(bands.cut(rows) if has_all else rows))
            if self.free is not None:
                gradient.masked_fill_(~self.free, 0)
            gradient = bands.whole(gradient) if has_all else gradient
        return known(image, gradient, parts)

    def _computed(self, image: Tensor) -> tuple[Parts, Tensor]:
        """Return the parts, and the gradient of their sum by an image, or by own rows of it."""
        bands, network = self.bands_at(image.shape[2]), self.network
        shape = (bands.height, image.shape[3])
        grid = Grid.of(shape, self.tile, network.layers, network.padding, bands.processes)
        first, *others = grid
        seen = bands.surrounded(image)
        total = (2 if self._styles else 1) * len(grid)
        parts = {part: image.new_zeros(()) for part in self.on_features}
        pulls: list[Pull] = []
        sums: dict[TiledStyle, Moments] = {}
        with bands.processes.all_or_none():
            for done, tile in enumerate(reversed(others) if self._styles else (), start=1):
                self._add_up(tile, seen, sums)
                self._tell(done, total, None, None)
            # The first pass ends where the second begins, which then is half done.
            way: _Way | None = self._way(first, seen, pulls, parts, sums)
        if self._styles:
            self._tell(len(grid), total, None, None)
            pulls += [
                style.pull(moments, parts) for style, moments in added_up(sums, bands).items()
            ]
        with bands.processes.all_or_none():
            gradient = self._by_image(seen, bands, parts)
            for done, tile in enumerate(grid, start=total - len(grid) + 1):
                way = way or self._way(tile, seen, pulls, parts)
                tile.add(way.back(), gradient)
                way = None  # before the next one
                self._tell(done, total, tile.window, image[(..., *tile.window)])
        of_positions = [content.part for content in self._contents] + [*self.on_image]
        bands.add_up([parts[part] for part in of_positions])
        return parts, bands.returned(gradient)

    def _by_image(self, seen: Tensor, bands: Bands, parts: Parts) -> Tensor:
        """Add the losses of the image itself to the parts; return their gradient by it, or 0."""
        gradient: Tensor | None = None
        for part, loss in self.on_image.items():
            parts[part], by_image = self._image_loss(cast("WeightedLoss", loss), seen, bands)
            gradient = by_image if gradient is None else gradient.add_(by_image)
        if gradient is None:
            gradient = self._shelf.zeros(tuple(seen.shape), seen.dtype, seen.device)
        return gradient

    def _image_loss(self, loss: WeightedLoss, seen: Tensor, bands: Bands) -> tuple[Tensor, Tensor]:
        if not bands.are_divided:
            return loss.value_and_grad(seen)
        own = bands.own.at(bands.own.core)
        value, by_whole = loss.value_and_grad(bands.whole(seen[:, :, own].contiguous()))
        gradient = torch.zeros_like(seen)
        gradient[:, :, own] = by_whole[:, :, bands.own.core]
        return value / bands.processes.count, gradient

    def _add_up(self, tile: Tile, seen: Tensor, sums: dict[TiledStyle, Moments]) -> None:
        """Add a tile's features to the sums that the style losses see."""
        for layer, features in self.network.along(tile.cut(seen), tile.joins):
            self._add_layer(tile, layer, features, sums)

    def _add_layer(
        self, tile: Tile, layer: str, features: Tensor, sums: dict[TiledStyle, Moments]
    ) -> None:
        """Add a layer of a tile's reach to the sums of its style losses."""
        own = features[(..., *tile.within_reach(layer))]
        for style in self._styles:
            if style.layer == layer:
                moments = style.moments(own, tile)
                sums[style] = sums[style] + moments if style in sums else moments

    def _way(
        self,
        tile: Tile,
        seen: Tensor,
        pulls: Sequence[Pull],
        parts: Parts,
        sums: dict[TiledStyle, Moments] | None = None,
    ) -> _Way:
        """Return a tile's way through the network, and add its features to sums, if any.

        The way back asks for the pulls, and adds the tile's content to the parts.
        """
        pixels = tile.cut(seen).detach().requires_grad_()
        total = torch.zeros((), device=self.network.device)
        with torch.enable_grad():
            read = self.network.loss_scale.reduced(pixels)
            for layer, features in self.network.along(read, tile.joins):
                slope = partial(self._by_features, tile, layer, pulls, parts)
                total = total + once_asked(slope, features)
                if sums is not None:
                    self._add_layer(tile, layer, features.detach(), sums)
        return _Way(pixels, total)

    def _by_features(
        self, tile: Tile, layer: str, pulls: Sequence[Pull], parts: Parts, features: Tensor
    ) -> Tensor:
        """Return the gradient by a layer of a tile's reach; add its content to the parts."""
        # Positions beyond the tile's own are another tile's to pull.
        gradient = torch.zeros_like(features)
        own = (..., *tile.within_reach(layer))
        for pull in pulls:
            if pull.style.layer == layer and (by_own := pull.on(features[own], tile)) is not None:
                gradient[own] += by_own
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
