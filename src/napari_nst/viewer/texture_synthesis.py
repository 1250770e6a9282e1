"""The Texture Synthesis widget: make more of the texture in an image layer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from magicgui.widgets import CheckBox, ComboBox

from napari_nst.engine.job.input_image import shape_fitting
from napari_nst.recipe import Recipe, preset
from napari_nst.recipe.layer_names import COMPARED_LAYERS
from napari_nst.viewer.controls.layer_choice import (
    chosen_layer,
    compared_layers,
    compared_layers_text,
    layer_box,
)
from napari_nst.viewer.controls.number_box import CountBox
from napari_nst.viewer.guides.inpainting import Fill, FillChoice
from napari_nst.viewer.job_widget import JobWidget
from napari_nst.viewer.layers.position import Position
from napari_nst.viewer.layers.read import LayerSlice
from napari_nst.viewer.layers.save import tile_preview
from napari_nst.viewer.run.request import RunRequest

if TYPE_CHECKING:
    import napari.viewer
    from napari.layers import Image, Layer

    from napari_nst.engine.steering import Steering

OFF, EACH, CUMULATIVE = "off", "layer by layer", "cumulative"

PERIODIC = "circular"
"""The padding that makes a texture tile."""


class TextureSynthesis(JobWidget):
    """Choose an exemplar, press Run, and watch more of its texture appear.

    Parameters
    ----------
    napari_viewer : napari.viewer.Viewer
        napari hands it in.
    """

    def __init__(self, napari_viewer: napari.viewer.Viewer) -> None:
        # Not `height` and `width`: those of a magicgui widget are its own on the screen.
        height, width = _side("height"), _side("width")
        seamless = CheckBox(
            name="seamless",
            text="Seamless",
            tooltip="Make a texture whose edges meet, so that it tiles; shown three times three.",
        )
        self._compare = ComboBox(
            name="compare",
            label="Compare layers",
            choices=(OFF, EACH, CUMULATIVE),
            tooltip="Make a picture for each of the layers below: of that layer alone, or "
            "cumulative, of it and those before it.",
        )
        self._compared = compared_layers_text()
        self.fill = FillChoice(napari_viewer)
        self._picked: LayerSlice | Fill | None = None
        super().__init__(
            napari_viewer,
            "texture",
            choosers=[layer_box(napari_viewer, "exemplar", "The layer whose texture to make.")],
            up_front=("size", height, width, seamless, "steps", "seed", "device"),
            extras={"Fill": self.fill.controls, "Comparison": [self._compare, self._compared]},
        )
        seamless.changed.connect(self._on_seamless)
        self.padding.changed.connect(self._show_seamless)
        self._compare.changed.connect(self._enable_what_matters)
        self._show_seamless()
        self._enable_what_matters()

    def build_request(self, recipe: Recipe) -> RunRequest:
        """Return the job of the chosen layer and a recipe."""
        layer = chosen_layer(self.exemplar, "exemplar")
        fill = self.fill.pick(layer)
        return (
            self._texture_request(layer, recipe)
            if fill is None
            else self._fill_request(fill, recipe)
        )

    def _texture_request(self, layer: Image, recipe: Recipe) -> RunRequest:
        exemplar, begin = self.slice_of(layer, recipe.size), self.start_slice(recipe)
        self._picked, self._begin = exemplar, begin
        self._dims = self._viewer.dims.model_copy(deep=True)
        fitted = _fitted(exemplar.position.shape, recipe.size)
        shape = self._shape(fitted)
        compared = self._compare.value
        names = compared_layers(self._compared, recipe) if compared != OFF else []

        def read() -> dict[str, Any]:
            start = begin.read() if begin else None
            return {"exemplar": exemplar.read(), "shape": shape, "init_image": start}

        def read_comparison() -> dict[str, Any]:
            return {
                "exemplar": exemplar.read(),
                "recipe": recipe,
                "layers": names,
                "cumulative": compared == CUMULATIVE,
                "shape": shape,
            }

        return RunRequest(
            name=f"{exemplar.name} · texture{' by layers' if names else ''}",
            position=_position(exemplar, fitted, shape),
            intensity=exemplar.intensity,
            recipe=recipe,
            names=tuple(picture.name for picture in (exemplar, begin) if picture),
            function="compare_textures" if names else "synthesize",
            read=read_comparison if names else read,
            keep_dtype=self.keep_dtype.value,
            after_run=self._show_tiles if recipe.padding == PERIODIC else None,
        )

    def _fill_request(self, fill: Fill, recipe: Recipe) -> RunRequest:
        begin = self.start_slice(recipe.replace(size=0))
        self._picked, self._begin = fill, begin

        def read() -> dict[str, Any]:
            return fill.arguments() | {"init_image": begin.read() if begin else None}

        return RunRequest(
            name=f"{fill.picture.name} · filled",
            position=fill.picture.position,
            intensity=fill.picture.intensity,
            recipe=recipe,
            names=(*fill.names, *([begin.name] if begin else [])),
            function="synthesize",
            read=read,
            keep_dtype=self.keep_dtype.value,
            original=fill.original,
        )

    # ── while a run goes on ──────────────────────────────────────────────────────────────────

    @property
    def followed_layers(self) -> list[Layer]:
        """The layers whose edits a run follows: its exemplar, and the regions of a fill."""
        if self._picked is None or self.exemplar.value is None:
            return []
        if not isinstance(self._picked, Fill):
            return [self.exemplar.value]
        return [*self.fill.layers, *([self.exemplar.value] if self._picked.exemplar else [])]

    @property
    def followed_controls(self) -> list[Any]:
        """The controls, besides the recipe's, that a run follows."""
        return [self.exemplar, self.fill.region, self.fill.exemplar_region]

    def steer_images(self, recipe: Recipe, steering: Steering) -> tuple[str, ...]:
        """Hand the exemplar and the regions of a fill over as they are now.

        Raises
        ------
        ValueError
            If there is nothing to fill, or to fill it with.
        """
        picked, layer = self._picked, self.exemplar.value
        if picked is None or layer is None:
            return ()
        begin = (self._begin.name,) if self._begin else ()
        if isinstance(picked, Fill):
            return (*self._steer_fill(picked, layer, steering), *begin)
        exemplar = self.slice_of(layer, recipe.size, self._dims)
        steering.restyle(lambda: [exemplar.read()])
        return (exemplar.name, *begin)

    def _steer_fill(self, fill: Fill, layer: Image, steering: Steering) -> tuple[str, ...]:
        self.fill.follow(fill, layer)
        exemplar = fill.exemplar
        if exemplar is not None:
            steering.restyle(lambda: [exemplar.read()])
        steering.fill(fill.read_region, fill.read_exemplar_region)
        return fill.names

    def controls_from(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Return what this widget's controls would say for a recorded call of the engine."""
        height, width = arguments.get("shape") or (0, 0)
        compared = {"layers": EACH, "cumulative": CUMULATIVE}
        return {
            "texture_height": height,
            "texture_width": width,
            "compare": compared.get(arguments.get("compare", ""), OFF),
            "compared_layers": ", ".join(arguments.get("layers", COMPARED_LAYERS)),
        }

    def _shape(self, fitted: tuple[int, int]) -> tuple[int, int] | None:
        """Return the height and width that were asked for; None for those of the exemplar."""
        asked = self.texture_height.value, self.texture_width.value
        if not any(asked):
            return None
        return asked[0] or fitted[0], asked[1] or fitted[1]

    def _show_tiles(self, layer: Any) -> None:
        tile_preview(self._viewer, layer)

    def _on_seamless(self, seamless: bool) -> None:
        usual = preset(self.preset.value).padding
        self.padding.value = (
            PERIODIC if seamless else usual if usual != PERIODIC else Recipe.padding
        )

    def _show_seamless(self) -> None:
        with self.seamless.changed.blocked():
            self.seamless.value = self.padding.value == PERIODIC

    def _enable_what_matters(self) -> None:
        self._compared.enabled = self._compare.value != OFF


def _side(name: str) -> CountBox:
    return CountBox(
        zero="as the exemplar",
        name=f"texture_{name}",
        label=name.capitalize(),
        max=65536,
        step=64,
        tooltip=f"{name.capitalize()} of the texture in pixels; 0 takes the exemplar's.",
    )


def _fitted(shape: tuple[int, int], size: int) -> tuple[int, int]:
    """Return an exemplar's height and width as the engine fits it: never enlarged."""
    return shape_fitting(shape, min(size or max(shape), max(shape)))


def _position(
    exemplar: LayerSlice, fitted: tuple[int, int], shape: tuple[int, int] | None
) -> Position:
    """Return where a texture lies: where the exemplar begins, with pixels as large as its."""
    position = exemplar.position
    if shape is None:
        return position
    enlarged = max(position.shape) / max(fitted)
    return replace(position, shape=(round(shape[0] * enlarged), round(shape[1] * enlarged)))
