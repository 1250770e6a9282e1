"""A seamless texture, shown three by three around itself."""

from __future__ import annotations

from typing import Any

import numpy as np
from napari.components import ViewerModel
from napari.layers import Image

from napari_nst.io.record import RECORD
from napari_nst.viewer.layers.position import layer_transform
from napari_nst.viewer.layers.result_layer import replace_layer, set_alone
from napari_nst.viewer.layers.save import layout_of

Array = np.ndarray[Any, Any]

_TILES_OF = "napari-nst-tiles-of"


class Repeated:
    """An array repeated along some axes; pixels are copied only where they are asked for."""

    def __init__(self, pixels: Array, repeats: tuple[int, ...]) -> None:
        self._pixels = pixels
        self.shape = tuple(int(n) for n in np.multiply(pixels.shape, repeats))
        self.dtype, self.ndim = pixels.dtype, pixels.ndim
        self.size = int(np.prod(self.shape))

    def __getitem__(self, key: Any) -> Array:
        given = key if isinstance(key, tuple) else (key,)
        keys = (*given, *[slice(None)] * (self.ndim - len(given)))
        result, axis = self._pixels, 0
        for one, length, period in zip(keys, self.shape, self._pixels.shape, strict=True):
            if length > period or not isinstance(one, slice):
                at = np.arange(length)[one] % period
                result = result.take(at, axis)
                axis += np.ndim(at)
            else:
                result = result[(slice(None),) * axis + (one,)]
                axis += 1
        return result

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        return np.asarray(self[()], dtype)


def tile_preview(viewer: ViewerModel, layer: Image) -> Any:
    """Show a texture three by three around itself; update the preview of an earlier call."""
    vertical, horizontal = layout_of(layer)["axes"][-2:]
    levels = list(layer.data) if layer.multiscale else [layer.data]
    repeats, first = np.ones(levels[0].ndim, int), np.zeros(layer.ndim)
    for axis in (vertical, horizontal):
        repeats[axis], first[axis] = 3, -levels[0].shape[axis]
    tiled = [Repeated(level, tuple(repeats)) for level in levels]
    tiles: Any = tiled if layer.multiscale else tiled[0]
    transform = layer_transform(layer, first)
    metadata = {RECORD: dict(layer.metadata[RECORD]), _TILES_OF: layer.unique_id}
    display = {"rgb": layer.rgb, "contrast_limits": layer.contrast_limits}
    if not layer.rgb:
        display["colormap"] = layer.colormap
    display |= {"multiscale": layer.multiscale, **transform}
    for preview in viewer.layers:
        if preview.metadata.get(_TILES_OF) == layer.unique_id:
            if preview.multiscale != layer.multiscale:
                return replace_layer(viewer, preview, tiles, display)
            preview.data = tiles
            moved = {"scale": transform["scale"], "translate": transform["translate"]}
            set_alone(preview, metadata=metadata, **moved)
            return preview
    return viewer.add_image(tiles, name=f"{layer.name} 3 × 3", metadata=metadata, **display)


def move_tiles(viewer: ViewerModel, former: Image, layer: Image) -> None:
    """Let the preview of a layer belong to the layer that has taken its place."""
    for preview in viewer.layers:
        if preview.metadata.get(_TILES_OF) == former.unique_id:
            preview.metadata[_TILES_OF] = layer.unique_id
