"""Where a layer's shown slice lies in an n-dimensional world, and how a picture gets there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.utils.transforms import Affine, CompositeAffine

if TYPE_CHECKING:
    from napari.components import Dims
    from napari.layers import Image, Labels, Layer

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, eq=False)
class Position:
    """Where a two-dimensional picture lies in a world of more dimensions.

    Attributes
    ----------
    shape : tuple of int
        Height and width of the slice that the transform belongs to.
    axes : tuple of int
        The layer's axes that are shown, the vertical one first.
    index : tuple of int
        Which slice, for each axis of the layer; 0 on those that are shown.
    transform : dict
        `scale`, `translate`, `rotate`, `shear`, `affine`, `units` and `axis_labels` of the layer.
    panel_axis : int or None
        The layer's axis along which several pictures lie, such as its channels; None where they
        need an axis of their own, which comes before all others.
    """

    shape: tuple[int, int]
    axes: tuple[int, int]
    index: tuple[int, ...]
    transform: dict[str, Any]
    panel_axis: int | None = None

    @property
    def ndim(self) -> int:
        """How many dimensions the layer has."""
        return len(self.index)

    def along(self, axis: int) -> Position:
        """Return this place, with room for several pictures along one of the layer's axes."""
        return replace(self, panel_axis=axis)

    def pixel_axes(self, panels: int = 0) -> tuple[int, ...]:
        """Return which axes of a result its vertical and its horizontal one are.

        With `panels`, the axis on which the pictures follow each other comes before them.
        """
        if not panels:
            return self.axes
        if self.panel_axis is not None:
            return (self.panel_axis, *self.axes)
        return (0, *(axis + 1 for axis in self.axes))

    def data(self, pixels: Array, panels: int = 0) -> Array:
        """Return a view of a picture, with axes of length one for what it has no extent along.

        Parameters
        ----------
        pixels : ndarray
            (H, W) or (H, W, C) as the viewer shows it; with `panels`, (panels, H, W) or
            (panels, H, W, C).
        panels : int
            How many pictures there are; 0 for a single one that needs no axis.

        Returns
        -------
        ndarray
            For a slice of a stack (Z, Y, X), say, (1, H, W) or (1, H, W, C).
        """
        axes = self.pixel_axes(panels)
        turned = pixels.transpose(*np.argsort(axes), *range(len(axes), pixels.ndim))
        others = set(range(self._result_ndim(panels))) - set(axes)
        return np.expand_dims(turned, tuple(sorted(others)))

    def transform_at(self, shape: tuple[int, int], panels: int = 0) -> dict[str, Any]:
        """Return the transform of a picture that covers the same place with other pixels.

        Outer edges coincide. Pixel centres, not corners, sit on whole coordinates, so a change of
        size moves the first one by half the difference of the pixel sizes. Along the axes that are
        not shown, the picture lies where the slice does.

        Parameters
        ----------
        shape : tuple of int
            Height and width in pixels.
        panels : int
            As for `data`. An axis of their own is in pixels, one for each picture.
        """
        own, shown = self.transform, list(self.axes)
        ratio, first = np.ones(self.ndim), np.array(self.index, float)
        ratio[shown] = np.divide(self.shape, shape)
        first[shown] = (ratio[shown] - 1) / 2
        if panels and self.panel_axis is not None:
            first[self.panel_axis] = 0
        moved = own | {"scale": own["scale"] * ratio, "translate": _composite(own)(first)}
        placed = _composite(moved)
        affine = Affine(affine_matrix=own["affine"])
        units, labels = own["units"], own["axis_labels"]
        if self._result_ndim(panels) > self.ndim:
            placed, affine = placed.expand_dims([0]), affine.expand_dims([0])
            units, labels = ("pixel", *units), ("picture", *labels)
        return {
            "scale": placed.scale,
            "translate": placed.translate,
            "rotate": placed.rotate,
            "shear": placed.shear,
            "affine": affine.affine_matrix,
            "units": units,
            "axis_labels": labels,
        }

    def _result_ndim(self, panels: int) -> int:
        return self.ndim + bool(panels and self.panel_axis is None)


def position_of(layer: Image, dims: Dims) -> Position:
    """Return where the slice of a layer lies that the viewer shows."""
    axes = shown_axes(layer, dims)
    shape = layer.level_shapes[0]
    size = (int(shape[axes[0]]), int(shape[axes[1]]))
    return Position(size, axes, shown_index(layer, dims), layer_transform(layer))


def layer_transform(layer: Layer, first: Sequence[float] | Array = ()) -> dict[str, Any]:
    """Return where a layer lies, as `add_image` takes it.

    With `first`, a position in the layer's data, this is the transform of a layer whose first pixel
    lies there.
    """
    transform = {
        "scale": np.array(layer.scale),
        "translate": np.array(layer.translate),
        "rotate": np.array(layer.rotate),
        "shear": np.array(layer.shear),
        "affine": np.array(layer.affine.affine_matrix),
        "units": tuple(layer.units),
        "axis_labels": tuple(layer.axis_labels),
    }
    if len(first):
        transform["translate"] = _composite(transform)(first)
    return transform


