"""An objective and its exact gradient, computed tile by tile.

A style loss is a function of sums over positions, or of the features at some thousand positions. A
first pass adds up the sums, and collects these features, without gradients. The gradient of the
loss by them then gives the gradient by each position's features, which a second pass takes back to
the pixels (Galerne et al. 2024, "Scaling Painting Style Transfer"). Content losses that compare
position by position need the second pass only.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
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


@dataclass(frozen=True, eq=False)
class _StyleTerm:
    """A loss of moments, its part of the objective, and its weight."""

    part: str
    layer: str
    weight: float
    loss: MomentLoss

    def moments(self, features: Tensor, tile: Tile) -> Moments:
        """Return the moments of a tile's features (1, C, h, w)."""
        mask = tile.crop(self.loss.mask, self.layer)
        return Moments.nothing(features) if _is_empty(mask) else Moments.of(features, mask)

    def differentiate(self, moments: Moments, scale: float) -> tuple[Tensor, _StyleGradient]:
        """Return the loss of the moments of all tiles, and its gradient by them times `scale`."""
        first, second = moments.first.requires_grad_(), moments.second.requires_grad_()
        with torch.enable_grad():
            value = self.weight * self.loss.compare(Moments(moments.weight, first, second))
            scaled = value * scale
        by_first, by_second = torch.autograd.grad(
            scaled, (first, second), allow_unused=True, materialize_grads=True
        )
        return value.detach(), _StyleGradient(self, by_first, by_second)


@dataclass(frozen=True, eq=False)
class _StyleGradient:
    """The gradient of a style loss by the moments of the whole image."""

    term: _StyleTerm
    by_first: Tensor
    by_second: Tensor

    def by_features(self, features: Tensor, tile: Tile) -> Tensor | None:
        """Return the gradient by a tile's features (1, C, h, w); None if all are masked out."""
        mask = tile.crop(self.term.loss.mask, self.term.layer)
        if _is_empty(mask):
            return None
        return gradient_by_features(features, mask, self.by_first, self.by_second)


