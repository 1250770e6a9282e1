"""What the network sees in a large image, tile by tile: features of a content, sums of a style."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor

from napari_nst.engine.losses import AnyExemplar, Exemplar, MeasuredExemplar, Moments
from napari_nst.engine.masks import mask_at
from napari_nst.engine.tiles import Grid, Tile
from napari_nst.engine.vgg import VGG19
from napari_nst.recipe.layer_names import poolings_before


def features_in(tile: Tile, network: VGG19, image: Tensor) -> dict[str, Tensor]:
    """Return what a network sees in a tile: layer → (1, C, h, w), of the tile's own positions."""
    features = network(tile.cut(image), tile.joins)
    return {layer: own[(..., *tile.within_reach(layer))] for layer, own in features.items()}


@torch.no_grad()
def features_by_tiles(
    network: VGG19, image: Tensor, layers: Iterable[str], tile: int
) -> dict[str, Tensor]:
    """Return an image's features at some layers, in the network's number format.

    Parameters
    ----------
    network : VGG19
        It returns at least these layers.
    image : Tensor
        (1, 3, H, W).
    layers : iterable of str
        Canonical names.
    tile : int
        As for `Grid.of`.
    """
    whole: dict[str, Tensor] = {}
    for one in grid_of(network, image, tile):
        features = features_in(one, network, image)
        for layer in layers:
            if layer not in whole:
                whole[layer] = _room_for(features[layer], layer, image)
            whole[layer][(..., *one.positions(layer))] = features[layer]
        del features  # before the next tile's are computed
    return whole


class MeasuredStyle:
    """A style that is too large to be seen at once: what its features add up to.

    Parameters
    ----------
    network : VGG19
        What looks at it.
    image : Tensor
        (1, 3, H, W).
    tile : int
        As for `Grid.of`.
    """

    def __init__(self, network: VGG19, image: Tensor, tile: int) -> None:
        self._network, self._image = network, image
        self._grid = grid_of(network, image, tile)
        self._measured: tuple[Tensor | None, dict[str, Moments]] | None = None

    def exemplar(self, layer: str, share: float, mask: Tensor | None) -> MeasuredExemplar:
        """Return the sums at a layer of the positions that a mask (1, 1, H, W) of pixels counts."""
        # All layers of a mask are asked for in turn, and found in one pass.
        if self._measured is None or self._measured[0] is not mask:
            self._measured = (mask, self._moments(mask))
        return MeasuredExemplar(self._measured[1][layer], share)

    @torch.no_grad()
    def _moments(self, mask: Tensor | None) -> dict[str, Moments]:
        masks = {layer: mask_at(mask, layer) for layer in self._network.layers}
        sums: dict[str, Moments] = {}
        for tile in self._grid:
            features = features_in(tile, self._network, self._image)
            for layer, own in features.items():
                moments = Moments.of(own, cropped(masks[layer], tile, layer))
                sums[layer] = sums[layer] + moments if layer in sums else moments
            del features, own
        return sums


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


def cropped(mask: Tensor | None, tile: Tile, layer: str) -> Tensor | None:
    """Return what a tile has of a mask (1, 1, H', W') of a layer's positions."""
    return None if mask is None else mask[(..., *tile.positions(layer))]


def grid_of(network: VGG19, image: Tensor, tile: int) -> Grid:
    """Return the tiles that a network sees an image (1, 3, H, W) in; see `Grid.of`."""
    shape = (image.shape[-2], image.shape[-1])
    return Grid.of(shape, tile, network.layers, network.padding)


def _room_for(features: Tensor, layer: str, image: Tensor) -> Tensor:
    """Return an empty tensor for all that a layer has of an image, where that lies."""
    height, width = (length >> poolings_before(layer) for length in image.shape[-2:])
    return torch.empty(
        (1, features.shape[1], height, width),
        dtype=features.dtype,
        device=image.device,
        memory_format=torch.channels_last,
    )
