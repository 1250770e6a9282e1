"""The Style Transfer widget: optimize one image layer towards the style of another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import napari.viewer
import numpy as np
from magicgui.widgets import ComboBox
from napari.components import Dims
from napari.layers import Image, Layer

from napari_nst.engine.job.guides import Guides
from napari_nst.recipe import Recipe
from napari_nst.viewer.controls.layer_choice import (
    IN_TURN,
    SLICE,
    Content,
    ContentChoice,
    chosen_layer,
    image_layers,
    layer_box,
    layer_list,
)
from napari_nst.viewer.guides.controls import GuideChoice, TransferGuides, guides_above
from napari_nst.viewer.job_widget import JobWidget
from napari_nst.viewer.layers.read import LayerSlice, OriginalPixels, comparable_sizes
from napari_nst.viewer.run.request import RunRequest

if TYPE_CHECKING:
    from napari_nst.engine.steering import Steering

Array = np.ndarray[Any, Any]


@dataclass
class TransferInputs:
    """Content, styles and guides of one run; the layers are read in its thread."""

    content: Content
    styles: Sequence[LayerSlice]
    start: LayerSlice | None  # the image that the run starts from, if it starts from one
    guides: TransferGuides | None
    pixel_sizes: list[float] | None  # of the content, then of each style
    dims: Dims  # positions of the viewer's sliders when the run started
    original: OriginalPixels | None = None  # kept where the content has no label
    _content_shape: tuple[int, int] = field(default=(0, 0), init=False)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the images, in the order of the engine's arguments."""
        start = [self.start.name] if self.start else []
        return (self.content.name, *(style.name for style in self.styles), *start)

    def read(self) -> dict[str, Any]:
        """Return the arguments of `stylize`."""
        content, styles = self.content.pictures[0].read(), self.read_styles()
        self._content_shape = (content.shape[0], content.shape[1])
        if self.original is not None:
            self.original.read(self.content.pictures[0])
        guides = self.guides.read(self._content_shape, _shapes(styles)) if self.guides else {}
        return {
            "content": content,
            "style": styles,
            "init_image": self.start.read() if self.start else None,
            "pixel_sizes": self.pixel_sizes,
            **guides,
        }

    def read_channels(self, recipe: Recipe) -> dict[str, Any]:
        """Return the arguments of `stylize_channels`."""
        return {
            "contents": [channel.read() for channel in self.content.pictures],
            "styles": self.read_styles(),
            "recipe": recipe,
            "labels": [channel.name for channel in self.content.pictures],
            "pixel_sizes": self.pixel_sizes,
        }

    def read_styles(self) -> list[Array]:
        """Return the styles, also those chosen while the run is going on."""
        return [style.read() for style in self.styles]

    def read_guides(self) -> Guides | None:
        """Return the guides, also those chosen while the run is going on."""
        if self.guides is None:
            return None
        return self.guides.read_for_steering(self._content_shape, _shapes(self.read_styles()))