@dataclass(frozen=True, eq=False)
class _Samples:
    """A loss of samples in one evaluation: where the image is read, and what was found there."""

    term: SampledTerm
    shape: tuple[int, int]
    readings: Mapping[str, Reading]
    vectors: dict[str, Tensor]  # layer → (K, C), the sum over the tiles so far
    by_vectors: dict[str, Tensor]  # layer → the gradient of the loss by them

    def differentiate(self, vectors: Mapping[str, Tensor], scale: float) -> Tensor:
        """Return the loss of the vectors of all tiles; keep its gradient by them times `scale`."""
        leaves = [vectors[layer].requires_grad_() for layer in self.readings]
        with torch.enable_grad():
            value = self.term.weight * self.term.loss.compare(self.term.loss.joined(leaves))
            scaled = value * scale
        found = torch.autograd.grad(scaled, leaves)
        self.by_vectors.update(zip(self.readings, found, strict=True))
        return value.detach()

    def by_features(self, features: Tensor, tile: Tile, layer: str) -> Tensor | None:
        """Return the gradient by a tile's features (1, C, h, w) at a layer, if it is read."""
        if layer not in self.by_vectors:
            return None
        width = size_at(layer, self.shape)[1]
        reading = self.readings[layer].in_window(tile.positions(layer), width)
        return reading.gradient(self.by_vectors[layer], features)


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
        self._styles: list[_StyleTerm] = []
        for part, weighted in on_features.items():
            layer, weight, loss = layer_of(part), weighted.weight, weighted.loss
            if isinstance(loss, ContentLoss):
                self._contents.append(_ContentTerm(part, layer, weight, loss))
                continue
            if sampled_losses(loss) is not None:
                continue  # they are in `_sampled`
            summands = moment_losses(loss)
            if summands is None:
                raise ValueError(
                    f"{part} cannot be computed in tiles; take tile 0 or one of these values of "
                    f"style_loss: {', '.join(TILED_LOSSES)}."
                )
            self._styles += [_StyleTerm(part, layer, weight * f, one) for f, one in summands]

    @torch.no_grad()
    def _computed(self, image: Tensor) -> tuple[Parts, Tensor]:
        shape = (image.shape[2], image.shape[3])
        tiles = self.processes.share(tiles_of(self.network, shape, self.tile, self.processes))
        first, *others = tiles
        has_two_passes = bool(self._styles or self._sampled)
        total = (2 if has_two_passes else 1) * len(tiles)
        parts = {part: image.new_zeros(()) for part in self.on_features}
        styles: list[_StyleGradient] = []
        sums: dict[_StyleTerm, Moments] = {}
        samples = [_Samples(one, shape, one.readings(shape), {}, {}) for one in self._sampled]
        with self.processes.all_or_none():
            for done, tile in enumerate(reversed(others) if has_two_passes else (), start=1):
                self._add_moments(tile, image, sums, samples)
                self._tell(done, total, None, None)
            # The first pass ends with the tile that the second pass starts with: one forward
            # pass serves both.
            graph: _TileGraph | None = self._forward(first, image, styles, samples, parts, sums)
        if has_two_passes:
            self._tell(len(tiles), total, None, None)
            for term, moments in sum_over_processes(sums, self.processes).items():
                value, gradient_by_moments = term.differentiate(moments, self.gradient_scale)
                parts[term.part] += value.to(image.device)
                styles.append(gradient_by_moments)
            vectors = sum_vectors([one.vectors for one in samples], self.processes)
            for one, found in zip(samples, vectors, strict=True):
                value = one.differentiate(found, self.gradient_scale)
                parts[one.term.part] += value.to(image.device)
        with self.processes.all_or_none():
            gradient = torch.zeros_like(image, memory_format=torch.contiguous_format)
            for done, tile in enumerate(tiles, start=total - len(tiles) + 1):
                graph = graph or self._forward(tile, image, styles, samples, parts)
                tile.add(graph.backward(), gradient)
                graph = None  # before the next tile's
                self._tell(done, total, tile.window, image[(..., *tile.window)])
        contents = [parts[term.part] for term in self._contents]
        self.processes.all_reduce([*contents, gradient])
        return parts, gradient

    def _read(
        self, image: Tensor, readings: Sequence[Mapping[str, Reading]]
    ) -> list[dict[str, Tensor]]:
        return vectors_by_tiles(self.network, image, self.tile, self.processes, readings)

    def _add_moments(
        self,
        tile: Tile,
        image: Tensor,
        sums: dict[_StyleTerm, Moments],
        samples: Sequence[_Samples],
    ) -> None:
        for layer, features in self.network.iter_features(tile.cut(image), tile.wrap_around):
            self._add_moments_of_layer(tile, layer, features, sums, samples)

    def _add_moments_of_layer(
        self,
        tile: Tile,
        layer: str,
        features: Tensor,
        sums: dict[_StyleTerm, Moments],
        samples: Sequence[_Samples],
    ) -> None:
        core = features[(..., *tile.positions_in_extent(layer))]
        for one in samples:
            add_vectors(one.vectors, one.readings, tile, layer, core, one.shape)
        for term in self._styles:
            if term.layer == layer:
                moments = term.moments(core, tile)
                sums[term] = sums[term] + moments if term in sums else moments

    def _forward(
        self,
        tile: Tile,
        image: Tensor,
        styles: Sequence[_StyleGradient],
        samples: Sequence[_Samples],
        parts: Parts,
        sums: dict[_StyleTerm, Moments] | None = None,
    ) -> _TileGraph:
        """Compute a tile's features for a backward pass, and add their moments to `sums`.

        The backward pass reads `styles` and `samples`, and adds the tile's content losses to
        `parts`.
        """
        pixels = tile.cut(image).detach().requires_grad_()
        total = torch.zeros((), device=self.network.device)
        with torch.enable_grad():
            for layer, features in self.network.iter_features(pixels, tile.wrap_around):
                compute = partial(self._gradient_by_features, tile, layer, styles, samples, parts)
                total = total + _GradientOnDemand.apply(features, compute)
                if sums is not None:
                    self._add_moments_of_layer(tile, layer, features.detach(), sums, samples)
        return _TileGraph(pixels, total)

    def _gradient_by_features(
        self,
        tile: Tile,
        layer: str,
        styles: Sequence[_StyleGradient],
        samples: Sequence[_Samples],
        parts: Parts,
        features: Tensor,
    ) -> Tensor:
        """Return the gradient by a layer of a tile's extent; 0 in the halo."""
        gradient = torch.zeros_like(features)
        core = (..., *tile.positions_in_extent(layer))
        for style in styles:
            if style.term.layer == layer:
                by_core = style.by_features(features[core], tile)
                if by_core is not None:
                    gradient[core] += by_core
        for one in samples:
            by_samples = one.by_features(features[core], tile, layer)
            if by_samples is not None:
                gradient[core] += by_samples
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
