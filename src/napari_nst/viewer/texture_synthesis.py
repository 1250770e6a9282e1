"""The Texture Synthesis widget: synthesize the texture of an image layer, or fill a region."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import napari.viewer
from magicgui.widgets import CheckBox, ComboBox
from napari.layers import Image, Layer

from napari_nst.engine.job.input_image import shape_fitting
from napari_nst.recipe import Recipe, preset
from napari_nst.recipe.layer_names import COMPARED_LAYERS
from napari_nst.viewer.controls.form import CountBox
from napari_nst.viewer.controls.layer_choice import (
    chosen_layer,
    compared_layers,
    compared_layers_text,
    layer_box,
)
from napari_nst.viewer.guides.controls import InpaintingChoice, InpaintingInputs, guides_above
from napari_nst.viewer.job_widget import JobWidget
from napari_nst.viewer.layers.position import Position
from napari_nst.viewer.layers.read import LayerSlice
from napari_nst.viewer.layers.tiles import tile_preview
from napari_nst.viewer.run.request import RunRequest

if TYPE_CHECKING:
    from napari_nst.engine.steering import Steering

OFF, EACH, CUMULATIVE = "off", "layer by layer", "cumulative"

PERIODIC = "circular"  # the padding of a seamless texture


class TextureSynthesis(JobWidget):
    """Controls to choose an exemplar and to synthesize its texture, or to fill a region with it."""

    def __init__(self, napari_viewer: napari.viewer.Viewer) -> None:
        # Not named `height` and `width`, which are attributes of every magicgui widget.
        height, width = _side_box("height"), _side_box("width")
        seamless = CheckBox(
            name="seamless",
            text="Seamless",
            tooltip="Make a texture whose opposite edges match, so that it tiles; a second layer "
            "shows 3 × 3 tiles.",
        )
        self._compare = ComboBox(
            name="compare",
            label="Compare layers",
            choices=(OFF, EACH, CUMULATIVE),
            tooltip="Make an image for each of the layers below: of that layer alone, or "
            "cumulative, of that layer and the layers before it.",
        )
        self._compared = compared_layers_text()
        self.inpainting = InpaintingChoice(napari_viewer)
        self._inputs: LayerSlice | InpaintingInputs | None = None
        self._start: LayerSlice | None = None
        super().__init__(
            napari_viewer,
            "texture",
            choosers=[layer_box(napari_viewer, "exemplar", "The layer whose texture to make.")],
            up_front=("size", height, width, seamless, "steps", "seed", "device"),
            extras={
                "Fill": self.inpainting.controls,
                "Comparison": [self._compare, self._compared],
            },
        )
        seamless.changed.connect(self._on_seamless)
        self.padding.changed.connect(self._show_seamless)
        self._compare.changed.connect(self._enable)
        self._show_seamless()
        self._enable()

    def build_request(self, recipe: Recipe) -> RunRequest:
        """Return the request of the chosen layers and a recipe."""
        layer = chosen_layer(self.exemplar, "exemplar")
        inputs = self.inpainting.read(layer)
        if inputs is None:
            return self._texture_request(layer, recipe)
        return self._inpainting_request(inputs, recipe)

    def _texture_request(self, layer: Image, recipe: Recipe) -> RunRequest:
        exemplar, start = self.slice_of(layer, recipe.size), self.start_slice(recipe)
        self._inputs, self._start = exemplar, start
        self._dims = self._viewer.dims.model_copy(deep=True)
        shown = exemplar.position.shape
        fitted = shape_fitting(shown, min(recipe.size or max(shown), max(shown)))  # never enlarged
        shape = self._shape(fitted)
        cumulative = self._compare.value == CUMULATIVE
        compared = compared_layers(self._compared, recipe) if self._compare.value != OFF else []

        def read() -> dict[str, Any]:
            common = {"exemplar": exemplar.read(), "shape": shape}
            if compared:
                return common | {"recipe": recipe, "layers": compared, "cumulative": cumulative}
            return common | {"init_image": start.read() if start else None}

        return RunRequest(
            name=f"{exemplar.name} · texture{' by layers' if compared else ''}",
            position=_result_position(exemplar.position, fitted, shape),
            intensity=exemplar.intensity,
            names=tuple(used.name for used in (exemplar, start) if used),
            recipe=recipe,
            function="compare_textures" if compared else "synthesize",
            read=read,
            keep_dtype=self.keep_dtype.value,
            after_run=partial(tile_preview, self._viewer) if recipe.padding == PERIODIC else None,
        )

    def _inpainting_request(self, inputs: InpaintingInputs, recipe: Recipe) -> RunRequest:
        start = self.start_slice(recipe.replace(size=0))
        self._inputs, self._start = inputs, start

        def read() -> dict[str, Any]:
            return inputs.read() | {"init_image": start.read() if start else None}

        return RunRequest(
            name=f"{inputs.image.name} · filled",
            position=inputs.image.position,
            intensity=inputs.image.intensity,
            names=(*inputs.names, *([start.name] if start else [])),
            recipe=recipe,
            function="synthesize",
            read=read,
            keep_dtype=self.keep_dtype.value,
            original=inputs.original,
            guides=guides_above(self._viewer, inputs.layer, self.inpainting.layers),
        )

    @property
    def followed_layers(self) -> list[Layer]:
        """The layers of the exemplar and the regions."""
        if self._inputs is None or self.exemplar.value is None:
            return []
        if not isinstance(self._inputs, InpaintingInputs):
            return [self.exemplar.value]
        exemplar = [self.exemplar.value] if self._inputs.exemplar else []
        return [*self.inpainting.layers, *exemplar]

    @property
    def followed_controls(self) -> list[Any]:
        """The controls of the exemplar and the regions."""
        return [self.exemplar, self.inpainting.region, self.inpainting.exemplar_region]

    def steer_images(self, recipe: Recipe, steering: Steering) -> tuple[str, ...]:
        """Give the run the chosen exemplar and regions; raise `ValueError` without a region."""
        inputs, layer = self._inputs, self.exemplar.value
        if inputs is None or layer is None:
            return ()
        if isinstance(inputs, InpaintingInputs):
            self.inpainting.update(inputs, layer)
            exemplar, names = inputs.exemplar, inputs.names
            steering.fill(inputs.read_region, inputs.read_exemplar_region)
            above = guides_above(self._viewer, inputs.layer, self.inpainting.layers)
            self.panel.runner.keep_below(above)
        else:
            exemplar = self.slice_of(layer, recipe.size, self._dims)
            names = (exemplar.name,)
        if exemplar is not None:
            steering.restyle(lambda: [exemplar.read()])
        return (*names, *([self._start.name] if self._start else []))

    def controls_from(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Return the values of this widget's controls for a recorded call of the engine."""
        height, width = arguments.get("shape") or (0, 0)
        compared = {"layers": EACH, "cumulative": CUMULATIVE}
        return {
            "texture_height": height,
            "texture_width": width,
            "compare": compared.get(arguments.get("compare", ""), OFF),
            "compared_layers": ", ".join(arguments.get("layers", COMPARED_LAYERS)),
        }

    def _shape(self, fitted: tuple[int, int]) -> tuple[int, int] | None:
        """Return the height and width of the texture, or None for those of the exemplar."""
        height, width = self.texture_height.value, self.texture_width.value
        return (height or fitted[0], width or fitted[1]) if height or width else None

    def _on_seamless(self, seamless: bool) -> None:
        if seamless:
            self.padding.value = PERIODIC
        else:
            usual = preset(self.preset.value).padding
            self.padding.value = Recipe.padding if usual == PERIODIC else usual

    def _show_seamless(self) -> None:
        with self.seamless.changed.blocked():
            self.seamless.value = self.padding.value == PERIODIC

    def _enable(self) -> None:
        self._compared.enabled = self._compare.value != OFF


def _side_box(name: str) -> CountBox:
    return CountBox(
        zero="as the exemplar",
        name=f"texture_{name}",
        label=name.capitalize(),
        max=65536,
        step=64,
        tooltip=f"{name.capitalize()} of the texture in pixels; 0 for that of the exemplar.",
    )


def _result_position(
    exemplar: Position, fitted: tuple[int, int], shape: tuple[int, int] | None
) -> Position:
    """Return the position of a texture: the exemplar's origin and the exemplar's pixel size."""
    if shape is None:
        return exemplar
    ratio = max(exemplar.shape) / max(fitted)
    return replace(exemplar, shape=(round(shape[0] * ratio), round(shape[1] * ratio)))
