"""An objective and its exact gradient, computed tile by tile.

A style loss is a function of sums over positions, or of the features at some thousand positions. A
first pass adds up the sums, and collects these features, without gradients. The gradient of the
loss by them then gives the gradient by each position's features, which a second pass takes back to
the pixels (Galerne et al. 2024, "Scaling Painting Style Transfer"). Content losses that compare
position by position need the second pass only.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from napari_nst.engine.distributed import ALONE, Processes
from napari_nst.engine.losses import (
    ContentLoss,
    MomentLoss,
    Moments,
    gradient_by_features,
    moment_losses,
    sampled_losses,
)
from napari_nst.engine.losses.sampled import Reading, size_at
from napari_nst.engine.objective.from_recipe import WeightedLoss
from napari_nst.engine.objective.jitter import Jitter
from napari_nst.engine.objective.objective import Objective, Parts, SampledTerm, layer_of
from napari_nst.engine.tiling.features import (
    add_vectors,
    sum_over_processes,
    sum_vectors,
    tiles_of,
    vectors_by_tiles,
)
from napari_nst.engine.tiling.grid import Tile, Window
from napari_nst.engine.vgg.network import VGG19
from napari_nst.recipe.sections import TILED_LOSSES

OnTile = Callable[[int, int, Window | None, Tensor | None], None]
"""Called with the tiles done, the tiles of both passes, and the rows, columns and pixels
(1, 3, h, w) of the last tile, which are None in the first pass."""


@dataclass(frozen=True, eq=False)
class _ContentTerm:
    """A content loss, its part of the objective, and its weight."""

    part: str
    layer: str
    weight: float
    loss: ContentLoss

    def value_and_grad(self, features: Tensor, tile: Tile) -> tuple[Tensor, Tensor]:
        """Return a tile's share of the loss, and the gradient by its features (1, C, h, w)."""
        leaf = features.detach().requires_grad_()
        with torch.enable_grad():
            value = self.weight * self.loss.in_window(leaf, tile.positions(self.layer))
        (gradient,) = torch.autograd.grad(value, leaf)
        return value.detach(), gradient


@dataclass(eq=False)
class _Sums:
    """A loss of moments in one evaluation: the moments so far, then the gradient by them."""

    part: str
    layer: str
    weight: float
    loss: MomentLoss
    moments: Moments | None = None
    by_moments: Sequence[Tensor] = ()

    def add(self, core: Tensor, tile: Tile, layer: str) -> None:
        """Add the moments of a tile's core (1, C, h, w)."""
        if layer == self.layer:
            mask = tile.crop(self.loss.mask, layer)
            found = Moments.nothing(core) if _is_empty(mask) else Moments.of(core, mask)
            self.moments = found if self.moments is None else self.moments + found

    def differentiate(self, scale: float) -> Tensor:
        """Return the loss; keep its gradient by the moments times `scale`."""
        assert self.moments is not None
        leaves = [one.requires_grad_() for one in (self.moments.first, self.moments.second)]
        with torch.enable_grad():
            value = self.weight * self.loss.compare(Moments(self.moments.weight, *leaves))
            scaled = value * scale
        self.by_moments = torch.autograd.grad(
            scaled, leaves, allow_unused=True, materialize_grads=True
        )
        return value.detach()

    def by_core(self, core: Tensor, tile: Tile, layer: str) -> Tensor | None:
        """Return the gradient by a tile's core (1, C, h, w), if the loss depends on it."""
        if layer != self.layer:
            return None
        mask = tile.crop(self.loss.mask, layer)
        return None if _is_empty(mask) else gradient_by_features(core, mask, *self.by_moments)


