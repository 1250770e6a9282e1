"""Controls that choose layers of the viewer, or layers of the network."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from magicgui.widgets import ComboBox, Select
from napari.layers import Image

from napari_nst.recipe import Recipe
from napari_nst.recipe.layer_names import COMPARED_LAYERS, canonical_layer
from napari_nst.viewer.controls.form import LongText

if TYPE_CHECKING:
    from napari.components import ViewerModel

_LIST_ROWS = 4


def image_layers(viewer: ViewerModel) -> list[Image]:
    """Return the viewer's image layers."""
    return [layer for layer in viewer.layers if isinstance(layer, Image)]


def layer_box(viewer: ViewerModel, name: str, tooltip: str, optional: bool = False) -> ComboBox:
    """Return a drop-down of image layers; if `optional`, it may also be empty."""
    return ComboBox(
        name=name,
        label=name.replace("_", " ").capitalize(),
        choices=lambda _: image_layers(viewer),
        tooltip=tooltip,
        nullable=optional,
    )


def layer_list(viewer: ViewerModel, name: str, tooltip: str) -> Select:
    """Return a list of image layers of which any number may be chosen."""
    chooser = Select(
        name=name,
        label=name.replace("_", " ").capitalize(),
        choices=lambda _: image_layers(viewer),
        tooltip=tooltip,
    )
    chooser.native.setFixedHeight(_LIST_ROWS * chooser.native.fontMetrics().height() + 8)
    return chooser


def chosen_layer(box: ComboBox, role: str) -> Any:
    """Return the layer that a drop-down shows; raise `ValueError` if there is none."""
    if box.value is None:
        raise ValueError(f"{role} needs an image layer; open or add one first.")
    return box.value


def compared_layers_text() -> LongText:
    """Return the control that names the network's layers to compare."""
    return LongText(
        name="compared_layers",
        label="Compared layers",
        value=", ".join(COMPARED_LAYERS),
        tooltip="One image for each of these layers, from conv1_1 to pool5; the slider below the "
        "canvas goes through them.",
    )


def compared_layers(control: LongText, recipe: Recipe) -> list[str]:
    """Read that control; raise `ValueError` if a comparison of these layers is impossible."""
    names = [canonical_layer(part) for part in control.value.replace(",", " ").split()]
    if not names:
        raise ValueError("Compared layers is empty; name at least one layer, such as relu4_2.")
    if recipe.init == "image":
        raise ValueError(
            "Start from is 'image', from which compared layers cannot start; choose 'noise'."
        )
    return names
