"""Features of an image computed tile by tile: kept for a content, summed up for a style."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterator, Mapping, Sequence
from typing import TypeVar

import torch
from torch import Tensor

from napari_nst.engine.distributed import ALONE, Processes
from napari_nst.engine.losses import MeasuredExemplar, Moments, SampledExemplar
from napari_nst.engine.losses.sampled import Reading, joined, size_at, style_readings
from napari_nst.engine.objective.from_recipe import mask_at
from napari_nst.engine.tiling.grid import Tile, make_grid
from napari_nst.engine.vgg.network import VGG19
from napari_nst.recipe.layer_names import poolings_before

K = TypeVar("K", bound=Hashable)


def tiles_of(
    network: VGG19, shape: tuple[int, int], tile: int, processes: Processes = ALONE
) -> list[Tile]:
    """Return the tiles that a network reads an image of some height and width in."""
    return make_grid(shape, tile, network.layers, network.padding, processes.count)


def iter_core_features(
    tile: Tile, network: VGG19, image: Tensor, layers: Collection[str]
) -> Iterator[tuple[str, Tensor]]:
    """Yield some layers and the features (1, C, h, w) of a tile's core."""
    for layer, features in network.iter_features(tile.cut(image), tile.wrap_around, layers):
        yield layer, features[(..., *tile.positions_in_extent(layer))]


@torch.no_grad()
def features_by_tiles(
    network: VGG19, image: Tensor, layers: Collection[str], tile: int
) -> dict[str, Tensor]:
    """Return the features of an image (1, 3, H, W) at some layers, in the network's dtype."""
    whole = dict[str, Tensor]()
    shape = (image.shape[2], image.shape[3])
    for one in tiles_of(network, shape, tile):
        for layer, features in iter_core_features(one, network, image, layers):
            if layer not in whole:
                whole[layer] = _buffer_for(features, layer, shape, image.device)
            whole[layer][(..., *one.positions(layer))] = features
            del features  # before those of the next layer are computed
    return whole


@torch.no_grad()
def vectors_by_tiles(
    network: VGG19,
    image: Tensor,
    tile: int,
    processes: Processes,
    readings: Sequence[Mapping[str, Reading]],
) -> list[dict[str, Tensor]]:
    """Return the vectors of some readings of an image, by layer."""
    found: list[dict[str, Tensor]] = [{} for _ in readings]
    shape = (image.shape[2], image.shape[3])
    layers = {layer for reading in readings for layer in reading}
    with processes.all_or_none():
        for one in processes.share(tiles_of(network, shape, tile, processes)):
            for layer, features in iter_core_features(one, network, image, layers):
                for vectors, reading in zip(found, readings, strict=True):
                    add_vectors(vectors, reading, one, layer, features, shape)
                del features  # before those of the next layer are computed
    return sum_vectors(found, processes)


def add_vectors(
    vectors: dict[str, Tensor],
    readings: Mapping[str, Reading],
    tile: Tile,
    layer: str,
    core: Tensor,
    shape: tuple[int, int],
) -> None:
    """Add what is read in a tile's core (1, C, h, w) to the vectors (K, C) of a layer."""
    if layer in readings:
        width = size_at(layer, shape)[1]
        part = readings[layer].in_window(tile.positions(layer), width).of(core)
        vectors[layer] = vectors[layer] + part if layer in vectors else part


def sum_vectors(
    found: Sequence[dict[str, Tensor]], processes: Processes
) -> list[dict[str, Tensor]]:
    """Return vectors added up over all processes."""
    if processes.count > 1:
        # All processes have the same layers, but not in the same order.
        summed = [{layer: one[layer].contiguous() for layer in sorted(one)} for one in found]
        processes.all_reduce([vectors for one in summed for vectors in one.values()])
        return summed
    return list(found)


