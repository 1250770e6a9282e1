"""A layer in the place of another, which cannot become what is needed."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Image

_LOOKS = ("visible", "opacity", "blending", "gamma", "interpolation2d", "metadata")


def succeed(viewer: ViewerModel, layer: Image, former: Image, at: int) -> None:
    """Let a layer lie and look as one that was removed.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        Has the layer.
    layer, former : napari.layers.Image
        The new one and the one before.
    at : int
        Where that was among the viewer's layers.
    """
    viewer.layers.move(viewer.layers.index(layer), at)
    same_kind = not layer.rgb and not former.rgb
    for name in (*_LOOKS, *(("colormap", "contrast_limits") if same_kind else ())):
        setattr(layer, name, getattr(former, name))