@dataclass(eq=False)
class _Samples:
    """A loss of samples in one evaluation: the vectors so far, then the gradient by them."""

    term: SampledTerm
    shape: tuple[int, int]
    readings: Mapping[str, Reading]
    vectors: dict[str, Tensor] = field(default_factory=dict)  # layer → (K, C)
    by_vectors: Mapping[str, Tensor] = field(default_factory=dict)

    @property
    def part(self) -> str:
        """The part of the objective that the loss belongs to."""
        return self.term.part

    def add(self, core: Tensor, tile: Tile, layer: str) -> None:
        """Add what is read in a tile's core (1, C, h, w)."""
        add_vectors(self.vectors, self.readings, tile, layer, core, self.shape)

    def differentiate(self, scale: float) -> Tensor:
        """Return the loss; keep its gradient by the vectors times `scale`."""
        leaves = [self.vectors[layer].requires_grad_() for layer in self.readings]
        with torch.enable_grad():
            value = self.term.weight * self.term.loss.compare(self.term.loss.joined(leaves))
            scaled = value * scale
        found = torch.autograd.grad(scaled, leaves)
        self.by_vectors = dict(zip(self.readings, found, strict=True))
        return value.detach()

    def by_core(self, core: Tensor, tile: Tile, layer: str) -> Tensor | None:
        """Return the gradient by a tile's core (1, C, h, w), if the loss depends on it."""
        if layer not in self.by_vectors:
            return None
        width = size_at(layer, self.shape)[1]
        reading = self.readings[layer].in_window(tile.positions(layer), width)
        return reading.gradient(self.by_vectors[layer], core)


class TiledObjective(Objective):
    """An objective computed in tiles: `value_and_grad` returns the same parts and gradient.

    `tile` is the longest side of a tile's core in pixels. Several processes share the tiles.
    Raises ValueError if a style loss is neither a function of moments nor of samples.
    """

    def __init__(
        self,
        network: VGG19,
        on_features: Mapping[str, WeightedLoss],
        on_image: Mapping[str, WeightedLoss],
        fixed: tuple[Tensor, Tensor] | None = None,
        *,
        tile: int,
        processes: Processes = ALONE,
        on_tile: OnTile | None = None,
        jitter: Jitter | None = None,
        content: Tensor | None = None,
    ) -> None:
        super().__init__(network, on_features, on_image, fixed, jitter=jitter, content=content)
        self.tile = tile
        self.processes = processes
        self.on_tile = on_tile
        self._contents: list[_ContentTerm] = []
        self._moments: list[tuple[str, float, MomentLoss]] = []
        for part, weighted in on_features.items():
            weight, loss = weighted.weight, weighted.loss
            if isinstance(loss, ContentLoss):
                self._contents.append(_ContentTerm(part, layer_of(part), weight, loss))
                continue
            if sampled_losses(loss) is not None:
                continue  # they are in `_sampled`
            summands = moment_losses(loss)
            if summands is None:
                raise ValueError(
                    f"{part} cannot be computed in tiles. Set `tile=0`, or choose one of these "
                    f"values of `style_loss`: {', '.join(TILED_LOSSES)}."
                )
            self._moments += [(part, weight * factor, one) for factor, one in summands]

    @torch.no_grad()
    def _computed(self, image: Tensor) -> tuple[Parts, Tensor]:
        shape = (image.shape[2], image.shape[3])
        tiles = self.processes.share(self._tiles(image))
        first, *others = tiles
        sums = [_Sums(part, layer_of(part), weight, loss) for part, weight, loss in self._moments]
        samples = [_Samples(one, shape, one.readings(shape)) for one in self._sampled]
        statistics: list[_Sums | _Samples] = [*sums, *samples]
        total = (2 if statistics else 1) * len(tiles)
        parts = {part: image.new_zeros(()) for part in self.on_features}
        with self.processes.all_or_none():
            for done, tile in enumerate(reversed(others) if statistics else (), start=1):
                for layer, features in self.network.iter_features(
                    tile.cut(image), tile.wrap_around
                ):
                    _add(statistics, tile, layer, features)
                    del features  # before those of the next layer are computed
                self._tell(done, total, None, None)
            # The first pass ends with the tile that the second pass starts with: one forward
            # pass serves both.
            graph: _TileGraph | None = self._forward(first, image, statistics, parts, adds=True)
        if statistics:
            self._tell(len(tiles), total, None, None)
            moments = {one: one.moments for one in sums if one.moments is not None}
            for one, found in sum_over_processes(moments, self.processes).items():
                one.moments = found
            vectors = sum_vectors([one.vectors for one in samples], self.processes)
            for sampled, of_all in zip(samples, vectors, strict=True):
                sampled.vectors = of_all
            for statistic in statistics:
                value = statistic.differentiate(self.gradient_scale)
                parts[statistic.part] += value.to(image.device)
        with self.processes.all_or_none():
            gradient = torch.zeros_like(image, memory_format=torch.contiguous_format)
            for done, tile in enumerate(tiles, start=total - len(tiles) + 1):
                graph = graph or self._forward(tile, image, statistics, parts)
                tile.add(graph.backward(), gradient)
                graph = None  # before the next tile's
                self._tell(done, total, tile.window, image[(..., *tile.window)])
        contents = [parts[term.part] for term in self._contents]
        self.processes.all_reduce([*contents, gradient])
        return parts, gradient

    def _tiles(self, image: Tensor) -> Sequence[Tile]:
        """Return the parts that the image is computed in."""
        shape = (image.shape[2], image.shape[3])
        return tiles_of(self.network, shape, self.tile, self.processes)

    def _read(
        self, image: Tensor, readings: Sequence[Mapping[str, Reading]]
    ) -> list[dict[str, Tensor]]:
        return vectors_by_tiles(self.network, image, self.tile, self.processes, readings)

    def _forward(
        self,
        tile: Tile,
        image: Tensor,
        statistics: Sequence[_Sums | _Samples],
        parts: Parts,
        *,
        adds: bool = False,
    ) -> _TileGraph:
        """Compute a tile's features for a backward pass; if it `adds`, also for the statistics.

        The backward pass reads the statistics, and adds the tile's content losses to `parts`.
        """
        pixels = tile.cut(image).detach().requires_grad_()
        total = torch.zeros((), device=self.network.device)
        with torch.enable_grad():
            for layer, features in self.network.iter_features(pixels, tile.wrap_around):
                compute = partial(self._gradient_by_features, tile, layer, statistics, parts)
                total = total + _GradientOnDemand.apply(features, compute)
                if adds:
                    _add(statistics, tile, layer, features.detach())
        return _TileGraph(pixels, total)

    def _gradient_by_features(
        self,
        tile: Tile,
        layer: str,
        statistics: Sequence[_Sums | _Samples],
        parts: Parts,
        features: Tensor,
    ) -> Tensor:
        """Return the gradient by a layer of a tile's extent; 0 in the halo."""
        gradient = torch.zeros_like(features)
        core = (..., *tile.positions_in_extent(layer))
        for statistic in statistics:
            by_core = statistic.by_core(features[core], tile, layer)
            if by_core is not None:
                gradient[core] += by_core
        for term in self._contents:
            if term.layer == layer:
                value, by_core = term.value_and_grad(features[core], tile)
                parts[term.part] += value.to(parts[term.part].device)
                gradient[core] += by_core * self.gradient_scale
        return gradient

    def _tell(self, done: int, total: int, window: Window | None, pixels: Tensor | None) -> None:
        if self.on_tile is not None:
            self.on_tile(done, total, window, pixels)