def shown_axes(layer: Layer, dims: Dims) -> tuple[int, int]:
    """Return the layer's two axes that the viewer shows, the vertical one first."""
    # A layer of fewer dimensions than the viewer has the viewer's last ones.
    missing = dims.ndim - layer.ndim
    shown = [axis - missing for axis in dims.order if axis >= missing]
    return shown[-2], shown[-1]


def shown_index(layer: Image | Labels, dims: Dims) -> tuple[int, ...]:
    """Return where the viewer's sliders stand in a layer's data, for each of its axes.

    Where they stand beside the layer, it is the nearest slice. 0 on the axes that are shown.
    """
    at = np.round(shown_point(layer, dims))
    return tuple(int(i) for i in np.clip(at, 0, np.array(layer.level_shapes[0])[: layer.ndim] - 1))


def shown_point(layer: Layer, dims: Dims) -> Array:
    """Return where the sliders stand in a layer's data, be it beside it; 0 on the shown axes."""
    hidden, linear, first = _slicing(layer, dims)
    point = np.zeros(layer.ndim)
    if hidden:
        world = np.array(dims.point[-layer.ndim :]) * world_units(layer.units, dims)
        point[hidden] = np.nan_to_num(linear @ world[hidden] + first)
    return point


def move_slider(layer: Image, dims: Dims, axis: int, index: int) -> None:
    """Let the viewer show another slice of a layer along an axis, unless that axis is shown."""
    hidden, linear, first = _slicing(layer, dims)
    if axis in hidden:
        at = np.array(shown_index(layer, dims))
        at[axis] = index
        world = np.linalg.solve(linear, at[hidden] - first) / world_units(layer.units, dims)[hidden]
        dims.set_point(dims.ndim - layer.ndim + axis, world[hidden.index(axis)])


def slice_text(layer: Image, dims: Dims, index: Sequence[int], skip: int | None = None) -> str:
    """Say which slice of a layer is meant, such as ``slice z = 5 of 40``; "" for a flat layer.

    Slices count from 0, as beside the viewer's sliders. Axes of length one are left out, and the
    one to `skip`.
    """
    axes = shown_axes(layer, dims)
    shape = layer.level_shapes[0]
    parts = [
        f"{axis_name(layer, dims, axis)} = {index[axis]} of {shape[axis]}"
        for axis in range(layer.ndim)
        if axis not in axes and axis != skip and shape[axis] > 1
    ]
    return f"slice {', '.join(parts)}" if parts else ""


def axis_name(layer: Image, dims: Dims | None, axis: int) -> str:
    """Return what the layer calls an axis, or the viewer, or else its number."""
    unnamed = str(axis - layer.ndim)  # napari numbers axes that have no name from the end
    names = [layer.axis_labels[axis]]
    if dims is not None:
        names.append(dims.axis_labels[axis - layer.ndim])
    return next((str(name) for name in names if name not in (unnamed, "")), f"axis {axis}")


def data_to_world(layer: Layer) -> Affine:
    """Return how a layer's pixels lie in the world; in grid mode too, which moves them aside."""
    return whole_affine(layer_transform(layer))


def whole_affine(transform: dict[str, Any]) -> Affine:
    """Return a layer's transform, in the parts that `add_image` takes, as one matrix."""
    return Affine(affine_matrix=transform["affine"] @ _composite(transform).affine_matrix)


def _composite(transform: dict[str, Any]) -> CompositeAffine:
    parts = {name: transform[name] for name in ("scale", "translate", "rotate", "shear")}
    return CompositeAffine(**parts, ndim=len(transform["scale"]))


def _slicing(layer: Layer, dims: Dims) -> tuple[list[int], Array, Array]:
    """Return the axes that are not shown, and how napari finds a layer's slice along them.

    That is a matrix and an offset, from the world to the layer's data. Of a layer that is tilted
    out of the shown plane, napari takes the slice as if it were not.
    """
    shown = shown_axes(layer, dims)
    hidden = [axis for axis in range(layer.ndim) if axis not in shown]
    to_data = np.linalg.inv(data_to_world(layer).affine_matrix)
    return hidden, to_data[np.ix_(hidden, hidden)], to_data[hidden, -1]


def world_units(units: Sequence[Any], dims: Dims) -> Array:
    """Return, for each axis of a layer with these units, how many of its unit the viewer's is."""
    if dims.units is None or len(dims.units) < len(units):
        return np.ones(len(units))
    pairs = zip(dims.units[-len(units) :], units, strict=True)
    return np.array([(1 * world).m_as(own) for world, own in pairs], float)
