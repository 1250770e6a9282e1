"""Features of an image computed tile by tile: kept for a content, summed up for a style."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterator, Mapping
from typing import TypeVar

import torch
from torch import Tensor

from napari_nst.engine.distributed import ALONE, Processes
from napari_nst.engine.losses import MeasuredExemplar, Moments
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


class TiledStyleMoments:
    """The moments of a style's features at some layers, computed tile by tile."""

    def __init__(
        self,
        network: VGG19,
        image: Tensor,
        layers: Collection[str],
        tile: int,
        processes: Processes = ALONE,
    ) -> None:
        self._network, self._image, self._processes = network, image, processes
        self._layers = layers
        self._tiles = tiles_of(network, (image.shape[2], image.shape[3]), tile, processes)
        self._found: tuple[Tensor | None, dict[str, Moments]] | None = None

    def exemplar(self, layer: str, share: float, mask: Tensor | None) -> MeasuredExemplar:
        """Return the moments at a layer of the pixels that a mask (1, 1, H, W) selects."""
        # All layers of one mask are asked for in turn; one pass computes them all.
        if self._found is None or self._found[0] is not mask:
            self._found = (mask, self._moments(mask))
        return MeasuredExemplar(self._found[1][layer], share)

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
