"""The Content Reconstruction widget: see what a layer of the network keeps of an image."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from magicgui.widgets import CheckBox, ComboBox

from napari_nst.recipe import Recipe
from napari_nst.recipe.layer_names import COMPARED_LAYERS, LAYER_NAMES
from napari_nst.viewer.controls.layer_choice import (
    chosen_layer,
    compared_layers,
    compared_layers_text,
    layer_box,
)
from napari_nst.viewer.job_widget import JobWidget
from napari_nst.viewer.run.request import RunRequest

if TYPE_CHECKING:
    import napari.viewer


SEVERAL = "several (see Losses)"
"""What the drop-down says while the recipe has other than one layer."""


class ContentReconstruction(JobWidget):
    """Choose an image and a layer, press Run, and see what the layer knows of the image.

    Parameters
    ----------
    napari_viewer : napari.viewer.Viewer
        napari hands it in.
    """

    def __init__(self, napari_viewer: napari.viewer.Viewer) -> None:
        self._layer_box = ComboBox(
            name="layer",
            label="Layer",
            choices=(*LAYER_NAMES, SEVERAL),
            tooltip="Whose features are kept. Shallow layers keep pixels, deep ones arrangement.",
        )
        self._compare = CheckBox(
            name="compare",
            text="Compare layers",
            tooltip="Make a picture for each of the layers below, in place of the one above.",
        )
        self._compared = compared_layers_text()
        super().__init__(
            napari_viewer,
            "reconstruction",
            choosers=[layer_box(napari_viewer, "image", "The layer to look at.")],
            up_front=(self._layer_box, "size", "steps", "seed", "device"),
            extras={"Comparison": [self._compare, self._compared]},
        )
        self._layer_box.changed.connect(self._on_layer)
        self.content_layers.changed.connect(self._show_layer)
        self._compare.changed.connect(self._enable_what_matters)
        self._show_layer()
        self._enable_what_matters()

    def build_request(self, recipe: Recipe) -> RunRequest:
        """Return the job of the chosen layer and a recipe."""
        layer = chosen_layer(self.image, "image")
        image, begin = self.slice_of(layer, recipe.size), self.start_slice(recipe)
        names = compared_layers(self._compared, recipe) if self._compare.value else []

        def read() -> dict[str, Any]:
            return {"image": image.read(), "init_image": begin.read() if begin else None}

        def read_comparison() -> dict[str, Any]:
            return {"image": image.read(), "recipe": recipe, "layers": names}

        what = "layers" if names else " + ".join(recipe.content_layers)
        return RunRequest(
            name=f"{image.name} · {what}",
            position=image.position,
            intensity=image.intensity,
            recipe=recipe,
            names=tuple(picture.name for picture in (image, begin) if picture),
            function="compare_reconstructions" if names else "reconstruct",
            read=read_comparison if names else read,
            keep_dtype=self.keep_dtype.value,
        )

    def controls_from(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Return what this widget's controls would say for a recorded call of the engine."""
        return {
            "compare": "compare" in arguments,
            "compared_layers": ", ".join(arguments.get("layers", COMPARED_LAYERS)),
        }

    def _on_layer(self, name: str) -> None:
        if name != SEVERAL:
            self.content_layers.value = f"{name}:1.0"

    def _show_layer(self, *_: Any) -> None:
        """Let the drop-down say what the recipe's text does."""
        names = [part.partition(":")[0] for part in self.content_layers.value.split(",")]
        shown = names[0].strip() if len(names) == 1 else SEVERAL
        if shown in self._layer_box.choices:
            with self._layer_box.changed.blocked():
                self._layer_box.value = shown

    def _enable_what_matters(self) -> None:
        self._compared.enabled = self._compare.value
        self._layer_box.enabled = not self._compare.value
