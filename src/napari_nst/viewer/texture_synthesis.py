"""The Texture Synthesis widget: synthesize the texture of an image layer, or fill a region."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import napari.viewer
from magicgui.widgets import CheckBox, ComboBox
from napari.components import Dims
from napari.layers import Image, Layer

from napari_nst.engine.job.input_image import shape_fitting
from napari_nst.recipe import Recipe, preset
from napari_nst.recipe.layer_names import COMPARED_LAYERS
from napari_nst.viewer.controls.form import CountBox
from napari_nst.viewer.controls.layer_box import LayerBox, chosen_layer
from napari_nst.viewer.controls.layer_choice import (
    compared_layers,
    compared_layers_text,
)
from napari_nst.viewer.controls.recipe_form import PERIODIC
from napari_nst.viewer.ensemble.controls import SEEDS, SeedChoice, request_of_seeds
from napari_nst.viewer.ensemble.layer import SeedLayer
from napari_nst.viewer.ensemble.table import SeedTable, shown_table
from napari_nst.viewer.guides.controls import InpaintingChoice, InpaintingInputs, guides_above
from napari_nst.viewer.job_widget import JobWidget
from napari_nst.viewer.layers.position import Position
from napari_nst.viewer.layers.read import LayerSlice
from napari_nst.viewer.layers.repeated_preview import tile_preview
from napari_nst.viewer.run.request import RunRequest
from napari_nst.viewer.steering import ReadImages

if TYPE_CHECKING:
    from napari_nst.engine.steering import Steering

OFF, EACH, CUMULATIVE = "off", "layer by layer", "cumulative"


@dataclass(frozen=True)
class TextureInputs:
    """The exemplar of a run and its other arguments; the layers are read in its thread."""

    layer: Image
    exemplar: LayerSlice  # the shown slice of `layer`
    start: LayerSlice | None  # the image that the run starts from, if it starts from one
    dims: Dims  # positions of the viewer's sliders when the run started
    arguments: Mapping[str, Any]  # of the function, besides the images

    @property
    def followed_layers(self) -> list[Layer]:
        """The layers that may change during the run."""
        return [self.layer]

    def read(self) -> dict[str, Any]:
        """Return the arguments of `synthesize` or `compare_textures`."""
        start = {"init_image": self.start.read()} if self.start is not None else {}
        return {"exemplar": self.exemplar.read(), **start, **self.arguments}


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
        self.ensemble = SeedChoice()
        self.seed_table: SeedTable | None = None  # of the last run of several seeds
        self._inputs: TextureInputs | InpaintingInputs | None = None
        super().__init__(
            napari_viewer,
            "texture",
            choosers=[LayerBox(napari_viewer, "exemplar", "The layer whose texture to make.")],
            up_front=("size", height, width, seamless, "steps"),
            extras={
                "Fill": self.inpainting.controls,
                SEEDS: self.ensemble.controls,
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
        layer = chosen_layer(self.exemplar)
        inputs = self.inpainting.read(layer)
        if self.ensemble.is_several and (inputs is not None or self._compare.value != OFF):
            other = "Compare layers" if inputs is None else "Fill in"
            raise ValueError(f"Seeds are for new textures. Set Seeds to 1, or leave out {other}.")
        if inputs is None:
            return self._texture_request(layer, recipe)
        return self._inpainting_request(inputs, recipe)

    def _texture_request(self, layer: Image, recipe: Recipe) -> RunRequest:
        exemplar, start = self.slice_of(layer, recipe.size), self.start_slice(recipe)
        shown = exemplar.position.shape
        fitted = shape_fitting(shown, min(recipe.size or max(shown), max(shown)))  # never enlarged
        shape = self._shape(fitted)
        compared = compared_layers(self._compared, recipe) if self._compare.value != OFF else []
        arguments: dict[str, Any] = {"shape": shape}
        if compared:
            cumulative = self._compare.value == CUMULATIVE
            arguments |= {"recipe": recipe, "layers": compared, "cumulative": cumulative}
        dims = self._viewer.dims.model_copy(deep=True)
        inputs = self._inputs = TextureInputs(layer, exemplar, start, dims, arguments)
        request = RunRequest(
            name=f"{exemplar.name} · texture{' by layers' if compared else ''}",
            position=_result_position(exemplar.position, fitted, shape),
            source=exemplar,
            intensity=exemplar.intensity,
            recipe=recipe,
            function="compare_textures" if compared else "synthesize",
            read=inputs.read,
            keep_dtype=self.keep_dtype.value,
            after_run=partial(tile_preview, self._viewer) if recipe.padding == PERIODIC else None,
        )
        if not self.ensemble.is_several:
            return request
        chosen = self.ensemble.chosen()
        return request_of_seeds(request, exemplar, shape, chosen, self._show_table)

    def _show_table(self, viewer: Any, layer: SeedLayer) -> None:
        self.seed_table = shown_table(viewer, self.seed_table, layer)

    def _inpainting_request(self, inputs: InpaintingInputs, recipe: Recipe) -> RunRequest:
        inputs = replace(inputs, start=self.start_slice(recipe.replace(size=0)))
        self._inputs = inputs
        return RunRequest(
            name=f"{inputs.image.name} · filled",
            position=inputs.image.position,
            source=inputs.image,
            intensity=inputs.image.intensity,
            recipe=recipe,
            function="synthesize",
            read=inputs.read,
            keep_dtype=self.keep_dtype.value,
            original=inputs.original,
            guides=guides_above(self._viewer, inputs.layers.into, inputs.layers.marked),
        )

    @property
    def followed_layers(self) -> list[Layer]:
        """The layers of the exemplar and the regions that the run has read."""
        return self._inputs.followed_layers if self._inputs is not None else []

    @property
    def followed_controls(self) -> list[Any]:
        """The controls of the exemplar and the regions."""
        return [self.exemplar, self.inpainting.region, self.inpainting.exemplar_region]

    def steer_images(self, recipe: Recipe, steering: Steering, *, chosen: bool) -> ReadImages:
        """Give the run exemplar and regions; raise `ValueError` without a region."""
        inputs = self._inputs
        assert inputs is not None
        if isinstance(inputs, InpaintingInputs):
            layers = inputs.layers
            if chosen:
                layers = self.inpainting.chosen(layers.into, chosen_layer(self.exemplar))
            dims = self.dims_with(inputs.dims, layers.changeable)
            filling = self._inputs = inputs.changed(layers, dims)
            steering.fill(filling.read_region, filling.read_exemplar_region)
            if (exemplar := filling.exemplar) is not None:
                steering.restyle(lambda: [exemplar.read()])
            self.panel.runner.keep_below(guides_above(self._viewer, layers.into, layers.marked))
            return filling.read
        layer = chosen_layer(self.exemplar) if chosen else inputs.layer
        dims = self.dims_with(inputs.dims, [layer])
        shown = self.slice_of(layer, recipe.size, dims)
        texture = self._inputs = replace(inputs, layer=layer, exemplar=shown, dims=dims)
        steering.restyle(lambda: [texture.exemplar.read()])
        return texture.read

    def controls_from(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Return the values of this widget's controls for a recorded call of the engine."""
        height, width = arguments.get("shape") or (0, 0)
        compared = {"layers": EACH, "cumulative": CUMULATIVE}
        return {
            "texture_height": height,
            "texture_width": width,
            "compare": compared.get(arguments.get("compare", ""), OFF),
            "compared_layers": ", ".join(arguments.get("layers", COMPARED_LAYERS)),
            "seeds": len(arguments.get("seeds", [0])),
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
