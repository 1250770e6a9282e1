"""The position of a layer's shown slice in the n-dimensional world."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from napari.components import Dims
from napari.layers import Image, Labels, Layer
from napari.utils.transforms import Affine, CompositeAffine

Array = np.ndarray[Any, Any]

GAP = 1 / 16  # of the source's width, between it and what is put beside it


@dataclass(frozen=True, eq=False)
class Position:
    """The position of a two-dimensional image in a world of more dimensions."""

    shape: tuple[int, int]  # height and width of the slice that the transform belongs to
    axes: tuple[int, int]  # the layer's shown axes, the vertical one first
    index: tuple[int, ...]  # of the slice, for each axis of the layer; 0 on those that are shown
    transform: dict[str, Any]  # of the layer, as `add_image` takes it
    # The layer's axis of several images, such as its channels. None adds an axis before all others.
    panel_axis: int | None = None
    axes_before: int = 0  # how many of the first axes are the viewer's, not the layer's

    @property
    def ndim(self) -> int:
        """Number of dimensions of the layer."""
        return len(self.index)

    def pixel_axes(self, panels: int = 0) -> tuple[int, ...]:
        """Return the axes of a result: with `panels`, that of the images; vertical, horizontal."""
        if not panels:
            return self.axes
        if self.panel_axis is not None:
            return (self.panel_axis, *self.axes)
        return (0, *(axis + 1 for axis in self.axes))

    def data(self, pixels: Array, panels: int = 0) -> Array:
        """Return a view of an upright image, or of several, with the layer's dimensions."""
        axes = self.pixel_axes(panels)
        turned = pixels.transpose(*np.argsort(axes), *range(len(axes), pixels.ndim))
        others = set(range(self._result_ndim(panels))) - set(axes)
        return np.expand_dims(turned, tuple(sorted(others)))

    def image(self, data: Array) -> Array:
        """Return the image in a layer's data as a view (H, W) or (H, W, C): `data` in reverse."""
        return np.moveaxis(data, self.axes, (0, 1)).squeeze(tuple(range(2, self.ndim)))

    def transform_at(self, shape: tuple[float, float], panels: int = 0) -> dict[str, Any]:
        """Return the transform of an image of `shape` (H, W) that covers the same area."""
        own, shown = self.transform, list(self.axes)
        ratio, first = np.ones(self.ndim), np.array(self.index, float)
        ratio[shown] = np.divide(self.shape, shape)
        first[shown] = (ratio[shown] - 1) / 2  # integer coordinates are pixel centres
        if panels and self.panel_axis is not None:
            first[self.panel_axis] = 0
        moved = own | {"scale": own["scale"] * ratio, "translate": _composite(own)(first)}
        placed = _composite(moved)
        affine = Affine(affine_matrix=own["affine"])
        units, labels = own["units"], own["axis_labels"]
        if self._result_ndim(panels) > self.ndim:
            placed, affine = placed.expand_dims([0]), affine.expand_dims([0])
            units, labels = ("pixel", *units), ("picture", *labels)
        return {**_parts(placed, affine), "units": units, "axis_labels": labels}

    def expanded(
        self, scale: Array, translate: Array, units: tuple[Any, ...], labels: tuple[str, ...]
    ) -> Position:
        """Return the position with further axes, before all others, at their pixel 0."""
        own, count = self.transform, len(units)
        placed, affine = _composite(own), Affine(affine_matrix=own["affine"])
        transform = _parts(placed.expand_dims(range(count)), affine.expand_dims(range(count)))
        transform["scale"][:count], transform["translate"][:count] = scale, translate
        return replace(
            self,
            axes=(self.axes[0] + count, self.axes[1] + count),
            index=(*[0] * count, *self.index),
            transform={
                **transform,
                "units": (*units, *own["units"]),
                "axis_labels": (*labels, *own["axis_labels"]),
            },
            axes_before=count,
        )

    @property
    def world_corners(self) -> Array:
        """The corners of the image in the world, (4, ndim)."""
        corners = np.tile(np.array(self.index, float), (4, 1))
        height, width = self.shape
        ends = [(0, 0), (0, width), (height, 0), (height, width)]
        corners[:, list(self.axes)] = np.subtract(ends, 0.5)  # integers are pixel centres
        world: Array = whole_affine(self.transform)(corners)
        return world

    def beside(self, source: Position, tiles: int = 1) -> Position:
        """Return this position moved to the right of a source; room for `tiles` images in a row."""
        right = self.axes[1]
        own, other = self.world_corners[:, right], source.world_corners[:, right]
        step = np.zeros(self.ndim)
        step[right] = other.max() + GAP * np.ptp(other) + (tiles - 1) / 2 * np.ptp(own) - own.min()
        affine = Affine(affine_matrix=self.transform["affine"]).linear_matrix
        moved = self.transform["translate"] + np.linalg.solve(affine, step)
        return replace(self, transform={**self.transform, "translate": moved})

    def _result_ndim(self, panels: int) -> int:
        return self.ndim + bool(panels and self.panel_axis is None)


