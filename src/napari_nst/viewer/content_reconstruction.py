"""The Content Reconstruction widget: what a layer of the network keeps of an image."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import napari.viewer
from magicgui.widgets import CheckBox, ComboBox
from napari.layers import Image

from napari_nst.recipe import Recipe
from napari_nst.recipe.layer_names import COMPARED_LAYERS, LAYER_NAMES
from napari_nst.viewer.controls.layer_box import LayerBox, chosen_layer
from napari_nst.viewer.controls.layer_choice import (
    compared_layers,
    compared_layers_text,
)
from napari_nst.viewer.job_widget import JobWidget
from napari_nst.viewer.run.request import RunRequest
from napari_nst.viewer.stack.choice import STACK, THIS, SliceChoice
from napari_nst.viewer.stack.layer import layer_stack

SEVERAL = "several (see Expert)"
"""The entry of the drop-down for a recipe with several layers, or none."""


class ContentReconstruction(JobWidget):
    """Controls to choose an image and a layer of the network and to run a reconstruction."""

    def __init__(self, napari_viewer: napari.viewer.Viewer) -> None:
        self._layer_box = ComboBox(
            name="layer",
            label="Layer",
            choices=(*LAYER_NAMES, SEVERAL),
            tooltip="The layer whose features the result has. Shallow layers keep pixels, deep "
            "layers only the arrangement.",
        )
        self._compare = CheckBox(
            name="compare",
            text="Compare layers",
            tooltip="Make an image for each of the layers below, instead of the one above.",
        )
        self._compared = compared_layers_text()
        image = LayerBox(napari_viewer, "image", "The layer to reconstruct.")
        self.stack = SliceChoice(napari_viewer, image, moves=False)
        super().__init__(
            napari_viewer,
            "reconstruction",
            choosers=[image],
            up_front=(self._layer_box, "size", "steps"),
            extras={
                STACK: self.stack.controls,
                "Comparison": [self._compare, self._compared],
            },
        )
        self.stack.offer(self.sections[STACK])
        self._layer_box.changed.connect(self._on_layer)
        self.content_layers.changed.connect(self._show_layer)
        self._compare.changed.connect(self._enable)
        self._show_layer()
        self._enable()

    def build_request(self, recipe: Recipe) -> RunRequest:
        """Return the request of the chosen layer and a recipe."""
        layer = chosen_layer(self.image)
        if self.stack.is_stack:
            return self._stack_request(layer, recipe)
        image, start = self.slice_of(layer, recipe.size), self.start_slice(recipe)
        compared = compared_layers(self._compared, recipe) if self._compare.value else []

        def read() -> dict[str, Any]:
            if compared:
                return {"image": image.read(), "recipe": recipe, "layers": compared}
            return {"image": image.read(), "init_image": start.read() if start else None}

        title = "layers" if compared else " + ".join(recipe.content_layers)
        return RunRequest(
            name=f"{image.name} · {title}",
            position=image.position,
            source=image,
            intensity=image.intensity,
            recipe=recipe,
            function="compare_reconstructions" if compared else "reconstruct",
            read=read,
            keep_dtype=self.keep_dtype.value,
        )

    def _stack_request(self, layer: Image, recipe: Recipe) -> RunRequest:
        if self._compare.value:
            raise ValueError(
                f"Compare layers is for a single slice. Untick it, or set Slices to {THIS!r}."
            )
        dims = self._viewer.dims.model_copy(deep=True)
        stack = layer_stack(layer, dims, self.stack.chosen(dims))
        title = " + ".join(recipe.content_layers)
        return stack.request(f"{layer.name} · {title}", "reconstruct_stack", list, recipe)

    def controls_from(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Return the values of this widget's controls for a recorded call of the engine."""
        return {
            "compare": "compare" in arguments,
            "compared_layers": ", ".join(arguments.get("layers", COMPARED_LAYERS)),
        }

    def _on_layer(self, name: str) -> None:
        if name != SEVERAL:
            self.content_layers.value = f"{name}:1.0"

    def _show_layer(self, *_: Any) -> None:
        """Set the drop-down to the layer in the recipe's Content layers."""
        names = [part.partition(":")[0] for part in self.content_layers.value.split(",")]
        shown = names[0].strip() if len(names) == 1 else SEVERAL
        if shown in self._layer_box.choices:
            with self._layer_box.changed.blocked():
                self._layer_box.value = shown

    def _enable(self) -> None:
        self._compared.enabled = self._compare.value
        self._layer_box.enabled = not self._compare.value