@dataclass(frozen=True, eq=False)
class _TileGraph:
    """The autograd graph of a tile; its backward pass runs once."""

    pixels: Tensor
    total: Tensor

    def backward(self) -> Tensor:
        """Return the gradient by the pixels of the tile's extent."""
        (gradient,) = torch.autograd.grad(self.total, self.pixels)
        return gradient


class _GradientOnDemand(torch.autograd.Function):
    """Zero, whose gradient by features a function computes during the backward pass.

    So the gradients by the features of several layers are in memory one at a time.
    """

    @staticmethod
    def forward(ctx: Any, features: Tensor, compute: Callable[[Tensor], Tensor]) -> Tensor:
        ctx.save_for_backward(features)
        ctx.compute = compute
        return torch.zeros((), device=features.device)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor, None]:
        (features,) = ctx.saved_tensors
        return ctx.compute(features), None


def _is_empty(mask: Tensor | None) -> bool:
    """Whether a mask selects nothing: of many regions, most are not in most tiles."""
    return mask is not None and not bool(mask.any())


def _add(statistics: Sequence[_Sums | _Samples], tile: Tile, layer: str, features: Tensor) -> None:
    """Add the features (1, C, h, w) of a tile's extent at a layer to all statistics."""
    core = features[(..., *tile.positions_in_extent(layer))]
    for statistic in statistics:
        statistic.add(core, tile, layer)
