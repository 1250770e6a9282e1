"""A sheet of labelled pictures as a layer beside what is there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_nst.io.contact_sheet import Sheet
from napari_nst.viewer.layers.position import Place, whole_affine, world_units

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari.components import ViewerModel

GAP = 1 / 16
"""Distance from the layers beside it, of the content's width."""


def add_sheet(
    viewer: ViewerModel,
    place: Place,
    sheet: Sheet,
    *,
    name: str,
    metadata: Mapping[str, Any] | None = None,
) -> Any:
    """Show a sheet to the right of all that is visible, level with a place, in its slice.

    It lies upright, and each of its pictures is as large as the place. The camera goes back to
    show everything, unless the view is in 3D.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        Gets the layer.
    place : Place
        Where the content lies.
    sheet : Sheet
        The pictures.
    name, metadata
        Of the layer.

    Returns
    -------
    napari.layers.Image
        Of RGB.
    """
    layer: Any = viewer.add_image(
        place.data(sheet.pixels),
        name=name,
        rgb=True,
        interpolation2d="linear",
        metadata=dict(metadata or {}),
        **_transform(viewer, place, sheet),
    )
    if viewer.dims.ndisplay == 2:
        viewer.fit_to_view()
    return layer


def _transform(viewer: ViewerModel, place: Place, sheet: Sheet) -> dict[str, Any]:
    """Return the transform of a sheet beside all visible layers, level with the content."""
    dims = viewer.dims
    own = place.transform
    to_world = whole_affine(own)
    top, left, bottom, right = sheet.rectangles[0]
    shown = list(place.axes)
    # As long as the content's edges, whichever way it is turned.
    edges = np.linalg.norm(to_world.linear_matrix[:, shown], axis=0) * place.shape
    scale = np.array(own["scale"])
    scale[shown] = edges / (bottom - top, right - left)
    corners = [_at(place, y, x) for y in (0, place.shape[0]) for x in (0, place.shape[1])]
    translate = np.min([to_world(corner) for corner in corners], axis=0)
    hidden = [axis for axis in range(place.ndim) if axis not in shown]
    translate[hidden] = to_world(np.array(place.index, float))[hidden]
    visible = [layer for layer in viewer.layers if layer.visible]
    if visible:
        last = np.array(viewer.layers.get_extent(visible).world)[1]
        units = world_units(own["units"], dims)
        across = shown[1]
        translate[across] = (last[-place.ndim :] * units)[across] + GAP * edges[1]
    # Pixel centres, not corners, sit on whole coordinates.
    translate[shown] += scale[shown] / 2
    return {
        "scale": scale,
        "translate": translate,
        "units": own["units"],
        "axis_labels": own["axis_labels"],
    }


def _at(place: Place, y: float, x: float) -> np.ndarray[Any, Any]:
    """Return a corner of the content in its own pixels."""
    corner = np.array(place.index, float)
    corner[list(place.axes)] = y - 0.5, x - 0.5
    return corner
