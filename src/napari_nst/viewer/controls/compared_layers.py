"""Which layers of the network to show side by side."""

from __future__ import annotations

from napari_nst.recipe import Recipe
from napari_nst.recipe.layer_names import COMPARED_LAYERS, canonical_layer
from napari_nst.viewer.controls.form import LongText


def compared_layers_text() -> LongText:
    """Return the control that names them."""
    return LongText(
        name="compared_layers",
        label="Compared layers",
        value=", ".join(COMPARED_LAYERS),
        tooltip="One picture for each of these layers, from conv1_1 to pool5; the slider below the "
        "canvas goes through them.",
    )


def compared_layers(control: LongText, recipe: Recipe) -> list[str]:
    """Read that control.

    Raises
    ------
    ValueError
        If there is no such layer, or the recipe starts from an image, which a comparison does not.
    """
    names = [canonical_layer(part) for part in control.value.replace(",", " ").split()]
    if not names:
        raise ValueError("compared_layers is empty; name at least one layer, such as relu4_2.")
    if recipe.init == "image":
        raise ValueError("init is 'image', which compared layers cannot start from; take 'noise'.")
    return names
