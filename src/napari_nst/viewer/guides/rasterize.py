"""Labels and Shapes layers as label maps: the region of every pixel of an image."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from napari.components import Dims
from napari.layers import Labels, Shapes

from napari_nst.viewer.brush import capsule
from napari_nst.viewer.layers.position import (
    Position,
    layer_transform,
    shown_axes,
    shown_index,
    shown_point,
    whole_affine,
    world_units,
)

Array = np.ndarray[Any, Any]
LabelMap = np.ndarray[Any, np.dtype[np.int64]]
Draw = Callable[[Array, tuple[int, int]], LabelMap]
"""Draws a label map of some shape, given the matrix from its pixels to the layer's data."""

Guide = Callable[[tuple[int, int]], LabelMap]
"""Returns the label map, 0 for no label, for the height and width at which an image was read; it is
made in the main thread and called in the run's thread."""

LABEL = "label"  # the column of a Shapes layer's features with the label of each shape


def guide_of(layer: Labels | Shapes, position: Position, dims: Dims) -> Guide:
    """Return the regions that a layer marks on the image at a position, as they are displayed."""
    if not isinstance(layer, Labels | Shapes):
        raise TypeError(f"Layer {layer.name!r} is no guide; choose a Labels or a Shapes layer.")
    own = _plane_to_world(position.transform, position.axes, dims)
    layers = _plane_to_world(layer_transform(layer), shown_axes(layer, dims), dims)
    to_layer, name = np.linalg.inv(layers) @ own, layer.name
    draw = _draw_labels(layer, dims) if isinstance(layer, Labels) else _draw_shapes(layer, dims)

    def read(shape: tuple[int, int]) -> LabelMap:
        labels = draw(to_layer @ _to_full_size(position.shape, shape), shape)
        if not labels.any():
            raise ValueError(
                f"Layer {name!r} has no label on the image; draw a region on the slice that is "
                "shown, or choose no guide."
            )
        return labels

    return read


def _plane_to_world(transform: dict[str, Any], axes: tuple[int, int], dims: Dims) -> Array:
    """Return how napari displays a slice: the two shown axes of the transform, without others."""
    matrix = whole_affine(transform).affine_matrix
    shown = [*axes, -1]
    units = world_units(transform["units"], dims)[list(axes)]
    return np.asarray(matrix[np.ix_(shown, shown)] / np.append(units, 1)[:, None])


def _to_full_size(full: tuple[int, int], shape: tuple[int, int]) -> Array:
    """Return the matrix from pixels of an image of this shape to those of the full-size image."""
    ratio = np.divide(full, shape)
    matrix = np.diag([*ratio, 1.0])
    matrix[:2, 2] = (ratio - 1) / 2
    return matrix


def _draw_labels(layer: Labels, dims: Dims) -> Draw:
    axes, at = shown_axes(layer, dims), shown_index(layer, dims)
    data = layer.data[0] if layer.multiscale else layer.data
    index = tuple(slice(None) if axis in axes else i for axis, i in enumerate(at))
    # An array is copied, because the user may paint in it; lazy data are read when needed.
    copied = data[index].copy() if isinstance(data, np.ndarray) else None

    def draw(to_layer: Array, shape: tuple[int, int]) -> LabelMap:
        shown = np.asarray(data[index]) if copied is None else copied
        return _sample(shown.swapaxes(0, 1) if axes[0] > axes[1] else shown, to_layer, shape)

    return draw


def _sample(labels: Array, to_layer: Array, shape: tuple[int, int]) -> LabelMap:
    """Return the label at the centre of every pixel, 0 outside the layer."""
    height, width = labels.shape
    row, column = (_coordinates(matrix_row, shape) for matrix_row in to_layer[:2])
    outside = (row < 0) | (row >= height) | (column < 0) | (column >= width)
    sampled = labels[np.clip(row, 0, height - 1), np.clip(column, 0, width - 1)]
    return np.where(outside, 0, sampled).astype(np.int64)


def _coordinates(matrix_row: Array, shape: tuple[int, int]) -> Array:
    """Return the layer's row or column at the centre of every pixel, broadcastable to `shape`."""
    # A centre on the border of two labels always gets the later one, despite rounding errors.
    position = np.full((1, 1), matrix_row[2] + 0.5 + 1e-6)
    # Where image and layer are parallel, one term is 0 and the array stays one-dimensional.
    if matrix_row[0]:
        position = position + matrix_row[0] * np.arange(shape[0])[:, None]
    if matrix_row[1]:
        position = position + matrix_row[1] * np.arange(shape[1])
    return np.asarray(np.floor(position), np.int64)


