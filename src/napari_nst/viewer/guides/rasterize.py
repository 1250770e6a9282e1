"""Labels and Shapes layers as guides: which region each pixel of a picture lies in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from magicgui.widgets import ComboBox
from napari.layers import Labels, Shapes

from napari_nst.viewer.brush.stroke import capsule
from napari_nst.viewer.layers.position import (
    Position,
    layer_transform,
    shown_axes,
    shown_index,
    shown_point,
    whole_affine,
    world_units,
)

if TYPE_CHECKING:
    from napari.components import Dims, ViewerModel
    from napari.layers import Layer

__all__ = ["Guide", "guide_box", "guide_of"]

Array = np.ndarray[Any, Any]
LabelMap = np.ndarray[Any, np.dtype[np.int64]]

LABEL = "label"
"""The column of a Shapes layer's features that says which region a shape belongs to."""


@dataclass(frozen=True, eq=False)
class Guide:
    """What a guide layer shows now, picked in the main thread, to be read in another.

    Attributes
    ----------
    name : str
        Of the layer.
    read : callable
        Takes the height and width of the picture that is guided, at whatever size it was read,
        and returns its label map: int64 (H, W), 0 where there is no label. Raises `ValueError` if
        nothing of the picture has a label.
    """

    name: str
    read: Callable[[tuple[int, int]], LabelMap]


def guide_of(layer: Labels | Shapes, position: Position, dims: Dims) -> Guide:
    """Pick the regions that a layer marks on a picture, as they lie over it on the screen.

    The layer may have another scale, rotation, unit, size or number of dimensions than the picture.

    Parameters
    ----------
    layer : napari.layers.Labels or napari.layers.Shapes
        Of labels, the slice that is shown, as of the picture; each pixel takes the label that its
        centre lies in. Of shapes, those in the shown slice, the frontmost on top; a line or a path
        is as wide as it is drawn. A shape's label is its entry in the column ``label`` of the
        layer's features, else its number in order, from 1.
    position : Position
        Where the picture lies.
    dims : napari.components.Dims
        Of the viewer: which axes and which slice it shows. For the slice of some moment, give a
        copy from that moment.

    Raises
    ------
    TypeError
        If the layer is neither.
    ValueError
        If a shape's label is no whole number.
    """
    if not isinstance(layer, Labels | Shapes):
        raise TypeError(f"Layer {layer.name!r} is no guide; choose a Labels or a Shapes layer.")
    to_guide = _between(position, layer, dims)
    name = layer.name
    draw = _labels(layer, dims) if isinstance(layer, Labels) else _shapes(layer, dims)

    def read(shape: tuple[int, int]) -> LabelMap:
        labels = draw(to_guide @ _to_finest(position.shape, shape), shape)
        if not labels.any():
            raise ValueError(
                f"Layer {name!r} has no label where the picture is; draw a region on the slice "
                "that is shown, or choose no guide."
            )
        return labels

    return Guide(name, read)


def guide_box(viewer: ViewerModel, name: str, tooltip: str) -> ComboBox:
    """Return a drop-down of Labels and Shapes layers, and of none."""
    return ComboBox(
        name=name,
        label=name.replace("_", " ").capitalize(),
        choices=lambda _: [layer for layer in viewer.layers if isinstance(layer, Labels | Shapes)],
        tooltip=tooltip,
        nullable=True,
    )


# ── from pixels of the picture to those of the guide, as matrices of three by three ──────────


def _between(position: Position, layer: Layer, dims: Dims) -> Array:
    own = _plane_to_world(position.transform, position.axes, dims)
    guides = _plane_to_world(layer_transform(layer), shown_axes(layer, dims), dims)
    return np.asarray(np.linalg.inv(guides) @ own)


def _plane_to_world(transform: dict[str, Any], axes: tuple[int, int], dims: Dims) -> Array:
    """Return how napari draws a slice: two axes of the transform, whatever the others do."""
    matrix = whole_affine(transform).affine_matrix
    kept = [*axes, -1]
    units = world_units(transform["units"], dims)[list(axes)]
    return np.asarray(matrix[np.ix_(kept, kept)] / np.append(units, 1)[:, None])


def _to_finest(finest: tuple[int, int], shape: tuple[int, int]) -> Array:
    """Return where the pixels lie of a picture that covers the same place with others."""
    ratio = np.divide(finest, shape)
    matrix = np.diag([*ratio, 1.0])
    matrix[:2, 2] = (ratio - 1) / 2
    return matrix


# ── labels ───────────────────────────────────────────────────────────────────────────────────

Draw = Callable[[Array, tuple[int, int]], LabelMap]


def _labels(layer: Labels, dims: Dims) -> Draw:
    axes, at = shown_axes(layer, dims), shown_index(layer, dims)
    data = layer.data[0] if layer.multiscale else layer.data
    index = tuple(slice(None) if axis in axes else i for axis, i in enumerate(at))
    # What a brush may change meanwhile is copied; what is on a disk is read when it is needed.
    kept = data[index].copy() if isinstance(data, np.ndarray) else None

    def draw(to_guide: Array, shape: tuple[int, int]) -> LabelMap:
        shown = np.asarray(data[index]) if kept is None else kept
        return _sampled(shown.swapaxes(0, 1) if axes[0] > axes[1] else shown, to_guide, shape)

    return draw