class TiledStyle:
    """Moments and vectors of a style's features at some layers, computed tile by tile."""

    def __init__(
        self,
        network: VGG19,
        image: Tensor,
        layers: Collection[str],
        tile: int,
        processes: Processes = ALONE,
    ) -> None:
        self._network, self._image, self._processes = network, image, processes
        self._layers, self._tile = layers, tile
        self._tiles = tiles_of(network, (image.shape[2], image.shape[3]), tile, processes)
        self._found: tuple[Tensor | None, dict[str, Moments]] | None = None
        self._read: tuple[Tensor | None, tuple[int, int], dict[str, Tensor]] | None = None

    def exemplar(self, layer: str, share: float, mask: Tensor | None) -> MeasuredExemplar:
        """Return the moments at a layer of the pixels that a mask (1, 1, H, W) selects."""
        # All layers of one mask are asked for in turn; one pass computes them all.
        if self._found is None or self._found[0] is not mask:
            self._found = (mask, self._moments(mask))
        return MeasuredExemplar(self._found[1][layer], share)

    def sampled(
        self, layers: Mapping[str, float], share: float, mask: Tensor | None, number: int, seed: int
    ) -> SampledExemplar:
        """Return vectors of the pixels that a mask (1, 1, H, W) selects, at most so many."""
        if len(layers) > 1:
            (vectors,) = self._vectors([layers], mask, number, seed)
            found = joined([vectors[layer] for layer in layers], layers)
        else:
            # All layers of one mask are asked for in turn; one pass reads them all.
            key = (number, seed)
            if self._read is None or self._read[0] is not mask or self._read[1] != key:
                alone = [{layer: 1.0} for layer in self._layers]
                each = self._vectors(alone, mask, number, seed)
                self._read = (mask, key, {layer: one[layer] for one in each for layer in one})
            found = joined([self._read[2][layer] for layer in layers], layers)
        return SampledExemplar(found, share, self._network.dtype != torch.bfloat16)

    def _vectors(
        self,
        asked: Sequence[Mapping[str, float]],
        mask: Tensor | None,
        number: int,
        seed: int,
    ) -> list[dict[str, Tensor]]:
        shape = (self._image.shape[2], self._image.shape[3])
        readings = []
        for layers in asked:
            first = next(iter(layers))
            size, own = size_at(first, shape), mask_at(mask, first)
            readings.append(style_readings(size, layers, own, number, seed))
        return vectors_by_tiles(self._network, self._image, self._tile, self._processes, readings)

    @torch.no_grad()
    def _moments(self, mask: Tensor | None) -> dict[str, Moments]:
        masks = {layer: mask_at(mask, layer) for layer in self._layers}
        sums: dict[str, Moments] = {}
        with self._processes.all_or_none():
            for tile in self._processes.share(self._tiles):
                found = iter_core_features(tile, self._network, self._image, self._layers)
                for layer, features in found:
                    moments = Moments.of(features, tile.crop(masks[layer], layer))
                    sums[layer] = sums[layer] + moments if layer in sums else moments
                    del features  # before those of the next layer are computed
        return sum_over_processes(sums, self._processes)


def sum_over_processes(sums: Mapping[K, Moments], processes: Processes) -> dict[K, Moments]:
    """Return moments added up over all processes, which have the same keys in the same order."""
    if processes.count == 1:
        return dict(sums)
    firsts = [moments.first.contiguous() for moments in sums.values()]
    seconds = [moments.second.contiguous() for moments in sums.values()]
    weights = torch.tensor(
        [moments.weight for moments in sums.values()], dtype=torch.float64, device=firsts[0].device
    )
    processes.all_reduce([weights, *firsts, *seconds])
    return {
        key: Moments(weight, first, second)
        for key, weight, first, second in zip(sums, weights.tolist(), firsts, seconds, strict=True)
    }


def _buffer_for(
    features: Tensor, layer: str, shape: tuple[int, int], device: torch.device
) -> Tensor:
    """Return an empty tensor for a layer's features of a whole image, channels last."""
    height, width = (length >> poolings_before(layer) for length in shape)
    return torch.empty(
        (1, features.shape[1], height, width),
        dtype=features.dtype,
        device=device,
        memory_format=torch.channels_last,
    )