def position_of(layer: Image, dims: Dims) -> Position:
    """Return the position of the slice of a layer that the viewer shows."""
    axes = shown_axes(layer, dims)
    shape = layer.level_shapes[0]
    size = (int(shape[axes[0]]), int(shape[axes[1]]))
    return Position(size, axes, shown_index(layer, dims), layer_transform(layer))


def layer_transform(layer: Layer, first: Sequence[float] | Array = ()) -> dict[str, Any]:
    """Return a layer's transform, as `add_image` takes it, with its first pixel at `first`."""
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
    # The axes of a layer are the last axes of the viewer.
    missing = dims.ndim - layer.ndim
    shown = [axis - missing for axis in dims.order if axis >= missing]
    return shown[-2], shown[-1]


def shown_index(layer: Image | Labels, dims: Dims) -> tuple[int, ...]:
    """Return the index of the nearest slice to the viewer's sliders, 0 on the shown axes."""
    at = np.round(shown_point(layer, dims))
    return tuple(int(i) for i in np.clip(at, 0, np.array(layer.level_shapes[0])[: layer.ndim] - 1))


def shown_point(layer: Layer, dims: Dims) -> Array:
    """Return the sliders' position in a layer's data, even outside; 0 on the shown axes."""
    hidden, linear, first = _slicing(layer, dims)
    point = np.zeros(layer.ndim)
    if hidden:
        world = np.array(dims.point[-layer.ndim :]) * world_units(layer.units, dims)
        point[hidden] = np.nan_to_num(linear @ world[hidden] + first)
    return point


def shown_planes(layer: Image, dims: Dims, shape: Sequence[int]) -> tuple[int | slice, ...]:
    """Return the index that the viewer shows of a level of `shape`; slices are to be projected."""
    hidden, linear, _ = _slicing(layer, dims)
    lengths = np.array(shape)[: layer.ndim]
    ratio, last = lengths / layer.level_shapes[0][: layer.ndim], lengths - 1
    point = shown_point(layer, dims) * ratio
    nearest = np.clip(point, 0, last)  # napari shows nothing of a layer that is elsewhere
    planes: list[int | slice] = [slice(None)] * layer.ndim
    for axis in hidden:
        planes[axis] = round(nearest[axis])
    if str(layer.projection_mode) == "none":
        return tuple(planes)
    # The following is what napari does: `_ScalarFieldSliceRequest._data_slice_to_slices`.
    point = nearest if layer.multiscale else point
    for axis, margins in zip(hidden, linear @ _margins(layer, dims)[hidden], strict=True):
        before, after = margins * ratio[axis]
        low, high = (max(round(at), 0) for at in (point[axis] - before, point[axis] + after))
        high += bool(np.isclose(high, point[axis] + after))
        low = min(low, last[axis])
        planes[axis] = slice(low, max(high, low + 1))
    return tuple(planes)


def move_slider(layer: Image, dims: Dims, axis: int, index: int) -> None:
    """Let the viewer show another slice of a layer along an axis that is not shown."""
    hidden, linear, first = _slicing(layer, dims)
    if axis in hidden:
        at = np.array(shown_index(layer, dims))
        at[axis] = index
        world = np.linalg.solve(linear, at[hidden] - first) / world_units(layer.units, dims)[hidden]
        dims.set_point(dims.ndim - layer.ndim + axis, world[hidden.index(axis)])


