"""Drop-downs and lists of the viewer's image layers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from magicgui.widgets import ComboBox, Select
from napari.layers import Image

if TYPE_CHECKING:
    from napari.components import ViewerModel


def image_layers(viewer: ViewerModel) -> list[Image]:
    """Return what a run can look at; labels, points and shapes are no images."""
    return [layer for layer in viewer.layers if isinstance(layer, Image)]


def layer_box(viewer: ViewerModel, name: str, tooltip: str, optional: bool = False) -> ComboBox:
    """Return a drop-down of image layers; with `optional`, of none too."""
    return ComboBox(
        name=name,
        label=name.replace("_", " ").capitalize(),
        choices=lambda _: image_layers(viewer),
        tooltip=tooltip,
        nullable=optional,
    )


def layer_list(viewer: ViewerModel, name: str, tooltip: str) -> Select:
    """Return a list of image layers, of which any number may be chosen; none at first."""
    chooser = Select(
        name=name,
        label=name.replace("_", " ").capitalize(),
        choices=lambda _: image_layers(viewer),
        tooltip=tooltip,
    )
    rows = 4
    chooser.native.setFixedHeight(rows * chooser.native.fontMetrics().height() + 8)
    return chooser


def chosen_layer(box: ComboBox, role: str) -> Any:
    """Return the layer that a drop-down shows.

    Raises
    ------
    ValueError
        If there is none.
    """
    if box.value is None:
        raise ValueError(f"{role} needs an image layer; open or add one first.")
    return box.value
