"""The Style Transfer widget: optimize one image layer towards the style of another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import napari.viewer
import numpy as np
from napari.components import Dims
from napari.layers import Image, Layer

from napari_nst.engine.job.guides import Guides
from napari_nst.recipe import Recipe
from napari_nst.viewer.controls.layer_box import LayerBox, LayerList, chosen_layer
from napari_nst.viewer.controls.layer_choice import (
    IN_TURN,
    SLICE,
    Content,
    ContentChoice,
)
from napari_nst.viewer.guides.controls import (
    GuideChoice,
    GuideLayers,
    TransferGuides,
    guides_above,
)
from napari_nst.viewer.job_widget import JobWidget
from napari_nst.viewer.layers.read import LayerSlice, OriginalPixels, comparable_sizes
from napari_nst.viewer.run.request import RunRequest
from napari_nst.viewer.stack.choice import STACK, THIS, SliceChoice
from napari_nst.viewer.stack.layer import layer_stack
from napari_nst.viewer.steering import ReadImages
from napari_nst.viewer.style_target import TITLE, TargetChoice, ask_for_target_path

if TYPE_CHECKING:
    from napari_nst.engine.job.style_target import StyleTarget
    from napari_nst.engine.steering import Steering

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class TransferInputs:
    """Content, styles and guides of one run; the layers are read in its thread."""

    content: Content
    content_layer: Image | None
    style_layers: Sequence[Image]
    styles: Sequence[LayerSlice]  # the shown slices of `style_layers`
    start: LayerSlice | None  # the image that the run starts from, if it starts from one
    guide_layers: GuideLayers
    guides: TransferGuides | None  # the labels of `guide_layers`
    pixel_sizes: list[float] | None  # of the content, then of each style
    dims: Dims  # positions of the viewer's sliders when the run started
    original: OriginalPixels | None = None  # kept where the content has no label
    targets: Sequence[StyleTarget] = ()  # instead of `styles`
    _content_shape: list[int] = field(default_factory=list)  # as `read` has read it

    def read(self) -> dict[str, Any]:
        """Return the arguments of `stylize`."""
        content, styles = self.content.pictures[0].read(), self.read_styles()
        self._content_shape[:] = content.shape[:2]
        if self.original is not None:
            self.original.read(self.content.pictures[0])
        guides = self.guides.read(_shapes([content])[0], _shapes(styles)) if self.guides else {}
        return {
            "content": content,
            "style": styles or [*self.targets],
            "init_image": self.start.read() if self.start else None,
            "pixel_sizes": self.pixel_sizes,
            **guides,
        }

    def read_channels(self, recipe: Recipe) -> dict[str, Any]:
        """Return the arguments of `stylize_channels`."""
        return {
            "contents": [channel.read() for channel in self.content.pictures],
            "styles": self.read_styles() or [*self.targets],
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
        height, width = self._content_shape
        return self.guides.read_for_steering((height, width), _shapes(self.read_styles()))


class StyleTransfer(JobWidget):
    """Controls to choose a content and a style layer and to run a style transfer."""

    def __init__(self, napari_viewer: napari.viewer.Viewer) -> None:
        self.choice, self.guides = ContentChoice(napari_viewer), GuideChoice(napari_viewer)
        self.targets = TargetChoice(napari_viewer)
        self._inputs: TransferInputs | None = None
        self.stack = SliceChoice(napari_viewer, self.choice.layer)
        style = LayerBox(
            napari_viewer,
            "style",
            "The layer whose colours, strokes and texture are taken.",
            apart_from=self.choice.layer,
        )
        more_styles = LayerList(
            napari_viewer,
            "more_styles",
            "Layers whose styles are blended with the first, as Style blend says; or, for each "
            "channel in turn, the styles of the second channel and the following.",
        )
        super().__init__(
            napari_viewer,
            "transfer",
            choosers=[self.choice.layer, style],
            up_front=("size", "steps", "style_weight"),
            extras={
                STACK: self.stack.controls,
                "Guides": self.guides.controls,
                TITLE: self.targets.controls,
                "Styles and channels": [
                    more_styles,
                    "style_blend",
                    self.choice.content_as,
                    self.choice.channel_axis,
                    self.choice.rgb_channels,
                ],
            },
        )
        self.stack.offer(self.sections[STACK])
        self.targets.save.clicked.connect(self._ask_and_save_target)
        self.targets.first.changed.connect(self._follow_target)

    @property
    def recipe(self) -> Recipe:
        """The recipe of the controls; raises `ValueError` if they contradict each other."""
        return self.targets.applied(super().recipe)

    def save_target(self, path: str | Path) -> None:
        """Measure the style layers in a thread, and write a style target, which is then chosen.

        May raise `ValueError` or `TypeError`, as `request`.
        """
        recipe = self.recipe.replace(style_blend=())
        self.style.enabled = True  # its layers are measured, whatever file is chosen
        layers = self._style_layers
        self._follow_target()
        self.targets.make(
            layers, recipe, Path(path), lambda one, dims: self.slice_of(one, recipe.size, dims),
            self.panel,
        )  # fmt: skip

    def _ask_and_save_target(self) -> None:
        try:
            path = ask_for_target_path(self.native, "style")
            if path is not None:
                self.save_target(path)
        except (OSError, TypeError, ValueError) as error:
            self.panel.complain(error)

    def _follow_target(self) -> None:
        """Enable the style layers if they are used."""
        self.style.enabled = self.more_styles.enabled = not self.targets.is_chosen
        self._follow_choice()

    def build_request(self, recipe: Recipe) -> RunRequest:
        """Return the request of the chosen layers and a recipe."""
        if self.stack.is_stack:
            return self._stack_request(recipe)
        inputs = self._read_inputs(recipe)
        in_turn = inputs.content.in_turn
        self._inputs = None if in_turn else inputs
        return RunRequest(
            name=_name(inputs.content.name, inputs.styles, inputs.targets),
            position=inputs.content.pictures[0].position,
            source=inputs.content.pictures[0],
            intensity=inputs.content.intensity,
            recipe=recipe,
            function="stylize_channels" if in_turn else "stylize",
            read=(lambda: inputs.read_channels(recipe)) if in_turn else inputs.read,
            keep_dtype=self.keep_dtype.value,
            original=inputs.original,
            guides=guides_above(self._viewer, inputs.content_layer, inputs.guide_layers.all),
        )

    def _stack_request(self, recipe: Recipe) -> RunRequest:
        """Return the request of several slices of the content."""
        layer, dims = chosen_layer(self.choice.layer), self._viewer.dims.model_copy(deep=True)
        targets = self.targets.targets()
        if self.guides.chosen().all:
            raise ValueError(
                f"Guides are for a single slice. Choose none, or set Slices to {THIS!r}."
            )
        channel_axis, colours = self.choice.channels_of_stack()
        chosen = self.stack.chosen(dims, channel_axis)
        stack = layer_stack(layer, dims, chosen, channel_axis, colours)
        styles = self._slices(self._style_layers, recipe, dims)
        content = Content([self.slice_of(layer, 0, dims)], in_turn=False)
        self._inputs = None
        return stack.request(
            _name(layer.name, styles, targets),
            "stylize_stack",
            lambda: [[style.read() for style in styles] or targets],
            recipe,
            pixel_sizes=_pixel_sizes(recipe, content, styles),
            temporal=chosen.temporal,
        )

    def _read_inputs(self, recipe: Recipe) -> TransferInputs:
        content = self.choice.read(recipe.size)
        targets, style_layers = self.targets.targets(), self._style_layers
        start = self.start_slice(recipe)
        if content.in_turn and start is not None:
            raise ValueError(
                f"Start from 'image' does not work with {IN_TURN!r} in Content as; take 'noise' "
                "in Start from."
            )
        dims = self._viewer.dims.model_copy(deep=True)
        guide_layers = self.guides.chosen()
        styles = self._slices(style_layers, recipe, dims)
        guides = _guides(guide_layers, content, styles, dims)
        sizes = _pixel_sizes(recipe, content, styles)
        keeps = guides is not None and guides.keep_unlabelled and self.choice.takes_slice
        return TransferInputs(
            content,
            self.choice.layer.value,
            style_layers,
            styles,
            start,
            guide_layers,
            guides,
            sizes,
            dims,
            OriginalPixels() if keeps else None,
            targets,
        )

    @property
    def followed_layers(self) -> list[Layer]:
        """The layers of styles and guides that the run has read."""
        inputs = self._inputs
        return [*inputs.style_layers, *inputs.guide_layers.all] if inputs is not None else []

    @property
    def followed_controls(self) -> list[Any]:
        """The controls of styles and guides."""
        return [self.style, self.more_styles, *self.targets.chosen, *self.guides.controls]

    def steer_images(self, recipe: Recipe, steering: Steering, *, chosen: bool) -> ReadImages:
        """Give the run styles and guides; raise `ValueError` if they do not fit it."""
        inputs = self._inputs
        assert inputs is not None
        style_layers, guide_layers = inputs.style_layers, inputs.guide_layers
        targets = inputs.targets
        if chosen:
            style_layers, guide_layers = self._style_layers, self.guides.chosen()
            targets = self.targets.targets()
        dims = self.dims_with(inputs.dims, [*style_layers, *guide_layers.all])
        styles = self._slices(style_layers, recipe, dims)
        changed = self._inputs = replace(
            inputs,
            style_layers=style_layers,
            styles=styles,
            guide_layers=guide_layers,
            guides=_guides(guide_layers, inputs.content, styles, dims),
            pixel_sizes=_pixel_sizes(recipe, inputs.content, styles),
            dims=dims,
            targets=targets,
        )
        steering.restyle(lambda: changed.read_styles() or [*changed.targets], changed.pixel_sizes)
        steering.guide(changed.read_guides)
        above = guides_above(self._viewer, inputs.content_layer, guide_layers.all)
        self.panel.runner.keep_below(above)
        return changed.read

    @property
    def _style_layers(self) -> list[Image]:
        if self.targets.is_chosen and not self.style.enabled:
            return []
        return [chosen_layer(self.style), *self.more_styles.value]

    def _slices(self, layers: Sequence[Image], recipe: Recipe, dims: Dims) -> list[LayerSlice]:
        return [self.slice_of(layer, recipe.size, dims) for layer in layers]

    def where_in(self, chooser: Any) -> str:
        """Return which slice of a layer is used; for the content, also where its channels are."""
        has_channels = chooser is self.content and not self.content.lost
        channels = has_channels and self.choice.where_channels_are()
        return channels or super().where_in(chooser)


def _guides(
    layers: GuideLayers, content: Content, styles: Sequence[LayerSlice], dims: Dims
) -> TransferGuides | None:
    """Return the guides over a content and its first style, or None without a layer."""
    if not styles:
        if layers.all:
            raise ValueError("Guides are for style layers. Choose no guide, or clear Style target.")
        return None
    guides = layers.over(content.pictures[0], styles[0], dims)
    if guides is not None and content.in_turn:
        raise ValueError(
            f"Content guide does not work with {IN_TURN!r} in Content as; choose no guide, or "
            f"take {SLICE!r}."
        )
    return guides


def _pixel_sizes(
    recipe: Recipe, content: Content, styles: Sequence[LayerSlice]
) -> list[float] | None:
    """Return pixel sizes in one unit, the content's first, or None if the recipe needs none."""
    if recipe.style_sizing != "physical" or not styles:
        return None
    images = [content.pictures[0], *styles]
    sizes = comparable_sizes(images)
    if sizes is None:
        names = ", ".join(repr(image.name) for image in images)
        raise ValueError(
            f"`style_sizing='physical'` needs pixel sizes in one unit in layers {names}. Give them "
            "a scale and units. Or set `style_sizing='fit'`."
        )
    if not content.in_turn:
        return sizes
    if len(set(sizes[1:])) > 1:
        raise ValueError(
            f"`style_sizing='physical'` with {IN_TURN!r} in Content as needs styles of one pixel "
            "size. Set `style_sizing='fit'`."
        )
    return sizes[:2]


def _name(content: str, styles: Sequence[LayerSlice], targets: Sequence[StyleTarget]) -> str:
    """Return the name of a result layer."""
    names = [style.name for style in styles] or [Path(one.name).stem for one in targets]
    return f"{content} × {' + '.join(names)}"


def _shapes(images: Sequence[Array]) -> list[tuple[int, int]]:
    return [(image.shape[0], image.shape[1]) for image in images]