def slice_text(layer: Image, dims: Dims, skip: int | None = None) -> str:
    """Return a slice without the axis `skip`, from 1: ``slice 5 of 40 along z``, or ""."""
    shape = layer.level_shapes[0]
    parts, is_thick = [], False
    for axis, shown in enumerate(shown_planes(layer, dims, shape)):
        if axis == skip or shape[axis] == 1 or shown == slice(None):
            continue
        planes = range(shape[axis])[shown if isinstance(shown, slice) else slice(shown, shown + 1)]
        is_thick |= len(planes) > 1
        # Counted from 1, as `--page` counts pages.
        first, last = planes[0] + 1, planes[-1] + 1
        which = f"{first} to {last}" if len(planes) > 1 else f"{first}"
        parts.append(f"{which} of {shape[axis]} along {axis_name(layer, dims, axis)}")
    if not parts:
        return ""
    projection = f", {layer.projection_mode} of them" if is_thick else ""
    # A volume's rendering is no image that could be read.
    as_in_2d = ", as shown in 2D" if dims.ndisplay == 3 else ""
    return f"slice{'s' if is_thick else ''} {', '.join(parts)}{projection}{as_in_2d}"


def axis_name(layer: Image, dims: Dims | None, axis: int) -> str:
    """Return the name of an axis from the layer, or from the viewer, or its number."""
    unnamed = str(axis - layer.ndim)  # napari numbers axes that have no name from the end
    names = [layer.axis_labels[axis]]
    if dims is not None:
        names.append(dims.axis_labels[axis - layer.ndim])
    return next((str(name) for name in names if name not in (unnamed, "")), f"axis {axis}")


def data_to_world(layer: Layer) -> Affine:
    """Return the transform from a layer's pixels to the world, without grid mode's shift."""
    return whole_affine(layer_transform(layer))


def whole_affine(transform: dict[str, Any]) -> Affine:
    """Return a layer's transform, in the parts that `add_image` takes, as one matrix."""
    return Affine(affine_matrix=transform["affine"] @ _composite(transform).affine_matrix)


def _parts(placed: Any, affine: Affine) -> dict[str, Any]:
    """Return the parts of a transform that `add_image` takes."""
    parts = {
        name: np.array(getattr(placed, name)) for name in ("scale", "translate", "rotate", "shear")
    }
    return {**parts, "affine": affine.affine_matrix}


def _composite(transform: dict[str, Any]) -> CompositeAffine:
    parts = {name: transform[name] for name in ("scale", "translate", "rotate", "shear")}
    return CompositeAffine(**parts, ndim=len(transform["scale"]))


def _slicing(layer: Layer, dims: Dims) -> tuple[list[int], Array, Array]:
    """Return the axes that are not shown, and the matrix and offset from the world to the data."""
    shown = shown_axes(layer, dims)  # napari ignores a tilt of the layer out of this plane
    hidden = [axis for axis in range(layer.ndim) if axis not in shown]
    to_data = np.linalg.inv(data_to_world(layer).affine_matrix)
    return hidden, to_data[np.ix_(hidden, hidden)], to_data[hidden, -1]


def _margins(layer: Layer, dims: Dims) -> Array:
    """Return how far a thick slice reaches before and after the sliders, (axes, 2) in the world."""
    margins = np.stack([dims.margin_left[-layer.ndim :], dims.margin_right[-layer.ndim :]], axis=1)
    return np.asarray(margins * world_units(layer.units, dims)[:, None])


def world_units(units: Sequence[Any], dims: Dims) -> Array:
    """Return, for each axis of a layer with these units, the viewer's unit in its unit."""
    if dims.units is None or len(dims.units) < len(units):
        return np.ones(len(units))
    pairs = zip(dims.units[-len(units) :], units, strict=True)
    return np.array([(1 * world).m_as(own) for world, own in pairs], float)