class StyleTransfer(JobWidget):
    """Controls to choose a content and a style layer and to run a style transfer."""

    def __init__(self, napari_viewer: napari.viewer.Viewer) -> None:
        self.choice, self.guides = ContentChoice(napari_viewer), GuideChoice(napari_viewer)
        self._inputs: TransferInputs | None = None
        style = layer_box(
            napari_viewer, "style", "The layer whose colours, strokes and texture are taken."
        )
        more_styles = layer_list(
            napari_viewer,
            "more_styles",
            "Layers whose styles are blended with the first, as Style blend says; or, for each "
            "channel in turn, the styles of the second channel and the following.",
        )
        super().__init__(
            napari_viewer,
            "transfer",
            choosers=[self.choice.layer, style],
            up_front=("size", "steps", "style_weight", "seed", "device"),
            extras={
                "Guides": self.guides.controls,
                "Styles and channels": [
                    more_styles,
                    self.choice.content_as,
                    self.choice.channel_axis,
                    self.choice.rgb_channels,
                ],
            },
        )
        self._avoid_content_as_style()

    def build_request(self, recipe: Recipe) -> RunRequest:
        """Return the request of the chosen layers and a recipe."""
        inputs = self._read_inputs(recipe)
        in_turn = inputs.content.in_turn
        self._inputs = None if in_turn else inputs
        return RunRequest(
            name=f"{inputs.content.name} × {' + '.join(style.name for style in inputs.styles)}",
            position=inputs.content.pictures[0].position,
            intensity=inputs.content.intensity,
            names=inputs.names,
            recipe=recipe,
            function="stylize_channels" if in_turn else "stylize",
            read=(lambda: inputs.read_channels(recipe)) if in_turn else inputs.read,
            keep_dtype=self.keep_dtype.value,
            original=inputs.original,
            guides=self._guides_above(),
        )

    def _read_inputs(self, recipe: Recipe) -> TransferInputs:
        content = self.choice.read(recipe.size)
        chosen_layer(self.style, "style")
        start = self.start_slice(recipe)
        if content.in_turn and start is not None:
            raise ValueError(
                f"Start from 'image' does not work with {IN_TURN!r} in Content as; take 'noise' "
                "in Start from."
            )
        dims = self._viewer.dims.model_copy(deep=True)
        styles = self._styles(recipe.size, dims)
        guides = self._guides(content, styles, dims)
        sizes = _pixel_sizes(recipe, content, styles)
        keeps = guides is not None and guides.keep_unlabelled and self.choice.takes_slice
        original = OriginalPixels() if keeps else None
        return TransferInputs(content, styles, start, guides, sizes, dims, original)

    @property
    def followed_layers(self) -> list[Layer]:
        """The layers of styles and guides."""
        return [*self._style_layers, *self.guides.layers]

    @property
    def followed_controls(self) -> list[Any]:
        """The controls of styles and guides."""
        return [self.style, self.more_styles, *self.guides.controls]

    def steer_images(self, recipe: Recipe, steering: Steering) -> tuple[str, ...]:
        """Give the run the chosen styles and guides; raise `ValueError` if they do not fit it."""
        inputs = self._inputs
        if inputs is None or not self._style_layers:
            return ()
        styles = self._styles(recipe.size, inputs.dims)
        inputs.guides = self._guides(inputs.content, styles, inputs.dims)
        inputs.pixel_sizes = _pixel_sizes(recipe, inputs.content, styles)
        inputs.styles = styles
        steering.restyle(inputs.read_styles, inputs.pixel_sizes)
        steering.guide(inputs.read_guides)
        self.panel.runner.keep_below(self._guides_above())
        return inputs.names

    @property
    def _style_layers(self) -> list[Image]:
        return [layer for layer in (self.style.value, *self.more_styles.value) if layer is not None]

    def _styles(self, size: int, dims: Dims) -> list[LayerSlice]:
        return [self.slice_of(layer, size, dims) for layer in self._style_layers]

    def _guides(
        self, content: Content, styles: Sequence[LayerSlice], dims: Dims
    ) -> TransferGuides | None:
        guides = self.guides.read(content.pictures[0], styles[0], dims)
        if guides is not None and content.in_turn:
            raise ValueError(
                f"Content guide does not work with {IN_TURN!r} in Content as; choose no guide, or "
                f"take {SLICE!r}."
            )
        return guides

    def _guides_above(self) -> tuple[Layer, ...]:
        return guides_above(self._viewer, self.choice.layer.value, self.guides.layers)

    def where_in(self, chooser: ComboBox) -> str:
        """Return which slice of a layer is used; for the content, also where its channels are."""
        channels = chooser is self.content and self.choice.where_channels_are()
        return channels or super().where_in(chooser)

    def reset_choices(self, *args: Any) -> None:
        """Update the drop-downs; unless the user chose it, the content is not also the style."""
        could_choose = len(self.style.choices) > 1
        chosen_alike = could_choose and self.content.value is self.style.value
        super().reset_choices(*args)
        if not chosen_alike:
            self._avoid_content_as_style()

    def _avoid_content_as_style(self) -> None:
        if self.style.value is self.content.value:
            layers = image_layers(self._viewer)
            others = [layer for layer in layers if layer is not self.content.value]
            if others:
                self.style.value = others[0]


def _pixel_sizes(
    recipe: Recipe, content: Content, styles: Sequence[LayerSlice]
) -> list[float] | None:
    """Return pixel sizes in one unit, the content's first, or None if the recipe needs none."""
    if recipe.style_sizing != "physical":
        return None
    images = [content.pictures[0], *styles]
    sizes = comparable_sizes(images)
    if sizes is None:
        names = ", ".join(repr(image.name) for image in images)
        raise ValueError(
            f"Style sizing 'physical' needs pixel sizes in one unit in layers {names}; set their "
            "scale and units, or take 'fit'."
        )
    if not content.in_turn:
        return sizes
    if len(set(sizes[1:])) > 1:
        raise ValueError(
            f"Style sizing 'physical' with {IN_TURN!r} in Content as needs styles of one pixel "
            "size; take 'fit'."
        )
    return sizes[:2]


def _shapes(images: Sequence[Array]) -> list[tuple[int, int]]:
    return [(image.shape[0], image.shape[1]) for image in images]
