"""Changes to the plugin's own layers: no other layer follows, and what the user has set stays."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from napari.components import ViewerModel
from napari.experimental import link_layers, unlink_layers
from napari.layers import Layer

from napari_nst.viewer.layers.position import Position, layer_transform

_OF_PIXELS = ("rgb", "multiscale", "locked_data_level", "colormap", "contrast_limits")
"""Arguments of `add_image` that do not suit every kind of pixels."""

PASSING = "napari-nst-passing"
"""Key in the metadata of a layer that belongs to a view of the plugin: no run can use it."""


def set_alone(layer: Any, **values: Any) -> None:
    """Set attributes of a layer; layers that the user has linked with it keep theirs."""
    unlink_layers([_unwrapped(layer)], tuple(values))
    for name, value in values.items():
        setattr(layer, name, value)


def put_below(viewer: ViewerModel, layer: Any, guides: Iterable[Layer]) -> None:
    """Move a layer below the guides, which are drawn on; one that is selected stays selected."""
    layers = viewer.layers
    present = [layers.index(guide) for guide in guides if guide in layers]
    if present and layers.index(layer) > min(present):
        layers.move(layers.index(layer), min(present))


def add_below(viewer: ViewerModel, guides: Sequence[Layer], data: Any, **options: Any) -> Any:
    """Add an image below the guides; a guide that the user draws on stays the active layer."""
    active = viewer.layers.selection.active
    layer: Any = viewer.add_image(data, **options)
    put_below(viewer, layer, guides)
    if active in guides:
        viewer.layers.selection.active = active
    return layer


class Placement:
    """The position of one of the plugin's layers, or the one to which the user has moved it."""

    def __init__(self, position: Position, panels: int = 0) -> None:
        self._position = position
        self._panels = panels
        self._shape = position.shape
        self._written: dict[str, Any] | None = None  # the transform that the layer was given

    def transform_at(self, shape: tuple[int, int]) -> dict[str, Any]:
        """Return the transform of an image of another height and width, as `add_image` takes it."""
        return self._position.transform_at(shape, self._panels)

    def placed(self, layer: Any, shape: tuple[int, int]) -> None:
        """Note the transform of a layer that was added with pixels of this height and width."""
        self._written, self._shape = layer_transform(layer), shape

    def follow(self, layer: Any) -> None:
        """Take over the transform of a layer that the user has moved."""
        now = layer_transform(layer)
        if self._written is None or _is_same(now, self._written):
            return
        axes = self._position.pixel_axes(self._panels)[-2:]
        self._position = Position(self._shape, (axes[0], axes[1]), (0,) * layer.ndim, now)
        self._panels = 0

    def resize(self, layer: Any, shape: tuple[int, int]) -> None:
        """Let a layer with pixels of another height and width cover the same area."""
        self.follow(layer)
        transform = self.transform_at(shape)
        set_alone(layer, scale=transform["scale"], translate=transform["translate"])
        self.placed(layer, shape)


def replace_layer(viewer: ViewerModel, former: Any, data: Any, display: Mapping[str, Any]) -> Any:
    """Put an image layer in the place of another, with all that the user has set on that one."""
    layers = viewer.layers
    _, state, _ = former.as_layer_data_tuple()
    state = {name: value for name, value in state.items() if name not in _OF_PIXELS}
    state["metadata"] = dict(former.metadata)
    # Proxies of one layer are equal, not identical.
    links = {other: _links(former, other) for other in layers if other != former}
    index, active = layers.index(former), layers.selection.active
    was_selected = former in layers.selection
    selected = [layer for layer in layers.selection if layer != former]
    layers.remove(former)
    layer: Any = viewer.add_image(data, **(state | dict(display) | {"name": former.name}))
    layer.locked = former.locked
    if layer.rgb == former.rgb:
        limits = ("contrast_limits_range", "contrast_limits")
        for name in limits if layer.rgb else (*limits, "colormap"):
            setattr(layer, name, getattr(former, name))
    layers.move(layers.index(layer), index)
    layers.selection = [*selected, *([layer] if was_selected else [])]
    layers.selection.active = layer if active == former else active
    for other, names in links.items():
        if names:
            link_layers([_unwrapped(layer), _unwrapped(other)], names)
    return layer


def _links(layer: Any, other: Any) -> set[str]:
    """Return which attributes of two layers are linked, and unlink them."""
    pair = [_unwrapped(layer), _unwrapped(other)]
    missing = {name for _, _, name in link_layers(pair)}  # links that exist are not made again
    unlink_layers(pair)
    every = {name for _, _, name in link_layers(pair)}
    unlink_layers(pair)
    return every - missing


def _is_same(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    return all(np.array_equal(one[name], other[name]) for name in one)


def _unwrapped(layer: Any) -> Any:
    # A plugin gets proxies of layers, which are new on each access; links hold layers themselves.
    return getattr(layer, "__wrapped__", layer)