@dataclass(frozen=True, eq=False)
class _Region:
    label: int
    kind: str
    vertices: Array  # (n, 2), in the layer's data
    width: float

    def draw(self, labels: LabelMap, to_image: Array) -> None:
        """Write the label into a label map."""
        shape = (labels.shape[0], labels.shape[1])
        vertices = ellipse_outline(self.vertices) if self.kind == "ellipse" else self.vertices
        vertices = vertices @ to_image[:2, :2].T + to_image[:2, 2]
        if self.kind not in ("line", "path"):
            labels[polygon_mask(vertices, shape)] = self.label
            return
        # A line thinner than a pixel of the image would have gaps.
        width = max(self.width * float(np.sqrt(abs(np.linalg.det(to_image)))), 1.0)
        for start, end in pairwise(vertices):
            box, coverage = capsule(start, end, width / 2, shape)
            labels[box][coverage >= 0.5] = self.label


def _draw_shapes(layer: Shapes, dims: Dims) -> Draw:
    axes, at = list(shown_axes(layer, dims)), np.round(shown_point(layer, dims))
    hidden = [axis for axis in range(layer.ndim) if axis not in axes]
    labels = _labels_of(layer)
    # The sort is stable: of two shapes at one depth, the later one is on top.
    order = sorted(range(len(layer.data)), key=lambda i: layer.z_index[i])
    regions = [
        _Region(labels[i], layer.shape_type[i], layer.data[i][:, axes], layer.edge_width[i])
        for i in order
        if (np.round(layer.data[i][:, hidden]) == at[hidden]).all()
    ]

    def draw(to_layer: Array, shape: tuple[int, int]) -> LabelMap:
        to_image, drawn = np.linalg.inv(to_layer), np.zeros(shape, np.int64)
        for region in regions:
            region.draw(drawn, to_image)
        return drawn

    return draw


def _labels_of(layer: Shapes) -> list[int]:
    """Return the label of each shape: its entry in the features, or else its number from 1."""
    if LABEL not in layer.features:
        return list(range(1, len(layer.data) + 1))
    labels = list(layer.features[LABEL])
    for i, label in enumerate(labels):
        try:
            is_integer = int(label) == float(label)
        except (TypeError, ValueError, OverflowError):
            is_integer = False
        if not is_integer:
            raise ValueError(
                f"Layer {layer.name!r} has the label {label!r} for shape {i + 1}; give each shape "
                f"an integer in the features' column {LABEL!r}, or remove the column."
            )
    return [int(label) for label in labels]


def ellipse_outline(corners: Array) -> Array:
    """Return 256 points of the ellipse that touches the sides of a parallelogram (4, 2)."""
    centre = (corners[0] + corners[2]) / 2
    across, down = (corners[1] - corners[0]) / 2, (corners[3] - corners[0]) / 2
    angle = np.linspace(0, 2 * np.pi, 256, endpoint=False)[:, None]
    outline: Array = centre + np.cos(angle) * across + np.sin(angle) * down
    return outline


def polygon_mask(vertices: Array, shape: tuple[int, int]) -> Array:
    """Return which pixels have their centre in a polygon, by the even-odd rule."""
    # In each row, an edge marks the first pixel to its right; a pixel is inside after an odd number
    # of marks. scikit-image's `polygon` takes seconds for an outline drawn by hand.
    height, width = shape
    start, end = vertices, np.roll(vertices, -1, axis=0)
    first, stop = (
        np.clip(np.ceil(extreme(start[:, 0], end[:, 0])), 0, height).astype(int)
        for extreme in (np.minimum, np.maximum)
    )
    rows_crossed = stop - first
    edge = np.repeat(np.arange(len(vertices)), rows_crossed)
    row = np.arange(len(edge)) - np.repeat(np.cumsum(rows_crossed) - rows_crossed, rows_crossed)
    row += first[edge]
    down, across = (end[edge] - start[edge]).T
    crossing = start[edge, 1] + (row - start[edge, 0]) / down * across
    column = np.clip(np.ceil(crossing), 0, width).astype(int)
    marks = np.bincount(row * (width + 1) + column, minlength=height * (width + 1))
    is_odd = (marks % 2).astype(bool).reshape(height, width + 1)
    return np.asarray(np.logical_xor.accumulate(is_odd, axis=1)[:, :-1])
