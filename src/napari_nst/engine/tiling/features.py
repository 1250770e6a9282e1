"""What the network sees in a large image, tile by tile: features of a content, sums of a style."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping
from typing import TypeVar

import torch
from torch import Tensor

from napari_nst.engine.distributed import ALONE, Processes
from napari_nst.engine.losses import AnyExemplar, Exemplar, MeasuredExemplar, Moments
from napari_nst.engine.objective.masks import mask_at
from napari_nst.engine.run.bands import Bands
from napari_nst.engine.run.shelf import MEMORY, Shelf
from napari_nst.engine.tiling.grid import Grid, Tile
from napari_nst.engine.tiling.spans import length_of
from napari_nst.engine.vgg.network import VGG19
from napari_nst.recipe.layer_names import poolings_before

K = TypeVar("K", bound=Hashable)


def features_in(tile: Tile, network: VGG19, image: Tensor) -> Iterator[tuple[str, Tensor]]:
    """Yield what a network sees in a tile, layer by layer: (1, C, h, w) of its own positions."""
    for layer, features in network.along(tile.cut(image), tile.joins):
        yield layer, features[(..., *tile.within_reach(layer))]


@torch.no_grad()
def features_by_tiles(
    network: VGG19,
    seen: Tensor,
    layers: Iterable[str],
    grid: Grid,
    shelf: Shelf = MEMORY,
) -> dict[str, Tensor]:
    """Return an image's features at some layers, in the network's number format.

    Of several processes, each gets those of its own rows.

    Parameters
    ----------
    network : VGG19
        It returns at least these layers.
    seen : Tensor
        (1, 3, h, W): the rows of the image that this process sees.
    layers : iterable of str
        Canonical names.
    grid : Grid
        The tiles that it computes.
    shelf : Shelf
        Where the features are kept.
    """
    whole, wanted = dict[str, Tensor](), set(layers)
    shape = (length_of(grid.bands.own.core), seen.shape[3])
    for one in grid:
        for layer, features in features_in(one, network, seen):
            if layer in wanted:
                if layer not in whole:
                    whole[layer] = _room_for(features, layer, shape, seen.device, shelf)
                whole[layer][(..., *one.positions(layer))] = features
            del features  # before the next layer's are computed
    return whole


class MeasuredStyle:
    """A style of which only the sums are kept that its features come to, layer by layer.

    Parameters
    ----------
    network : VGG19
        What looks at it.
    image : Tensor
        (1, 3, H, W).
    tile, processes : int, Processes
        As for `Grid.of`.
    """

    def __init__(
        self, network: VGG19, image: Tensor, tile: int, processes: Processes = ALONE
    ) -> None:
        self._grid = grid_of(network, (image.shape[2], image.shape[3]), tile, processes)
        self._network, self._seen = network, self._grid.bands.around(image)
        self._measured: tuple[Tensor | None, dict[str, Moments]] | None = None

    def exemplar(self, layer: str, share: float, mask: Tensor | None) -> MeasuredExemplar:
        """Return the sums at a layer of the positions that a mask (1, 1, H, W) of pixels counts."""
        # All layers of a mask are asked for in turn, and found in one pass.
        if self._measured is None or self._measured[0] is not mask:
            self._measured = (mask, self._moments(mask))
        return MeasuredExemplar(self._measured[1][layer], share)

    @torch.no_grad()
    def _moments(self, mask: Tensor | None) -> dict[str, Moments]:
        bands = self._grid.bands
        masks = {
            layer: own_rows(mask_at(mask, layer), bands, layer) for layer in self._network.layers
        }
        sums: dict[str, Moments] = {}
        with bands.processes.all_or_none():
            for tile in self._grid:
                for layer, own in features_in(tile, self._network, self._seen):
                    moments = Moments.of(own, cropped(masks[layer], tile, layer))
                    sums[layer] = sums[layer] + moments if layer in sums else moments
                    del own  # before the next layer's are computed
        return added_up(sums, bands)


SeenStyle = Mapping[str, Tensor] | MeasuredStyle
"""What is known of a style: its features at each layer, (1, C, H, W), or what they add up to."""


def exemplar_of(style: SeenStyle, layer: str, share: float, mask: Tensor | None) -> AnyExemplar:
    """Return what a style loss of a layer compares with.

    Parameters
    ----------
    style : SeenStyle
        Where it is taken from.
    layer : str
        One of the style's.
    share : float
        How much it counts among others.
    mask : Tensor or None
        Which pixels of the style count, (1, 1, H, W).
    """
    if isinstance(style, MeasuredStyle):
        return style.exemplar(layer, share, mask)
    return Exemplar(style[layer], share, mask_at(mask, layer))


def own_rows(mask: Tensor | None, bands: Bands, layer: str) -> Tensor | None:
    """Return what this process has of a mask (1, 1, H', W') of a layer's positions."""
    if mask is None or not bands.are_divided:
        return mask
    return bands.positions(mask, 1 << poolings_before(layer)).clone()  # the others' can go


def cropped(mask: Tensor | None, tile: Tile, layer: str) -> Tensor | None:
    """Return what a tile has of a mask (1, 1, H', W') of a layer's positions."""
    return None if mask is None else mask[(..., *tile.positions(layer))]


def added_up(sums: Mapping[K, Moments], bands: Bands) -> dict[K, Moments]:
    """Return the sums over the rows of all processes."""
    if not bands.are_divided:
        return dict(sums)
    firsts = [moments.first.contiguous() for moments in sums.values()]
    seconds = [moments.second.contiguous() for moments in sums.values()]
    weights = torch.tensor(
        [moments.weight for moments in sums.values()], dtype=torch.float64, device=firsts[0].device
    )
    bands.processes.add_up([weights, *firsts, *seconds])
    return {
        key: Moments(weight, first, second)
        for key, weight, first, second in zip(sums, weights.tolist(), firsts, seconds, strict=True)
    }


def grid_of(
    network: VGG19, shape: tuple[int, int], tile: int, processes: Processes = ALONE
) -> Grid:
    """Return the tiles that a network sees an image of some height and width in; see `Grid.of`."""
    return Grid.of(shape, tile, network.layers, network.padding, processes)


def _room_for(
    features: Tensor, layer: str, shape: tuple[int, int], device: torch.device, shelf: Shelf
) -> Tensor:
    """Return an empty tensor for all that a layer has of some rows of an image."""
    height, width = (length >> poolings_before(layer) for length in shape)
    channels_last = (1, height, width, features.shape[1])
    return shelf.empty(channels_last, features.dtype, device).permute(0, 3, 1, 2)