def _sampled(labels: Array, to_guide: Array, shape: tuple[int, int]) -> LabelMap:
    """Return the labels that the centres of the pixels lie in."""
    height, width = labels.shape
    down, across = (_positions(row, shape) for row in to_guide[:2])
    beside = (down < 0) | (down >= height) | (across < 0) | (across >= width)
    sampled = labels[np.clip(down, 0, height - 1), np.clip(across, 0, width - 1)]
    found: LabelMap = np.where(beside, 0, sampled).astype(np.int64)
    return found


def _positions(row: Array, shape: tuple[int, int]) -> Array:
    """Return the guide's row or column that each pixel's centre lies in, at least (1, 1)."""
    # A centre on the border of two labels is the later one's, and not by chance of rounding.
    position = np.full((1, 1), row[2] + 0.5 + 1e-6)
    # Where the axes are parallel, one number for each row and each column is all there is.
    if row[0]:
        position = position + row[0] * np.arange(shape[0])[:, None]
    if row[1]:
        position = position + row[1] * np.arange(shape[1])
    return np.asarray(np.floor(position), np.int64)


# ── shapes ───────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, eq=False)
class _Region:
    label: int
    kind: str
    vertices: Array  # (n, 2), in the guide's own coordinates
    width: float

    def mark(self, labels: LabelMap, to_picture: Array) -> None:
        """Write the label into a picture's label map."""
        shape = (labels.shape[0], labels.shape[1])
        vertices = ellipse_outline(self.vertices) if self.kind == "ellipse" else self.vertices
        vertices = vertices @ to_picture[:2, :2].T + to_picture[:2, 2]
        if self.kind not in ("line", "path"):
            labels[polygon_mask(vertices, shape)] = self.label
            return
        # A line that is thinner than a pixel of the picture would leave gaps.
        width = max(self.width * float(np.sqrt(abs(np.linalg.det(to_picture)))), 1.0)
        for start, end in pairwise(vertices):
            box, coverage = capsule(start, end, width / 2, shape)
            labels[box][coverage >= 0.5] = self.label


def _shapes(layer: Shapes, dims: Dims) -> Draw:
    axes, at = list(shown_axes(layer, dims)), np.round(shown_point(layer, dims))
    hidden = [axis for axis in range(layer.ndim) if axis not in axes]
    labels = _labels_of(layer)
    # The sort is stable: of shapes at one depth, the later one lies on top.
    order = sorted(range(len(layer.data)), key=lambda i: layer.z_index[i])
    regions = [
        _Region(labels[i], layer.shape_type[i], layer.data[i][:, axes], layer.edge_width[i])
        for i in order
        if (np.round(layer.data[i][:, hidden]) == at[hidden]).all()
    ]

    def draw(to_guide: Array, shape: tuple[int, int]) -> LabelMap:
        to_picture, drawn = np.linalg.inv(to_guide), np.zeros(shape, np.int64)
        for region in regions:
            region.mark(drawn, to_picture)
        return drawn

    return draw


def _labels_of(layer: Shapes) -> list[int]:
    """Return the label of each shape, in order."""
    if LABEL not in layer.features:
        return list(range(1, len(layer.data) + 1))
    labels = list(layer.features[LABEL])
    for i, label in enumerate(labels):
        try:
            whole = int(label) == float(label)
        except (TypeError, ValueError, OverflowError):
            whole = False
        if not whole:
            raise ValueError(
                f"Layer {layer.name!r} has the label {label!r} for shape {i + 1}; give each shape "
                f"a whole number in the features' column {LABEL!r}, or remove the column."
            )
    return [int(label) for label in labels]


def ellipse_outline(corners: Array) -> Array:
    """Return 256 points (256, 2) of the ellipse that touches the sides of a parallelogram (4, 2).

    At a radius of 1000 pixels the polygon is off by less than 0.1 pixels.
    """
    center = (corners[0] + corners[2]) / 2
    across, down = (corners[1] - corners[0]) / 2, (corners[3] - corners[0]) / 2
    angle = np.linspace(0, 2 * np.pi, 256, endpoint=False)[:, None]
    outline: Array = center + np.cos(angle) * across + np.sin(angle) * down
    return outline


def polygon_mask(vertices: Array, shape: tuple[int, int]) -> Array:
    """Return, as bool (H, W), which pixels have their centre in a polygon, by the even-odd rule.

    In each row, an edge of the polygon marks the first pixel to its right; a pixel is inside after
    an odd number of marks. scikit-image's `polygon` takes seconds for an outline drawn by hand and
    keeps the GIL meanwhile; Pillow's rounds vertices to whole pixels.
    """
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
